"""A finished run is told by data that no search saw, where its domain has such: the column, the figures, the words."""

import json
from pathlib import Path

import numpy as np
import pytest

from domains.quant.domain import Quant
from domains.quant.tradeoffs import Tradeoffs
from qd import held_out, keys
from qd.cli.main import main
from qd.store import archive_file

RUN = ["run", "domain=quant", "domain.images=40", "budget=24", "initial=16", "console=plain"]


def test_a_run_tells_what_it_chose_by_other_data(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RUN) == 0
    (run,) = (path.parent for path in own_folder.glob("runs/**/result.json"))
    stored, told = archive_file.load(run), json.loads((run / "result.json").read_text())["metrics"]
    searched, again = stored.columns["objective"], stored.columns["held_out"]
    twin = Quant("digits", images=40).held_out
    assert twin is not None and twin.split == "test" and twin.judges == 300 and twin.held_out is None
    expected = twin.evaluate(keys.split(keys.new(0), len(again)), stored.columns["solution"]).objective
    np.testing.assert_array_equal(again, expected)
    assert told["best_held_out"] == again[searched.argmax()] and told["best"] == searched.max()
    assert told["qd_score_held_out"] == pytest.approx(float(again.sum()) / 144) != told["qd_score"]
    said = capsys.readouterr().out
    assert f"QD score {told['qd_score_held_out']:.2f}" in said and f"they were QD score {told['qd_score']:.2f}" in said
    assert main(["query", str(run), "held_out>=0"]) == 0 and "held_out" in capsys.readouterr().out
    (run / "archive.npz").unlink()
    assert main(RUN) == 0 and "rebuilt from the checkpoint" in capsys.readouterr().out
    np.testing.assert_array_equal(archive_file.load(run).columns["held_out"], again)


def test_a_domain_without_such_data_has_no_such_figures() -> None:
    assert held_out.evaluate(object(), [0], 0) == ({}, {})  # type: ignore[arg-type]


def test_fronts_are_judged_by_several_objectives(own_folder: Path) -> None:
    pytest.importorskip("moocore", reason="needs the extra objectives")
    words = ["recipe=quant_fronts", "domain.images=40", "budget=48", "initial=24", "console=plain", "renderings=0"]
    assert main(["run", *words]) == 0
    (run,) = (path.parent for path in own_folder.glob("runs/**/result.json"))
    columns, scores = archive_file.load(run).columns, json.loads((run / "result.json").read_text())["metrics"]
    goals = columns["held_out_objectives"]
    assert goals.shape == columns["objectives"].shape == (len(columns["id"]), 3)
    assert np.array_equal(goals[:, 1:], columns["objectives"][:, 1:])  # size and latency need no images
    low, high = np.array(Tradeoffs("digits", images=40).objective_range).T
    np.testing.assert_allclose(columns["held_out"], ((goals - low) / (high - low)).clip(0).prod(axis=1), atol=1e-5)
    assert 0 < scores["qd_score_held_out"] < 100 and scores["qd_score_held_out"] != scores["qd_score"]
