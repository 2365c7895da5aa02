"""The generator in the loop: networks redraw mouth and eyes of a warped picture, where the warp shows what it cannot know.

Crops are cut from the warped picture, upright on the face, redrawn, and laid back through the network's matte
(docs/decisions/008-networks-for-parts.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.face.retarget import Target
from engine.render.crops import PLACES, Part, Place, crop, crop_matrix, draw_geometry, stretch
from engine.render.patch import Region
from kernels.composite.cpu import composite
from models.config import CONFIGS
from models.runtimes import Network, RuntimeName, UnavailableError, load_network
from models.weights import DamagedWeightsError

KEPT_DETAIL = 0.5  # of a picture twice as fine as the crop, less of one less fine; all of it leaves the outlines of
# teeth that the network has redrawn elsewhere
LEAST_MATTE = 4  # of 255: what is under this everywhere beyond a rectangle is left out there, less than a grey level
EDGE_SHARE = 0.08  # of a crop's side over which the matte falls to nothing
Loaded = TypeVar("Loaded")
Runtime = RuntimeName | Literal["auto", "none"]
PARTS: tuple[Part, ...] = ("mouth", "eye")  # those with shipped weights


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks of one run: expensive to load, usable for any portrait. Use them from one thread."""

    by_part: dict[Part, Network]
    runtime: RuntimeName

    def __str__(self) -> str:
        """Runtime and precision, for reports."""
        return f"{self.runtime} {next(iter(self.by_part.values())).precision}"


def places_of(part: Part) -> list[Place]:
    """The places of the face that a part's network redraws, in the order of its crops."""
    return [place for place in PLACES if place.part == part]


def load_networks(runtime: Runtime, tell: Callable[[str], object] = lambda reason: None) -> Networks | None:
    """The generator's shipped networks. None for `none`, and for `auto` where nothing can execute them, which `tell` is told.

    ConfigError when a runtime that was asked for by name can't be used, or when weights are damaged.
    """
    return loaded(runtime, _load_parts, tell)


def _load_parts(runtime: RuntimeName | Literal["auto"]) -> Networks:
    by_part: dict[Part, Network] = {}
    for part in PARTS:
        by_part[part], runtime = load_network(part, len(places_of(part)), runtime)
    assert runtime != "auto"
    return Networks(by_part, runtime)


def loaded(
    runtime: Runtime, load: Callable[[RuntimeName | Literal["auto"]], Loaded], tell: Callable[[str], object]
) -> Loaded | None:
    """What `load` gives for a runtime; None and ConfigError as for `load_networks`."""
    if runtime == "none":
        return None
    try:
        return load(runtime)
    except UnavailableError as error:
        if runtime == "auto":
            tell(f"without networks: {error}")
            return None
        raise ConfigError(
            wanted=f"the networks in {runtime}",
            found=str(error),
            advice="Use --runtime auto, or install what is missing.",
        ) from error
    except DamagedWeightsError as error:
        raise ConfigError(
            wanted="the networks' weights as shipped",
            found=str(error),
            advice="Reinstall mimicam, or use --runtime none.",
        ) from error


class Generator:
    """Networks at one size of one photograph."""

    def __init__(self, networks: Networks, photograph: NDArray[np.uint8], at_rest: Target, share: float = 1.0) -> None:
        """`photograph` (height, width, 3) BGR with its face `at_rest`; pictures are drawn at `share` of its size."""
        self._networks = networks
        self._references = {
            place: crop(photograph, crop_matrix(place, at_rest, CONFIGS[part].size_px), CONFIGS[part].size_px)
            for part in networks.by_part
            for place in places_of(part)
        }
        self._unit = at_rest.pose.scale * share

    def draw(
        self,
        picture: NDArray[np.uint8],
        target: Target,
        backward: NDArray[np.float32],
        strength: Mapping[Part, float] = MappingProxyType({}),
    ) -> None:
        """Redraw `picture` (height, width, 3), in place. Its face lies at `target`; `backward` (height, width, 2) px is
        the warp that it was made by. `strength`, 1 if not named, is how much of a part is redrawn."""
        for part, network in self._networks.by_part.items():
            share = np.float32(strength.get(part, 1.0))
            if share == 0:
                continue
            size, places = CONFIGS[part].size_px, places_of(part)
            matrices = [crop_matrix(place, target, size) for place in places]
            seen = [
                network_input(picture, target, backward, self._references[place], place, matrix, self._unit)
                for place, matrix in zip(places, matrices, strict=True)
            ]
            for crops, answer, matrix in zip(seen, network(np.stack(seen)), matrices, strict=True):
                drawn = answer if share == 1 else answer * np.array([1, 1, 1, share], np.float32)
                lay_back(picture, drawn, crops[..., :3], matrix)


def network_input(
    picture: NDArray[np.uint8],
    target: Target,
    backward: NDArray[np.float32],
    reference: NDArray[np.uint8],
    place: Place,
    matrix: NDArray[np.float32],
    unit_px: float,
) -> NDArray[np.uint8]:
    """(size, size, 10): what a network sees of a warped picture. `reference` (size, size, 3) is the photograph's own
    part, `unit_px` the inter-ocular distance in the photograph."""
    size = len(reference)
    per_pixel = place.span * unit_px / size
    return np.dstack([
        crop(picture, matrix, size),
        draw_geometry(place, target, matrix, size),
        reference,
        stretch(backward, matrix, size, per_pixel),
    ])  # fmt: skip


def lay_back(
    picture: NDArray[np.uint8], drawn: NDArray[np.float32], seen: NDArray[np.uint8], matrix: NDArray[np.float32]
) -> None:
    """Lay what a network drew (size, size, 4), colour and matte, over the place that its crop was cut from.

    Towards the crop's edge the matte falls to nothing, so that no edge shows. `seen` (size, size, 3) is the crop itself: what
    the picture holds beyond its sharpness stays, by `KEPT_DETAIL`, or a large face would have a blurred mouth.
    """
    faded = _bytes(drawn)
    corners = _shown_corners(faded[..., 3])
    if corners is None:
        return
    region = Region.around(corners @ matrix.T, 1, picture.shape[1], picture.shape[0])
    if region is None:
        return
    local = matrix.copy()
    local[:, 2] -= (region.left, region.top)
    layer = cv2.warpAffine(faded, local, (region.width, region.height), flags=cv2.INTER_LINEAR)
    colour = np.ascontiguousarray(layer[..., :3])
    kept = KEPT_DETAIL * float(np.clip(np.linalg.norm(matrix[:, 0]) - 1, 0, 1))
    if kept:
        soft = cv2.warpAffine(np.ascontiguousarray(seen), local, (region.width, region.height), flags=cv2.INTER_LINEAR)
        detail = cv2.addWeighted(region.of(picture), kept, soft, -kept, 0, dtype=cv2.CV_16S)
        colour = np.asarray(cv2.add(colour, detail, dtype=cv2.CV_8U), np.uint8)
    composite(picture, colour, np.ascontiguousarray(layer[..., 3]), region.left, region.top)


def _shown_corners(matte: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """(4, 3) corners x, y, 1 of the part of a crop where its matte shows; None where it shows nowhere."""
    shown = matte >= LEAST_MATTE
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    if not len(rows):
        return None
    return np.array(
        [(x, y, 1) for x in (columns[0] - 1, columns[-1] + 1) for y in (rows[0] - 1, rows[-1] + 1)], np.float32
    )


def _bytes(drawn: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour and faded matte as (size, size, 4) uint8."""
    faded = np.concatenate([drawn[..., :3], 255 * drawn[..., 3:] * _window(len(drawn))[..., None]], axis=2)
    return np.clip(faded + 0.5, 0, 255).astype(np.uint8)


@cache
def _window(size: int) -> NDArray[np.float32]:
    """(size, size): 1 inside, 0 at the edge."""
    inwards = np.minimum(np.arange(size), np.arange(size)[::-1]) / (EDGE_SHARE * size)
    ramp = np.clip(inwards, 0, 1).astype(np.float32)
    return np.outer(ramp, ramp)
