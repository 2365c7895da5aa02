"""Make the README's picture: the demo performer above, the shipped puppets doing the same below.

python -m tools.build_readme_picture
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.capture.open import demo_clip
from engine.capture.video_file import VideoFile
from engine.face.calibration import Calibration
from engine.puppet.format import load_puppet
from engine.puppet.shipped import known_puppets, shipped_folder
from engine.render.generator import load_networks
from engine.render.portrait_view import PortraitView
from engine.render.scene import Scene
from engine.track.footage import neutral_of_clip
from engine.track.tracker import Tracker

MOMENTS_S = (0.0, 2.13, 3.7, 5.1, 6.5, 8.87)
TILE_PX = 256
GAP_PX = 6


def tile(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle square of a picture, small."""
    height, width = picture.shape[:2]
    left = (width - height) // 2
    return np.asarray(
        cv2.resize(picture[:, left : left + height], (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA), np.uint8
    )


def joined(tiles: list[NDArray[np.uint8]], axis: int) -> NDArray[np.uint8]:
    """Tiles beside or below each other, with gaps."""
    shape = list(tiles[0].shape)
    shape[axis] = GAP_PX
    gap = np.full(shape, 255, np.uint8)
    parts = [part for piece in tiles for part in (gap, piece)][1:]
    return np.concatenate(parts, axis=axis)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/at-work.jpg"))
    arguments = parser.parse_args()
    video = VideoFile(demo_clip())
    wanted = {round(moment * video.rate_hz) for moment in MOMENTS_S}
    tracker = Tracker(Calibration(neutral_of_clip(demo_clip())))
    shipped = [load_puppet(p) for p in known_puppets() if p.parent == shipped_folder()]
    networks = load_networks("auto")
    scenes = [Scene(PortraitView(puppet, 1280, 720, networks=networks)) for puppet in shipped]
    columns = []
    for frame in video:
        tracked = tracker(frame)
        if frame.index in wanted and tracked.performance is not None:
            drawn = [scene.draw(tracked.performance) for scene in scenes]
            columns.append(joined([tile(frame.bgr), *map(tile, drawn)], axis=0))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.out), joined(columns, axis=1), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(arguments.out)


if __name__ == "__main__":
    main()
