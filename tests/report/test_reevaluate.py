"""Elites of a stored run evaluated again: corrected figures, losses, the report; refusals."""

import json
from pathlib import Path

import numpy as np
import pytest

from qd.cli.main import main
from qd.report import headline
from qd.report.page import contents
from qd.report.reevaluate import reevaluate
from qd.store import archive_file
from qd.support import read_files, run_files

DOMAIN = '''
"""A bowl of two numbers with noise."""
import numpy as np
from qd import Evaluation, keys
from dataclasses import dataclass

@dataclass(frozen=True)
class Bowl:
    noise: float = 1.0
    lm: object = None
    pure: bool = False
    objective_range: tuple = (-3.0, 1.0)

    def sample(self, key, n):
        return keys.uniform(key, (n, 2), -1, 1)

    def evaluate(self, each, solutions):
        noise = np.array([keys.normal(key, (3,)) for key in each])
        objective = self.noise * noise[:, 0] - (solutions ** 2).sum(1)
        place = solutions + 0.1 * self.noise * noise[:, 1:]
        return Evaluation(np.where(solutions[:, 0] > 0.9, np.nan, objective), {"xy": place})
'''
CHOICE = """# @package _global_
# A noisy bowl.
domain: {_target_: noisy_bowl.Bowl, noise: 1.0, lm: null}
domain_defaults: {feature: xy, bounds: [[-1, 1], [-1, 1]], reads: [xy], dims: [6, 6]}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("noisy")
    (folder / "noisy_bowl.py").write_text(DOMAIN)
    (folder / "conf/domain").mkdir(parents=True)
    (folder / "conf/domain/noisy_bowl.yaml").write_text(CHOICE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CONFIG_HOME", str(folder / "home"))
        patch.syspath_prepend(str(folder))
        words = ["run", "domain=noisy_bowl", "domain_defaults.batch_size=64", "budget=600", "console=off"]
        assert main(words) == 0
        yield folder


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    (path,) = place.glob("runs/noisy_bowl/*")
    return path


def test_the_corrected_figures_are_without_luck(run: Path, capsys):
    assert main(["reevaluate", str(run), "--times", "64"]) == 0
    said = capsys.readouterr().out
    result, stored = read_files.json_object(run / run_files.REEVALUATED, ""), archive_file.load(run)
    elites = result["elites"]
    assert elites["id"] == stored.columns["id"].tolist() and result["times"] == 64
    truth = -(stored.columns["solution"] ** 2).sum(1)
    assert np.abs(np.array(elites["objective"]) - truth).max() < 0.6
    np.testing.assert_allclose(np.array(elites["loss"]) + elites["objective"], stored.columns["objective"], rtol=1e-5)
    assert np.mean(elites["loss"]) > 0.7 and 0.7 < np.mean(elites["spread"]) < 1.3
    before, after = result["archived"], result["corrected"]
    final = json.loads((run / "result.json").read_text())["metrics"]
    assert before["qd_score"] == pytest.approx(final["qd_score"]) and before["coverage"] == pytest.approx(final["coverage"])
    assert after["qd_score"] < before["qd_score"] and after["coverage"] <= before["coverage"]
    assert "each evaluated 64 times more" in said and "an elite loses" in said
    assert reevaluate(run, 64) == result  # the same keys


def test_a_domain_that_names_a_service_is_built_with_it(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(place)
    words = ["domain=noisy_bowl", "domain.noise=0", "lm=toy", "domain.lm=@lm", "name=with_lm"]
    assert main(["run", *words, "domain_defaults.batch_size=16", "budget=32", "initial=16", "renderings=0", "console=off"]) == 0
    (path,) = place.glob("runs/with_lm/*")
    result = reevaluate(path, 2)
    assert result["corrected"] == result["archived"]  # without noise nothing changes


def test_the_report_has_them(run: Path):
    reevaluate(run, 4)
    result = json.loads((run / run_files.REEVALUATED).read_text())
    figures = {figure.title: figure.value for figure in headline.figures(run)}
    assert figures["QD score, elites evaluated again"] == pytest.approx(result["corrected"]["qd_score"])
    page = contents.collect(run)
    assert "evaluated again: loss" in page.facts["features"]
    losses = dict(zip(result["elites"]["id"], result["elites"]["loss"], strict=True))
    shown = dict(zip(page.arrays["id"].tolist(), page.arrays["feature evaluated again: loss"].tolist(), strict=True))
    assert shown == pytest.approx(losses, rel=1e-5)


def test_what_it_cannot_do_it_says(run: Path, tmp_path: Path, capsys):
    assert main(["reevaluate", str(run), "--times", "0"]) == 1
    assert "type --times 32" in capsys.readouterr().err
    assert main(["reevaluate", str(tmp_path / "nowhere")]) == 1
    (run / run_files.REEVALUATED).write_text('{"elites": {"id": [1], "objective": 3, "loss": [null]}, "corrected": 7}')
    assert len(contents.collect(run).arrays["id"]) > 10  # a damaged file takes nothing down
    assert not [figure for figure in headline.figures(run) if "again" in figure.title]


def test_a_foreign_run_is_not_built(run: Path, capsys):
    signature = run / run_files.SIGNATURE
    kept = signature.read_text()
    signature.unlink()
    config = (run / "config.yaml").read_text()
    about = json.loads((run / "archive.json").read_text())
    try:
        about["config"]["domain"]["_target_"] = "os.system"
        archive = run / run_files.ARCHIVE_HEADER
        before = archive.read_text()
        archive.write_bytes(archive_file.encode_header({k: v for k, v in about.items() if k != "header_sha256"}))
        assert main(["reevaluate", str(run)]) == 1
        assert "os.system" in capsys.readouterr().err
    finally:
        archive.write_text(before)
        signature.write_text(kept)
        assert (run / "config.yaml").read_text() == config
