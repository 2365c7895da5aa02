"""What this machine is, for reports."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def processor_flags() -> set[str]:
    """Instruction sets, as Linux names them; empty on other systems."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("flags"):
                return set(line.partition(":")[2].split())
    return set()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(gpu: str = "none used") -> dict[str, str | int | float]:
    """Machine, system and Python, and the GPU that was used."""
    return {
        "processor": processor(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "gpu": gpu,
    }


def memory_mb() -> float:
    """Resident memory of this process; not a number where the system doesn't say (some virtual machines)."""
    try:
        return float(psutil.Process().memory_info().rss) / 2**20
    except psutil.Error:
        return float("nan")
