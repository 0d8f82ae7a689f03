"""qd doctor: each planted fault is found by its name, and nothing is found in what is shipped."""

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qd import keys, programs
from qd.cli.main import main
from qd.config import compose
from qd.doctor import reach, timing, trial
from qd.doctor.drift import difference, disagreements
from qd.doctor.examine import examine, findings, tiles_reached
from qd.doctor.trial import Trial, try_out
from qd.support.conf import conf
from qd.types import Array, Evaluation, Rendering, State
from tests.support.choices import NEEDED

SMALL = ["domain=toy", "initial=50", "domain_defaults.batch_size=50", "domain_defaults.dims=[20,20]"]
QUICK = ("domain=arm", "domain=sphere", "recipe=arm_pca", "recipe=qd_gt")
PRESETS = [f"{group}={path.stem}" for group in ("domain", "recipe") for path in sorted(conf().glob(f"{group}/*.yaml"))]


@dataclass(frozen=True)
class Toy:
    """-|x|² at (x0, x1), with a fault in it."""

    fault: str = ""
    pure: bool = True
    objective_range: tuple = (-8.0, 0.0)

    def sample(self, key: Array, n: int) -> Array:
        drawn = keys.uniform(key, (n, 4), -1, 1)
        return drawn * 0 if self.fault == "same seeds" else drawn

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        x = solutions
        objective, xy = -(x**2).sum(1), jnp.tanh(x[:, :2])
        features = {"xy": xy, "dull": x[:, :1] * 0 + 3}
        match self.fault:
            case "some fail":
                objective = jnp.where(x[:, 0] > 0.2, jnp.nan, objective)
            case "all fail":
                objective = objective / 0
            case "all nan":
                objective = objective * jnp.nan
            case "not finite":
                features["xy"] = xy / (x[:, :1] > 0)
            case "still":
                features["xy"] = xy * jnp.array([1, 0]) + 0.5
            case "outside":
                features["xy"] = x[:, :2] * 4
            case "rounded":
                features["xy"] = jnp.round(xy)
            case "twins":
                features["xy"] = jnp.stack([xy[:, 0], -xy[:, 0]], 1)
            case "too good":
                objective = objective + 100
            case "too bad":
                objective = objective - 100
            case "random":
                objective = np.asarray(objective) + np.random.rand(len(x))  # noqa: NPY002 - the fault
            case "jit":
                objective = objective * (2 if isinstance(x, jax.core.Tracer) else 1)
            case "jit of one row":
                objective = objective.at[7].add(0.05) if isinstance(x, jax.core.Tracer) else objective
            case "chaos":  # compilation moves the last digit, and the map amplifies it
                start = (xy + 1) / 2 * (1 + 2e-7 if isinstance(x, jax.core.Tracer) else 1)
                features["xy"] = 2 * jax.lax.fori_loop(0, 60, lambda _, y: 3.99 * y * (1 - y), jnp.clip(start, 0, 1)) - 1
            case "python":
                objective = jnp.array([float(row.sum()) for row in x])
            case "key error":
                objective = features["gone"]
        return Evaluation(objective, features)

    def render(self, solutions: Array) -> list[Rendering]:
        if self.fault == "drawn badly":
            return [Rendering("bmp", b"") for _ in solutions]  # type: ignore[arg-type]
        return [Rendering("text", str(row)) for row in solutions] if self.fault != "drawn never" else [solutions[7]]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/domain").mkdir(parents=True)
    (tmp_path / "conf/domain/toy.yaml").write_text(
        f"# @package _global_\ndomain: {{_target_: {__name__}.Toy}}\n"
        "domain_defaults: {feature: xy, bounds: [[-1, 1], [-1, 1]], reads: [xy]}\n"
    )
    return tmp_path


def names(*overrides: str) -> set[str]:
    """Of the findings; the driver of the host takes the least compilation."""
    return {finding.name for finding in findings([*SMALL, "driver=host", *overrides], samples=250)}


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        pytest.param(["domain.fault=some fail"], "failures", id="a third of the evaluations fail"),
        pytest.param(["domain.fault=all fail"], "failures", id="all evaluations fail"),
        pytest.param(["domain.fault=not finite"], "not finite", id="a feature is NaN where the objective is not"),
        pytest.param(["domain.fault=still"], "still measure", id="a measure that does not vary"),
        pytest.param(["keep=[dull]"], "still feature", id="a feature that does not vary"),
        pytest.param(["domain.fault=outside"], "outside", id="measures outside the bounds"),
        pytest.param(["domain_defaults.bounds=[[-500,500],[-1,1]]"], "dead cells", id="bounds that are far too wide"),
        pytest.param(["domain.fault=rounded"], "ticks", id="three values on twenty cells"),
        pytest.param(["domain.fault=twins"], "twins", id="two measures that say the same"),
        pytest.param(["domain.fault=too good"], "range", id="objectives above objective_range"),
        pytest.param(["domain.fault=too bad"], "range", id="objectives below objective_range"),
        pytest.param(["domain.fault=random", "domain.pure=false"], "random", id="the same key twice differs"),
        pytest.param(["domain.fault=jit"], "jit", id="compiled and plain differ"),
        pytest.param(["domain.fault=jit of one row"], "jit", id="compiled and plain differ in one row of fifty"),
        pytest.param(["domain.fault=python"], "recipe", id="pure, but Python"),
        pytest.param(["domain.fault=key error", "domain.pure=false"], "raises", id="evaluate raises"),
        pytest.param(["domain.fault=same seeds"], "seeds", id="all seeds are the same"),
        pytest.param(["descriptor=pca", "initial=5"], "few seeds", id="too few seeds for the learner"),
        pytest.param(["archive=grid_mae", "domain_defaults.threshold_min=5"], "threshold", id="nothing passes"),
        pytest.param(["archive=grid_mae", "domain_defaults.threshold_min=-0.01"], "threshold", id="little passes"),
        pytest.param(["budget=300"], "batch", id="a budget of five generations"),
        pytest.param(["archive.dims=[300,300]"], "cells", id="more cells than evaluations"),
        pytest.param(["archive.dims=[9999999,9999999]"], "recipe", id="an archive larger than the memory"),
        pytest.param(["archive=cvt", "archive.cells=9", "archive.samples=3"], "recipe", id="more centroids than samples"),
        pytest.param(["domain_defaults.feature=xz"], "recipe", id="a feature that there is not"),
        pytest.param(["refit=1000"], "refit", id="a refit of what does not learn"),
        pytest.param(["descriptor=pca", "refit=[900,90000]"], "refit", id="a refit after the end"),
        pytest.param(["budget=10000000000000"], "slow", id="a budget of years"),
        pytest.param(["emitter.variation.iso=0", "emitter.variation.line=0"], "children", id="children like their parents"),
        pytest.param(["domain.fault=drawn badly"], "render", id="a picture of no known kind"),
        pytest.param(["domain.fault=drawn never"], "raises", id="render raises"),
    ],
)  # fmt: skip
def test_each_planted_fault_is_found(overrides, name):
    assert name in names(*overrides)


def test_of_a_domain_that_always_fails_nothing_else_is_reported():
    for fault in ("all fail", "all nan"):
        assert [each.name for each in findings([*SMALL, f"domain.fault={fault}"])] == ["failures"]


@pytest.mark.ci
def test_nothing_is_found_in_the_toy_without_a_fault():
    assert findings(SMALL, samples=250) == []


@pytest.mark.ci
def test_nothing_is_found_in_the_toy_with_a_learner():
    assert findings([*SMALL, "descriptor=pca", "refit=1000"], samples=250) == []


@pytest.mark.ci
def test_a_difference_in_one_row_is_reported_with_its_share_and_size():
    (finding,) = [each for each in findings([*SMALL, "domain.fault=jit of one row"], samples=250) if each.name == "jit"]
    assert re.search(
        r"another objective in 2 % of rows \(by up to [0-9.]+ % of its spread\) than as it stands", finding.problem
    )


@pytest.mark.ci
def test_chaos_that_amplifies_rounding_is_no_fault():
    words = [*SMALL, "domain.fault=chaos"]
    settings = compose.load(words)
    parts = compose.assemble(settings)
    trial = Trial(settings, parts.search, parts.run, np.asarray(parts.search.domain.sample(keys.new(0), 50)))
    try_out(trial, 100)
    assert (difference(trial.evaluation.features["xy"], trial.plain.features["xy"]) > 0.05).mean() > 0.5
    assert disagreements(trial) == []
    assert findings(words, samples=250) == []


def test_a_difference_is_a_share_of_the_spread_of_its_column():
    one = np.array([[0.0, 1], [4, 2], [2, np.nan], [2, np.inf]])
    two = np.array([[0.0, 1], [4, 2.3], [2, np.nan], [2, 3]])
    np.testing.assert_allclose(difference(one, two), [0, 0.3 / 4, 0, np.inf])  # extent 2 and largest value 2


def test_the_reach_is_of_what_was_tried():
    rows = np.array([[0.05, 0.05], [0.06, 0.01], [0.55, 0.95], [1.5, 0.5]])
    assert tiles_reached(rows, np.zeros(2), np.ones(2)) == 3 / 100
    assert tiles_reached(rows[:, :1], np.zeros(1), np.ones(1)) == 3 / 10


def test_coverage_is_a_range_about_what_the_trial_filled_and_how_fast_it_grew(monkeypatch):
    monkeypatch.setattr(reach.archives, "count_cells", lambda archive: 400)

    def trial(budget: int, *new: int) -> SimpleNamespace:
        ends, status = np.cumsum(new), np.repeat([2, 0], 50)  # each cell by two rows of a batch, and some cells once more
        cells = [np.resize(np.arange(max(end - count - 5, 0), end), 100) for end, count in zip(ends, new, strict=True)]
        batches = [SimpleNamespace(ids=range(100), status=status, cell=cell) for cell in cells]
        return SimpleNamespace(state=SimpleNamespace(archive=None), batches=batches, settings=SimpleNamespace(budget=budget))

    assert reach.coverage(trial(600, 40, 20, 10, 10)) == pytest.approx((20 / 1.5, 20 * 1.5 + 100 * 3 * 0.1 * 200 / 400))
    assert reach.coverage(trial(300, 40, 20, 10, 10)) == pytest.approx(
        (17.5 / 1.5, 17.5 * 1.5)
    )  # the trial was longer than the run
    assert reach.coverage(trial(10**6, 40, 20, 10, 10)) == pytest.approx((20 / 1.5, 100))
    monkeypatch.setattr(reach.archives, "count_cells", lambda archive: None)
    assert reach.coverage(trial(600, 40, 20)) is None


def test_a_time_is_a_range_and_compilation_is_apart(monkeypatch):
    now = compiled = 0.0
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now)
    monkeypatch.setattr(timing, "compile_clock", lambda: SimpleNamespace(seconds=compiled))
    rates = iter([100, 50, 200, 100, 400, 100, 100])

    def driver(recipe, state, until):
        nonlocal now, compiled
        count = until - state.evaluations
        if state.evaluations == 100:  # the first stretch compiles
            compiled, now = compiled + 7.0, now + 7.0
        now += count / next(rates)
        yield state._replace(evaluations=until), None

    state = State(None, None, None, None, None, 1, 100)
    monkeypatch.setattr(timing, "start", lambda *_: (state, SimpleNamespace(ids=range(100))))
    measured = timing.of_driver(driver, None, None)
    assert measured.rates == pytest.approx((50, 200, 100)) and measured.compile_s == 7
    least, most = measured.seconds(1000)
    assert least < 1000 / 200 and most > 1000 / 50
    assert measured.seconds(0) == (0, timing._RECORDING)  # generation 0 and files


def test_generations_that_compile_outside_of_jax_do_not_count():
    watches = [(40.0, 1.0), (21.0, 0.5), (1.0, 0.0), (1.25, 0.0), (1.0, 0.0), (1.25, 0.0)]
    measured = timing.of_generations([100] * 6, watches)
    assert measured.rates == (80, 100)
    assert measured.compile_s == pytest.approx(1.5 + (40 - 1.25) + (21 - 1.25))
    assert timing.of_generations([100, 100], watches[2:4]).rates == pytest.approx((85, 95))  # too few to leave any out


def test_an_extra_that_is_missing(here):
    (here / "lacking.py").write_text("import no_such_package_anywhere\n")
    (found,) = findings([*SMALL, "domain._target_=lacking.Domain"])
    assert found.name == "extra" and "pip install no_such_package_anywhere" in found.fix


@pytest.mark.ci
def test_what_is_typed_and_printed(capsys):
    assert main(["doctor", *SMALL, "--samples", "200"]) == 0
    output = capsys.readouterr().out
    assert "Toy (pure), Select (pure), Grid, Vary (pure); driver qd." in output and output.endswith("nothing found\n")
    reached = (
        r" elites of 400 cells; of 10 x 10 tiles of the map the 50 initial solutions reached \d+ %, the whole trial \d+ %: "
    )
    speed = r"^time: [\d:]+ to [\d:]+ for 50,000 evaluations \([\d,]+ to [\d,]+/s here\), and up to \d+ s of compilation$"
    covered = r"^coverage: \d+ to \d+ % of the cells after 50,000 evaluations$"
    assert re.search(reached, output) and re.search(covered, output, re.MULTILINE) and re.search(speed, output, re.MULTILINE)
    assert "memory: " in output
    assert main(["doctor", *SMALL, "domain.fault=outside", "--samples", "200"]) == 1
    output = capsys.readouterr().out
    assert "of the measures lie outside the bounds\n  type domain_defaults.bounds=[[-" in output and output.endswith(
        "1 found\n"
    )
    assert main(["doctor", "domain=tyo"]) == 1 and "type toy" in capsys.readouterr().err
    assert main(["doctor", "--samples", "x"]) == 2 and "--samples: invalid int value: 'x'" in capsys.readouterr().err
    assert main(["doctor", "--samples", "0"]) == 1 and "type --samples 1000" in capsys.readouterr().err
    assert main(["doctor", "--help"]) == 0 and "usage: qd doctor" in capsys.readouterr().out


def test_nothing_is_written(here):
    before = sorted(here.rglob("*"))
    examine(SMALL, samples=100)
    assert sorted(here.rglob("*")) == before


WANTING = ("recipe/quant_speed", "recipe/quant_diffusion", "recipe/stax_paper")


def test_presets_are_there():
    assert set(QUICK) < set(PRESETS)


@pytest.mark.parametrize(
    "preset",
    [
        pytest.param(p, marks=pytest.mark.ci if p in QUICK[1:] else ())
        if p in QUICK
        else pytest.param(p, marks=pytest.mark.slow)
        for p in PRESETS
    ],
)
def test_nothing_is_found_in_what_is_shipped(preset: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("qd.doctor.trial.SECONDS", 5.0)
    choice = preset.replace("=", "/")
    if "lm=toy" in NEEDED.get(choice, []) or choice in WANTING:
        pytest.skip("wants weights (qd fetch local minilm), Fashion-MNIST or hours of training; a stand-in is found out")
    names = [finding.name for finding in findings([preset], samples=300)]
    assert names == (["failures"] if preset == "domain=proxies" else [])  # half of the formulas fail, and score worst


def test_several_objectives_are_tried_out_as_in_a_search():
    two = compose.assemble(compose.load(["domain=rastrigins"])).search
    compiled, plain = (evaluation(two) for evaluation in (_compiled, _plain))
    assert plain.objective.shape == (8,) and plain.features["objectives"].shape == (8, 2)
    np.testing.assert_allclose(plain.objective, compiled.objective, rtol=1e-5)


def _compiled(search: Any) -> Evaluation:
    return programs.evaluate(search.domain, programs.feature_names(search), keys.new(0), search.domain.sample(keys.new(1), 8))


def _plain(search: Any) -> Evaluation:
    names = programs.feature_names(search)
    return trial._evaluate_plainly(search.domain, names, keys.new(0), search.domain.sample(keys.new(1), 8))
