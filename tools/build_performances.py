"""Write the shipped performances from scripts: engine/assets/performances/{hello,talk,look}.performance

python -m tools.build_performances
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from engine.face.arkit import both
from engine.perform.recording import SUFFIX, Moment, save_performance
from tools.build_demo_clip import RATE_HZ, Key, brows, gaze_right, performance_at

HELLO = (
    Key(0.0),
    Key(0.4, pitch_deg=-4, shapes={**brows(1.00), **both(mouthSmile=0.29)}),
    Key(0.8, pitch_deg=9, shapes=both(mouthSmile=0.46)),
    Key(1.2, pitch_deg=-2, shapes={**both(mouthSmile=0.52), "jawOpen": 0.12}),
    Key(1.4, shapes={**both(mouthSmile=0.52), **both(eyeBlink=1.0)}),
    Key(1.6, shapes=both(mouthSmile=0.46)),
    Key(2.3, roll_deg=6, shapes=both(mouthSmile=0.35)),
    Key(3.0),
)
TALK = (
    Key(0.0),
    Key(0.3, shapes={"jawOpen": 0.28}),
    Key(0.45, shapes={"jawOpen": 0.07, **both(mouthStretch=0.35)}),
    Key(0.65, pitch_deg=2, shapes={"jawOpen": 0.46}),
    Key(0.85, shapes={"jawOpen": 0.02, "mouthPucker": 0.80}),
    Key(1.1, yaw_deg=4, shapes={"jawOpen": 0.35, **both(mouthStretch=0.28)}),
    Key(1.3, yaw_deg=5, shapes=both(eyeBlink=1.0)),
    Key(1.5, yaw_deg=3, shapes={"jawOpen": 0.18, "mouthPucker": 0.60}),
    Key(1.75, shapes={"jawOpen": 0.51, **brows(0.67)}),
    Key(2.0, yaw_deg=-4, shapes={"jawOpen": 0.05}),
    Key(2.3, yaw_deg=-5, shapes={"jawOpen": 0.37, **both(mouthStretch=0.35)}),
    Key(2.6, shapes=both(mouthSmile=0.23)),
    Key(3.0),
)
LOOK = (
    Key(0.0),
    Key(0.5, yaw_deg=-14, shapes=gaze_right(-0.57)),
    Key(0.9, yaw_deg=-16, shapes=gaze_right(-0.43)),
    Key(1.1, yaw_deg=-8, shapes=both(eyeBlink=1.0)),
    Key(1.6, yaw_deg=15, shapes=gaze_right(0.57)),
    Key(2.1, yaw_deg=10, pitch_deg=8, shapes=both(eyeLookDown=0.33)),
    Key(2.4, pitch_deg=-6, shapes=brows(1.00)),
    Key(2.7, shapes={"eyeBlinkRight": 1.00}),
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
