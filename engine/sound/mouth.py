"""What a mouth does while a sound is heard: a small network on cepstra, causal but for its look-ahead, in NumPy.

Weights: engine/assets/sound.safetensors, made by `tools.train_visemes`. Levels are taken relative to the speaker's and to the
noise's, both followed while it runs; the cepstra lose their running mean over the speech heard so far, which takes out
microphone, room and part of the speaker (Atal 1974, "Effectiveness of linear prediction characteristics ...", JASA 55).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.face.arkit import NAMES
from engine.shipped import shipped
from engine.sound.mfcc import CENTRE_S, FEATURES, HOP_S, RATE_HZ, Features, Mfcc, Samples
from models.weights import Weights, load_weights

PAST: Final = 11  # windows before the one that is answered
FUTURE: Final = 4  # windows after it
SEEN: Final = PAST + 1 + FUTURE
LOOK_AHEAD_S: Final = FUTURE * HOP_S + CENTRE_S  # how much sound after an instant the answer for it needs
CHANNELS: Final = (  # a name without its side stands for both; `seal` is how far the lips close what the jaw opened
    "jawOpen", "seal", "mouthFunnel", "mouthPucker", "mouthStretch", "mouthSmile", "mouthPress", "mouthRollLower",
    "mouthRollUpper", "mouthLowerDown", "mouthUpperUp", "mouthShrugLower", "mouthShrugUpper",
)  # fmt: skip
VOICE: Final = len(CHANNELS)  # the network's last output: is this speech?
_JAW, _SEAL, _CLOSE = CHANNELS.index("jawOpen"), CHANNELS.index("seal"), NAMES.index("mouthClose")
SPREAD: Final = np.array([[name in (c, f"{c}Left", f"{c}Right") for name in NAMES] for c in CHANNELS], np.float32)

_DB = float(np.log(10) / 10)  # of the natural logarithm of power
NEVER_SPEECH = -62.0 * _DB  # of full scale: quieter than speech through any usable microphone
FLOOR_START, FLOOR_LOWEST = -60.0 * _DB, -75.0 * _DB
FLOOR_RISE = 4.0 * _DB * HOP_S  # 4 dB/s: a pause brings it back faster than speech lifts it
PEAK_START, PEAK_FALL = -22.0 * _DB, 1.0 * _DB * HOP_S
QUIET_OVER_FLOOR, LOUD_OVER_FLOOR = 5.0 * _DB, 10.0 * _DB
KNOWN_WINDOWS, MOST_WINDOWS = 300, 2000  # how much speech the mean over all speakers is worth; how much is remembered
HOLD_WINDOWS = 12  # a stop's silence lasts up to 120 ms and doesn't end the speech
RELEASE = HOP_S / 0.08
OPENING_OF_VOICE = (0.5, 0.8)
SHUTTING_OF_SEAL = (0.2, 0.6)  # lips meet or don't: what the network finds likely is taken for certain
SILENCE: Final = np.array([[0.0] * (FEATURES - 2) + [-3.0, 0.0]], np.float32)  # what was before the first sample


class LevelAndMean:
    """Turns features into what the network sees, one window after the other."""

    def __init__(self, mean: NDArray[np.float32], scale: NDArray[np.float32]) -> None:
        """Mean and spread (12,) of c1 ... c12 over the speech of many speakers."""
        self._mean, self._scale = mean.copy(), scale
        self._heard = float(KNOWN_WINDOWS)
        self._floor, self._peak = FLOOR_START, PEAK_START

    def __call__(self, features: Features) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Inputs (windows, FEATURES), about [-3, 3]: c1 ... c12, level to peak, to floor; loudness (windows,) in [0, 1]."""
        inputs, loudness = np.empty((len(features), FEATURES), np.float32), np.empty(len(features), np.float32)
        for i, window in enumerate(features):
            loudness[i] = self._follow(float(window[-1]))
            if loudness[i] > 0.9:
                self._heard = min(self._heard + 1.0, MOST_WINDOWS)
                self._mean += (window[1:-1] - self._mean) / self._heard
            inputs[i, :-2] = (window[1:-1] - self._mean) / self._scale
            inputs[i, -2] = max((window[-1] - self._peak) / 3.0, -3.0)
            inputs[i, -1] = min((window[-1] - self._floor) / 3.0, 3.0)
        return inputs, loudness

    def _follow(self, level: float) -> float:
        """How far this level, log power, stands out of the noise: 0 not at all, 1 surely."""
        self._floor = max(min(level, self._floor + FLOOR_RISE), FLOOR_LOWEST)
        over = (level - self._floor - QUIET_OVER_FLOOR) / (LOUD_OVER_FLOOR - QUIET_OVER_FLOOR)
        heard = min(max(over, 0.0), 1.0) if level > NEVER_SPEECH else 0.0
        self._peak = max(level, self._peak - PEAK_FALL) if heard > 0.9 else self._peak
        return heard


@dataclass(frozen=True, slots=True)
class Mouths:
    """What the mouth does at several instants, oldest first."""

    times_s: NDArray[np.float64]  # (n,), rising, on the clock of the samples
    coefficients: NDArray[np.float32]  # (n, 52) in [0, 1], by engine.face.arkit
    voice: NDArray[np.float32]  # (n,) in [0, 1]: 0 is silence or noise, there the mouth is shut


class Gate:
    """Opens at once for speech; holds through the silence of a stop, then shuts in 80 ms."""

    def __init__(self) -> None:
        self._open, self._held = 0.0, 0

    def __call__(self, heard: NDArray[np.float32]) -> NDArray[np.float32]:
        """Openness (n,) in [0, 1] for how surely speech was heard (n,), one window after the other."""
        opened = np.empty_like(heard)
        for i, now in enumerate(heard):
            if now >= self._open:
                self._open, self._held = float(now), HOLD_WINDOWS
            elif self._held > 0:
                self._held -= 1
            else:
                self._open = max(float(now), self._open - RELEASE)
            opened[i] = self._open
        return opened


def mouths_of(channels: NDArray[np.float32], voice: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 52) coefficients of channels (n, 13) and voice (n,), both in [0, 1]."""
    heard = channels * voice[:, None]
    coefficients = heard @ SPREAD
    coefficients[:, _CLOSE] = heard[:, _JAW] * between(SHUTTING_OF_SEAL, channels[:, _SEAL])
    return coefficients


class MouthModel:
    """A speaker's mouth from his running sound; one object a speaker and a run of sound."""

    def __init__(self, weights: Weights | None = None) -> None:
        """With the shipped weights unless others are given: `mean`, `scale` (12,), `w0`, `b0`, ... of the layers."""
        self._weights = load_weights("sound", shipped()) if weights is None else weights
        self._mfcc, self._gate = Mfcc(), Gate()
        self._level = LevelAndMean(self._weights["mean"], self._weights["scale"])
        self._inputs = np.repeat(SILENCE, PAST, axis=0)
        self._loudness, self._times_s = np.zeros(0, np.float32), np.zeros(0)

    def __call__(self, samples: Samples, began_s: float) -> Mouths:
        """The mouths that these samples complete, LOOK_AHEAD_S behind them. `began_s` is the time of the first sample."""
        first_s = began_s - self._mfcc.kept / RATE_HZ + CENTRE_S
        inputs, loudness = self._level(self._mfcc(samples))
        self._inputs = np.concatenate((self._inputs, inputs))
        self._loudness = np.concatenate((self._loudness, loudness))
        self._times_s = np.concatenate((self._times_s, first_s + HOP_S * np.arange(len(inputs))))
        count = max(0, len(self._inputs) - SEEN + 1)
        outputs = self.network(windows_of(self._inputs)) if count else np.zeros((0, VOICE + 1), np.float32)
        voice = self._gate(heard_in(outputs[:, VOICE], self._loudness[:count]))
        done = Mouths(self._times_s[:count], mouths_of(outputs[:, :VOICE], voice), voice)
        self._inputs, self._loudness, self._times_s = (
            self._inputs[count:],
            self._loudness[count:],
            self._times_s[count:],
        )
        return done

    def network(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, SEEN * FEATURES) -> (n, VOICE + 1) in [0, 1]."""
        layer, x = 0, windows
        while f"w{layer + 1}" in self._weights:
            x = np.maximum(x @ self._weights[f"w{layer}"] + self._weights[f"b{layer}"], 0.0)
            layer += 1
        return 1.0 / (1.0 + np.exp(-(x @ self._weights[f"w{layer}"] + self._weights[f"b{layer}"])))


def heard_in(speech: NDArray[np.float32], loudness: NDArray[np.float32]) -> NDArray[np.float32]:
    """How surely speech was heard, of the network's opinion and of the level over the noise, all (n,) in [0, 1]."""
    return between(OPENING_OF_VOICE, speech) * loudness


def between(bounds: tuple[float, float], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 up to the first bound, 1 from the second on."""
    return np.clip((values - bounds[0]) / (bounds[1] - bounds[0]), 0.0, 1.0)


def windows_of(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, FEATURES) -> (n - SEEN + 1, SEEN * FEATURES): each window with its past and future, oldest first."""
    seen = np.lib.stride_tricks.sliding_window_view(inputs, SEEN, axis=0)  # (n - SEEN + 1, FEATURES, SEEN)
    return np.ascontiguousarray(seen.transpose(0, 2, 1)).reshape(len(seen), SEEN * FEATURES)
