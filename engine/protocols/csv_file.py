"""The CSV files of the Live Link Face app, in and out.

    Timecode,BlendShapeCount,EyeBlinkLeft,...,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,...,RightEyeRoll
    14:03:52:28.207,61,0.0123,...

The timecode is HH:MM:SS:FF.mmm: FF the frame within the second, mmm thousandths of a frame (not of a second). How many
frames a second has is not in the file; the app's default is 60, and less is believed when whole seconds show it. Values are
those of a packet (`live_link`); a row of count 0, or without values, is one in which the phone saw no face. Columns are
found by name in any case, as versions of the app disagree on their order: JawRight comes before JawLeft here, not in a packet.
Source: recordings and readers of them (Neill3d/PyLiveLinkFace, Express4D, Blender and Maya importers).
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NoReturn

from engine.errors import SourceError
from engine.face import arkit
from engine.files import write_whole
from engine.protocols.convert import lost
from engine.protocols.live_link import ANGLES, COUNT, RATE_HZ, sample_of, values_of
from engine.protocols.sample import MalformedPacketError, Sample

LARGEST_BYTES: Final = 200_000_000  # an hour at 60 frames a second has 150 MB
NEEDLESS: Final = ("tongueout", *(name.lower() for name in ANGLES))  # columns that older versions of the app lack
SLOWER_HZ: Final = (24, 25, 30)
NAMES: Final = (*arkit.NAMES, *ANGLES)  # in the order of a packet
_SWAPPED: Final = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
WRITTEN: Final = [NAMES.index(_SWAPPED.get(name, name)) for name in NAMES]  # places in a packet, in the order of a file
_TIMECODE: Final = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})[:;](\d{1,3})(?:\.(\d{1,6}))?")
_DAY_S: Final = 86400

Timecode = tuple[int, int, float]  # row, second of the day, frame in it


def load_csv(path: Path) -> list[tuple[float, Sample]]:
    """(time in seconds from 0, sample), times increasing. SourceError names the row when the file can't be used."""
    rows = _rows(path)
    columns = _columns(path, next(rows, (1, []))[1])
    timecodes, samples = [], []
    for number, row in rows:
        timecodes.append((number, *_timecode(path, number, row)))
        samples.append(_sample(path, number, row, columns))
    if not samples:
        _damaged(path, "it has no rows")
    return list(zip(_times(path, timecodes), samples, strict=True))


def save_csv(rows: Iterable[tuple[float, Sample]], path: Path) -> None:
    """Write (time in seconds from 0, sample), at 60 frames a second. OutputError when the place can't be written."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = (NAMES[place] for place in WRITTEN)
    writer.writerow(["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in names)])
    for time_s, sample in rows:
        values = values_of(sample)
        count = COUNT if sample.seen else 0
        writer.writerow([_written(time_s), count, *(f"{values[place]:.9g}" for place in WRITTEN)])
    write_whole(path, text.getvalue().encode("ascii"), "the recording")


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number, counted from 1, and cells of each row that has any."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            _damaged(path, f"it is longer than {LARGEST_BYTES // 1_000_000} MB")
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from ((number, row) for number, row in enumerate(csv.reader(file), 1) if row)
    except FileNotFoundError as error:
        raise SourceError(
            wanted=f"a recording at {path}", found="there is nothing", advice="Check the path."
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        _damaged(path, str(error))


def _columns(path: Path, header: list[str]) -> list[int | None]:
    """Where each of `NAMES` is; None for one that isn't there and needn't be."""
    places = {name.strip().lower(): place for place, name in enumerate(header)}
    if places.get("timecode") != 0 or places.get("blendshapecount") != 1:
        _damaged(path, "its first row doesn't begin with Timecode and BlendShapeCount")
    missing = [name for name in NAMES if name.lower() not in places and name.lower() not in NEEDLESS]
    if missing:
        _damaged(path, f"it has no column {', '.join(missing)}")
    return [places.get(name.lower()) for name in NAMES]


def _sample(path: Path, number: int, row: list[str], columns: list[int | None]) -> Sample:
    try:
        if len(row) < 3 or int(row[1]) == 0:
            return lost()
        return sample_of([0.0 if place is None else float(row[place]) for place in columns])
    except (ValueError, IndexError) as error:
        found = str(error) if isinstance(error, ValueError) else f"{len(row)} values"
        kind = "values" if isinstance(error, MalformedPacketError) else "row"
        _damaged(path, f"row {number} has unusable {kind}: {found}")


def _timecode(path: Path, number: int, row: list[str]) -> tuple[int, float]:
    """Second of the day, frame in it."""
    matched = _TIMECODE.fullmatch(row[0].strip())
    if matched is None:
        _damaged(path, f"row {number} has the timecode '{row[0][:40]}'")
    hours, minutes, seconds, frame = (int(part) for part in matched.groups()[:4])
    return 3600 * hours + 60 * minutes + seconds, float(f"{frame}.{matched[5] or 0}")


def _times(path: Path, timecodes: list[Timecode]) -> list[float]:
    rate_hz, first_s, day_s = _rate(timecodes), 0.0, 0
    times_s: list[float] = []
    for number, second, frame in timecodes:
        time_s = second + frame / rate_hz
        if not times_s:
            first_s = time_s
        elif times_s[-1] + first_s - time_s - day_s > _DAY_S / 2:
            day_s += _DAY_S  # midnight
        if times_s and time_s + day_s - first_s <= times_s[-1]:
            _damaged(path, f"row {number} is not later than the row before")
        times_s.append(time_s + day_s - first_s)
    return times_s


def _rate(timecodes: list[Timecode]) -> int:
    """Frames a second: a slower one when whole seconds are as full as it makes them and no frame is beyond it."""
    counts = Counter(second for _, second, _ in timecodes)
    whole = [count for second, count in counts.items() if second not in (timecodes[0][1], timecodes[-1][1])]
    last = max(int(frame) for _, _, frame in timecodes)
    for rate_hz in SLOWER_HZ:
        if last < rate_hz and max(whole, default=0) >= 0.8 * rate_hz:
            return rate_hz
    return max(RATE_HZ, last + 1)


def _written(time_s: float) -> str:
    seconds, thousandths = divmod(round(time_s * RATE_HZ * 1000), RATE_HZ * 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour % 24:02}:{minute:02}:{second:02}:{thousandths // 1000:02}.{thousandths % 1000:03}"


def _damaged(path: Path, what: str) -> NoReturn:
    raise SourceError(
        wanted=f"a recording of Live Link Face in {path}", found=what, advice="Copy it again or record it anew."
    )
