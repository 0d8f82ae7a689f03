"""The card of a run: it says what the run says, and hostile words stay words."""

import json
import re

import yaml

from qd.archives import Grid
from qd.cli.main import main
from qd.report import card
from qd.report.page import contents
from qd.store import archive_file
from tests.support.stored_runs import hostile_run, stored_run


def test_the_card_holds_figures_metrics_and_settings(tmp_path, capsys):
    stored_run(tmp_path, Grid((6, 6)))
    assert main(["export", str(tmp_path), "--card"]) == 0
    text = (tmp_path / "card/README.md").read_text()
    archive = archive_file.load(tmp_path)
    assert capsys.readouterr().out.strip() == str(tmp_path / "card/README.md")
    assert f"(grid of 6 x 6 cells) of {len(archive.columns['id'])} solutions" in text
    assert "| coverage | 6 % |" in text and "| best objective | 8.5 |" in text
    assert yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]) == archive.about["config"]
    for name in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text):
        assert (tmp_path / "card" / name).read_bytes().startswith(b"\x89PNG")


def test_the_card_and_the_page_of_a_run_hold_its_held_out_figures(tmp_path):
    stored_run(tmp_path, Grid((6, 6)))
    result = {"metrics": {"qd_score": 9.25, "qd_score_held_out": 7.5, "best_held_out": 8.0, "coverage_current": None}}
    (tmp_path / "result.json").write_text(json.dumps(result))
    text = card.write(tmp_path).read_text()
    assert "| QD score | 9.25 |" in text and "| QD score, held-out data | 7.5 |" in text and "| coverage | 6 % |" in text
    assert "| best objective, held-out data | 8 |" in text and "referee" not in text
    shown = contents.collect(tmp_path).facts["figures"]
    assert ["QD score, held-out data", 7.5, ""] in shown and ["coverage", 6.0, " %"] in shown


def test_hostile_words_stand_only_in_a_block_or_escaped(tmp_path):
    hostile_run(tmp_path)
    text = card.write(tmp_path, tmp_path / "out").read_text()
    outside = re.sub(r"^(`{3,})yaml\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)<", outside)


def test_a_folder_that_is_no_run_has_no_card(tmp_path, capsys):
    assert main(["export", str(tmp_path), "--card"]) == 1
    assert "is no folder of a run" in capsys.readouterr().err
