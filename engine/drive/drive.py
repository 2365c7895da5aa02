"""Who performs, and what acts on the performance before a puppet shows it: the source and the track stage of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.capture.nothing import NoCamera
from engine.capture.open import open_source
from engine.capture.webcam import Webcam, WebcamFormat
from engine.config import RunConfig
from engine.drive.attributes import Attributes
from engine.drive.called import Called, HandFinder, HandWatch
from engine.drive.ranging import Ranging
from engine.drive.samples import SampleTracker
from engine.drive.sound_mouth import SoundMouth
from engine.drive.telling import Telling
from engine.drive.triggers import Triggers
from engine.errors import ConfigError, MimicamError
from engine.face.calibration import WINDOW_S, Calibration, Neutral
from engine.face.performance import Performance
from engine.face.profile import Profile, load_profile, profile_path, save_profile
from engine.face.ranges import Ranges
from engine.face.style import Style
from engine.live.frame import Frame
from engine.live.pipeline import Source
from engine.perform.replay import Replay
from engine.protocols.receive import ProtocolSource
from engine.protocols.send import Broadcast
from engine.protocols.table import is_protocol, parse_endpoint
from engine.sound.lips import Lips
from engine.sound.source import Microphone, PacedSound
from engine.track.tracker import Tracked, Tracker

Act = Callable[[Tracked], Tracked]


@dataclass(frozen=True, slots=True)
class Performer:
    """Where performances come from."""

    source: Source
    track: Callable[[Frame], Tracked]
    recapture: Callable[[], None] = lambda: None
    tracker: Tracker | None = None  # where a face is tracked in pictures
    ranges: Ranges | None = None  # likewise


@dataclass(slots=True)
class Drive:
    """The track stage: whoever performs, then what acts on it, in order. One thread calls it."""

    performer: Performer
    acts: Sequence[Act]
    lips: Lips | None = None
    broadcasts: Sequence[Broadcast] = ()
    ends_with_sound: bool = False  # nothing but a sound file performs
    _closing: ExitStack = field(default_factory=ExitStack)

    def __call__(self, frame: Frame) -> Tracked:
        """What the puppet shall do for a frame."""
        tracked = self.performer.track(frame)
        for act in self.acts:
            tracked = act(tracked)
        return tracked

    @property
    def ended(self) -> bool:
        """Nothing more will be performed, though the source goes on."""
        return self.ends_with_sound and self.lips is not None and self.lips.ended

    def counted(self) -> dict[str, int]:
        """What came in and went out besides frames, for status line and report."""
        found: dict[str, int] = {}
        if isinstance(self.performer.source, ProtocolSource):
            found |= {"malformed": self.performer.source.malformed, "foreign": self.performer.source.foreign}
        if self.broadcasts:
            found |= {"told": sum(b.sent for b in self.broadcasts), "not_told": sum(b.failed for b in self.broadcasts)}
        return found

    @property
    def sound_failure(self) -> Exception | None:
        """Why the sound broke off; None where it didn't."""
        return None if self.lips is None else self.lips.failure

    def sound(self) -> dict[str, Any] | None:
        """Delay of the mouth that sound drives, ms, and why it broke off; None without sound."""
        if self.lips is None:
            return None
        failure = self.sound_failure
        return {"delay_ms": 1e3 * self.lips.delay_s, "failure": None if failure is None else str(failure)}

    def close(self) -> None:
        """Free networks, sockets and the microphone. The source is closed by who reads it."""
        self._closing.close()


def open_drive(
    config: RunConfig,
    triggers: Triggers,
    attributes: Attributes | None = None,
    replay: Replay | None = None,
    tell: Callable[[str], object] = lambda text: None,
) -> Drive:
    """Open everything that performs, or nothing: MimicamError for what can't be opened. `tell` gets what is worth a line."""
    with ExitStack() as opened, ExitStack() as undone:
        lips = _open_lips(config.sound)
        if lips is not None:
            opened.callback(lips.close)
        broadcasts = []
        for spec in config.send:
            broadcasts.append(Broadcast(parse_endpoint(spec)))
            opened.callback(broadcasts[-1].close)
        performer = _open_performer(config, replay, opened, tell)
        undone.callback(performer.source.close)
        _refuse_echo(performer.source, broadcasts)
        acts: list[Act] = []
        if performer.ranges is not None and performer.tracker is not None:
            acts.append(Ranging(performer.ranges, performer.tracker.calibration))
        if lips is not None:
            acts.append(SoundMouth(lips.at, always=config.sound_when == "always", alone=config.camera == "none"))
        if performer.tracker is not None and (config.expressions.hands.enabled or config.occlusion == "hands"):
            finder = HandFinder(config.expressions.hands.most_hands)
            opened.callback(finder.close)
            acts.append(finder)
        if config.expressions.hands.enabled and performer.tracker is not None:
            acts.append(HandWatch(config.expressions, triggers))
        acts.append(Called(triggers))
        if attributes is not None:
            acts.append(attributes)
        if broadcasts:
            acts.append(Telling(broadcasts))
        acts += styled(config)
        undone.pop_all()
        from_file = config.sound is not None and config.sound.partition(":")[0] != "mic"
        alone = config.camera == "none" and from_file and not config.expressions.keys.enabled
        return Drive(performer, acts, lips, broadcasts, alone, opened.pop_all())


def _refuse_echo(source: Source, broadcasts: Sequence[Broadcast]) -> None:
    """ConfigError where what is sent would come back in as the performer, and lock the true one out."""
    for broadcast in broadcasts:
        if isinstance(source, ProtocolSource) and source.would_hear(*broadcast.address):
            raise ConfigError(
                wanted=f"to send to another program than this one at {broadcast.address[0]} port {broadcast.address[1]}",
                found="--camera listens there",
                advice="Give --send or --camera another port.",
            )


def styled(config: RunConfig) -> list[Act]:
    """What changes performances as the settings want them shown, if anything does."""
    style = replace(config.style.style(), mirrored=config.mirror)
    return [] if style.plain else [partial(_styled, style)]


def _styled(style: Style, tracked: Tracked) -> Tracked:
    shown = tracked.performance
    return tracked if shown is None else replace(tracked, performance=style(shown), coefficients=None)


def _open_lips(spec: str | None) -> Lips | None:
    if spec is None:
        return None
    kind, _, name = spec.partition(":")
    return Lips(Microphone(name or None) if kind == "mic" else PacedSound(Path(spec)))


def _open_performer(
    config: RunConfig, replay: Replay | None, opened: ExitStack, tell: Callable[[str], object]
) -> Performer:
    if replay is not None:
        return Performer(replay, replay.track)
    if config.camera == "none":
        return Performer(NoCamera(config.rate), lambda frame: Tracked(frame, None, None, Performance.neutral()))
    if is_protocol(config.camera):
        samples = SampleTracker()
        source = ProtocolSource(parse_endpoint(config.camera))
        return Performer(source, samples, samples.recapture)
    width, height = config.camera_size or (None, None)
    wanted = WebcamFormat(width, height, config.rate if config.camera_size else None)
    camera = open_source(config.camera, wanted, config.rate)
    try:
        return _before_camera(config, camera, opened, tell)
    except BaseException:
        camera.close()
        raise


def _before_camera(config: RunConfig, camera: Source, opened: ExitStack, tell: Callable[[str], object]) -> Performer:
    """A face before a camera; a webcam's calibration is remembered from run to run."""
    wanted = isinstance(camera, Webcam) and config.remember and config.neutral == "auto"
    path = profile_path(config.performer, config.camera) if wanted else None
    profile = _remembered(path, tell) if path is not None else None
    tracker = open_tracker(config, None if profile is None else profile.neutral)
    opened.callback(tracker.close)
    ranges = Ranges(None if profile is None else profile.ranges)
    if path is not None:
        opened.callback(_keep, path, config, tracker.calibration, ranges, tell)
    return Performer(camera, tracker, tracker.calibration.recapture, tracker, ranges)


def open_tracker(config: RunConfig, remembered: Neutral | None = None) -> Tracker:
    """A tracker as the settings want it, warm."""
    window_s = 0.0 if config.neutral == "first" else WINDOW_S
    tracker = Tracker(Calibration(window_s=window_s, remembered=remembered), config.landmarks)
    tracker.warm_up(np.zeros((config.size[1], config.size[0], 3), np.uint8))
    return tracker


def _remembered(path: Path, tell: Callable[[str], object]) -> Profile | None:
    if not path.exists():
        return None
    try:
        return load_profile(path)
    except MimicamError as error:
        tell(f"calibrating anew: {error}")
        return None


def _keep(
    path: Path, config: RunConfig, calibration: Calibration, ranges: Ranges, tell: Callable[[str], object]
) -> None:
    """Remember a calibration that was finished, and of one performer; a place that can't be written costs the memory, not
    the run."""
    if calibration.neutral is None or not calibration.settled or calibration.changed:
        return
    try:
        save_profile(Profile(calibration.neutral, ranges.most), path, config.performer, config.camera)
    except MimicamError as error:
        tell(f"the calibration is not remembered: {error}")
