"""The modes against what they must leave as it is: clips that drive themselves, faces swapped on to themselves, things in front.

    mimicam bench modes --data ../shared/data

`face2face`: each evaluation clip drives itself, and each other one. `swap`: each clip's own face on the clip. Occluders
(`tools/occluders.py`, with textures from the evaluation portraits) are pasted over the clips, moving. Landmarks and angles
are judged by a network that the product doesn't use; lids, which that one doesn't see, by FaceMesh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.judge import Judge, features, unit_px
from benchmarks.quality import lid_openings
from benchmarks.reenactment import CONSENT, Clip, evaluation_portraits, range_of, read_clip
from benchmarks.results import write_result
from engine.face import landmarks as lm
from engine.face.calibration import Calibration
from engine.face.performance import Performance
from engine.face.pose import fit_head
from engine.face.reference import reference_face
from engine.face.retarget import Target
from engine.live.frame import Frame
from engine.machine import describe
from engine.puppet.clip import frame_at
from engine.puppet.format import Puppet, Reference
from engine.puppet.make_clip import make_clip_puppet
from engine.render.clip_view import ClipView
from engine.render.crops import FACE, crop_matrix, to_crop
from engine.render.face_layer import face_mask
from engine.render.generator import Networks, Runtime, load_networks, scale_of
from engine.render.occlusion import Occlusion, load_occlusion
from engine.render.patch import Region
from engine.render.scene import Scene
from engine.render.swap_view import SwapView
from engine.track.footage import neutral_of_clip
from engine.track.tracker import Tracked, Tracker
from kernels.crop_normalise.cpu import crop
from models.config import CONFIGS
from tools.occluders import KINDS, Occluders

LEAST_RANGE = 0.10  # of openings (inter-ocular distances) and lids (eye widths) that can be measured
EVERY = 5  # frames of a clip that are swapped on to themselves alone
WHOLE = 2.6  # side of a crop of a face, inter-ocular distances
MOVE_PX = 1.5  # of an occluder from frame to frame, of its crop
HELD = 24  # frames that one occluder stays for


def inside(landmarks_px: lm.Points, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(height, width): the face's contour filled."""
    return face_mask(landmarks_px, Region(0, 0, shape[1], shape[0])) != 0


def l1(a: NDArray[np.uint8], b: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Mean difference, grey levels."""
    return float(np.abs(a.astype(np.int16) - b)[where].mean())


def coded(frame: NDArray[np.uint8], quality: int = 60) -> NDArray[np.uint8]:
    """The frame as another camera's codec would bring it."""
    jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def track(clip: Clip, path: Path, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> list[Tracked]:
    """The clip's performance, each picture changed before it is tracked."""
    tracker = Tracker(Calibration(neutral_of_clip(path), window_s=0.0))
    tracked = [tracker(replace(frame, bgr=change(frame.bgr))) for frame in clip.frames]
    tracker.close()
    return tracked


def self_driven(
    clip: Clip, puppet: Puppet, tracked: list[Tracked], judge: Judge, networks: Networks | None
) -> dict[str, float]:
    """A clip that drives itself: landmark error (of the inter-ocular distance), and differences in the face, grey levels."""
    assert puppet.clip is not None
    height, width = clip.frames[0].bgr.shape[:2]
    view = ClipView(puppet, width, height, networks=networks)
    differences, noise, outputs = [], [], []
    for index, (frame, performed) in enumerate(zip(clip.frames, tracked, strict=True)):
        output = view.draw_frame(index, performed.performance or Performance.neutral(), frame.captured_s)
        where = inside(puppet.clip.analysis.landmarks_px[index], output.shape)
        differences.append(l1(output, frame.bgr, where))
        noise.append(l1(puppet.clip.picture(index), frame.bgr, where))
        outputs.append(output)
    opinions = judge.follow(outputs, clip.opinions[0].points_px)
    errors = [
        float(np.linalg.norm(o.points_px - c.points_px, axis=1).mean() / unit_px(c.points_px))
        for o, c in zip(opinions, clip.opinions, strict=True)
    ]
    return {"landmarks": float(np.mean(errors)), "l1": float(np.mean(differences)), "noise": float(np.mean(noise))}


def cross_driven(
    target: Clip, puppet: Puppet, driver: Clip, judge: Judge, networks: Networks | None
) -> dict[str, float]:
    """A clip driven by another: correlation of openings with the driver, error of angles against the target."""
    assert puppet.clip is not None
    height, width = target.frames[0].bgr.shape[:2]
    view = ClipView(puppet, width, height, networks=networks)
    shown = [frame_at(f.captured_s, puppet.clip.rate_hz, len(puppet.clip), "loop") for f in driver.frames]
    outputs = [
        view.draw_frame(i, t.performance or Performance.neutral(), t.frame.captured_s)
        for i, t in zip(shown, driver.tracked, strict=True)
    ]
    opinions = judge.follow(outputs, target.opinions[0].points_px)
    found: dict[str, float] = {}
    opening = np.array([features(o.points_px)["mouth opening"] for o in opinions])
    if range_of(driver.series["mouth opening"]) >= LEAST_RANGE:
        found["mouth"] = float(np.corrcoef(opening, driver.series["mouth opening"])[0, 1])
    both = np.stack([lid_openings(outputs), lid_openings([frame.bgr for frame in driver.frames])])
    both = both[:, np.isfinite(both).all(0)]
    if range_of(both[1]) >= LEAST_RANGE:
        found["lids"] = float(np.corrcoef(both)[0, 1])
    now = np.array([judge.angles_deg(o.points_px, width, height) for o in opinions])
    then = np.array([judge.angles_deg(target.opinions[i].points_px, width, height) for i in shown])
    for name, error in zip(("yaw", "pitch", "roll"), np.abs(now - then).mean(0), strict=True):
        found[name] = float(error)
    return found


def swapped(clip: Clip, puppet: Puppet, networks: Networks | None, occlusion: Any) -> dict[str, float]:
    """A clip's own face on the clip: mean difference inside the contour, grey levels. `same`: each frame's own face on it;
    `clip`: the photographs that the puppet of the clip has."""
    height, width = clip.frames[0].bgr.shape[:2]
    same = []
    for t in clip.tracked[::EVERY]:
        if t.landmarks_px is None:
            continue
        one = replace(puppet, references=(Reference(t.frame.bgr, t.landmarks_px),))
        same.append(_difference(SwapView(one, width, height, networks=networks, occlusion=Occlusion(occlusion)), t))
    scene = SwapView(puppet, width, height, networks=networks, occlusion=Occlusion(occlusion))
    whole = [_difference(scene, t) for t in clip.tracked if t.landmarks_px is not None]
    return {"same": float(np.mean(same)), "clip": float(np.mean(whole))}


def _difference(view: SwapView, tracked: Tracked) -> float:
    assert tracked.landmarks_px is not None
    output = Scene(view)(tracked).frame.bgr
    return l1(output, tracked.frame.bgr, inside(tracked.landmarks_px, output.shape))


def occluded(
    clip: Clip, kind: str, occluders: Occluders, random: np.random.Generator
) -> Iterator[tuple[Frame, NDArray[np.float32]]]:
    """The clip's frames with something in front, and its matte (height, width)."""
    size = 2 * CONFIGS["occlusion"].size_px
    place = replace(FACE, span=WHOLE)
    thing, drift = None, np.zeros(2)
    for number, t in enumerate(clip.tracked):
        points = t.landmarks_px
        if points is None:
            continue
        matrix = crop_matrix(place, Target(points, fit_head(reference_face().mean, points)), size)
        seen = crop(t.frame.bgr, matrix, size)
        if thing is None or number % HELD == 0:
            thing, drift = occluders.draw(seen, to_crop(points, matrix), kind), random.normal(0, MOVE_PX, 2)
        by = np.array([[1, 0, drift[0] * (number % HELD)], [0, 1, drift[1] * (number % HELD)]], np.float32)
        moved = [cv2.warpAffine(p, by, (size, size)) for p in (thing.matte, thing.bgr)]
        height, width = t.frame.bgr.shape[:2]
        matte, bgr = (cv2.warpAffine(p, matrix, (width, height), flags=cv2.INTER_LINEAR) for p in moved)
        mixed = t.frame.bgr + (bgr - t.frame.bgr) * matte[..., None]
        yield replace(t.frame, bgr=np.clip(mixed + 0.5, 0, 255).astype(np.uint8)), matte


def mattes(
    clip: Clip, path: Path, kind: str, occluders: Occluders, network: Any, random: np.random.Generator
) -> dict[str, float]:
    """Pixels inside the contours: found and wanted together, found or wanted; and frames whose face was tracked."""
    tracker, occlusion = Tracker(Calibration(neutral_of_clip(path), window_s=0.0)), Occlusion(network)
    both = either = seen = 0
    for frame, truth in occluded(clip, kind, occluders, random):
        tracked = tracker(frame)
        if tracked.landmarks_px is None or tracked.pose is None:
            continue
        seen += 1
        region = Region(0, 0, frame.bgr.shape[1], frame.bgr.shape[0])
        found = occlusion(frame.bgr, Target(tracked.landmarks_px, tracked.pose), region) > 127
        where = inside(tracked.landmarks_px, found.shape)
        wanted = truth > 0.5
        both += int((found & wanted & where).sum())
        either += int(((found | wanted) & where).sum())
    tracker.close()
    return {"both": both, "either": either, "seen": seen, "frames": len(clip.frames)}


def falsely_in_front(clip: Clip, network: Any) -> float:
    """Share of the face that is said to be covered where nothing was pasted."""
    occlusion, shares = Occlusion(network), []
    for t in clip.tracked:
        if t.landmarks_px is None or t.pose is None:
            continue
        region = Region(0, 0, t.frame.bgr.shape[1], t.frame.bgr.shape[0])
        found = occlusion(t.frame.bgr, Target(t.landmarks_px, t.pose), region) > 127
        shares.append(float(found[inside(t.landmarks_px, found.shape)].mean()))
    return float(np.mean(shares))


def run(data: Path, runtime: Runtime, report: Path, console: Console) -> None:
    """Measure, print and keep."""
    judge, networks = Judge(data), load_networks(runtime, scale=scale_of("auto", runtime))
    network = load_occlusion("auto")
    assert network is not None
    paths = sorted((data / "eval" / "clips").glob("*.mp4"))
    clips = [read_clip(path, judge) for path in paths]
    puppets = [make_clip_puppet(path, path.stem, CONSENT).puppet for path in paths]
    result: dict[str, Any] = {"face2face self": {}, "face2face self, coded": {}, "face2face cross": {}, "swap self": {}}
    for clip, puppet, path in zip(clips, puppets, paths, strict=True):
        name = clip.name
        result["face2face self"][name] = row = self_driven(clip, puppet, clip.tracked, judge, networks)
        console.print(
            f"{name} drives itself: landmarks {100 * row['landmarks']:.2f} % (2), L1 in the face {row['l1']:.2f}, "
            f"of which storing it makes {row['noise']:.2f}"
        )
        result["face2face self, coded"][name] = row = self_driven(
            clip, puppet, track(clip, path, coded), judge, networks
        )
        console.print(f"  seen through another codec: landmarks {100 * row['landmarks']:.2f} %, L1 {row['l1']:.2f}")
        result["swap self"][name] = row = swapped(clip, puppet, networks, network)
        console.print(f"  its face on itself: L1 {row['same']:.2f} (3); from the clip's photographs {row['clip']:.2f}")
        result["swap self"][name]["falsely in front"] = share = falsely_in_front(clip, network)
        console.print(f"  of it said to be covered: {100 * share:.1f} %")
    for target, puppet in zip(clips, puppets, strict=True):
        for driver in clips:
            if driver is not target:
                row = cross_driven(target, puppet, driver, judge, networks)
                result["face2face cross"][f"{target.name} by {driver.name}"] = row
                shown = ", ".join(f"{key} {value:.2f}" for key, value in row.items())
                console.print(f"{target.name} driven by {driver.name}: {shown}")
    random = np.random.default_rng(7)
    occluders = Occluders([reference.picture for _, reference in evaluation_portraits(data)], random)
    total = np.zeros(2)
    result["occluders"] = {}
    for kind in KINDS:
        rows = [mattes(c, p, kind, occluders, network, random) for c, p in zip(clips, paths, strict=True)]
        counts = np.array([(r["both"], r["either"]) for r in rows]).sum(0)
        total += counts
        result["occluders"][kind] = {"iou": float(counts[0] / counts[1]), "clips": rows}
        seen, frames = sum(r["seen"] for r in rows), sum(r["frames"] for r in rows)
        console.print(f"{kind} in front: IoU {counts[0] / counts[1]:.3f}; face found in {seen} of {frames} frames")
    result["occluders"]["all"] = float(total[0] / total[1])
    console.print(f"all occluders: IoU {total[0] / total[1]:.3f} (0.85)")
    write_result(report, result | {"runtime": str(networks), "machine": describe()})
