"""Every choice that conf offers is built by itself, and each named recipe starts at its real size; see test_contracts.py."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from qd import abilities, archives, keys, search, types
from qd.archives import HostElites
from qd.config import compose
from qd.config.settings import RunSettings
from qd.referee import Referee
from qd.runner import refits
from qd.support.conf import conf
from tests.support.choices import NEEDED, copied, want_packages_of

CHOICES = sorted(path.relative_to(conf()).with_suffix("") for path in conf().glob("*/**/*.yaml"))
GROUPS = {"domain", "descriptor", "archive", "emitter", "referee", "driver", "recipe"}
QUICK = ("domain/arm", "domain/sphere", "recipe/arm_pca", "recipe/qdaif_paper")  # domains are tried in test_contracts too
RECIPES = [
    pytest.param(choice, marks=() if choice.as_posix() in QUICK else pytest.mark.slow)
    for choice in CHOICES
    if choice.parts[0] in ("domain", "recipe")
]


def settings_of(choice: Path) -> RunSettings:
    want_packages_of(choice.as_posix())
    return compose.load([f"{choice.parent}={choice.name}", *NEEDED.get(choice.as_posix(), [])])


def test_every_group_has_choices():
    assert {choice.parts[0] for choice in CHOICES} >= GROUPS


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_choice_says_what_it_is_and_is_built(choice: Path) -> None:
    text = (conf() / choice).with_suffix(".yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("# @package")]
    assert lines[0].startswith("# ")
    assert isinstance(yaml.safe_load(text), dict)

    settings = settings_of(choice)
    components, again = compose.assemble(settings), compose.assemble(settings)
    parts = components.search
    assert isinstance(parts.domain, types.Domain) and isinstance(parts.descriptor, types.Descriptor)
    assert isinstance(parts.emitter, types.Emitter) and callable(parts.archive.open) and callable(components.run)
    assert components.referee is None or isinstance(components.referee, Referee)
    assert components[:3] == again[:3]
    assert repr(components.services) == repr(again.services)  # a client is itself alone: a copy would be a second budget
    for part in parts[:4]:
        assert hash(part) == hash(copied(part)) and type(part).__name__ in repr(part)
    archives.check_bounds(parts.descriptor.bounds)


@pytest.mark.parametrize("choice", RECIPES, ids=str)
def test_every_recipe_starts_and_steps_as_it_stands(choice: Path) -> None:
    """A threshold above all seeds, a referee's feature that is not kept, a batch that its emitter refuses: seen here."""
    settings = settings_of(choice)
    parts, referee, run = compose.assemble(settings)[:3]
    state, batch = search.start(parts, keys.new(1), parts.domain.sample(keys.new(0), settings.initial))
    size, bench = len(state.archive), referee.open(batch) if referee else None
    before = state.evaluations  # the seeds, and what a descriptor that learns asked for afresh
    assert size > 0 and before >= settings.initial
    assert before == settings.initial or abilities.of_descriptor(parts.descriptor).learns is not False
    ((state, batch),) = run(parts, state, state.evaluations + 1)
    assert state.evaluations == before + len(batch.ids) == batch.ids[-1] + 1 <= settings.budget
    assert (batch.status >= 0).any() and len(state.archive) >= size
    assert len(batch.ids) == 1 or any(not np.array_equal(solution, batch.solutions[0]) for solution in batch.solutions)
    if bench is not None:
        bench.add(batch)
        assert bench.scores(HostElites(state.archive))["coverage_all"] > 0
    for stop in refits.points(settings):
        assert settings.initial < stop < settings.budget
