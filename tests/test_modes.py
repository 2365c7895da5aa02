"""The modes: what each leaves as it is, what it changes, what never gets through, and how one follows on another."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import filmed, performance
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.capture.open import demo_clip
from engine.capture.video_file import VideoFile
from engine.config import RunConfig
from engine.errors import PuppetError
from engine.face import landmarks as lm
from engine.face.performance import HeadMotion, Performance
from engine.face.pose import Pose, euler_from_rotation, fit_head
from engine.face.reference import reference_face
from engine.face.retarget import Target
from engine.face.safety import EASE_S, HOLD_S, PuppetState
from engine.live.frame import Frame
from engine.puppet.clip import Clip
from engine.puppet.format import Puppet, Reference
from engine.puppet.shipped import known_puppets
from engine.render.borrowed import Borrowed, Lent
from engine.render.clip_view import ClipView
from engine.render.face_layer import bare_skin, face_mask
from engine.render.moves import Moves
from engine.render.occlusion import Occlusion
from engine.render.patch import Region
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER
from engine.render.references import BETTER, FADE_S, LEAP, Chooser, Look
from engine.render.scene import FADE_S as CHANGE_S
from engine.render.scene import Scene
from engine.render.swap_view import SwapView, mirrored_reference, mirrored_shape
from engine.render.view import Shown, View
from engine.switchboard import Switchboard
from engine.track.facemesh import find_faces
from engine.track.tracker import Tracked
from models.config import CONFIGS

Picture = NDArray[np.uint8]


def seen(picture: Picture, landmarks_px: lm.Points, at_s: float = 0.0, index: int = 0) -> Tracked:
    """The performer before a camera, doing nothing."""
    pose = fit_head(reference_face().mean, landmarks_px)
    return Tracked(Frame(picture, index, at_s), landmarks_px, pose, Performance.neutral())


def lost(picture: Picture, at_s: float) -> Tracked:
    return Tracked(Frame(picture, 0, at_s), None, None, None)


@pytest.fixture(scope="module")
def dora(clip_puppet: Puppet) -> Tracked:
    assert clip_puppet.clip is not None
    return seen(clip_puppet.clip.picture(20), clip_puppet.clip.analysis.landmarks_px[20])


def size(tracked: Tracked) -> tuple[int, int]:
    height, width = tracked.frame.bgr.shape[:2]
    return width, height


def inside(tracked: Tracked, inset: float = 0.0) -> NDArray[np.bool_]:
    assert tracked.landmarks_px is not None
    return face_mask(tracked.landmarks_px, Region(0, 0, *size(tracked)), inset) != 0


def apart(a: Picture, b: Picture) -> NDArray[np.float64]:
    return np.abs(a.astype(int) - b).mean(-1)


# face2face


@pytest.fixture(scope="module")
def clip_view(clip_puppet: Puppet) -> ClipView:
    assert clip_puppet.clip is not None
    height, width = clip_puppet.clip.picture(0).shape[:2]
    return ClipView(clip_puppet, width, height)


@pytest.mark.parametrize("index", [0, 13, 39])
def test_a_clip_that_drives_itself_is_itself_to_the_bit(clip_view: ClipView, clip_puppet: Puppet, index: int) -> None:
    clip = clip_puppet.clip
    assert clip is not None
    own = Performance(HeadMotion((20.0, 5.0, 3.0), np.zeros(3, np.float32), 1.2), clip.analysis.offsets[index])
    assert np.array_equal(clip_view.draw_frame(index, own, 0.0), clip.picture(index))


def test_a_clip_takes_the_expression_and_keeps_its_head(clip_view: ClipView, clip_puppet: Puppet) -> None:
    clip = clip_puppet.clip
    assert clip is not None
    turned = replace(performance({"jawOpen": 0.5}), head=HeadMotion((25.0, 0.0, 0.0), np.zeros(3, np.float32), 1.0))
    picture = clip_view.draw_frame(5, turned, 0.0)
    before, after = find_faces(clip.picture(5))[0], find_faces(picture)[0]
    unit = lm.inter_ocular(before)
    assert lm.lip_gap(after[:, :2]) > lm.lip_gap(before[:, :2]) + 0.06 * unit
    angles = [euler_from_rotation(fit_head(reference_face().mean, points).rotation) for points in (before, after)]
    assert np.abs(np.subtract(*angles)).max() < 1.5
    far = cv2.dilate(inside(seen(picture, before)).astype(np.uint8), np.ones((3, 3)), iterations=round(unit)) == 0
    assert np.array_equal(picture[far], clip.picture(5)[far])  # hair and background stay


def test_a_clip_plays_at_its_own_rate(clip_view: ClipView, clip_puppet: Puppet) -> None:
    clip = clip_puppet.clip
    assert clip is not None
    view = ClipView(clip_puppet, *clip.picture(0).shape[1::-1], play="hold")
    for at_s, index in ((10.0, 0), (10.0 + 7 / clip.rate_hz, 7), (100.0, len(clip) - 1)):
        own = Performance(HeadMotion.still(), clip.analysis.offsets[index])
        assert np.array_equal(view.draw(Shown(own, at_s), LADDER[0]), clip.picture(index))


def test_shut_eyes_of_a_clip_open_for_a_performer_who_looks(clip_view: ClipView, clip_puppet: Puppet) -> None:
    clip = clip_puppet.clip
    assert clip is not None
    lids = [min(lm.lid_openings(points)) for points in clip.analysis.landmarks_px]
    index = int(np.argmin(lids))
    picture = clip_view.draw_frame(index, performance({}), 0.0)
    assert min(lm.lid_openings(find_faces(picture)[0])) >= 0.8 * min(lm.lid_openings(clip.analysis.neutral))


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A part of the demo clip in which the performer opens her mouth."""
    frames = [np.ascontiguousarray(frame.bgr[::2, ::2]) for frame in islice(VideoFile(demo_clip()), 240, 290)]
    clip = filmed(frames, tmp_path_factory.mktemp("speaking") / "dora.mp4").clip
    assert clip is not None
    return clip


def test_a_mouth_is_borrowed_where_a_frame_shows_such_a_one(speaking: Clip) -> None:
    found = speaking.analysis
    poses = [fit_head(found.neutral, points) for points in found.landmarks_px]
    gaps = np.array([lm.lip_gap(points) / pose.scale for points, pose in zip(found.landmarks_px, poses, strict=True)])
    shut, wide = int(np.argmin(gaps)), int(found.mouths[np.argmax(gaps[found.mouths])])
    assert gaps[shut] < 0.02
    assert gaps[wide] > 0.1
    picture = speaking.picture(shut)

    def lent(shape: lm.Points) -> Lent:
        here = Target(poses[shut].apply(shape.astype(np.float32)), poses[shut])
        return Borrowed(speaking, poses).lend(picture, shut, here, Moves(any=True, mouth=1.0, eyes=0.0), "feather", 0.0)

    spoken = lent(poses[wide].invert(found.landmarks_px[wide]))
    assert spoken.mouth_suits == 1.0
    lips = seen(picture, found.landmarks_px[shut])
    assert apart(spoken.picture, picture)[inside(lips)].max() > 40  # another mouth
    shouted = lent(found.neutral + performance({"jawOpen": 1.0}).offsets)
    assert shouted.mouth_suits < 0.05
    assert apart(shouted.picture, picture).max() < 5


def test_a_mouth_that_no_frame_shows_has_a_cavity_and_teeth(clip_view: ClipView, clip_puppet: Puppet) -> None:
    clip = clip_puppet.clip
    assert clip is not None
    lips = find_faces(picture := clip_view.draw_frame(5, performance({"jawOpen": 0.9}), 0.0))[0][lm.LIPS_INNER, :2]
    x0, y0 = lips.min(0).astype(int) + 2
    x1, y1 = lips.max(0).astype(int) - 2
    luma = picture[y0:y1, x0:x1].mean(-1)
    assert luma.min() < 40
    assert luma.std() > 20


def test_a_puppet_of_photographs_has_no_face2face(bruno: Puppet) -> None:
    with pytest.raises(PuppetError, match=r"a clip in the puppet bruno.*puppet new CLIP"):
        ClipView(bruno, 320, 180)


@pytest.mark.parametrize("output", [(320, 180), (500, 500), (300, 700)])
def test_a_clip_fills_every_output(clip_puppet: Puppet, output: tuple[int, int]) -> None:
    canvas = ClipView(clip_puppet, *output).draw(Shown(performance({"jawOpen": 0.4}), 0.0), LADDER[0])
    assert canvas.shape == (output[1], output[0], 3)


# swap


def test_a_face_swapped_on_to_itself_is_invisible(clip_puppet: Puppet, dora: Tracked) -> None:
    assert dora.landmarks_px is not None
    assert clip_puppet.clip is not None
    own = replace(clip_puppet, references=(Reference(dora.frame.bgr, dora.landmarks_px),))
    told = replace(dora, performance=Performance(HeadMotion.still(), clip_puppet.clip.analysis.offsets[20]))
    picture = Scene(SwapView(own, *size(dora)))(told).frame.bgr
    assert apart(picture, dora.frame.bgr)[inside(dora)].mean() < 3.0  # the issue's own bound


def test_a_shadow_in_the_puppets_photograph_does_not_come_along(bruno: Puppet, dora: Tracked) -> None:
    reference = bruno.references[0]
    unit = lm.inter_ocular(reference.landmarks_px)
    forehead = reference.landmarks_px[151, :2].astype(int)
    shadow = np.zeros(reference.picture.shape[:2], np.float32)
    cv2.circle(shadow, tuple(forehead.tolist()), round(0.35 * unit), 1.0, -1)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 0.1 * unit)
    shaded = (reference.picture * (1 - 0.35 * shadow[..., None])).astype(np.uint8)
    pictures = []
    for picture in (reference.picture, shaded):
        one = replace(bruno, references=(Reference(picture, reference.landmarks_px),))
        pictures.append(Scene(SwapView(one, *size(dora)))(dora).frame.bgr)
    assert dora.landmarks_px is not None
    x, y = dora.landmarks_px[151, :2].astype(int)
    spot = (slice(y - 6, y + 7), slice(x - 6, x + 7))
    before = float((reference.picture - shaded.astype(int))[forehead[1], forehead[0]].mean())
    assert before > 30
    assert apart(*pictures)[spot].mean() < 0.5 * before


def test_bare_skin_has_neither_eyes_nor_brows_nor_lips(dora: Tracked) -> None:
    assert dora.landmarks_px is not None
    assert dora.pose is not None
    face = inside(dora).astype(np.uint8) * np.uint8(255)
    skin = bare_skin(face, Target(dora.landmarks_px, dora.pose))
    for feature in (lm.EYE_LEFT, lm.EYE_RIGHT, lm.BROW_LEFT, lm.BROW_RIGHT, lm.LIPS_OUTER):
        x, y = dora.landmarks_px[feature, :2].round().astype(int).T
        assert not skin[y, x].any()
    x, y = dora.landmarks_px[[50, 280, 151], :2].round().astype(int).T  # cheeks and forehead
    assert (skin[y, x] == 255).all()
    assert (skin <= face).all()


@pytest.mark.parametrize("blend", ["feather", "multiband", "poisson"])
def test_a_swap_changes_the_face_and_nothing_else(bruno: Puppet, dora: Tracked, blend: str) -> None:
    view = SwapView(bruno, *size(dora))
    view.blend = blend  # type: ignore[assignment]
    difference = apart(Scene(view)(dora).frame.bgr, dora.frame.bgr)
    assert difference[inside(dora, 0.2)].mean() > 4  # another person
    assert difference[~inside(dora)].max() == 0


def test_a_swap_in_fewer_pixels_is_as_safe_and_looks_alike(bruno: Puppet, dora: Tracked) -> None:
    whole = Scene(SwapView(bruno, *size(dora)))(dora).frame.bgr
    scene = Scene(SwapView(bruno, *size(dora)))
    scene.quality = LADDER[-1]
    half = scene(dora).frame.bgr
    assert apart(half, dora.frame.bgr)[~inside(dora)].max() == 0
    assert apart(half, whole)[inside(dora)].mean() < 6
    assert apart(half, dora.frame.bgr)[inside(dora, 0.2)].mean() > 4


def test_a_lost_performer_never_gets_through_a_swap(bruno: Puppet, dora: Tracked) -> None:
    """Neither before the first face nor after the last one, whatever the camera shows meanwhile."""
    scene, still = Scene(SwapView(bruno, *size(dora))), PortraitView(bruno, *size(dora))
    bare = dora.frame.bgr
    assert np.array_equal(scene(lost(bare, 0.0)).frame.bgr, still.draw(Shown(Performance.neutral(), 0.0), LADDER[0]))
    scene(replace(dora, frame=Frame(bare, 1, 0.1)))
    swapped = scene(replace(dora, frame=Frame(bare, 2, 0.5))).frame.bgr
    glaring = np.full_like(bare, 255)
    held = scene(lost(glaring, 0.5 + HOLD_S / 2))
    assert held.state is PuppetState.HELD
    assert np.array_equal(held.frame.bgr, swapped)
    for step in range(1, 8):
        between = scene(lost(glaring, 0.5 + HOLD_S + step * EASE_S / 6))
        assert apart(between.frame.bgr, glaring).mean() > 20
    assert between.state is PuppetState.STILL
    assert np.array_equal(between.frame.bgr, still.draw(Shown(Performance.neutral(), 0.0), LADDER[0]))
    idle = scene.idle(9.0)
    assert idle is not None
    assert np.array_equal(idle.frame.bgr, between.frame.bgr)


def test_who_speaks_without_a_face_is_shown_as_the_portrait_after_a_swap(bruno: Puppet, dora: Tracked) -> None:
    """Sound performs while the face is lost: no picture stands still, and the face that comes back fades in."""
    swap, still = SwapView(bruno, *size(dora)), PortraitView(bruno, *size(dora))
    speaks = Tracked(lost(dora.frame.bgr, 0.0).frame, None, None, performance({"jawOpen": 0.4}))
    assert speaks.performance is not None

    def shown(tracked: Tracked, at_s: float) -> Picture:
        assert tracked.performance is not None
        return swap.draw(Shown(tracked.performance, at_s, PuppetState.LIVE, 1.0, tracked), LADDER[0])

    swapped = shown(dora, 10.0)
    portrait = still.draw(Shown(speaks.performance, 0.0), LADDER[0])
    away = [float(apart(shown(speaks, 10.0 + at_s), portrait).mean()) for at_s in (0.1, 0.2, 0.3, 0.5)]
    assert away == sorted(away, reverse=True)
    assert away[0] > 1
    assert away[-1] == 0
    back = [float(apart(shown(dora, 11.0 + at_s), swapped).mean()) for at_s in (0.0, 0.1, 0.2, 0.5)]
    assert back == sorted(back, reverse=True)
    assert back[-1] < 1  # colours have followed the time that went by


def test_a_canvas_is_whoevers_asked_for_it(bruno: Puppet, dora: Tracked, clip_view: ClipView) -> None:
    """The scene writes badge and mark on it: nothing of that may come back in a later picture."""
    assert dora.performance is not None
    swap, bare = SwapView(bruno, *size(dora)), dora.frame.bgr.copy()
    live = Shown(dora.performance, 0.1, PuppetState.LIVE, 1.0, dora)
    held = replace(live, state=PuppetState.HELD, tracked=None)
    for view, first, later in (
        (swap, live, held), (PortraitView(bruno, *size(dora)), live, live), (clip_view, live, live),
    ):  # fmt: skip
        picture = view.draw(first, LADDER[0])
        expected = picture.copy()
        picture[:] = 0
        again = view.draw(later, LADDER[0])
        assert np.array_equal(again, expected)
        again[:] = 0
        assert np.array_equal(view.draw(later, LADDER[0]), expected)
    assert np.array_equal(dora.frame.bgr, bare)


class Told:
    """A network that answers what it was told: something lies over the left half of the crop."""

    precision = "f32"

    def __init__(self, level: float = 1.0) -> None:
        self.level = level

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        answer = np.zeros((*crops.shape[:3], 1), np.float32)
        answer[:, :, : crops.shape[2] // 2] = self.level
        return answer


def test_what_lies_in_front_stays_in_front(bruno: Puppet, dora: Tracked) -> None:
    assert dora.landmarks_px is not None
    covered = Scene(SwapView(bruno, *size(dora), occlusion=Occlusion(Told())))(dora).frame.bgr
    difference = apart(covered, dora.frame.bgr)
    middle = int(dora.landmarks_px[lm.OVAL, 0].mean())
    left, right = inside(dora, 0.1), inside(dora, 0.1)
    left[:, middle - 8 :] = False
    right[:, : middle + 8] = False
    assert difference[left].max() <= 1  # the performer's own pixels
    assert difference[right].mean() > 4


def test_the_matte_before_moves_with_the_face(dora: Tracked) -> None:
    """A face that moves by ten pixels takes what was seen in front of it along to its new crop."""
    assert dora.landmarks_px is not None
    assert dora.pose is not None
    inputs: list[NDArray[np.uint8]] = []

    class Listening(Told):
        def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            inputs.append(crops[0])
            return super().__call__(crops)

    occlusion, region = Occlusion(Listening()), Region(0, 0, *size(dora))
    for shift in (0, 10):
        by = np.array([shift, 0, 0], np.float32)
        pose = Pose(dora.pose.rotation, dora.pose.translation + by, dora.pose.scale)
        occlusion(dora.frame.bgr, Target(dora.landmarks_px + by, pose), region)
    assert not inputs[0][..., 4].any()
    side = CONFIGS["occlusion"].size_px
    step = 10 / (2.6 * dora.pose.scale) * side  # of the crop, which went right; what is in front stayed in the picture
    assert inputs[1][side // 2, :, 4].astype(float).sum() / 255 == pytest.approx(side / 2 - step, abs=1.5)


def test_a_hand_is_a_second_opinion(dora: Tracked) -> None:
    """Where the network is in two minds, a hand that was found decides."""
    assert dora.landmarks_px is not None
    assert dora.pose is not None
    hand = np.zeros((21, 3), np.float32)
    hand[:, :2] = dora.landmarks_px[np.linspace(0, 467, 21).astype(int), :2]
    region, face = Region(0, 0, *size(dora)), Target(dora.landmarks_px, dora.pose)
    alone = Occlusion(Told(0.3))(dora.frame.bgr, face, region)
    together = Occlusion(Told(0.3))(dora.frame.bgr, face, region, [hand])
    assert alone.max() < 64
    assert together.max() > 127
    assert (together >= alone).all()


def test_a_mirror_image_swaps_on_the_mirror_image(bruno: Puppet, dora: Tracked) -> None:
    plain = Scene(SwapView(bruno, *size(dora)))(dora).frame.bgr
    turned = Scene(SwapView(bruno, *size(dora), mirrored=True))(dora).frame.bgr
    outside = ~inside(dora)[:, ::-1]
    grown = cv2.erode(outside.astype(np.uint8), np.ones((9, 9))) != 0
    assert np.array_equal(turned[grown], plain[:, ::-1][grown])


def test_a_mirrored_photograph_has_its_points_where_they_belong(bruno: Puppet) -> None:
    reference = bruno.references[0]
    flipped = mirrored_reference(reference)
    again = mirrored_reference(flipped)
    assert np.array_equal(again.picture, reference.picture)
    assert np.allclose(again.landmarks_px, reference.landmarks_px, atol=1e-3)
    assert np.linalg.norm(find_faces(flipped.picture)[0] - flipped.landmarks_px, axis=1).mean() < 6
    shape = reference_face().mean
    assert np.allclose(mirrored_shape(mirrored_shape(shape)), shape, atol=1e-6)


# several photographs


def look(value: float) -> Look:
    return Look(np.array([value], np.float32))


@given(st.lists(st.floats(-0.12, 0.12), min_size=1, max_size=60))
def test_two_photographs_that_are_as_good_do_not_flicker(noise: list[float]) -> None:
    """Around the middle between two, no noise smaller than half the margin makes a change."""
    assert BETTER >= 0.24
    choose = Chooser([look(0.0), look(1.0)])
    for step, n in enumerate(noise):
        assert choose(look(0.5 + n), step / 30) == [(0, 1.0)]


def test_a_better_photograph_fades_in_and_a_far_better_one_is_there_at_once() -> None:
    choose = Chooser([look(0.0), look(1.5), look(10.0)])
    assert choose(look(0.1), 0.0) == [(0, 1.0)]
    shares = [choose(look(1.4), 1.0 + step / 30) for step in range(12)]
    assert shares[0] == [(0, 1.0), (1, 0.0)]
    assert shares[-1] == [(1, 1.0)]
    rising = [part[-1][1] for part in shares if len(part) == 2]
    assert rising == sorted(rising)
    assert max(np.diff(rising)) < 0.35  # nothing pops
    assert len(rising) + 1 >= 30 * FADE_S
    assert LEAP < 8
    assert choose(look(9.9), 2.0) == [(2, 1.0)]


def test_other_photographs_lend_their_face(ada: Puppet) -> None:
    """A puppet with a second photograph, turned: near its own pose the second one's face is shown, in the first one's colours."""
    first = ada.references[0]
    turned, target = PortraitView(ada, 480, 480).portrait.draw(performance({}, (24, 0, 0)))
    other = Reference(np.clip(turned.astype(int) - 30, 0, 255).astype(np.uint8), target.landmarks_px)
    both = PortraitView(replace(ada, references=(first, other)), 480, 480)
    alone = PortraitView(ada, 480, 480)
    still, moved = performance({}), performance({}, (24, 0, 0))
    assert np.array_equal(both.draw(Shown(still, 0.0), LADDER[0]), alone.draw(Shown(still, 0.0), LADDER[0]))
    pictures = [both.draw(Shown(moved, 1 + step / 20), LADDER[0]) for step in range(12)]
    plain = alone.draw(Shown(moved, 1.0), LADDER[0])
    assert np.array_equal(pictures[-1], pictures[-2])
    assert apart(pictures[-1], plain).max() > 0
    face = face_mask(target.landmarks_px, Region(0, 0, 480, 480), 0.1) != 0
    assert apart(pictures[-1], plain)[face].mean() < 8  # 30 levels darker, in the brighter one's colours
    x, y = target.landmarks_px[50, :2].round().astype(int)
    spotted = other.picture.copy()
    spotted[y - 5 : y + 6, x - 5 : x + 6] = (0, 255, 0)
    marked = PortraitView(replace(ada, references=(first, Reference(spotted, other.landmarks_px))), 480, 480)
    for step in range(12):
        shown = marked.draw(Shown(moved, 1 + step / 20), LADDER[0])
    assert shown[y, x, 1] > shown[y, x, 2] + 60  # it is the second photograph that is seen
    assert max(apart(a, b).max() for a, b in pairwise(pictures)) < 90


# live changes


@pytest.mark.parametrize(
    ("old", "new"), [("portrait", "swap"), ("swap", "portrait"), ("portrait", "face2face"), ("face2face", "swap")]
)
def test_a_change_of_mode_fades_without_a_black_picture(
    old: str, new: str, bruno: Puppet, clip_puppet: Puppet, dora: Tracked
) -> None:
    def opened(mode: str) -> View:
        if mode == "face2face":
            return ClipView(clip_puppet, *size(dora))
        return SwapView(bruno, *size(dora)) if mode == "swap" else PortraitView(bruno, *size(dora))

    def at(step: int) -> Picture:
        return scene(replace(dora, frame=Frame(dora.frame.bgr, step, step * CHANGE_S / 5))).frame.bgr

    scene = Scene(opened(old))
    first = at(0)
    scene.show(opened(new))
    pictures = [first, *(at(step) for step in range(1, 8))]
    last = pictures[-1]
    assert min(float(p.mean()) for p in pictures) >= min(float(first.mean()), float(last.mean())) - 2
    steps = [float(apart(a, b).mean()) for a, b in pairwise(pictures)]
    assert max(steps) < 0.5 * float(apart(first, last).mean())


def test_a_change_of_puppet_fades_without_a_black_picture(bruno: Puppet, ada: Puppet, dora: Tracked) -> None:
    views = [PortraitView(p, *size(dora)) for p in (bruno, ada)]
    scene = Scene(views[0])
    old = scene(replace(dora, frame=Frame(dora.frame.bgr, 0, 0.0))).frame.bgr
    scene.show(views[1])
    pictures = [
        scene(replace(dora, frame=Frame(dora.frame.bgr, step, step * CHANGE_S / 5))).frame.bgr for step in range(1, 8)
    ]
    new = views[1].draw(Shown(Performance.neutral(), 0.0), LADDER[0])
    assert np.array_equal(pictures[0], old)
    assert np.array_equal(pictures[-1], new)
    levels = [float(p.mean()) for p in (old, *pictures)]
    assert min(levels) >= min(levels[0], levels[-1]) - 1
    away = [float(apart(picture, new).mean()) for picture in pictures]
    assert away == sorted(away, reverse=True)


def test_a_switchboard_goes_through_modes_puppets_and_blends() -> None:
    told: list[str] = []
    board = Switchboard(RunConfig(puppet="bruno", size=(160, 90), runtime="none", occlusion="none"), told.append)
    board.ask_mode()
    board.ask_puppet()
    board.ask_blend()
    board.ask_puppet()  # a key that is held
    assert isinstance(board.scene.view, PortraitView)  # nothing happens before it is served
    for _ in range(3):
        board.serve()  # one at a time: between them a run may end
    names = [path.stem for path in known_puppets()]
    following = names[(names.index("bruno") + 1) % len(names)]
    assert told[0].startswith("not face2face with bruno: a clip in the puppet bruno")
    assert told[1:3] == ["swap with bruno", f"swap with {following}"]
    assert told[3].startswith("blend: ")
    board.serve()
    assert len(told) == 4
    chosen = board.scene.blend
    assert told[3] == f"blend: {chosen}"
    board.ask_puppet()
    board.serve()
    assert board.scene.blend == chosen  # of what comes after, too


def test_a_puppet_given_by_path_comes_around_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.puppet"
    path.write_bytes(known_puppets()[0].read_bytes())
    told: list[str] = []
    board = Switchboard(RunConfig(puppet=str(path), size=(160, 90), runtime="none"), told.append)
    for _ in range(len(known_puppets()) + 1):
        board.ask_puppet()
        board.serve()
    assert told == [f"portrait with {name.stem}" for name in (*known_puppets(), path)]


def test_settings_reach_the_views() -> None:
    quiet: dict[str, Any] = {"puppet": "bruno", "size": (160, 90), "runtime": "none", "occlusion": "none"}
    assert Switchboard(RunConfig(mode="swap", mirror=True, **quiet)).scene.view._mirrored
    assert not Switchboard(RunConfig(mode="swap", **quiet)).scene.view._mirrored
    assert Switchboard(RunConfig(pose="absolute", **quiet)).scene.view.portrait.face._absolute_pose


def test_a_mode_asked_for_at_the_start_must_be_there() -> None:
    with pytest.raises(PuppetError, match="a clip in the puppet bruno"):
        Switchboard(RunConfig(puppet="bruno", mode="face2face", size=(160, 90), runtime="none"))
