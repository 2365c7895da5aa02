"""Animate the demo performer by a written script: `engine/assets/demo.mp4`, 10 s at 1280 x 720 and 30 Hz, loops seamlessly.

python -m tools.build_demo_clip
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.curves import smoothstep
from engine.face import arkit
from engine.face.arkit import both
from engine.face.model import face_model
from engine.face.performance import HeadMotion, Performance
from engine.live.frame import Frame
from engine.output.video_file import VideoFileSink
from engine.puppet.format import load_puppet
from engine.render.generator import load_networks
from engine.render.portrait_view import PortraitView
from engine.render.scene import Scene

RATE_HZ = 30
WIDTH_PX, HEIGHT_PX = 1280, 720


@dataclass(frozen=True, slots=True)
class Key:
    """A pose at a time; what isn't named is neutral. Between keys everything eases."""

    at_s: float
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    shapes: dict[str, float] = field(default_factory=dict)


def brows(amount: float) -> dict[str, float]:
    return {"browInnerUp": amount, **both(browOuterUp=amount)}


def gaze_right(amount: float) -> dict[str, float]:
    """Both eyes to the viewer's right, or left where negative."""
    towards, away = ("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookInLeft", "eyeLookOutRight")
    return dict.fromkeys(towards if amount > 0 else away, abs(amount))


SCRIPT = (
    Key(0.0),
    Key(0.8),
    Key(1.0, shapes=both(eyeBlink=1.0)),
    Key(1.2),
    Key(1.7, shapes={"jawOpen": 0.37}),
    Key(1.9, shapes={"jawOpen": 0.12, **both(mouthStretch=0.35)}),
    Key(2.15, shapes={"jawOpen": 0.55}),
    Key(2.4, shapes={"jawOpen": 0.05, "mouthPucker": 0.80}),
    Key(2.7, yaw_deg=6, shapes={"jawOpen": 0.32}),
    Key(3.0, yaw_deg=10),
    Key(3.7, yaw_deg=20, pitch_deg=2, shapes=gaze_right(0.57)),
    Key(4.3, yaw_deg=20, pitch_deg=2, shapes={**both(mouthSmile=0.52), **gaze_right(0.43)}),
    Key(5.1, yaw_deg=-18, shapes={**both(mouthSmile=0.64), "jawOpen": 0.14, **gaze_right(-0.57)}),
    Key(5.5, yaw_deg=-18, shapes={**both(mouthSmile=0.46), **both(eyeBlink=0.0)}),
    Key(5.7, yaw_deg=-14, shapes={**both(mouthSmile=0.35), **both(eyeBlink=1.0)}),
    Key(5.9, yaw_deg=-10, shapes=both(mouthSmile=0.23)),
    Key(6.4, pitch_deg=-8, roll_deg=-6, shapes=brows(1.00)),
    Key(7.0, pitch_deg=-8, roll_deg=-6, shapes={**brows(1.00), "jawOpen": 0.28}),
    Key(7.5, pitch_deg=8, roll_deg=5, shapes=both(eyeLookDown=0.33)),
    Key(8.0, roll_deg=9, shapes={"eyeBlinkRight": 1.00}),
    Key(8.4, roll_deg=6, shapes=both(mouthSmile=0.46)),
    Key(8.9, shapes={"jawOpen": 0.69, **brows(0.67)}),
    Key(9.3, shapes={"jawOpen": 0.14}),
    Key(9.6),
    Key(10.0),
)


def performance_at(time_s: float, script: Sequence[Key] = SCRIPT) -> Performance:
    """A script at a time from its first to its last key."""
    rows = np.array([[k.yaw_deg, k.pitch_deg, k.roll_deg, *arkit.coefficients(k.shapes)] for k in script])
    times = np.array([k.at_s for k in script])
    after = int(np.clip(np.searchsorted(times, time_s, side="right"), 1, len(times) - 1))
    share = smoothstep(float((time_s - times[after - 1]) / (times[after] - times[after - 1])))
    row = rows[after - 1] + share * (rows[after] - rows[after - 1])
    sway = 0.02 * np.sin(2 * np.pi * time_s / 5)
    head = HeadMotion(
        (row[0] + 30 * sway, row[1], row[2]),
        np.array([row[0] / 250 + sway, abs(row[0]) / 500, 0], np.float32),
        1.0,
    )
    return Performance(head, face_model().offsets(row[3:].astype(np.float32)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--puppet", type=Path, default=Path("engine/assets/puppets/dora.puppet"))
    parser.add_argument("--out", type=Path, default=Path("engine/assets/demo.mp4"))
    arguments = parser.parse_args()
    scene = Scene(PortraitView(load_puppet(arguments.puppet), WIDTH_PX, HEIGHT_PX, networks=load_networks("auto")))
    sink = VideoFileSink(arguments.out, RATE_HZ, quality=23, wait=True)
    for index in range(round(SCRIPT[-1].at_s * RATE_HZ)):
        time_s = index / RATE_HZ
        sink.send(Frame(scene.draw(performance_at(time_s)), index, time_s))
    sink.close()
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
