"""A puppet's clip: the pictures of somebody who is filmed, and what was found in them once, before anybody performs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from engine.errors import PuppetError
from engine.face import arkit
from engine.face import landmarks as lm
from engine.names import Play

LARGEST: Final = 1e5  # of any number in an analysis
MOST_FRAMES: Final = 3600  # two minutes at 30 a second
MOST_BYTES: Final = 900 * 1024 * 1024  # of all pictures: with what was found in them a puppet is still read
JPEG: Final = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What was found in a clip of n frames."""

    landmarks_px: NDArray[np.float32]  # (n, 478, 3)
    offsets: NDArray[np.float32]  # (n, 478, 3), the actor's own performance, in the reference face's proportions
    coefficients: NDArray[np.float32]  # (n, 52), the same in ARKit's terms
    lights: NDArray[np.float32]  # (n, 9), `engine.face.light`
    neutral: NDArray[np.float32]  # (478, 3), the actor's neutral face, canonical
    mouths: NDArray[np.int32]  # (k,), frames whose mouths are as different as can be
    eyes: NDArray[np.int32]  # (j,), frames with open eyes, in different poses

    def to_bytes(self) -> bytes:
        """As safetensors."""
        return save({field.name: np.ascontiguousarray(getattr(self, field.name)) for field in fields(self)})

    @staticmethod
    def from_bytes(content: bytes, frames: int) -> Analysis:
        """ValueError says what doesn't fit together."""
        try:
            table = load(content)
        except Exception as error:  # safetensors' own kinds are not exported
            raise ValueError(f"the clip's analysis can't be read: {error}") from error
        names = [field.name for field in fields(Analysis)]
        missing = [name for name in names if name not in table]
        if missing:
            raise ValueError(f"the clip's analysis lacks {', '.join(missing)}")
        found = Analysis(**{name: table[name] for name in names})
        found._check(frames)
        return found

    def _check(self, frames: int) -> None:
        wanted: dict[str, tuple[int, ...]] = {
            "landmarks_px": (frames, lm.COUNT, 3), "offsets": (frames, lm.COUNT, 3), "lights": (frames, 9),
            "coefficients": (frames, arkit.COUNT), "neutral": (lm.COUNT, 3),
        }  # fmt: skip
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value.shape != shape or value.dtype != np.float32 or not (np.abs(value) < LARGEST).all():
                raise ValueError(f"'{name}' of the clip's analysis is not {shape} numbers below {LARGEST:g}")
        for name in ("mouths", "eyes"):
            value = getattr(self, name)
            if value.ndim != 1 or value.dtype != np.int32 or not len(value) or value.min() < 0 or value.max() >= frames:
                raise ValueError(f"'{name}' of the clip's analysis doesn't name frames of it")


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Pictures, kept as they are stored, and what was found in them."""

    jpegs: tuple[bytes, ...]
    rate_hz: float
    analysis: Analysis

    def __len__(self) -> int:
        """Frames."""
        return len(self.jpegs)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """(height, width, 3) BGR. PuppetError where it can't be decoded."""
        try:
            return decoded(self.jpegs[index])
        except ValueError as error:
            raise PuppetError(
                wanted=f"frame {index} of the puppet's clip", found=str(error), advice="Make the puppet anew."
            ) from error


def decoded(jpeg: bytes) -> NDArray[np.uint8]:
    """(height, width, 3) BGR. ValueError where it is no picture."""
    content = np.frombuffer(jpeg, np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if picture is None:
        raise ValueError("not a picture")
    return np.asarray(picture, np.uint8)


def encoded(picture: NDArray[np.uint8]) -> bytes:
    """A JPEG that keeps colours at full resolution."""
    return bytes(cv2.imencode(".jpg", picture, JPEG)[1].tobytes())


def frame_at(seconds: float, rate_hz: float, frames: int, play: Play) -> int:
    """Which of `frames` shows after so many seconds."""
    step = max(0, int(seconds * rate_hz + 1e-6))
    if play == "hold":
        return min(step, frames - 1)
    if play == "loop" or frames < 2:
        return step % frames
    there = step % (2 * frames - 2)
    return there if there < frames else 2 * frames - 2 - there
