"""Draw what the renderer must go on drawing: moments of a shipped performance by a shipped puppet, warp alone.

python -m tools.build_render_fixture      after a change of the picture that is meant; look at it before you commit it
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.perform.recording import find_performance, load_performance
from engine.puppet.format import load_puppet
from engine.puppet.shipped import shipped_folder
from engine.render.portrait_view import PortraitView
from engine.render.scene import Scene

SIDE_PX = 160
MOMENTS = (0, 24, 42, 48, 60, 69)  # of `look`: at rest, to both sides, down, brows, one lid shut


def draw() -> NDArray[np.uint8]:
    """The moments side by side, (160, 960, 3)."""
    moments = load_performance(find_performance("look"))
    scene = Scene(PortraitView(load_puppet(shipped_folder() / "bruno.puppet"), SIDE_PX, SIDE_PX))
    performances = [moments[i].performance for i in MOMENTS]
    return np.hstack([scene.draw(p) for p in performances if p is not None])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("tests/fixtures/look_bruno.png"))
    path = parser.parse_args().out
    cv2.imwrite(str(path), draw())
    print(path)


if __name__ == "__main__":
    main()
