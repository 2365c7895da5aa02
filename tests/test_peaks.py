"""Peaks that networks in whole numbers of 8 bits need are measured of every layer that has a ReLU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from models.config import CONFIGS
from models.graph import build_graph
from models.weights import PEAK, load_weights

torch = pytest.importorskip("torch", reason="torch is not installed")

from tools import ship_renderer  # noqa: E402
from tools.measure_peaks import peaks_of, shipped  # noqa: E402

CONFIG = CONFIGS["eye"]


def inputs(seed: int) -> torch.Tensor:
    return 2 * torch.rand(2, CONFIG.inputs, 32, 32, generator=torch.Generator().manual_seed(seed)) - 1


def test_a_graph_of_whole_numbers_finds_every_peak() -> None:
    weights = {name: value for name, value in load_weights("eye").items() if not name.endswith(PEAK)}
    peaks = {name + PEAK: np.array(peak, np.float32) for name, peak in peaks_of(shipped("eye"), [inputs(0)]).items()}
    assert {name for name in load_weights("eye") if name.endswith(PEAK)} == set(peaks)
    assert build_graph(load(save(weights | peaks)), CONFIG, 1, "i8").graph.node


def test_what_is_shipped_may_keep_some_of_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Peaks, which a training run has none of, are no part of that; a new file has none until they are measured."""
    monkeypatch.setattr(ship_renderer, "weights_folder", lambda: tmp_path)
    run = {name: 3 * tensor for name, tensor in shipped("eye").state_dict().items()}
    torch.save(run, tmp_path / "weights.pt")
    ship_renderer.ship(tmp_path, "eye", 0.5)
    before, after = load_weights("eye"), load_weights("eye", tmp_path)
    assert set(after) == {name for name in before if not name.endswith(PEAK)}
    assert np.allclose(after["head.bias"], 2 * before["head.bias"], atol=1e-2)


def test_peaks_are_the_largest_of_all_batches() -> None:
    renderer = shipped("eye")
    one, other, both = (peaks_of(renderer, batches) for batches in ([inputs(1)], [inputs(2)], [inputs(1), inputs(2)]))
    assert both == {name: max(one[name], other[name]) for name in one}
    assert min(both.values()) > 0
