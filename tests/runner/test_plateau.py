"""stop=plateau: where a run ends, and that it ends there again however it was cut."""

import json
from pathlib import Path

import numpy as np
import pytest

from qd.config import compose
from qd.config.settings import to_config
from qd.runner.run import run
from qd.runner.stopping import Watch
from qd.store import archive_file
from tests.support.runs import Cut, QuietRun

SMALL = [
    "domain.joints=3",
    "archive.dims=[5,5]",
    "domain_defaults.batch_size=20",
    "initial=20",
    "log_every=100",
    "save_every=300",
]
PLATEAU = [*SMALL, "stop=plateau", "plateau.over=800", "plateau.share=0.02", "budget=20000", "renderings=0"]
pytestmark = pytest.mark.usefixtures("own_key")


def run_plateau(path: Path, *overrides: str, console=None, stop=None) -> dict:
    settings = compose.load([*PLATEAU, *overrides])
    return run(settings, compose.assemble(settings), path, console or QuietRun(), stop)


def columns(path: Path) -> dict:
    return archive_file.load(path).columns


@pytest.mark.ci
def test_a_run_ends_where_nothing_rises_and_ends_there_again(tmp_path):
    quiet = QuietRun()
    whole = run_plateau(tmp_path / "whole", console=quiet)
    assert whole["status"] == "finished" and whole["ended"] == "plateau" and 820 < whole["evaluations"] < 20000
    assert any("neither coverage nor QD score rose by 2 % over 800 evaluations" in line for line in quiet.said)
    assert json.loads((tmp_path / "whole/result.json").read_text())["ended"] == "plateau"
    assert run_plateau(tmp_path / "whole")["status"] == run_plateau(tmp_path / "whole", "budget=90000")["status"] == "skipped"

    cuts = 0
    while (result := run_plateau(tmp_path / "cut", stop=Cut(7)))["status"] == "stopped":
        cuts += 1
    assert cuts >= 3 and result["evaluations"] == whole["evaluations"]
    for name, column in columns(tmp_path / "whole").items():
        np.testing.assert_array_equal(columns(tmp_path / "cut")[name], column)


def test_without_it_the_budget_decides(tmp_path):
    settings = compose.load([*SMALL, "budget=1500", "renderings=0"])
    assert not {"stop", "plateau"} & to_config(settings).keys()
    result = run(settings, compose.assemble(settings), tmp_path / "run", QuietRun())
    assert result["evaluations"] >= 1500 and result["ended"] == "budget"


def test_the_rule():
    def is_reached(*rows, share=0.1, over=100, since=0):
        return Watch(share, over, list(rows)).is_reached(since)

    assert not is_reached()
    assert not is_reached((50, 10, 10))
    assert not is_reached((50, 10, 10), (149, 10, 10))  # not yet long enough
    assert is_reached((50, 10, 10), (150, 11, 11))  # 10 % is not more than 10 %
    assert not is_reached((50, 10, 10), (150, 11.1, 10)) and not is_reached((50, 10, 10), (150, 10, 11.1))
    assert not is_reached((50, 10, -10), (150, 10, -8.9)) and is_reached((50, 10, -10), (150, 10, -9.1))
    assert not is_reached((50, 0, 0), (150, 1, 0))
    nan = float("nan")
    assert is_reached((50, 10, nan), (150, 10, nan)) and not is_reached((50, 10, nan), (150, 12, nan))
    assert not is_reached((50, 10, 10), (150, 10, 10), since=50)  # from before the refit
    assert is_reached((50, 90, 90), (60, 10, 10), (160, 10, 10), since=50)
    assert is_reached((50, 1, 1), (60, 10, 10), (100, 10, 10), (160, 10, 10))  # the last that is long enough ago counts
    assert not Watch(None, 0, [(1, 1, 1), (9, 1, 1)]).is_reached(0)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["stop=platau"], "unknown stop=platau; type stop=plateau"),
        (["plateau.over=0"], "plateau.over=0 is impossible; type plateau.share=0.01"),
        (["plateau.share=-1"], "plateau.share=-1.0, plateau.over=800 is impossible; type plateau.share=0.01"),
        (["plateau.shre=1"], r"unknown setting 'plateau.shre'; type plateau.share"),
        (["~archive.dims", "archive=dns"], "has no cells; type archive=grid"),
    ],
)
def test_messages(tmp_path, overrides, message):
    overrides = [o for o in overrides if not o.startswith("~")]
    words = [o for o in PLATEAU if "archive" not in o] if "archive=dns" in overrides else PLATEAU
    with pytest.raises(ValueError, match=message):
        settings = compose.load([*words, *overrides])
        run(settings, compose.assemble(settings), tmp_path / "run", QuietRun())
