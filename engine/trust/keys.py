"""The keys of this installation: one that signs puppets, one that hides what a mark says. Made when first needed.

Whoever has the files can sign and mark as this installation: they are readable by the user alone.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from engine.errors import ConfigError
from engine.home import home
from engine.trust.chips import Key

SECRET_BYTES: Final = 32
LARGEST_KEY_BYTES: Final = 16 * 1024


def keys_folder() -> Path:
    """Where they lie."""
    return home("keys")


def maker_key() -> Ed25519PrivateKey:
    """The key that signs puppets. ConfigError where it can't be kept or is damaged."""
    path = keys_folder() / "maker.pem"
    content = _kept(path, lambda: private_pem(Ed25519PrivateKey.generate()))
    try:
        key = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(path, "another kind of key")
    return key


def mark_key() -> Key:
    """The key of this installation's marks. ConfigError where it can't be kept or is damaged."""
    _kept(own_mark_key(), lambda: secrets.token_bytes(SECRET_BYTES).hex().encode() + b"\n")
    return read_mark_key(own_mark_key())


def own_mark_key() -> Path:
    """Where it lies, once there is one."""
    return keys_folder() / "mark.key"


def read_mark_key(path: Path) -> Key:
    """The key of an installation's marks. ConfigError where there is none or it is damaged."""
    content = _read(path)
    try:
        secret = bytes.fromhex(content.decode())
    except ValueError as error:
        raise _damaged(path, "not hexadecimal") from error
    if len(secret) != SECRET_BYTES:
        raise _damaged(path, f"{len(secret)} bytes instead of {SECRET_BYTES}")
    return Key(secret)


def private_pem(key: Ed25519PrivateKey) -> bytes:
    """PKCS 8, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_bytes(key: Ed25519PublicKey) -> bytes:
    """32 bytes."""
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def fingerprint(public: bytes) -> str:
    """A public key in 16 characters."""
    return sha256(public).hexdigest()[:16]


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's content; it is made, whole or not at all, where there is none."""
    if path.exists():
        return _read(path)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(make())
        with suppress(FileExistsError):  # another mimicam was quicker
            partial.rename(path) if os.name == "nt" else os.link(partial, path)
    except OSError as error:
        raise ConfigError(
            wanted=f"a place for this installation's keys, {path.parent}",
            found=str(error),
            advice="Set MIMICAM_HOME to a folder that can be written: pictures are marked and puppets signed with them.",
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_KEY_BYTES)
    except OSError as error:
        raise ConfigError(wanted=f"the key {path}", found=str(error), advice="Give the path of a key file.") from error


def _damaged(path: Path, found: str) -> ConfigError:
    return ConfigError(
        wanted=f"a key in {path}",
        found=found,
        advice="Put a copy back; or remove it for a new one, which can't read old marks nor sign as before.",
    )
