"""All readers against damaged and hostile input: the short form of `python -m tools.fuzz`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.fuzz import TARGETS, damaged, defect

SHORT_FILES, SHORT_PACKETS = 40, 400


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_taken(name: str) -> None:
    """Otherwise nothing behind the first check is reached."""
    for data in TARGETS[name].seeds():
        TARGETS[name].read(data)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_taken_or_refused(name: str) -> None:
    target = TARGETS[name]
    seeds, change = target.seeds(), target.change or damaged

    @given(st.integers(0, 2**63), st.integers(0, len(seeds) - 1))
    @settings(max_examples=SHORT_PACKETS if target.packets else SHORT_FILES, deadline=None)
    def check(seed: int, which: int) -> None:
        assert defect(target, change(seeds[which], np.random.default_rng(seed))) is None

    check()


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.packets])
@given(data=st.binary(max_size=2000))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_packet_or_malformed(name: str, data: bytes) -> None:
    assert defect(TARGETS[name], data) is None
