"""The report as one HTML page that needs nothing else: a table, age over time, its distribution, a timeline of stages."""

from __future__ import annotations

import html
import io
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;width:100%}td,th{padding:.25em .6em;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}svg{width:100%;height:auto}"""
COLUMNS = ("p50", "p95", "p99", "max")
STAGE_COLOURS = {"track": "#4878a8", "render": "#d8843c"}


def page(report: dict[str, Any]) -> str:
    """The whole page."""
    machine, runs = report["machine"], report["runs"]
    figures = [over_time(runs), distribution(runs), timeline(runs[0])]
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>mimicam: frame age</title><style>{STYLE}</style>
<h1>Frame age, read from the pictures</h1>
<p>From the moment at which the camera handed a picture out to that at which the output had it, as the picture itself says.
 On {html.escape(str(machine["processor"]))}, {machine["cores"]} cores, Python {machine["python"]}, GPU: {machine["gpu"]}.</p>
{table(runs)}
<h2>Age over time</h2>{_svg(figures[0])}
<h2>Distribution</h2>{_svg(figures[1])}
<h2>Ten frames of the first setting</h2>{_svg(figures[2])}
</html>"""


def table(runs: list[dict[str, Any]]) -> str:
    """All runs, a row each."""
    heads = ["setting", *(f"age {c}, ms" for c in COLUMNS), "jitter, ms", "rate", "skipped", "repeated", "out of order"]
    heads += ["CPU, cores", "memory, MB", "quality at the end (steps)"]
    rows = []
    for run in runs:
        cells = [html.escape(run["setting"]["name"]), *(f"{run['age_ms'][c]:.1f}" for c in COLUMNS)]
        cells += [f"{run['jitter_ms']:.1f}", f"{run['rate_hz']:.1f}", str(run["skipped"]), str(run["repeated"])]
        cells += [str(run["out_of_order"]), f"{run['cpu_cores']:.2f}", f"{run['memory_mb']['end']:.0f}"]
        cells += [f"{run['governor']['quality']} ({len(run['governor']['steps'])})"]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "<table><tr>" + "".join(f"<th>{h}</th>" for h in heads) + "</tr>" + "".join(rows) + "</table>"


def over_time(runs: list[dict[str, Any]]) -> Figure:
    """Age against time, a line for each run; logarithmic, since a backlog's age has no end."""
    figure, axes = plt.subplots(figsize=(9, 4))
    for run in runs:
        points = np.array(run["age_over_time"])
        axes.plot(points[:, 0], points[:, 1], linewidth=1, label=run["setting"]["name"])
    axes.set(xlabel="time, s", ylabel="frame age, ms", yscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    return figure


def distribution(runs: list[dict[str, Any]]) -> Figure:
    """Share of pictures that are at most so old."""
    figure, axes = plt.subplots(figsize=(9, 3.5))
    for run in runs:
        ages = np.sort([age for _, age in run["age_over_time"]])
        axes.plot(ages, np.linspace(0, 100, len(ages)), label=run["setting"]["name"])
    axes.set(xlabel="frame age, ms", ylabel="pictures at most so old, %", xscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    return figure


def timeline(run: dict[str, Any]) -> Figure:
    """Which stage worked when on some consecutive frames; dots are capture and arrival."""
    figure, axes = plt.subplots(figsize=(9, 3.5))
    for stage, index, begin, end in run["timeline"]:
        if stage in STAGE_COLOURS:
            axes.barh(index, end - begin, left=begin, color=STAGE_COLOURS[stage], height=0.6)
        else:
            axes.plot(begin, index, "k." if stage == "captured" else "k>", markersize=4)
    handles = [Patch(color=colour) for colour in STAGE_COLOURS.values()]
    axes.legend(handles, STAGE_COLOURS, fontsize=8)
    axes.set(xlabel="time, ms", ylabel="frame")
    axes.invert_yaxis()
    return figure


def _svg(figure: Figure) -> str:
    figure.tight_layout()
    text = io.StringIO()
    figure.savefig(text, format="svg")
    plt.close(figure)
    _, tag, drawing = text.getvalue().partition("<svg")
    return tag + drawing
