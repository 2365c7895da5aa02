"""Where sound comes from: a microphone, a file, a script. All deliver blocks of 16 kHz mono, each with its time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from engine.errors import SourceError
from engine.live.script import states_of
from engine.sound.mfcc import RATE_HZ, Samples

BLOCK: Final = 320  # samples
BLOCK_S: Final = BLOCK / RATE_HZ
OLDEST_S: Final = 1.0  # a driver's time stamp that is further off is another clock's
INPUTS: Final = {"linux": "alsa", "darwin": "avfoundation", "win32": "dshow"}  # FFmpeg's names, by sys.platform
DEFAULT_MICROPHONE: Final = {"alsa": "default", "avfoundation": ":default", "dshow": "audio=default"}
ALSA_PLUGINS: Final = ("/usr/lib/*-linux-gnu/alsa-lib", "/usr/lib64/alsa-lib", "/usr/lib/alsa-lib")


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of sound."""

    samples: Samples  # (n,) float32 at RATE_HZ, full scale is [-1, 1]
    began_s: float  # when the first sample was in the air: time.monotonic() of a live source, the file's time of a file


class SoundSource(Protocol):
    """What `Lips` listens to."""

    def read(self) -> Block | None:
        """The next block, when there is one; None at the end. SourceError when it breaks."""

    def close(self) -> None:
        """Free it."""


class Cutter:
    """Cuts what FFmpeg decodes into blocks at RATE_HZ."""

    def __init__(self) -> None:
        self._resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        self._kept = np.zeros(0, np.float32)

    def __call__(self, frame: av.AudioFrame | None, began_s: float) -> Iterator[Block]:
        """Whole blocks up to this frame, whose first sample is of `began_s`; after the last frame, None, the rest."""
        first_s = began_s - len(self._kept) / RATE_HZ
        pieces = [piece.to_ndarray()[0] for piece in self._resampler.resample(frame)]
        sound = np.concatenate((self._kept, *pieces))
        whole = len(sound) if frame is None else len(sound) // BLOCK * BLOCK
        self._kept = sound[whole:]
        for at in range(0, whole, BLOCK):
            yield Block(sound[at : min(at + BLOCK, whole)], first_s + at / RATE_HZ)


def _not_opened(path: Path, found: str) -> SourceError:
    return SourceError(
        wanted=f"a sound at {path}",
        found=found,
        advice="Check the path; the file must be one with sound that FFmpeg reads.",
    )


class SoundFile:
    """The sound of a file in order, as fast as it can be decoded; for rendering offline and underneath `PacedSound`."""

    def __init__(self, path: Path) -> None:
        """Open it. SourceError when it is missing, empty, not a recording, or has pictures alone."""
        if not path.is_file() or path.stat().st_size == 0:
            raise _not_opened(path, "an empty file" if path.is_file() else "no such file")
        self._path = path
        self.damaged = False  # decoding stopped before the end
        self._ended_s = 0.0  # what was decoded
        try:
            self._container: InputContainer = av.open(str(path), "r")
        except (OSError, av.FFmpegError, ValueError) as error:
            raise _not_opened(path, getattr(error, "strerror", None) or str(error)) from error
        if not self._container.streams.audio:
            self._container.close()
            raise _not_opened(path, "no sound in it")

    def __iter__(self) -> Iterator[Block]:
        """All blocks; `began_s` counts from where the file begins. What comes before damage is delivered."""
        cutter, delivered, self._ended_s = Cutter(), False, 0.0
        origin_s = (self._container.start_time or 0) / av.time_base
        try:
            for frame in self._container.decode(audio=0):
                at_s = self._ended_s if frame.time is None else frame.time - origin_s
                self._ended_s = at_s + frame.samples / frame.sample_rate
                for block in cutter(frame, at_s):
                    delivered = True
                    yield block
            yield from cutter(None, self._ended_s) if self._ended_s > 0 else ()
        except (av.FFmpegError, ValueError) as error:
            self.damaged = True
            if not delivered:
                raise _not_opened(self._path, str(error)) from error
        if self._ended_s == 0:
            raise _not_opened(self._path, "no samples in it")

    def require_whole(self) -> None:
        """SourceError where decoding stopped before the end."""
        if self.damaged:
            raise SourceError(
                wanted=f"all of the sound in {self._path}",
                found=f"it is damaged after {self._ended_s:.1f} s",
                advice="Cut it there, or use another copy of it.",
            )

    def close(self) -> None:
        """Free the file."""
        self._container.close()


class PacedSound:
    """A file as if it were a microphone: each block when its last sample is due. Once."""

    def __init__(self, path: Path) -> None:
        """Open it; SourceError as for `SoundFile`."""
        self._file = SoundFile(path)
        self._blocks = iter(self._file)
        self._began_s: float | None = None

    def read(self) -> Block | None:
        """The next block; None at the end. SourceError where the file is damaged."""
        block = next(self._blocks, None)
        if block is None:
            self._file.require_whole()
            return None
        self._began_s = time.monotonic() - block.began_s if self._began_s is None else self._began_s
        began_s = self._began_s + block.began_s
        time.sleep(max(0.0, began_s + len(block.samples) / RATE_HZ - time.monotonic()))
        return Block(block.samples, began_s)

    def close(self) -> None:
        """Free the file."""
        self._file.close()


def find_alsa() -> None:
    """Tell the ALSA library inside PyAV's wheel where the system keeps its settings and plugins: it looks where it was built."""
    os.environ.setdefault("ALSA_CONFIG_DIR", "/usr/share/alsa")
    os.environ.setdefault("ALSA_CONFIG_PATH", "/usr/share/alsa/alsa.conf")
    for pattern in ALSA_PLUGINS:  # without them 'default' doesn't reach PulseAudio or PipeWire
        for folder in Path("/").glob(pattern[1:]):
            os.environ.setdefault("ALSA_PLUGIN_DIR", str(folder))


def sound_cards() -> str:
    """What Linux lists, for messages."""
    try:
        listed = Path("/proc/asound/cards").read_text(encoding="utf-8", errors="replace")
    except OSError:
        listed = ""
    names = [line.partition("]:")[2].strip() for line in listed.splitlines() if "]:" in line]
    return ", ".join(names) or "no sound card"


class Microphone:
    """A microphone through FFmpeg. ALSA stamps its blocks, delay of the driver subtracted; others are taken as undelayed."""

    def __init__(self, name: str | None = None, input_format: str | None = None) -> None:
        """Open it, the system's own unless a device is named. SourceError when there is none or PyAV can't reach it."""
        self._format = input_format or INPUTS.get(sys.platform, "alsa")
        self._name = name or DEFAULT_MICROPHONE.get(self._format, "default")
        if self._format not in av.formats_available:
            raise SourceError(
                wanted=f"the microphone {self._name}",
                found=f"PyAV was built without '{self._format}'",
                advice="Give a file with sound instead.",
            )
        if self._format == "alsa":
            find_alsa()
        try:
            self._container: InputContainer = av.open(self._name, "r", format=self._format)
        except (OSError, av.FFmpegError, ValueError) as error:
            raise self._failed(getattr(error, "strerror", None) or str(error)) from error
        self._frames = self._container.decode(audio=0)
        self._cutter = Cutter()
        self._ready: list[Block] = []

    def read(self) -> Block | None:
        """The next block, when it was heard. SourceError when the microphone goes away."""
        while not self._ready:
            try:
                frame = next(self._frames, None)
            except (av.FFmpegError, OSError) as error:
                raise self._failed(str(error)) from error
            if frame is None:
                return None
            self._ready = list(self._cutter(frame, time.monotonic() - age_s(frame)))
        return self._ready.pop(0)

    def close(self) -> None:
        """Free the device."""
        self._container.close()

    def _failed(self, found: str) -> SourceError:
        alsa = self._format == "alsa"
        return SourceError(
            wanted=f"the microphone {self._name}",
            found=f"{found} ({sound_cards()})" if alsa else found,
            advice="Plug one in, or name another one" + (" of those that 'arecord -L' lists." if alsa else "."),
        )


def age_s(frame: av.AudioFrame) -> float:
    """How long ago the frame's first sample was heard: by the driver's wall clock where it gives one, else the frame's length."""
    length_s = frame.samples / frame.sample_rate
    stamped_s = time.time() - frame.time if frame.time is not None else -1.0
    return stamped_s if length_s <= stamped_s <= OLDEST_S else length_s


VOWELS_HZ: Final = {  # three formants (Peterson & Barney 1952, men)
    "a": (730.0, 1090.0, 2440.0),
    "i": (270.0, 2290.0, 3010.0),
    "u": (300.0, 870.0, 2240.0),
}
STATES: Final = (*VOWELS_HZ, "hush", "noise", "stall", "fail")


def vowel(name: str, times_s: NDArray[np.float64]) -> Samples:
    """A sung vowel of 120 Hz, RMS about 0.1: harmonics of a glottal source, each as loud as three resonances make it."""
    harmonics_hz = 120.0 * np.arange(1, 34)[:, None]
    loudness = harmonics_hz / (
        1 + (harmonics_hz / 200) ** 2
    )  # the glottis falls by 12 dB an octave, the lips give back 6
    for formant_hz in VOWELS_HZ[name]:
        width_hz = 60 + 0.04 * formant_hz
        passed = (formant_hz**2 - harmonics_hz**2) + 1j * width_hz * harmonics_hz
        loudness = loudness * formant_hz**2 / np.abs(passed)
    loudness *= 0.1 * np.sqrt(2 / (loudness**2).sum())
    return (loudness * np.sin(2 * np.pi * harmonics_hz * times_s)).sum(axis=0).astype(np.float32)


class SyntheticSound:
    """Does what is written, `STATE*BLOCKS`: vowels, silence, faint noise, nothing at all, a failure; then it ends."""

    def __init__(self, script: str, *, began_s: float | None = None) -> None:
        """As fast as it is read with `began_s` given, else paced by the clock."""
        self._steps = iter(states_of(script, STATES))
        self._paced = began_s is None
        self._began_s = time.monotonic() if began_s is None else began_s
        self._random = np.random.default_rng(0)
        self._count = 0

    def read(self) -> Block | None:
        """What the script says next; None at its end."""
        for state in self._steps:
            at_s = self._count * BLOCK_S
            self._count += 1
            if self._paced:
                time.sleep(max(0.0, self._began_s + at_s + BLOCK_S - time.monotonic()))
            if state == "stall":
                continue
            if state == "fail":
                raise SourceError(wanted="the next sound", found="the script's 'fail'", advice="Change the script.")
            return Block(self._sound(state, at_s), self._began_s + at_s)
        return None

    def _sound(self, state: str, at_s: float) -> Samples:
        if state == "hush":
            return np.zeros(BLOCK, np.float32)
        if state == "noise":
            return (0.003 * self._random.standard_normal(BLOCK)).astype(np.float32)
        return vowel(state, at_s + np.arange(BLOCK) / RATE_HZ)

    def close(self) -> None:
        """End it."""
        self._steps = iter(())
