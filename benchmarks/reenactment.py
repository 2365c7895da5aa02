"""Does the puppet do what the performer does? Judged by a landmark network that the product doesn't use.

    mimicam bench reenactment --data ../shared/data

Each evaluation portrait is driven by each evaluation clip, through the product's tracker and renderer. Figures per pair:
the correlation of openings, widths and angles in the output with those in the clip, where the clip's own range is large
enough to measure; jitter as the ratio of mean second differences of the judge's landmarks, output over clip, both in
inter-ocular distances; frames in which the judge or a face detector finds no face. And per clip, with its first frame as
the photograph: the mean distance of the judge's landmarks in the output from those in the clip; how far tracker and judge
agree on the performer, since a puppet that does what the tracker sees can hardly correlate better than that; and how far
the landmarks that each puppet is told follow, which is what the judge would see in perfect pictures if it saw perfectly.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.judge import Judge, Opinion, as_judged, features, unit_px
from benchmarks.results import write_result
from engine.capture.video_file import VideoFile
from engine.face import landmarks as lm
from engine.face.calibration import Calibration, Neutral
from engine.live.frame import Frame
from engine.machine import describe
from engine.puppet.consent import Consent
from engine.puppet.format import Puppet, Reference
from engine.render.generator import Networks, Runtime, load_networks, scale_of
from engine.render.portrait_view import PortraitView
from engine.render.scene import Scene
from engine.track.facemesh import FaceDetector, find_faces
from engine.track.footage import neutral_of_clip
from engine.track.tracker import Tracked, Tracker

# what is measured: least range of the clip, and target; openings in inter-ocular distances, lids in eye widths, degrees
MEASURES = {
    "mouth opening": (0.10, 0.95),
    "smile width": (0.10, 0.90),
    "lids": (0.10, 0.85),
    "yaw": (8.0, 0.98),
    "pitch": (8.0, 0.95),
    "roll": (8.0, 0.95),
}
CONSENT = Consent(  # of puppets that are measured with and never kept
    kind="agreement",
    who="research subjects",
    date=dt.date(2026, 11, 25),
    scope="evaluation",
    agreement="data licence",
    agreement_sha256="0" * 64,
)
JITTER_TARGET = 1.0


@dataclass(frozen=True, slots=True)
class Clip:
    """A performer: pictures, what the tracker made of them, what the judge sees in them."""

    name: str
    frames: list[Frame]
    tracked: list[Tracked]
    opinions: list[Opinion]
    series: dict[str, NDArray[np.float64]]


def measure(judge: Judge, opinions: Sequence[Opinion], width_px: int, height_px: int) -> dict[str, NDArray[np.float64]]:
    """Each of `MEASURES` over time."""
    rows = []
    for opinion in opinions:
        yaw, pitch, roll = judge.angles_deg(opinion.points_px, width_px, height_px)
        rows.append(features(opinion.points_px) | {"yaw": yaw, "pitch": pitch, "roll": roll})
    return {name: np.array([row[name] for row in rows]) for name in MEASURES}


def jitter(opinions: Sequence[Opinion]) -> float:
    """Mean second difference of the landmarks, in inter-ocular distances."""
    points = np.stack([o.points_px / unit_px(o.points_px) for o in opinions])
    return float(np.linalg.norm(np.diff(points, n=2, axis=0), axis=2).mean())


def read_clip(path: Path, judge: Judge) -> Clip:
    """Track and judge a clip."""
    video = VideoFile(path)
    frames = list(video)
    video.close()
    tracker = Tracker(Calibration(neutral_of_clip(path), window_s=0.0))
    tracked = [tracker(frame) for frame in frames]
    tracker.close()
    start = find_faces(frames[0].bgr)[0][:, :2]
    opinions = judge.follow([f.bgr for f in frames], start)
    height, width = frames[0].bgr.shape[:2]
    return Clip(path.stem, frames, tracked, opinions, measure(judge, opinions, width, height))


def scene_of(reference: Reference, *, keep_expression: bool = False, networks: Networks | None = None) -> Scene:
    """A scene of the photograph's own size."""
    height, width = reference.picture.shape[:2]
    return Scene(PortraitView(_puppet(reference), width, height, keep_expression=keep_expression, networks=networks))


def _puppet(reference: Reference) -> Puppet:
    return Puppet("evaluation", CONSENT.date, "evaluation data", CONSENT, (reference,))


def range_of(values: NDArray[np.float64]) -> float:
    """Range without the extreme percent on both sides."""
    low, high = np.percentile(values, [1, 99])
    return float(high - low)


def evaluate_pair(
    reference: Reference, clip: Clip, judge: Judge, detector: FaceDetector, networks: Networks | None
) -> dict[str, Any]:
    """Figures of one portrait driven by one clip."""
    scene = scene_of(reference, networks=networks)
    outputs = [scene(tracked).frame.bgr for tracked in clip.tracked]
    view = scene.view
    assert isinstance(view, PortraitView)
    told = [None if t.performance is None else view.placed(t.performance).landmarks_px for t in clip.tracked]
    opinions = judge.follow(outputs, reference.landmarks_px[:, :2])
    unseen = sum(not o.found or len(detector(picture)) == 0 for o, picture in zip(opinions, outputs, strict=True))
    series = measure(judge, opinions, outputs[0].shape[1], outputs[0].shape[0])
    correlations = {
        name: float(np.corrcoef(series[name], clip.series[name])[0, 1])
        for name, (least, _) in MEASURES.items()
        if range_of(clip.series[name]) >= least
    }
    return {
        "correlation": correlations,
        "told": agreement(told, clip),
        "jitter": jitter(opinions) / jitter(clip.opinions),
        "unseen": unseen,
        "frames": len(outputs),
    }


def evaluate_self(clip: Clip, judge: Judge, networks: Networks | None) -> dict[str, float]:
    """The clip driving its own first frame: landmark error against the clip, in inter-ocular distances."""
    first = clip.frames[0].bgr
    landmarks = find_faces(first)[0]
    tracker = Tracker(Calibration(Neutral.of(landmarks)))
    scene = scene_of(Reference(first, landmarks), keep_expression=True, networks=networks)
    outputs = [scene(tracker(frame)).frame.bgr for frame in clip.frames]
    tracker.close()
    opinions = judge.follow(outputs, landmarks[:, :2])
    errors = [
        float(np.linalg.norm(o.points_px - c.points_px, axis=1).mean() / unit_px(c.points_px))
        for o, c in zip(opinions, clip.opinions, strict=True)
    ]
    return {"mean": float(np.mean(errors)), "p95": float(np.percentile(errors, 95))}


@cache
def _judge(data: str) -> Judge:
    cv2.setNumThreads(1)
    return Judge(Path(data))


def evaluation_portraits(data: Path) -> list[tuple[str, Reference]]:
    """The portraits of `data` with their names."""
    table = np.load(data / "eval" / "portraits" / "landmarks.npz", allow_pickle=False)
    return [
        (
            str(name),
            Reference(
                np.asarray(cv2.imread(str(data / "eval" / "portraits" / str(name))), np.uint8),
                points.astype(np.float32),
            ),
        )
        for name, points in zip(table["names"], table["landmarks_px"], strict=True)
    ]


@cache
def _networks(runtime: Runtime) -> Networks | None:
    return load_networks(runtime, scale=scale_of("auto", runtime))


def evaluate_clip(data: str, path: str, every: int, runtime: Runtime) -> dict[str, Any]:
    """All figures of one clip; run in a process of its own."""
    judge, detector, networks = _judge(data), FaceDetector(), _networks(runtime)
    clip = read_clip(Path(path), judge)
    pairs = {
        name: evaluate_pair(reference, clip, judge, detector, networks)
        for name, reference in evaluation_portraits(Path(data))[::every]
    }
    detector.close()
    ranges = {name: range_of(clip.series[name]) for name in MEASURES}
    return {
        "clip": clip.name,
        "range": ranges,
        "agreement": agreement([tracked.landmarks_px for tracked in clip.tracked], clip),
        "pairs": pairs,
        "self": evaluate_self(clip, judge, networks),
    }


def agreement(landmarks_px: Sequence[lm.Points | None], clip: Clip) -> dict[str, float]:
    """Correlation of FaceMesh's points (478, 3) of each frame with what the judge sees the performer do, where it is enough to
    measure."""
    rows = {i: features(as_judged(points)) for i, points in enumerate(landmarks_px) if points is not None}
    return {
        name: float(np.corrcoef([row[name] for row in rows.values()], clip.series[name][[*rows]])[0, 1])
        for name in features(clip.opinions[0].points_px)
        if range_of(clip.series[name]) >= MEASURES[name][0]
    }


def summarise(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Least and mean correlation of each measure, worst jitter, unseen frames, self error."""
    pairs = [pair for result in results for pair in result["pairs"].values()]
    summary: dict[str, Any] = {"correlation": {}}
    for name, (_, target) in MEASURES.items():
        values = np.array([p["correlation"][name] for p in pairs if name in p["correlation"]])
        if len(values):
            summary["correlation"][name] = {
                "least": float(values.min()), "p10": float(np.percentile(values, 10)), "mean": float(values.mean()),
                "target": target, "reached": int((values >= target).sum()), "pairs": len(values),
            }  # fmt: skip
        told = [p["told"][name] for p in pairs if name in p["told"]]
        if told:
            summary["correlation"][name]["told"] = float(np.mean(told))
    jitters = np.array([p["jitter"] for p in pairs])
    summary["jitter"] = {
        "worst": float(jitters.max()), "mean": float(jitters.mean()), "target": JITTER_TARGET,
        "reached": int((jitters <= JITTER_TARGET).sum()), "pairs": len(pairs),
    }  # fmt: skip
    summary["unseen_frames"] = sum(p["unseen"] for p in pairs)
    summary["frames"] = sum(p["frames"] for p in pairs)
    summary["self_error"] = {r["clip"]: r["self"] for r in results}
    summary["agreement"] = {r["clip"]: r["agreement"] for r in results}
    return summary


def show(summary: dict[str, Any], console: Console) -> None:
    """Print the summary."""
    table = Table(
        "",
        "least",
        "10th percentile",
        "mean",
        "target",
        "pairs that reach it",
        "mean, as told",
        title="correlation with the performer",
    )
    for name, row in summary["correlation"].items():
        table.add_row(
            name,
            *(f"{row[k]:.3f}" for k in ("least", "p10", "mean")),
            f"{row['target']:.2f}",
            f"{row['reached']} of {row['pairs']}",
            f"{row['told']:.3f}" if "told" in row else "",
        )
    console.print(table)
    j = summary["jitter"]
    console.print(
        f"jitter, output over performer: mean {j['mean']:.2f}, worst {j['worst']:.2f}; "
        f"{j['reached']} of {j['pairs']} pairs at most 1"
    )
    console.print(f"frames without a findable face: {summary['unseen_frames']} of {summary['frames']}")
    for clip, error in summary["self_error"].items():
        console.print(
            f"{clip} drives its own first frame: landmark error "
            f"{100 * error['mean']:.2f} %, p95 {100 * error['p95']:.2f} %"
        )
    for clip, agreed in summary["agreement"].items():
        told = ", ".join(f"{name} {value:.3f}" for name, value in agreed.items())
        console.print(f"{clip}: tracker and judge agree on the performer: {told or 'too little moves'}")


def run(data: Path, every: int, runtime: Runtime, report: Path, console: Console) -> None:
    """Evaluate all clips in two processes; show and keep the figures."""
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    clips = sorted((data / "eval" / "clips").glob("*.mp4"), key=lambda p: -p.stat().st_size)
    with ProcessPoolExecutor(2) as pool:
        futures = [pool.submit(evaluate_clip, str(data), str(path), every, runtime) for path in clips]
        results = [future.result() for future in futures]
    summary = summarise(results)
    show(summary, console)
    write_result(
        report, {"runtime": str(load_networks(runtime)), "summary": summary, "clips": results, "machine": describe()}
    )
