"""Training pairs are what the network meets: shapes, places, truth; from people who do not exist."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from queue import Full
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from engine.face import landmarks as lm
from engine.face.reference import reference_face
from engine.puppet.format import Puppet
from engine.render.crops import Part
from engine.render.generator import PARTS
from engine.track.facemesh import find_faces
from models.config import CONFIGS, INPUTS
from tools import training_pool
from tools.training_pairs import (
    HELD_OUT,
    LARGE_UNIT_PX,
    Footage,
    Pairs,
    load_clip,
    load_large,
    load_stills,
    small_copy,
    training_stills,
)
from tools.training_pool import READY, Pool, Supply, shared_out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, bruno: Puppet, ada: Puppet, demo_frames: list[np.ndarray]) -> Path:
    """A data folder as the tools expect it: two pieces of footage and a short clip."""
    folder = tmp_path_factory.mktemp("train")
    pictures, points = [], []
    for puppet in (bruno, ada):
        reference = puppet.references[0]
        factor = 256 / reference.picture.shape[0]
        pictures.append(cv2.resize(reference.picture, (256, 256), interpolation=cv2.INTER_AREA))
        points.append(reference.landmarks_px * np.float32(factor))
    _save_stills(folder / "stills_synth", ["a.png", "b.png"], pictures, points)
    _save_stills(folder / "stills_london", ["lon_001_03.png", "lon_001_08.png"], pictures, points)
    (folder / "clips").mkdir()
    frames = [np.ascontiguousarray(f[:, 140:500]) for f in demo_frames[:6]]
    with av.open(str(folder / "clips" / "demo.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 360, 360, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode(None))
    found = [find_faces(frame) for frame in frames]
    np.savez(
        folder / "clips" / "demo.landmarks.npz",
        landmarks_px=np.stack([f[0] for f in found]),
        found=np.array([True, True, False, True, True, True]),
    )
    return folder


def _save_stills(folder: Path, names: list[str], pictures: list[np.ndarray], points: list[np.ndarray]) -> None:
    folder.mkdir()
    for name, picture in zip(names, pictures, strict=True):
        cv2.imwrite(str(folder / name), picture)
    np.savez(folder / "landmarks.npz", names=np.array(names), landmarks_px=np.stack(points))


def test_frames_without_a_face_are_left_out(data: Path) -> None:
    clip = load_clip(data / "clips" / "demo.mp4")
    assert len(clip.pictures) == len(clip.landmarks_px) == 5


def test_two_pictures_of_one_person_belong_together(data: Path) -> None:
    assert [len(s.pictures) for s in load_stills(data / "stills_synth")] == [1, 1]
    assert [len(s.pictures) for s in load_stills(data / "stills_london")] == [2]


@pytest.mark.parametrize("part", PARTS)
def test_units_are_complete_and_differ(data: Path, part: Part) -> None:
    pairs, size = Pairs(part, data, seed=0), CONFIGS[part].size_px
    away: list[float] = []
    for unit in islice(pairs, 24):
        assert unit.shape == (2, size, size, INPUTS + 4)
        assert unit.dtype == np.uint8
        assert unit[..., -1].max() > 200  # the part is in the crop
        away.append(np.abs(unit[..., :3].astype(int) - unit[..., 10:13]).mean())
    assert np.mean(away) > 1.0  # the warp is not the truth: one of a frame to itself is 0.2 to 0.3 away


def test_large_portraits_are_shrunk_and_some_are_kept_for_evaluation(
    tmp_path: Path, bruno: Puppet, ada: Puppet
) -> None:
    names = ["sample_1x2_00.jpg", f"sample_{HELD_OUT[0]}.jpg"]
    pictures, points = zip(
        *((p.references[0].picture, p.references[0].landmarks_px) for p in (bruno, ada)), strict=True
    )
    _save_stills(tmp_path / "large", names, list(pictures), list(points))
    (taught,), (kept,) = (load_large(tmp_path / "large", held_out=held_out) for held_out in (False, True))
    assert [taught.name, kept.name] == names
    assert lm.inter_ocular(taught.landmarks_px[0]) <= LARGE_UNIT_PX + 1


def test_small_copies_of_large_portraits_have_row_and_column() -> None:
    names = ("2x4_00", "3x6_07", "3x6_13", "3x6_16")
    assert [small_copy(name) for name in names] == ["2x4_00_00", "3x6_01_01", "3x6_02_01", "3x6_02_04"]


def test_small_copies_of_what_is_kept_for_evaluation_train_nothing(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "train"
    shutil.copytree(data, folder)
    stills = folder / "stills_synth"
    (stills / "a.png").rename(stills / "sample_3x6_02_01.png")
    table = dict(np.load(stills / "landmarks.npz"))
    np.savez(stills / "landmarks.npz", **table | {"names": np.array(["sample_3x6_02_01.png", "b.png"])})
    assert [still.name for still in training_stills(folder)] == ["lon_001", "b.png"]


def test_large_crops_show_the_same_as_small_ones(data: Path, tmp_path: Path, bruno: Puppet) -> None:
    """Of one seed, both move in the same way."""
    _save_stills(tmp_path / "large", ["a.png"], [bruno.references[0].picture], [bruno.references[0].landmarks_px])
    small, large = (Pairs("mouth", data, 3, scale=scale, large=tmp_path / "large") for scale in (1, 2))
    (one,), (other,) = (pairs.units_of(pairs.large[0]) for pairs in (small, large))
    assert other.shape == (2, 2 * one.shape[1], 2 * one.shape[2], one.shape[3])
    truth = slice(INPUTS, INPUTS + 3)
    halved = cv2.resize(other[0, ..., truth], one.shape[2:0:-1], interpolation=cv2.INTER_AREA)
    assert np.abs(halved.astype(int) - one[0, ..., truth]).mean() < 3


def test_the_same_seed_gives_the_same_units(data: Path) -> None:
    first, second = (Pairs("mouth", data, seed=7).units() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_gaps_and_lids_are_measured_in_the_faces_own_size() -> None:
    face = reference_face().mean * np.float32(100)
    opened = face.copy()
    opened[lm.LIP_PAIRS[:, 1], 1] += 20
    shut = face.copy()
    for pairs in (lm.LID_PAIRS_LEFT, lm.LID_PAIRS_RIGHT):
        shut[pairs[:, 0]] = shut[pairs[:, 1]]
    footage = Footage("made up", [], np.stack([face, opened, shut, 3 * opened]))
    gaps, lids = footage.gaps(), footage.lids()
    assert gaps[1] - gaps[0] == pytest.approx(0.2, abs=0.02)
    assert gaps[3] == pytest.approx(gaps[1])
    assert lids[2] == pytest.approx(0, abs=1e-6)
    assert lids[0] > 0.15


SUPPLY = Supply(shape=(2, 3), batch=4, kept=100, uses=2)


def counted(seed: int) -> Iterator[np.ndarray]:
    """Units of a maker that tell how many were made before them."""
    for number in range(10_000):
        yield np.full(SUPPLY.shape, number % 256, np.uint8)


def failing(seed: int) -> Iterator[np.ndarray]:
    yield np.zeros(SUPPLY.shape, np.uint8)
    raise OSError("no such folder")


def test_a_pool_gives_batches_of_the_newest_units() -> None:
    pool, random = Pool(counted, SUPPLY, workers=1), np.random.default_rng(0)
    batches = np.stack([pool.batch(random) for _ in range(60)])
    assert batches.shape == (60, SUPPLY.batch, *SUPPLY.shape)
    assert pool.made >= READY * SUPPLY.batch
    assert len(np.unique(batches)) > 30  # many units, not one many times


def test_processes_are_shared_out() -> None:
    assert [shared_out(1, 1), shared_out(2, 2), shared_out(5, 2)] == [[1], [1, 1], [3, 2]]
    with pytest.raises(ValueError, match=r"--workers 1.*2 sizes"):
        shared_out(1, 2)


def test_a_run_does_not_go_on_from_one_of_another_kind(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from tools.training_run import Course

    device, small, large = torch.device("cpu"), torch.nn.Linear(2, 2), torch.nn.Linear(3, 2)
    course = Course(tmp_path, {"average": small}, device)
    course.went_on()
    course.save()
    assert Course(tmp_path, {"average": torch.nn.Linear(2, 2)}, device).step == 1
    for others in ({"average": large}, {"average": small, "adversary": large}):
        with pytest.raises(ValueError, match="another --out"):
            Course(tmp_path, others, device)


def test_a_pool_says_when_its_makers_have_ended() -> None:
    with pytest.raises(RuntimeError, match="ended with 1"):
        Pool(failing, SUPPLY, workers=1).batch(np.random.default_rng(0))
    with pytest.raises(ValueError, match="one at least"):
        Pool(counted, SUPPLY, workers=0)


class Narrow:
    """A queue that has room at the third try, or never."""

    def __init__(self, tries: int) -> None:
        self.kept: list[object] = []
        self._tries = tries

    def put(self, item: object, timeout: float) -> None:
        self._tries -= 1
        if self._tries > 0:
            raise Full
        self.kept.append(item)


@pytest.mark.parametrize("alive", [True, False])
def test_processes_that_make_units_end_when_nobody_trains_any_more(
    alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the process that trained was killed: it can't tell them."""
    trains = SimpleNamespace(is_alive=lambda: alive)
    monkeypatch.setattr(training_pool.mp, "parent_process", lambda: trains)
    queue = Narrow(tries=3)
    assert training_pool._handed_over(queue, np.zeros(1, np.uint8)) is alive
    assert len(queue.kept) == alive
