"""Every kernel once on a device, small, against the CPU's form: what compute-sanitizer looks at (`make test-gpu`).

compute-sanitizer --tool racecheck python -m tests.cuda.every gpu
"""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.kernels import CASES, differ
from engine.render.device import open_device
from kernels.registry import load

SMALLER = 16

device = open_device(sys.argv[1])  # type: ignore[arg-type]
assert device is not None
wrong = []
for case in CASES:
    small = case if case.smaller == 1 else replace(case, smaller=SMALLER)
    size = (small.size[0] // small.smaller, small.size[1] // small.smaller)
    wrong += differ(small, size, device.name, load(case.kernel, "cuda", device), load(case.kernel, "cpu"))
print("\n".join(wrong) or f"{len(CASES)} kernels on {device.name} are right")
sys.exit(bool(wrong))
