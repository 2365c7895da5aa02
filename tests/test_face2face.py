"""Mode `face2face`: what of a clip stays as it is, and what of it follows the performer."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest
from conftest import filmed, performance
from faces import apart, inside, seen

from engine.capture.open import demo_clip
from engine.capture.video_file import VideoFile
from engine.errors import PuppetError
from engine.face import landmarks as lm
from engine.face.performance import HeadMotion, Performance
from engine.face.pose import euler_from_rotation, fit_head
from engine.face.reference import reference_face
from engine.face.retarget import Target
from engine.puppet.clip import Clip
from engine.puppet.format import Puppet
from engine.render.borrowed import Borrowed, Lent
from engine.render.clip_view import ClipView
from engine.render.moves import Moves
from engine.render.quality import LADDER
from engine.render.view import Shown
from engine.track.facemesh import find_faces


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
