"""qd ask and qd tell: the same archive as in process, bit for bit, and results that cannot be leave everything as it is."""

import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from domains.external import External
from qd import keys
from qd.cli.main import main
from qd.runner.external import PendingBatch, read
from qd.store import archive_file, history
from qd.store.recorder import TIMES

HOUSE = Path(__file__).resolve().parents[2]
RECIPE = ["initial=20", "budget=110", "domain_defaults.batch_size=30", "archive.dims=[10,10]", "log_every=30", "renderings=0"]
YAML = """# @package _global_
domain: {_target_: domains.external.External, dim: 4, low: -3.141592653589793, high: 3.141592653589793,
         features: {gripper: 2}, objective_range: [0, 100]}
domain_defaults: {feature: gripper, bounds: [[-1, 1], [-1, 1]], reads: [gripper]}
"""
SCRIPT = """
import json, random, sys
import numpy as np
from domains.arm import Arm

rows = [json.loads(line) for line in sys.stdin]
solutions = np.array([row["solution"] for row in rows], np.float32)
said = Arm(joints=4).evaluate(None, solutions)
told = [{"id": row["id"], "objective": float(o), "features": {"gripper": g.tolist()}}
        for row, o, g in zip(rows, said.objective, np.asarray(said.features["gripper"]))]
random.Random(3).shuffle(told)
print("\\n".join(map(json.dumps, told)))
"""


@pytest.fixture(autouse=True)
def here(own_folder) -> Path:
    """With an arm that another program evaluates."""
    (own_folder / "conf/domain").mkdir(parents=True)
    (own_folder / "conf/domain/there.yaml").write_text(YAML)
    (own_folder / "script.py").write_text(SCRIPT)
    return own_folder


def ask_rows(capsys, *args: str) -> list[dict]:
    """What qd ask prints."""
    capsys.readouterr()
    assert main(["ask", *args]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def evaluate_rows(batch: list[dict]) -> str:
    """What another program makes of a batch."""
    env = os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu"}
    text = "\n".join(map(json.dumps, batch))
    return subprocess.run([sys.executable, "script.py"], input=text, env=env, capture_output=True, text=True, check=True).stdout


def random_rows(batch: list[dict]) -> list[dict]:
    """Results that need no arm."""
    return [
        {"id": row["id"], "objective": sum(row["solution"]), "features": {"gripper": np.tanh(row["solution"][:2]).tolist()}}
        for row in batch
    ]


def tell(rows: list, run: str = "runs/there/s0") -> int:
    Path("results.jsonl").write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return main(["tell", run, "results.jsonl"])


def files(run: str) -> dict[str, bytes]:
    """All that a run holds, besides the event that it was looked at."""
    paths = [path for path in Path(run).rglob("*") if path.is_file() and path.name not in ("events.jsonl", ".lock")]
    return {str(path): path.read_bytes() for path in paths}


@pytest.mark.ci
def test_the_same_archive_as_in_process(capsys):
    within = ["domain.joints=4", "domain.pure=false", "name=within", *RECIPE]
    assert main(["run", *within, "console=off"]) == 0
    (expected,) = Path("runs/within").iterdir()

    words, count = ["domain=there", "name=outside", *RECIPE], 0
    batch = ask_rows(capsys, *words)
    (run,) = Path("runs/outside").iterdir()
    while not (run / "result.json").exists():
        Path("results.jsonl").write_text(evaluate_rows(batch))
        assert main(["tell", str(run), "results.jsonl"]) == 0
        count += 1
        if not (run / "result.json").exists():
            batch = ask_rows(capsys, str(run))
    assert count == 4 and main(["ask", str(run)]) == 1
    assert "is finished: there is nothing to ask" in capsys.readouterr().err

    one, other = archive_file.load(expected).columns, archive_file.load(run).columns
    assert one.keys() == other.keys() and len(one["id"]) > 20
    for name, column in one.items():
        np.testing.assert_array_equal(column, other[name], err_msg=name)
    for name, column in history.load(expected).items():
        np.testing.assert_array_equal(column, history.load(run)[name], err_msg=name)
    rows = [list(csv.DictReader((path / "metrics.csv").open())) for path in (expected, run)]
    for a, b in zip(*rows, strict=True):
        assert {name: a[name] for name in a if name not in TIMES} == {name: b[name] for name in b if name not in TIMES}


def test_a_batch_asked_twice_is_the_same_batch(capsys):
    words = ["domain=there", "emitter=cma_me", "emitter.count=2", "emitter.settings.batch_size=5", "initial=10", "budget=60"]
    first = ask_rows(capsys, *words)
    (run,) = map(str, Path("runs/there").iterdir())
    assert first == ask_rows(capsys, *words) == ask_rows(capsys, run)
    assert [row["id"] for row in first] == list(range(10))
    assert len({tuple(row["key"]) for row in first}) == 10  # each has a seed of its own
    assert tell(random_rows(first), run) == 0
    second = ask_rows(capsys, run)
    before = files(run)
    assert second == ask_rows(capsys, run) and files(run) == before
    assert [row["id"] for row in second] == list(range(10, 20)) and second[0]["solution"] != first[0]["solution"]
    rows = random_rows(second)
    random.Random(0).shuffle(rows)
    checkpoint = max(Path(run, "checkpoint").iterdir(), key=lambda file: file.stat().st_mtime)
    for file in Path(run, "checkpoint").iterdir():
        os.utime(file, (checkpoint.stat().st_mtime - 7200,) * 2)  # another program took two hours for 10 solutions
    capsys.readouterr()
    assert tell(rows, run) == 0
    assert "40 evaluations remain: about 8 h 0" in capsys.readouterr().out
    third = ask_rows(capsys, run)
    assert tell(rows, run) == 1 and "id 1" in capsys.readouterr().err  # those were handed in before
    assert third == ask_rows(capsys, run)


def test_failures_are_counted_and_learners_learn(capsys):
    words = ["domain=there", "descriptor=pca", "refit=50", *RECIPE]
    rows = random_rows(ask_rows(capsys, *words))
    (run,) = map(str, Path("runs/there").iterdir())
    rows[0]["objective"] = None
    rows[1] = {"id": rows[1]["id"], "objective": float("nan")}
    assert tell(rows, run) == 0
    while not Path(run, "result.json").exists():
        assert tell(random_rows(ask_rows(capsys, run)), run) == 0
    result = json.loads(Path(run, "result.json").read_text())
    assert (result["metrics"]["failed"], result["evaluations"]) == (2, 110)
    assert '"refit"' in Path(run, "events.jsonl").read_text()


GOOD = {"id": 3, "objective": 1, "features": {"gripper": [0, 0.5]}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[1:], r"missing: 1 ids \(0\)"),
        (lambda rows: [*rows, rows[5]], "line 21: id 5 is there twice"),
        (lambda rows: [*rows, GOOD | {"id": 77}], r"line 21: id 77 is foreign, no id of this batch \(0 to 19\)"),
        (lambda rows: [*rows[:19], '{"id": 19'], "line 20 is malformed: no json"),
        (lambda rows: [*rows[:19], "[1]"], "a row is an object with a whole number as id"),
        (lambda rows: [*rows[:19], {"id": "19", "objective": 1}], "a whole number as id"),
        (lambda rows: [*rows[:19], {"id": 19}], "it has no objective"),
        (lambda rows: [*rows[:19], GOOD | {"objective": "1"}], "objective '1' is no finite number"),
        (lambda rows: [*rows[:19], GOOD | {"objective": 1e99}], "objective 1e.99 is no finite number"),
        (lambda rows: [*rows[:19], GOOD | {"objective": True}], "objective True is no finite number"),
        (lambda rows: [*rows[:19], {"id": 3, "objective": 1}], r"its features are None, but .* \['gripper'\]"),
        (lambda rows: [*rows[:19], GOOD | {"features": {"griper": [0, 0]}}], r"its features are \['griper'\]"),
        (
            lambda rows: [*rows[:19], GOOD | {"features": {"gripper": [0]}}],
            r"\[0\], but it must be finite numbers of shape \[2\]",
        ),
        (lambda rows: [*rows[:19], GOOD | {"features": {"gripper": [[0], [0, 1]]}}], "finite numbers of shape"),
        (lambda rows: [*rows[:19], GOOD | {"features": {"gripper": [0, None]}}], "finite numbers of shape"),
        (lambda rows: [*rows[:19], GOOD | {"features": {"gripper": [0, float("inf")]}}], "finite numbers of shape"),
        (lambda rows: [], r"missing: 20 ids \(0, 1, 2, 3, 4, 5, 6, 7, ...\)"),
        (lambda rows: ["x"] * 12, r"and 5 more\. Correct the results"),
    ],
)
def test_results_that_cannot_be(change, message):
    domain = External(4, {"gripper": 2})  # type: ignore[arg-type]
    batch = PendingBatch(0, domain.sample(keys.new(0), 20), keys.split(keys.new(1), 20))
    rows = random_rows([{"id": i, "solution": x} for i, x in enumerate(batch.solutions.tolist())])
    assert np.isfinite(read([json.dumps(row) for row in rows], batch, domain).objective).all()
    lines = [row if isinstance(row, str) else json.dumps(row) for row in change(rows)]
    with pytest.raises(ValueError, match=f"nothing is changed: .*{message}"):
        read(lines, batch, domain)


def test_nothing_is_changed_by_results_that_cannot_be(capsys):
    batch = ask_rows(capsys, "domain=there", *RECIPE)
    (run,) = map(str, Path("runs/there").iterdir())
    assert tell(random_rows(batch), run) == 0
    batch = ask_rows(capsys, run)
    before = files(run)
    assert tell(random_rows(batch)[:-1], run) == 1
    assert "nothing is changed: missing: 1 ids (49). Correct the results and type the same again" in capsys.readouterr().err
    assert files(run) == before and ask_rows(capsys, run) == batch


def test_messages(capsys, monkeypatch):
    assert main(["run", "domain=there"]) == 1
    assert "evaluated by another program, not in this process; type qd ask" in capsys.readouterr().err
    assert main(["ask", "domain=arm"]) == 1
    assert "Arm is evaluated in this process; type qd run" in capsys.readouterr().err
    assert main(["ask", "nowhere"]) == 1
    assert "nowhere is no folder of a run: it holds no config.yaml" in capsys.readouterr().err
    batch = ask_rows(capsys, "domain=there", "name=x", "seed=1")
    assert main(["tell", "runs/x/domain=there-s1", "gone.jsonl"]) == 1
    assert "gone.jsonl cannot be read" in capsys.readouterr().err
    failed = [{"id": row["id"], "objective": None} for row in batch]
    assert tell(failed, "runs/x/domain=there-s1") == 1
    assert "all 100 solutions of generation 0 failed" in capsys.readouterr().err
    assert ask_rows(capsys, "runs/x/domain=there-s1") == batch
    assert main(["ask"]) == 2 and main(["tell", "x"]) == 2 and main(["tell", "--help"]) == 0
    output = capsys.readouterr()
    assert "usage: qd ask RUN" in output.err and "usage: qd tell RUN" in output.err and "usage: qd tell RUN" in output.out


def test_what_external_takes():
    whole = External(dim=3, features={"a": [], "b": [2, 2]}, options=4)  # type: ignore[arg-type]
    assert whole.features == (("a", ()), ("b", (2, 2))) and whole.space == (4,)
    samples = whole.sample(keys.new(0), 50)
    assert samples.dtype == np.int32 and set(np.unique(samples)) == {0, 1, 2, 3}
    assert whole.blank(5).features["b"].shape == (5, 2, 2)
    for wrong in ({"dim": 0}, {"low": 1}, {"options": 1}, {"features": {"a": 0}}, {"features": {"a": "2"}}):
        with pytest.raises(ValueError, match="type"):
            External(**({"dim": 2, "features": {"a": 1}} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", ["[100, 0]", "[7, 7]"])
def test_a_reversed_objective_range_is_refused_before_anything_is_spent(capsys, here, scale):
    words = "objective_range = "
    conf = here / "conf/domain/there.yaml"
    batch = ask_rows(capsys, "domain=there", *RECIPE)
    (run,) = map(str, Path("runs/there").iterdir())
    config, before = Path(run) / "config.yaml", files(run)
    content = yaml.safe_load(config.read_text())
    assert content["domain"]["objective_range"] == [0, 100]
    content["domain"]["objective_range"] = yaml.safe_load(scale)
    config.write_text(yaml.safe_dump(content))
    assert tell(random_rows(batch), run) == 1 and words in capsys.readouterr().err
    config.write_bytes(before[str(config)])
    assert files(run) == before

    conf.write_text(YAML.replace("[0, 100]", scale))
    for command in (["ask", "domain=there", "name=other"], ["run", "domain=there", "name=other"]):
        assert main([*command, *RECIPE]) == 1
        assert words in capsys.readouterr().err and not list(Path("runs/other").rglob("checkpoint/*"))
    assert main(["run", "domain=there", "name=other", f"from={run}", *RECIPE]) == 1
    assert words in capsys.readouterr().err


def test_objectives_keep_all_digits(capsys):
    batch = ask_rows(capsys, "domain=there", *RECIPE, "archive.dims=[1,1]")
    (run,) = map(str, Path("runs/there").iterdir())
    rows = [row | {"objective": 20_000_000 + (row["id"] == 7)} for row in random_rows(batch)]
    assert tell(rows, run) == 0
    batch = ask_rows(capsys, run)
    assert tell([row | {"objective": 20_000_000.25} for row in random_rows(batch)], run) == 0
    for _ in range(2):  # to the end of the budget, where the archive is written
        assert tell([row | {"objective": 0} for row in random_rows(ask_rows(capsys, run))], run) == 0
    columns = archive_file.load(Path(run)).columns
    assert columns["objective"].tolist() == [20_000_001.0] and columns["id"].tolist() == [7]
    assert history.load(Path(run))["objective"][:20].tolist() == [row["objective"] for row in rows]
