"""Mode `swap`: what changes, what never gets through, what stays in front, and in whose light."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import performance
from faces import Picture, apart, inside, lost, size
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.face import landmarks as lm
from engine.face.performance import HeadMotion, Performance
from engine.face.pose import Pose
from engine.face.reference import reference_face
from engine.face.retarget import Target
from engine.face.safety import EASE_S, HOLD_S, PuppetState
from engine.live.frame import Frame
from engine.puppet.format import Puppet, Reference
from engine.render.clip_view import ClipView
from engine.render.face_layer import bare_skin
from engine.render.occlusion import FINE, Occlusion, crop_of
from engine.render.patch import Region
from engine.render.portrait_view import PortraitView
from engine.render.quality import LADDER
from engine.render.scene import Scene
from engine.render.swap_view import SwapView, mirrored_reference, mirrored_shape
from engine.render.view import Shown
from engine.track.facemesh import find_faces
from engine.track.tracker import Tracked
from kernels.crop_normalise.cpu import crop
from models.config import CONFIGS


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


@pytest.mark.parametrize("covered", [False, True])
@pytest.mark.parametrize("blend", ["feather", "multiband", "poisson"])
def test_a_swap_changes_the_face_and_nothing_else(bruno: Puppet, dora: Tracked, blend: str, covered: bool) -> None:
    """Nor does it where the edge of what is in front lies beside the face."""
    view = SwapView(bruno, *size(dora), occlusion=Occlusion(Told()) if covered else None)
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


@given(st.floats(0.5, 12), st.floats(-0.5, 0.5), st.floats(-200, 200), st.floats(-200, 200))
@settings(max_examples=40, deadline=None)
def test_a_large_face_looks_the_same_to_the_network(step: float, turn: float, x: float, y: float) -> None:
    """Whole blocks of pixels or each of them, also where the crop leaves the picture."""
    rows, columns = np.mgrid[0:270, 0:480].astype(np.float32)
    picture = np.dstack([rows * 0.9, columns * 0.5, 128 + 100 * np.sin(rows / 40 + columns / 60)]).astype(np.uint8)
    c, s = step * np.cos(turn), step * np.sin(turn)
    matrix = np.array([[c, -s, x], [s, c, y]], np.float32)
    exact, shrunk = crop(picture, matrix, 32), crop_of(picture, matrix, 32)
    assert np.abs(exact.astype(int) - shrunk).max() <= 2 + step  # no more than what lies within a block
    if step < 1.99 * FINE:
        assert np.array_equal(exact, shrunk)


@given(st.floats(4, 9), st.floats(-0.3, 0.3), st.floats(60, 150), st.floats(110, 150))
@settings(max_examples=40, deadline=None)
def test_nothing_of_a_large_face_is_moved(step: float, turn: float, x: float, y: float) -> None:
    """A crop that lies in the picture, up to its rim."""
    rows, columns = np.mgrid[0:600, 0:600].astype(np.float32)
    waves = (columns / 25, rows / 25, (columns + rows) / 35)
    picture = np.dstack([128 + 100 * np.sin(wave) for wave in waves]).astype(np.uint8)
    c, s = step * np.cos(turn), step * np.sin(turn)
    matrix = np.array([[c, -s, x], [s, c, y]], np.float32)
    assert np.abs(crop(picture, matrix, 32).astype(int) - crop_of(picture, matrix, 32)).max() <= 2


@pytest.mark.parametrize("shape", [(1, 400, 3), (400, 1, 3), (3, 3, 3)])
def test_a_picture_smaller_than_a_block_is_read_too(shape: tuple[int, int, int]) -> None:
    matrix = np.array([[9, 0, 0], [0, 9, 0]], np.float32)
    assert crop_of(np.full(shape, 7, np.uint8), matrix, 8).tolist() == [[[7] * 3] * 8] * 8


def test_rehearsals_take_as_long_as_a_swap(bruno: Puppet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The portrait that stands for a performer is drawn once: the governor would take its time for the swap's."""
    view = SwapView(bruno, 160, 90)
    view.rehearse(LADDER[0])
    monkeypatch.setattr(PortraitView, "draw", lambda *_: pytest.fail("the portrait is drawn again"))
    view.rehearse(LADDER[0])


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
