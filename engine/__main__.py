"""What `mimicam` and `python -m engine` begin with: one line for what goes wrong, also where a system library is missing."""

from __future__ import annotations

import os
import sys
import traceback

from rich.console import Console

from engine.errors import MimicamError, StageError
from engine.live.signals import ignore_early_recapture

complaints = Console(stderr=True)  # looks up sys.stderr when it prints
SYSTEM_LIBRARIES = {
    "libGL.so": "libgl1",
    "libgthread": "libglib2.0-0",
    "libglib": "libglib2.0-0",
    "libEGL": "libegl1",
    "libGLES": "libgles2",
    "libgomp": "libgomp1",
}


def missing_library(error: ImportError) -> str | None:
    """What to install when a shared library is absent; None when it is another failure."""
    text = str(error)
    package = next((package for library, package in SYSTEM_LIBRARIES.items() if library in text), None)
    if package is None:
        return None
    return (
        f"the system library {text.partition(':')[0]}: not installed. On Debian and Ubuntu: sudo apt install {package}"
    )


def hush_libraries() -> None:
    """Keep what native libraries write to the error stream (MediaPipe, FFmpeg, V4L2) away from the user's terminal.

    Python's own error stream, with tracebacks and complaints, goes on. MIMICAM_NATIVE_LOG=1 shows everything.
    """
    if os.environ.get("MIMICAM_NATIVE_LOG"):
        return
    if sys.stderr is None:
        return
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def main() -> None:
    """Entry point: a MimicamError becomes one line and an exit code."""
    ignore_early_recapture()
    hush_libraries()
    try:
        from engine.cli import app  # with OpenCV, which is the first to miss a library

        app()
    except ImportError as error:
        message = missing_library(error)
        if message is None:
            raise
        complaints.print(f"mimicam: {message}", style="red", soft_wrap=True, markup=False)
        sys.exit(1)
    except MimicamError as error:
        complaints.print(f"mimicam: {error}", style="red", soft_wrap=True, markup=False)
        if isinstance(error, StageError) and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
