"""The studies of programs: means over tasks, and whether diversity goes with gain; calls beyond a cap."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from domains.programs.problems.cases import CASES
from experiments.programs import contenders, plans, searches
from experiments.programs.metered import Meter
from qd.report.table import Runs


def stored(gains: list[float], vendis: list[float]) -> Runs:
    runs = Runs(Path("nowhere"))
    for task, gain, vendi in zip(CASES, gains, vendis, strict=False):
        for method in plans.METHODS:
            metrics = {"solved": 1.0, "any": 1.0, "each": 1 - gain, "gain": gain, "vendi": vendi}
            runs.records[f"{task}, 8 calls", method, 0] = metrics
    return runs


def test_a_task_is_one_sample_and_only_seeds_of_all_methods_count():
    runs = stored([0.1, 0.3], [1.0, 1.2])
    first = next(iter(CASES))
    runs.records[f"{first}, 8 calls", "sampling", 1] = {"solved": 0.0, "gain": 0.9}  # the others lack it
    del runs.records[f"{list(CASES)[1]}, 8 calls", "MAP-Elites", 0]  # so that the second task is no sample
    whole = plans.over_tasks(runs)
    assert whole.column("all tasks, 8 calls", "sampling", "gain") == {0: 0.1}
    assert whole.column("all tasks, 8 calls", "PlanSearch", "solved") == {0: 1.0}


def test_diversity_that_ranks_tasks_as_gain_does_correlates():
    gains = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    rows = plans.correlations(plans.over_tasks(stored(gains, [1.0, 1.1, 1.3, 1.2, 1.4, 1.5])))
    assert {row.method for row in rows} == set(plans.METHODS) and {row.metric for row in rows} == {"vendi with gain"}
    assert np.isclose(rows[0].value, 1 - 6 * 2 / (6 * 35)) and rows[0].low < rows[0].value < rows[0].high <= 1
    assert rows[0].low < 0.6  # six tasks say little
    assert not plans.correlations(plans.over_tasks(stored([0.2] * 6, [1.0, 1.1, 1.3, 1.2, 1.4, 1.5])))  # no gain differs


def test_a_capped_client_answers_so_many_and_counts_replies_that_end_within_code():
    capped = plans.Capped(lambda prompts, sample, **_: ["```python\nx = 1" for _ in prompts], 3)
    assert capped(["a", "b"], sample=[0, 1]) == ["```python\nx = 1"] * 2
    assert capped(["c", "d"], sample=0) == ["```python\nx = 1", None] and capped.used == 3 and capped.cut == 3


@pytest.mark.parametrize(("calls", "size"), [(96, 6), (8, 4), (12, 6), (7, 1)])
def test_a_generation_divides_the_calls(tmp_path, calls, size):
    for name in ("initial_program.py", "evaluator.py"):
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "config.yaml").write_text("database: {num_islands: 3}\nevaluator: {parallel_evaluations: 3}\n")
    assert contenders.generation(contenders.Task(tmp_path, tmp_path, "", 0, calls)) == size


def test_openevolve_that_found_nothing_is_its_first_program(tmp_path, monkeypatch):
    (tmp_path / "initial_program.py").write_text("x = 1\n")
    (tmp_path / "config.yaml").write_text("{}\n")
    said = "INFO - Evaluated program 3e2a in 0.03s: value_score=0.9579, combined_score=1.2475\nEvolution failed: 0/8 iterations"

    def metered(words, folder, log, env):
        log.write(said)
        return Meter(1, 2.0, 1.0)

    monkeypatch.setattr(contenders, "metered", metered)
    played = contenders.openevolve(contenders.Task(tmp_path, tmp_path, "", 0, 8), "python")
    assert played.scores == {"x = 1\n": 1.2475} and played.evaluations == 1


def test_a_run_whose_model_left_calls_unanswered_is_none():
    answered = SimpleNamespace(report=lambda: [{"failed": 0}])
    dead = SimpleNamespace(report=lambda: [{"failed": 0}, {"failed": 3}])
    searches.check_answers(answered)
    with pytest.raises(RuntimeError, match="3 calls"):
        searches.check_answers(dead)
