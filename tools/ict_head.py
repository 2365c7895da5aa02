"""ICT-FaceKit's head as pictures: a painted, lit head that a face tracker takes for one, and what of it each pixel shows.

The mesh (MIT, USC ICT) has no textures; lips, brows, irises and hair are painted by where they lie. Coordinates here are
the product's: x right, y down, z away from the viewer, in centimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import arkit
from engine.face.pose import Pose, rotation_from_euler
from kernels.warp_mesh.cpu import warp_mesh

Vertices = NDArray[np.float32]

TO_PRODUCT = np.array([1, -1, -1], np.float32)
SHOWN = (
    "M_Face",
    "M_BackHead",
    "M_GumsTongue",
    "M_Teeth",
    "M_ScleraLeft",
    "M_IrisLeft",
    "M_ScleraRight",
    "M_IrisRight",
)
SKIN_BGR, LIPS_BGR, BROW_BGR, HAIR_BGR = (142, 166, 205), (104, 104, 176), (46, 60, 84), (34, 44, 62)
GUMS_BGR, TEETH_BGR, SCLERA_BGR, IRIS_BGR, PUPIL_BGR = (
    (80, 76, 150),
    (215, 232, 240),
    (214, 218, 222),
    (70, 84, 96),
    (12, 12, 12),
)
BACKGROUND_BGR = (168, 164, 160)
BROW_THICKNESS_CM, IRIS_CM, PUPIL_CM, HAIRLINE_CM = 0.75, 0.58, 0.24, 7.6
TO_LIGHT: Final = np.array([0.25, -0.45, -0.86], np.float32)
GAZE_DEG: Final = {"In": 30.0, "Out": 30.0, "Up": 25.0, "Down": 25.0}  # where an eye looks at 1; the kit doesn't say
LID_FOLLOW: Final = 0.6  # of the kit's lids, which a look down all but shuts
# ARKit's one shape is two of the kit's
HALVES: Final = {"browInnerUp": ("browInnerUp_L", "browInnerUp_R"), "cheekPuff": ("cheekPuff_L", "cheekPuff_R")}


@dataclass(frozen=True, slots=True)
class Head:
    """The kit: neutral head, its shapes, and how it is painted."""

    vertices: Vertices  # (n, 3)
    expressions: NDArray[np.float32]  # (52, n, 3), order of `arkit.NAMES`; tongueOut moves nothing
    identities: NDArray[np.float32]  # (100, n, 3) for one standard deviation
    triangles: NDArray[np.int32]  # (m, 3), of what is shown
    skin: NDArray[np.int32]  # (k, 3), those of the face
    colours: NDArray[np.float32]  # (n, 3) BGR
    eyes: NDArray[np.float32]  # (2, 3) middle of the performer's left and right eye
    is_eye: NDArray[np.bool_]  # (n,)

    def shape(self, coefficients: arkit.Coefficients, identity: NDArray[np.float32] | None = None) -> Vertices:
        """(n, 3) of an expression (52,) and an identity (100,)."""
        result = self.vertices + np.tensordot(coefficients, self.expressions, 1)
        return result if identity is None else result + np.tensordot(identity, self.identities, 1)


def load_head(data: Path) -> Head:
    """The kit of `data/face_model/ict_facekit_light.npz`."""
    kit = np.load(data / "face_model" / "ict_facekit_light.npz", allow_pickle=False)
    names, materials = kit["expr_names"].tolist(), kit["material_names"].tolist()
    vertices = kit["v"].astype(np.float32) * TO_PRODUCT
    shapes = kit["expr"].astype(np.float32) * TO_PRODUCT
    expressions = np.stack([_expression(name, names, shapes) for name in arkit.NAMES])
    quads = {name: kit["faces"][kit["face_material"] == materials.index(name)] for name in SHOWN}
    triangles = triangulate(np.concatenate(list(quads.values())))
    colours = _paint(vertices, quads, kit["lm68"])
    for side in ("Left", "Right"):
        expressions[arkit.INDEX[f"eyeLookDown{side}"]] *= LID_FOLLOW
        for look, degrees in GAZE_DEG.items():
            ball = np.unique(np.concatenate([quads[f"M_Sclera{side}"], quads[f"M_Iris{side}"]]))
            expressions[arkit.INDEX[f"eyeLook{look}{side}"], ball] += _turned_eye(vertices[ball], side, look, degrees)
    identities = kit["ident"].astype(np.float32) * TO_PRODUCT
    eyes = np.stack([iris_centre(vertices, quads[f"M_Iris{side}"]) for side in ("Left", "Right")])
    is_eye = np.zeros(len(vertices), bool)
    is_eye[np.unique(np.concatenate([quads["M_ScleraLeft"], quads["M_ScleraRight"]]))] = True
    skin = triangulate(quads["M_Face"])
    return Head(vertices, expressions, identities, triangles, skin, colours, eyes, is_eye)


def _expression(name: str, names: list[str], shapes: NDArray[np.float32]) -> NDArray[np.float32]:
    if name == "tongueOut":
        return np.zeros_like(shapes[0])
    kits = HALVES.get(name) or (name.replace("Left", "_L").replace("Right", "_R"),)
    if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        kits = (name,)
    return np.sum([shapes[names.index(kit)] for kit in kits], axis=0)


def _turned_eye(ball: Vertices, side: str, look: str, degrees: float) -> Vertices:
    """Displacement of an eye's vertices that looks in, out, up or down; the kit's own shapes move the lids alone."""
    inwards = 1.0 if side == "Right" else -1.0  # the performer's left eye lies at larger x and looks in to smaller x
    yaw, pitch = {"In": (inwards, 0), "Out": (-inwards, 0), "Up": (0, -1), "Down": (0, 1)}[look]
    centre = ball.mean(0)
    turned: Vertices = (ball - centre) @ rotation_from_euler(yaw * degrees, pitch * degrees, 0).T + centre - ball
    return turned


def triangulate(quads: NDArray[np.int32]) -> NDArray[np.int32]:
    """(n, 4) quads to triangles that face the viewer clockwise; a last corner of -1 marks one that is a triangle already."""
    return np.concatenate([quads[:, [0, 2, 1]], quads[quads[:, 3] >= 0][:, [0, 3, 2]]]).astype(np.int32)


def _inside(points: NDArray[np.float32], polygon: NDArray[np.float32]) -> NDArray[np.bool_]:
    contour = polygon.reshape(-1, 1, 2).astype(np.float32)
    return np.array([cv2.pointPolygonTest(contour, (float(x), float(y)), False) >= 0 for x, y in points])


def _paint(vertices: Vertices, quads: dict[str, NDArray[np.int32]], lm68: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, 3) BGR of each vertex."""
    colours = np.full((len(vertices), 3), SKIN_BGR, np.float32)
    for name, colour in (
        ("M_BackHead", HAIR_BGR), ("M_GumsTongue", GUMS_BGR), ("M_Teeth", TEETH_BGR), ("M_ScleraLeft", SCLERA_BGR),
        ("M_ScleraRight", SCLERA_BGR), ("M_IrisLeft", IRIS_BGR), ("M_IrisRight", IRIS_BGR),
    ):  # fmt: skip
        colours[np.unique(quads[name][quads[name] >= 0])] = colour
    face = np.unique(quads["M_Face"][quads["M_Face"] >= 0])
    marks = vertices[lm68]
    in_front = vertices[face, 2] < marks[48, 2] + 1.0
    colours[face[in_front & _inside(vertices[face, :2], marks[48:60, :2])]] = LIPS_BGR
    for brow in (marks[17:22], marks[22:27]):
        band = np.concatenate([brow[:, :2], brow[::-1, :2] + (0, BROW_THICKNESS_CM)])
        colours[face[_inside(vertices[face, :2], band)]] = BROW_BGR
    colours[face[vertices[face, 1] < marks[17:27, 1].min() - HAIRLINE_CM + 2]] = HAIR_BGR
    for side in ("Left", "Right"):  # the cornea is part of the white's mesh and lies before the iris
        ball = np.unique(quads[f"M_Sclera{side}"])
        away = np.linalg.norm(vertices[ball, :2] - iris_centre(vertices, quads[f"M_Iris{side}"])[:2], axis=1)
        outside = vertices[ball, 2] < vertices[ball, 2].mean()
        colours[ball[(away < IRIS_CM) & outside]] = IRIS_BGR
        colours[ball[(away < PUPIL_CM) & outside]] = PUPIL_BGR
    return colours


def iris_centre(vertices: Vertices, quads: NDArray[np.int32]) -> NDArray[np.float32]:
    """(3,) middle of an iris."""
    middle: NDArray[np.float32] = vertices[np.unique(quads[quads >= 0])].mean(0)
    return middle


def rasterise(
    points_px: Vertices, triangles: NDArray[np.int32], attributes: NDArray[np.float32], width_px: int, height_px: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(height, width, k) interpolated `attributes` (n, k) and depth, infinite where nothing is."""
    padded = np.pad(attributes, ((0, 0), (0, attributes.shape[1] % 2))).astype(np.float32)
    depth = np.full((height_px, width_px), np.inf, np.float32)
    planes = []
    for start in range(0, padded.shape[1], 2):
        pair = np.zeros((height_px, width_px, 2), np.float32)
        warp_mesh(points_px, np.ascontiguousarray(padded[:, start : start + 2]), triangles, pair, depth)
        planes.append(pair)
    return np.concatenate(planes, axis=2)[..., : attributes.shape[1]], depth


def vertex_normals(points: Vertices, triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    """(n, 3) area-weighted unit normals, turned towards the viewer."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    facing = np.cross(b - a, c - a)
    total = np.stack(
        [sum(np.bincount(triangles[:, k], facing[:, axis], len(points)) for k in range(3)) for axis in range(3)], 1
    )
    normals = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)
    return np.where(normals[:, 2:] > 0, -normals, normals).astype(np.float32)


def picture(head: Head, shape: Vertices, pose: Pose, side_px: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The head of `shape` (n, 3) at `pose`: BGR (side, side, 3), and which point of the neutral head's skin each pixel shows,
    (side, side, 3) cm; a pixel without skin has that of the nearest one that shows some."""
    points = pose.apply(shape)
    facing = vertex_normals(points, head.triangles)
    is_skin = np.isin(np.arange(len(points)), head.skin).astype(np.float32)
    attributes = np.concatenate([head.colours, facing, head.vertices, is_skin[:, None]], axis=1)
    found, depth = rasterise(points, head.triangles, attributes, side_px, side_px)
    light = 0.55 + 0.5 * np.clip(found[..., 3:6] @ TO_LIGHT, 0, 1)
    colour = np.clip(found[..., :3] * light[..., None], 0, 255)
    outside = np.isinf(depth)
    colour[outside] = BACKGROUND_BGR
    return np.ascontiguousarray(cv2.GaussianBlur(colour, (0, 0), 0.6).astype(np.uint8)), _spread(
        found[..., 6:9], found[..., 9] > 0.99
    )


def _spread(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(height, width, 3) with what isn't known taken from the nearest pixel that is."""
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros((labels.max() + 1, 3), np.float32)
    of_label[labels[known]] = values[known]
    return of_label[labels]
