"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import tokenize
from pathlib import Path
from typing import Final

from engine.errors import MimicamError, OutputError

DAMAGED_ARRAY: Final = (
    tokenize.TokenError,
    SyntaxError,
)  # what NumPy raises besides ValueError where the header of an array is damaged


def hash_of_file(path: Path) -> str:
    """SHA-256, in hexadecimal. OSError where it can't be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, content: bytes, what: str, error_kind: type[MimicamError] = OutputError) -> None:
    """Write `content`; a file that was there stays as it was until then. `error_kind` when the place can't be written."""
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise error_kind(
            wanted=f"to write {what} {path}",
            found=str(error),
            advice="Choose a folder that exists and can be written.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def require_place(path: Path, what: str) -> None:
    """OutputError now, rather than after a recording, where `path` can't be written. A file that is there stays."""
    trial = path.with_name(path.name + ".trial")
    write_whole(trial, b"", what)
    trial.unlink()
