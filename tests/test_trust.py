"""Keys, the log, and what recordings say of themselves."""

from __future__ import annotations

import json
import stat
from hashlib import sha256
from pathlib import Path

import av
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from engine.capture.open import demo_clip
from engine.cli import app
from engine.config import RunConfig, read_config
from engine.errors import ConfigError, MimicamError, OutputError
from engine.live.frame import Frame
from engine.offline import render
from engine.output.video_file import VideoFileSink
from engine.perform.recording import find_performance
from engine.trust.credentials import Certificate, Credentials, Ingredient, credentials_in, own_certificate
from engine.trust.journal import Journal, first_break, read_log
from engine.trust.keys import keys_folder, maker_key, mark_key, private_pem, public_bytes


@pytest.fixture
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIMICAM_HOME", str(tmp_path))
    return tmp_path


def test_keys_are_made_once_and_are_the_users_alone(fresh_home: Path) -> None:
    assert public_bytes(maker_key().public_key()) == public_bytes(maker_key().public_key())
    assert mark_key() == mark_key()
    for path in keys_folder().iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_damaged_keys_are_told(fresh_home: Path) -> None:
    mark_key()
    (keys_folder() / "mark.key").write_text("abcd")
    with pytest.raises(ConfigError, match="2 bytes instead of 32"):
        mark_key()
    (keys_folder() / "mark.key").write_text("no key")
    with pytest.raises(ConfigError, match="not hexadecimal"):
        mark_key()
    (keys_folder() / "maker.pem").write_text("no key")
    with pytest.raises(ConfigError, match="a key in"):
        maker_key()


def test_a_home_that_is_no_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MIMICAM_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="Set MIMICAM_HOME"):
        mark_key()
    with pytest.raises(OutputError, match="Set MIMICAM_HOME"):
        Journal()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    journal = Journal(path)
    for name in ("ada", "bruno", "cléo"):
        journal.add("shown", puppet=name, outputs=["virtual"])
    journal.add("ended", failure=None)
    return path


def test_log_is_read_again_and_whole(log: Path) -> None:
    assert [entry["event"] for entry in read_log(log)] == ["started", "shown", "shown", "shown", "ended"]
    assert first_break(log) is None
    Journal(log).add("ended")
    assert first_break(log) is None


@given(line=st.integers(0, 4), data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_but_at_the_end_breaks_the_chain(log: Path, line: int, data: st.DataObject) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    kind = data.draw(st.sampled_from(["changed", "taken out", "doubled"]))
    if kind == "changed":
        at = data.draw(st.integers(0, len(lines[line]) - 2))
        value = data.draw(st.integers(0, 255).filter(lambda v: v != lines[line][at]))
        lines[line] = lines[line][:at] + bytes([value]) + lines[line][at + 1 :]
    else:
        lines[line : line + 1] = [] if kind == "taken out" else [lines[line]] * 2
    changed = log.with_name("changed.jsonl")
    changed.write_bytes(b"".join(lines))
    # the last line's words are held by nothing that follows; that is said where the log is checked
    assert first_break(changed) is not None or (line == 4 and kind != "doubled")


def test_a_line_cut_off_by_a_crash_is_told_and_the_log_goes_on(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-9])
    Journal(log).add("ended")
    assert first_break(log).line == 5
    assert [entry["event"] for entry in read_log(log)] == ["started", *["shown"] * 3, "damaged", "started", "ended"]


def test_log_commands(fresh_home: Path) -> None:
    runner = CliRunner()
    Journal().add("shown", puppet="ada", mode="portrait", outputs=["virtual"])
    assert "ada" in runner.invoke(app, ["log", "show"]).output
    assert json.loads(runner.invoke(app, ["log", "show", "--json"]).output.splitlines()[1])["puppet"] == "ada"
    assert runner.invoke(app, ["log", "check"]).exit_code == 0
    path = fresh_home / "log" / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b"started", b"startled"))
    answer = runner.invoke(app, ["log", "check"])
    assert answer.exit_code == 21
    assert "line 2 is not as it was written" in " ".join(answer.output.split())


def record(path: Path, credentials: Credentials | None) -> Path:
    sink = VideoFileSink(path, 30, wait=True)
    random = np.random.default_rng(0)
    for index in range(40):
        sink.send(Frame(random.integers(0, 255, (90, 160, 3)).astype(np.uint8), index, index / 30))
    sink.close()
    if credentials is not None:
        credentials.sign(path)
    return path


def test_recordings_say_what_they_are(tmp_path: Path) -> None:
    ingredient = Ingredient("puppet", "ada", "ab" * 32)
    path = record(tmp_path / "a.mp4", Credentials(own_certificate(), (ingredient,)))
    shown = credentials_in(path)
    assert (shown.state, shown.generator, shown.made_by_ai, shown.ingredients) == (
        "Valid",
        "mimicam",
        True,
        (ingredient,),
    )
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 40
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_recording_that_was_changed_is_told(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", Credentials(own_certificate(), ()))
    content = bytearray(path.read_bytes())
    content[-len(content) // 3] ^= 1
    path.write_bytes(content)
    assert credentials_in(path).state == "Invalid"
    assert credentials_in(record(tmp_path / "b.mp4", None)) is None


def test_the_users_own_certificate_signs(tmp_path: Path) -> None:
    own = own_certificate()
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(own.chain_pem)
    key.write_bytes(own.key_pem)
    assert Certificate.read(chain, key) == own
    key.write_text("no key")
    with pytest.raises(ConfigError, match="a certificate in"):
        Certificate.read(chain, key)
    with pytest.raises(ConfigError, match="go together"):
        read_config(None, {"credentials": {"certificate": str(chain)}})


def test_a_key_that_does_not_fit_leaves_the_recording_whole(tmp_path: Path) -> None:
    own = own_certificate()
    wrong = Certificate(own.chain_pem, private_pem(Ed25519PrivateKey.generate()))
    path = tmp_path / "a.mp4"
    with pytest.raises(OutputError, match="whole and playable"):
        record(path, Credentials(wrong, ()))
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 40
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_rendering_is_marked_logged_and_says_of_what_it_was_made(fresh_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    driver = find_performance("look")
    render(driver, out, RunConfig(puppet="ada", size=(320, 180), runtime="none"))
    roles = {i.role: i for i in credentials_in(out).ingredients}
    assert roles["driver"].sha256 == sha256(driver.read_bytes()).hexdigest()
    log = list(read_log(fresh_home / "log" / "log.jsonl"))
    assert [entry["event"] for entry in log] == ["started", "shown", "ended"]
    assert log[1]["sha256"] == roles["puppet"].sha256
    assert log[1]["outputs"] == [f"file:{out}"]
    answer = CliRunner().invoke(app, ["verify", str(out), "--json"])
    told = json.loads(answer.output)
    assert (answer.exit_code, told["payload"]["name"]) == (0, "ada")
    assert CliRunner().invoke(app, ["verify", str(demo_clip()), "--seconds", "1"]).exit_code == 20


def test_a_run_that_fails_is_logged_to_its_end(fresh_home: Path, tmp_path: Path) -> None:
    with pytest.raises(MimicamError):
        render(tmp_path / "none.mp4", tmp_path / "out.mp4", RunConfig(puppet="ada", size=(64, 64), runtime="none"))
    log = list(read_log(fresh_home / "log" / "log.jsonl"))
    assert [entry["event"] for entry in log] == ["started", "shown", "ended"]
    assert "none.mp4" in log[2]["failure"]
    assert len({entry["run"] for entry in log}) == 1


@pytest.mark.parametrize("listed", [["x"], [None], "x", {"a": 1}, [{"role": None}]])
def test_manifests_of_any_shape_can_be_shown(tmp_path: Path, listed: object, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mp4"
    credentials = Credentials(own_certificate(), ())
    manifest = credentials._manifest("a")
    manifest["assertions"][1]["data"] = {"ingredients": listed}
    monkeypatch.setattr(Credentials, "_manifest", lambda self, title: manifest)
    assert credentials_in(record(path, credentials)) is not None


def test_an_encrypted_or_empty_key_is_told(fresh_home: Path) -> None:
    key = maker_key()
    path = keys_folder() / "maker.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    for content in (path.read_bytes(), b""):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="a key in"):
            maker_key()
