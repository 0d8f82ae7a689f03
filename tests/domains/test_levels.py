"""Levels: what passes is checked by a search written apart, in plain Python; flooding is compared tile by tile."""

from collections import deque

import numpy as np
import pytest

from domains.levels import Binary, Zelda, flood, tiles, zelda
from feedback.descriptors.select import Select
from qd import keys, programs
from qd.archives import Grid, HostElites
from qd.emitters.vary import Vary
from qd.search import run, start
from qd.types import Search


def ways(passable: np.ndarray, start: tuple[int, int]) -> dict[tuple[int, int], int]:
    """Steps from a start to every tile that can be reached, breadth first."""
    if not passable[start]:
        return {}
    known, queue = {start: 0}, deque([start])
    while queue:
        y, x = queue.popleft()
        for there in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if all(0 <= i < n for i, n in zip(there, passable.shape, strict=True)) and passable[there] and there not in known:
                known[there] = known[y, x] + 1
                queue.append(there)
    return known


def solve_binary(level: np.ndarray) -> float | None:
    """The longest path as PCGRL counts it; None where the level cannot be walked whole."""
    floors = level == 0
    if not floors.any():
        return None
    start = tuple(np.argwhere(floors)[0])
    one = ways(floors, start)
    if len(one) < floors.sum():
        return None
    far = max(one.values())
    farthest = min(place for place, steps in one.items() if steps == far)  # in reading order
    return max(ways(floors, farthest).values())


def solve_zelda(level: np.ndarray) -> tuple[int, int] | None:
    """Steps from player to key to door, and to the nearest enemy; None where a rule is broken."""
    counts = np.bincount(level.ravel(), minlength=8)
    enemies = [tuple(place) for place in np.argwhere(level >= zelda.BAT)]
    if list(counts[[zelda.PLAYER, zelda.KEY, zelda.DOOR]]) != [1, 1, 1] or not 2 <= len(enemies) <= 5:
        return None
    player, key, door = (tuple(np.argwhere(level == kind)[0]) for kind in (zelda.PLAYER, zelda.KEY, zelda.DOOR))
    walkable = (level != zelda.WALL) & (level != zelda.DOOR)
    one, two = ways(walkable, player), ways(level != zelda.WALL, key)
    if len(one) < walkable.sum() or key not in one or door not in two:
        return None
    return one[key] + two[door], min(one[place] for place in enemies)


def searched(domain, bounds, generations: int = 25) -> tuple[np.ndarray, ...]:
    search = Search(domain, Select("path", bounds), Grid((20, 10)), Vary(tiles.Redraw(domain.shares), 64))
    state, _ = start(search, keys.new(0), domain.sample(keys.new(1), 128))
    for state, _ in run(search, state, 128 + 64 * generations):
        pass
    elites = HostElites(state.archive)
    return elites.take(np.arange(elites.size), "solution", "objective", "path")


def test_floods_are_the_ways_of_a_plain_search():
    passable = keys.uniform(keys.new(0), (12, 7, 9)) < 0.6
    for level, place, steps in zip(passable, range(12), np.asarray(flood.distances(passable, np.arange(12) * 3)), strict=True):
        expected = np.full(level.shape, flood.FAR)
        for there, n in ways(level, tuple(np.unravel_index(3 * place, level.shape))).items():
            expected[there] = n
        np.testing.assert_array_equal(steps, expected)


def test_every_elite_of_binary_can_be_walked_and_others_cannot():
    domain = Binary(8, 8)
    levels, objective, path = searched(domain, ((0, 40), (0.3, 1.001)))
    assert len(levels) > 40 and np.ptp(path[:, 0]) > 10
    for level, floors, (steps, symmetry) in zip(levels.reshape(-1, 8, 8), objective, path, strict=True):
        assert solve_binary(level) == steps and floors == pytest.approx(100 * (level == 0).mean())
        assert symmetry == pytest.approx(max((level == level[:, ::-1]).mean(), (level == level[::-1]).mean()))
    x = domain.sample(keys.new(5), 200)
    failed = ~np.isfinite(programs.evaluate(domain, ("path",), keys.new(0), x).objective)
    assert 20 < failed.sum() < 180
    assert [solve_binary(level) is None for level in x.reshape(-1, 8, 8)] == failed.tolist()


@pytest.mark.ci
def test_every_elite_of_zelda_can_be_solved_and_others_cannot():
    domain = Zelda()
    levels, objective, path = searched(domain, ((0, 50), (0.3, 1.001)))
    assert len(levels) > 40
    for level, nearest, (steps, _) in zip(levels.reshape(-1, 7, 11), objective, path, strict=True):
        solved = solve_zelda(level)
        assert solved is not None and (solved[0], min(solved[1], 20)) == (steps, nearest)
    x = np.concatenate([domain.sample(keys.new(2), 200), tiles.Redraw(domain.shares, 0.05)(keys.new(3), levels[:, None])])
    failed = ~np.isfinite(programs.evaluate(domain, ("path",), keys.new(0), x).objective)
    assert [solve_zelda(level) is None for level in x.reshape(-1, 7, 11)] == failed.tolist() and failed.sum() > 20


def test_tiles_are_drawn_by_their_shares():
    kinds = tiles.choose(keys.uniform(keys.new(0), (100_000,)), (0.2, 0.0, 0.8))
    np.testing.assert_allclose(np.bincount(kinds, minlength=3) / 100_000, (0.2, 0, 0.8), atol=0.01)
    children = tiles.Redraw((0.5, 0.5), 0.0)(keys.new(0), np.zeros((500, 1, 9), np.int32))
    assert (children.sum(axis=1) <= 1).all() and 150 < children.sum() < 350  # one tile each, half of them walls


def test_pictures_have_a_glyph_a_tile():
    x = Zelda().sample(keys.new(0), 2)
    assert Zelda().draw(x).shape == (2, 56, 88, 3) and Binary(4, 5).draw(np.zeros((1, 20), np.int32)).shape == (1, 32, 40, 3)
    assert Zelda().render(x)[0].data.startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="type domain.height"):
        Binary(1, 200)
