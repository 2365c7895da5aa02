"""Compute `engine/assets/face.npz`: mean face, triangles, ARKit's 52 shapes and an identity basis on FaceMesh's 478 points.

    python -m tools.build_face_model --data ../shared/data

- `mean` (478, 3): Procrustes mean of neutral adults, symmetrised, in the canonical frame of `engine.face.pose`;
  `triangles` (852, 3): FaceMesh's tessellation, with holes at eyes and mouth; `mirror` (478,): each point's partner.
- `shapes` (52, 478, 3), order of `engine.face.arkit.NAMES`, and `identities` (40, 478, 3): from ICT-FaceKit (MIT).

The correspondence of ICT-FaceKit and FaceMesh: heads of several identities, poses and expressions are rendered and tracked,
each landmark is shot back on to the mesh, and the median of its places on the neutral head is laid on the nearest triangle.
Displacements are then brought to the proportions of the mean face (`engine.face.proportions`), in which performances are
stored, and moved towards what FaceMesh sees people do in talking clips (`tools/clip_shapes.py`).
- `seen` (52,) in [0.25, 1]: how much of each shape FaceMesh sees, from renderings of it; printed with the cosine between what
  was seen and what the model says.
"""

from __future__ import annotations

import argparse
import io
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.pose import Pose, fit_head, rotation_from_euler
from engine.face.proportions import gains
from engine.track.facemesh import find_faces
from models.weights import write_with_sum
from tools.clip_shapes import clip_offsets, learn_blinks, refine
from tools.ict_head import IRIS_CM, Head, load_head, picture
from tools.mean_face import mean_face, mirrored

SIDE_PX = 640
PX_PER_CM = 20.0
IDENTITIES = 12
IDENTITY_MODES = 40  # of the kit's 100; the rest moves no landmark by more than 0.3 mm
POSES_DEG = ((0.0, 0.0), (12.0, 0.0), (-12.0, 0.0), (0.0, 8.0), (0.0, -8.0))  # yaw, pitch
OPEN = {"jawOpen": 0.45, "mouthLowerDownLeft": 0.5, "mouthLowerDownRight": 0.5, "mouthUpperUpLeft": 0.5, "mouthUpperUpRight": 0.5,
        "eyeWideLeft": 0.6, "eyeWideRight": 0.6}  # fmt: skip
CONTACTS = np.unique(np.concatenate([lm.LIPS_INNER, lm.EYE_LEFT, lm.EYE_RIGHT]))  # seen apart only where they are open
LEAST_SEEN = 0.25  # a shape of which FaceMesh sees less is not to be told from others
NEAR = 12  # vertices whose triangles are tried


def pose_of(yaw_deg: float, pitch_deg: float) -> Pose:
    """The head in the middle of the picture."""
    return Pose(
        rotation_from_euler(yaw_deg, pitch_deg, 0), np.array([SIDE_PX / 2, SIDE_PX * 0.53, 0], np.float32), PX_PER_CM
    )


def track(bgr: NDArray[np.uint8]) -> lm.Points | None:
    """The face that FaceMesh sees in a rendering."""
    faces = find_faces(bgr)
    return faces[0] if faces else None


def shot_back(landmarks_px: lm.Points, rest: NDArray[np.float32]) -> lm.Points:
    """(468, 3) cm: the neutral head's points under the skin landmarks."""
    x, y = landmarks_px[: lm.SKIN_COUNT, 0], landmarks_px[: lm.SKIN_COUNT, 1]
    return cv2.remap(rest, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE).reshape(-1, 3)


def places(head: Head, seed: int) -> tuple[lm.Points, NDArray[np.float32]]:
    """Median place (468, 3) cm of each skin landmark on the neutral head over all renderings, and how far they spread (468,)."""
    random = np.random.default_rng(seed)
    closed: list[lm.Points] = []
    opened: list[lm.Points] = []
    for number, (yaw, pitch) in product(range(IDENTITIES), POSES_DEG):
        if (yaw, pitch) == POSES_DEG[0]:
            identity = random.normal(0, 0.8 * (number > 0), len(head.identities)).astype(np.float32)
        for amounts, found in (({}, closed), (OPEN, opened)):
            shape = head.shape(arkit.coefficients(amounts), identity)
            bgr, rest = picture(head, shape, pose_of(yaw, pitch), SIDE_PX)
            landmarks = track(bgr)
            if landmarks is not None:
                found.append(shot_back(landmarks, rest))
    everywhere = np.stack(closed + opened)
    everywhere[: len(closed), CONTACTS] = np.nan
    middle = np.nanmedian(everywhere, axis=0)
    spread = np.nanmedian(np.linalg.norm(everywhere - middle, axis=2), axis=0)
    return middle.astype(np.float32), spread.astype(np.float32)


def on_surface(head: Head, points: lm.Points) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest point of the mesh to each of (k, 3) points: vertices (k, 3) and their weights (k, 3)."""
    touching: dict[int, list[int]] = {}
    for index, triangle in enumerate(head.skin):
        for vertex in triangle:
            touching.setdefault(int(vertex), []).append(index)
    used = np.fromiter(touching, np.int64)
    corners, weights = [], []
    for point in points:
        near = used[np.argsort(np.linalg.norm(head.vertices[used] - point, axis=1))[:NEAR]]
        tried = head.skin[np.unique(np.concatenate([touching[int(v)] for v in near]))]
        found = np.array([_barycentric(point, head.vertices[t]) for t in tried])
        gaps = np.linalg.norm(np.einsum("tk,tkx->tx", found, head.vertices[tried]) - point, axis=1)
        corners.append(tried[gaps.argmin()])
        weights.append(found[gaps.argmin()])
    return np.array(corners, np.int64), np.array(weights, np.float32)


def _barycentric(point: NDArray[np.float32], triangle: NDArray[np.float32]) -> NDArray[np.float64]:
    """Weights of the point of a triangle's plane nearest to `point`, clipped into the triangle."""
    a, b, c = triangle.astype(np.float64)
    share, *_ = np.linalg.lstsq(np.stack([b - a, c - a], axis=1), point - a, rcond=None)
    weights = np.clip([1 - share.sum(), *share], 0, None)
    return weights / weights.sum()


def iris_vertices(head: Head) -> NDArray[np.int64]:
    """(10,) vertices on the two corneas that lie where FaceMesh has its iris points: middle, then +x, up, -x, down (the
    right iris: likewise)."""
    steps = np.array([(0, 0), (1, 0), (0, -1), (-1, 0), (0, 1)], np.float32) * IRIS_CM
    found = []
    for centre in head.eyes[::-1]:  # the viewer's left is the performer's right
        front = np.flatnonzero(np.linalg.norm(head.vertices - centre, axis=1) < 1.6)
        front = front[(head.vertices[front, 2] < centre[2] - 0.5) & head.is_eye[front]]
        found += [front[np.linalg.norm(head.vertices[front, :2] - centre[:2] - s, axis=1).argmin()] for s in steps]
    return np.array(found, np.int64)


def on_landmarks(
    head: Head, field: NDArray[np.float32], corners: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(..., 478, 3) of a field (..., n, 3) on the mesh."""
    skin = np.einsum("...kcx,kc->...kx", field[..., corners, :], weights)
    return np.concatenate([skin, field[..., iris_vertices(head), :]], axis=-2).astype(np.float32)


def symmetric_shapes(shapes: NDArray[np.float32], partner: NDArray[np.int32]) -> NDArray[np.float32]:
    """(52, 478, 3): what both sides say of a shape and of its mirror image."""
    swapped = np.stack([mirrored(shape, partner) for shape in shapes[arkit.MIRROR]])
    return ((shapes + swapped) / 2).astype(np.float32)


def check(head: Head, shapes: NDArray[np.float32], mean: lm.Points) -> list[tuple[str, float, float]]:
    """For each shape: what FaceMesh sees of a rendered one, as a share of the model's displacement (the projection on it),
    and the cosine between the two."""
    rest = track(picture(head, head.vertices, pose_of(0, 0), SIDE_PX)[0])
    assert rest is not None
    at_rest = fit_head(mean, rest).invert(rest)
    rows = []
    for name, shape in zip(arkit.NAMES, shapes, strict=True):
        seen = track(picture(head, head.shape(arkit.coefficients({name: 1.0})), pose_of(0, 0), SIDE_PX)[0])
        if seen is None or not shape.any():
            continue
        moved = (fit_head(at_rest, seen).invert(seen) - at_rest)[:, :2].ravel()
        said = shape[:, :2].ravel()
        share = float(moved @ said / (said @ said))
        rows.append((name, share, float(moved @ said / np.linalg.norm(moved) / np.linalg.norm(said))))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("engine/assets/face.npz"))
    arguments = parser.parse_args()
    mean, triangles, partner = mean_face(arguments.data / "train")
    head = load_head(arguments.data)
    middle, spread = places(head, seed=5)
    print(
        f"landmarks on the mesh: spread {np.median(spread) * 10:.1f} mm in the median, {spread.max() * 10:.1f} mm at most"
    )
    both = (middle + mirrored(np.pad(middle, ((0, lm.COUNT - lm.SKIN_COUNT), (0, 0))), partner)[: lm.SKIN_COUNT]) / 2
    corners, weights = on_surface(head, both)
    kit = on_landmarks(head, head.vertices, corners, weights)
    pose = fit_head(mean, kit)
    shapes, identities = (
        (on_landmarks(head, field, corners, weights) @ pose.rotation / np.float32(pose.scale))
        * gains(pose.invert(kit), mean)
        for field in (head.expressions, head.identities[:IDENTITY_MODES])
    )
    shapes = symmetric_shapes(shapes, partner)
    seen = np.ones(arkit.COUNT, np.float32)
    for name, share, cosine in check(head, shapes, mean):
        seen[arkit.INDEX[name]] = share
        print(f"  {name:20} seen {share:5.2f} of it, cosine {cosine:5.2f}")
    seen = np.clip((seen + seen[arkit.MIRROR]) / 2, LEAST_SEEN, 1).astype(np.float32)
    offsets = clip_offsets(arguments.data / "train" / "clips", partner)
    shapes = symmetric_shapes(refine(learn_blinks(shapes, mean, offsets), offsets), partner)
    table = {"mean": mean, "triangles": triangles, "mirror": partner, "seen": seen}
    table |= {"shapes": shapes.astype(np.float16), "identities": identities.astype(np.float16)}
    content = io.BytesIO()
    np.savez_compressed(content, **table)
    write_with_sum(arguments.out, content.getvalue())
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
