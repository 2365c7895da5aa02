"""`mimicam puppet new | check | list`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from engine.errors import ConfigError, MimicamError
from engine.puppet.consent import Consent

app = typer.Typer(no_args_is_help=True, help="Make, check and list puppets.")
console = Console()


@app.command("new")
def puppet_new(
    photos: Annotated[list[Path], typer.Argument(help="One or more photographs of one person, or one clip.")],
    consent: Annotated[str, typer.Option(help="self, synthetic, public-domain or agreement:FILE.")],
    out: Annotated[Path | None, typer.Option(help="File to write; by default in your puppet folder.")] = None,
    who: Annotated[str, typer.Option(help="Whose face it is.")] = "",
    scope: Annotated[str, typer.Option(help="What it may be used for.")] = "personal use with mimicam",
) -> None:
    """Make a puppet from photographs, or from a clip for mode face2face."""
    from engine.puppet.format import save_puppet
    from engine.puppet.make import make_puppet
    from engine.puppet.make_clip import is_clip
    from engine.puppet.shipped import user_folder

    record = _consent(consent, who, scope)
    if out is None:
        out = user_folder() / f"{photos[0].stem}.puppet"
        out.parent.mkdir(parents=True, exist_ok=True)
    if len(photos) == 1 and is_clip(photos[0]):
        _new_from_clip(photos[0], out, record)
        return
    puppet = make_puppet(photos, out.stem, record, "photographs: " + ", ".join(p.name for p in photos))
    save_puppet(puppet, out)
    console.print(f"{out}: made from {len(photos)} photograph(s), consent '{record.kind}' of {record.who}")


def _new_from_clip(clip: Path, out: Path, record: Consent) -> None:
    from engine.puppet.format import save_puppet
    from engine.puppet.make_clip import make_clip_puppet

    with Progress(TextColumn("looking through the clip"), BarColumn(), console=console, transient=True) as progress:
        task = progress.add_task("clip", total=None)
        found = make_clip_puppet(
            clip, out.stem, record, lambda done, total: progress.update(task, completed=done, total=total)
        )
    save_puppet(found.puppet, out)
    assert found.puppet.clip is not None
    console.print(f"{out}: made from {len(found.puppet.clip)} frames, consent '{record.kind}' of {record.who}")
    if found.left_out:
        console.print(
            f"  left out: {found.left_out} frames before frame {found.first} and after, without the face or beyond a cut"
        )
    if found.others:
        console.print("  a second person is in the picture: the one who is larger at the start acts")


def _consent(text: str, who: str, scope: str) -> Consent:
    kind, _, agreement = text.partition(":")
    if agreement and not Path(agreement).is_file():
        raise ConfigError(
            wanted=f"the agreement {agreement}", found="no such file", advice="Give the path of the signed agreement."
        )
    named = who or {"self": "the maker of this puppet", "synthetic": "nobody: a generated face"}.get(kind, "")
    try:
        return Consent.model_validate(
            {
                "kind": kind,
                "who": named,
                "date": dt.date.today(),
                "scope": scope,
                "agreement": Path(agreement).name or None if agreement else None,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            wanted="a consent record", found=f"'{text}', {'.'.join(map(str, first['loc'])) or 'record'}: {first['msg']}",
            advice="Use --consent self|synthetic|public-domain|agreement:FILE, with --who for another person.",
        ) from error  # fmt: skip


@app.command("check")
def puppet_check(puppet: Annotated[str, typer.Argument(help="Name or path.")]) -> None:
    """Read a puppet and say what it is, or what is wrong with it."""
    from engine.puppet.format import load_puppet
    from engine.puppet.shipped import find_puppet

    found = load_puppet(find_puppet(puppet))
    record = found.consent
    clip = "" if found.clip is None else f", a clip of {len(found.clip) / found.clip.rate_hz:.1f} s"
    console.print(f"{found.name}: good, {len(found.references)} photograph(s){clip}, made {found.created}")
    console.print(f"  consent: {record.kind}, {record.who}, {record.date}, for {record.scope}")
    console.print(f"  origin: {found.origin}")


@app.command("list")
def puppet_list() -> None:
    """List the puppets that can be called by name."""
    from engine.puppet.format import load_puppet
    from engine.puppet.shipped import known_puppets

    table = Table("name", "photographs", "consent", "file")
    for path in known_puppets():
        try:
            puppet = load_puppet(path)
            table.add_row(path.stem, str(len(puppet.references)), puppet.consent.kind, str(path))
        except MimicamError as error:
            table.add_row(path.stem, "", f"[red]{error.found}[/]", str(path))
    console.print(table)
