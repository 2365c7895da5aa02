"""What got slower since an older report, beyond what repeated runs differ by."""

from __future__ import annotations

from typing import Any

LEAST_MARGIN_MS = 1.0
MARGIN_SPREADS = 2.0  # times the largest difference between repeated runs of either report
MARGIN_SHARE = 0.1  # where nothing was repeated
WATCHED = ("p50", "p99")


def slower(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """A line for each setting and percentile of frame age that is over the old one by more than the margin.

    Settings that only one of the reports has are named as well. Machines that differ make the comparison void, which is
    said in the first line.
    """
    lines = []
    if old["machine"]["processor"] != new["machine"]["processor"] or old["machine"]["cores"] != new["machine"]["cores"]:
        lines.append(f"not comparable: {old['machine']['processor']} then, {new['machine']['processor']} now")
    before, after = (_by_setting(report) for report in (old, new))
    lines += [f"{name}: measured then, not now" for name in sorted(before.keys() - after.keys())]
    for name in sorted(before.keys() & after.keys()):
        lines += _slower(name, before[name], after[name])
    return lines


def _by_setting(report: dict[str, Any]) -> dict[str, list[dict[str, float]]]:
    """Ages of the runs of each setting, by its name."""
    ages: dict[str, list[dict[str, float]]] = {}
    for run in report["runs"]:
        ages.setdefault(run["setting"]["name"], []).append(run["age_ms"])
    return ages


def _slower(name: str, before: list[dict[str, float]], after: list[dict[str, float]]) -> list[str]:
    lines = []
    for key in WATCHED:
        then, now = (sorted(run[key] for run in runs) for runs in (before, after))
        middle_then, middle_now = then[len(then) // 2], now[len(now) // 2]
        spread = max(then[-1] - then[0], now[-1] - now[0])
        margin = max(LEAST_MARGIN_MS, MARGIN_SPREADS * spread if spread > 0 else MARGIN_SHARE * middle_then)
        if middle_now > middle_then + margin:
            lines.append(f"{name}: age {key} {middle_now:.1f} ms, was {middle_then:.1f} (margin {margin:.1f})")
    return lines
