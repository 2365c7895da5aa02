"""Match one face's colours to another's: mean and covariance in Lab, damped over time, as a table that a kernel applies.

Reinhard et al., "Color Transfer between Images", 2001, with the whole covariance instead of its diagonal: the linear map of least
displacement between two normal distributions (Pitie & Kokaram, "The Linear Monge-Kantorovitch Linear Colour Mapping", 2007,
equation 6). What remains of light and shade is evened out by place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.render.blends import Picture

TABLE: Final = 17  # entries a side
SETTLING_S: Final = 0.6  # over which statistics follow a change
SPREAD_FLOOR: Final = 4.0  # squared Lab units added to both covariances: a flat face tells nothing of spread
MEANS: Final = (0.02, 0.98)  # of a channel: nearer to black or white its odds say nothing
ODDS: Final = (0.2, 5.0)  # factor of a channel's odds
STRETCH: Final = (0.75, 1.2)  # of the spread along any direction
FEWEST: Final = 40  # pixels that statistics are taken from
SHADE_PX: Final = 48  # longer side of the pictures that light and shade are compared on
SHADE_REACH: Final = 0.17  # over which they are smooth, inter-ocular distances
SHADE_SIGMA: Final = (0.5, 12.0)  # the least and the most of that, in pixels of those pictures
SHADE_SHARE: Final = 0.85  # of their difference that is taken away
MOST_SHADE: Final = 40.0  # grey levels, never quite reached: a beard is no shadow
LEAST_SKIN: Final = 0.15  # share of skin around a place under which nothing is known of it


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Colours of a face, in CIE Lab (L 0 to 100)."""

    mean: NDArray[np.float64]  # (3,)
    covariance: NDArray[np.float64]  # (3, 3)

    @staticmethod
    def of(bgr: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Statistics | None:
        """Of the pixels (height, width, 3) where the mask isn't 0; None where those are too few."""
        chosen = bgr[mask != 0]
        if len(chosen) < FEWEST:
            return None
        lab = cv2.cvtColor(chosen[None].astype(np.float32) / 255, cv2.COLOR_BGR2Lab)[0].astype(np.float64)
        return Statistics(lab.mean(0), np.cov(lab.T))

    def towards(self, other: Statistics, share: float) -> Statistics:
        """A mixture, `share` of which is the other's."""
        mean = self.mean + share * (other.mean - self.mean)
        return Statistics(mean, self.covariance + share * (other.covariance - self.covariance))


class ColourMatch:
    """Follows the colours of two faces and gives the table that carries one's to the other's."""

    def __init__(self) -> None:
        self._of: Statistics | None = None
        self._to: Statistics | None = None
        self._at_s = 0.0

    def __call__(self, of: Statistics | None, to: Statistics | None, now_s: float) -> NDArray[np.float32]:
        """(17, 17, 17, 3): what was known stays where a face shows too little of itself now."""
        share = 1 - float(np.exp(-max(0.0, now_s - self._at_s) / SETTLING_S))
        self._of, self._to = _followed(self._of, of, share), _followed(self._to, to, share)
        self._at_s = now_s
        if self._of is None or self._to is None:
            return plain_table()
        return table_between(self._of, self._to)


def _followed(known: Statistics | None, seen: Statistics | None, share: float) -> Statistics | None:
    if known is None or seen is None:
        return known if seen is None else seen
    return known.towards(seen, share)


@cache
def plain_table() -> NDArray[np.float32]:
    """The table that changes nothing."""
    steps = np.linspace(0, 255, TABLE, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)


def table_between(of: Statistics, to: Statistics) -> NDArray[np.float32]:
    """(17, 17, 17, 3) BGR: the colours of `of` as those of `to`.

    The mean goes over by a factor of each channel's odds, v / (1 - v): in the dark that is a gain, as a change of light is (von
    Kries), since a shift in Lab that suits skin turns lips purple; bright skin comes near to white and never past it, as in a
    camera. Then the spread around the mean, in Lab.
    """
    means = cv2.cvtColor(np.array([[of.mean, to.mean]], np.float32), cv2.COLOR_Lab2BGR)[0]
    odds = np.clip(means, *MEANS) / (1 - np.clip(means, *MEANS))
    factor = np.clip(odds[1] / odds[0], *ODDS)
    plain = plain_table().reshape(1, -1, 3) / np.float32(255)
    lit = factor * plain / (1 + (factor - 1) * plain)
    lab = cv2.cvtColor(lit.astype(np.float32), cv2.COLOR_BGR2Lab)[0].astype(np.float64)
    lab = to.mean + (lab - to.mean) @ _stretch(of.covariance, to.covariance).T
    bgr = cv2.cvtColor(lab[None].astype(np.float32), cv2.COLOR_Lab2BGR)[0]
    return np.ascontiguousarray((255 * bgr).reshape(TABLE, TABLE, TABLE, 3), np.float32)


def evenly_lit(layer: Picture, picture: Picture, skin: Picture, unit_px: float) -> Picture:
    """`layer` (height, width, 3) with the large shapes of light and shade that `picture` has in the same place.

    `skin` (height, width) is 255 where bare skin is compared, else 0; there what is next to it counts. `unit_px`: the face's
    inter-ocular distance. For what no smooth light explains, as a shadow of hair in the layer's photograph.
    """
    height, width = skin.shape
    factor = min(1.0, SHADE_PX / max(height, width))
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    small = [_shrunk(p, size) for p in (picture, layer, skin)]
    weight = small[2][..., None] / 255
    sigma = float(np.clip(SHADE_REACH * unit_px * factor, *SHADE_SIGMA))
    total, known = (cv2.GaussianBlur(v, (0, 0), sigma) for v in (weight * (small[0] - small[1]), weight))
    shade = SHADE_SHARE * total / np.maximum(known, LEAST_SKIN)[..., None]
    limited = (MOST_SHADE * np.tanh(shade / MOST_SHADE)).astype(np.float32)
    spread = cv2.resize(limited, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(layer, spread, dtype=cv2.CV_8U), np.uint8)


def _shrunk(picture: Picture, size: tuple[int, int]) -> NDArray[np.float32]:
    """A picture at (width, height) `size`, of every so many of its pixels: reading them all takes several times as long."""
    step = max(1, min(picture.shape[0] // (2 * size[1]), picture.shape[1] // (2 * size[0])))
    some = np.ascontiguousarray(picture[::step, ::step])
    return np.asarray(cv2.resize(some, size, interpolation=cv2.INTER_AREA), np.float32)


def _stretch(of: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:
    floor = SPREAD_FLOOR * np.eye(3)
    root = _power(of + floor, 0.5)
    back = _power(of + floor, -0.5)
    linear = back @ _power(root @ (to + floor) @ root, 0.5) @ back
    values, vectors = np.linalg.eigh((linear + linear.T) / 2)
    return np.asarray((vectors * np.clip(values, *STRETCH)) @ vectors.T)


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T)
