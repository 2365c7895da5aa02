"""The CSV files of the Live Link Face app: what is saved is loaded, and damage names its row."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_protocols import sample

from engine.errors import SourceError
from engine.face import arkit
from engine.protocols.csv_file import load_csv, save_csv


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    rows = [(i / 30, sample((i, -i, 2 * i), jawLeft=0.01 * i, mouthRight=0.5)) for i in range(40)]
    rows[3] = (rows[3][0], replace(sample(), seen=False))
    save_csv(rows, tmp_path / "take.csv")
    found = load_csv(tmp_path / "take.csv")
    assert [time_s for time_s, _ in found] == pytest.approx([time_s for time_s, _ in rows], abs=2e-5)
    for (_, got), (_, sent) in zip(found, rows, strict=True):
        assert got.seen == sent.seen
        assert np.allclose(got.coefficients, sent.coefficients, atol=1e-7)
        assert np.allclose(got.angles_deg, sent.angles_deg, atol=1e-5)


def test_the_file_has_the_app_s_columns(tmp_path: Path) -> None:
    save_csv([(3661.5, sample(jawOpen=0.5))], tmp_path / "take.csv")
    header, row = (line.split(",") for line in (tmp_path / "take.csv").read_text().splitlines())
    assert header[:3] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft"]
    assert header[16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"]
    assert header[-9:-5] == ["HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw"]
    assert header[-1] == "RightEyeRoll"
    assert row[:2] == ["01:01:01:30.000", "61"]
    assert row[19] == "0.5"


def csv_of(*timecodes: str, drop: tuple[str, ...] = (), cells: dict[str, str] | None = None) -> str:
    """A file with the jaw open; columns in another order and one that nobody knows."""
    names = [
        "timecode",
        "BlendshapeCount",
        "Mood",
        *(name for name in reversed(arkit.NAMES) if name not in drop),
        "HeadYaw",
    ]
    values = {"BlendshapeCount": "61", "Mood": "fine", "jawOpen": "0.5", "HeadYaw": "-0.1"} | (cells or {})
    rows = [",".join([timecode, *(values.get(name, "0") for name in names[1:])]) for timecode in timecodes]
    return "\ufeff" + "\r\n".join([",".join(names), *rows]) + "\r\n\r\n"


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv_of("23:59:59:59.500", "00:00:00:00.500", drop=("tongueOut",)), encoding="utf-8")
    (first_s, got), (second_s, _) = load_csv(tmp_path / "a.csv")
    assert got.coefficients == pytest.approx(arkit.coefficients({"jawOpen": 0.5}))
    assert got.angles_deg == pytest.approx((math.degrees(0.1), 0, 0))
    assert first_s == 0
    assert second_s == pytest.approx(1 / 60)  # over midnight


def test_a_slower_take_is_recognised_by_its_full_seconds(tmp_path: Path) -> None:
    codes = [f"10:00:{second:02}:{frame:02}.000" for second in range(3) for frame in range(30)]
    (tmp_path / "a.csv").write_text(csv_of(*codes), encoding="utf-8")
    assert load_csv(tmp_path / "a.csv")[-1][0] == pytest.approx(2 + 29 / 30)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "first row"),
        ("song,1\n", "first row"),
        (csv_of(), "no rows"),
        (csv_of("1:00:00:00", drop=("jawOpen", "cheekPuff")), "no column jawOpen, cheekPuff"),
        (csv_of("1:00:00:00", "soon"), "row 3 has the timecode 'soon'"),
        (csv_of("1:00:00:01", "1:00:00:02", "1:00:00:02"), "row 4 is not later"),
        (csv_of("1:00:00:00", cells={"jawOpen": "wide"}), "row 2 has unusable row: could not convert"),
        (csv_of("1:00:00:00", cells={"jawOpen": "nan"}), "row 2 has unusable values: not a finite"),
        (csv_of("1:00:00:00") + "1:00:00:01,61,0,0,0\r\n", "row 4 has unusable row: 5 values"),
        (csv_of("1:00:00:00") + '"' + "x" * 200_000, "field larger"),
    ],
)  # fmt: skip
def test_a_damaged_file_names_the_row(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=found):
        load_csv(tmp_path / "a.csv")


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is nothing"):
        load_csv(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="decode"):
        load_csv(tmp_path / "a.csv")
