"""Sound to mouth: what the features are, what vowels and noise do, whose clock it is, and what a broken source says."""

from __future__ import annotations

import json
import shutil
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rich.console import Console

from engine.capture.open import demo_clip
from engine.config import RunConfig
from engine.errors import SourceError
from engine.face.arkit import INDEX
from engine.run import run
from engine.shipped import shipped
from engine.sound import mouth
from engine.sound.lips import STALE_S, Lips, joined, mouth_of_file
from engine.sound.mfcc import (
    BAND_HZ,
    CENTRE_S,
    CEPSTRA,
    FEATURES,
    FILTERS,
    HOP,
    HOP_S,
    RATE_HZ,
    WINDOW,
    Mfcc,
    band_powers,
)
from engine.sound.mouth import LOOK_AHEAD_S, MouthModel, Mouths
from engine.sound.source import (
    BLOCK,
    BLOCK_S,
    Block,
    Microphone,
    PacedSound,
    SoundFile,
    SoundSource,
    SyntheticSound,
    vowel,
)
from models.weights import DamagedWeightsError, load_weights

SECOND = np.arange(RATE_HZ) / RATE_HZ


def noise(rms: float, count: int = RATE_HZ) -> NDArray[np.float32]:
    return (rms * np.random.default_rng(0).standard_normal(count)).astype(np.float32)


def heard(source: SoundSource, model: MouthModel | None = None) -> Mouths:
    """All mouths of a source."""
    model, parts = model or MouthModel(), []
    while (block := source.read()) is not None:
        parts.append(model(block.samples, block.began_s))
    return joined(parts)


def write_wave(path: Path, samples: NDArray[np.float32], rate_hz: int = RATE_HZ, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.repeat((samples * 32767).astype("<i2"), channels).tobytes())
    return path


def wait_until(said: Callable[[], bool], longest_s: float = 5.0) -> bool:
    until_s = time.monotonic() + longest_s
    while not said() and time.monotonic() < until_s:
        time.sleep(0.005)
    return said()


@given(st.lists(st.integers(0, 900), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_how_sound_is_cut_changes_nothing(lengths: list[int]) -> None:
    sound = noise(0.1, sum(lengths))
    streaming, cuts = Mfcc(), np.cumsum(lengths)[:-1]
    pieces = [streaming(piece) for piece in np.split(sound, cuts)]
    assert np.allclose(np.concatenate(pieces), Mfcc()(sound), atol=1e-3)  # float32 sums in another order
    assert streaming.kept == len(sound) - HOP * sum(map(len, pieces))


@pytest.mark.parametrize(
    ("samples", "windows"), [(0, 0), (WINDOW - 1, 0), (WINDOW, 1), (WINDOW + HOP, 2), (RATE_HZ, 98)]
)
def test_a_window_is_there_when_its_last_sample_is(samples: int, windows: int) -> None:
    assert Mfcc()(np.zeros(samples, np.float32)).shape == (windows, FEATURES)


def test_loudness_moves_the_energy_and_c0_alone() -> None:
    quiet, loud = Mfcc()(noise(0.01)), Mfcc()(10 * noise(0.01))
    assert np.allclose(loud[:, 1:CEPSTRA], quiet[:, 1:CEPSTRA], atol=1e-3)  # float32 of sums over 512 bins
    assert np.allclose(loud[:, -1] - quiet[:, -1], np.log(100), atol=1e-3)
    assert np.allclose(loud[:, 0] - quiet[:, 0], np.log(100) * np.sqrt(FILTERS), atol=1e-3)


@pytest.mark.parametrize("frequency_hz", [200, 500, 1000, 2500, 6000])
def test_a_tone_is_loudest_in_its_own_band(frequency_hz: int) -> None:
    powers = band_powers(np.sin(2 * np.pi * frequency_hz * SECOND).astype(np.float32)).mean(axis=0)
    low, high, found = (2595 * np.log10(1 + hz / 700) for hz in (*BAND_HZ, frequency_hz))
    wanted = (found - low) / (high - low) * (FILTERS + 1) - 1
    assert abs(powers.argmax() - wanted) <= 0.75  # half a band, and half a bin of the FFT in the narrowest


def test_silence_has_finite_features() -> None:
    assert np.isfinite(Mfcc()(np.zeros(RATE_HZ, np.float32))).all()


def test_vowels_have_their_mouths() -> None:
    means = {}
    for name in "aiu":
        found = heard(SyntheticSound(f"hush*15 {name}*40", began_s=0.0))
        means[name] = found.coefficients[found.times_s > 0.5].mean(axis=0)
        assert found.voice[found.times_s > 0.5].min() > 0.9
    jaw, pucker, stretch = INDEX["jawOpen"], INDEX["mouthPucker"], INDEX["mouthStretchLeft"]
    assert means["a"][jaw] > means["u"][jaw] + 0.05
    assert means["u"][pucker] > means["i"][pucker] + 0.05
    assert means["i"][stretch] > means["u"][stretch]
    assert means["a"][INDEX["mouthClose"]] < 0.05 < means["a"][jaw]


@pytest.mark.parametrize("loudness", [0.1, 1.0, 4.0])
def test_the_microphones_gain_hardly_matters(loudness: float) -> None:
    sound = np.concatenate((np.zeros(4800, np.float32), vowel("a", SECOND)))
    found, wanted = MouthModel()(loudness * sound, 0.0), MouthModel()(sound, 0.0)
    assert np.abs(found.coefficients[-30:, INDEX["jawOpen"]] - wanted.coefficients[-30:, INDEX["jawOpen"]]).max() < 0.15


@pytest.mark.parametrize("script", ["hush*100", "noise*100", "hush*50 noise*100"])
def test_silence_and_faint_noise_keep_the_mouth_shut(script: str) -> None:
    found = heard(SyntheticSound(script, began_s=0.0))
    assert len(found.times_s) > 90
    assert found.coefficients.max() < 0.1  # where a noise sets in, it may pass for an /f/ for a moment
    assert (found.voice > 0.02).mean() < 0.1
    assert found.voice[-30:].max() == 0


def test_the_mouth_shuts_after_the_sound() -> None:
    found = heard(SyntheticSound("hush*15 a*30 hush*40", began_s=0.0))
    spoken = found.times_s[found.voice > 0.5]
    assert 0.25 < spoken[0] < 0.33
    assert 0.88 < spoken[-1] < 1.2
    assert found.voice[-1] == 0


def test_coefficients_are_in_their_range_and_of_the_mouth_alone() -> None:
    found = heard(SyntheticSound("a*10 i*10 noise*5 u*10", began_s=0.0)).coefficients
    assert found.shape[1] == 52
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert (found[:, INDEX["mouthClose"]] <= found[:, INDEX["jawOpen"]]).all()  # lips meet, they don't cross
    assert not found[:, [INDEX["tongueOut"], INDEX["eyeBlinkLeft"], INDEX["browInnerUp"]]].any()


def test_times_are_those_of_the_samples_and_the_delay_is_as_stated() -> None:
    source, model = SyntheticSound("a*40", began_s=100.0), MouthModel()
    newest_s, count = 100.0, 0
    while (block := source.read()) is not None:
        found = model(block.samples, block.began_s)
        newest_s, count = (found.times_s[-1] if len(found.times_s) else newest_s), count + len(found.times_s)
        end_s = block.began_s + BLOCK_S
        if count:
            assert LOOK_AHEAD_S - 1e-6 <= end_s - newest_s < LOOK_AHEAD_S + HOP_S
    assert newest_s == pytest.approx(100 + (count - 1) * HOP_S + CENTRE_S)


def test_the_past_is_never_changed_by_what_comes_later() -> None:
    one, other = MouthModel(), MouthModel()
    begun = vowel("a", SECOND)
    first = joined([one(begun, 0.0), one(noise(0.3), 1.0)])
    second = joined([other(begun, 0.0), other(np.zeros(RATE_HZ, np.float32), 1.0)])
    known = first.times_s <= 1.0 - LOOK_AHEAD_S
    assert known.sum() > 90
    assert np.allclose(first.coefficients[known], second.coefficients[known], atol=1e-4)  # sums in another order


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (44_100, 2), (8_000, 1)])
def test_a_file_of_any_rate_is_16_khz_mono(tmp_path: Path, rate_hz: int, channels: int) -> None:
    times_s = np.arange(rate_hz) / rate_hz
    path = write_wave(
        tmp_path / "a.wav", (0.5 * np.sin(2 * np.pi * 440 * times_s)).astype(np.float32), rate_hz, channels
    )
    blocks = list(SoundFile(path))
    sound = np.concatenate([block.samples for block in blocks])
    assert abs(len(sound) - RATE_HZ) < 50
    assert np.abs(np.fft.rfft(sound[:RATE_HZ])).argmax() == pytest.approx(440, abs=2)
    assert np.allclose([block.began_s for block in blocks], BLOCK_S * np.arange(len(blocks)), atol=2e-3)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (None, "no such file"),
        (b"", "an empty file"),
        (b"no sound at all" * 99, "Invalid data"),
        ("header", "no samples"),
    ],
)
def test_a_file_that_is_no_sound_says_why(tmp_path: Path, data: bytes | str | None, found: str) -> None:
    path = tmp_path / "a.wav"
    if data == "header":
        write_wave(path, np.zeros(0, np.float32))
    elif isinstance(data, bytes):
        path.write_bytes(data)
    with pytest.raises(SourceError, match=found):
        list(SoundFile(path))


def test_a_film_without_sound_says_so() -> None:
    with pytest.raises(SourceError, match="no sound in it"):
        SoundFile(demo_clip())


def test_no_microphone_says_what_to_do() -> None:
    with pytest.raises(SourceError, match=r"the microphone nowhere.*Plug one in"):
        Microphone("nowhere")


def test_a_microphone_that_pyav_cannot_reach_says_so() -> None:
    with pytest.raises(SourceError, match="built without 'nothing'"):
        Microphone("default", "nothing")


@pytest.mark.skipif("alsa" not in av.formats_available, reason="PyAV reaches microphones by another library here")
def test_a_microphone_delivers_what_it_hears_when_it_hears_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tape.raw").write_bytes((noise(0.2, 400_000) * 32767).astype("<i2").tobytes())
    device = 'pcm.tape {{ type file slave.pcm {{ type null }} file "/dev/null" infile "{}" format "raw" }}\n'
    (tmp_path / "alsa.conf").write_text(device.format(tmp_path / "tape.raw"))
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "alsa.conf"))
    microphone = Microphone("tape")
    blocks = [microphone.read() for _ in range(20)]
    microphone.close()
    sounds = [block for block in blocks if block is not None]
    assert {len(block.samples) for block in sounds} == {BLOCK}
    assert max(np.abs(block.samples).max() for block in sounds) > 0.1
    assert 0 < time.monotonic() - sounds[-1].began_s < 2


def test_a_paced_file_comes_in_its_own_time(tmp_path: Path) -> None:
    sound, began_s = PacedSound(write_wave(tmp_path / "a.wav", vowel("a", SECOND[: 10 * BLOCK]))), time.monotonic()
    blocks = [block for block in iter(sound.read, None) if block is not None]
    sound.close()
    assert time.monotonic() - began_s >= 9 * BLOCK_S
    assert blocks[0].began_s >= began_s
    assert np.allclose(np.diff([block.began_s for block in blocks]), BLOCK_S, atol=1e-3)


def test_sound_that_is_damaged_does_not_just_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_wave(tmp_path / "a.wav", vowel("a", SECOND[: 4 * BLOCK]))
    read = SoundFile.__iter__

    def breaking(file: SoundFile) -> Iterator[Block]:
        yield from islice(read(file), 2)
        file.damaged = True

    monkeypatch.setattr(SoundFile, "__iter__", breaking)
    sound = PacedSound(path)
    assert [sound.read() is not None for _ in range(2)] == [True, True]
    with pytest.raises(SourceError, match=r"a\.wav.*damaged after"):
        sound.read()
    with pytest.raises(SourceError, match="damaged after"):
        mouth_of_file(path)


def test_the_mouth_of_a_file_by_its_own_time(tmp_path: Path) -> None:
    quiet = np.zeros(RATE_HZ // 2, np.float32)
    at = mouth_of_file(write_wave(tmp_path / "a.wav", np.concatenate((quiet, vowel("a", SECOND), quiet, quiet)))).at
    opened = at(1.0)
    assert opened is not None
    assert opened[INDEX["jawOpen"]] > 0.1
    assert at(1.49) is not None
    assert [at(t) for t in (-1.0, 0.2, 2.2, 9.0)] == [None] * 4


def test_between_two_instants_the_mouth_is_between_them(tmp_path: Path) -> None:
    at = mouth_of_file(write_wave(tmp_path / "a.wav", np.concatenate((vowel("a", SECOND), vowel("u", SECOND))))).at
    before, middle, after = (at(1.0 + CENTRE_S + part * HOP_S) for part in (0.0, 0.5, 1.0))
    assert before is not None
    assert middle is not None
    assert after is not None
    assert np.allclose(middle, (before + after) / 2, atol=1e-5)


def test_lips_follow_the_clock_and_say_their_delay() -> None:
    lips = Lips(SyntheticSound("hush*5 a*200"))
    assert lips.delay_s == BLOCK_S + LOOK_AHEAD_S
    assert wait_until(lambda: lips.at(time.monotonic() - 0.1) is not None)
    assert lips.at(time.monotonic() - 60) is None
    assert LOOK_AHEAD_S < lips.delay_s < 1.0
    lips.close()
    assert lips.ended
    assert lips.failure is None


def test_a_stalled_source_is_none_and_blocks_nobody() -> None:
    lips = Lips(SyntheticSound("a*100 stall*250"))
    assert wait_until(lambda: lips.at(time.monotonic() - 0.1) is not None)
    assert wait_until(lambda: lips.at(time.monotonic()) is None, 2.0 + 2 * STALE_S + 2)
    assert not lips.ended
    lips.close()


class Given:
    """A source of given blocks, one an answer."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = iter(blocks)
        self.closed = False

    def read(self) -> Block | None:
        return next(self._blocks, None)

    def close(self) -> None:
        self.closed = True


def test_the_end_frees_the_source() -> None:
    source = Given([Block(vowel("a", SECOND), 5.0)])
    lips = Lips(source)
    assert wait_until(lambda: source.closed)
    assert lips.at(5.5) is not None
    lips.close()


def test_a_failure_is_kept_with_its_cause() -> None:
    lips = Lips(SyntheticSound("a*3 fail"))
    assert wait_until(lambda: lips.ended)
    assert isinstance(lips.failure, SourceError)
    assert lips.at(time.monotonic() + 1) is None


def test_other_weights_are_refused(tmp_path: Path) -> None:
    for name in ("sound.safetensors", "SHA256SUMS"):
        shutil.copy(shipped(name), tmp_path)
    (tmp_path / "sound.safetensors").write_bytes(b"weights")
    with pytest.raises(DamagedWeightsError, match="has the hash"):
        load_weights("sound", tmp_path)


def test_the_weights_are_small_and_fit_the_network() -> None:
    weights = load_weights("sound", shipped())
    assert sum(tensor.nbytes for tensor in weights.values()) / 2 < 1e6  # fp16 in the file
    assert weights["w0"].shape[0] == mouth.SEEN * FEATURES
    assert max(weights[f"b{i}"].shape[0] for i in range(3)) >= mouth.VOICE + 1
    assert {weights["mean"].shape, weights["scale"].shape} == {(CEPSTRA - 1,)}


def test_a_run_that_a_sound_file_alone_performs_ends_with_it(tmp_path: Path) -> None:
    settings = RunConfig(
        camera="none", sound=str(write_wave(tmp_path / "a.wav", vowel("a", SECOND))), puppet="bruno", size=(160, 90),
        runtime="none", output=("null",), seconds=60, report=tmp_path / "report.json",
    )  # fmt: skip
    run(settings, Console(quiet=True))
    assert json.loads((tmp_path / "report.json").read_text())["frames"]["captured"] < 30 * settings.rate
