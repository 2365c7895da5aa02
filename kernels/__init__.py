"""Pixel work: each kernel is a folder with its contract, its definition in NumPy and its implementations."""

import os

import numba

# OpenVINO brings a TBB, which Numba would take; its threads spin where OpenMP's sleep (docs/decisions/010).
if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:
    numba.config.THREADING_LAYER_PRIORITY = ["omp", "workqueue", "tbb"]  # type: ignore[attr-defined]
