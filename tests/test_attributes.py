"""Sliders on top of a performance."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import performance
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.capture.nothing import NO_PICTURE
from engine.config import read_config
from engine.drive.attributes import GAZE, NAMES, Attributes
from engine.errors import ConfigError
from engine.face import arkit
from engine.face import landmarks as lm
from engine.face.model import face_model
from engine.face.performance import Performance
from engine.live.frame import Frame
from engine.names import SliderName
from engine.track.tracker import Tracked


def tracked(shown: Performance | None) -> Tracked:
    return Tracked(Frame(NO_PICTURE, 0, 0.0), None, None, shown)


@settings(deadline=None)  # the first one compiles
@given(st.dictionaries(st.sampled_from(NAMES), st.floats(-5, 5)), st.floats(0, 1))
def test_no_slider_makes_a_face_that_no_face_can(values: dict[SliderName, float], smile: float) -> None:
    edited = Attributes(values)(tracked(performance({"mouthSmileLeft": smile})))
    assert edited.performance is not None
    assert edited.performance.plausible
    if edited.coefficients is not None:
        assert 0 <= edited.coefficients.min() <= edited.coefficients.max() <= 1


def test_a_slider_adds_and_its_other_end_takes_away() -> None:
    shown = tracked(performance(arkit.both(mouthSmile=0.5)))
    index = arkit.INDEX["mouthSmileLeft"]
    more, less = (Attributes({"smile": value})(shown).coefficients for value in (0.5, -1.0))
    assert more is not None
    assert less is not None
    assert less[index] < 0.2 < 0.6 < more[index]
    assert less[arkit.INDEX["mouthFrownLeft"]] > 0.4


def test_sliders_at_rest_change_nothing_and_a_lost_performer_stays_lost() -> None:
    shown = tracked(performance({"jawOpen": 0.4}))
    assert Attributes()(shown) is shown
    assert Attributes({"smile": 1.0})(tracked(None)).performance is None


@pytest.mark.parametrize("yaw", [-20.0, 20.0])
def test_gaze_turns_the_eyes_back_to_the_camera(yaw: float) -> None:
    """A head that turns to larger x has eyes that look to smaller x."""
    edited = Attributes({GAZE: 1.0})(tracked(performance({}, (yaw, 0.0, 0.0)))).performance
    assert edited is not None
    across = edited.offsets[[lm.IRIS_LEFT[0], lm.IRIS_RIGHT[0]], 0]
    assert (np.sign(across) == -np.sign(yaw)).all()
    skin = edited.offsets[: lm.SKIN_COUNT]
    assert not skin.any()
    assert np.abs(across).max() <= np.abs(face_model().shapes[:, lm.IRIS_LEFT[0], 0]).max() + 1e-6


def test_a_window_has_a_slider_for_each() -> None:
    attributes = Attributes({"brows": 0.25})
    sliders = {slider.name: slider for slider in attributes.sliders()}
    assert set(sliders) == set(NAMES)
    assert sliders["brows"].value == 0.25
    assert (sliders[GAZE].least, sliders["smile"].least) == (0.0, -1.0)
    sliders["jaw"].move(0.5)
    assert attributes.values["jaw"] == 0.5


def test_mistakes_in_attributes_are_told() -> None:
    assert read_config(None, {"attributes": {"smile": "0.3"}}).attributes == {"smile": 0.3}
    with pytest.raises(ConfigError, match="attributes"):
        read_config(None, {"attributes": {"nose": 0.3}})
    with pytest.raises(ConfigError, match=r"attributes\.smile"):
        read_config(None, {"attributes": {"smile": 3}})
    with pytest.raises(KeyError, match="nose"):
        Attributes().set("nose", 1.0)  # type: ignore[arg-type]
