"""An opinion on pictures that doesn't come from the tracker: OpenSeeFace's 66-point landmark network (BSD-2).

Used for evaluation only. Points 0-47 are iBUG 68's jaw, brows, nose and eyes; 48-57 the outer lips without corners, 58
and 62 the mouth's corners, 59-61 the upper and 63-65 the lower inner lip.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

SIDE_PX, CELLS, POINTS = 224, 28, 66
LOGIT_FACTOR = 16.0
MARGIN = (0.10, 0.125)  # around the box of the landmarks, as OpenSeeFace crops
MEAN, SPREAD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
POSE_POINTS = np.array([0, 1, 2, 14, 15, 16, 27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45])
EYE_PX, EYE_REACH = 32, (1.4, 1.2)  # OpenSeeFace's eye crop: side, and reach in half eye widths across and down
CONFIDENT = 0.6  # OpenSeeFace's own threshold


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the judge sees in a picture."""

    points_px: NDArray[np.float32]  # (66, 2)
    confidence: float  # mean over the points, 0 to 1

    @property
    def found(self) -> bool:
        """There is a face."""
        return self.confidence >= CONFIDENT


class Judge:
    """Follows one face; the crop is taken around where the face was last."""

    def __init__(self, data: Path) -> None:
        """`data` holds `judges/` and `face_model/`."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        network = str(data / "judges" / "lm_model0_opt.onnx")
        self._net = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        gaze = str(data / "judges" / "mnv3_gaze32_split_opt.onnx")
        self._gaze = onnxruntime.InferenceSession(gaze, options, providers=["CPUExecutionProvider"])
        kit = np.load(data / "face_model" / "ict_facekit_light.npz", allow_pickle=False)
        model = kit["v"][kit["lm68"]].astype(np.float64) * (1, -1, -1)
        self._model = model - model.mean(0)

    def look(self, bgr: NDArray[np.uint8], around_px: NDArray[np.float32]) -> Opinion:
        """Landmarks of the face near `around_px` (n, 2), the points it had before."""
        low, high = around_px.min(0), around_px.max(0)
        margin = (high - low) * MARGIN
        x0, y0 = np.maximum(low - margin, 0).astype(int)
        x1, y1 = np.minimum(high + margin + 1, (bgr.shape[1], bgr.shape[0])).astype(int)
        if x1 - x0 < 8 or y1 - y0 < 8:
            return Opinion(around_px, 0.0)
        crop = cv2.resize(bgr[y0:y1, x0:x1, ::-1], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
        picture = ((crop.astype(np.float32) / 255 - MEAN) / SPREAD).transpose(2, 0, 1)[None]
        maps = self._net.run(None, {self._net.get_inputs()[0].name: picture})[0].reshape(3, POINTS, CELLS * CELLS)
        best = maps[0].argmax(1)
        confidence, dy, dx = (maps[i][np.arange(POINTS), best] for i in range(3))
        row, column = best // CELLS, best % CELLS
        y = y0 + (y1 - y0) / SIDE_PX * (SIDE_PX - 1) * (row / (CELLS - 1) + _logit(dy))
        x = x0 + (x1 - x0) / SIDE_PX * (SIDE_PX - 1) * (column / (CELLS - 1) + _logit(dx))
        return Opinion(np.stack([x, y], axis=1).astype(np.float32), float(confidence.mean()))

    def follow(self, frames: list[NDArray[np.uint8]], around_px: NDArray[np.float32]) -> list[Opinion]:
        """One opinion a frame; `around_px` (n, 2) says where the face is in the first one."""
        opinions: list[Opinion] = []
        for bgr in frames:
            first = self.look(bgr, around_px) if not opinions else None
            opinion = self.look(bgr, first.points_px if first is not None and first.found else around_px)
            opinions.append(opinion)
            around_px = opinion.points_px if opinion.found else around_px
        return opinions

    def pupil(self, bgr: NDArray[np.uint8], points_px: NDArray[np.float32]) -> float:
        """Where OpenSeeFace's gaze network sees the pupils across the eyes of a face at `points_px` (66, 2): 0 to 1 in the
        picture's direction, mean of both. (Its answer whether eyes are open follows no lids on these clips.)"""
        crops = [
            _eye_crop(bgr, points_px[36], points_px[39], flip=False),
            _eye_crop(bgr, points_px[42], points_px[45], flip=True),
        ]
        pictures = np.stack(
            [((c[..., ::-1].astype(np.float32) / 255 - MEAN) / SPREAD).transpose(2, 0, 1) for c in crops]
        )
        maps, _ = self._gaze.run(None, {self._gaze.get_inputs()[0].name: pictures})
        return (_pupil(maps[0]) + 1 - _pupil(maps[1])) / 2

    def angles_deg(self, points_px: NDArray[np.float32], width_px: int, height_px: int) -> tuple[float, float, float]:
        """Yaw, pitch and roll of ICT-FaceKit's neutral head seen as these points (perspective-n-point)."""
        focal = 2.0 * max(width_px, height_px)
        camera = np.array([[focal, 0, width_px / 2], [0, focal, height_px / 2], [0, 0, 1]])
        start = (np.zeros((3, 1)), np.array([[0.0], [0.0], [focal * 25 / 150]]))
        _, turn, _ = cv2.solvePnP(
            self._model[POSE_POINTS], points_px[POSE_POINTS].astype(np.float64), camera, None,
            rvec=start[0], tvec=start[1], useExtrinsicGuess=True, flags=cv2.SOLVEPNP_ITERATIVE,
        )  # fmt: skip
        r = cv2.Rodrigues(turn)[0]
        yaw = np.degrees(np.arcsin(np.clip(r[2, 0], -1, 1)))
        return (
            float(yaw),
            float(np.degrees(np.arctan2(r[2, 1], r[2, 2]))),
            float(np.degrees(np.arctan2(r[1, 0], r[0, 0]))),
        )


def _eye_crop(
    bgr: NDArray[np.uint8], corner: NDArray[np.float32], other: NDArray[np.float32], *, flip: bool
) -> NDArray[np.uint8]:
    """(32, 32, 3): the eye between two corners, upright, as OpenSeeFace cuts it."""
    middle, along = (corner + other) / 2, (other - corner) / 2
    down = np.array([-along[1], along[0]])
    steps = np.stack([along * EYE_REACH[0], down * EYE_REACH[1]], axis=1) * 2 / (EYE_PX - 1)
    if flip:
        steps[:, 0] = -steps[:, 0]
    matrix = np.column_stack([steps, middle - steps @ np.full(2, (EYE_PX - 1) / 2)])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(bgr, matrix, (EYE_PX, EYE_PX), flags=how, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _pupil(maps: NDArray[np.float32]) -> float:
    """Where the pupil lies across a crop, 0 to 1, of (3, 8, 8) maps: confidence, offsets down and across."""
    row, column = np.unravel_index(int(maps[0].argmax()), maps[0].shape)
    return float(column / maps.shape[2] + _logit(maps[2, row, column]) * LOGIT_FACTOR / 8)


def _logit(p: NDArray[np.float32]) -> NDArray[np.float32]:
    p = np.clip(p, 1e-7, 1 - 1e-7)
    result: NDArray[np.float32] = np.log(p / (1 - p)) / LOGIT_FACTOR
    return result


def unit_px(points: NDArray[np.float32]) -> float:
    """Inter-ocular distance (outer corners) of judged points, px."""
    return float(np.linalg.norm(points[36] - points[45]))


def features(points: NDArray[np.float32]) -> dict[str, float]:
    """Openings and widths of judged points, in inter-ocular distances; lids in widths of their eye."""
    unit = unit_px(points)

    def gap(a: int, b: int) -> float:
        return float(np.linalg.norm(points[a] - points[b]))

    lids = [(gap(o + 1, o + 5) + gap(o + 2, o + 4)) / 2 / max(gap(o, o + 3), 1e-6) for o in (36, 42)]
    return {
        "mouth opening": (gap(59, 65) + gap(60, 64) + gap(61, 63)) / 3 / unit,
        "smile width": gap(58, 62) / unit,
        "lids": float(np.mean(lids)),
    }


# the judge's points that `features` measures, on FaceMesh: eyes, inner lips, corners of the mouth
ON_FACEMESH = {
    36: 33, 37: 160, 38: 158, 39: 133, 40: 153, 41: 144, 42: 362, 43: 385, 44: 387, 45: 263, 46: 373, 47: 380,
    58: 61, 59: 81, 60: 13, 61: 311, 62: 291, 63: 402, 64: 14, 65: 178,
}  # fmt: skip


def as_judged(landmarks_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """(66, 2): FaceMesh's points (478, 3) where the judge has those that `features` measures, nothing elsewhere."""
    points = np.zeros((POINTS, 2), np.float32)
    points[[*ON_FACEMESH]] = landmarks_px[[*ON_FACEMESH.values()], :2]
    return points
