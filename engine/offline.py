"""Render a clip to a file: one output frame for each frame of the clip, in order, the same every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from engine.capture.video_file import VideoFile
from engine.config import RunConfig
from engine.drive.attributes import Attributes
from engine.drive.called import HandFinder
from engine.drive.drive import Act, styled
from engine.errors import ConfigError, SourceError
from engine.face.calibration import Calibration
from engine.files import hash_of_file
from engine.live.frame import Frame
from engine.live.signals import undisturbed
from engine.output.video_file import VideoFileSink
from engine.perform.drivers import SUFFIXES, load_moments
from engine.perform.recording import Moment
from engine.perform.replay import frames_of, tracked
from engine.render.scene import Scene
from engine.switchboard import Switchboard, refuse_swap_without_pictures
from engine.track.footage import neutral_of_clip
from engine.track.tracker import Tracked, Tracker
from engine.trust.credentials import Ingredient
from engine.trust.journal import running

REPLAY_RATE_HZ = 30.0  # what a player is told; pictures have their own times


def render(
    driver: Path,
    output: Path,
    config: RunConfig,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> tuple[int, int]:
    """Render `driver`, a clip, a performance, a CSV of Live Link Face or speech, as the settings say.

    Returns how many frames there were and in how many no performer was found.

    With `neutral` `auto` it looks through the first seconds before it starts, `first` takes the first face. `progress` is told
    frames done and, where the file says so, frames in all. Raises MimicamError; what was rendered until then is playable.
    """
    if output.exists() and driver.exists() and output.samefile(driver):
        raise ConfigError(
            wanted="an output beside the driver", found=f"{output} is the driver", advice="Name another file."
        )
    performed = driver.suffix.lower() in SUFFIXES
    refuse_swap_without_pictures(config.model_copy(update={"camera": str(driver)}), performed)
    config = config.model_copy(update={"output": (f"file:{output}",)})
    with running() as journal, ExitStack() as opened:
        board = Switchboard(config, journal=journal)
        acts: list[Act] = [Attributes(config.attributes), *styled(config)]
        if config.occlusion == "hands" and not performed:
            acts.insert(0, opened.enter_context(closing(HandFinder(config.expressions.hands.most_hands))))
        show = _Show(acts, board.scene)
        if performed:
            done, lost, damaged = _render_performance(load_moments(driver), show, output, progress)
        else:
            done, lost, damaged = _render_clip(driver, show, output, config, progress)
    with undisturbed():
        board.credentials(Ingredient("driver", driver.name, hash_of_file(driver))).sign(output)
    if damaged:
        raise SourceError(
            wanted=f"all of {driver}",
            found=f"it is damaged after {done} frames",
            advice=f"{output} holds what could be read.",
        )
    return done, lost


@dataclass(frozen=True, slots=True)
class _Show:
    """What acts on a performance, as in a live run, and the scene that shows it."""

    acts: Sequence[Act]
    scene: Scene

    def __call__(self, tracked: Tracked) -> Frame:
        for act in self.acts:
            tracked = act(tracked)
        return self.scene(tracked).frame


def _render_clip(
    driver: Path, show: _Show, output: Path, config: RunConfig, progress: Callable[[int, int | None], None]
) -> tuple[int, int, bool]:
    """One picture for each frame. How many, in how many nobody was found, and whether it is damaged after them."""
    video = VideoFile(driver)
    found = neutral_of_clip(driver) if config.neutral == "auto" else None
    tracker = Tracker(Calibration(found, window_s=0.0), config.landmarks)
    done = lost = 0
    with closing(video), closing(tracker), closing(VideoFileSink(output, video.rate_hz, wait=True)) as sink:
        for frame in video:
            tracked = tracker(frame)
            lost += tracked.lost
            sink.send(show(tracked))
            done += 1
            progress(done, video.frames)
    return done, lost, video.damaged


def _render_performance(
    moments: list[Moment], show: _Show, output: Path, progress: Callable[[int, int | None], None]
) -> tuple[int, int, bool]:
    """The same of a performance: one picture for each moment, at its own time."""
    with closing(VideoFileSink(output, REPLAY_RATE_HZ, wait=True)) as sink:
        for frame in frames_of(moments):
            sink.send(show(tracked(moments, frame)))
            progress(frame.index + 1, len(moments))
    return len(moments), sum(moment.performance is None for moment in moments), False
