"""`mimicam puppet new | check | list`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from engine.errors import ConfigError, ConsentError, MimicamError
from engine.face.landmarks import Points
from engine.files import hash_of_file
from engine.puppet.consent import MODES, OUTLETS, Consent
from engine.puppet.format import Puppet, load_puppet, save_puppet
from engine.puppet.shipped import SHIPPED_MAKER, find_puppet, known_puppets, user_folder
from engine.trust.keys import fingerprint, maker_key, public_bytes

app = typer.Typer(no_args_is_help=True, help="Make, check and list puppets.")
console = Console(markup=False, highlight=False)  # words of others may hold what looks like markup


@app.command("new")
def puppet_new(
    photos: Annotated[list[Path], typer.Argument(help="One or more photographs of one person, or one clip.")],
    consent: Annotated[str, typer.Option(help="self, synthetic, public-domain or agreement:FILE.")],
    out: Annotated[Path | None, typer.Option(help="File to write; by default in your puppet folder.")] = None,
    who: Annotated[str, typer.Option(help="Whose face it is.")] = "",
    scope: Annotated[str, typer.Option(help="What it may be used for, in words.")] = "personal use with mimicam",
    allow: Annotated[
        list[str] | None,
        typer.Option(
            help="portrait, face2face, swap; live, recording: what was agreed to. All, where none of a kind is named."
        ),
    ] = None,
    expires: Annotated[str | None, typer.Option(help="Last day on which it may be used, YYYY-MM-DD.")] = None,
    camera: Annotated[str, typer.Option(help="For consent self: the camera that shall see you.")] = "0",
) -> None:
    """Make a puppet from photographs, or from a clip for mode face2face, and sign it.

    Consent self asks you to do a few things before the camera: it must be you who is on the photographs.
    """
    record = _consent(consent, who, scope, allow or [], expires)
    if out is None:
        out = _place_by_name(photos[0].stem)
    puppet = _made(photos, out.stem, record)
    if record.kind == "self":
        _see_live(puppet, camera)
    save_puppet(puppet, out)
    of = f"{len(photos)} photograph(s)" if puppet.clip is None else f"{len(puppet.clip)} frames"
    console.print(f"{out}: made from {of}, consent '{record.kind}' of {record.who}")


def _place_by_name(name: str) -> Path:
    """Where a new puppet of the user goes. ConfigError where its name calls another one."""
    known = next((path for path in known_puppets() if path.stem == name), None)
    if known is not None:
        raise ConfigError(
            wanted=f"a new puppet called '{name}'",
            found=f"there is one already: {known}",
            advice="Rename the photograph, name a file with --out, or delete the old one.",
        )
    folder = user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.puppet"


def _made(photos: list[Path], name: str, record: Consent) -> Puppet:
    from engine.puppet.make import make_puppet
    from engine.puppet.make_clip import is_clip

    if len(photos) == 1 and is_clip(photos[0]):
        return _made_from_clip(photos[0], name, record)
    return make_puppet(photos, name, record, "photographs: " + ", ".join(p.name for p in photos))


def _see_live(puppet: Puppet, camera: str) -> None:
    """Let the camera see the face of the puppet do what is asked. ConsentError where it doesn't."""
    from engine.capture.webcam import Webcam, WebcamFormat
    from engine.puppet.enrol import Seen, drawn_tasks, require_same, watch
    from engine.puppet.recogniser import DlibRecogniser
    from engine.track.tracker import Tracker

    recognise = DlibRecogniser()
    source, tracker = Webcam(camera, WebcamFormat()), Tracker()
    try:
        faces = ((frame, tracker.find(frame)) for frame in iter(source.read, None))
        live = watch(faces, drawn_tasks(), console.print)
    finally:
        source.close()
        tracker.close()
    require_same(live, [Seen(picture, points) for picture, points in _faces_of(puppet)], recognise)
    console.print("It is you.")


def _faces_of(puppet: Puppet) -> Iterator[tuple[NDArray[np.uint8], Points]]:
    """All photographs, and a frame of each second of a clip."""
    yield from ((r.picture, r.landmarks_px) for r in puppet.references)
    if puppet.clip is not None:
        for i in range(0, len(puppet.clip), max(1, round(puppet.clip.rate_hz))):
            yield puppet.clip.picture(i), puppet.clip.analysis.landmarks_px[i]


def _made_from_clip(clip: Path, name: str, record: Consent) -> Puppet:
    from engine.puppet.make_clip import make_clip_puppet

    with Progress(TextColumn("looking through the clip"), BarColumn(), console=console, transient=True) as progress:
        task = progress.add_task("clip", total=None)
        found = make_clip_puppet(
            clip, name, record, lambda done, total: progress.update(task, completed=done, total=total)
        )
    if found.left_out:
        console.print(
            f"left out: {found.left_out} frames before frame {found.first} and after, without the face or beyond a cut"
        )
    if found.ended:
        console.print(
            f"looked at no more than the first {len(found.puppet.clip or ()) + found.left_out} frames: {found.ended}"
        )
    if found.others:
        console.print("a second person is in the picture: the one who is larger at the start acts")
    return found.puppet


def _consent(text: str, who: str, scope: str, allow: list[str], expires: str | None) -> Consent:
    kind, _, agreement = text.partition(":")
    if agreement and not Path(agreement).is_file():
        raise ConfigError(
            wanted=f"the agreement {agreement}", found="no such file", advice="Give the path of the signed agreement."
        )
    named = who or {"self": "the maker of this puppet", "synthetic": "nobody: a generated face"}.get(kind, "")
    wrong = [use for use in allow if use not in (*MODES, *OUTLETS)]
    if wrong:
        raise ConfigError(
            wanted="a use that can be allowed",
            found=f"'{wrong[0]}'",
            advice=f"Those are: {', '.join((*MODES, *OUTLETS))}.",
        )
    record: dict[str, Any] = {
        "kind": kind, "who": named, "date": dt.date.today(), "scope": scope, "expires": expires,
        "modes": [use for use in allow if use in MODES] or MODES,
        "outlets": [use for use in allow if use in OUTLETS] or OUTLETS,
    }  # fmt: skip
    if agreement:
        record |= {"agreement": Path(agreement).name, "agreement_sha256": hash_of_file(Path(agreement))}
    try:
        return Consent.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            wanted="a consent record", found=f"'{text}', {'.'.join(map(str, first['loc'])) or 'record'}: {first['msg']}",
            advice="Use --consent self|synthetic|public-domain|agreement:FILE, with --who for another person.",
        ) from error  # fmt: skip


@app.command("check")
def puppet_check(
    puppet: Annotated[str, typer.Argument(help="Name or path.")],
    agreement: Annotated[Path | None, typer.Option(help="File that should be the agreement it names.")] = None,
) -> None:
    """Read a puppet and say what it is, who answered for it and to what, or what is wrong with it."""
    found = load_puppet(find_puppet(puppet))
    record = found.consent
    clip = "" if found.clip is None else f", a clip of {len(found.clip) / found.clip.rate_hz:.1f} s"
    console.print(f"{found.name}: good, {len(found.references)} photograph(s){clip}, made {found.created}")
    console.print(f"  consent: {record.kind}, {record.who}, {record.date}, for {record.scope}")
    until = "without end" if record.expires is None else f"until {record.expires}"
    console.print(f"  allowed: {', '.join((*record.modes, *record.outlets))}, {until}")
    if record.agreement is not None:
        console.print(f"  agreement: {record.agreement}, SHA-256 {record.agreement_sha256}")
    assert found.signed is not None
    console.print(
        f"  signed: by {_maker(found.signed.maker)}; unchanged since. Marks call it {found.signed.number:07x}"
    )
    console.print(f"  origin: {found.origin}")
    if agreement is not None and not agreement.is_file():
        raise ConfigError(
            wanted=f"the agreement {agreement}", found="no such file", advice="Give the path of the file."
        )
    if agreement is not None and not record.is_of(agreement):
        raise ConsentError(
            wanted=f"{agreement} as the agreement that {found.name} names",
            found="another file, or it was changed",
            advice="Find the file that was agreed to, or make the puppet anew with this one.",
        )


def _maker(maker: str) -> str:
    if maker == fingerprint(public_bytes(maker_key().public_key())):
        return "this installation"
    return "those who ship mimicam" if maker == SHIPPED_MAKER else f"another installation, {maker}"


@app.command("list")
def puppet_list() -> None:
    """List the puppets that can be called by name."""
    table = Table("name", "photographs", "consent", "file")
    for path in known_puppets():
        try:
            puppet = load_puppet(path)
            table.add_row(path.stem, str(len(puppet.references)), puppet.consent.kind, str(path))
        except MimicamError as error:
            table.add_row(path.stem, "", Text(error.found, "red"), str(path))
    console.print(table)
