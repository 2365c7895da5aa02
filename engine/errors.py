"""What can go wrong, said in one line: what was wanted, what was found, what to do.

Each kind has its own exit code, so that scripts can tell them apart.
"""

from __future__ import annotations

from typing import ClassVar


class MimicamError(Exception):
    """A failure that the user can act on."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *, wanted: str, found: str, advice: str) -> None:
        super().__init__(f"{wanted}: {found}. {advice}")
        self.wanted, self.found, self.advice = wanted, found, advice


class ConfigError(MimicamError):
    """An option or a configuration file can't be used."""

    exit_code = 2


class SourceError(MimicamError):
    """A camera, file or stream can't be opened or read."""

    exit_code = 3


class PuppetError(MimicamError):
    """A puppet or a photograph for one can't be used."""

    exit_code = 4


class OutputError(MimicamError):
    """An output can't be opened or written."""

    exit_code = 5


class StageError(MimicamError):
    """A stage of the live loop failed; the cause is chained."""

    exit_code = 6


class ConsentError(MimicamError):
    """A face may not be used so: nobody agreed, not to this, not any more, or what was agreed was altered."""

    exit_code = 7
