"""Performances from other kinds of files: recordings of phones, and speech."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.drive.samples import performance_of, sample_of
from engine.errors import ConfigError, SourceError
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.perform.recording import MOST_FRAMES, SUFFIX, Moment, load_performance, save_performance
from engine.protocols.csv_file import load_csv, save_csv
from engine.sound.lips import mouth_of_file

RATE_HZ: Final = 30.0  # of a performance made from sound
CSV_SUFFIX: Final = ".csv"
SOUND_SUFFIXES: Final = (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac")
SUFFIXES: Final = (SUFFIX, CSV_SUFFIX, *SOUND_SUFFIXES)  # of what has a performance in it


def load_moments(path: Path) -> list[Moment]:
    """A performance file, a CSV of Live Link Face, or speech that moves the mouth. SourceError for what can't be read,
    ConfigError for another kind of file."""
    suffix = path.suffix.lower()
    if suffix == SUFFIX:
        return load_performance(path)
    if suffix == CSV_SUFFIX:
        return _of_samples(path)
    if suffix in SOUND_SUFFIXES:
        return _of_speech(path)
    raise ConfigError(
        wanted="a performance",
        found=f"{path.name}",
        advice=f"Give a {SUFFIX} or .csv file, or sound ({', '.join(SOUND_SUFFIXES)}).",
    )


def save_moments(moments: list[Moment], path: Path) -> None:
    """As a performance file or a CSV of Live Link Face, by the name's ending. ConfigError for another one."""
    suffix = path.suffix.lower()
    if suffix == SUFFIX:
        return save_performance(moments, path)
    if suffix == CSV_SUFFIX:
        return save_csv([(moment.time_s, sample_of(moment.performance)) for moment in moments], path)
    raise ConfigError(wanted="a kind of file to write", found=f"{path.name}", advice=f"Name it .csv or {SUFFIX}.")


def _of_samples(path: Path) -> list[Moment]:
    """Each row; the head's rest is where it is in the first one with a face."""
    rows = load_csv(path)
    _refuse_longer(path, len(rows))
    rest = next((sample for _, sample in rows if sample.seen), None)
    return [Moment(time_s, None if rest is None else performance_of(sample, rest)) for time_s, sample in rows]


def _of_speech(path: Path) -> list[Moment]:
    """The mouth at a steady rate; a silent face is at rest, not lost."""
    speech = mouth_of_file(path)
    count = max(1, round(float(speech.mouths.times_s[-1]) * RATE_HZ))
    _refuse_longer(path, count)
    moments = []
    for index in range(count):
        heard = speech.at(index / RATE_HZ)
        shown = Performance.neutral() if heard is None else Performance(HeadMotion.still(), face_model().offsets(heard))
        moments.append(Moment(index / RATE_HZ, shown))
    return moments


def _refuse_longer(path: Path, frames: int) -> None:
    if frames > MOST_FRAMES:
        raise SourceError(
            wanted=f"at most {MOST_FRAMES} frames in {path}, the longest that a performance may be",
            found=f"{frames}",
            advice="Cut it into pieces.",
        )
