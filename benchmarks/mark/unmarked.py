"""What bears no mark: stills, which average nothing out, and the clips of the data folder, whole.

A still is a photograph, a frame of a clip or a synthetic picture (clouds, gratings, checkers, letters), cropped,
scaled, turned, relit, put beside others and coded at random, and stands for ten seconds that do not move: the hardest
case, since whatever moves only becomes greyer.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.mark.scenes import clouds
from engine.capture.video_file import VideoFile
from engine.trust.detector import Listener

Picture = NDArray[np.uint8]
SIZES: Final = ((640, 360), (640, 480), (480, 360), (360, 480))
BATCH: Final = 250


def score(*pictures: Picture) -> float:
    """How clear a mark is found in pictures of one size."""
    listener = Listener(pictures[0].shape[1], pictures[0].shape[0])
    for picture in pictures:
        listener.add(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8))
    return listener.finding().score


def photographs(data: Path) -> list[Path]:
    """All stills of the data folder."""
    folders = [*sorted((data / "train").glob("stills_*")), data / "eval" / "portraits", data / "portraits_hi"]
    return [path for folder in folders for path in sorted(folder.glob("*.jpg"))]


def clip_scores(data: Path, seconds: float = 10.0) -> list[float]:
    """Of all pieces of all clips."""
    scores = []
    for path in sorted(data.glob("*/clips/*.mp4")):
        video = VideoFile(path)
        every = [f.bgr for f in video]
        step, piece = max(1, round(video.rate_hz / 10)), round(seconds * video.rate_hz)
        scores += [score(*every[i : i + piece : step]) for i in range(0, len(every), piece)]
        video.close()
    return scores


def still_scores(data: Path, count: int, workers: int, told: Callable[[int, float], object]) -> list[float]:
    """Of so many stills; `told` hears how many are done and the highest."""
    scores: list[float] = []
    batches = range((count + BATCH - 1) // BATCH)
    with multiprocessing.get_context("spawn").Pool(workers, cv2.setNumThreads, (1,)) as pool:
        for some in pool.imap_unordered(partial(_batch, data), batches):
            scores += some
            told(len(scores), max(scores))
    return scores[:count]


def _batch(data: Path, seed: int) -> list[float]:
    random = np.random.default_rng(seed)
    return [score(picture) for picture in _stills(photographs(data), random, BATCH)]


def _stills(paths: list[Path], random: np.random.Generator, count: int) -> Iterator[Picture]:
    for _ in range(count):
        width, height = SIZES[random.integers(len(SIZES))]
        kind = random.random()
        if kind < 0.6:
            yield _filmed(_placed(_photograph(paths, random), random, width, height), random)
        elif kind < 0.7:
            yield _filmed(_side_by_side(paths, random, width, height), random)
        else:
            yield _filmed(DRAWN[random.integers(len(DRAWN))](random, width, height), random)


def _photograph(paths: list[Path], random: np.random.Generator) -> Picture:
    return np.asarray(cv2.imread(str(paths[random.integers(len(paths))])), np.uint8)


def _placed(photo: Picture, random: np.random.Generator, width: int, height: int) -> Picture:
    """Somewhere, at some size, some way round."""
    rows, columns = photo.shape[:2]
    scale = max(width / columns, height / rows) * random.uniform(0.6, 2.5)
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), random.choice([0, 0, random.uniform(-180, 180)]), scale)
    matrix[:, 2] += np.array([width - columns, height - rows]) / 2 + random.uniform(-0.3, 0.3, 2) * (width, height)
    border = int(random.choice([cv2.BORDER_REFLECT, cv2.BORDER_CONSTANT, cv2.BORDER_WRAP, cv2.BORDER_REPLICATE]))
    return np.asarray(
        cv2.warpAffine(photo, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border), np.uint8
    )


def _side_by_side(paths: list[Path], random: np.random.Generator, width: int, height: int) -> Picture:
    """As a call shows several people."""
    across, down = random.integers(1, 5, 2)
    tile = (width // int(across), height // int(down))
    rows = [np.hstack([cv2.resize(_photograph(paths, random), tile) for _ in range(across)]) for _ in range(down)]
    return np.asarray(cv2.resize(np.vstack(rows), (width, height)), np.uint8)


def _grating(random: np.random.Generator, width: int, height: int) -> Picture:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.full(x.shape, 128.0)
    for _ in range(random.integers(1, 6)):
        waves += random.uniform(5, 60) * np.sin(x * random.uniform(-2, 2) + y * random.uniform(-2, 2))
    return _grey(waves)


def _checkers(random: np.random.Generator, width: int, height: int) -> Picture:
    """Cells of chance that repeat: the nearest to a mark that there is."""
    cell = random.uniform(1.5, 14)
    rows, columns = random.integers(2, 80, 2)
    tile = random.normal(0, random.uniform(3, 60), (rows, columns))
    y, x = ((np.arange(n) / cell).astype(int) for n in (height, width))
    return _grey(128 + tile[y[:, None] % rows, x[None] % columns])


def _letters(random: np.random.Generator, width: int, height: int) -> Picture:
    picture = np.full((height, width, 3), random.integers(0, 256), np.uint8)
    line = int(random.integers(9, 40))
    for y in range(line, height + line, line):
        text = "".join(chr(c) for c in random.integers(33, 127, 80))
        cv2.putText(
            picture,
            text,
            (4, y),
            int(random.integers(0, 8)),
            line / 40,
            random.integers(0, 256, 3).tolist(),
            1,
            cv2.LINE_AA,
        )
    return picture


def _clouds(random: np.random.Generator, width: int, height: int) -> Picture:
    return clouds(random, height, width)


def _grey(values: NDArray[np.float64]) -> Picture:
    return np.repeat(np.clip(values, 0, 255).astype(np.uint8)[..., None], 3, -1)


DRAWN: Final = (_grating, _checkers, _letters, _clouds)


def _filmed(picture: Picture, random: np.random.Generator) -> Picture:
    """In another light, with noise or without, through a codec or not."""
    x = picture.astype(np.float32) * random.uniform(0.3, 1.3) + random.uniform(-30, 30)
    if random.random() < 0.4:
        x += random.normal(0, random.uniform(0.5, 12), x.shape[:2])[..., None]
    if random.random() < 0.3:
        x = cv2.GaussianBlur(x, (0, 0), random.uniform(0.5, 4))
    result = np.clip(x, 0, 255).astype(np.uint8)
    if random.random() < 0.6:
        packed = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(10, 95))])[1]
        result = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return result
