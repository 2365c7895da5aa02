"""Read what a recording, a stream or a picture says of itself: its mark, piece by piece, and its credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import erfc, sqrt
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from engine.capture.video_file import open_container
from engine.errors import SourceError
from engine.trust.chips import Key
from engine.trust.credentials import Statement, credentials_in
from engine.trust.detector import Finding, Listener
from engine.trust.payload import Heard, payload_in

PIECE_S: Final = 10.0  # over which a mark adds up before it is looked for
PERIOD_S: Final = 0.1  # between pictures that are looked at: more tell little, since the mark stands still
TRIALS: Final = 2e6  # sizes and offsets that are tried in a piece
LARGEST_SIDE_PX: Final = 8192


@dataclass(frozen=True, slots=True)
class Piece:
    """Some seconds of it."""

    begin_s: float
    end_s: float
    finding: Finding


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found."""

    pieces: tuple[Piece, ...]
    whole: Finding  # over all of it
    heard: Heard | None  # the payload, where the key is the one it was hidden with
    credentials: Statement | None

    @property
    def marked(self) -> bool:
        """It bears mimicam's mark."""
        return self.whole.found or any(piece.finding.found for piece in self.pieces)

    @property
    def score(self) -> float:
        """The clearest mark, in standard deviations above chance."""
        return max(self.whole.score, *(piece.finding.score for piece in self.pieces))

    @property
    def chance(self) -> float:
        """How likely something without a mark would look like one so clear, if its noise were Gaussian."""
        return min(1.0, TRIALS * erfc(self.score / sqrt(2)) / 2)


def read_mark(
    address: str,
    key: Key | None,
    most_s: float | None = None,
    progress: Callable[[float, float | None], None] = lambda done_s, all_s: None,
) -> Verdict:
    """Look through a file, or a URL for `most_s`; without a key the payload stays unread. SourceError where nothing is shown."""
    pieces: list[Piece] = []
    whole: dict[tuple[int, int], Listener] = {}  # by size
    for begin_s, end_s, listener in _pieces(address, most_s, progress):
        pieces.append(Piece(begin_s, end_s, listener.finding()))
        if listener.size in whole:
            whole[listener.size].merge(listener)
        else:
            whole[listener.size] = listener
    if not pieces:
        raise SourceError(wanted=f"pictures from {address}", found="none", advice="Give a video or a picture.")
    total = pieces[0].finding if len(pieces) == 1 else max((w.finding() for w in whole.values()), key=lambda f: f.score)
    tiles = [piece.finding.tile for piece in pieces if piece.finding.found] or [total.tile]
    heard = None if key is None else _heard([*tiles, np.sum(tiles, 0)], key)
    path = Path(address)
    return Verdict(tuple(pieces), total, heard, credentials_in(path) if path.is_file() else None)


def _heard(tiles: list[NDArray[np.float32]], key: Key) -> Heard | None:
    """The payload with the fewest errors."""
    heard = [payload_in(key.soft_chips(tile)) for tile in tiles]
    return min((h for h in heard if h is not None), key=lambda h: h.corrected, default=None)


def _pieces(
    address: str, most_s: float | None, progress: Callable[[float, float | None], None]
) -> Iterator[tuple[float, float, Listener]]:
    listener: Listener | None = None
    begin_s = last_s = 0.0
    for at_s, luma, all_s in _pictures(address):
        size = luma.shape[1], luma.shape[0]
        if listener is not None and (at_s - begin_s >= PIECE_S or listener.size != size):
            yield begin_s, at_s, listener
            listener = None
        if most_s is not None and at_s >= most_s:
            break
        if listener is None:
            listener, begin_s = Listener(*size), at_s
        elif at_s - last_s < PERIOD_S:
            continue
        listener.add(luma)
        last_s = at_s
        progress(at_s, all_s)
    if listener is not None:
        yield begin_s, last_s, listener


def _pictures(address: str) -> Iterator[tuple[float, NDArray[np.uint8], float | None]]:
    """Time since the first picture, its luma (height, width), how long it is in all. What comes before damage is delivered."""
    container = open_container(address)
    try:
        all_s = None if container.duration is None else container.duration / av.time_base
        rate_hz = float(container.streams.video[0].average_rate or 30)
        for at_s, picture in _timed(container.decode(video=0), 1 / rate_hz):
            if max(picture.width, picture.height) > LARGEST_SIDE_PX:
                raise SourceError(
                    wanted=f"pictures of at most {LARGEST_SIDE_PX} px from {address}",
                    found=f"{picture.width} x {picture.height}",
                    advice="Scale it down: a mark survives that.",
                )
            yield at_s, np.ascontiguousarray(picture.to_ndarray(format="gray")), all_s
    except av.FFmpegError:
        return
    finally:
        container.close()


def _timed(pictures: Iterator[av.VideoFrame], period_s: float) -> Iterator[tuple[float, av.VideoFrame]]:
    """Times that begin at 0 and never go back: a picture whose stamp is missing or lies behind is next at the file's rate."""
    shift_s, last_s = 0.0, -period_s
    for index, picture in enumerate(pictures):
        stamp_s = None if picture.time is None else float(picture.time)
        if index == 0 and stamp_s is not None:
            shift_s = -stamp_s
        at_s = last_s + period_s if stamp_s is None else stamp_s + shift_s
        if at_s <= last_s:
            at_s = last_s + period_s
            shift_s = at_s - (stamp_s or 0.0)
        yield at_s, picture
        last_s = at_s
