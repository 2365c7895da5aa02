"""Does the mark reach what is promised of it: seen by nobody, found by everybody, taken for nothing else, and quick."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numba
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.mark.channels import BEYOND, PROMISED, Channel
from benchmarks.mark.scenes import HEIGHT, RATE_HZ, SCENES, WIDTH, ten_seconds
from benchmarks.mark.unmarked import clip_scores, still_scores
from benchmarks.results import write_result
from engine.machine import cores, describe
from engine.trust.chips import Key
from engine.trust.detector import FOUND, Listener
from engine.trust.pattern import pattern_of
from engine.trust.payload import Payload, payload_in
from engine.trust.reader import PERIOD_S
from kernels.embed_mark.cpu import embed_mark

Picture = NDArray[np.uint8]
CHANNELS = {**PROMISED, **BEYOND}
ROUNDS = 200  # of the kernel
BEYOND_SHARE = 6  # one round beyond what is promised for so many within


def run(pieces: int, unmarked: int, data: Path | None, report: Path, go_on: bool, console: Console) -> None:
    """`pieces` of ten seconds for each scene and channel, `unmarked` stills. What is known is written after each round; a run
    that goes on adds to what the report has."""
    result: dict[str, Any] = {"machine": describe(), "limit": FOUND}
    if pieces:
        before = json.loads(report.read_text(encoding="utf-8")) if go_on and report.exists() else {}
        for part in survival(pieces, before, console):
            result |= part
            write_result(report, result)
    if unmarked and data is not None:
        result["unmarked"] = false_alarms(data, unmarked, console)
    write_result(report, result)


def survival(pieces: int, before: dict[str, Any], console: Console) -> Iterator[dict[str, Any]]:
    """What the mark costs; then, after each round over all scenes and channels, what is left of it, of how many, those `before`
    included: a result of an earlier run."""
    told: dict[str, dict[str, float]] = before.get("promised", {}) | before.get("beyond", {})
    done = min((int(line["pieces"]) for name, line in told.items() if name in PROMISED), default=0) // len(SCENES)
    with TemporaryDirectory() as folder:
        psnr, ms = before.get("psnr_db", {}), before.get("embed_720p_ms", {})
        for scene in SCENES:
            pictures = ten_seconds(scene)
            if not done:
                psnr[scene], ms[scene] = _cost(pictures)
            console.print(f"{scene}: {psnr[scene]:.1f} dB (42), {ms[scene]:.2f} ms a picture (1)")
            shape = (len(pictures), *pictures[0].shape)
            stored: NDArray[np.uint8] = open_memmap(_stored(folder, scene), "w+", np.uint8, shape)  # type: ignore[no-untyped-call]
            stored[:] = pictures
        yield {"psnr_db": psnr, "embed_720p_ms": ms}
        with multiprocessing.get_context("spawn").Pool(cores(), _alone) as pool:
            for index in range(done, pieces):
                names = [n for n in CHANNELS if n in PROMISED or index % BEYOND_SHARE == 0]
                tasks = [(scene, name, index) for name in names for scene in SCENES]
                answers = pool.starmap(partial(_piece_of, folder), tasks, chunksize=1)
                for name in names:
                    some = [answer for (_, of, _), answer in zip(tasks, answers, strict=True) if of == name]
                    told[name] = added(told.get(name), some)
                _print_told(told, index + 1, console)
                yield {
                    "promised": {name: told[name] for name in PROMISED},
                    "beyond": {name: told[name] for name in BEYOND if name in told},
                }


def _print_told(told: dict[str, dict[str, float]], rounds: int, console: Console) -> None:
    console.print(f"after {rounds} rounds")
    for name, line in told.items():
        console.print(
            f"{name}: found {line['found']} of {line['pieces']}, payload right in {line['payload_right']}, "
            f"scores from {line['least']:.1f}, mean {line['mean']:.1f}"
        )


def _stored(folder: str, scene: str) -> Path:
    return Path(folder) / f"{[*SCENES].index(scene)}.npy"


def _alone() -> None:
    """This process is one of as many as there are cores."""
    cv2.setNumThreads(1)
    numba.set_num_threads(1)


def _piece_of(folder: str, scene: str, channel: str, index: int) -> tuple[float, bool]:
    """In a process of its own."""
    pictures = list(np.load(_stored(folder, scene), mmap_mode="r", allow_pickle=False))
    return _piece(pictures, CHANNELS[channel], _seed(scene, channel, index))


def _seed(scene: str, channel: str, index: int) -> int:
    return [*SCENES].index(scene) * 10_000 + [*CHANNELS].index(channel) * 100 + index


def added(line: dict[str, float] | None, results: list[tuple[float, bool]]) -> dict[str, float]:
    """What is told of a channel with more pieces, each a score and whether the payload was right."""
    scores = np.array([score for score, _ in results])
    before = line or {"pieces": 0, "found": 0, "payload_right": 0, "least": np.inf, "mean": 0.0}
    pieces = int(before["pieces"]) + len(scores)
    return {
        "pieces": pieces,
        "found": int(before["found"]) + int((scores >= FOUND).sum()),
        "payload_right": int(before["payload_right"]) + sum(right for _, right in results),
        "least": min(before["least"], float(scores.min())),
        "mean": (before["mean"] * before["pieces"] + float(scores.sum())) / pieces,
    }


def _piece(pictures: list[Picture], channel: Channel, seed: int) -> tuple[float, bool]:
    """The score of one piece, which begins anywhere in its scene, with a key and a payload of its own, and whether the payload
    was right."""
    random = np.random.default_rng(seed)
    first = int(random.integers(len(pictures)))
    pictures = pictures[first:] + pictures[:first]
    key = Key(random.bytes(32))
    payload = Payload(int(random.integers(2**28)), dt.date(2026, 1, 1) + dt.timedelta(int(random.integers(9000))))
    pattern = pattern_of(key.tile(payload), WIDTH, HEIGHT)
    listener: Listener | None = None
    for index, picture in enumerate(channel(_marked(pictures, pattern))):
        listener = listener or Listener(picture.shape[1], picture.shape[0])
        if index % round(RATE_HZ * PERIOD_S) == 0:
            listener.add(_luma(picture))
    assert listener is not None
    finding = listener.finding()
    heard = payload_in(key.soft_chips(finding.tile))
    return finding.score, heard is not None and heard.payload == payload


def _luma(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def _marked(pictures: Iterable[Picture], pattern: NDArray[np.int8]) -> Iterator[Picture]:
    for picture in pictures:
        result = picture.copy()
        embed_mark(result, pattern)
        yield result


def _cost(pictures: list[Picture]) -> tuple[float, float]:
    """Likeness of marked pictures to plain ones, dB, and the time of marking one, ms (median)."""
    pattern = pattern_of(Key(bytes(32)).tile(Payload(1, dt.date(2026, 1, 1))), WIDTH, HEIGHT)
    some = pictures[:: len(pictures) // 10]
    errors = [np.mean((m.astype(np.float32) - p) ** 2) for m, p in zip(_marked(some, pattern), some, strict=True)]
    spent = []
    for _ in range(ROUNDS):
        picture = pictures[0].copy()
        begin_s = time.perf_counter()
        embed_mark(picture, pattern)
        spent.append(time.perf_counter() - begin_s)
    return float(10 * np.log10(255**2 / np.mean(errors))), 1000 * float(np.median(spent))


def false_alarms(data: Path, count: int, console: Console) -> dict[str, Any]:
    """How clear the clearest mark is that is found where there is none."""
    clips = clip_scores(data)
    console.print(f"{len(clips)} pieces of clips: up to {max(clips):.2f}")

    def told(done: int, highest: float) -> None:
        if done % 5000 < 250:
            console.print(f"{done} stills: up to {highest:.2f}")

    stills = still_scores(data, count, cores(), told)
    scores = np.array([*clips, *stills])
    console.print(
        f"{len(scores)} pieces without a mark: {int((scores >= FOUND).sum())} false alarms, up to {scores.max():.2f}"
    )
    return {
        "pieces": len(scores),
        "of_clips": len(clips),
        "false_alarms": int((scores >= FOUND).sum()),
        "highest": float(scores.max()),
        "p50": float(np.median(scores)),
        "p99.9": float(np.percentile(scores, 99.9)),
    }
