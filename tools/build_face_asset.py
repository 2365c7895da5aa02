"""Compute `engine/assets/face.npz`: mean face, triangles and a basis of actions, from landmark files.

    python -m tools.build_face_asset --data ../shared/data

- `mean` (478, 3): Procrustes mean of neutral adults, symmetrised, in the canonical frame of `engine.face.pose`.
- `triangles` (852, 3): FaceMesh's tessellation, with holes at eyes and mouth.
- `actions` (n, 478, 3) with `action_names`: displacement per unit of an action, learnt by ridge regression of
  talking clips on measured openings, widths and heights (`smile` from pairs of neutral and smiling photographs).
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.pose import euler_from_rotation, fit_similarity

HEAD_CENTRE = np.array([0.0, 0.30, 0.75], np.float32)  # from between the eyes, in inter-ocular distances
ACTIONS = ("jaw_open", "mouth_wide", "blink_left", "blink_right", "brows_up", "gaze_right", "gaze_down")


def triangles_of(edges: frozenset[tuple[int, int]], points: lm.Points) -> NDArray[np.int32]:
    """Triangles of a planar mesh given by its edges, all turning the same way in `points` (n, 3) seen from the front.

    They are the 3-cycles of the graph, less the few that enclose other triangles: each of their edges has three.
    """
    near: dict[int, set[int]] = {}
    for a, b in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    cycles = sorted({tuple(sorted((a, b, c))) for a in near for b in near[a] for c in near[a] & near[b]})
    uses = Counter(edge for cycle in cycles for edge in combinations(cycle, 2))
    faces = [c for c in cycles if any(uses[edge] < 3 for edge in combinations(c, 2))]
    return np.array([_front_facing(points, face) for face in faces], np.int32)


def _area(points: lm.Points, a: int, b: int, c: int) -> float:
    (ax, ay), (bx, by), (cx, cy) = points[[a, b, c], :2].astype(float)
    return float((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))


def _front_facing(points: lm.Points, triangle: tuple[int, ...]) -> tuple[int, ...]:
    a, b, c = triangle
    return triangle if _area(points, a, b, c) > 0 else (a, c, b)


def _upright(points: lm.Points) -> lm.Points:
    """Rotate so that the pairs of the two sides lie along x; the pitch stays the photographs'."""
    across = points[[263, 362, 291, 454, 356]] - points[[33, 133, 61, 234, 127]]
    x = across.mean(0) / np.linalg.norm(across.mean(0))
    y = np.array([0.0, 1.0, 0.0]) - x[1] * x
    y /= np.linalg.norm(y)
    centre = points[[33, 263, 133, 362]].mean(0)
    return (points - centre) @ np.stack([x, y, np.cross(x, y)]).T


def mirror_of(points: lm.Points) -> NDArray[np.int64]:
    """For each point of an upright face the one on its other side. The mouth must be open, lest lips be mixed up."""
    flipped = points * np.array([-1, 1, 1])
    return np.linalg.norm(points[None] - flipped[:, None], axis=2).argmin(0)


def widest_mouths(clips: list[lm.Points]) -> lm.Points:
    """The frame of each clip with the widest open mouth."""
    return np.stack([max(clip, key=lambda face: lm.lip_gap(face) / lm.inter_ocular(face)) for clip in clips])


def mirrored(points: lm.Points, partner: NDArray[np.int64]) -> lm.Points:
    """Points (or displacements) reflected about x = 0."""
    return points[partner] * np.array([-1, 1, 1], np.float32)


def symmetric_actions(actions: lm.Points, partner: NDArray[np.int64]) -> lm.Points:
    """The same actions with what one side learnt shared with the other; gaze to the right mirrors to its negative."""
    other = [ACTIONS.index(n) for n in ACTIONS]
    left, right = ACTIONS.index("blink_left"), ACTIONS.index("blink_right")
    other[left], other[right] = right, left
    sign = np.array([-1 if n == "gaze_right" else 1 for n in ACTIONS], np.float32)
    return np.stack([(actions[i] + sign[i] * mirrored(actions[other[i]], partner)) / 2 for i in range(len(ACTIONS))])


def procrustes_mean(faces: lm.Points) -> lm.Points:
    """Generalised Procrustes mean of (k, 478, 3) landmarks on the rigid points, upright, inter-ocular distance 1."""
    mean = _upright(faces[0] / lm.inter_ocular(faces[0]))
    for _ in range(6):
        shapes = np.stack([fit_similarity(f[lm.RIGID], mean[lm.RIGID]).apply(f) for f in faces])
        mean = _upright(shapes.mean(0) / lm.inter_ocular(shapes.mean(0)))
    return mean


def shapes_of(faces: lm.Points, mean: lm.Points) -> lm.Points:
    """(k, 478, 3) px landmarks into the canonical frame of `mean`."""
    return np.stack([fit_similarity(mean[lm.RIGID], f[lm.RIGID]).invert(f) for f in faces])


def _gaze(shape: lm.Points) -> tuple[float, float]:
    left = shape[lm.IRIS_LEFT[0]] - shape[list(lm.EYE_CORNERS_LEFT)].mean(0)
    right = shape[lm.IRIS_RIGHT[0]] - shape[list(lm.EYE_CORNERS_RIGHT)].mean(0)
    return float(left[0] + right[0]) / 2, float(left[1] + right[1]) / 2


def descriptors(shape: lm.Points) -> list[float]:
    """One number for each of `ACTIONS`, in inter-ocular distances (lids: opening ratio, negated)."""
    left, right = lm.lid_openings(shape)
    brows = shape[lm.BROW_LEFT, 1].mean() + shape[lm.BROW_RIGHT, 1].mean()
    return [
        lm.lip_gap(shape),
        lm.distance(shape, *lm.MOUTH_CORNERS),
        -left,
        -right,
        -float(brows) / 2,
        *_gaze(shape),
    ]


def learn_actions(clips: list[lm.Points], mean: lm.Points) -> lm.Points:
    """Ridge regression of displacements on descriptors over all clips, (7, 478, 3) per unit."""
    inputs, outputs = [], []
    for clip in clips:
        shapes = shapes_of(clip, mean)
        values = np.array([descriptors(s) for s in shapes])
        turned = [
            np.abs(euler_from_rotation(fit_similarity(mean[lm.RIGID], f[lm.RIGID]).rotation)[:2]).max() for f in clip
        ]
        relaxed = np.argsort(values[:, 0] + np.array(turned) / 50)[: max(3, len(clip) // 10)]
        inputs.append(values - values[relaxed].mean(0))
        outputs.append(shapes - shapes[relaxed].mean(0))
    x, y = np.concatenate(inputs), np.concatenate(outputs).reshape(-1, lm.COUNT * 3)
    spread = x.std(0)
    x = x / spread
    basis = np.linalg.solve(x.T @ x + 0.02 * len(x) * np.eye(len(ACTIONS)), x.T @ y)
    return (basis / spread[:, None]).reshape(-1, lm.COUNT, 3).astype(np.float32)


def learn_smile(folder: Path, mean: lm.Points) -> lm.Points:
    """Mean displacement from the neutral (`_03`) to the smiling (`_08`) photograph of a person, (478, 3)."""
    table = np.load(folder / "landmarks.npz", allow_pickle=False)
    by_name = dict(zip(table["names"].tolist(), table["landmarks_px"], strict=True))
    moved = [
        shapes_of(np.stack([by_name[n.replace("_03", "_08")], points]), mean)
        for n, points in by_name.items()
        if "_03" in n and n.replace("_03", "_08") in by_name
    ]
    return np.mean([smiling - neutral for smiling, neutral in moved], axis=0).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("engine/assets/face.npz"))
    arguments = parser.parse_args()
    train = arguments.data / "train"
    neutral = []
    for folder in ("stills_london", "stills_canada"):
        table = np.load(train / folder / "landmarks.npz", allow_pickle=False)
        neutral += [p for n, p in zip(table["names"], table["landmarks_px"], strict=True) if "_08" not in str(n)]
    clips = []
    for path in sorted((train / "clips").glob("*.landmarks.npz")):
        clip = np.load(path, allow_pickle=False)
        clips.append(clip["landmarks_px"][clip["found"]].astype(np.float32))
    partner = mirror_of(procrustes_mean(widest_mouths(clips)))
    mean = procrustes_mean(np.stack(neutral).astype(np.float32))
    mean = (mean + mirrored(mean, partner)) / 2
    mean = (mean / lm.inter_ocular(mean) - HEAD_CENTRE).astype(np.float32)
    smile = learn_smile(train / "stills_london", mean)
    smile = (smile + mirrored(smile, partner)) / 2
    actions = np.concatenate([symmetric_actions(learn_actions(clips, mean), partner), smile[None]])
    np.savez_compressed(
        arguments.out,
        mean=mean,
        triangles=triangles_of(FACEMESH_TESSELATION, mean),
        actions=actions,
        action_names=np.array([*ACTIONS, "smile"]),
    )
    print(f"{arguments.out}: mean of {len(neutral)} faces, actions from {sum(map(len, clips))} frames")


if __name__ == "__main__":
    main()
