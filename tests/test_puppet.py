"""The puppet file, what is refused, and what photographs are refused."""

from __future__ import annotations

import datetime as dt
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import performance
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from engine.errors import ConsentError, PuppetError
from engine.face import landmarks as lm
from engine.puppet.consent import Consent
from engine.puppet.format import Puppet, load_puppet, save_puppet
from engine.puppet.make import TALLEST_PX, make_puppet, reference_from_photo
from engine.puppet.shipped import find_puppet, known_puppets, shipped_folder
from engine.render.portrait_view import PortraitView
from engine.render.scene import Scene
from engine.track.facemesh import find_faces
from tools.fuzz import signed

CONSENT = Consent(kind="synthetic", who="nobody", date=dt.date(2026, 1, 2), scope="tests")


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of a puppet with members changed or, for None, left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def signed_again(path: Path, key: Ed25519PrivateKey | None = None) -> Path:
    """The puppet with its content hashed and signed anew, as who makes a hostile one can."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    path.write_bytes(signed(members, key))
    return path


def test_round_trip(bruno: Puppet, tmp_path: Path) -> None:
    path = tmp_path / "copy.puppet"
    save_puppet(bruno, path)
    again = load_puppet(path)
    assert (again.name, again.created, again.origin, again.consent) == (
        bruno.name,
        bruno.created,
        bruno.origin,
        bruno.consent,
    )
    assert np.array_equal(again.references[0].landmarks_px, bruno.references[0].landmarks_px)
    assert np.abs(again.references[0].picture.astype(int) - bruno.references[0].picture).mean() < 2


def test_folder_is_as_good_as_zip(tmp_path: Path) -> None:
    folder = tmp_path / "bruno.puppet"
    with zipfile.ZipFile(shipped_folder() / "bruno.puppet") as archive:
        archive.extractall(folder)
    assert load_puppet(folder).name == "bruno"


def test_shipped_puppets_are_synthetic_and_load() -> None:
    shipped = [p for p in known_puppets() if p.parent == shipped_folder()]
    assert len(shipped) >= 3
    assert all(load_puppet(p).consent.kind == "synthetic" for p in shipped)


def without_consent(name: str, content: bytes) -> bytes:
    return content.split(b"[consent]")[0] if name == "puppet.toml" else content


def from_the_future(name: str, content: bytes) -> bytes:
    return content.replace(b"format = 3", b"format = 99") if name == "puppet.toml" else content


def no_toml(name: str, content: bytes) -> bytes:
    return b"[[[" if name == "puppet.toml" else content


def no_picture(name: str, content: bytes) -> bytes | None:
    return None if name.endswith(".jpg") else content


def empty_picture(name: str, content: bytes) -> bytes:
    return b"" if name.endswith(".jpg") else content


def endless_landmarks(name: str, content: bytes) -> bytes:
    return content[:128].replace(b"(478, 3)", b"(47" + b"8" * 12 + b", 3)") if name.endswith(".npy") else content


def many_landmarks(name: str, content: bytes) -> bytes:
    return content * 9 if name.endswith(".npy") else content


def pickled_landmarks(name: str, content: bytes) -> bytes:
    return pickle.dumps({"run": "me"}) if name.endswith(".npy") else content


def unknown_kind(name: str, content: bytes) -> bytes:
    return content.replace(b'kind = "synthetic"', b'kind = "stolen"') if name == "puppet.toml" else content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_consent, r"a signed consent record in .*: none\. .*--consent"),
        (from_the_future, r"format 3 in .*format 99, made by a newer mimicam\. Update"),
        (no_toml, "is not TOML"),
        (no_picture, r"reference_0\.jpg is missing"),
        (empty_picture, r"reference_0\.jpg is not a picture"),
        (endless_landmarks, r"reference_0\.npy"),
        (many_landmarks, r"reference_0\.npy has 5\d\d\d\d bytes, more than"),
        (pickled_landmarks, r"reference_0\.npy"),
        (unknown_kind, r"consent\.kind"),
    ],
)
def test_damaged_puppets_are_refused(
    tmp_path: Path, change: Callable[[str, bytes], bytes | None], message: str
) -> None:
    path = rewritten(shipped_folder() / "bruno.puppet", tmp_path / "bad.puppet", change)
    if change not in (no_toml, without_consent):
        signed_again(path)
    with pytest.raises((PuppetError, ConsentError), match=message):
        load_puppet(path)


def test_not_a_zip_and_not_there(tmp_path: Path) -> None:
    path = tmp_path / "text.puppet"
    path.write_text("hello")
    with pytest.raises(PuppetError, match=r"a readable puppet in .*text\.puppet"):
        load_puppet(path)
    with pytest.raises(PuppetError, match="there is nothing"):
        load_puppet(tmp_path / "none.puppet")
    with pytest.raises(PuppetError, match="Known are: ada, bruno, cleo"):
        find_puppet("somebody")


@given(position=st.floats(0, 1), value=st.integers(0, 255), cut=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_refused_or_harmless(tmp_path: Path, position: float, value: int, cut: bool) -> None:
    packed = tmp_path / "packed.zip"
    if not packed.exists():
        source = shipped_folder() / "bruno.puppet"
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
    content = bytearray(packed.read_bytes())
    at = min(int(position * len(content)), len(content) - 1)
    content[at] = value
    path = tmp_path / "mutated.puppet"
    path.write_bytes(content[:at] if cut else content)
    try:
        puppet = load_puppet(path)
    except (PuppetError, ConsentError):
        return
    assert puppet.references[0].landmarks_px.shape == (478, 3)


def test_unwritable_place_leaves_nothing(bruno: Puppet, tmp_path: Path) -> None:
    with pytest.raises(PuppetError, match="to write the puppet"):
        save_puppet(bruno, tmp_path / "nowhere" / "x.puppet")
    assert list(tmp_path.iterdir()) == []


def test_agreement_needs_its_file() -> None:
    with pytest.raises(ValidationError, match="agreement"):
        Consent(kind="agreement", who="A. Person", date=dt.date(2026, 1, 2), scope="a film")


def picture(puppet: Puppet) -> NDArray[np.uint8]:
    return puppet.references[0].picture


def test_photograph_becomes_a_puppet(bruno: Puppet, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), picture(bruno))
    puppet = make_puppet([photo, photo], "twice", CONSENT, "test")
    assert len(puppet.references) == 2
    assert np.abs(puppet.references[0].landmarks_px - bruno.references[0].landmarks_px).mean() < 6


def test_a_large_photograph_is_cropped_and_shrunk_with_its_landmarks(bruno: Puppet) -> None:
    face = np.asarray(cv2.resize(picture(bruno), None, fx=2, fy=2), np.uint8)
    large = np.full((2900, 4200, 3), 120, np.uint8)
    large[600 : 600 + face.shape[0], 1200 : 1200 + face.shape[1]] = face
    found = reference_from_photo(large, "large")
    assert found.picture.shape[0] <= TALLEST_PX
    (again,) = find_faces(found.picture)
    away = np.linalg.norm((again - found.landmarks_px)[:, :2], axis=1).mean()
    assert away < 0.03 * lm.inter_ocular(again)  # FaceMesh itself, in another size


def closed_eyes(puppet: Puppet) -> NDArray[np.uint8]:
    return Scene(PortraitView(puppet, 800, 800)).draw(performance({"eyeBlinkLeft": 1.1, "eyeBlinkRight": 1.1}))


def two_faces(puppet: Puppet) -> NDArray[np.uint8]:
    return np.hstack([picture(puppet), picture(puppet)[:, ::-1]])


def small(puppet: Puppet) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture(puppet), (200, 200), interpolation=cv2.INTER_AREA), np.uint8)


def blurred(puppet: Puppet) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(picture(puppet), (0, 0), 9), np.uint8)


def nobody(puppet: Puppet) -> NDArray[np.uint8]:
    return np.full((400, 400, 3), 120, np.uint8)


def turned(puppet: Puppet) -> NDArray[np.uint8]:
    once = Scene(PortraitView(puppet, 800, 800)).draw(performance({}, (-34, 0, 0)))
    again = Puppet(puppet.name, puppet.created, puppet.origin, puppet.consent, (reference_from_photo(once, "once"),))
    return Scene(PortraitView(again, 800, 800)).draw(performance({}, (-25, 0, 0)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nobody, "one face in the photo: none"),
        (two_faces, "one face in the photo: 2"),
        (small, "at least 128 px wide in the photo"),
        (blurred, "a sharp face in the photo"),
        (closed_eyes, "open eyes in the photo: closed ones"),
        (turned, "turned at most 35 degrees in the photo"),
    ],
)
def test_photographs_that_are_refused(bruno: Puppet, make: Callable[[Puppet], NDArray[np.uint8]], message: str) -> None:
    with pytest.raises(PuppetError, match=message):
        reference_from_photo(make(bruno), "the photo")


def test_empty_photo_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(PuppetError, match="an empty or damaged file"):
        make_puppet([path], "x", CONSENT, "test")
