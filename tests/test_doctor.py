"""What the doctor says of cameras, virtual cameras and load, from what drivers and system say."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from engine import doctor
from engine.capture.modes import ENUM_FORMAT, ENUM_SIZE, Mode, camera_modes, list_modes
from engine.errors import SourceError
from engine.sound.source import SoundSource, SyntheticSound

Sizes = dict[tuple[int, int], list[tuple[int, int]]]  # (width, height) -> intervals as (numerator, denominator)


class Driver:
    """A driver's lists, as ioctls give them."""

    def __init__(self, formats: dict[str, Sizes]) -> None:
        self._formats = formats

    def __call__(self, request: int, record: bytearray) -> None:
        index = struct.unpack_from("<I", record)[0]
        if request == ENUM_FORMAT:
            struct.pack_into("4s", record, 44, self._at(list(self._formats), index).encode())
            return
        sizes = self._formats[bytes(record[4:8]).decode()]
        if request == ENUM_SIZE:
            struct.pack_into("<III", record, 8, 1, *self._at(list(sizes), index))
            return
        interval = self._at(sizes[struct.unpack_from("<II", record, 8)], index)
        struct.pack_into("<III", record, 16, 1, *interval)

    @staticmethod
    def _at(entries: list[Any], index: int) -> Any:
        if index >= len(entries):
            raise OSError(22, "Invalid argument")
        return entries[index]


WEBCAM = Driver({"MJPG": {(1280, 720): [(1, 30), (1, 15)]}, "YUYV": {(1280, 720): [(1, 10)], (640, 480): [(1, 30)]}})
SLOW = Driver({"YUYV": {(1280, 720): [(1, 10)], (640, 480): [(1001, 30000)]}})


def test_modes_are_listed_as_the_driver_says() -> None:
    assert list(list_modes(WEBCAM)) == [
        Mode("MJPG", 1280, 720, 30.0),
        Mode("YUYV", 1280, 720, 10.0),
        Mode("YUYV", 640, 480, 30.0),
    ]


def test_a_size_without_a_rate_and_a_range_of_sizes() -> None:
    def ranged(request: int, record: bytearray) -> None:
        if request == ENUM_FORMAT and record[0] == 0:
            struct.pack_into("4s", record, 44, b"YUYV")
        elif request == ENUM_SIZE and record[0] == 0:
            struct.pack_into("<I6I", record, 8, 3, 2, 1920, 2, 2, 1080, 2)
        else:
            raise OSError(22, "Invalid argument")

    assert list(list_modes(ranged)) == [Mode("YUYV", 1920, 1080, 0.0)]


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(OSError, match="No such file"):
        camera_modes("/dev/video-that-is-not")


def seen(driver: Driver) -> doctor.Finding | None:
    return doctor._camera("/dev/video0", "Some Cam", lambda device: list(list_modes(driver)))


def test_a_good_camera_is_named_with_its_best_mode() -> None:
    finding = seen(WEBCAM)
    assert finding == doctor.Finding("camera /dev/video0", True, "Some Cam: 1280x720 at 30 Hz MJPG")


def test_a_slow_camera_gets_the_size_at_which_it_is_quick() -> None:
    finding = seen(SLOW)
    assert finding is not None
    assert not finding.good
    assert "--camera-size 640x480" in finding.advice


def test_a_camera_that_is_slow_everywhere_gets_its_rate_too() -> None:
    finding = seen(Driver({"YUYV": {(640, 480): [(1, 15)]}}))
    assert finding is not None
    assert "--camera-size 640x480 --rate 15" in finding.advice


def test_a_camera_that_does_not_say_how_often_is_not_called_slow() -> None:
    finding = seen(Driver({"MJPG": {(1280, 720): []}}))
    assert finding is not None
    assert finding.good
    assert "does not say" in finding.found


def test_a_metadata_device_is_no_camera() -> None:
    assert seen(Driver({})) is None


def test_a_camera_that_may_not_be_opened_says_what_to_do() -> None:
    def refuse(device: str) -> list[Mode]:
        raise PermissionError(13, "Permission denied")

    finding = doctor._camera("/dev/video0", "Some Cam", refuse)
    assert finding is not None
    assert "usermod -aG video" in finding.advice


@pytest.mark.parametrize(("worst_ms", "good"), [(9.0, True), (45.0, False)])
def test_a_processor_that_halts_now_and_then(worst_ms: float, good: bool) -> None:
    found = doctor._evenness(lambda: [4.0, worst_ms, 4.1, 4.0])
    assert found.good is good
    assert found.found == f"the same work takes 4.0 ms, at worst {worst_ms:.1f}"


@pytest.mark.parametrize(("caps", "good"), [("Y,N,N\n", True), ("N,N,N\n", False), (None, True)])
def test_a_loopback_that_chrome_would_not_see(tmp_path: Path, caps: str | None, good: bool) -> None:
    device, parameter = tmp_path / "video10", tmp_path / "exclusive_caps"
    device.touch()
    if caps is not None:
        parameter.write_text(caps)
    finding = doctor._loopback([str(device)], parameter)
    assert finding.good is good
    assert good or "exclusive_caps=1" in finding.advice


def test_without_a_loopback_it_says_how_to_get_one(tmp_path: Path) -> None:
    assert "modprobe v4l2loopback" in doctor._loopback([], tmp_path / "none").advice


@pytest.mark.parametrize(("busy", "good"), [(5.0, True), (90.0, False)])
def test_other_programs_that_compute(busy: float, good: bool) -> None:
    assert doctor._load(lambda: busy).good is good


@pytest.mark.parametrize(
    ("flags", "count", "advice"),
    [({"avx2", "amx_tile"}, 4, ""), ({"sse2"}, 4, "AVX2"), ({"avx2"}, 1, "two cores"), (set(), 4, "")],
)
def test_processors(flags: set[str], count: int, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "processor_flags", lambda: flags)
    monkeypatch.setattr(doctor, "cores", lambda: count)
    finding = doctor._processor()
    assert finding.good is not bool(advice)
    assert advice in finding.advice


def test_a_microphone_that_is_missing_says_what_works_without() -> None:
    def missing() -> SoundSource:
        raise SourceError(wanted="the microphone default", found="no sound card", advice="Plug one in.")

    found = doctor._microphone(missing)
    assert not found.good
    assert (found.found, "--sound FILE" in found.advice) == ("no sound card", True)
    assert doctor._microphone(lambda: SyntheticSound("hush*3")).good
