"""Render `engine/assets/mouth.npz`: teeth, gums and tongue of ICT-FaceKit as two flat layers with transparency.

    python -m tools.build_mouth_interior --data ../shared/data

The upper layer moves with the skull, the lower one (with the tongue) with the jaw. Each is an RGBA picture of the
rectangle `rectangle` (x0, y0, x1, y1) of the reference face's canonical frame, seen from the front; `upper_z` and
`lower_z` are the depth of the front teeth. ICT-FaceKit is under the MIT licence: `engine/assets/LICENSE.ICT-FaceKit`.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face.pose import fit_similarity
from engine.face.reference import reference_face
from models.weights import write_with_sum
from tools.ict_head import rasterise, triangulate, vertex_normals

LM68_TO_FACEMESH = {36: 33, 39: 133, 42: 362, 45: 263, 30: 1, 48: 61, 54: 291, 51: 0, 57: 17, 62: 13, 66: 14, 8: 152}
RECTANGLE = (-0.36, 0.22, 0.36, 0.78)
PX_PER_UNIT = 560
OVERSAMPLING = 3
TEETH_BGR, GUMS_BGR, TONGUE_BGR = (200, 226, 242), (96, 92, 160), (98, 94, 172)
TO_LIGHT = np.array([0.0, -0.35, -0.94])


def over_rectangle(
    points: NDArray[np.float32], triangles: NDArray[np.int32], attributes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Interpolated `attributes` (n, k) and depth over `RECTANGLE`, at the oversampled size; triangles show both sides."""
    scale = PX_PER_UNIT * OVERSAMPLING
    width, height = round((RECTANGLE[2] - RECTANGLE[0]) * scale), round((RECTANGLE[3] - RECTANGLE[1]) * scale)
    target = points.copy()
    target[:, :2] = (points[:, :2] - np.array(RECTANGLE[:2], np.float32)) * scale
    both_ways = np.concatenate([triangles, triangles[:, ::-1]]).astype(np.int32)
    return rasterise(target, both_ways, attributes, width, height)


def shade(attributes: NDArray[np.float32], depth: NDArray[np.float32], front_z: float) -> NDArray[np.float32]:
    """RGBA from interpolated (normal x, normal y, is tooth, is tongue); light from the viewer, darker inside."""
    normal = attributes[..., :2]
    facing = np.sqrt(np.clip(1 - (normal**2).sum(2), 0, 1))
    lambert = np.clip(normal[..., 0] * TO_LIGHT[0] + normal[..., 1] * TO_LIGHT[1] - facing * TO_LIGHT[2], 0, 1)
    inside = np.exp(-np.clip(depth - front_z, 0, None) / 0.16)
    light = (0.5 + 0.55 * lambert) * (0.15 + 0.85 * inside)
    tooth, tongue = np.clip(attributes[..., 2:3], 0, 1), np.clip(attributes[..., 3:4], 0, 1)
    colour = np.array(TEETH_BGR) * tooth + (1 - tooth) * (
        np.array(TONGUE_BGR) * tongue + np.array(GUMS_BGR) * (1 - tongue)
    )
    gloss = 60 * np.clip(lambert, 0, 1) ** 24 * inside
    alpha = 255 * np.clip(
        1.6 - np.nan_to_num(depth - front_z, posinf=9.0) / 0.16, 0, 1
    )  # the throat is left to the cavity
    picture = np.dstack([np.clip(colour * light[..., None] + gloss[..., None], 0, 255), alpha])
    return picture.astype(np.float32)


def finish(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Average down, with colours continued outwards so that transparent neighbours don't darken the edge."""
    size = (picture.shape[1] // OVERSAMPLING, picture.shape[0] // OVERSAMPLING)
    alpha = picture[..., 3:] / 255
    small = cv2.resize(np.dstack([picture[..., :3] * alpha, alpha]), size, interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(small, (0, 0), 4)
    inner = small[..., :3] / np.maximum(small[..., 3:], 1e-3)
    outer = wide[..., :3] / np.maximum(wide[..., 3:], 1e-3)
    colour = np.where(small[..., 3:] > 0.05, inner, outer)
    return np.clip(np.dstack([colour, small[..., 3:] * 255]) + 0.5, 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("engine/assets/mouth.npz"))
    arguments = parser.parse_args()
    kit = np.load(arguments.data / "face_model" / "ict_facekit_light.npz", allow_pickle=False)
    mean = reference_face().mean
    vertices = kit["v"].astype(np.float32)
    fit = fit_similarity(
        vertices[kit["lm68"][list(LM68_TO_FACEMESH)]], mean[list(LM68_TO_FACEMESH.values())].astype(np.float32)
    )
    points = fit.apply(vertices)
    names = kit["material_names"].tolist()
    material = kit["face_material"]
    teeth, soft = (
        kit["faces"][material == names.index("M_Teeth")],
        kit["faces"][material == names.index("M_GumsTongue")],
    )
    jaw = np.linalg.norm(kit["expr"][kit["expr_names"].tolist().index("jawOpen")].astype(np.float32), axis=1)
    lower_vertex = jaw > 0.5 * jaw[np.unique(teeth)].max()
    print(
        "fit residual",
        np.linalg.norm(
            points[kit["lm68"][list(LM68_TO_FACEMESH)]] - mean[list(LM68_TO_FACEMESH.values())], axis=1
        ).round(3),
    )
    is_tooth = np.isin(np.arange(len(points)), np.unique(teeth)).astype(np.float32)
    table: dict[str, Any] = {"rectangle": np.array(RECTANGLE, np.float32)}
    for name, wanted in (("upper", False), ("lower", True)):
        quads = np.concatenate([teeth, soft])
        quads = quads[lower_vertex[quads[:, :3]].all(1)] if wanted else quads[~lower_vertex[quads[:, :3]].all(1)]
        triangles = triangulate(quads)
        used = np.unique(triangles)
        front = float(points[np.intersect1d(used, np.unique(teeth)), 2].min())
        tongue = ((np.abs(points[:, 0]) < 0.17) & (points[:, 2] > front + 0.05) & wanted).astype(np.float32)
        normals = vertex_normals(points, triangles)
        attributes, depth = over_rectangle(
            points, triangles, np.column_stack([normals[:, :2], is_tooth, tongue]).astype(np.float32)
        )
        table[name] = finish(shade(attributes, depth, front))
        table[f"{name}_z"] = np.float32(front)
    content = io.BytesIO()
    np.savez_compressed(content, **table)
    write_with_sum(arguments.out, content.getvalue())
    print(
        f"{arguments.out}: {table['upper'].shape} upper, front teeth at z {table['upper_z']:.3f} and {table['lower_z']:.3f}"
    )


if __name__ == "__main__":
    main()
