"""How well the face model says what faces do, and how fast.

    mimicam bench expression --data ../shared/data [--sheets out/expression]

Per evaluation clip: the distance of landmarks rebuilt from pose and coefficients, and with what is kept of the residual, from the
tracked ones; how far blinks lag behind the unfiltered landmarks; per evaluation portrait: the jitter of the coefficients while
a still face is filmed with a camera's noise. And whether identity leaks: one puppet driven by different performers who say
nothing, against what one performer's own restlessness changes in the picture. Sheets show each shape on each puppet.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.reenactment import evaluation_portraits
from benchmarks.results import write_result
from engine.capture.video_file import VideoFile
from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.calibration import Calibration, Neutral
from engine.face.expression import ExpressionFit
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.face.pose import Pose, fit_head
from engine.face.proportions import gains
from engine.face.reference import reference_face
from engine.live.frame import Frame
from engine.machine import describe
from engine.puppet.format import Puppet, load_puppet
from engine.puppet.shipped import shipped_folder
from engine.render.generator import load_networks
from engine.render.portrait_view import PortraitView
from engine.render.scene import Scene
from engine.track.footage import neutral_of_clip
from engine.track.tracker import Tracker

RATE_HZ: Final = 30.0
NOISE_GREY: Final = 2.0  # standard deviation of a webcam's noise in good light
STILL_FRAMES, STILL_SKIPPED = 120, 30  # the first second is the filters'
QUIET_LIP_GAP, QUIET_TURN_DEG = 0.02, 8.0  # beyond these somebody speaks (inter-ocular distances), looks aside,
QUIET_LIDS = 0.2  # or blinks (share of the usual opening)
BLINKS: Final = ("eyeBlinkLeft", "eyeBlinkRight")
BLINK_LEAST: Final = 0.12  # a fall of the lids' opening by that many eye widths within `BLINK_FRAMES` is a blink
BLINK_FRAMES: Final = 6
TARGETS: Final = {"rebuilt": 0.03, "with residual": 0.01, "jitter": 0.01, "blink lag": 1.0, "fit ms": 1.0}
SHEET_PX: Final = 256


@dataclass(frozen=True, slots=True)
class Followed:
    """A clip through the product's tracker."""

    raw: list[lm.Points]  # (478, 3) px as the network sees them
    coefficients: NDArray[np.float32]  # (n, 52), filtered, as the product has them
    unfiltered: NDArray[np.float32]  # (n, 52), each frame for itself
    rebuilt: NDArray[
        np.float64
    ]  # (n,) mean distance of the model's landmarks from the raw ones, inter-ocular distances
    kept: NDArray[np.float64]  # (n,) the same with what is kept of the residual
    fit_ms: float
    performances: list[Performance]


def follow(path: Path) -> Followed:
    """Track a clip with its own neutral face."""
    neutral = neutral_of_clip(path)
    assert neutral is not None
    video, tracker, finder = VideoFile(path), Tracker(Calibration(neutral, window_s=0.0)), Tracker()
    raw: list[lm.Points] = []
    shown = []
    for frame in video:
        tracked, points = tracker(frame), finder.find(frame)
        if tracked.coefficients is not None and points is not None:
            shown.append(tracked)
            raw.append(points)
    tracker.close()
    finder.close()
    video.close()
    own = gains(neutral.shape, reference_face().mean)
    fit, times, rebuilt, kept, unfiltered = ExpressionFit(), [], [], [], []
    for points in raw:
        pose = fit_head(neutral.shape, points)
        offsets = neutral.performance(pose, pose.invert(points)).offsets
        begin_s = time.perf_counter()
        expression = fit(offsets)
        times.append(1e3 * (time.perf_counter() - begin_s))
        unfiltered.append(expression.coefficients)
        rebuilt.append(
            _distance(pose.apply(neutral.shape + face_model().offsets(expression.coefficients) / own), points)
        )
        kept.append(_distance(pose.apply(neutral.shape + expression.offsets / own), points))
    return Followed(
        raw,
        np.stack([t.coefficients for t in shown if t.coefficients is not None]),
        np.stack(unfiltered), np.array(rebuilt), np.array(kept), float(np.median(times)),
        [t.performance for t in shown if t.performance is not None],
    )  # fmt: skip


def _distance(rebuilt_px: lm.Points, seen_px: lm.Points) -> float:
    """Mean distance in the picture, inter-ocular distances: the depth of a landmark is the network's guess."""
    return float(np.linalg.norm((rebuilt_px - seen_px)[:, :2], axis=1).mean() / lm.inter_ocular(seen_px))


def blink_lags(clip: Followed) -> list[float]:
    """Frames by which the filtered coefficients of each blink come later than the unfiltered ones: the shift at which the two
    correlate best."""
    openings = np.array([min(lm.lid_openings(points)) for points in clip.raw])
    fall = openings[:-BLINK_FRAMES] - openings[BLINK_FRAMES:]
    blinks = [arkit.INDEX[name] for name in BLINKS]
    plain, product = clip.unfiltered[:, blinks].mean(1), clip.coefficients[:, blinks].mean(1)
    starts = np.flatnonzero((fall > BLINK_LEAST) & (fall == _windowed_most(fall)))
    return [_lag(plain, product, max(int(start) - 4, 0), int(start) + 2 * BLINK_FRAMES) for start in starts]


def _lag(plain: NDArray[np.float32], product: NDArray[np.float32], begin: int, end: int) -> float:
    times = np.arange(begin, min(end, len(plain)))
    shifts = np.arange(-1.0, 4.0, 0.05)
    known = np.arange(len(plain))
    likeness = [np.corrcoef(np.interp(times - shift, known, plain), product[times])[0, 1] for shift in shifts]
    return float(shifts[int(np.nanargmax(likeness))])


def _windowed_most(values: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(values, BLINK_FRAMES, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * BLINK_FRAMES + 1).max(1)


def still_jitter(picture: NDArray[np.uint8], seed: int) -> float:
    """Largest standard deviation of any coefficient while a still face is filmed with a camera's noise. It is measured from the
    mean face, not from itself, so that coefficients are not held at 0 by their bound."""
    mean = Neutral(reference_face().mean, Pose(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), 1.0))
    random, tracker = np.random.default_rng(seed), Tracker(Calibration(mean))
    large = cv2.resize(picture, (720, 720), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    seen = []
    for index in range(STILL_FRAMES):
        noisy = np.clip(large + random.normal(0, NOISE_GREY, large.shape), 0, 255).astype(np.uint8)
        tracked = tracker(Frame(noisy, index, index / RATE_HZ))
        if tracked.coefficients is not None:
            seen.append(tracked.coefficients)
    tracker.close()
    return float(np.stack(seen)[STILL_SKIPPED:].std(0).max())


def quiet_frames(clip: Followed, most: int = 20) -> list[int]:
    """Frames in which a performer says nothing, evenly over the clip."""
    lids = np.array([min(lm.lid_openings(points)) for points in clip.raw])
    gaps = np.array([lm.lip_gap(points) / lm.inter_ocular(points) for points in clip.raw])
    turns = np.array([sum(map(abs, p.head.angles_deg[:2])) for p in clip.performances])
    usual = np.abs(lids / np.median(lids) - 1) < QUIET_LIDS
    found = np.flatnonzero((gaps < QUIET_LIP_GAP) & usual & (turns < QUIET_TURN_DEG))
    return [int(i) for i in found[:: max(1, len(found) // most)]]


def identity_leak(clips: list[Followed], puppet: Puppet) -> dict[str, Any]:
    """Grey levels by which the puppet's picture differs while performers say nothing: between performers (their mean
    pictures), and within one (his frames from his mean picture)."""
    scene = Scene(PortraitView(puppet, 512, 512))
    means, within = [], []
    for clip in clips:
        quiet = [Performance(HeadMotion.still(), clip.performances[i].offsets) for i in quiet_frames(clip)]
        if len(quiet) >= 5:
            pictures = np.stack([scene.draw(p) for p in quiet]).astype(np.float32)
            means.append(pictures.mean(0))
            within.append(float(np.abs(pictures - means[-1]).mean()))
    between = [float(np.abs(a - b).mean()) for i, a in enumerate(means) for b in means[i + 1 :]]
    return {
        "between": float(np.mean(between)),
        "within": float(np.mean(within)),
        "performers": len(means),
        "each": within,
    }


def sheets(folder: Path) -> None:
    """Each shape at 1 on each shipped puppet, with the networks that run here: one picture a puppet."""
    folder.mkdir(parents=True, exist_ok=True)
    networks = load_networks("auto")
    for path in sorted(shipped_folder().glob("*.puppet")):
        scene = Scene(PortraitView(load_puppet(path), 512, 512, networks=networks))
        tiles = []
        for name in ("neutral", *arkit.NAMES):
            amounts = {} if name == "neutral" else {name: 1.0}
            offsets = face_model().offsets(arkit.coefficients(amounts))
            tile = cv2.resize(
                scene.draw(Performance(HeadMotion.still(), offsets))[80:480, 56:456], (SHEET_PX, SHEET_PX)
            )
            cv2.putText(tile, name, (4, SHEET_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
            tiles.append(tile)
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 9)
        cv2.imwrite(
            str(folder / f"{path.stem}.png"), np.vstack([np.hstack(tiles[i : i + 9]) for i in range(0, len(tiles), 9)])
        )


def run(data: Path, folder: Path | None, report: Path, console: Console) -> None:
    """Measure, show and keep."""
    paths = sorted((data / "eval" / "clips").glob("*.mp4"))
    clips = {path.stem: follow(path) for path in paths}
    table = Table("clip", "rebuilt, %", "p95", "with residual, %", "fit, ms", "blinks", "lag, frames")
    rows: dict[str, Any] = {}
    for name, clip in clips.items():
        lags = blink_lags(clip)
        rows[name] = {
            "rebuilt": float(clip.rebuilt.mean()), "rebuilt_p95": float(np.percentile(clip.rebuilt, 95)),
            "with_residual": float(clip.kept.mean()), "fit_ms": clip.fit_ms, "blink_lags_frames": lags,
        }  # fmt: skip
        row = rows[name]
        table.add_row(
            name, *(f"{100 * row[key]:.2f}" for key in ("rebuilt", "rebuilt_p95", "with_residual")),
            f"{clip.fit_ms:.2f}", str(len(lags)), " ".join(f"{lag:.2f}" for lag in lags),
        )  # fmt: skip
    limits = [f"{100 * TARGETS[name]:.0f}" for name in ("rebuilt", "with residual")]
    table.add_row("at most", limits[0], "", limits[1], f"{TARGETS['fit ms']:g}", "", f"{TARGETS['blink lag']:g}")
    console.print(table)
    jitters = [still_jitter(r.picture, seed) for seed, (_, r) in enumerate(evaluation_portraits(data)[::3])]
    console.print(
        f"jitter of a still face: largest of any coefficient {max(jitters):.4f} (at most {TARGETS['jitter']:g}), "
        f"median portrait {np.median(jitters):.4f}"
    )
    leak = identity_leak(list(clips.values()), load_puppet(shipped_folder() / "bruno.puppet"))
    console.print(
        f"saying nothing: {leak['between']:.2f} grey levels between {leak['performers']} performers, "
        f"{leak['within']:.2f} within one"
    )
    write_result(
        report, {"clips": rows, "jitter": jitters, "identity_leak": leak, "targets": TARGETS, "machine": describe()}
    )
    if folder is not None:
        sheets(folder)
