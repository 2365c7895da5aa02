"""How often the comparison that stands behind consent `self` errs: one person taken for two, two for one.

Same: the neutral and the smiling photograph of each London adult, and pictures of one clip seconds apart. Different:
first photographs of all London and Canadian adults, each against each. Clips are not held against each other: who is in
them is not told.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.puppet.enrol import SAME, apart
from engine.puppet.recogniser import DlibRecogniser
from tools.training_pairs import load_clip, load_stills

OF_A_CLIP = 5  # pictures


@dataclass(frozen=True, slots=True)
class Errors:
    """Distances of pairs."""

    same: NDArray[np.float64]
    different: NDArray[np.float64]

    def at(self, limit: float) -> tuple[float, float]:
        """Shares of one person's pairs that are refused, and of two persons' that pass."""
        return float((self.same > limit).mean()), float((self.different <= limit).mean())


def measure(data: Path) -> Errors:
    """Compare all pairs of the data folder."""
    describe = DlibRecogniser()
    adults = [s for name in ("stills_london", "stills_canada") for s in load_stills(data / "train" / name)]
    described = [[describe(p, q) for p, q in zip(s.pictures, s.landmarks_px, strict=True)] for s in adults]
    same = [apart(a, b) for of in described for a, b in combinations(of, 2)]
    for path in sorted((data / "train" / "clips").glob("*.mp4")) + sorted((data / "eval" / "clips").glob("*.mp4")):
        clip = load_clip(path)
        chosen = np.linspace(0, len(clip.pictures) - 1, OF_A_CLIP).astype(int)
        of = [describe(clip.pictures[i], clip.landmarks_px[i]) for i in chosen]
        same += [apart(a, b) for a, b in combinations(of, 2)]
    different = [apart(a[0], b[0]) for a, b in combinations(described, 2)]
    return Errors(np.array(same), np.array(different))


def report(errors: Errors) -> dict[str, float]:
    """The figures at the limit that is used."""
    refused, passed = errors.at(SAME)
    return {
        "limit": SAME,
        "same_pairs": len(errors.same),
        "different_pairs": len(errors.different),
        "same_refused": refused,
        "different_passed": passed,
        "same_p95": float(np.percentile(errors.same, 95)),
        "different_least": float(errors.different.min()),
    }
