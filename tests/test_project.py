"""The rules of the project itself."""

from __future__ import annotations

import ast
import io
import json
import tomllib
from importlib import import_module
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from engine.config import RunConfig
from kernels.registry import CPU_ONLY, KERNELS

ROOT = Path(__file__).resolve().parents[1]
OURS = ("engine", "kernels", "models", "tools", "benchmarks")
MAY_IMPORT = {
    "engine": {"engine", "kernels", "models"},
    "kernels": {"kernels"},
    "models": {"models"},
    "tools": {"engine", "kernels", "models", "tools"},
    "benchmarks": set(OURS),
}


def imported(path: Path) -> set[str]:
    """Top-level packages of ours that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names & set(OURS)


@pytest.mark.parametrize("package", OURS)
def test_who_may_import_whom(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert imported(path) <= MAY_IMPORT[package], path


def test_every_folder_of_ours_is_a_package() -> None:
    for package in OURS:
        folders = {path.parent for path in (ROOT / package).rglob("*.py")}
        assert all((folder / "__init__.py").is_file() for folder in folders), package


def test_live_knows_nothing_of_faces() -> None:
    for path in (ROOT / "engine" / "live").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not any(
            f"engine.{room}" in text for room in ("face", "track", "render", "puppet", "capture", "output")
        ), path


def test_no_other_distribution_owns_our_names() -> None:
    owners = packages_distributions()
    for name in OURS:
        assert set(owners.get(name, [])) <= {"mimicam"}


def test_only_one_opencv() -> None:
    found = {d.metadata["Name"].lower() for d in distributions() if d.metadata["Name"].lower().startswith("opencv")}
    assert found == {"opencv-contrib-python"}


def test_distribution_is_private() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "Private :: Do Not Upload" in project["classifiers"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("implementation", ["reference", "cpu", "cuda"])
def test_every_kernel_has_every_implementation(kernel: str, implementation: str) -> None:
    if implementation == "cuda" and kernel in CPU_ONLY:
        assert not (ROOT / "kernels" / kernel / "cuda.py").exists()
    else:
        assert callable(getattr(import_module(f"kernels.{kernel}.{implementation}"), kernel))


def test_the_container_recipe_can_be_read_and_names_what_is_here() -> None:
    """Parsed, not built: its base image and TensorRT come from networks that tests don't use."""
    parser = DockerfileParser(fileobj=io.BytesIO((ROOT / "Containerfile").read_bytes()))
    steps = {step["instruction"]: step["value"] for step in parser.structure}
    assert set(steps) <= {"COMMENT", "FROM", "RUN", "ENV", "WORKDIR", "COPY", "ENTRYPOINT", "CMD"}
    assert parser.baseimage.startswith("docker.io/nvidia/cuda:13.")
    target = steps["RUN"].removeprefix("make ").replace(".venv", "$(VENV)")
    assert f"\n{target}:" in (ROOT / "Makefile").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert {"cuda", "tensorrt", "train"} <= set(extras)
    options = json.loads(steps["CMD"])[1:]
    RunConfig(device=options[1], runtime=options[3])
