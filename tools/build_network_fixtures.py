"""Write what every runtime is held to: crops as the product makes them of shipped faces, with torch's answers in fp32.

python -m tools.build_network_fixtures      after a change of weights; needs the extra `train`

tests/fixtures/renderer_PART.npz: `crops` (1, size, size, inputs) uint8, `answer` (1, size, size, outputs) float32. The mouth
is one that is wide open, the eyes are half shut, the covered face has a card before its chin.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face.pose import fit_head
from engine.face.reference import reference_face
from engine.face.retarget import Target
from engine.perform.recording import find_performance, load_performance
from engine.puppet.format import load_puppet
from engine.puppet.shipped import shipped_folder
from engine.render.generator import PARTS, Networks
from engine.render.occlusion import Occlusion
from engine.render.patch import Region
from engine.render.portrait_view import PortraitView
from engine.render.scene import Scene
from models.config import CONFIGS, INSIDE
from models.runtimes import Precision
from models.torch_runtime import TorchNetwork
from models.weights import load_weights

FIXTURES = Path("tests/fixtures")
PUPPET = "bruno.puppet"


class Onlooker:
    """A network that keeps what it sees, and changes nothing."""

    precision: Precision = "f32"

    def __init__(self, outputs: int) -> None:
        self.seen: list[NDArray[np.uint8]] = []
        self._outputs = outputs

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `models/runtimes.py`."""
        self.seen.extend(crops.copy())
        return np.zeros((*crops.shape[:3], self._outputs), np.float32)


def redrawn() -> dict[str, NDArray[np.uint8]]:
    """A crop (size, size, inputs) for each part of the generator."""
    onlookers = {part: Onlooker(CONFIGS[part].outputs) for part in PARTS}
    scene = Scene(
        PortraitView(load_puppet(shipped_folder() / PUPPET), 1280, 720, networks=Networks({**onlookers}, "openvino"))
    )
    for name in ("talk", "look"):
        for moment in load_performance(find_performance(name)):
            if moment.performance is not None:
                scene.draw(moment.performance)
    opened = {part: [int(crop[..., INSIDE].sum()) for crop in onlooker.seen] for part, onlooker in onlookers.items()}
    widest = int(np.argmax(opened["mouth"]))
    half_shut = int(np.argmin(np.abs(np.array(opened["eye"]) - max(opened["eye"]) / 2)))
    return {"mouth": onlookers["mouth"].seen[widest], "eye": onlookers["eye"].seen[half_shut]}


def covered() -> NDArray[np.uint8]:
    """The crop (size, size, inputs) of a face with a card before its chin."""
    reference, network = load_puppet(shipped_folder() / PUPPET).references[0], Onlooker(CONFIGS["occlusion"].outputs)
    face = Target(reference.landmarks_px, fit_head(reference_face().mean, reference.landmarks_px))
    picture, (x, y) = reference.picture.copy(), face.landmarks_px[:, :2].mean(0).round().astype(int).tolist()
    side = round(face.pose.scale)
    cv2.rectangle(picture, (x - side, y + side // 2), (x + side // 2, y + 2 * side), (60, 140, 200), -1)
    Occlusion(network)(picture, face, Region(0, 0, picture.shape[1], picture.shape[0]))
    return network.seen[0]


def main() -> None:
    for part, crop in (redrawn() | {"occlusion": covered()}).items():
        answer = TorchNetwork(load_weights(part), CONFIGS[part], 1)(crop[None])
        np.savez_compressed(FIXTURES / f"renderer_{part}.npz", crops=crop[None], answer=answer)
        print(f"{part}: matte up to {answer[..., -1].max():.2f}")


if __name__ == "__main__":
    main()
