"""Every implementation of every kernel against its definition."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from devices import implementations, load, smooth_picture
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

SEEDS = st.integers(0, 2**32 - 1)
on_cpu = pytest.mark.parametrize("implementation", ["cpu"])


def grid(columns: int, rows: int, width: float, height: float) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Vertices and front-facing triangles of a regular grid over a rectangle."""
    x, y = np.meshgrid(np.linspace(0, width, columns), np.linspace(0, height, rows))
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1])
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return np.stack([x, y], -1).reshape(-1, 2).astype(np.float32), triangles.astype(np.int32)


def warp(implementation: str, target: NDArray, source: NDArray, triangles: NDArray, height: int, width: int) -> tuple:
    backward, depth = np.full((height, width, 2), -7, np.float32), np.full((height, width), -7, np.float32)
    load("warp_mesh", implementation)(target, source, triangles, backward, depth)
    return backward, depth


@implementations
@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_warp_mesh_equals_reference_on_any_triangles(implementation: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width, count = random.integers(1, 70), random.integers(1, 60), random.integers(3, 25)
    target = random.uniform(-30, 90, (count, 3)).astype(np.float32)
    source = random.uniform(-10, 70, (count, 2)).astype(np.float32)
    triangles = random.integers(0, count, (random.integers(0, 30), 3)).astype(np.int32)
    expected = warp("reference", target, source, triangles, height, width)
    found = warp(implementation, target, source, triangles, height, width)
    # both compute in float64; spans and barycentrics round differently only where a centre lies on an edge or depths tie
    differing = (np.abs(expected[0] - found[0]) > 1e-2).any(-1)
    assert differing.mean() <= 0.002
    assert np.isclose(expected[1], found[1], atol=1e-2)[~differing].all()  # the depth, too


@implementations
def test_warp_mesh_identity(implementation: str) -> None:
    points, triangles = grid(7, 5, 63, 47)
    target = np.column_stack([points, np.zeros(len(points))]).astype(np.float32)
    backward, depth = warp(implementation, target, points, triangles, 48, 64)
    assert np.allclose(backward[..., 0], np.arange(64)[None], atol=1e-4)
    assert np.allclose(backward[..., 1], np.arange(48)[:, None], atol=1e-4)
    assert np.isfinite(depth).all()


@implementations
@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_warp_mesh_with_fixed_rim_leaves_no_hole(implementation: str, seed: int) -> None:
    """However the inside is shuffled, even folded over itself, every pixel is covered: nothing can tear."""
    random = np.random.default_rng(seed)
    points, triangles = grid(8, 8, 63, 63)
    inside = ((points > 0) & (points < 63)).all(1)
    target = np.column_stack([points, random.uniform(-1, 1, len(points))]).astype(np.float32)
    target[inside, :2] = random.uniform(0, 63, (int(inside.sum()), 2))
    _, depth = warp(implementation, target, points, triangles, 64, 64)
    assert np.isfinite(depth).all()


@implementations
def test_warp_mesh_shows_the_nearer_and_not_the_back(implementation: str) -> None:
    near_and_far = np.array([[0, 0, 1], [40, 0, 1], [0, 40, 1], [0, 0, 5], [40, 0, 5], [0, 40, 5]], np.float32)
    source = np.array([[0, 0], [1, 0], [0, 1], [100, 100], [101, 100], [100, 101]], np.float32)
    both = np.array([[3, 4, 5], [0, 1, 2]], np.int32)
    backward, depth = warp(implementation, near_and_far, source, both, 20, 20)
    assert depth[5, 5] == 1
    assert backward[5, 5].max() < 2
    _, depth = warp(implementation, near_and_far, source, both[:, ::-1].copy(), 20, 20)
    assert np.isinf(depth).all()


@implementations
@given(SEEDS, st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_sample_equals_reference(implementation: str, seed: int, channels: int) -> None:
    random = np.random.default_rng(seed)
    source = random.integers(0, 256, (random.integers(1, 30), random.integers(1, 30), channels), np.uint8)
    backward = random.uniform(-10, 45, (random.integers(1, 40), random.integers(1, 40), 2)).astype(np.float32)
    expected = np.empty((*backward.shape[:2], channels), np.uint8)
    found = np.empty_like(expected)
    load("sample", "reference")(source, backward, expected)
    load("sample", implementation)(source, backward, found)
    assert np.array_equal(expected, found)  # whole-number arithmetic: equal to the bit


@implementations
def test_large_pictures_equal_the_reference_too(implementation: str) -> None:
    """Large enough for several threads."""
    random = np.random.default_rng(5)
    points, triangles = grid(9, 9, 299, 299)
    target = np.column_stack([points + random.normal(0, 6, points.shape), random.uniform(-1, 1, len(points))]).astype(
        np.float32
    )
    expected, found = (warp(name, target, points, triangles, 300, 300) for name in ("reference", implementation))
    assert (np.abs(expected[0] - found[0]) > 1e-2).any(-1).mean() <= 0.0005  # as above
    source = random.integers(0, 256, (300, 300, 3), np.uint8)
    pictures = [np.empty_like(source) for _ in range(2)]
    for name, out in zip(("reference", implementation), pictures, strict=True):
        load("sample", name)(source, expected[0], out)
    assert np.array_equal(*pictures)
    matte = random.integers(0, 256, (300, 300), np.uint8)
    for name, out in zip(("reference", implementation), pictures, strict=True):
        load("composite", name)(out, source, matte, -7, 5)
    assert np.array_equal(*pictures)


@implementations
def test_sample_at_whole_positions_is_the_source(implementation: str) -> None:
    source = np.random.default_rng(1).integers(0, 256, (17, 23, 3), np.uint8)
    backward = np.stack(np.meshgrid(np.arange(23), np.arange(17)), -1).astype(np.float32)
    out = np.empty_like(source)
    load("sample", implementation)(source, backward, out)
    assert np.array_equal(out, source)


@implementations
@given(SEEDS, st.floats(0.1, 60))
@settings(max_examples=25, deadline=None)
def test_soften_edges_equals_reference(implementation: str, seed: int, limit: float) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 30), random.integers(1, 30)
    picture = random.integers(0, 256, (height, width, 3), np.uint8)
    backward = random.uniform(0, 40, (height, width, 2)).astype(np.float32)
    expected, found = np.empty_like(picture), np.empty_like(picture)
    load("soften_edges", "reference")(picture, backward, limit, expected)
    load("soften_edges", implementation)(picture, backward, limit, found)
    assert np.array_equal(expected, found)  # whole-number arithmetic: equal to the bit


@implementations
def test_soften_edges_touches_only_the_edge(implementation: str) -> None:
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[:, 10:] = 90
    backward = np.stack(np.meshgrid(np.arange(20), np.arange(20)), -1).astype(np.float32)
    smooth, broken = np.empty_like(picture), np.empty_like(picture)
    load("soften_edges", implementation)(picture, backward, 3.0, smooth)
    assert np.array_equal(smooth, picture)
    backward[:, 10:] += 50
    load("soften_edges", implementation)(picture, backward, 3.0, broken)
    assert broken[5, 8:12, 0].tolist() == [0, 30, 60, 90]


@implementations
@given(SEEDS, st.integers(-40, 40), st.integers(-40, 40))
@settings(max_examples=40, deadline=None)
def test_composite_equals_reference(implementation: str, seed: int, left: int, top: int) -> None:
    random = np.random.default_rng(seed)
    canvas = random.integers(0, 256, (31, 37, 3), np.uint8)
    layer = random.integers(0, 256, (20, 25, 3), np.uint8)
    matte = random.choice(np.array([0, 1, 77, 254, 255], np.uint8), (20, 25))
    expected, found = canvas.copy(), canvas.copy()
    load("composite", "reference")(expected, layer, matte, left, top)
    load("composite", implementation)(found, layer, matte, left, top)
    assert np.array_equal(expected, found)  # whole-number arithmetic: equal to the bit


@implementations
@pytest.mark.parametrize(("alpha", "wins"), [(0, "canvas"), (255, "layer")])
def test_composite_ends_of_the_matte(implementation: str, alpha: int, wins: str) -> None:
    canvas, layer = np.full((4, 5, 3), 10, np.uint8), np.full((4, 5, 3), 200, np.uint8)
    load("composite", implementation)(canvas, layer, np.full((4, 5), alpha, np.uint8), 0, 0)
    assert (canvas == (10 if wins == "canvas" else 200)).all()


@implementations
@given(SEEDS, st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_feather_equals_reference(implementation: str, seed: int, radius: int) -> None:
    random = np.random.default_rng(seed)
    mask = (random.random((random.integers(1, 40), random.integers(1, 40))) < 0.9).astype(np.uint8) * 200
    expected, found = np.empty_like(mask), np.empty_like(mask)
    load("feather", "reference")(mask, radius, expected)
    load("feather", implementation)(mask, radius, found)
    assert np.array_equal(expected, found)  # whole-number arithmetic: equal to the bit


@implementations
def test_feather_fades_inwards_from_a_straight_edge(implementation: str) -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 10:] = 1
    matte = np.empty_like(mask)
    load("feather", implementation)(mask, 4, matte)
    row = matte[20].astype(int)
    assert (row[:10] == 0).all()
    assert (np.diff(row[9:20]) >= 0).all()
    assert (row[18:] == 255).all()
    assert 0 < row[13] < 255


@implementations
@given(SEEDS, st.integers(0, 6))
@settings(max_examples=25, deadline=None)
def test_blend_multiband_equals_reference(implementation: str, seed: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    height, width = (int(n) for n in random.integers(1, 70, 2))
    canvas, layer = (random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(2))
    matte = random.integers(0, 256, (height, width), np.uint8)
    expected, found = np.empty_like(canvas), np.empty_like(canvas)
    load("blend_multiband", "reference")(canvas, layer, matte, levels, expected)
    load("blend_multiband", implementation)(canvas, layer, matte, levels, found)
    # float32 summed in another order: a value that lies on a half rounds the other way
    assert np.abs(expected.astype(int) - found).max() <= 1
    assert (expected != found).mean() <= 0.002


@implementations
@pytest.mark.parametrize(("alpha", "wins"), [(0, "canvas"), (255, "layer")])
def test_blend_multiband_ends_of_the_matte(implementation: str, alpha: int, wins: str) -> None:
    random = np.random.default_rng(2)
    pictures = {name: random.integers(0, 256, (33, 47, 3), np.uint8) for name in ("canvas", "layer")}
    out = np.empty_like(pictures["canvas"])
    load("blend_multiband", implementation)(
        pictures["canvas"], pictures["layer"], np.full((33, 47), alpha, np.uint8), 4, out
    )
    assert np.abs(out.astype(int) - pictures[wins]).max() <= 1  # the bands are taken apart and put together in float32


@implementations
@given(SEEDS)
@settings(max_examples=12, deadline=None)
def test_blend_poisson_equals_reference(implementation: str, seed: int) -> None:
    """Masks as faces have them, and ones with holes, islands and a rim that touches the picture's."""
    random = np.random.default_rng(seed)
    height, width = (int(n) for n in random.integers(3, 90, 2))
    canvas, layer = smooth_picture(random, height, width), smooth_picture(random, height, width)
    field = cv2.GaussianBlur(random.normal(0, 1, (height, width)), (0, 0), random.uniform(0.5, 12))
    mask = (field > random.uniform(-0.1, 0.05)).astype(np.uint8)
    expected, found = np.empty_like(canvas), np.empty_like(canvas)
    load("blend_poisson", "reference")(canvas, layer, mask, expected)
    load("blend_poisson", implementation)(canvas, layer, mask, found)
    # iterations stop when a smooth error is under 0.6 grey levels: with rounding that is one level, at an island's edge two
    difference = np.abs(expected.astype(int) - found)
    assert difference.max() <= 2
    assert difference.mean() <= 0.15


@implementations
def test_blend_poisson_of_a_picture_in_another_light_is_the_canvas(implementation: str) -> None:
    """Gradients are kept and the edge decides the colour: what differs by a constant comes out the same."""
    canvas = smooth_picture(np.random.default_rng(3), 80, 96) // 2 + 60
    out = np.empty_like(canvas)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    mask[10:70, 20:80] = 1
    load("blend_poisson", implementation)(canvas, canvas - 40, mask, out)
    assert np.abs(out.astype(int) - canvas).max() <= 1


@implementations
@given(SEEDS, st.integers(2, 33))
@settings(max_examples=25, deadline=None)
def test_match_colour_equals_reference(implementation: str, seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (9, 14, 3), np.uint8)
    table = random.uniform(-20, 280, (size, size, size, 3)).astype(np.float32)
    expected, found = np.empty_like(picture), np.empty_like(picture)
    load("match_colour", "reference")(picture, table, expected)
    load("match_colour", implementation)(picture, table, found)
    assert np.abs(expected.astype(int) - found).max() <= 1  # float32 in another order: a half may round the other way


@implementations
def test_match_colour_by_the_plain_table_changes_nothing(implementation: str) -> None:
    steps = np.linspace(0, 255, 17, dtype=np.float32)
    table = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)
    picture = np.random.default_rng(4).integers(0, 256, (40, 50, 3), np.uint8)
    out = np.empty_like(picture)
    load("match_colour", implementation)(picture, table, out)
    assert np.array_equal(out, picture)


@implementations
@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_embed_mark_equals_reference(implementation: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 60, 2)
    expected = (
        smooth_picture(random, height, width) if random.random() < 0.5 else random.integers(0, 256, (height, width, 3))
    )
    expected = np.ascontiguousarray(expected, np.uint8)
    pattern = random.integers(-127, 128, (height, width)).astype(np.int8)
    found = expected.copy()
    load("embed_mark", "reference")(expected, pattern)
    load("embed_mark", implementation)(found, pattern)
    assert np.array_equal(expected, found)  # whole numbers throughout


@implementations
def test_embed_mark_is_faint_on_plain_parts_and_stays_in_range(implementation: str) -> None:
    pattern = np.full((32, 32), 64, np.int8)
    for grey, more in ((100, 1), (255, 0)):
        picture = np.full((32, 32, 3), grey, np.uint8)
        load("embed_mark", implementation)(picture, pattern)
        assert np.array_equal(picture, np.full_like(picture, grey + more))
    busy = np.random.default_rng(0).integers(60, 200, (32, 32, 3)).astype(np.uint8)
    marked = busy.copy()
    load("embed_mark", implementation)(marked, pattern)
    assert (marked - busy).max() == 3


@on_cpu
@given(SEEDS, st.floats(0.3, 7), st.floats(0.3, 7))
@settings(max_examples=30, deadline=None)
def test_fold_tiles_equals_reference(implementation: str, seed: int, step_x: float, step_y: float) -> None:
    random = np.random.default_rng(seed)
    picture = random.normal(0, 1, tuple(random.integers(1, 50, 2))).astype(np.float32)
    left, top = random.uniform(-60, 60, 2)
    expected, found = np.full((9, 12), 7, np.float32), np.full((9, 12), -7, np.float32)
    load("fold_tiles", "reference")(picture, left, top, step_x, step_y, expected)
    load("fold_tiles", implementation)(picture, left, top, step_x, step_y, found)
    assert np.allclose(expected, found, atol=1e-3)  # float32 sums in another order


@on_cpu
def test_fold_tiles_adds_what_repeats(implementation: str) -> None:
    tile = np.arange(12, dtype=np.float32).reshape(3, 4)
    picture = np.ascontiguousarray(np.roll(np.tile(tile, (2, 3)), (1, 2), (0, 1)))
    fold = np.empty((3, 4), np.float32)
    load("fold_tiles", implementation)(picture, 2.0, 1.0, 1.0, 1.0, fold)
    assert np.array_equal(fold, 6 * tile)
