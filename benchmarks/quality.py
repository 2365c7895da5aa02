"""What the generator adds: warp alone against warp with networks, on people whom nothing was trained on.

    mimicam bench quality --data ../shared/data --sheets out/quality

Self-reenactment: each evaluation clip drives its own first frame, and the clip itself is the truth. L1 in grey levels and
SSIM (Wang et al., "Image quality assessment", 2004) in the mouth, the eyes and the face; sharpness as the ratio of mean
gradients, output over truth; flicker as the mean difference of the changes from frame to frame; the landmark error that an
independent network sees, and how the gaze follows in the eyes of another. Cross-reenactment has no truth: its pictures go to
contact sheets, and `bench reenactment` has figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.judge import Judge, unit_px
from benchmarks.reenactment import evaluation_portraits, scene_of
from benchmarks.results import write_result
from engine.capture.video_file import VideoFile
from engine.face import landmarks as lm
from engine.face.calibration import Calibration, Neutral
from engine.machine import describe
from engine.puppet.format import Reference, load_puppet
from engine.puppet.shipped import shipped_folder
from engine.render.generator import Networks
from engine.track.facemesh import LandmarkTracker, find_faces
from engine.track.footage import neutral_of_clip
from engine.track.tracker import Tracked, Tracker

OPEN_GAP = 0.05  # lips further apart than this are an open mouth, inter-ocular distances
GROWN = 0.06  # how far the regions reach beyond their landmarks, inter-ocular distances
SHUT = 0.12  # lids that are less open than this are shut, eye widths
LOOKING = 0.2  # from here on pupils are seen, likewise
LEAST_LID_RANGE = 0.1
LEAST_GAZE_RANGE = 0.1  # of the pupils' way across the eye
SHEET_FRAMES = 6
Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip and what the tracker made of it."""

    name: str
    truth: list[Picture]
    tracked: list[Tracked]

    def gaps(self) -> NDArray[np.float64]:
        """How far the lips are apart, inter-ocular distances; 0 where the performer is lost."""
        points = [t.landmarks_px for t in self.tracked]
        return np.array([0.0 if p is None else lm.lip_gap(p) / lm.inter_ocular(p) for p in points])

    def telling(self) -> NDArray[np.intp]:
        """Frames worth showing: the widest open mouths and the most closed lids, far apart in time."""
        lids = np.array([1.0 if t.landmarks_px is None else min(lm.lid_openings(t.landmarks_px)) for t in self.tracked])
        chosen: list[int] = []
        for order in (np.argsort(-self.gaps()), np.argsort(lids)):
            room = len(chosen) + SHEET_FRAMES // 2
            for i in order:
                if len(chosen) < room and all(abs(int(i) - c) > len(lids) // 20 for c in chosen):
                    chosen.append(int(i))
        return np.array([i for i in chosen if self.tracked[i].landmarks_px is not None])


def perform(path: Path, *, itself: bool) -> Clip:
    """Track a clip: from its first frame as the neutral one where it drives itself."""
    video = VideoFile(path)
    frames = list(video)
    video.close()
    first = Neutral.of(find_faces(frames[0].bgr)[0]) if itself else neutral_of_clip(path)
    tracker = Tracker(Calibration(first, window_s=0.0))
    tracked = [tracker(frame) for frame in frames]
    tracker.close()
    return Clip(path.stem, [f.bgr for f in frames], tracked)


def region(points_px: lm.Points, contours: Iterable[lm.Indices], shape: tuple[int, ...], grown: float = GROWN) -> Mask:
    """(height, width): inside the hulls of these landmarks, grown a little."""
    mask = np.zeros(shape[:2], np.uint8)
    for contour in contours:
        cv2.fillConvexPoly(mask, cv2.convexHull(points_px[contour, :2].round().astype(np.int32)), 1)
    side = 2 * max(1, round(grown * lm.inter_ocular(points_px))) + 1 if grown else 1
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))).astype(bool)


def gradient(picture: Picture) -> NDArray[np.float32]:
    """(height, width) magnitude of the luma's gradient."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def compare(output: Picture, truth: Picture, points_px: lm.Points) -> dict[str, float]:
    """Figures of one picture."""
    away = np.abs(output.astype(np.float32) - truth).mean(2)
    _, similarity = cv2.quality.QualitySSIM_compute(truth, output)  # type: ignore[attr-defined]
    likeness = np.asarray(similarity)[..., :3].mean(2)
    places = {
        "mouth": region(points_px, [lm.LIPS_OUTER], truth.shape),
        "eyes": region(points_px, [lm.EYE_LEFT, lm.EYE_RIGHT], truth.shape),
        "face": region(points_px, [lm.OVAL], truth.shape, 0),
    }
    figures = {f"L1, {name}": float(away[mask].mean()) for name, mask in places.items()}
    figures |= {f"SSIM, {name}": float(likeness[mask].mean()) for name, mask in places.items()}
    inside = region(points_px, [lm.LIPS_INNER], truth.shape, 0)
    if inside.any():
        figures["inside_output"] = float(gradient(output)[inside].mean())
        figures["inside_truth"] = float(gradient(truth)[inside].mean())
    return figures


def evaluate(clip: Clip, outputs: list[Picture], judge: Judge) -> dict[str, float]:
    """Figures of a clip that drives its own first frame."""
    rows = [
        compare(output, truth, tracked.landmarks_px)
        for output, truth, tracked in zip(outputs, clip.truth, clip.tracked, strict=True)
        if tracked.landmarks_px is not None
    ]
    found = {name: float(np.mean([row[name] for row in rows])) for name in rows[0] if not name.startswith("inside")}
    gaps = [gap for gap, tracked in zip(clip.gaps(), clip.tracked, strict=True) if tracked.landmarks_px is not None]
    opened = [row for row, gap in zip(rows, gaps, strict=True) if gap > OPEN_GAP and "inside_truth" in row]
    if opened:
        found["L1, mouth, open"] = float(np.mean([row["L1, mouth"] for row in opened]))
        inside = np.mean([[row["inside_output"], row["inside_truth"]] for row in opened], axis=0)
        found["sharpness inside an open mouth"] = float(inside[0] / inside[1])
    found["flicker"] = flicker(clip, outputs)
    start = find_faces(clip.truth[0])[0][:, :2]
    seen, wanted = judge.follow(outputs, start), judge.follow(clip.truth, start)
    errors = [
        np.linalg.norm(a.points_px - b.points_px, axis=1).mean() / unit_px(b.points_px)
        for a, b in zip(seen, wanted, strict=True)
    ]
    found["landmark error, %"] = 100 * float(np.mean(errors))
    wanted_gaze, found_gaze = (
        np.array([judge.pupil(picture, opinion.points_px) for picture, opinion in zip(pictures, opinions, strict=True)])
        for pictures, opinions in ((clip.truth, wanted), (outputs, seen))
    )
    wanted_lids = lid_openings(clip.truth)
    looking = wanted_lids >= LOOKING
    if looking.any() and np.ptp(np.percentile(wanted_gaze[looking], [1, 99])) >= LEAST_GAZE_RANGE:
        found["gaze of open eyes, correlation (judge)"] = float(
            np.corrcoef(wanted_gaze[looking], found_gaze[looking])[0, 1]
        )
    return found | lids(wanted_lids, lid_openings(outputs))


def lids(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> dict[str, float]:
    """How lids follow, where the clip shuts them: correlation of the openings, and the opening while the truth's is shut.

    In the eyes of FaceMesh, which also drives the puppet: no independent opinion, but the independent judge hardly sees lids.
    """
    seen = np.isfinite(wanted) & np.isfinite(found)
    shut = seen & (wanted < SHUT)
    if shut.sum() < 3 or np.ptp(wanted[seen]) < LEAST_LID_RANGE:
        return {}
    return {
        "lids, correlation (FaceMesh)": float(np.corrcoef(wanted[seen], found[seen])[0, 1]),
        "lids, opening while shut (FaceMesh)": float(found[shut].mean()),
        "lids, opening otherwise (FaceMesh)": float(found[seen & ~shut].mean()),
    }


def lid_openings(pictures: list[Picture]) -> NDArray[np.float64]:
    """Mean opening of both eyes in each picture, in eye widths; not a number where there is no face."""
    mesh = LandmarkTracker()
    points = [mesh(picture) for picture in pictures]
    mesh.close()
    return np.array([np.nan if p is None else np.mean(lm.lid_openings(p)) for p in points])


def flicker(clip: Clip, outputs: list[Picture]) -> float:
    """Mean difference, in the face, of the change from frame to frame, output against truth; grey levels."""
    values = []
    for i in range(1, len(outputs)):
        points = clip.tracked[i].landmarks_px
        if points is None:
            continue
        change = outputs[i].astype(np.float32) - outputs[i - 1]
        wanted = clip.truth[i].astype(np.float32) - clip.truth[i - 1]
        values.append(np.abs(change - wanted)[region(points, [lm.OVAL], outputs[i].shape, 0)].mean())
    return float(np.mean(values))


def head(picture: Picture, points_px: lm.Points | None, side_px: int = 224) -> Picture:
    """The face of a picture, for a sheet."""
    assert points_px is not None  # sheets show frames with a performer
    middle, half = points_px[lm.OVAL, :2].mean(0), 0.95 * lm.inter_ocular(points_px)
    scale = side_px / (2 * half)
    matrix = np.array([[scale, 0, side_px / 2 - scale * middle[0]], [0, scale, side_px / 2 - scale * middle[1]]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(picture, matrix, (side_px, side_px), flags=how), np.uint8)


def self_sheet(clip: Clip, ways: dict[str, list[Picture]]) -> Picture:
    """Telling frames across; truth, then each way, down."""
    rows = [clip.truth, *ways.values()]
    columns = [np.vstack([head(row[i], clip.tracked[i].landmarks_px) for row in rows]) for i in clip.telling()]
    return np.hstack(columns)


def cross_sheet(reference: Reference, clip: Clip, networks: dict[str, Networks | None]) -> Picture:
    """The performer's telling frames across; performer, then each way, down."""
    telling = clip.telling()
    rows = [np.hstack([head(clip.truth[i], clip.tracked[i].landmarks_px) for i in telling])]
    for network in networks.values():
        scene = scene_of(reference, networks=network)
        pictures = [scene(clip.tracked[i]).frame.bgr for i in telling]
        rows.append(np.hstack([head(p, reference.landmarks_px) for p in pictures]))
    return np.vstack(rows)


def run(data: Path, every: int, sheets: Path | None, networks: Networks, report: Path, console: Console) -> None:
    """Evaluate the warp alone and with `networks`, show and keep."""
    judge = Judge(data)
    ways: dict[str, Networks | None] = {"warp": None, "generator": networks}
    paths = sorted((data / "eval" / "clips").glob("*.mp4"))
    results: dict[str, dict[str, dict[str, float]]] = {}
    for path in paths:
        with console.status(path.stem):
            clip = perform(path, itself=True)
            reference = Reference(clip.truth[0], find_faces(clip.truth[0])[0])
            outputs = {name: _render(reference, clip, network) for name, network in ways.items()}
            results[clip.name] = {name: evaluate(clip, pictures, judge) for name, pictures in outputs.items()}
            _write(sheets, f"self_{clip.name}.png", self_sheet(clip, outputs))
    if sheets is not None:
        _cross_sheets(data, paths, every, sheets, ways, console)
    show(results, console)
    console.print(f"generator: {networks}")
    write_result(report, {"generator": str(networks), "self": results, "machine": describe()})


def _render(reference: Reference, clip: Clip, networks: Networks | None) -> list[Picture]:
    scene = scene_of(reference, keep_expression=True, networks=networks)
    return [scene(tracked).frame.bgr for tracked in clip.tracked]


def _cross_sheets(
    data: Path, paths: list[Path], every: int, sheets: Path, ways: dict[str, Networks | None], console: Console
) -> None:
    shipped = [(p.stem, load_puppet(p).references[0]) for p in sorted(shipped_folder().glob("*.puppet"))]
    for path in paths:
        clip = perform(path, itself=False)
        for name, reference in [*shipped, *evaluation_portraits(data)[::every]]:
            with console.status(f"{name} driven by {clip.name}"):
                _write(sheets, f"cross_{clip.name}_{Path(name).stem}.png", cross_sheet(reference, clip, ways))


def _write(sheets: Path | None, name: str, picture: Picture) -> None:
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(sheets / name), picture)


def show(results: dict[str, dict[str, dict[str, float]]], console: Console) -> None:
    """A table for each clip."""
    for clip, ways in results.items():
        table = Table("", *ways, "change", title=f"{clip} drives its own first frame", title_justify="left")
        first, *_, last = ways.values()
        for name in (name for name in first if name in last):
            change = f"{100 * (last[name] / first[name] - 1):+.1f} %"
            table.add_row(name, *(f"{way[name]:.3f}" for way in ways.values()), change)
        console.print(table)
