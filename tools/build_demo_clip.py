"""Animate the demo performer by a written script: `engine/assets/demo.mp4`, 10 s at 1280 x 720 and 30 Hz, loops seamlessly.

python -m tools.build_demo_clip
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.face.performance import HeadMotion, Performance
from engine.face.reference import reference_face
from engine.live.frame import Frame
from engine.output.video_file import VideoFileSink
from engine.puppet.format import load_puppet
from engine.render.scene import PortraitScene

RATE_HZ = 30
WIDTH_PX, HEIGHT_PX = 1280, 720


@dataclass(frozen=True, slots=True)
class Key:
    """A pose at a time; what isn't named is neutral. Between keys everything eases."""

    at_s: float
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    actions: dict[str, float] = field(default_factory=dict)


def lids(amount: float) -> dict[str, float]:
    return {"blink_left": amount, "blink_right": amount}


SCRIPT = (
    Key(0.0),
    Key(0.8),
    Key(1.0, actions=lids(0.27)),
    Key(1.2),
    Key(1.7, actions={"jaw_open": 0.16}),
    Key(1.9, actions={"jaw_open": 0.05, "mouth_wide": 0.05}),
    Key(2.15, actions={"jaw_open": 0.24}),
    Key(2.4, actions={"jaw_open": 0.02, "mouth_wide": -0.08}),
    Key(2.7, yaw_deg=6, actions={"jaw_open": 0.14}),
    Key(3.0, yaw_deg=10),
    Key(3.7, yaw_deg=20, pitch_deg=2, actions={"gaze_right": 0.04}),
    Key(4.3, yaw_deg=20, pitch_deg=2, actions={"smile": 0.9, "gaze_right": 0.03}),
    Key(5.1, yaw_deg=-18, actions={"smile": 1.1, "jaw_open": 0.06, "gaze_right": -0.04}),
    Key(5.5, yaw_deg=-18, actions={"smile": 0.8, **lids(0.0)}),
    Key(5.7, yaw_deg=-14, actions={"smile": 0.6, **lids(0.27)}),
    Key(5.9, yaw_deg=-10, actions={"smile": 0.4}),
    Key(6.4, pitch_deg=-8, roll_deg=-6, actions={"brows_up": 0.06}),
    Key(7.0, pitch_deg=-8, roll_deg=-6, actions={"brows_up": 0.06, "jaw_open": 0.12}),
    Key(7.5, pitch_deg=8, roll_deg=5, actions={"gaze_down": 0.02}),
    Key(8.0, roll_deg=9, actions={"blink_left": 0.27}),
    Key(8.4, roll_deg=6, actions={"smile": 0.8}),
    Key(8.9, actions={"jaw_open": 0.30, "brows_up": 0.04}),
    Key(9.3, actions={"jaw_open": 0.06}),
    Key(9.6),
    Key(10.0),
)


def performance_at(time_s: float, script: Sequence[Key] = SCRIPT) -> Performance:
    """A script at a time from its first to its last key."""
    names = sorted(reference_face().actions)
    rows = np.array([[k.yaw_deg, k.pitch_deg, k.roll_deg, *(k.actions.get(n, 0.0) for n in names)] for k in script])
    times = np.array([k.at_s for k in script])
    after = int(np.clip(np.searchsorted(times, time_s, side="right"), 1, len(times) - 1))
    share = float(np.clip((time_s - times[after - 1]) / (times[after] - times[after - 1]), 0, 1))
    share = share * share * (3 - 2 * share)
    row = rows[after - 1] + share * (rows[after] - rows[after - 1])
    sway = 0.02 * np.sin(2 * np.pi * time_s / 5)
    head = HeadMotion(
        (row[0] + 30 * sway, row[1], row[2]),
        np.array([row[0] / 250 + sway, abs(row[0]) / 500, 0], np.float32),
        1.0,
    )
    return Performance(head, reference_face().offsets(dict(zip(names, row[3:].tolist(), strict=True))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--puppet", type=Path, default=Path("engine/assets/puppets/dora.puppet"))
    parser.add_argument("--out", type=Path, default=Path("engine/assets/demo.mp4"))
    arguments = parser.parse_args()
    scene = PortraitScene(load_puppet(arguments.puppet), WIDTH_PX, HEIGHT_PX)
    sink = VideoFileSink(arguments.out, RATE_HZ, quality=23, wait=True)
    for index in range(round(SCRIPT[-1].at_s * RATE_HZ)):
        time_s = index / RATE_HZ
        sink.send(Frame(scene.draw(performance_at(time_s)), index, time_s))
    sink.close()
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
