"""Faces with things in front, as the occlusion network learns them: what is said to be in front is, nothing else changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from tools import covered_faces  # noqa: E402
from tools.covered_faces import CONTOUR, FACE, MATTE, PLANES, THING, WEIGHT, coded, covered  # noqa: E402

SIZE, COUNT = 64, 24


def units(seed: int, matte: int) -> torch.Tensor:
    """Smooth faces with a block of another colour, opaque by `matte`, for each."""
    random = np.random.default_rng(seed)
    made = np.zeros((COUNT, SIZE, SIZE, PLANES), np.uint8)
    for unit in made:
        coarse = random.integers(60, 200, (5, 5, 3), np.uint8)
        unit[..., FACE] = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        unit[8:56, 16:48, CONTOUR] = 255
        unit[..., WEIGHT] = 255
        unit[..., THING] = 255 - unit[..., FACE]
        unit[24:40, 20:44, MATTE] = matte
    return torch.from_numpy(made)


def nothing(inputs: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(inputs[:, :1])


def picture_of(faces: covered_faces.Covered) -> np.ndarray:
    return ((faces.inputs[:, :3] + 1) * 127.5).numpy()


def test_without_things_a_face_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covered_faces, "_filmed", lambda picture: picture)
    faces, bare = units(1, 0), units(2, 0)
    made = covered(faces, bare, bare, nothing)
    assert not made.truth.any()
    for found, unit in zip(picture_of(made), faces[..., FACE].permute(0, 3, 1, 2).float().numpy(), strict=True):
        assert min(np.abs(found - side).max() for side in (unit, unit[..., ::-1])) < 0.01


def test_the_truth_is_where_the_picture_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covered_faces, "_filmed", lambda picture: picture)
    monkeypatch.setattr(covered_faces, "SHADOW", 0.0)
    monkeypatch.setattr(covered_faces, "_mirrored", lambda planes: planes)
    torch.manual_seed(0)
    faces = units(1, 0)
    made = covered(faces, units(2, 255), units(3, 255), nothing)
    changed = np.abs(picture_of(made) - faces[..., FACE].permute(0, 3, 1, 2).float().numpy()).max(1)
    truth = made.truth[:, 0].numpy()
    assert changed[truth == 0].max() < 0.01
    assert (changed[truth == 1] > 1).mean() > 0.95  # a colour may be that of the face by chance
    shown = (truth > 0.5).any((1, 2))
    assert 0 < shown.sum() < COUNT  # some have nothing in front


def test_what_is_remembered_is_nothing_wrong_the_truth_or_the_networks_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covered_faces, "MOTION_PX", 0.0)
    monkeypatch.setattr(covered_faces, "FADED", 1.0)
    torch.manual_seed(0)
    truth, wrong, own = (torch.full((4000, 1, 8, 8), value) for value in (0.2, 0.6, 1.0))
    found = (covered_faces._before(truth, wrong, own)[:, 0, 4, 4] * 5).round() / 5
    shares = [float((found == value).float().mean()) for value in (0.0, wrong[0, 0, 0, 0], truth[0, 0, 0, 0], 1.0)]
    known = [covered_faces.NO_MEMORY, covered_faces.WRONG_MEMORY, covered_faces.TRUE_MEMORY]
    assert shares == pytest.approx([*known, 1 - sum(known)], abs=0.03)


@pytest.mark.parametrize("quality", [35, 70, 92])
def test_the_codec_is_jpegs(quality: int) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    picture = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    found = coded(planes, torch.full((1, 1, 1, 1), float(quality)))[0].permute(1, 2, 0).numpy()
    full_chroma = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    theirs = cv2.imdecode(cv2.imencode(".jpg", picture, full_chroma)[1], cv2.IMREAD_COLOR)
    lost = np.abs(picture.astype(float) - theirs).mean()
    assert np.abs(found - theirs).mean() < 0.5 * lost + 0.5
    assert np.abs(found - picture).mean() == pytest.approx(lost, rel=0.3)
