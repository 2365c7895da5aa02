"""Make the shipped puppets and the demo performer: people who do not exist, each blended from several generated portraits.

    MIMICAM_HOME=$(mktemp -d) python -m tools.blend_puppets --data ../shared/data

With a home of its own it signs them with a new key that is not kept, and prints what SHIPPED_MAKER becomes.

Hair, ears, neck and background come whole from the base portrait, so nothing ghosts. The face's shape is a weighted mean
of all donors; its picture is a multi-band blend (Burt and Adelson, 1983) of regions, each region taken from one donor
after its colours were matched to what the base has there, so that skin stays sharp and of one light.
"""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.pose import Pose, fit_head
from engine.face.reference import reference_face
from engine.puppet.consent import Consent
from engine.puppet.format import Puppet, save_puppet
from engine.puppet.make import reference_from_photo
from engine.render.head_mesh import HeadMesh
from engine.trust.keys import fingerprint, maker_key, public_bytes
from kernels.sample.cpu import sample
from kernels.warp_mesh.cpu import warp_mesh

SIDE_PX = 800
BANDS = 6
LIKENED = 0.3  # from which share of a region on its colours are made like the base's
BASE_SHARE = 0.4  # of the face's shape; the donors share the rest


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which portrait gives what."""

    name: str
    base: str  # hair, background, outline
    eyes: str  # eyes and brows
    mouth: str  # nose, mouth and chin
    cut: float = 0.0  # share of the base's left that is left out: somebody else stands there


RECIPES = (
    Recipe("ada", base="3x6_00", eyes="3x6_10", mouth="2x4_04", cut=0.075),
    Recipe("bruno", base="2x4_05", eyes="3x6_06", mouth="1x2_00"),
    Recipe("cleo", base="2x4_04", eyes="3x6_10", mouth="2x4_06"),
    Recipe("dora", base="2x4_02", eyes="3x6_00", mouth="2x4_01"),
)


@dataclass(frozen=True, slots=True)
class Donor:
    """A portrait at the working size."""

    picture: NDArray[np.uint8]
    landmarks_px: lm.Points
    pose: Pose

    @property
    def shape(self) -> lm.Points:
        """Canonical shape (478, 3)."""
        return self.pose.invert(self.landmarks_px)


def read_donor(folder: Path, key: str, cut: float = 0.0) -> Donor:
    """The portrait whose file name holds `key`, without that share of its left."""
    table = np.load(folder / "landmarks.npz", allow_pickle=False)
    index = next(i for i, n in enumerate(table["names"]) if key in str(n))
    picture = cv2.imread(str(folder / str(table["names"][index])))
    left = round(cut * picture.shape[1])
    picture = picture[:, left:]
    scale = SIDE_PX / picture.shape[0]
    resized = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    )
    landmarks = ((table["landmarks_px"][index] - (left, 0, 0)) * scale).astype(np.float32)
    return Donor(np.asarray(resized, np.uint8), landmarks, fit_head(reference_face().mean, landmarks))


def warp_to(donor: Donor, landmarks_px: lm.Points, pose: Pose, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The donor with its face at `landmarks_px`, (height, width, 3)."""
    mesh = HeadMesh(donor.landmarks_px, donor.pose, donor.picture.shape[1], donor.picture.shape[0])
    backward, depth = np.empty((*size, 2), np.float32), np.empty(size, np.float32)
    warp_mesh(mesh.place(landmarks_px, pose), mesh.source_px, mesh.triangles, backward, depth)
    result = np.empty((*size, 3), np.uint8)
    sample(donor.picture, backward, result)
    return result


def matched(picture: NDArray[np.uint8], like: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """`picture` with mean and spread of each Lab channel as `like` has them under the mask (Reinhard et al., 2001)."""
    lab, wanted = (cv2.cvtColor(p.astype(np.float32) / 255, cv2.COLOR_BGR2LAB) for p in (picture, like))
    for channel in range(3):
        values, aim = lab[..., channel][mask], wanted[..., channel][mask]
        gain = np.clip(aim.std() / max(values.std(), 1e-3), 0.75, 1.1)
        lab[..., channel] = (lab[..., channel] - values.mean()) * gain + aim.mean()
    result: NDArray[np.float32] = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), 0, 1) * 255
    return result


def region_mask(
    landmarks_px: lm.Points, points: NDArray[np.int32], size: tuple[int, int], soft_px: float
) -> NDArray[np.float32]:
    """Soft hull of some landmarks, (height, width) in [0, 1]."""
    mask = np.zeros(size, np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(landmarks_px[points, :2].round().astype(np.int32)), 1.0)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), soft_px), np.float32)


def multiband(below: NDArray[np.float32], above: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Laplacian-pyramid blend of two pictures."""
    if min(mask.shape) < 2 ** (BANDS + 1) or mask.shape[0] < SIDE_PX >> BANDS:
        return below + (above - below) * mask[..., None]
    size = (mask.shape[1], mask.shape[0])
    small = [cv2.pyrDown(x) for x in (below, above, mask)]
    fine_below, fine_above = below - cv2.pyrUp(small[0], dstsize=size), above - cv2.pyrUp(small[1], dstsize=size)
    blended = fine_below + (fine_above - fine_below) * mask[..., None]
    result: NDArray[np.float32] = blended + cv2.pyrUp(multiband(*small), dstsize=size)
    return result


def blend(recipe: Recipe, folder: Path) -> NDArray[np.uint8]:
    """The new portrait, BGR."""
    base = read_donor(folder, recipe.base, recipe.cut)
    eyes, mouth = (read_donor(folder, key) for key in (recipe.eyes, recipe.mouth))
    share = (1 - BASE_SHARE) / 2
    shape = BASE_SHARE * base.shape + share * eyes.shape + share * mouth.shape
    landmarks = base.pose.apply(shape.astype(np.float32))
    size = (base.picture.shape[0], base.picture.shape[1])
    warped = [warp_to(donor, landmarks, base.pose, size) for donor in (base, eyes, mouth)]
    unit = base.pose.scale
    result = warped[0].astype(np.float32)
    upper = np.concatenate([lm.EYE_LEFT, lm.EYE_RIGHT, lm.BROW_LEFT, lm.BROW_RIGHT, [168, 6, 117, 346]]).astype(
        np.int32
    )
    lower = np.concatenate([lm.LIPS_OUTER, [4, 195, 5, 48, 278, 205, 425, 199, 194, 418, 200]]).astype(np.int32)
    for picture, points in ((warped[1], upper), (warped[2], lower)):
        mask = region_mask(landmarks, points, size, 0.07 * unit)
        result = multiband(result, matched(picture, warped[0], mask > LIKENED), mask)
    return np.clip(result + 0.5, 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("engine/assets/puppets"))
    parser.add_argument("--sheet", type=Path, help="also write a picture with all of them")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    pictures = []
    for recipe in RECIPES:
        picture = blend(recipe, arguments.data / "portraits_hi")
        pictures.append(picture)
        consent = Consent(
            kind="synthetic",
            who="nobody: blended by tools/blend_puppets.py from generated portraits",
            date=dt.date(2026, 11, 27),
            scope="any use, as a face that belongs to no person",
        )
        origin = "SFHQ (D. Beniaguev, MIT licence): " + ", ".join((recipe.base, recipe.eyes, recipe.mouth))
        reference = reference_from_photo(picture, recipe.name)
        save_puppet(
            Puppet(recipe.name, consent.date, origin, consent, (reference,)), arguments.out / f"{recipe.name}.puppet"
        )
        print(f"{recipe.name}: {reference.picture.shape[1]} x {reference.picture.shape[0]} px")
    print(f"signed by {fingerprint(public_bytes(maker_key().public_key()))}: SHIPPED_MAKER of engine/puppet/shipped.py")
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), np.hstack([cv2.resize(p, (640, 640)) for p in pictures]))


if __name__ == "__main__":
    main()
