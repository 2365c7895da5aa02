"""The command line as a user meets it: one line and an exit code for what goes wrong, a report for what goes well."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
from rich.text import Text
from typer.main import get_command

from engine.__main__ import main, missing_library
from engine.capture.open import demo_clip
from engine.capture.video_file import VideoFile
from engine.cli import app
from engine.config import read_config
from engine.errors import ConfigError, StageError
from engine.perform.recording import find_performance
from engine.puppet.format import Puppet, load_puppet, save_puppet
from engine.trust.credentials import credentials_in
from engine.trust.journal import read_log


def mimicam(*words: str, folder: Path | None = None, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """In a process of its own, in `folder`; modules in `path` stand before others."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")} | {"COLUMNS": "200"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, "-m", "engine", *words],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment,
        cwd=folder,
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["run", "--camera", "livelink:99999", "--output", "null"], 2, "A port is 1 to 65535"),
        (
            ["run", "--camera", "demo", "--send", "skype", "--output", "null"],
            2,
            "a protocol that mimicam knows: 'skype'",
        ),
        (["run", "--camera", "livelink:0.0.0.0", "--output", "null"], 2, "livelink@192.168.1.7"),
        (["run", "--strength", "mouth", "--output", "null"], 2, "NAME=VALUE: 'mouth'"),
        (["run", "--strength", "nose=2", "--output", "null"], 2, "a setting that mimicam knows: 'style.nose'"),
        (
            ["run", "--camera", "none", "--sound", "none.wav", "--output", "null"],
            3,
            "a sound at none.wav: no such file",
        ),
        (["perform", "convert", "a.txt", "b.csv"], 2, "a performance: a.txt"),
        (["run", "--camera", "/dev/video99", "--output", "null"], 3, "the camera /dev/video99"),
        (["run", "--camera", "nothing.mp4", "--output", "null"], 3, "no such file"),
        (["run", "--camera", "demo", "--puppet", "nobody"], 4, "Known are: ada, bruno, cleo"),
        (["run", "--camera", "demo", "--output", "file:/nowhere/at/all.mp4"], 5, "to write the recording"),
        (["run", "--camera", "demo", "--output", "virtual:/dev/video99"], 5, "the virtual camera /dev/video99"),
        (["run", "--camera", "demo", "--output", "window"], 5, "a screen for the window: none"),
        (["run", "--camera", "demo", "--output", "telepathy"], 2, "an output that mimicam knows"),
        (["run", "--mode", "teleport"], 2, "'portrait'"),
        (["run", "--size", "huge"], 2, "a usable value for 'size': 'huge'"),
        (["run", "--camera", "demo", "--output", "null", "--output", "null"], 2, "each output once"),
        (["puppet", "check", "nobody.puppet"], 4, "there is nothing"),
        (["puppet", "new", "ada.jpg", "--consent", "synthetic"], 2, "a new puppet called 'ada': there is one already"),
        (["puppet", "new", "x.jpg", "--out", "x.puppet", "--consent", "stolen"], 2, "a consent record"),
        (["puppet", "new", "x.jpg", "--out", "x.puppet", "--consent", "agreement:none.pdf"], 2, "no such file"),
    ],
)
def test_what_goes_wrong_is_one_line_and_a_code(words: list[str], code: int, message: str) -> None:
    result = mimicam(*words)
    assert result.returncode == code, result.stderr
    complaints = [line for line in result.stderr.splitlines() if line.startswith("mimicam: ")]
    assert len(complaints) == 1
    assert message in complaints[0]
    assert "Traceback" not in result.stderr


def logged(home: Path) -> list[dict[str, Any]]:
    """What the log says of the last run."""
    entries = list(read_log(home / "log" / "log.jsonl"))
    return [entry for entry in entries if entry["run"] == entries[-1]["run"]]


def test_run_writes_a_recording_and_a_report(tmp_path: Path, own_home: Path) -> None:
    report, video = tmp_path / "report.json", tmp_path / "out.mp4"
    result = mimicam(
        "run", "--camera", "demo", "--output", f"file:{video}", "--output", "null", "--size", "640x360",
        "--seconds", "3", "--report", str(report),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "frame age" in result.stdout
    found = json.loads(report.read_text())
    frames = found["frames"]
    assert frames["sent"] > 0
    assert frames["captured"] >= frames["sent"]
    assert frames["out_of_order"] == 0
    assert set(found["stages"]) == {"track", "render", "output"}
    assert {"p50", "p95", "p99", "max"} == set(found["age_ms"])
    assert found["machine"]["processor"]
    recorded = list(VideoFile(video))
    assert len(recorded) + frames["left_out"] == frames["sent"]
    assert recorded[0].bgr.shape == (360, 640, 3)
    told = logged(own_home)
    assert [entry["event"] for entry in told] == ["started", "shown", "ended"]
    assert told[1]["outputs"] == [f"file:{video}", "null"]
    shown = credentials_in(video)
    assert shown is not None
    assert (shown.state, [part.name for part in shown.ingredients]) == ("Valid", ["bruno"])
    heard = json.loads(mimicam("verify", str(video), "--json").stdout)
    assert heard["payload"]["name"] == "bruno"


def test_a_report_that_cannot_be_written_is_said_before_the_run(tmp_path: Path) -> None:
    words = ["run", "--camera", "demo", "--output", "null", "--report", "/nowhere/at/all.json", "--seconds", "1"]
    started = mimicam(*words, folder=tmp_path)
    assert started.returncode == 5
    assert "to write the report" in started.stderr
    assert "pictures a second" not in started.stdout


def test_end_of_a_file_ends_the_run(tmp_path: Path, demo_frames: list) -> None:
    for index in range(0, 30, 3):
        cv2.imwrite(str(tmp_path / f"{index:02}.jpg"), demo_frames[index])
    result = mimicam("run", "--camera", str(tmp_path), "--output", "null", "--size", "320x180")
    assert result.returncode == 0, result.stderr


def wait_for_bytes(path: Path, count: int) -> None:
    """Until so much is recorded, or a minute has passed."""
    deadline = time.monotonic() + 60
    while not (path.exists() and path.stat().st_size >= count) and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_ends_in_order(tmp_path: Path, number: int) -> None:
    report, video = tmp_path / "report.json", tmp_path / "out.mp4"
    words = ["run", "--camera", "demo", "--output", f"file:{video}", "--size", "320x180", "--report", str(report)]
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_for_bytes(video, 20_000)
    process.send_signal(signal.SIGUSR1)  # a new neutral: the run goes on
    wait_for_bytes(video, video.stat().st_size + 10_000)
    process.send_signal(signal.SIGUSR1)  # in the same instant as what ends it
    process.send_signal(number)
    _, complaints = process.communicate(timeout=30)
    assert process.returncode == 0, complaints
    assert json.loads(report.read_text())["frames"]["sent"] > 0
    assert len(list(VideoFile(video))) > 0


@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals on this system")
def test_a_run_whose_terminal_is_closed_ends_in_order(tmp_path: Path) -> None:
    report, video = tmp_path / "report.json", tmp_path / "out.mp4"
    words = ["run", "--camera", "demo", "--output", f"file:{video}", "--size", "320x180", "--report", str(report)]
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", *words], stdout=theirs, stderr=theirs,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # these tests may run under nohup
    )  # fmt: skip
    os.close(theirs)
    deadline = time.monotonic() + 60
    while not (video.exists() and video.stat().st_size > 20_000) and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            os.read(ours, 65_536)  # as a terminal does, or who prints would wait
        time.sleep(0.05)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    try:
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert json.loads(report.read_text())["frames"]["sent"] > 0
    assert json.loads(mimicam("verify", str(video), "--json").stdout)["payload"]["name"] == "bruno"


def test_render_is_one_frame_for_one_and_the_same_every_time(tmp_path: Path, demo_frames: list) -> None:
    from engine.live.frame import Frame
    from engine.output.video_file import VideoFileSink

    clip = tmp_path / "clip.mp4"
    sink = VideoFileSink(clip, 30, wait=True)
    for index, picture in enumerate(demo_frames[:20]):
        sink.send(Frame(picture, index, index / 30))
    sink.close()
    outputs = []
    for name in ("a.mp4", "b.mp4"):
        out = tmp_path / name
        result = mimicam("render", "--driver", str(clip), "--puppet", "ada", "--output", str(out), "--size", "320x180")
        assert result.returncode == 0, result.stderr
        assert "20 frames, 0 of them without a performer" in result.stdout
        outputs.append([f.bgr.tobytes() for f in VideoFile(out)])
    assert len(outputs[0]) == 20
    assert outputs[0] == outputs[1]


def test_render_of_a_driver_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"of before")
    result = mimicam("render", "--driver", "missing.mp4", "--output", "out.mp4", folder=tmp_path)
    assert result.returncode == 3
    assert "missing.mp4: no such file" in result.stderr
    assert (tmp_path / "out.mp4").read_bytes() == b"of before"


def test_render_does_not_write_over_its_driver(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(demo_clip().read_bytes())
    result = mimicam("render", "--driver", str(clip), "--puppet", "ada", "--output", str(clip))
    assert result.returncode == 2
    assert "is the driver" in result.stderr
    assert clip.read_bytes() == demo_clip().read_bytes()


def test_a_failed_run_still_reports_and_keeps_what_it_recorded(tmp_path: Path, own_home: Path) -> None:
    report, video = tmp_path / "report.json", tmp_path / "out.mp4"
    result = mimicam(
        "run", "--camera", "synthetic:ok*20 fail", "--output", f"file:{video}", "--size", "320x180", "--report", str(report)
    )  # fmt: skip
    assert result.returncode == 3
    assert "script's 'fail'" in json.loads(report.read_text())["failure"]
    assert "script's 'fail'" in logged(own_home)[-1]["failure"]
    assert list(VideoFile(video))
    shown = credentials_in(video)
    assert shown is not None
    assert shown.state == "Valid"


def test_a_puppet_whose_consent_has_ended_is_refused_before_anything_is_written(bruno: Puppet, tmp_path: Path) -> None:
    today, path, out = dt.date.today(), tmp_path / "old.puppet", tmp_path / "out.mp4"
    ended = {"date": today - dt.timedelta(9), "expires": today - dt.timedelta(1)}
    save_puppet(replace(bruno, consent=bruno.consent.model_copy(update=ended)), path)
    look = str(find_performance("look"))
    refused = mimicam("render", "--driver", look, "--puppet", str(path), "--output", str(out))
    assert refused.returncode == 7
    assert "it ended on" in refused.stderr
    assert not out.exists()


def test_a_defect_has_an_exit_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def defective() -> None:
        raise StageError(wanted="stage 'render' to go on", found="on purpose", advice="report it")

    monkeypatch.setattr("engine.__main__.hush_libraries", lambda: None)
    monkeypatch.setattr("engine.cli.app", defective)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 6


def test_a_performance_is_recorded_and_replayed(tmp_path: Path) -> None:
    take, report = str(tmp_path / "a.performance"), tmp_path / "report.json"
    recorded = mimicam("perform", "record", take, "--camera", "demo", "--seconds", "3")
    assert recorded.returncode == 0, recorded.stderr
    quiet = ["--output", "null", "--size", "160x90", "--runtime", "none"]
    replayed = mimicam("perform", "replay", take, "--puppet", "cleo", *quiet, "--report", str(report))
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(report.read_text())["puppet_frames"]["live"] > 0


def test_puppet_new_check_and_list(tmp_path: Path, bruno: Puppet) -> None:
    photo, out = tmp_path / "me.png", tmp_path / "me.puppet"
    cv2.imwrite(str(photo), bruno.references[0].picture)
    made = mimicam("puppet", "new", str(photo), "--out", str(out), "--consent", "public-domain", "--who", "a tester")
    assert made.returncode == 0, made.stderr
    assert load_puppet(out).consent.who == "a tester"
    checked = mimicam("puppet", "check", str(out))
    assert "consent: public-domain, a tester" in checked.stdout
    listed = mimicam("puppet", "list")
    assert all(name in listed.stdout for name in ("ada", "bruno", "cleo"))


def test_doctor_names_what_it_looked_at() -> None:
    result = mimicam("doctor")
    assert result.returncode == 0, result.stderr
    assert all(
        word in result.stdout for word in ("packages", "processor", "cameras", "virtual camera", "screen", "NVIDIA")
    )


def test_settings_file_and_its_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "mimicam.toml"
    path.write_text('camera = "demo"\nrate = 25.0\noutput = ["null"]\n')
    assert read_config(path, {"rate": 50.0}).rate == 50.0
    assert read_config(path, {}).camera == "demo"
    path.write_text("puppets = 3\n")
    with pytest.raises(ConfigError, match=r"'puppets'\. Known are: attributes, badge, blend, camera, .*puppet"):
        read_config(path, {})
    path.write_text('camera-size = "640x480"\nsize = [320, 240]\n')
    assert read_config(path, {}).camera_size == (640, 480)
    assert read_config(path, {}).size == (320, 240)
    path.write_text("size = [0, -5]\n")
    with pytest.raises(ConfigError, match="'size'"):
        read_config(path, {})
    path.write_text("rate = 0\n")
    with pytest.raises(ConfigError, match="'rate'"):
        read_config(path, {})
    path.write_text("rate = = 0\n")
    with pytest.raises(ConfigError, match="must be a TOML file"):
        read_config(path, {})
    with pytest.raises(ConfigError, match=r"none\.toml"):
        read_config(tmp_path / "none.toml", {})


def test_no_help_text_is_taken_for_markup() -> None:
    waiting, texts = [get_command(app)], list[str]()
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        texts += [command.help or "", *(getattr(parameter, "help", None) or "" for parameter in command.params)]
    assert len(texts) > 100
    assert [text for text in texts if Text.from_markup(text).plain != text] == []


@pytest.mark.parametrize(
    ("error", "package"),
    [
        ("libGL.so.1: cannot open shared object file: No such file or directory", "libgl1"),
        ("libgthread-2.0.so.0: cannot open shared object file", "libglib2.0-0"),
        ("libEGL.so.1: cannot open shared object file", "libegl1"),
    ],
)
def test_missing_system_library_says_what_to_install(error: str, package: str) -> None:
    message = missing_library(ImportError(error))
    assert message is not None
    assert f"sudo apt install {package}" in message
    assert missing_library(ImportError("No module named 'x'")) is None


def test_a_missing_library_is_told_before_anything_needs_it(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n")
    answer = mimicam("doctor", path=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.strip() == (
        "mimicam: the system library libGL.so.1: not installed. On Debian and Ubuntu: sudo apt install libgl1"
    )


def test_one_mimicam_performs_and_another_puppet_follows(tmp_path: Path) -> None:
    """Over the network: a recorded performance is told, a second process receives it as its camera."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"livelink:127.0.0.1:{free.getsockname()[1]}"
    report = tmp_path / "report.json"
    quiet = ["--output", "null", "--size", "320x180", "--runtime", "none"]
    follow = [sys.executable, "-m", "engine", "run", "--camera", address, *quiet, "--report", str(report)]
    process = subprocess.Popen(follow, stdout=subprocess.DEVNULL)
    try:
        told = mimicam("run", "--camera", "demo", *quiet, "--seconds", "6", "--send", address)
        assert told.returncode == 0, told.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
    found = json.loads(report.read_text())
    assert found["puppet_frames"]["live"] > 0
    assert found["protocols"] == {"malformed": 0, "foreign": 0}
