"""Draw the README's plot of frame age over time from a result of `mimicam bench latency`.

python -m tools.build_latency_plot benchmarks/results/latency-ways-MACHINE.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images/age-over-time.png"))
    arguments = parser.parse_args()
    result = json.loads(arguments.result.read_text(encoding="utf-8"))
    figure, axes = plt.subplots(figsize=(8, 3.2), dpi=120)
    for run in result["runs"]:
        points = np.array(run["age_over_time"])
        axes.plot(points[:, 0], points[:, 1], linewidth=1.2, label=run["setting"]["name"])
    machine = result["machine"]
    axes.set(
        xlabel="time, s",
        ylabel="frame age, ms",
        yscale="log",
        title=f"{machine['processor']}, {machine['cores']} cores",
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=7, loc="upper left")
    figure.tight_layout()
    figure.savefig(arguments.out)
    print(arguments.out)


if __name__ == "__main__":
    main()
