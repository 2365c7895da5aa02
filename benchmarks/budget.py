"""What each stage may take on the two-core reference machine, ms a frame at 1280 x 720, one stage at a time.

A frame comes every 33 ms and there are two cores: all stages together have 66 ms of one core, of which decoding the
camera's picture and the programs that watch the result need their share.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Budget(NamedTuple):
    """Limits of a stage, ms."""

    p50: float
    p99: float


BUDGET_MS: Final = {
    "capture": Budget(8, 16),  # decoding H.264; a webcam's MJPG takes as long
    "track": Budget(9, 18),
    "render": Budget(20, 32),
    "output": Budget(0.5, 2),  # the hand-over; encoding has a thread of its own
    "track: landmarks": Budget(7, 15),
    "track: pose, filter, performance": Budget(2, 4),
    "render: retarget": Budget(1, 2),
    "render: warp_mesh": Budget(3.5, 7),
    "render: sample": Budget(5, 9),
    "render: soften_edges": Budget(2, 4),
    "render: mouth": Budget(2.5, 5),  # what shows of it; laying it on is in what is left, as for irises
    "render: irises": Budget(1.5, 3),
    "render: networks": Budget(10, 16),  # crops, all networks of a frame, and laying them back
    "render: canvas": Budget(2, 4),  # what is left
    "render: badge and mark": Budget(1.5, 3),  # the mark; the badge is small
}
