"""Synthesised speech to learn from: which sound is said when, the mouth that goes with it, and the room it is said in.

espeak-ng and flite say when each sound of speech begins. Sounds become mouth shapes by the table VISEMES, and shapes overlap by
dominance functions (Cohen & Massaro, "Modeling coarticulation in synthetic visual speech", Computer Animation 1993): each
sound pulls at jaw, rounding, lip edges and seal with its own strength, falling off exponentially around it. Rooms,
microphones, noise and the length of the vocal tract are varied, so that it carries to voices that no synthesiser has.
"""

# ruff: noqa: RUF001 - the letters are IPA

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.sound.mfcc import RATE_HZ, Samples
from engine.sound.mouth import CHANNELS, VOICE

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Viseme:
    """A mouth shape and how strongly it asserts itself against its neighbours'."""

    shape: NDArray[np.float64]  # (VOICE,) by channel
    strength: NDArray[np.float64]  # (VOICE,) dominance


# for each shape the amounts in the order of CHANNELS; then the strengths of jaw, rounding, edges of the lips, seal
TABLE = """
#    jaw  seal funn puck stre smil pres rolL rolU lowD uppU shrL shrU     jaw roun edge seal
rest    0    0    0    0    0    0    0    0    0    0    0    0    0  |   .5   .3   .5   .5
p     .06    1    0    0    0    0  .25  .15  .12    0    0    0    0  |    1  .15    2    4
f     .08    0    0    0    0    0    0  .45    0    0   .2    0   .1  |    1   .3    2    1
θ     .14    0    0    0    0    0    0    0    0  .22  .08    0    0  |   .6   .2   .5   .5
t     .12    0    0    0   .1    0    0    0    0  .18  .08    0    0  |   .4  .15   .3   .5
s     .05    0    0    0  .22    0    0    0    0  .28  .12    0    0  |   .9   .3   .6   .5
ʃ     .08    0  .55   .2    0    0    0    0    0  .22  .18    0    0  |   .9    1   .8   .5
k      .2    0    0    0    0    0    0    0    0   .1    0    0    0  |  .15  .05  .15   .5
ɹ     .14    0  .28   .3    0    0    0    0    0    0    0    0    0  |   .5   .6   .4   .5
w     .08    0   .2   .8    0    0    0    0    0    0    0   .1    0  |   .8  1.2   .8   .5
j      .1    0    0    0  .25  .15    0    0    0  .15    0    0    0  |   .4   .4   .4   .5
a     .58    0    0    0  .06    0    0    0    0  .28  .14    0    0  |    1   .5   .6   .5
æ     .48    0    0    0   .2   .1    0    0    0   .3  .16    0    0  |    1   .6   .6   .5
ə     .27    0    0    0    0    0    0    0    0  .18  .08    0    0  |   .5  .25   .4   .5
ɛ     .33    0    0    0  .22  .12    0    0    0  .26  .12    0    0  |   .8   .6   .5   .5
i     .12    0    0    0  .32  .25    0    0    0  .22   .1    0    0  |   .8   .8   .5   .5
o     .34    0  .42   .3    0    0    0    0    0  .08    0    0    0  |   .9    1   .6   .5
u     .13    0  .25   .7    0    0    0    0    0    0    0  .08    0  |   .8    1   .6   .5
y     .14    0   .3   .6    0    0    0    0    0    0    0    0    0  |   .8    1   .6   .5
"""
GROUPS = (0, 3, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2)  # which of the four strengths is a channel's


def visemes(table: str) -> dict[str, Viseme]:
    lines = (line.split() for line in table.strip().splitlines()[1:])
    values = {name: np.array([float(v) for v in row if v != "|"]) for name, *row in lines}
    return {name: Viseme(row[:VOICE], row[VOICE:][list(GROUPS)]) for name, row in values.items()}


VISEMES = visemes(TABLE)
SOUNDS = {  # IPA letters of each shape; diacritics have none and are passed over
    "p": "pbmɓ", "f": "fvɱʋβɸ", "θ": "θð", "t": "tdnlɾrɫɬɭɖʈɳɲʎ", "s": "sz", "ʃ": "ʃʒɕʑʂʐ", "k": "kɡgŋxɣhɦʔqʁχcçɟ", "ɹ": "ɹɚɝɻ",
    "w": "wɥ", "j": "j", "a": "aɑ", "æ": "æ", "ə": "əɜʌɐɵɘɞɤɯ", "ɛ": "eɛ", "i": "iɪɨᵻ", "o": "oɔɒ", "u": "uʊʉ", "y": "yʏøœ",
}  # fmt: skip
SHAPE_OF = {letter: shape for shape, letters in SOUNDS.items() for letter in letters}
ARPABET = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "ay": "aɪ", "ch": "tʃ", "dh": "ð", "eh": "ɛ", "er": "ɚ",
    "ey": "eɪ", "g": "ɡ", "hh": "h", "ih": "ɪ", "iy": "i", "jh": "dʒ", "ng": "ŋ", "ow": "oʊ", "oy": "ɔɪ", "r": "ɹ", "sh": "ʃ",
    "th": "θ", "uh": "ʊ", "uw": "u", "y": "j", "zh": "ʒ", "pau": "",
}  # fmt: skip
SPREADS_S = np.where(np.array(CHANNELS) == "seal", 0.014, 0.038)  # in which a dominance falls to 1/e: lips shut fast
PLATEAU = 0.3  # of a sound's length, on either side of its middle, with full dominance
CLOSURE_S = 0.045  # at 175 words a minute: espeak counts the silence before a voiceless burst to the sound before

VOICES = {  # espeak's; the accents vary with the voices
    "train": ("", "m1", "m2", "m3", "m4", "m5", "m7", "f1", "f2", "f3", "f5", "klatt", "klatt2", "klatt4", "Annie", "Michael",
              "Diogo", "Andrea", "steph", "Hugo", "Gene", "travis", "david", "belinda"),
    "held out": ("m6", "f4", "klatt3", "Alicia", "john"),
}  # fmt: skip
FLITE = {"train": ("rms", "awb", "kal16"), "held out": ("slt",)}
TEXTS = {
    "en-us": "The boat moved slowly past the old wooden pier. Please put both cups upon the table before you leave. Father "
    "bought a big brown map of Rome. My mother may want more jam on her bread. She sells fresh fish by the shore in summer. He "
    "threw the ball over the garden wall. You should choose your shoes with some care. Five very happy people waved from above. "
    "Do you know who took the blue book home? We keep the sheep in a deep green field. Thank you both for the thoughtful "
    "birthday gift. The lazy dog jumped over a quick brown fox. Joy and Roy enjoy a noisy toy. How now brown cow, said the "
    "loud clown outside. I might buy white rice and ripe limes tonight. Wait a moment, what would you want with one wet "
    "wolf? Bob and Pam pump up a purple balloon. Maybe Peter popped a paper bag. The measure of pleasure is a casual "
    "vision. Chew each cherry before you judge the church. No, go home alone on the slow road. Oh, I see. Good morning, and "
    "welcome to the show! Are you all right? Can anybody hear me now? Let me begin with the most important part. That was a "
    "very long and rather hot afternoon. Nobody remembers much about my uncle's farm. One two three four five six seven "
    "eight nine ten. Hello, my name is Emma. Where were you a year ago? It's cold up there, but the view of the valley is "
    "fabulous. Put the soup pot on top of the stove. Some men mow them for money.",
    "en": "The water in the bath was rather warm. I can't ask for half a glass of tomato juice. Nobody ought to walk across the "
    "lawn before noon. What a lovely coat you bought in the market. Purple plums and apples make a marvellous pie.",
    "de": "Guten Morgen, wie geht es Ihnen heute? Meine Mutter backt am Abend frisches Brot. Über den Wolken fliegen schöne "
    "Vögel. Bitte bleiben Sie noch ein paar Minuten. Der Junge wirft den Ball auf das Dach. Wir müssen früh aufstehen und "
    "zum Bahnhof gehen.",
    "fr": "Bonjour, comment allez-vous ce matin? La lune brille au-dessus de la rue. Mon père promène un petit chien blanc. Vous "
    "voulez du beurre ou de la moutarde? Il fait beau, mais le vent souffle fort. Une pomme verte et deux prunes bleues.",
    "es": "Buenos días, me llamo Pablo y vivo en Bilbao. Mañana vamos a comprar pan y uvas. El bebé come una papa muy buena. La "
    "lluvia cae sobre el pueblo blanco. Mi abuelo fuma una pipa. Hoy hay mucho humo en la montaña.",
    "it": "Buongiorno, mi piacerebbe una pizza con pomodoro. La mamma prepara una buona zuppa. Vieni a vedere il mare con me. Il "
    "bambino beve molta acqua fresca. Dove abita il professore? Domani pioverà su tutta la pianura.",
    "pl": "Dzień dobry, mam na imię Ewa. Piękna pogoda bywa w maju. Proszę podać mi mapę miasta. Babcia upiekła pyszny placek.",
}  # fmt: skip
ONSETS = (
    "p",
    "b",
    "m",
    "f",
    "v",
    "w",
    "t",
    "d",
    "n",
    "l",
    "s",
    "sh",
    "ch",
    "k",
    "g",
    "r",
    "y",
    "h",
    "",
    "pr",
    "bl",
    "sm",
)
RHYMES = ("ah", "ee", "oo", "oh", "ay", "eh", "ow", "aw", "oy", "in", "am", "up", "ob", "ef", "ir", "at")
HELD_OUT_TEXT = (
    "Perhaps my brother will be back by half past five. Move over and make room for a mammoth. You two should book a room "
    "with a view. Her voice sounded far away above the water. Papa put the bamboo lamp up on the beam. Who knew that juice was "
    "good for you? Ask Martha about the apple farm. The shop is open from May to September."
)


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound of speech and when it is heard."""

    ipa: str  # empty for a pause
    began_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Speech:
    """Samples and what is said in them."""

    samples: Samples
    sounds: tuple[Sound, ...]


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):  # espeak_EVENT of speak_lib.h
    _fields_ = (
        *((name, ctypes.c_int) for name in ("type", "message", "text", "length", "audio_ms", "sample")),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


class Espeak:
    """espeak-ng with the times of its phonemes (Debian's libespeak-ng1)."""

    SYNCHRONOUS, PHONEMES_IN_IPA, UTF8, PHONEME, RATE, PITCH, RANGE = 2, 3, 1, 7, 1, 3, 4

    def __init__(self) -> None:
        try:
            self._lib = ctypes.CDLL("libespeak-ng.so.1")
        except OSError:
            sys.exit("espeak-ng is missing: apt-get install espeak-ng")
        self._rate_hz = self._lib.espeak_Initialize(self.SYNCHRONOUS, 0, None, self.PHONEMES_IN_IPA)
        self._pieces: list[Array] = []
        self._marks: list[tuple[float, str]] = []
        callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
        self._callback = callback(self._heard)  # kept: the library doesn't
        self._lib.espeak_SetSynthCallback(self._callback)

    def _heard(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32768)
        i = 0
        while events[i].type != 0:
            if events[i].type == self.PHONEME:
                ipa = bytes(events[i].id.string).split(b"\0")[0].decode("utf8", "ignore")
                self._marks.append((events[i].sample / self._rate_hz, ipa))
            i += 1
        return 0

    def __call__(self, voice: str, text: str, speed_wpm: int, pitch: int, stretch: float) -> Speech:
        """Speak with the vocal tract `stretch` times as long as the voice's own, and slower by as much."""
        self._pieces, self._marks = [], []
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            sys.exit(f"espeak-ng has no voice {voice}: Debian's 1.51 has")
        for parameter, value in ((self.RATE, speed_wpm), (self.PITCH, pitch), (self.RANGE, 30 + pitch)):
            self._lib.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        self._lib.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 0, 0, self.UTF8, None, None)
        samples = np.concatenate(self._pieces)
        ends = [at_s for at_s, _ in self._marks[1:]] + [len(samples) / self._rate_hz]
        ends[-2:] = [ends[-1]] * len(ends[-2:])  # the last two marks are one pause
        sounds = [Sound(ipa, at_s, end_s) for (at_s, ipa), end_s in zip(self._marks, ends, strict=True)]
        return stretched(samples, self._rate_hz, with_closures(sounds, CLOSURE_S * 175 / speed_wpm), stretch)


def with_closures(sounds: list[Sound], closure_s: float) -> list[Sound]:
    """The silence before a voiceless stop's burst counted to the stop."""
    moved = list(sounds)
    for i in range(1, len(sounds)):
        if sounds[i].ipa[:1] in tuple("ptkcq") and sounds[i - 1].ipa:
            at_s = max(sounds[i].began_s - closure_s, (moved[i - 1].began_s + sounds[i].began_s) / 2)
            moved[i - 1] = Sound(moved[i - 1].ipa, moved[i - 1].began_s, at_s)
            moved[i] = Sound(sounds[i].ipa, at_s, sounds[i].ended_s)
    return moved


def flite(voice: str, text: str, slower: float, stretch: float) -> Speech:
    """The same of flite, whose voices are made of recordings of people."""
    if shutil.which("flite") is None:
        sys.exit("flite is missing: apt-get install flite")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        how = f"flite -voice {voice} -psdur --setf duration_stretch={slower} -o {path} -t".split()
        said = subprocess.run([*how, text], check=True, capture_output=True, text=True).stdout.split()
        with wave.open(str(path)) as file:
            rate_hz, data = file.getframerate(), file.readframes(file.getnframes())
    ends = [(name, float(end)) for name, _, end in (word.partition(":") for word in said)]
    began = [0.0] + [end_s for _, end_s in ends[:-1]]
    sounds = [Sound(ARPABET.get(n, n), b, e) for (n, e), b in zip(ends, began, strict=True)]
    return stretched(np.frombuffer(data, "<i2").astype(np.float32) / 32768, rate_hz, sounds, stretch)


def stretched(samples: Samples, rate_hz: float, sounds: Sequence[Sound], stretch: float) -> Speech:
    """At RATE_HZ, played `stretch` times as slowly."""
    count = round(len(samples) * RATE_HZ / rate_hz * stretch)
    spectrum = np.zeros(count // 2 + 1, np.complex128)
    kept = min(len(spectrum), len(samples) // 2 + 1)
    spectrum[:kept] = np.fft.rfft(samples)[:kept]
    resampled = (np.fft.irfft(spectrum, count) * count / len(samples)).astype(np.float32)
    return Speech(resampled, tuple(Sound(s.ipa, s.began_s * stretch, s.ended_s * stretch) for s in sounds))


def shapes_of(ipa: str) -> list[str]:
    """The shapes of one sound: two for a diphthong, one for an affricate, `rest` for a pause."""
    if not ipa:
        return ["rest"]
    shapes = [SHAPE_OF[letter] for letter in ipa if letter in SHAPE_OF and not ipa.startswith("(")]
    return shapes[1:] if shapes[:2] in (["t", "ʃ"], ["t", "s"]) else shapes


def shaped(sounds: Sequence[Sound]) -> list[tuple[Viseme, float, float]]:
    """(shape, begin in s, end in s) of each part of each sound; short pauses are glottal stops."""
    parts = []
    for sound in sounds:
        shapes = shapes_of(sound.ipa) if sound.ipa or sound.ended_s - sound.began_s > 0.06 else ["k"]
        times = np.linspace(sound.began_s, sound.ended_s, len(shapes) + 1)
        parts += [(VISEMES[s], float(a), float(b)) for s, a, b in zip(shapes, times[:-1], times[1:], strict=True)]
    return parts


def targets_of(sounds: Sequence[Sound], times_s: NDArray[np.float64]) -> Array:
    """(times, VOICE + 1): channels by dominance, and whether there is speech."""
    strengths = np.full((len(times_s), VOICE), 1e-6)
    totals = np.zeros((len(times_s), VOICE))
    speech = np.zeros(len(times_s))
    for viseme, began_s, ended_s in shaped(sounds):
        near = slice(*np.searchsorted(times_s, (began_s - 0.4, ended_s + 0.4)))
        away = np.abs(times_s[near] - (began_s + ended_s) / 2) - PLATEAU * (ended_s - began_s)
        dominance = viseme.strength * np.exp(-np.maximum(away, 0.0)[:, None] / SPREADS_S)
        strengths[near] += dominance
        totals[near] += dominance * viseme.shape
        if viseme is not VISEMES["rest"]:
            speech[slice(*np.searchsorted(times_s, (began_s - 0.03, ended_s + 0.03)))] = 1.0
    return np.concatenate((totals / strengths, speech[:, None]), axis=1).astype(np.float32)


def nonsense(random: np.random.Generator) -> str:
    """A sentence of syllables, so that every consonant meets every vowel."""

    def word() -> str:
        return "".join(random.choice(ONSETS) + random.choice(RHYMES) for _ in range(random.integers(1, 4)))

    return " ".join(word() for _ in range(8)) + "."


def in_a_room(sound: Samples, random: np.random.Generator, hard: float) -> Samples:
    """Through a room, a microphone and a line, with noise: `hard` in [0, 1] is how bad they are."""
    count = len(sound)
    spectrum = np.fft.rfft(sound, 2 * count)
    if random.random() < 0.6 * hard:
        times_s = np.arange(RATE_HZ // 2) / RATE_HZ
        tail = random.standard_normal(len(times_s)) * np.exp(-times_s / random.uniform(0.02, 0.09))
        tail *= random.uniform(0.02, 0.3) / np.sqrt((tail**2).sum()) * np.sqrt(10)
        spectrum *= 1 + np.fft.rfft(tail, 2 * count)
    bins_hz = np.linspace(0, RATE_HZ / 2, len(spectrum))
    gain_db = np.interp(np.log(bins_hz + 50), np.linspace(np.log(50), np.log(8050), 9), random.normal(0, 5 * hard, 9))
    gain_db += random.normal(0, 4 * hard) * np.log2((bins_hz + 100) / 1000)
    if random.random() < 0.25 * hard:
        gain_db += np.where((bins_hz < random.uniform(80, 350)) | (bins_hz > random.uniform(3400, 6500)), -40, 0)
    through = np.fft.irfft(spectrum * 10 ** (gain_db / 20), 2 * count)[:count]
    through *= 10 ** (random.uniform(-24, 0) / 20) * 0.7 / np.abs(through).max()
    level = np.sqrt((through**2).mean())
    noise = coloured(count, random) * level * 10 ** (-random.uniform(60 - 52 * hard, 60 - 10 * hard) / 20)
    return np.clip((through + noise) * random.choice([1.0, 1.0, 1.0, 2.5]), -1, 1).astype(np.float32)


def coloured(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(count,) of noise of RMS 1 between white and brown, sometimes with a hum or a whistle."""
    spectrum = np.fft.rfft(random.standard_normal(count))
    spectrum *= (np.arange(len(spectrum)) + 0.004 * count) ** -random.uniform(0, 1.2)
    noise = np.fft.irfft(spectrum, count)
    noise /= np.sqrt((noise**2).mean())
    if random.random() < 0.3:
        noise += np.sin(2 * np.pi * np.exp(random.uniform(4, 7.5)) * np.arange(count) / RATE_HZ + random.uniform(0, 6))
    if random.random() < 0.3:  # fans, steps and wind come and go
        noise *= np.interp(np.arange(count), np.linspace(0, count, 12), random.uniform(0.2, 1.5, 12))
    return noise / np.sqrt((noise**2).mean())


def noise_alone(random: np.random.Generator) -> Samples:
    """Twenty seconds of steady noise, or of noise that begins and stops."""
    noise = coloured(20 * RATE_HZ, random) * 10 ** random.uniform(-3.5, -1)
    if random.random() < 0.7:
        levels = random.choice([0.0, 0.1, 1.0, 1.0], 400) * random.uniform(0.3, 1.0, 400)
        noise *= np.repeat(levels, random.integers(RATE_HZ // 2, 3 * RATE_HZ, 400))[: len(noise)]
    return np.clip(noise, -1, 1).astype(np.float32)


def joined(parts: Sequence[Speech], random: np.random.Generator) -> Speech:
    """One after the other, with pauses."""
    pieces, sounds, at_s = [], [], 0.0
    for part in parts:
        pause_s = random.uniform(0.15, 1.2)
        sounds.append(Sound("", at_s, at_s + pause_s))
        at_s += pause_s
        sounds += [Sound(s.ipa, s.began_s + at_s, s.ended_s + at_s) for s in part.sounds]
        pieces += [np.zeros(round(pause_s * RATE_HZ), np.float32), part.samples]
        at_s = sum(map(len, pieces)) / RATE_HZ
    return Speech(np.concatenate(pieces), tuple(sounds))


def sentences(text: str) -> list[str]:
    return [part.strip() + "." for part in text.replace("?", ".").replace("!", ".").split(".") if part.strip()]


def some_speech(espeak: Espeak, random: np.random.Generator) -> Speech:
    """Half a minute of one voice of those to train on."""
    stretch = float(np.exp(random.uniform(-0.16, 0.16)))
    if random.random() < 0.35:
        voice, slower = random.choice(FLITE["train"]), random.uniform(0.85, 1.25)
        texts = [*random.choice(sentences(TEXTS["en-us"] + TEXTS["en"]), 5), nonsense(random)]
        return joined([flite(voice, text, slower, stretch) for text in texts], random)
    language = random.choice(list(TEXTS), p=[0.4] + [0.6 / (len(TEXTS) - 1)] * (len(TEXTS) - 1))
    voice = f"{language}+{random.choice(VOICES['train'])}".removesuffix("+")
    speed_wpm, pitch = int(random.integers(120, 230)), int(random.integers(20, 80))
    texts = [*random.choice(sentences(TEXTS[language]), 5), nonsense(random), nonsense(random)]
    return joined([espeak(voice, text, speed_wpm, pitch, stretch) for text in texts], random)
