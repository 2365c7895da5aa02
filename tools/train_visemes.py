"""Train the mouth that sound drives, on synthesised speech: python -m tools.train_visemes

Writes engine/assets/sound.safetensors (fp16) and its hash beside it. Needs the extra `train`
and Debian's espeak-ng and flite (apt-get install espeak-ng flite). About six minutes on one core.

What is said, and the mouth that goes with it: `tools/speech.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import nn
from torch.nn import functional as F

from engine.face.arkit import INDEX
from engine.sound.mfcc import CENTRE_S, FEATURES, HOP_S, RATE_HZ, Mfcc
from engine.sound.mouth import CHANNELS, FUTURE, PAST, SEEN, SILENCE, SPREAD, VOICE, LevelAndMean, MouthModel
from models.weights import write_with_sum
from tools.speech import (
    FLITE,
    HELD_OUT_TEXT,
    VISEMES,
    VOICES,
    Array,
    Espeak,
    Speech,
    coloured,
    flite,
    in_a_room,
    joined,
    noise_alone,
    sentences,
    shaped,
    some_speech,
    targets_of,
)

WIDTHS = (SEEN * FEATURES, 256, 128, VOICE + 1)
BATCH_PAIRS, RATE = 768, 2e-3
W_CHANGE, W_SWITCHES = 4.0, 0.3
SWITCHES = (CHANNELS.index("seal"), VOICE)
MISSED = torch.tensor((3.0, 1.0))  # lips that don't meet are seen more than lips that meet too often
CLOSED = 0.05  # jawOpen less mouthClose, below which no gap is seen


def windows_s(count: int) -> NDArray[np.float64]:
    return np.arange(count) * HOP_S + CENTRE_S


def training_set(minutes: float, random: np.random.Generator) -> tuple[list[Array], list[Array]]:
    """Features and targets of many sessions; one in six is noise alone."""
    espeak = Espeak()
    features: list[Array] = []
    targets: list[Array] = []
    while sum(len(f) for f in features) * HOP_S < 60 * minutes:
        if random.random() < 0.18:
            speech = Speech(noise_alone(random), ())
        else:
            clean = some_speech(espeak, random)
            speech = Speech(in_a_room(clean.samples, random, random.random()), clean.sounds)
        features.append(Mfcc()(speech.samples))
        targets.append(targets_of(speech.sounds, windows_s(len(features[-1]))))
    return features, targets


def inputs_of(features: list[Array], mean: Array, scale: Array) -> Array:
    """(n, FEATURES) that the network sees of all sessions, silence between them."""
    edges = np.repeat(SILENCE, SEEN, axis=0)
    return np.concatenate([part for f in features for part in (edges, LevelAndMean(mean, scale)(f)[0], edges)])


def train(features: list[Array], targets: list[Array], mean: Array, scale: Array, epochs: int) -> list[nn.Linear]:
    """The layers: squared error of the shapes and of their change, cross entropy of speech."""
    inputs = torch.from_numpy(inputs_of(features, mean, scale))
    rest = np.zeros((SEEN, VOICE + 1), np.float32)
    wanted = torch.from_numpy(np.concatenate([part for t in targets for part in (rest, t, rest)]))
    layers = [nn.Linear(i, o) for i, o in pairwise(WIDTHS)]
    network = nn.Sequential(layers[0], nn.ReLU(), nn.Dropout(0.1), layers[1], nn.ReLU(), nn.Dropout(0.1), layers[2])
    weight = 0.02 / wanted[:, :VOICE].var(dim=0)  # each channel counts as much, however small
    steps = epochs * len(inputs) // (2 * BATCH_PAIRS)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-4)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        at = torch.randint(PAST, len(inputs) - FUTURE - 1, (BATCH_PAIRS,))
        at = torch.cat((at, at + 1))
        answer = network(seen_at(inputs, at))
        off = torch.sigmoid(answer[:, :VOICE]) - wanted[at, :VOICE]
        changes = off[BATCH_PAIRS:] - off[:BATCH_PAIRS]
        yes_or_no = F.binary_cross_entropy_with_logits(answer[:, SWITCHES], wanted[at][:, SWITCHES], pos_weight=MISSED)
        loss: Any = (off**2 * weight).mean() + W_CHANGE * (changes**2 * weight).mean() + W_SWITCHES * yes_or_no
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()
        if step % 500 == 0:
            print(f"step {step} of {steps}: loss {float(loss.detach()):.4f}", flush=True)
    return layers


def seen_at(inputs: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """(n, SEEN * FEATURES) windows around `at`, as another microphone and speaker would have made them."""
    seen = inputs[at[:, None] + torch.arange(-PAST, FUTURE + 1)]  # (n, SEEN, FEATURES)
    colour = 0.15 * torch.randn(len(at) // 2, 1, FEATURES - 2).repeat(2, 1, 1)  # the same for both of a pair
    seen[:, :, :-2] += colour + 0.1 * torch.randn(seen[:, :, :-2].shape)
    return seen.reshape(len(at), -1)


def weights_of(layers: Sequence[nn.Linear], mean: Array, scale: Array) -> dict[str, NDArray[np.float16]]:
    """As `MouthModel` reads them, contiguous: safetensors writes an array in the order of its memory."""
    tensors = {f"w{i}": layer.weight.detach().T.numpy() for i, layer in enumerate(layers)}
    tensors |= {f"b{i}": layer.bias.detach().numpy() for i, layer in enumerate(layers)}
    return {k: np.ascontiguousarray(v, np.float16) for k, v in (tensors | {"mean": mean, "scale": scale}).items()}


def held_out_speech() -> Iterator[tuple[str, Speech]]:
    """(what is new in it, speech): known voices with new sentences, unknown voices, unknown voices made of recordings."""
    espeak, random, texts = Espeak(), np.random.default_rng(1), sentences(HELD_OUT_TEXT)
    for kind, voices in (("new sentences", VOICES["train"][::5]), ("new voices", VOICES["held out"])):
        for voice in voices:
            name = f"en-us+{voice}".removesuffix("+")
            yield kind, joined([espeak(name, text, 165, 45, 1.0) for text in texts], random)
    for voice in FLITE["held out"]:
        yield "new recorded voice", joined([flite(voice, text, 1.05, 1.0) for text in texts], random)


def figures(weights: dict[str, Array], speech: Speech) -> dict[str, float]:
    """How well the model does with a voice in a room that isn't too bad."""
    found = MouthModel(weights)(in_a_room(speech.samples, np.random.default_rng(2), 0.3), 0.0)
    wanted = targets_of(speech.sounds, found.times_s)

    spoken = wanted[:, VOICE] > 0

    def correlation(name: str, where: NDArray[np.bool_]) -> float:
        channel = CHANNELS.index(name)
        return float(np.corrcoef(found.coefficients[where][:, SPREAD[channel] > 0][:, 0], wanted[where, channel])[0, 1])

    opening = found.coefficients[:, INDEX["jawOpen"]] - found.coefficients[:, INDEX["mouthClose"]]
    middles = [
        (v, (began_s + ended_s) / 2) for v, began_s, ended_s in shaped(speech.sounds) if v is not VISEMES["rest"]
    ]
    closed = np.interp([at_s for _, at_s in middles], found.times_s, opening) < CLOSED
    sealed = np.array([v is VISEMES["p"] for v, _ in middles])
    return {
        "jawOpen with pauses": correlation("jawOpen", spoken | True),
        **{name: correlation(name, spoken) for name in ("jawOpen", "mouthPucker", "mouthFunnel", "mouthStretch")},
        "closed at p b m": float(closed[sealed].mean()),
        "closed elsewhere": float(closed[~sealed].mean()),
        "heard": float((found.voice[spoken] > 0.5).mean()),
        "shut in pauses": float((found.voice[in_pauses(wanted[:, VOICE])] < 0.5).mean()),
    }


def in_pauses(speech: Array) -> NDArray[np.bool_]:
    """(n,) where there has been no speech for 250 ms: what the gate holds and shuts in."""
    since = np.convolve(speech, np.ones(26))[: len(speech)]
    return since == 0


def shut_in_noise(weights: dict[str, Array]) -> float:
    """Share of instants with the mouth shut, in noises that start with the sound."""
    random, shut = np.random.default_rng(3), []
    for level_db in np.linspace(-60, -20, 12):
        noise = (coloured(6 * RATE_HZ, random) * 10 ** (level_db / 20)).astype(np.float32)
        shut.append(MouthModel(weights)(noise, 0.0).voice < 0.5)
    return float(np.concatenate(shut).mean())


def report(weights: dict[str, Array]) -> None:
    """Print the held-out figures, a line a kind."""
    found: dict[str, list[dict[str, float]]] = {}
    for kind, speech in held_out_speech():
        found.setdefault(kind, []).append(figures(weights, speech))
    for kind, rows in found.items():
        print(f"{kind}: " + ", ".join(f"{name} {np.mean([row[name] for row in rows]):.2f}" for name in rows[0]))
    print(f"noise alone: shut {shut_in_noise(weights):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("engine/assets/sound.safetensors"))
    parser.add_argument("--minutes", type=float, default=85, help="how much speech to train on")
    parser.add_argument("--epochs", type=int, default=26)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    features, targets = training_set(asked.minutes, np.random.default_rng(0))
    spoken = np.concatenate([f[t[:, VOICE] > 0, 1:-1] for f, t in zip(features, targets, strict=True)])
    mean, scale = spoken.mean(axis=0), spoken.std(axis=0)
    print(f"{sum(map(len, features)) * HOP_S / 60:.0f} minutes of sound", flush=True)
    shipped = weights_of(train(features, targets, mean, scale, asked.epochs), mean, scale)
    data = save(shipped)
    write_with_sum(asked.out, data)
    report({name: tensor.astype(np.float32) for name, tensor in shipped.items()})
    print(f"{asked.out}: {len(data) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
