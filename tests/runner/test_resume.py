"""A run survives anything: whatever cuts it off, the same command ends with the same numbers."""

import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
import yaml

from feedback.descriptors.select import Select
from qd import search
from qd.config.settings import to_config
from qd.runner import refits
from qd.runner import run as job
from qd.runner.outcomes import exit_status
from qd.store import archive_file, checkpoint, history, identity
from qd.types import Batch, State
from tests.end_to_end.kill import cases
from tests.end_to_end.kill.cases import FUSED, Case, assemble, settings
from tests.end_to_end.kill.compare import compare
from tests.end_to_end.kill.trial import trial
from tests.support.runs import QuietRun, run_settings

PLAIN = Case("arm", "isoline", "grid")
SOFT_LEARNER = Case("arm", "cma_mae", "cvt", "pca")


@pytest.fixture(scope="module", autouse=True)
def key_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("XDG_CONFIG_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing cut off."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    cases.run(PLAIN, path)
    return path


class Interrupting(QuietRun):
    """Calls once, at the row of metrics of that number."""

    def __init__(self, at: int, call: Callable[[], object]) -> None:
        super().__init__()
        self.at, self.call = at, call

    def update(self, row: dict) -> None:
        super().update(row)
        if len(self.rows) == self.at:
            self.call()


def run_with(path: Path, console: QuietRun | None = None, case: Case = PLAIN, **more) -> dict:
    return job.run(settings(case, **more), assemble(case), path, console or QuietRun())


def send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# --- killed


@pytest.mark.parametrize("case", [PLAIN, *(pytest.param(case, marks=pytest.mark.ci) for case in FUSED)], ids=str)
def test_killed_twice_it_ends_the_same(case: Case, tmp_path: Path, key_home: Path) -> None:
    trial(case, tmp_path, str(key_home), random.Random(1))


@pytest.mark.slow
def test_every_combination_killed_twice_ends_the_same() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "tests.end_to_end.kill"], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "30 kills, 15 of them inside a write; all ended equal" in process.stdout


# --- stopped


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_clean_stop(whole: Path, tmp_path: Path, number: int) -> None:
    before = signal.getsignal(number)
    console = Interrupting(4, send(number))
    stopped = run_with(tmp_path, console)
    assert stopped["status"] == "stopped" and console.closed == stopped
    assert stopped["evaluations"] == 1536  # the generation in which the fourth row fell
    by = " by SIGTERM" if number == signal.SIGTERM else ""
    assert f"stopped{by} at 1536 evaluations with a checkpoint" in console.said[-1]
    assert exit_status(stopped) == 128 + number
    assert not (tmp_path / "result.json").exists() and signal.getsignal(number) is before
    assert archive_file.load(tmp_path).about["evaluations"] == 1536
    assert history.load(tmp_path)["id"].max() < 1536
    assert run_with(tmp_path)["status"] == "finished"
    compare(whole, tmp_path)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(e["event"], e["evaluations"]) for e in events] == [("started", 64), ("stopped", 1536), ("resumed", 1536)]
    assert events[1]["signal"] == signal.Signals(number).name


def test_hosted_emitters_and_thresholds_go_on_across_a_refit(tmp_path: Path) -> None:
    run_with(tmp_path / "whole", case=SOFT_LEARNER)
    for at in (3, 5):
        run_with(tmp_path / "cut", Interrupting(at, send(signal.SIGTERM)), case=SOFT_LEARNER)
    assert run_with(tmp_path / "cut", case=SOFT_LEARNER)["status"] == "finished"
    compare(tmp_path / "whole", tmp_path / "cut")
    events = [json.loads(line) for line in (tmp_path / "cut" / "events.jsonl").read_text().splitlines()]
    assert [e["evaluations"] for e in events if e["event"] == "refit"] == [1536, 3008, 4544]


def test_cut_off_before_its_first_checkpoint_it_begins_anew(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "save", cut)
        run_with(tmp_path)
    run_with(tmp_path)
    compare(whole, tmp_path)


def test_a_damaged_checkpoint_costs_one_stretch(whole: Path, tmp_path: Path) -> None:
    run_with(tmp_path, Interrupting(6, send(signal.SIGTERM)))
    newest = sorted((tmp_path / "checkpoint").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:5000])
    console = QuietRun()
    run_with(tmp_path, console)
    assert "is damaged" in console.said[0]
    compare(whole, tmp_path)


# --- the disk


def test_a_full_disk_leaves_the_last_checkpoint(whole: Path, tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    console = Interrupting(5, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1])))
    try:
        with pytest.raises(ValueError, match=r"the disk is full: .*ckpt could not be written .* give the same command"):
            run_with(tmp_path, console)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    console = QuietRun()
    run_with(tmp_path, console)
    assert console.said == []  # nothing was damaged
    assert 0 < json.loads((tmp_path / "events.jsonl").read_text().splitlines()[1])["evaluations"] < 6000
    compare(whole, tmp_path)


def test_a_disk_that_fills_while_the_result_is_written(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(ValueError, match="the disk is full"):
        patch.setattr(Path, "write_bytes", full)  # how renderings are written
        run_with(tmp_path)
    assert not (tmp_path / "result.json").exists()
    run_with(tmp_path)
    compare(whole, tmp_path)


# --- the same folder again


def test_a_larger_budget_goes_on_from_the_end(whole: Path, tmp_path: Path) -> None:
    first = run_with(tmp_path, budget=2100)
    assert (first["evaluations"], len(rows(tmp_path))) == (2112, 6)  # 64, 512, ..., 2048, and the end
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["budget"] == 2100
    run_with(tmp_path)
    compare(whole, tmp_path)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["budget"] == 6000


@pytest.mark.parametrize("lost", ["checkpoint", "history.npz"])
def test_what_cannot_go_on_keeps_its_result(tmp_path: Path, lost: str) -> None:
    run_with(tmp_path, budget=600)
    (tmp_path / lost).rename(tmp_path / "lost")
    with pytest.raises(ValueError, match=rf"{lost} is gone, so .* cannot go on.* type again=true"):
        run_with(tmp_path, budget=900)
    assert json.loads((tmp_path / "result.json").read_text())["evaluations"] == 640
    assert archive_file.load(tmp_path).about["evaluations"] == 640


def test_a_finished_run_is_skipped(whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file() and path.name != ".lock"}
    console = QuietRun()
    assert run_with(whole, console)["status"] == "skipped"
    assert "is finished (6016 evaluations): skipped" in console.said[0] and len(console.said) == 1
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_smaller_budget_is_told_whose_numbers_it_sees(whole: Path) -> None:
    config = (whole / "config.yaml").read_bytes()
    console = QuietRun()
    assert run_with(whole, console, budget=300)["evaluations"] == 6016
    assert "it has more evaluations already (6,016 >= 300), so the numbers are those of 6,016" in console.said[1]
    assert "again=true, or name=... for a run of its own" in console.said[1]
    (whole / "config.yaml").write_bytes(config)


def lose(path: Path, how: str) -> None:
    """Does to a finished run's archive what people and disks do."""
    npz, about = path / "archive.npz", path / "archive.json"
    if how == "missing":
        npz.unlink()
    elif how == "truncated":
        npz.write_bytes(npz.read_bytes()[:1000])
    elif how == "no json":
        about.unlink()
    elif how == "foreign":
        about.write_text('{"format": "other"}')
    else:
        about.write_bytes(archive_file.encode_header(json.loads(about.read_text()) | {"config_hash": "other"}))


def test_a_lost_archive_of_a_finished_run_is_rebuilt_or_told_of(tmp_path: Path) -> None:
    run_with(tmp_path, budget=600)
    before = archive_file.load(tmp_path)
    for how in ("missing", "truncated", "no json", "foreign", "another run's"):
        lose(tmp_path, how)
        console = QuietRun()
        assert run_with(tmp_path, console, budget=600)["status"] == "skipped"
        assert "rebuilt from the checkpoint" in console.said[0] and "skipped" in console.said[1]
        after = archive_file.load(tmp_path)
        assert after.about == before.about
        for name, column in before.columns.items():
            np.testing.assert_array_equal(after.columns[name], column)
    lose(tmp_path, "missing")
    newest = sorted((tmp_path / "checkpoint").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"archive.npz cannot be read .* cannot be rebuilt: .*damaged.* Type again=true"):
        run_with(tmp_path, budget=600)
    shutil.rmtree(tmp_path / "checkpoint")
    with pytest.raises(ValueError, match=r"cannot be rebuilt: its checkpoint is gone. Type again=true"):
        run_with(tmp_path, budget=600)
    assert run_with(tmp_path, budget=600, again=True)["status"] == "finished"


def test_changed_code_is_told_of_and_never_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_with(tmp_path, budget=600)
    sources = identity.fingerprint(*assemble(PLAIN)[:2])
    monkeypatch.setattr(identity, "fingerprint", lambda *parts: sources | {"domains.arm": "mended"})
    console = QuietRun()
    assert run_with(tmp_path, console, budget=600)["status"] == "skipped"
    assert "the code of domains.arm has changed; type again=true" in console.said[1]
    with pytest.raises(ValueError, match=r"domains.arm has changed, so it cannot go on to 900 evaluations; type again=true"):
        run_with(tmp_path, budget=900)
    restarted = run_with(tmp_path, budget=600, again=True)
    assert restarted["status"] == "finished" and restarted["sources"]["domains.arm"] == "mended"


def test_again_goes_on_where_it_was_cut_off(whole: Path, tmp_path: Path) -> None:
    run_with(tmp_path, budget=600)
    run_with(tmp_path, Interrupting(5, send(signal.SIGTERM)), again=True)
    run_with(tmp_path, again=True)
    events = [json.loads(line)["event"] for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert events == ["started", "stopped", "resumed"]
    np.testing.assert_array_equal(history.load(whole)["id"], history.load(tmp_path)["id"])


def test_another_config_is_refused(whole: Path) -> None:
    before = (whole / "config.yaml").read_bytes()
    with pytest.raises(ValueError, match=r"a run of another config: seed was 3 and is now 4.*Type another name"):
        run_with(whole, seed=4)
    assert (whole / "config.yaml").read_bytes() == before


def test_a_second_command_on_the_folder_is_refused(tmp_path: Path) -> None:
    messages: list[str] = []

    def second() -> None:
        with pytest.raises(ValueError, match="is in use by process") as error:
            run_with(tmp_path)
        messages.append(str(error.value))

    run_with(tmp_path, Interrupting(2, second), budget=600)
    assert str(os.getpid()) in messages[0]


def test_a_checkpoint_of_somebody_else_is_refused_and_again_replaces_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_with(tmp_path / "run", Interrupting(3, send(signal.SIGTERM)))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "me"))
    with pytest.raises(ValueError, match="was not signed with your key"):
        run_with(tmp_path / "run")
    assert run_with(tmp_path / "run", again=True)["status"] == "finished"


def test_the_comparison_sees_a_difference(whole: Path, tmp_path: Path) -> None:
    run_with(tmp_path, seed=4)
    with pytest.raises(AssertionError):
        compare(whole, tmp_path)


def test_a_refused_command_leaves_no_folder_behind(tmp_path: Path) -> None:
    parts = assemble(PLAIN)
    components = parts._replace(search=parts.search._replace(descriptor=Select("nothing", ((-1.0, 1.0),) * 2)))
    for there in (tmp_path / "runs" / "arm" / "s0", tmp_path / "mine"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match="nothing"):
            job.run(settings(PLAIN), components, there, QuietRun())
    assert not (tmp_path / "runs").exists()
    assert (tmp_path / "mine").exists()  # it was there before


# --- what is in the folder


def test_the_folder_holds_what_it_promises(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()} - {".lock", ".signature"}
    assert names == {"config.yaml", "metrics.csv", "events.jsonl", "archive.npz", "archive.json", "history.npz",
                     "renderings", "checkpoint", "checksums.json", "result.json"}  # fmt: skip
    assert len(list((whole / "renderings").glob("*.svg"))) == 4 and len(list((whole / "checkpoint").iterdir())) == 2
    result = json.loads((whole / "result.json").read_text())
    archive, table = archive_file.load(whole), rows(whole)
    assert result["evaluations"] == archive.about["evaluations"] == int(table[-1]["evals"]) == 6016
    assert result["metrics"]["elites"] == len(archive.columns["id"]) == int(table[-1]["elites"])
    assert archive.about["config"]["seed"] == 3 and archive.about["versions"].keys() == {"python", "ribs", "numpy", "jax"}
    assert archive.about["config_hash"] == identity.config_hash(to_config(settings(PLAIN)))
    # a row wherever a multiple of 500 was crossed, and at both ends
    evals = [int(row["evals"]) for row in table]
    assert evals == [64, *(-(-n // 64) * 64 for n in range(500, 6001, 500))]
    assert {"coverage_current", "qd_score_all", "coverage_all_coarse", "aligned_r2"} < set(table[0])
    assert float(table[-1]["best"]) == archive.columns["objective"].max()
    # every elite is in the history, with its cell, and its parents came before it
    accepted = history.load(whole)
    last = dict(zip(accepted["id"], accepted["cell"], strict=True))
    assert all(last[i] == cell for i, cell in zip(archive.columns["id"], archive.columns["index"], strict=True))
    assert int(table[-1]["new"]) + int(table[-1]["improved"]) == len(accepted["id"])
    children = accepted["generation"] > 0
    assert (accepted["parents"][children] < accepted["id"][children, None]).all() and (
        accepted["parents"][~children] == -1
    ).all()
    np.testing.assert_array_equal(accepted["generation"], accepted["id"] // 64)


def test_a_batch_of_several_generations_is_recorded_like_single_ones(whole: Path, tmp_path: Path) -> None:
    parts = assemble(PLAIN)._replace(run=_three_at_a_time)
    job.run(settings(PLAIN), parts, tmp_path, QuietRun())
    one, other = history.load(whole), history.load(tmp_path)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def _three_at_a_time(recipe: search.Search, state: State, until: int) -> Iterator[tuple[State, Batch]]:
    batches: list[Batch] = []
    for state, batch in search.run(recipe, state, until):
        batches.append(batch)
        if len(batches) == 3 or state.evaluations >= until:
            columns = jax.tree.map(lambda *several: np.concatenate(several), *(b._replace(first=None) for b in batches))
            yield state, columns._replace(first=batches[0].first)
            batches = []


@pytest.mark.parametrize(
    ("refit", "after", "due"),
    [
        (None, 0, None),
        (100, 0, 100),
        (100, 100, 200),
        (100, 164, 200),
        ([50, 500], 0, 50),
        ([50, 500], 70, 500),
        ([50], 64, None),
        ([0.5, 0.1], 0, 100),
        ([0.5, 0.1], 100, 500),
    ],
)
def test_refitting_comes_at_fixed_counts(refit: int | list | None, after: int, due: int | None, tmp_path: Path) -> None:
    assert refits.open_schedule(run_settings(refit=refit, budget=1000), tmp_path).next(after) == due


@pytest.mark.parametrize("name", ["budget", "initial", "log_every", "save_every", "refit"])
def test_counts_below_one_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{name}=0 "):
        run_with(tmp_path / "run", **{name: 0})
    assert not (tmp_path / "run").exists()
