"""The comparison at equal calls: every method starts alike and ends at as many calls; what is there is not run again."""

import json
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from experiments import command
from experiments.qdaif import copies, held_out, study
from experiments.qdaif.held_out import TICKS, AnchorAxis, Ruler
from experiments.qdaif.scores import narrower, score_curve, score_text_log
from qd.report import table
from qd.support.errors import UserError
from tests.support.hashed import Hashed


@pytest.fixture
def hashed_ruler(monkeypatch) -> Ruler:
    """A held-out judge that needs no weights."""
    ruler = Ruler(Hashed(), (AnchorAxis(("hate",), ("love",)),), TICKS["opinions"], (("rain",), ("vegetables",)))
    monkeypatch.setattr(study, "ruler", lambda case: ruler)
    return ruler


def test_variants_that_reject_copies_begin_with_the_same_texts_and_have_rivals_that_reject_them_too(
    tmp_path, monkeypatch, hashed_ruler
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(copies, "ruler", lambda case: hashed_ruler)
    copies.main("quick", iterations=4, seeds=1, methods=("QDAIF", "QDAIF, no copies"), out=str(tmp_path))
    logs = sorted(Path(tmp_path, "texts").iterdir())
    starts = {tuple(line["text"] for line in map(json.loads, log.read_text().splitlines()[:12])) for log in logs}
    assert len(logs) == 2 and len(starts) == 1
    runs = table.Runs(tmp_path / "runs.jsonl")
    for name in copies.METHODS:
        runs.records["opinions", name, 0] = {"qd_score": 2.0 if "no copies" in name else 1.0}
    compared = {row.method: row.value for row in study.rows(runs) if row.case == "opinions" and " - " in row.method}
    assert compared["QDAIF - QDAIF, no copies"] == -1 and compared["QDAIF, no copies - fixed few-shot, no copies"] == 0


def test_methods_make_equal_calls_from_the_same_start(tmp_path, monkeypatch, hashed_ruler, capsys):
    monkeypatch.chdir(tmp_path)
    methods = ("QDAIF", "best of 4", "ROUGE-L")
    study.main("quick", iterations=4, seeds=1, methods=methods, out=str(tmp_path))
    runs = table.Runs(tmp_path / "runs.jsonl")
    assert len(runs.records) == 3
    starts = set()
    for (_, method, _), metrics in runs.records.items():
        total = metrics["writer_calls"] + metrics["judge_calls"]
        assert 12 <= total < 12 + 10, method  # 4 x (1 + 2), and what the last generation makes beyond it
        assert np.isfinite(metrics["held_qd_score"]) and 0 <= metrics["held_coverage"] <= 100 and metrics["failed"] == 0
        file = Path(tmp_path, "texts", f"opinions-4_iterations-{method}-0.jsonl".replace(" ", "_"))
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        starts.add(tuple(line["text"] for line in lines[:12]))
        calls, values = score_curve(lines, TICKS["opinions"])
        assert 0 < metrics["start_qd_score"] <= metrics["qd_score"]
        assert metrics["finer_qd_score"] > 0 and 0 <= metrics["copied"] <= 100
        assert values[-1] == pytest.approx(metrics["qd_score"], abs=0.01) and calls[-1] == total
    assert len(starts) == 1
    names = {(row.method, row.metric) for row in table.read(tmp_path / "table.csv")}
    assert ("QDAIF - best of 4", "held_qd_score") in names and ("QDAIF", "qd_score") in names
    before = (tmp_path / "runs.jsonl").read_bytes()
    monkeypatch.setattr(study, "play", lambda *args: pytest.fail("run twice"))
    study.main("quick", iterations=4, seeds=1, methods=methods, out=str(tmp_path))
    assert (tmp_path / "runs.jsonl").read_bytes() == before and list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("case", study.CASES)
def test_cells_are_those_of_the_domain(case):
    settings = OmegaConf.load(Path(study.__file__).parents[2] / "conf" / "domain" / f"{case}.yaml")
    assert OmegaConf.to_container(settings["domain_defaults"]["ticks"]) == [list(each) for each in TICKS[case]]


def test_copies_and_narrower_cells_are_counted():
    assert narrower((0.2, 0.5, 0.8), 2) == pytest.approx((0.2, 1 / 3, 0.5, 2 / 3, 0.8))
    texts = ("a b c d e", "f g h i j", "a b c d e", "a b c d x", "k l m n o")
    lines = [
        {"text": text, "quality": 0.5, "kind": [p], "calls": i}
        for i, (text, p) in enumerate(zip(texts, (0.1, 0.6, 0.1, 0.4, 0.3), strict=True))
    ]
    scores = score_text_log(lines, ((0.2, 0.8),), 2)
    assert scores["copied"] == pytest.approx(200 / 3)  # word for word, and four of five words; not the last
    assert scores["start_qd_score"] == pytest.approx(100 * 1 / 3)  # two of three cells, half as good as can be
    assert scores["finer_qd_score"] == pytest.approx(100 * 4 * 0.5 / 6)  # .1 | .2 .33 | .33 .5 | .5 .67 | .67 .8 |


def test_unknown_words_are_refused():
    for word, problem in (("budget=huge", "unknown budget 'huge'"), ("methods=QDIAF", "unknown method 'QDIAF'"),
                          ("cases=odes", "unknown case 'odes'")):  # fmt: skip
        with pytest.raises(UserError, match=problem):
            command.parse(command.find("qdaif"), [word])


def test_a_held_out_judge_without_weights_is_left_out_by_name(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    held_out.ruler.cache_clear()
    monkeypatch.setattr(held_out.MiniLM, "__call__", _missing)
    assert held_out.ruler("opinions") is None
    assert "the held-out judge is left out: type qd fetch minilm" in capsys.readouterr().out
    held_out.ruler.cache_clear()


def _missing(self, texts):
    raise ValueError("type qd fetch minilm")


def test_a_ruler_fills_cells_by_its_own_axis(hashed_ruler):
    fill = hashed_ruler.fill(["love love", "hate hate", "hate", "vegetables"])
    assert len(fill) == 3 and min(fill)[0] == 0 and max(fill)[0] == 9
    assert hashed_ruler.fill([]) == {} and hashed_ruler.qd_score([], 10) == 0
