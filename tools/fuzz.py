"""Feed damaged and hostile input to all that reads what others wrote.

    python -m tools.fuzz                                     10 000 files and a million packets, some minutes
    python -m tools.fuzz --target puppet --files 500
    python -m tools.fuzz --target vmc --atheris --seconds 600    guided by coverage; needs the extra fuzz

Each reader may take its input or refuse it with the error that it says; anything else, and anything that takes more
than SLOWEST_S, is a defect: it is printed, its input is kept in OUT, and the exit code is 1. The same seed makes the
same inputs.
"""

from __future__ import annotations

import argparse
import inspect
import io
import sys
import tempfile
import time
import tomllib
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import tomli_w
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.config import read_config
from engine.errors import MimicamError
from engine.face import arkit
from engine.face.calibration import Neutral
from engine.face.profile import Profile, load_profile, save_profile
from engine.live.frame import Frame
from engine.output.video_file import VideoFileSink
from engine.perform.recording import find_performance, load_performance
from engine.protocols.csv_file import load_csv, save_csv
from engine.protocols.sample import MalformedPacketError, Sample
from engine.protocols.table import PROTOCOLS, Spoken
from engine.puppet.clip import Analysis, Clip, encoded
from engine.puppet.format import Puppet, Reference, load_puppet, save_puppet
from engine.puppet.shipped import shipped_folder
from engine.render.clip_view import ClipView
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER
from engine.render.view import Shown, View, talking
from engine.trust.chips import Key
from engine.trust.credentials import Credentials, Ingredient, credentials_in, own_certificate
from engine.trust.journal import Journal, first_break, read_log
from engine.trust.keys import maker_key
from engine.trust.reader import read_mark
from engine.trust.seal import Seal
from engine.trust.signature import hash_of_members, sign

SLOWEST_S: Final = 5.0
LARGEST_CHANGES: Final = 6
NUMBERS: Final = (
    b"\0",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x80\0\0\0",
    b"-1",
    b"1e999",
    b"nan",
    b"99999999999",
)
Change = Callable[[bytes, np.random.Generator], bytes]


@dataclass(frozen=True)
class Target:
    """Something that reads."""

    name: str
    seeds: Callable[[], list[bytes]]  # inputs that it takes
    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]  # how it says no
    packets: bool = False
    change: Change | None = None  # how an input is damaged, where not byte by byte


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """With some bytes changed, put in, taken out, doubled or cut off."""
    result = bytearray(content)
    for _ in range(random.integers(1, LARGEST_CHANGES)):
        at = int(random.integers(0, len(result) + 1))
        length = int(min(random.geometric(0.1), 4096))
        kind = random.integers(0, 7)
        if kind == 0:
            result[at : at + 1] = bytes([random.integers(0, 256)])
        elif kind == 1:
            result[at : at + length] = random.bytes(length)
        elif kind == 2:
            number = NUMBERS[random.integers(len(NUMBERS))]
            result[at : at + len(number)] = number
        elif kind == 3:
            del result[at : at + length]
        elif kind == 4:
            result[at:at] = result[at : at + length]
        elif kind == 5:
            source = int(random.integers(0, len(result) + 1))
            result[at : at + length] = result[source : source + length]
        elif random.random() < 0.3:
            del result[at:]
    return bytes(result)


def damaged_member(content: bytes, random: np.random.Generator) -> bytes:
    """A puppet whose manifest or one of whose members was damaged by who can sign."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[random.integers(len(members))]
    members[name] = damaged(members[name], random)
    return signed(members)


def signed(members: dict[str, bytes], key: Ed25519PrivateKey | None = None) -> bytes:
    """A zip of a puppet's members, the manifest with a hash and a signature that fit, as far as it is a table at all."""
    manifest = members["puppet.toml"]
    others = {name: content for name, content in members.items() if name != "puppet.toml"}
    try:
        table = tomllib.loads(manifest.decode())
        table["content"] = hash_of_members({name: sha256(content).hexdigest() for name, content in others.items()})
        table["signature"] = sign(tomllib.loads(tomli_w.dumps(table)), key or maker_key())
        manifest = tomli_w.dumps(table).encode()
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError, TypeError):
        pass
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in ({"puppet.toml": manifest} | others).items():
            archive.writestr(name, content)
    return target.getvalue()


def _through_a_file(suffix: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    def from_bytes(content: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"input{suffix}"
            path.write_bytes(content)
            return read(path)

    return from_bytes


@cache
def _puppets() -> tuple[bytes, ...]:
    """bruno at 64 px, alone, and with a second photograph and a clip."""
    bruno = load_puppet(shipped_folder() / "bruno.puppet")
    whole = bruno.references[0]
    scale = np.float32(64 / whole.picture.shape[0])
    picture = np.asarray(cv2.resize(whole.picture, None, fx=float(scale), fy=float(scale)), np.uint8)
    small = Reference(picture, whole.landmarks_px * scale)
    plain = replace(bruno, references=(small,), signed=None)
    return _saved(plain), _saved(replace(plain, references=(small, small), clip=_clip(small)))


def _clip(still: Reference) -> Clip:
    """Three frames that show the same."""
    neutral = Neutral.of(still.landmarks_px)
    analysis = Analysis(
        landmarks_px=np.stack([still.landmarks_px] * 3),
        offsets=np.zeros((3, *neutral.shape.shape), np.float32),
        coefficients=np.zeros((3, arkit.COUNT), np.float32),
        lights=np.ones((3, 9), np.float32),
        neutral=neutral.shape.astype(np.float32),
        mouths=np.array([0], np.int32),
        eyes=np.array([0], np.int32),
    )
    return Clip((encoded(still.picture),) * 3, 30.0, analysis)


def _saved(puppet: Puppet) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        save_puppet(puppet, Path(folder) / "small.puppet")
        return (Path(folder) / "small.puppet").read_bytes()


def _calibration() -> list[bytes]:
    landmarks = load_puppet(shipped_folder() / "bruno.puppet").references[0].landmarks_px
    profile = Profile(Neutral.of(landmarks), np.full(arkit.COUNT, 0.5, np.float32))
    with tempfile.TemporaryDirectory() as folder:
        save_profile(profile, Path(folder) / "a.calibration", "me", "demo")
        return [(Path(folder) / "a.calibration").read_bytes()]


def _marked_clip() -> list[bytes]:
    """A second of a plain picture with a mark, and credentials."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mp4"
        sink, seal = VideoFileSink(path, 5, wait=True), Seal.of(Key(bytes(32)), 1, 160, 90, None)
        for index in range(5):
            picture = np.full((90, 160, 3), 128, np.uint8)
            seal.set(picture)
            sink.send(Frame(picture, index, index / 5))
        sink.close()
        Credentials(own_certificate(), (Ingredient("puppet", "a", "00" * 32),)).sign(path)
        return [path.read_bytes()]


def _log() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "log.jsonl")
        for _ in range(3):
            journal.add("shown", puppet="ada", outputs=["virtual"])
        return [(Path(folder) / "log.jsonl").read_bytes()]


def _verified(path: Path) -> object:
    return read_mark(str(path), Key(bytes(32))), credentials_in(path)


def _checked(path: Path) -> object:
    return list(read_log(path)), first_break(path)


def _worn(path: Path) -> object:
    """Read, and drawn in each mode that it has without a performer, all frames of a clip."""
    puppet = load_puppet(path)
    views: list[View] = [PortraitView(puppet, 64, 64)]
    if puppet.clip is not None:
        views.append(ClipView(puppet, 64, 64))
    return [view.draw(Shown(talking(), i / 30), LADDER[0]) for view in views for i in range(3)]


def _csv() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        save_csv([(i / 60, _sample()) for i in range(4)], path)
        return [path.read_bytes()]


def _sample() -> Sample:
    return Sample(arkit.coefficients({"jawOpen": 0.4, "eyeBlinkLeft": 0.9}), (3.0, -2.0, 1.0))


SETTINGS: Final = b"""camera = "demo"
size = "1280x720"
output = ["window", "file:a.mp4"]
attributes = {smile = 0.3}
[badge]
text = "AI"
[style]
mouth = 1.2
[expressions.keys]
enabled = true
"""


FILES: Final = (
    Target(
        "puppet",
        lambda: list(_puppets()),
        _through_a_file(".puppet", _worn),
        (MimicamError,),
        change=damaged_member,
    ),
    Target("puppet-zip", lambda: list(_puppets()), _through_a_file(".puppet", load_puppet), (MimicamError,)),
    Target(
        "performance",
        lambda: [find_performance("look").read_bytes()],
        _through_a_file(".performance", load_performance),
        (MimicamError,),
    ),
    Target("calibration", _calibration, _through_a_file(".calibration", load_profile), (MimicamError,)),
    Target("recording", _marked_clip, _through_a_file(".mp4", _verified), (MimicamError,)),
    Target("log", _log, _through_a_file(".jsonl", _checked), ()),
    Target("csv", _csv, _through_a_file(".csv", load_csv), (MimicamError,)),
    Target(
        "settings", lambda: [SETTINGS], _through_a_file(".toml", lambda path: read_config(path, {})), (MimicamError,)
    ),
)


def _packets(spoken: Spoken) -> Target:
    def decode(data: bytes) -> object:
        return spoken.decoder().decode(data)

    return Target(spoken.name, lambda: spoken.encode(_sample(), 1.5), decode, (MalformedPacketError,), packets=True)


PACKETS: Final = tuple(_packets(spoken) for spoken in PROTOCOLS.values())
TARGETS: Final = {target.name: target for target in (*FILES, *PACKETS)}


def defect(target: Target, data: bytes) -> str | None:
    """What is wrong with how an input was read; None where it was taken or refused as it should."""
    begin_s = time.process_time()
    try:
        target.read(data)
    except target.refusals:
        pass
    except Exception:  # whatever it is, it is what is looked for
        return traceback.format_exc(limit=-4)
    spent_s = time.process_time() - begin_s
    return f"it took {spent_s:.1f} s" if spent_s > SLOWEST_S else None


def inputs(target: Target, count: int, seed: int) -> Iterator[bytes]:
    """So many damaged inputs, the same for the same seed."""
    random = np.random.default_rng(seed)
    seeds, change = target.seeds(), target.change or damaged
    for _ in range(count):
        yield change(seeds[random.integers(len(seeds))], random)


def feed(target: Target, count: int, seed: int, out: Path) -> int:
    """Number of defects; their inputs are kept."""
    found = 0
    for data in inputs(target, count, seed):
        wrong = defect(target, data)
        if wrong is None:
            continue
        found += 1
        kept = out / f"{target.name}-{sha256(data).hexdigest()[:12]}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(data)
        print(f"{target.name}: {kept}\n{wrong}", flush=True)
    print(f"{target.name}: {count} inputs, {found} defects", flush=True)
    return found


def _functions_of(package: str) -> Iterator[Callable[..., object]]:
    """All functions and methods of the modules of a package that are loaded."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != package:
            continue
        parts = [part for part in vars(module).values() if getattr(part, "__module__", None) == name]
        for part in parts:
            candidates = vars(part).values() if inspect.isclass(part) else [part]
            yield from (candidate for candidate in candidates if inspect.isfunction(candidate))


def guided(target: Target, seconds: float, out: Path) -> None:
    """Let atheris look for inputs that reach new code. Ends the process; exit code 0 where nothing was found."""
    import atheris

    corpus = out / f"{target.name}-corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(target.seeds()):
        (corpus / f"seed-{i}").write_bytes(data)

    def once(data: bytes) -> None:
        wrong = defect(target, data)
        if wrong is not None:
            raise AssertionError(wrong)

    for function in _functions_of("engine"):
        atheris.instrument_func(function)
    atheris.Setup(
        [sys.argv[0], str(corpus), f"-max_total_time={seconds:.0f}", f"-artifact_prefix={out}/", "-timeout=20"], once
    )
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=TARGETS, action="append", help="all, where none is named")
    parser.add_argument("--files", type=int, default=10_000, help="damaged files, in all")
    parser.add_argument("--packets", type=int, default=1_000_000, help="damaged packets, in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="guided by coverage, one target")
    parser.add_argument("--seconds", type=float, default=600, help="with --atheris")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"))
    asked = parser.parse_args()
    targets = [TARGETS[name] for name in asked.target or TARGETS]
    if asked.atheris:
        guided(targets[0], asked.seconds, asked.out)
    files, packets = (max(1, sum(t.packets == kind for t in targets)) for kind in (False, True))
    counts = {False: -(-asked.files // files), True: -(-asked.packets // packets)}
    sys.exit(1 if sum(feed(target, counts[target.packets], asked.seed, asked.out) for target in targets) else 0)


if __name__ == "__main__":
    main()
