"""A puppet's signature: who made it, and that nothing was changed since.

Ed25519 over the manifest (its table as JSON, keys sorted, without the signature) in which the hash of all other members stands.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field

from engine.trust.keys import fingerprint, public_bytes

NUMBER_BITS: Final = 28  # of a puppet, in a mark


class SignatureEntry(BaseModel):
    """As it stands in the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    maker: str = Field(max_length=64, description="public key, base64")
    value: str = Field(max_length=128, description="signature, base64")


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed what."""

    maker: str  # fingerprint of the key
    sha256: str  # of what was signed

    @property
    def number(self) -> int:
        """The puppet, as marks name it."""
        return int(self.sha256, 16) >> (256 - NUMBER_BITS)


def message_of(table: dict[str, Any]) -> bytes:
    """What is signed of a manifest's table."""
    bare = {key: value for key, value in table.items() if key != "signature"}
    return json.dumps(bare, sort_keys=True, separators=(",", ":"), default=str).encode()


def hash_of_members(hashes: dict[str, str]) -> str:
    """One hash of many: of the lines `HASH  NAME`, by name."""
    return sha256("".join(f"{value}  {name}\n" for name, value in sorted(hashes.items())).encode()).hexdigest()


def sign(table: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, str]:
    """The signature for a manifest, as it stands there."""
    public = public_bytes(key.public_key())
    encoded = (base64.b64encode(part).decode() for part in (public, key.sign(message_of(table))))
    return dict(zip(("maker", "value"), encoded, strict=True))


def verified(table: dict[str, Any], entry: SignatureEntry) -> Signed | None:
    """Who signed a manifest; None where it is not what was signed."""
    message = message_of(table)
    try:
        public = base64.b64decode(entry.maker, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(entry.value, validate=True), message)
    except (InvalidSignature, ValueError):
        return None
    return Signed(fingerprint(public), sha256(message).hexdigest())
