"""Rows of metrics inside a batch of many generations are those of a search that was looked at each time."""

import csv
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from feedback.descriptors.select import Select
from qd import archives, fused, keys, search
from qd.archives import CVT, Grid
from qd.emitters.vary import IsoLine, Vary
from qd.runner import run as job
from qd.runner.run import SegmentLength
from qd.store import checkpoint, compile_time, history, recorder
from qd.store.recorder import TIMES
from qd.store.replay import Past
from qd.types import Search
from tests.end_to_end.kill.cases import Parts
from tests.support.runs import QuietRun, run_settings
from tests.support.scripted import contents
from tests.support.toys import SQUARE, Bowl, Failing

ARCHIVES = {"grid": Grid((12, 12)), "cvt": CVT(50, samples=500), "thresholds": Grid((12, 12), 0.1, -20.0)}


@pytest.fixture(autouse=True)
def key_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def recipe(name: str) -> Search:
    return Search(Failing(Bowl()), Select("xy", SQUARE), ARCHIVES[name], Vary(IsoLine(0.05, 0.3), batch_size=32))


def run_with(path: Path, name: str, **more) -> QuietRun:
    limits = {"seed": 1, "budget": 8_000, "initial": 64, "log_every": 100, "save_every": 3000, "save_seconds": 100.0}
    settings = run_settings(**limits | {"renderings": 0, "driver": {"name": "fused"}} | more)
    console = QuietRun()
    job.run(settings, Parts(recipe(name), None, fused.run), path, console)
    return console


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def same(one: Path, other: Path) -> None:
    plain = ([{k: v for k, v in row.items() if k not in TIMES} for row in rows(path)] for path in (one, other))
    assert next(plain) == next(plain)
    states = [checkpoint.load(path / "checkpoint", print) for path in (one, other)]
    assert states[0].tally == states[1].tally
    for columns in ([contents(s.state.archive) for s in states], [history.load(path) for path in (one, other)]):
        for name, column in columns[0].items():
            np.testing.assert_array_equal(column, columns[1][name], err_msg=name)


@pytest.mark.parametrize("name", ARCHIVES)
def test_rows_are_the_same_wherever_stretches_and_checkpoints_fall(name, tmp_path, monkeypatch) -> None:
    looks = run_with(tmp_path / "long", name)
    monkeypatch.setattr(SegmentLength, "adapt", lambda length, seconds: None)  # one row a segment
    each = run_with(tmp_path / "short", name, save_seconds=0)
    same(tmp_path / "short", tmp_path / "long")
    assert len(each.rows) == len(rows(tmp_path / "long")) == 1 + 80  # the start, and all multiples
    assert len(looks.rows) < 20
    walls = [float(row["wall_s"]) for row in rows(tmp_path / "long")]
    assert walls == sorted(walls)
    compilation = [float(row["compile_s"]) for row in rows(tmp_path / "long")]
    assert compilation == sorted(compilation) and 0 < compilation[-1] < walls[-1]
    assert all(share <= wall + 1e-3 for share, wall in zip(compilation, walls, strict=True))  # rounded to 1 ms each
    result = json.loads((tmp_path / "long/result.json").read_text())
    assert result["wall_s"] > result["compile_s"] >= compilation[-1]


def test_a_run_that_was_stopped_between_goes_on_to_the_same_rows(tmp_path) -> None:
    run_with(tmp_path / "whole", "thresholds")
    for budget in (1500, 4000, 8_000):
        run_with(tmp_path / "parts", "thresholds", budget=budget)
    same(tmp_path / "whole", tmp_path / "parts")
    assert json.loads((tmp_path / "parts" / "result.json").read_text())["generation"] == 1 + 248


def test_a_run_of_an_earlier_version_goes_on_in_the_columns_that_it_has(tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(recorder, "_COLUMNS", tuple(name for name in recorder._COLUMNS if name != "compile_s"))
        run_with(tmp_path / "run", "grid", budget=1000)
    run_with(tmp_path / "run", "grid", budget=2000)
    assert "compile_s" not in rows(tmp_path / "run")[0] and len(rows(tmp_path / "run")) == 1 + 20
    assert all(None not in row.values() and None not in row for row in rows(tmp_path / "run"))


def test_compilation_comes_before_the_generations_of_its_batch() -> None:
    began, end = recorder.Times(10.0, 2.0), recorder.Times(20.0, 8.0)
    assert began.until(end, 0.25) == (10 + 6 + 0.25 * 4, 8.0)
    assert began.until(end, 1.0) == end


def test_a_step_of_compilation_within_another_counts_once(monkeypatch) -> None:
    clock, now = compile_time.CompileClock(), 0.0
    monkeypatch.setattr(compile_time.time, "perf_counter", lambda: now)
    for now, event, seconds in (
        (2.0, "/jax/core/compile/jaxpr_trace_duration", 1.0),
        (3.0, "/jax/core/compile/jaxpr_trace_duration", 0.5),
        (4.0, "/jax/core/compile/jaxpr_trace_duration", 3.5),  # holds both
        (5.0, "/jax/checkpoint/write_duration", 1.0),
        (6.0, "/jax/core/compile/backend_compile_duration", 1.0),
    ):
        clock.add(event, seconds, fun_name="f")
    assert clock.seconds == 4.5


def test_what_jax_compiles_is_counted_and_what_it_runs_is_not() -> None:
    clock = compile_time.compile_clock()
    program, x = jax.jit(lambda x: jax.numpy.sort(jax.numpy.sin(x))), np.arange(7.0)
    before = clock.seconds
    program(x)
    compiled = clock.seconds
    program(x)
    assert compiled > before and clock.seconds == compiled


def test_the_past_is_pyribs_after_every_generation() -> None:
    for name in ARCHIVES:
        key, sample_key = keys.split(keys.new(3))
        components = recipe(name)
        state, _ = search.start(components, key, components.domain.sample(sample_key, 64))
        past = Past(state.archive)
        for _ in range(30):
            state, batch = search.step(components, state)
            assert list(past.through(batch, 32, [1])) == [None]
            np.testing.assert_array_equal(past.objective(archives.occupied(state.archive)), state.archive.data("objective"))


def test_checkpoints_wait_for_their_seconds_and_their_evaluations() -> None:
    length = SegmentLength(run_settings(log_every=100, save_every=250, save_seconds=1.0), None)
    assert length.end(130, checkpoint_due=False) == 200
    length.adapt(0.001)
    assert length.end(130, checkpoint_due=False) == 900 and length.end(130, checkpoint_due=True) == 250
    length.adapt(4.0)
    assert length.rows == 1
    for more, referee in (({"stop": "plateau"}, None), ({"refit": "outside"}, None), ({}, "one")):
        one = SegmentLength(run_settings(log_every=100, save_every=250, save_seconds=1.0, **more), referee)
        one.adapt(0.001)
        assert one.rows == 1


def test_segments_that_checkpoints_cut_short_do_not_grow_without_end():
    length = SegmentLength(run_settings(log_every=100, save_every=250, save_seconds=0.0), None)
    for _ in range(2000):
        length.adapt(1e-9)
    assert length.end(0, checkpoint_due=True) == 250 and length.rows == 10**6
