"""Who answered for a face: the signature, its limits in time and use, and consent `self`."""

from __future__ import annotations

import datetime as dt
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tomli_w
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from test_puppet import rewritten, signed_again
from typer.testing import CliRunner

from engine.cli import app
from engine.config import RunConfig
from engine.errors import ConsentError
from engine.face.landmarks import Points
from engine.live.frame import Frame
from engine.puppet.consent import Consent
from engine.puppet.enrol import REST, TASKS, Description, Seen, Task, require_same, watch
from engine.puppet.format import Puppet, load_puppet, save_puppet
from engine.puppet.shipped import SHIPPED_MAKER, shipped_folder
from engine.switchboard import Switchboard
from engine.trust.journal import Journal, read_log

TODAY = dt.date.today()
BRUNO = shipped_folder() / "bruno.puppet"


def consent(**changed: Any) -> Consent:
    return Consent.model_validate({"kind": "synthetic", "who": "nobody", "date": TODAY, "scope": "tests"} | changed)


def saved(puppet: Puppet, path: Path, key: Ed25519PrivateKey | None = None, **changed: Any) -> Path:
    save_puppet(replace(puppet, consent=consent(**changed)), path, key)
    return path


def test_shipped_puppets_are_signed_by_those_who_ship_them() -> None:
    makers = {load_puppet(path).signed.maker for path in shipped_folder().glob("*.puppet")}
    assert makers == {SHIPPED_MAKER}


def new_words(name: str, content: bytes) -> bytes:
    return content.replace(b"any use", b"any abuse") if name == "puppet.toml" else content


def other_picture(name: str, content: bytes) -> bytes:
    other = zipfile.ZipFile(shipped_folder() / "cleo.puppet").read("reference_0.jpg")
    return other if name == "reference_0.jpg" else content


def taken_back(name: str, content: bytes) -> bytes:
    if name != "puppet.toml":
        return content
    table = tomllib.loads(content.decode())
    del table["signature"]
    return tomli_w.dumps(table).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (new_words, "another manifest than the one that was signed"),
        (other_picture, "other pictures than those that were signed"),
        (taken_back, "a record without a signature"),
    ],
)
def test_what_was_altered_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    path = rewritten(BRUNO, tmp_path / "altered.puppet", change)
    with pytest.raises(ConsentError, match=message):
        load_puppet(path)


def test_a_signature_of_other_content_does_not_fit(tmp_path: Path) -> None:
    """Every bit of it counts."""

    def flipped(name: str, content: bytes) -> bytes:
        if name != "puppet.toml":
            return content
        table = tomllib.loads(content.decode())
        value = table["signature"]["value"]
        table["signature"]["value"] = ("A" if value[0] != "A" else "B") + value[1:]
        return tomli_w.dumps(table).encode()

    with pytest.raises(ConsentError, match="another manifest"):
        load_puppet(rewritten(BRUNO, tmp_path / "x.puppet", flipped))


def test_time_limits_are_kept(bruno: Puppet, tmp_path: Path) -> None:
    day = dt.timedelta(days=1)
    assert load_puppet(saved(bruno, tmp_path / "today.puppet", expires=TODAY)).name == "bruno"
    with pytest.raises(ConsentError, match="it ended on"):
        load_puppet(saved(bruno, tmp_path / "old.puppet", date=TODAY - 9 * day, expires=TODAY - day))
    with pytest.raises(ConsentError, match="it begins on"):
        load_puppet(saved(bruno, tmp_path / "early.puppet", date=TODAY + 3 * day))
    with pytest.raises(ValueError, match="before 'date'"):
        consent(expires=TODAY - day)


@pytest.mark.parametrize(
    ("allowed", "settings", "refused"),
    [
        ({"modes": ("portrait",)}, {"mode": "swap"}, "swap"),
        ({"outlets": ("live",)}, {"output": ("null", "file:x.mp4")}, "recording"),
        ({"outlets": ("recording",)}, {"output": ("file:x.mp4", "virtual")}, "live"),
    ],
)
def test_uses_that_were_not_agreed_to_are_refused(
    bruno: Puppet, tmp_path: Path, allowed: Any, settings: Any, refused: str
) -> None:
    path = saved(bruno, tmp_path / "limited.puppet", **allowed)
    config = RunConfig(puppet=str(path), size=(160, 90), runtime="none", occlusion="none", **settings)
    with pytest.raises(ConsentError, match=f"consent of nobody to '{refused}'"):
        Switchboard(config)


def test_a_named_persons_badge_stays(bruno: Puppet, tmp_path: Path) -> None:
    named = {"kind": "agreement", "who": "A. Person", "agreement": "a.pdf", "agreement_sha256": "0" * 64}
    path = saved(bruno, tmp_path / "named.puppet", **named)
    with pytest.raises(ConsentError, match="pictures without the badge"):
        Switchboard(RunConfig(puppet=str(path), size=(160, 90), runtime="none", badge={"shown": False}))
    assert Switchboard(RunConfig(puppet=str(path), size=(160, 90), runtime="none")).scene is not None


def test_a_puppet_of_oneself_is_nobody_elses(bruno: Puppet, tmp_path: Path) -> None:
    assert load_puppet(saved(bruno, tmp_path / "mine.puppet", kind="self")).consent.kind == "self"
    with pytest.raises(ConsentError, match="made of themselves, elsewhere"):
        load_puppet(saved(bruno, tmp_path / "theirs.puppet", Ed25519PrivateKey.generate(), kind="self"))
    stolen = signed_again(saved(bruno, tmp_path / "other.puppet"), Ed25519PrivateKey.generate())
    assert load_puppet(stolen).signed is not None  # a synthetic face may come from anywhere


def test_check_explains(bruno: Puppet, tmp_path: Path) -> None:
    agreement = tmp_path / "agreement.txt"
    agreement.write_text("She may.")
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), bruno.references[0].picture)
    out = tmp_path / "a.puppet"
    runner = CliRunner()
    made = runner.invoke(
        app,
        ["puppet", "new", str(photo), "--out", str(out), "--who", "A. Person", "--consent", f"agreement:{agreement}",
         "--allow", "portrait", "--allow", "recording", "--expires", "2999-01-02"],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    told = " ".join(runner.invoke(app, ["puppet", "check", str(out), "--agreement", str(agreement)]).output.split())
    for words in (
        "A. Person",
        "allowed: portrait, recording, until 2999-01-02",
        "by this installation",
        "agreement.txt",
    ):
        assert words in told
    agreement.write_text("She may not.")
    with pytest.raises(ConsentError, match="another file, or it was changed"):
        runner.invoke(app, ["puppet", "check", str(out), "--agreement", str(agreement)], catch_exceptions=False)


def test_a_named_persons_badge_keeps_its_words(bruno: Puppet, tmp_path: Path) -> None:
    named = {"kind": "agreement", "who": "A. Person", "agreement": "a.pdf", "agreement_sha256": "0" * 64}
    path = saved(bruno, tmp_path / "named.puppet", **named)
    shown = []
    for words in (".", "AI puppet"):
        config = RunConfig(puppet=str(path), size=(320, 180), runtime="none", badge={"text": words})
        shown.append(Switchboard(config).scene._seal.badge.layer)
    assert np.array_equal(*shown)


def test_a_puppet_that_may_not_be_shown_is_passed_over_live(
    bruno: Puppet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it, the run goes on with the one that is shown, and the log knows only that one."""
    monkeypatch.setenv("MIMICAM_HOME", str(tmp_path))
    folder = tmp_path / "puppets"
    folder.mkdir()
    saved(bruno, folder / "a [b].puppet", who="A [/x]", outlets=("recording",))
    saved(bruno, folder / "b.puppet", date=TODAY - dt.timedelta(9), expires=TODAY - dt.timedelta(1))
    saved(bruno, folder / "c.puppet", modes=("portrait",))
    told: list[str] = []
    journal = Journal()
    board = Switchboard(
        RunConfig(puppet="cleo", size=(160, 90), runtime="none", occlusion="none"), told.append, journal
    )
    board.ask_puppet()
    board.serve()
    assert ["'live'" in told[0], "it ended on" in told[1], told[2]] == [True, True, "portrait with c"]
    board.ask_mode()
    board.serve()
    assert [text.partition(":")[0] for text in told[3:]] == ["not face2face with c", "not swap with c"]
    log = list(read_log(tmp_path / "log" / "log.jsonl"))
    assert [entry.get("puppet") for entry in log] == [None, "cleo", "bruno"]
    assert [part.sha256 for part in board.credentials().ingredients] == [entry["sha256"] for entry in log[1:]]


# consent `self`: a face before the camera, as points that move


def face(bruno: Puppet, *, aside: float = 0.0, jaw: float = 0.0, shut: bool = False) -> Points:
    """bruno's landmarks, moved as the tasks measure it."""
    points = bruno.references[0].landmarks_px.copy()
    unit = np.linalg.norm(points[33] - points[263])
    middle = points[[33, 263], 0].mean()
    points[1, 0] = middle + aside * unit
    points[[87, 14, 317], 1] = points[[82, 13, 312], 1] + (jaw + 0.01) * unit
    for upper, lower in ((160, 144), (159, 145), (158, 153), (387, 373), (386, 374), (385, 380)):
        points[lower, 1] = points[upper, 1] + (0.01 if shut else 0.09) * unit
        points[lower, [0, 2]] = points[upper, [0, 2]]
    return points


class Person:
    """Does what is asked, half a second later; `deaf` to some tasks."""

    def __init__(self, bruno: Puppet, deaf: tuple[Task, ...] = ()) -> None:
        self.asked: list[str] = []
        self._bruno, self._deaf = bruno, {f"Please {task.words}." for task in deaf}

    def faces(self) -> Iterator[tuple[Frame, Points | None]]:
        for index in range(3000):
            doing = self.asked[-1] if self.asked and self.asked[-1] not in self._deaf else ""
            points = face(
                self._bruno,
                aside=0.25 if "left" in doing else -0.25 if "right" in doing else 0.0,
                jaw=0.3 if "wide" in doing else 0.0,
                shut="eyes" in doing,
            )
            yield Frame(np.zeros((8, 8, 3), np.uint8), index, index / 30), points


def test_who_does_what_is_asked_is_seen(bruno: Puppet) -> None:
    person = Person(bruno)
    seen = watch(person.faces(), TASKS, person.asked.append)
    assert len(seen) == len(TASKS) + 1
    assert [text for text in person.asked if REST.words not in text] == [f"Please {task.words}." for task in TASKS]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.words)
def test_who_leaves_a_task_out_is_not(bruno: Puppet, task: Task) -> None:
    """As a photograph does, which can at most be turned."""
    person = Person(bruno, deaf=(task,))
    with pytest.raises(ConsentError, match="within 15 s it did not"):
        watch(person.faces(), TASKS, person.asked.append)


def test_a_face_that_goes_away_or_jumps_is_not_one_that_stays(bruno: Puppet) -> None:
    def interrupted(change: Any) -> Iterator[tuple[Frame, Points | None]]:
        for frame, points in Person(bruno).faces():
            yield frame, change(frame.index, points)

    with pytest.raises(ConsentError, match="went away"):
        watch(interrupted(lambda i, p: p if i < 2 else None), TASKS, lambda text: None)
    with pytest.raises(ConsentError, match="jumped"):
        watch(interrupted(lambda i, p: p if i < 2 else p + 400), TASKS, lambda text: None)
    with pytest.raises(ConsentError, match="went away"):  # the camera stood still meanwhile
        watch(
            ((replace(f, captured_s=f.captured_s + (f.index > 2)), p) for f, p in Person(bruno).faces()),
            TASKS, lambda text: None,
        )  # fmt: skip
    with pytest.raises(ConsentError, match="within 15 s"):  # nobody there
        watch(interrupted(lambda i, p: None), TASKS, lambda text: None)
    with pytest.raises(ConsentError, match="ended"):
        watch(iter(list(Person(bruno).faces())[:3]), TASKS, lambda text: None)


def by_brightness(picture: NDArray[np.uint8], landmarks: Points) -> Description:
    return np.full(128, picture.mean() / 255)


def test_another_face_on_the_photograph_is_refused(bruno: Puppet) -> None:
    def seen(grey: int) -> Seen:
        return Seen(np.full((8, 8, 3), grey, np.uint8), bruno.references[0].landmarks_px)

    require_same([seen(100), seen(101)], [seen(102)], by_brightness)
    with pytest.raises(ConsentError, match="somebody else than on the photograph"):
        require_same([seen(100), seen(101)], [seen(102), seen(200)], by_brightness)
    with pytest.raises(ConsentError, match="two persons took turns"):
        require_same([seen(100), seen(200)], [seen(100)], by_brightness)


def test_faces_are_told_apart_by_the_network(bruno: Puppet, ada: Puppet) -> None:
    pytest.importorskip("dlib", reason="the extra 'self' is not installed")
    from engine.puppet.recogniser import DlibRecogniser

    a, b = (Seen(p.references[0].picture, p.references[0].landmarks_px) for p in (ada, bruno))
    smaller = Seen(np.ascontiguousarray(a.picture[::2, ::2]), a.landmarks / 2)
    require_same([a], [smaller], DlibRecogniser())
    with pytest.raises(ConsentError, match="somebody else"):
        require_same([a], [b], DlibRecogniser())


def test_a_puppet_of_oneself_is_not_made_unseen(bruno: Puppet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unseen(puppet: Puppet, camera: str) -> None:
        raise ConsentError(wanted="to see you", found="nobody", advice="Sit before the camera.")

    monkeypatch.setattr("engine.puppet.commands._see_live", unseen)
    photo, out = tmp_path / "me.png", tmp_path / "me.puppet"
    cv2.imwrite(str(photo), bruno.references[0].picture)
    with pytest.raises(ConsentError, match="to see you"):
        CliRunner().invoke(
            app, ["puppet", "new", str(photo), "--consent", "self", "--out", str(out)], catch_exceptions=False
        )
    assert not out.exists()
