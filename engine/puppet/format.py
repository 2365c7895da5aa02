"""The puppet file: a folder or a zip `NAME.puppet`.

    puppet.toml       name, created, origin, the consent record, the references, a hash of all that follows, the signature
    reference_0.jpg   a photograph
    reference_0.npy   its landmarks, (478, 3) float32 px
    clip_00000.jpg    frames of a clip, where there is one
    clip.safetensors  what was found in them (`engine.puppet.clip`)

Nothing in it can be executed: TOML, JPEG or PNG, npy without pickle, safetensors. Only what the manifest names is read, and
its size is bounded before it is unpacked. A puppet that is not signed by its maker, or was changed since, is refused.
"""

from __future__ import annotations

import datetime as dt
import io
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NoReturn

import cv2
import numpy as np
import tomli_w
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import ConsentError, PuppetError
from engine.face.landmarks import COUNT, Points
from engine.files import DAMAGED_ARRAY, write_whole
from engine.puppet.clip import MOST_FRAMES, Analysis, Clip, decoded, encoded
from engine.puppet.consent import Consent
from engine.trust.keys import fingerprint, maker_key, public_bytes
from engine.trust.signature import SignatureEntry, Signed, hash_of_members, sign, verified

FORMAT: Final = 3  # 1 and 2 were not signed
MANIFEST: Final = "puppet.toml"
LARGEST_MANIFEST_BYTES: Final = 64 * 1024
LARGEST_PICTURE_BYTES: Final = 64 * 1024 * 1024
LARGEST_ANALYSIS_BYTES: Final = 64 * 1024 * 1024
LARGEST_PUPPET_BYTES: Final = 1024 * 1024 * 1024
ANALYSIS: Final = "clip.safetensors"
LARGEST_LANDMARKS_BYTES: Final = 16 * 1024  # 478 x 3 as float64, and a header
UNREADABLE: Final = (
    OSError, ValueError, EOFError, MemoryError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error, cv2.error,
    *DAMAGED_ARRAY,
)  # fmt: skip
Reader = Callable[[str, int], bytes]  # a member's name and how large it may be, to its content
LARGEST_SIDE_PX: Final = 8192


class _ReferenceEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    picture: str = Field(pattern=r"^[\w-]+\.(jpg|png)$")
    landmarks: str = Field(pattern=r"^[\w-]+\.npy$")


class _ClipEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    frames: int = Field(ge=1, le=MOST_FRAMES)
    rate_hz: float = Field(gt=0, le=240)


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    format: int
    name: str = Field(min_length=1, max_length=80)
    created: dt.date
    origin: str
    consent: Consent
    references: list[_ReferenceEntry] = Field(min_length=1, max_length=64)
    clip: _ClipEntry | None = None
    content: str = Field(pattern=r"^[0-9a-f]{64}$", description="hash of all members")
    signature: SignatureEntry


@dataclass(frozen=True, slots=True)
class Reference:
    """One photograph of a puppet."""

    picture: NDArray[np.uint8]  # (height_px, width_px, 3) BGR
    landmarks_px: Points  # (478, 3)


@dataclass(frozen=True, slots=True)
class Puppet:
    """Who appears."""

    name: str
    created: dt.date
    origin: str  # where the pictures come from
    consent: Consent
    references: tuple[Reference, ...]  # at least one; the first is the main one
    clip: Clip | None = None
    signed: Signed | None = None  # None until it was saved

    @property
    def neutral(self) -> Points | None:
        """The person's canonical neutral shape (478, 3), where a clip has told it."""
        return None if self.clip is None else self.clip.analysis.neutral


def load_puppet(path: Path) -> Puppet:
    """Read a puppet.

    PuppetError when it is missing, damaged or of another version; ConsentError when it is without consent, altered since it was
    signed, expired, or of somebody else who made it of themselves.
    """
    try:
        hashes: dict[str, str] = {}
        with _opened(path) as plain:
            manifest, signed = _signed_manifest(path, plain)
            read = _hashing(plain, hashes)
            references = tuple(_reference(path, read, entry) for entry in manifest.references)
            clip = None if manifest.clip is None else _clip(path, read, manifest.clip)
    except UNREADABLE as error:
        _damaged(path, str(error) or type(error).__name__)
    if hash_of_members(hashes) != manifest.content:
        _altered(path, "other pictures than those that were signed")
    _require_allowed(path, manifest, signed)
    return Puppet(manifest.name, manifest.created, manifest.origin, manifest.consent, references, clip, signed)


def read_name(path: Path) -> tuple[str, Signed]:
    """Name and signature of a puppet, without its pictures, whether it may be used or not. Raises as `load_puppet`."""
    try:
        with _opened(path) as plain:
            manifest, signed = _signed_manifest(path, plain)
    except UNREADABLE as error:
        _damaged(path, str(error) or type(error).__name__)
    return manifest.name, signed


def _signed_manifest(path: Path, read: Reader) -> tuple[_Manifest, Signed]:
    table = _table(path, read(MANIFEST, LARGEST_MANIFEST_BYTES))
    manifest = _manifest(path, table)
    signed = verified(table, manifest.signature)
    if signed is None:
        _altered(path, "another manifest than the one that was signed")
    return manifest, signed


def save_puppet(puppet: Puppet, path: Path, key: Ed25519PrivateKey | None = None) -> None:
    """Sign a puppet with this installation's key, or another, and write it as a zip, whole or not at all.

    PuppetError when the place can't be written.
    """
    members = dict(_members(puppet))
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "name": puppet.name,
        "created": puppet.created,
        "origin": puppet.origin,
        "consent": puppet.consent.model_dump(exclude_none=True),
        "references": [
            {"picture": f"reference_{i}.jpg", "landmarks": f"reference_{i}.npy"} for i in range(len(puppet.references))
        ],
        "content": hash_of_members({name: sha256(content).hexdigest() for name, content in members.items()}),
    }
    if puppet.clip is not None:
        manifest["clip"] = {"frames": len(puppet.clip), "rate_hz": puppet.clip.rate_hz}
    # as it will be read: tuples are lists there, and so on
    manifest["signature"] = sign(tomllib.loads(tomli_w.dumps(manifest)), key or maker_key())
    archive_bytes = io.BytesIO()
    with zipfile.ZipFile(archive_bytes, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, MANIFEST, tomli_w.dumps(manifest).encode())
        for name, content in members.items():
            _add(archive, name, content)
    write_whole(path, archive_bytes.getvalue(), "the puppet", PuppetError)


def _members(puppet: Puppet) -> Iterator[tuple[str, bytes]]:
    """All files but the manifest."""
    for i, reference in enumerate(puppet.references):
        yield f"reference_{i}.jpg", encoded(reference.picture)
        buffer = io.BytesIO()
        np.save(buffer, reference.landmarks_px.astype(np.float32), allow_pickle=False)
        yield f"reference_{i}.npy", buffer.getvalue()
    if puppet.clip is not None:
        for i, jpeg in enumerate(puppet.clip.jpegs):
            yield _frame_name(i), jpeg
        yield ANALYSIS, puppet.clip.analysis.to_bytes()


def _require_allowed(path: Path, manifest: _Manifest, signed: Signed) -> None:
    consent = manifest.consent
    consent.require_valid(dt.date.today())
    own = fingerprint(public_bytes(maker_key().public_key())) if consent.kind == "self" else signed.maker
    if signed.maker != own:
        raise ConsentError(
            wanted=f"a puppet of yourself in {path}",
            found=f"one that {consent.who} made of themselves, elsewhere",
            advice="Only they may wear it. Your own from another machine: copy its keys/maker.pem to this one.",
        )


def _altered(path: Path, found: str) -> NoReturn:
    raise ConsentError(
        wanted=f"the puppet in {path} as its maker signed it",
        found=found,
        advice="Take a copy that was not changed. What was agreed to can only be changed by making it anew.",
    )


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(
        zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content
    )  # a fixed time: equal puppets are equal files


def _damaged(path: Path, what: str) -> NoReturn:
    raise PuppetError(
        wanted=f"a readable puppet in {path}",
        found=what,
        advice="Copy it again or make it anew with 'mimicam puppet new'.",
    )


@contextmanager
def _opened(path: Path) -> Iterator[Reader]:
    """Reads members of a folder or a zip, those that are there and no larger than allowed."""
    if not path.exists():
        raise PuppetError(
            wanted=f"a puppet at {path}", found="there is nothing", advice="'mimicam puppet list' shows what there is."
        )
    if path.is_dir():
        yield lambda name, most_bytes: _read_file(path, name, most_bytes)
        return
    with zipfile.ZipFile(path) as archive:
        yield lambda name, most_bytes: _read_member(path, archive, name, most_bytes)


def _read_file(path: Path, name: str, most_bytes: int) -> bytes:
    member = path / name
    if not member.is_file():
        _damaged(path, f"{name} is missing")
    _refuse_large(path, name, member.stat().st_size, most_bytes)
    return member.read_bytes()


def _read_member(path: Path, archive: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    if name not in archive.NameToInfo:
        _damaged(path, f"{name} is missing")
    _refuse_large(path, name, archive.getinfo(name).file_size, most_bytes)
    return archive.read(name)


def _refuse_large(path: Path, name: str, size_bytes: int, most_bytes: int) -> None:
    if size_bytes > most_bytes:
        _damaged(path, f"{name} has {size_bytes} bytes, more than the {most_bytes} that it may have")


def _hashing(read: Reader, hashes: dict[str, str]) -> Reader:
    """A reader that notes the hash of all that it reads, and reads no more in all than a puppet may have."""
    total_bytes = 0

    def noting(name: str, most_bytes: int) -> bytes:
        nonlocal total_bytes
        content = read(name, min(most_bytes, LARGEST_PUPPET_BYTES - total_bytes))
        total_bytes += len(content)
        hashes[name] = sha256(content).hexdigest()
        return content

    return noting


def _table(path: Path, content: bytes) -> dict[str, Any]:
    """The manifest's table. PuppetError for another version, ConsentError where it has no consent."""
    try:
        table = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        _damaged(path, f"{MANIFEST} is not TOML ({error})")
    version = table.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise PuppetError(
            wanted=f"a puppet of format {FORMAT} in {path}",
            found=f"format {version}, made by a newer mimicam",
            advice="Update mimicam, or make the puppet again with this one.",
        )
    if "consent" not in table or "signature" not in table:
        raise ConsentError(
            wanted=f"a signed consent record in {path}",
            found="a record without a signature" if "consent" in table else "none",
            advice="mimicam only moves faces that somebody answered for: make it again with 'mimicam puppet new --consent ...'.",
        )
    return table


def _manifest(path: Path, table: dict[str, Any]) -> _Manifest:
    try:
        return _Manifest.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        _damaged(path, f"{MANIFEST}: {'.'.join(map(str, first['loc']))}: {first['msg']}")


def _reference(path: Path, read: Reader, entry: _ReferenceEntry) -> Reference:
    content = read(entry.picture, LARGEST_PICTURE_BYTES)
    _size_of(path, entry.picture, content)
    try:
        picture = decoded(content)
    except ValueError:
        _damaged(path, f"{entry.picture} is not a picture")
    try:
        points = np.load(io.BytesIO(read(entry.landmarks, LARGEST_LANDMARKS_BYTES)), allow_pickle=False)
    except (ValueError, EOFError, MemoryError, OSError, *DAMAGED_ARRAY) as error:
        _damaged(path, f"{entry.landmarks}: {error}")
    if not isinstance(points, np.ndarray) or points.shape != (COUNT, 3) or points.dtype.kind != "f":
        _damaged(path, f"{entry.landmarks} does not hold {COUNT} landmarks")
    if not (np.abs(points) < 2 * LARGEST_SIDE_PX).all():
        _damaged(path, f"{entry.landmarks} holds landmarks far outside of the picture")
    return Reference(picture, points.astype(np.float32))


def _size_of(path: Path, name: str, content: bytes) -> tuple[int, int]:
    """Width and height that a JPEG or PNG says, before anything is unpacked."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as picture:
            size = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        _damaged(path, f"{name} is not a picture")
    if max(size) > LARGEST_SIDE_PX:
        _damaged(path, f"{name} has {size[0]} x {size[1]} px, at most {LARGEST_SIDE_PX} are allowed to a side")
    return size


def _frame_name(index: int) -> str:
    return f"clip_{index:05d}.jpg"


def _clip(path: Path, read: Reader, entry: _ClipEntry) -> Clip:
    """A clip's frames as they are stored: the size of each is read, the first and the last are decoded."""
    jpegs = tuple(read(_frame_name(i), LARGEST_PICTURE_BYTES) for i in range(entry.frames))
    sizes = [_size_of(path, _frame_name(i), jpeg) for i, jpeg in enumerate(jpegs)]
    if len(set(sizes)) > 1:
        _damaged(path, "the frames of its clip are of different sizes")
    analysis = Analysis.from_bytes(read(ANALYSIS, LARGEST_ANALYSIS_BYTES), entry.frames)
    for i in (0, entry.frames - 1):
        try:
            decoded(jpegs[i])
        except ValueError:
            _damaged(path, f"{_frame_name(i)} is not a picture")
    return Clip(jpegs, entry.rate_hz, analysis)
