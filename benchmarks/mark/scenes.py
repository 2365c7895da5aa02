"""What is marked: ten seconds each of the shipped puppets as they are used, and of harder scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.capture.open import demo_clip
from engine.capture.video_file import VideoFile
from engine.face.calibration import Calibration
from engine.perform.recording import find_performance, load_performance
from engine.perform.replay import frames_of, tracked
from engine.puppet.format import load_puppet
from engine.puppet.shipped import find_puppet, shipped_folder
from engine.render.portrait_view import PortraitView
from engine.render.scene import Scene
from engine.render.swap_view import SwapView
from engine.track.footage import neutral_of_clip
from engine.track.tracker import Tracker

Picture = NDArray[np.uint8]
WIDTH, HEIGHT, FRAMES, RATE_HZ = 1280, 720, 300, 30


def portrait(puppet: str) -> Iterator[Picture]:
    """Driven by the demo clip."""
    return _driven(Scene(PortraitView(load_puppet(find_puppet(puppet)), WIDTH, HEIGHT)))


def swap(puppet: str) -> Iterator[Picture]:
    """On the performer of the demo clip."""
    return _driven(Scene(SwapView(load_puppet(find_puppet(puppet)), WIDTH, HEIGHT)))


def _driven(scene: Scene) -> Iterator[Picture]:
    video, tracker = VideoFile(demo_clip()), Tracker(Calibration(neutral_of_clip(demo_clip()), window_s=0.0))
    for frame in video:
        yield scene(tracker(frame)).frame.bgr
    tracker.close()


def talking(puppet: str) -> Iterator[Picture]:
    """Driven by a recorded performance."""
    scene = Scene(PortraitView(load_puppet(find_puppet(puppet)), WIDTH, HEIGHT))
    moments = load_performance(find_performance("talk"))
    for frame in frames_of(moments):
        yield scene(tracked(moments, frame)).frame.bgr


def handheld(puppet: str) -> Iterator[Picture]:
    """Its photograph in front of a wall of cloud noise, all of it moved and turned as by a hand."""
    random = np.random.default_rng(1)
    wall = clouds(random, HEIGHT + 200, WIDTH + 200)
    photo = load_puppet(shipped_folder() / f"{puppet}.puppet").references[0].picture
    scale = HEIGHT / photo.shape[0]
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    left = (WIDTH + 200 - small.shape[1]) // 2
    wall[200:, left : left + small.shape[1]] = small[: HEIGHT + 200 - 200]
    for index in range(FRAMES):
        t = index / RATE_HZ
        turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 1.5 * np.sin(1.3 * t), 1.0 + 0.02 * np.sin(0.7 * t))
        turn[:, 2] += (-100 + 40 * np.sin(0.9 * t), -100 + 25 * np.sin(1.7 * t))
        yield np.asarray(cv2.warpAffine(wall, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.uint8)


def dim(puppet: str) -> Iterator[Picture]:
    """A dark room and a camera's noise."""
    random = np.random.default_rng(2)
    for picture in portrait(puppet):
        noise = cv2.resize(random.normal(0, 7, (HEIGHT, WIDTH)).astype(np.float32), (WIDTH, HEIGHT))
        yield np.clip(picture * np.float32(0.35) + noise[..., None], 0, 255).astype(np.uint8)


def clouds(random: np.random.Generator, height: int, width: int) -> Picture:
    """Noise of all sizes."""
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(1, 9):
        cells = random.normal(0, 1, (max(2, height >> octave), max(2, width >> octave), 3)).astype(np.float32)
        total += cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(6 * 1.45**octave / 2)
    return np.clip(128 + total, 0, 255).astype(np.uint8)


SCENES: Final[dict[str, Callable[[], Iterator[Picture]]]] = {
    "ada": lambda: portrait("ada"),
    "bruno": lambda: portrait("bruno"),
    "cleo": lambda: portrait("cleo"),
    "ada talks": lambda: talking("ada"),
    "bruno on dora": lambda: swap("bruno"),
    "cleo, handheld": lambda: handheld("cleo"),
    "bruno in the dark": lambda: dim("bruno"),
}


def ten_seconds(scene: str) -> list[Picture]:
    """FRAMES pictures of a scene; a short one begins again."""
    pictures = list(islice(SCENES[scene](), FRAMES))
    return list(islice(cycle(pictures), FRAMES))
