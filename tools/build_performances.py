"""Write the shipped performances from scripts: engine/assets/performances/{hello,talk,look}.performance

python -m tools.build_performances
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from engine.perform.recording import SUFFIX, Moment, save_performance
from tools.build_demo_clip import RATE_HZ, Key, lids, performance_at

HELLO = (
    Key(0.0),
    Key(0.4, pitch_deg=-4, actions={"brows_up": 0.06, "smile": 0.5}),
    Key(0.8, pitch_deg=9, actions={"smile": 0.8}),
    Key(1.2, pitch_deg=-2, actions={"smile": 0.9, "jaw_open": 0.05}),
    Key(1.4, actions={"smile": 0.9, **lids(0.27)}),
    Key(1.6, actions={"smile": 0.8}),
    Key(2.3, roll_deg=6, actions={"smile": 0.6}),
    Key(3.0),
)
TALK = (
    Key(0.0),
    Key(0.3, actions={"jaw_open": 0.12}),
    Key(0.45, actions={"jaw_open": 0.03, "mouth_wide": 0.05}),
    Key(0.65, pitch_deg=2, actions={"jaw_open": 0.20}),
    Key(0.85, actions={"jaw_open": 0.01, "mouth_wide": -0.08}),
    Key(1.1, yaw_deg=4, actions={"jaw_open": 0.15, "mouth_wide": 0.04}),
    Key(1.3, yaw_deg=5, actions=lids(0.27)),
    Key(1.5, yaw_deg=3, actions={"jaw_open": 0.08, "mouth_wide": -0.06}),
    Key(1.75, actions={"jaw_open": 0.22, "brows_up": 0.04}),
    Key(2.0, yaw_deg=-4, actions={"jaw_open": 0.02}),
    Key(2.3, yaw_deg=-5, actions={"jaw_open": 0.16, "mouth_wide": 0.05}),
    Key(2.6, actions={"smile": 0.4}),
    Key(3.0),
)
LOOK = (
    Key(0.0),
    Key(0.5, yaw_deg=-14, actions={"gaze_right": -0.04}),
    Key(0.9, yaw_deg=-16, actions={"gaze_right": -0.03}),
    Key(1.1, yaw_deg=-8, actions=lids(0.27)),
    Key(1.6, yaw_deg=15, actions={"gaze_right": 0.04}),
    Key(2.1, yaw_deg=10, pitch_deg=8, actions={"gaze_down": 0.02}),
    Key(2.4, pitch_deg=-6, actions={"brows_up": 0.06}),
    Key(2.7, actions={"blink_left": 0.27}),
    Key(3.0),
)
SCRIPTS = {"hello": HELLO, "talk": TALK, "look": LOOK}


def moments_of(script: Sequence[Key]) -> list[Moment]:
    """A script at 30 Hz."""
    count = round(script[-1].at_s * RATE_HZ) + 1
    return [Moment(i / RATE_HZ, performance_at(i / RATE_HZ, script)) for i in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("engine/assets/performances"))
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in SCRIPTS.items():
        path = folder / f"{name}{SUFFIX}"
        save_performance(moments_of(script), path)
        print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
