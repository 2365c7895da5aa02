"""`mimicam verify` and `mimicam log show | check`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table

from engine.errors import MimicamError, SourceError
from engine.trust.journal import first_break, log_path, read_log
from engine.trust.reader import Verdict, read_mark

UNMARKED, BROKEN = 20, 21  # exit codes
LONGEST_STREAM_S = 60.0

log_app = typer.Typer(no_args_is_help=True, help="When which puppet was live, and where it went.")
console = Console(markup=False, highlight=False)  # words of others may hold what looks like markup


def verify(
    address: Annotated[str, typer.Argument(metavar="FILE|URL", help="A recording, a screen capture, a picture.")],
    key: Annotated[Path | None, typer.Option(help="Key file of the installation that may have made it.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Look at no more than so long; 60 of a URL.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether mimicam made it, and what its mark and its content credentials tell.

    Exit code 0: it bears the mark; 20: none was found; others: it can't be read.
    """
    from engine.trust.keys import own_mark_key, read_mark_key

    key_file = own_mark_key() if key is None and own_mark_key().exists() else key
    secret = None if key_file is None else read_mark_key(key_file)
    most_s = seconds if seconds is not None or "://" not in address else LONGEST_STREAM_S
    with Progress(TextColumn("looking"), BarColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("verify", total=None)
        verdict = read_mark(
            address, secret, most_s, lambda done, total: progress.update(task, completed=done, total=total)
        )
    if as_json:
        print(json.dumps(_as_json(address, verdict), indent=1))
    else:
        _tell(address, verdict)
    raise typer.Exit(0 if verdict.marked else UNMARKED)


def _as_json(address: str, verdict: Verdict) -> dict[str, Any]:
    heard = verdict.heard if verdict.marked else None
    return {
        "address": address,
        "marked": verdict.marked,
        "score": round(verdict.score, 2),
        "chance": verdict.chance,
        "pieces": [
            {
                "begin_s": round(p.begin_s, 3), "end_s": round(p.end_s, 3), "marked": p.finding.found,
                "score": round(p.finding.score, 2),
            }
            for p in verdict.pieces
        ],
        "payload": None if heard is None else {
            "version": heard.payload.version, "puppet": f"{heard.payload.puppet:07x}", "name": _name_of(heard.payload.puppet),
            "day": heard.payload.day.isoformat(), "corrected_symbols": heard.corrected,
        },
        "credentials": None if verdict.credentials is None else asdict(verdict.credentials),
    }  # fmt: skip


def _tell(address: str, verdict: Verdict) -> None:
    if verdict.marked:
        console.print(f"{address}: made by mimicam (score {verdict.score:.1f}, by chance {verdict.chance:.0e})")
        console.print(f"  marked: {_times(verdict)}")
        console.print(f"  {_payload_line(verdict)}")
    else:
        console.print(f"{address}: no mark of mimicam found (score {verdict.score:.1f}). That proves nothing.")
    shown = verdict.credentials
    if shown is None:
        console.print(
            "  no content credentials"
            if "://" not in address
            else "  content credentials are looked for in files alone"
        )
        return
    console.print(
        f"  content credentials: {shown.state}, signed by '{shown.signer}', made with {shown.generator}"
        + (", by an AI" if shown.made_by_ai else "")
    )
    for part in shown.ingredients:
        console.print(f"    {part.role} {part.name} {part.sha256[:16]}")


def _times(verdict: Verdict) -> str:
    spans: list[tuple[float, float]] = []
    for piece in (p for p in verdict.pieces if p.finding.found):
        joined = bool(spans) and piece.begin_s - spans[-1][1] < 1.0
        spans = [*spans[:-1], (spans[-1][0], piece.end_s)] if joined else [*spans, (piece.begin_s, piece.end_s)]
    return ", ".join(f"{a:.0f} to {b:.0f} s" for a, b in spans) or "over all of it together only"


def _payload_line(verdict: Verdict) -> str:
    if verdict.heard is None:
        return "payload: not readable with this key (--key): another installation made it, or too little is left"
    payload = verdict.heard.payload
    name = _name_of(payload.puppet)
    known = f" ({name})" if name else ""
    return (
        f"payload: by this key's installation, puppet {payload.puppet:07x}{known}, {payload.day}; "
        f"{verdict.heard.corrected} of 15 symbols corrected"
    )


def _name_of(number: int) -> str | None:
    """The puppet on this machine that marks call so."""
    from engine.puppet.format import read_name
    from engine.puppet.shipped import known_puppets

    for path in known_puppets():
        try:
            name, signed = read_name(path)
        except MimicamError:
            continue
        if signed.number == number:
            return name
    return None


@log_app.command("show")
def log_show(as_json: Annotated[bool, typer.Option("--json", help="Print its lines as they are.")] = False) -> None:
    """Print the log."""
    path = _existing_log()
    if as_json:
        print(path.read_text(encoding="utf-8", errors="replace"), end="")
        return
    table = Table(Column("when (UTC)", no_wrap=True), "what", "puppet", "consent", "mode", "where to")
    for entry in read_log(path):
        outputs = entry.get("outputs")
        shown = ", ".join(map(str, outputs)) if isinstance(outputs, list) else str(entry.get("failure") or "")
        at = str(entry.get("at", ""))[:19].replace("T", " ")
        table.add_row(at, *(str(entry.get(k, "")) for k in ("event", "puppet", "consent", "mode")), shown)
    console.print(table)


@log_app.command("check")
def log_check() -> None:
    """Check that no line was changed or taken out. Exit code 0: all follow from each other; 21: not."""
    path = _existing_log()
    found = first_break(path)
    if found is None:
        console.print(f"{path}: whole. Lines taken off its end would not show.")
        return
    console.print(f"{path}: line {found.line} is not as it was written: {found.what}")
    raise typer.Exit(BROKEN)


def _existing_log() -> Path:
    path = log_path()
    if not path.is_file():
        raise SourceError(wanted=f"the log {path}", found="none", advice="It begins with the first run.")
    return path
