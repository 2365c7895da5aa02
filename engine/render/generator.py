"""The generator in the loop: networks redraw mouth and eyes of a warped picture, where the warp shows what it cannot know.

Crops are cut from the warped picture, upright on the face, redrawn, and laid back through the network's matte
(docs/decisions/008-networks-for-parts.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.face.retarget import Target
from engine.names import CropsName, DeviceName
from engine.render.crops import PLACES, Part, Place, crop_matrices, draw_geometries
from kernels.crop_normalise import CHANNELS
from kernels.crop_normalise.cpu import crop, crop_normalise
from kernels.lay_back.cpu import lay_back
from models.config import CONFIGS, RendererConfig
from models.runtimes import Network, RuntimeName, UnavailableError, load_network
from models.weights import DamagedWeightsError

Loaded = TypeVar("Loaded")
Runtime = RuntimeName | Literal["auto", "none"]
PARTS: tuple[Part, ...] = ("mouth", "eye")  # those with shipped weights
ON_GPU: Final[tuple[RuntimeName, ...]] = ("torch-cuda", "tensorrt")
LARGE: Final = 2  # times the size: sharp on a large face, in two to five times the time on a CPU, hardly more on a GPU
# How much of a large face's own detail stays where a part is redrawn: lashes and irises are the photograph's, but lines between
# teeth would be those of the layers, which a network draws elsewhere.
DETAIL: Final[Mapping[Part, float]] = {"mouth": 0.0, "eye": 0.5}


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks of one run: expensive to load, usable for any portrait. Use them from one thread."""

    by_part: dict[Part, Network]
    runtime: RuntimeName
    scale: int = 1  # of their crops, which are so much larger than those that were trained most

    def config(self, part: Part) -> RendererConfig:
        """What the part's network was loaded for."""
        return CONFIGS[part].enlarged(self.scale)

    def __str__(self) -> str:
        """Runtime and precision, for reports."""
        precision = next(iter(self.by_part.values())).precision
        return f"{self.runtime} {precision}" + (f", crops of {self.scale} times the size" if self.scale > 1 else "")


def places_of(part: Part) -> list[Place]:
    """The places of the face that a part's network redraws, in the order of its crops."""
    return [place for place in PLACES if place.part == part]


def load_networks(
    runtime: Runtime, tell: Callable[[str], object] = lambda reason: None, scale: int = 1
) -> Networks | None:
    """The generator's shipped networks, in crops of `scale` times their size. None for `none`, and for `auto` where nothing can
    execute them, which `tell` is told.

    ConfigError when a runtime that was asked for by name can't be used, or when weights are damaged.
    """
    return loaded(runtime, lambda name: _load_parts(name, tell, scale), tell)


def scale_of(crops: CropsName, runtime: Runtime) -> int:
    """How many times their size a runtime's crops are: with `auto` large where it is a GPU's."""
    return LARGE if crops == "large" or (crops == "auto" and runtime in ON_GPU) else 1


def networks_on(
    device: DeviceName,
    runtime: Runtime,
    others: Networks | None,
    tell: Callable[[str], object],
    scale: int,
) -> Networks | None:
    """Networks for pictures that `device` draws: with `auto` and on a GPU those that work in its memory, in crops of `scale`
    times their size, where they can be had (`tell` hears why not), else the same `others` as for pictures that the CPU draws."""
    if device != "gpu" or runtime != "auto":
        return others
    try:
        return _load_parts(ON_GPU[0], tell, scale)
    except UnavailableError as error:
        tell(f"networks on the CPU: {error}")
        return others


def _load_parts(runtime: RuntimeName | Literal["auto"], tell: Callable[[str], object], scale: int) -> Networks:
    by_part: dict[Part, Network] = {}
    for part in PARTS:
        by_part[part], runtime = load_network(part, len(places_of(part)), runtime, tell, scale)
    assert runtime != "auto"
    return Networks(by_part, runtime, scale)


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


def _references(part: Part, size: int, photograph: NDArray[np.uint8], at_rest: Target) -> NDArray[np.uint8]:
    """(n, size, size, 3): a photograph's own parts."""
    matrices = crop_matrices(places_of(part), at_rest, size)
    return np.stack([crop(photograph, matrix, size) for matrix in matrices])


class Generator:
    """Networks at one size of one photograph."""

    def __init__(self, networks: Networks, photograph: NDArray[np.uint8], at_rest: Target, share: float = 1.0) -> None:
        """`photograph` (height, width, 3) BGR with its face `at_rest`; pictures are drawn at `share` of its size."""
        self._networks = networks
        self.references = {
            part: _references(part, networks.config(part).size_px, photograph, at_rest) for part in networks.by_part
        }
        self.unit_px = at_rest.pose.scale * share

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
            places = places_of(part)
            matrices = crop_matrices(places, target, self._networks.config(part).size_px)
            crops = network_inputs(picture, target, backward, self.references[part], places, matrices, self.unit_px)
            drawn = network(crops)
            if share != 1:
                drawn = drawn * np.array([1, 1, 1, share], np.float32)
            lay_back(picture, drawn, crops, matrices, DETAIL[part])


def network_inputs(
    picture: NDArray[np.uint8],
    target: Target,
    backward: NDArray[np.float32],
    references: NDArray[np.uint8],
    places: list[Place],
    matrices: NDArray[np.float32],
    unit_px: float,
) -> NDArray[np.uint8]:
    """(n, size, size, inputs): what a network sees of a warped picture. `references` (n, size, size, 3) are the photograph's own
    parts, `unit_px` the inter-ocular distance in the photograph."""
    size = references.shape[1]
    crops = np.empty((len(places), size, size, CHANNELS), np.uint8)
    drawings = draw_geometries(places, target, matrices, size)
    crop_normalise(picture, backward, matrices, drawings, references, units_of(places, unit_px, size), crops)
    return crops


def units_of(places: list[Place], unit_px: float, size_px: int) -> NDArray[np.float32]:
    """How many pixels of a photograph are one of each crop at rest; `unit_px` is its inter-ocular distance."""
    return np.array([place.span * unit_px / size_px for place in places], np.float32)
