"""The mouth that sound drives, by time: live, in a thread of its own, or of a whole file."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from engine.face.arkit import Coefficients
from engine.sound.mfcc import RATE_HZ
from engine.sound.mouth import LOOK_AHEAD_S, MouthModel, Mouths
from engine.sound.source import BLOCK_S, SoundFile, SoundSource

KEPT_S: Final = 2.0  # how long a mouth can be asked for
STALE_S: Final = 0.25  # after the newest mouth nothing is known; until then it is held
FAINTEST: Final = 0.02  # voice below which there is none to follow
JOIN_S: Final = 2.0  # a driver that blocks for longer is left to the daemon thread


@dataclass(frozen=True, slots=True)
class MouthTrack:
    """Mouths by time."""

    mouths: Mouths

    def at(self, time_s: float) -> Coefficients | None:
        """(52,) at this time, interpolated; None in silence, before the first and STALE_S after the last."""
        times_s, voice = self.mouths.times_s, self.mouths.voice
        if len(times_s) == 0 or not times_s[0] <= time_s <= times_s[-1] + STALE_S:
            return None
        after = min(int(np.searchsorted(times_s, time_s)), len(times_s) - 1)
        before = max(after - 1, 0)
        if max(voice[before], voice[after]) < FAINTEST:
            return None
        length_s = max(times_s[after] - times_s[before], 1e-9)
        part = np.float32(min((time_s - times_s[before]) / length_s, 1.0))
        return (1 - part) * self.mouths.coefficients[before] + part * self.mouths.coefficients[after]

    def followed_by(self, newer: Mouths) -> MouthTrack:
        """The last KEPT_S of both."""
        both = joined([self.mouths, newer])
        kept = both.times_s > both.times_s[-1] - KEPT_S if len(both.times_s) else slice(None)
        return MouthTrack(Mouths(both.times_s[kept], both.coefficients[kept], both.voice[kept]))


def joined(parts: list[Mouths]) -> Mouths:
    """One after the other; where a source's clock stepped back, time stands."""
    return Mouths(
        np.maximum.accumulate(np.concatenate([part.times_s for part in parts])),
        np.concatenate([part.coefficients for part in parts]),
        np.concatenate([part.voice for part in parts]),
    )


class Lips:
    """Listens to a source and knows the mouth of the last KEPT_S."""

    def __init__(self, source: SoundSource, model: MouthModel | None = None) -> None:
        """Begin to listen; the source belongs to the lips from now on."""
        self._source, self._model = source, model or MouthModel()
        self._track = MouthTrack(self._model(np.zeros(0, np.float32), 0.0))  # replaced whole: readers need no lock
        self._delay_s = BLOCK_S + LOOK_AHEAD_S
        self._closed = threading.Event()
        self.failure: Exception | None = None  # why the sound broke off; at its end None
        self._thread = threading.Thread(target=self._listen, name="sound", daemon=True)
        self._thread.start()

    @property
    def delay_s(self) -> float:
        """How long after an instant its mouth is known: look-ahead, block, capture, processing; a slow mean of what was."""
        return self._delay_s

    @property
    def ended(self) -> bool:
        """No more sound will come."""
        return not self._thread.is_alive()

    def at(self, time_s: float) -> Coefficients | None:
        """(52,) for a frame captured at this time.monotonic(); up to STALE_S after the newest that one; None without speech."""
        return self._track.at(time_s)

    def close(self) -> None:
        """Stop listening and free the source."""
        self._closed.set()
        self._thread.join(JOIN_S)

    def _listen(self) -> None:
        try:
            while not self._closed.is_set() and (block := self._source.read()) is not None:
                mouths = self._model(block.samples, block.began_s)
                if len(mouths.times_s):
                    self._track = self._track.followed_by(mouths)
                    self._delay_s += 0.02 * (time.monotonic() - mouths.times_s[0] - self._delay_s)
        except Exception as error:  # handed on: the caller says it, the show goes on without sound
            self.failure = error
        finally:
            self._source.close()


def mouth_of_file(path: Path) -> MouthTrack:
    """The mouth by the file's time in seconds. SourceError as for `SoundFile`, and where the sound is damaged."""
    file, model, ended_s = SoundFile(path), MouthModel(), 0.0
    parts = []
    for block in file:
        parts.append(model(block.samples, block.began_s))
        ended_s = block.began_s + len(block.samples) / RATE_HZ
    parts.append(model(np.zeros(round(2 * LOOK_AHEAD_S * RATE_HZ), np.float32), ended_s))  # its look-ahead
    file.close()
    file.require_whole()
    return MouthTrack(joined(parts))
