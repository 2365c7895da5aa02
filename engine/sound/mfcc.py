"""Mel-frequency cepstral coefficients of a running sound, causal: what the mouth's network hears.

Davis & Mermelstein, "Comparison of parametric representations for monosyllabic word recognition in continuously spoken
sentences", IEEE TASSP 28(4), 1980: windows of 25 ms each 10 ms, the power in triangular bands of equal width in mel, its
logarithm, a cosine transform.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]  # (samples,), mono at RATE_HZ, full scale is [-1, 1]
Features = NDArray[np.float32]  # (windows, FEATURES): c0 ... c12, then log energy; natural logarithms

RATE_HZ: Final = 16_000
WINDOW: Final = 400  # samples, 25 ms
HOP: Final = 160  # samples, 10 ms
HOP_S: Final = HOP / RATE_HZ
CENTRE_S: Final = WINDOW / 2 / RATE_HZ  # of a window, after its first sample
FILTERS: Final = 26
CEPSTRA: Final = 13
FEATURES: Final = CEPSTRA + 1
BAND_HZ: Final = (80.0, 7600.0)
PRE_EMPHASIS: Final = 0.97
QUIETEST: Final = 1e-9  # mean power below which everything is equally silent: -90 dB of full scale
_FFT: Final = 512


def mel_of(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pitch in mel (O'Shaughnessy 1987)."""
    return 2595.0 * np.log10(1.0 + frequency_hz / 700.0)


def filter_bank() -> NDArray[np.float32]:
    """(257, FILTERS) weights of FFT bins: triangles that overlap by half, equally wide in mel."""
    low, high = mel_of(np.array(BAND_HZ))
    edges = np.linspace(low, high, FILTERS + 2)
    bins = mel_of(np.arange(_FFT // 2 + 1) * RATE_HZ / _FFT)[:, None]
    rising, falling = (bins - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins) / np.diff(edges)[1:]
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def cosine_transform() -> NDArray[np.float32]:
    """(FILTERS, CEPSTRA): orthonormal DCT-II."""
    angles = np.pi * (np.arange(FILTERS)[:, None] + 0.5) * np.arange(CEPSTRA) / FILTERS
    scale = np.where(np.arange(CEPSTRA) == 0, np.sqrt(1 / FILTERS), np.sqrt(2 / FILTERS))
    return (np.cos(angles) * scale).astype(np.float32)


_TAPER: Final = np.hamming(WINDOW).astype(np.float32)
_BANK: Final = filter_bank()
_COSINES: Final = cosine_transform()


def band_powers(emphasised: Samples) -> NDArray[np.float32]:
    """(windows, FILTERS) mean power in each band; windows that don't fit whole are left out."""
    windows = np.lib.stride_tricks.sliding_window_view(emphasised, WINDOW)[::HOP]
    spectrum = np.fft.rfft(windows * _TAPER, _FFT)
    return (np.abs(spectrum) ** 2 / WINDOW).astype(np.float32) @ _BANK


class Mfcc:
    """Features of a sound that comes in blocks of any length; they don't depend on how it was cut."""

    def __init__(self) -> None:
        self._kept = np.zeros(0, np.float32)  # from the next window's first sample on
        self._before = np.float32(0.0)  # the sample before those

    @property
    def kept(self) -> int:
        """How many samples of earlier blocks the next window begins with."""
        return len(self._kept)

    def __call__(self, samples: Samples) -> Features:
        """Features of each window that these samples complete, oldest first; (0, FEATURES) where they complete none."""
        sound = np.concatenate((self._kept, samples)).astype(np.float32)
        count = max(0, (len(sound) - WINDOW) // HOP + 1)
        before, self._kept = self._before, sound[count * HOP :]
        if count == 0:
            return np.zeros((0, FEATURES), np.float32)
        self._before = sound[count * HOP - 1]
        used = sound[: (count - 1) * HOP + WINDOW]
        emphasised = used - np.float32(PRE_EMPHASIS) * np.concatenate(((before,), used[:-1]))
        powers = np.log(np.maximum(band_powers(emphasised), QUIETEST))
        windows = np.lib.stride_tricks.sliding_window_view(used, WINDOW)[::HOP]
        energy = np.log(np.maximum((windows**2).mean(axis=1), QUIETEST))
        return np.concatenate((powers @ _COSINES, energy[:, None]), axis=1).astype(np.float32)
