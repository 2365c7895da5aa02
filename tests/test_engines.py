"""TensorRT engines: every shipped network is built without a GPU where TensorRT-RTX is installed; the cache survives damage."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.render.generator import PARTS, places_of
from models import tensorrt_engine
from models.config import CONFIGS
from models.graph import build_graph
from models.tensorrt_engine import EngineError, EngineKey, build_engine, cached_engine, find_tensorrt, key_of
from models.weights import load_weights

RTX = "tensorrt_rtx_bindings"
KEY = EngineKey("tensorrt 11.0", "a GPU", "600.1", "ab")


@pytest.mark.skipif(find_spec(RTX) is None, reason="tensorrt-rtx is not installed: make engines")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("target", ["SM75", "SM89", "SM120"])
def test_every_network_builds_for_every_generation(part: str, target: str) -> None:
    trt = pytest.importorskip(RTX)
    graph = build_graph(load_weights(part), CONFIGS[part], len(places_of(part)), "f16").SerializeToString()
    told: list[str] = []
    engine = build_engine(trt, graph, target=target, progress=lambda phase, done, steps: told.append(phase))
    assert len(engine) > 100_000
    assert told
    assert key_of(trt, graph, target, "none").product.startswith(RTX)


@pytest.mark.skipif(find_spec(RTX) is None, reason="tensorrt-rtx is not installed: make engines")
def test_a_graph_that_is_none_says_so() -> None:
    with pytest.raises(EngineError, match=r"\w"):
        build_engine(pytest.importorskip(RTX), b"this is no graph", target="SM89")


def test_without_tensorrt_every_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_engine, "find_spec", lambda name: "there" if name == "tensorrt" else None)
    monkeypatch.setattr(tensorrt_engine, "nvidia_driver_found", lambda: False)
    with pytest.raises(EngineError, match=r"without an NVIDIA driver; tensorrt_rtx is not installed"):
        find_tensorrt()


def test_an_engine_is_built_once(tmp_path: Path) -> None:
    built: list[int] = []

    def build() -> bytes:
        built.append(1)
        return b"engine" * 100

    assert cached_engine(tmp_path / "new", KEY, build) == cached_engine(tmp_path / "new", KEY, build) == b"engine" * 100
    assert len(built) == 1


@given(st.integers(0, 631), st.integers(1, 255), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_damaged_cache_is_built_anew(
    tmp_path_factory: pytest.TempPathFactory, place: int, flip: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    engine = b"engine" * 100
    cached_engine(folder, KEY, lambda: engine)
    path = folder / KEY.file_name()
    data = bytearray(path.read_bytes())
    data[place] ^= flip
    path.write_bytes(data[:place] if cut else data)
    assert cached_engine(folder, KEY, lambda: b"anew") == b"anew"
    assert cached_engine(folder, KEY, lambda: b"not again") == b"anew"


@given(st.sampled_from(["product", "gpu", "driver", "graph_sha256"]), st.text(min_size=1, max_size=8))
def test_another_key_is_another_engine(field: str, value: str) -> None:
    other = replace(KEY, **{field: value})  # type: ignore[arg-type]
    assert (other.file_name() == KEY.file_name()) is (other == KEY)


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert cached_engine(blocked, KEY, lambda: b"engine") == b"engine"
