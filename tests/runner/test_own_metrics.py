"""`metrics=`: functions of (state, batch) that become columns; what they may not do."""

from pathlib import Path

import numpy as np
import pytest

from qd.cli.main import main
from qd.config.compose import load
from qd.config.existing import settings_of
from qd.report.stored_run import load_run

HERE = "tests.support.own_metrics"
SMALL = ["domain=arm", "initial=50", "emitter.batch_size=50", "archive.dims=[8,8]", "log_every=100", "console=off", "name=own"]


def metric(*names: str) -> str:
    nodes = ",".join(f"{name}:{{_target_:{HERE}.{name}}}" for name in names)
    return f"metrics={{{nodes}}}"


def folder(root: str) -> Path:
    return next(Path(root).glob("own/*/result.json")).parent


@pytest.mark.parametrize("driver", ["host", "fused"])
def test_numbers_are_columns_of_every_row_as_the_archive_stands_then(own_folder, driver):
    nodes = f"spread:{{_target_:{HERE}.spread}},above:{{_target_:{HERE}.Above,threshold:50}},rows:{{_target_:{HERE}.rows}}"
    above = f"metrics={{{nodes}}}"
    assert main(["run", *SMALL, "budget=400", f"driver={driver}", above, "runs=a"]) == 0
    run = load_run(folder("a"))
    assert (run.metrics["spread"] > 0).all() and run.metrics["above"].between(0, 1).all()
    objective = run.elites["objective"].to_numpy()
    assert run.metrics["spread"].iloc[-1] == pytest.approx(np.ptp(objective), rel=1e-6)
    assert run.metrics["above"].iloc[-1] == pytest.approx((objective > 50).mean())
    assert run.metrics["spread"].nunique() > 1  # each row is of its own moment


def test_a_run_that_goes_on_has_the_same_numbers(own_folder):
    for root, budgets in (("once", [600]), ("twice", [300, 600])):
        for budget in budgets:
            assert main(["run", *SMALL, f"budget={budget}", metric("spread", "rows"), f"runs={root}"]) == 0
    once, twice = (load_run(folder(root)).metrics for root in ("once", "twice"))
    assert once["spread"].tolist() == twice["spread"].tolist() and once["rows"].tolist() == twice["rows"].tolist()


def test_nan_is_an_empty_cell(own_folder):
    assert main(["run", *SMALL, "budget=200", metric("undefined"), "runs=a"]) == 0
    assert load_run(folder("a")).metrics["undefined"].isna().all()
    assert (folder("a") / "metrics.csv").read_text().splitlines()[1].endswith(",")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (metric("faulty"), "metrics.faulty (faulty) raised KeyError: 'a key' after"),
        (metric("words"), "metrics.words (words) returned many, which is no number"),
        (metric("lonely"), f"metrics.lonely: {HERE}.lonely does not take (state, batch)"),
        (metric("unheard_of"), "metrics.unheard_of"),
        (f"metrics={{best:{{_target_:{HERE}.spread}}}}", "metrics.best has the name of another column"),
        (f"metrics={{spread:{{_target_:{HERE}.spread,size:3}}}}", "takes no settings here"),
        ("metrics={spread:3}", "metrics.spread=3 has no _target_"),
        ("metrics=spread", "metrics=spread names no functions"),
    ],
)
def test_what_cannot_be_is_refused_by_name(own_folder, capsys, words, message):
    assert main(["run", *SMALL, "budget=200", words]) == 1
    assert message in capsys.readouterr().err


def test_a_metric_of_a_foreign_folder_is_not_built(own_folder):
    assert main(["run", *SMALL, "budget=200", metric("spread"), "runs=a"]) == 0
    run = folder("a")
    assert settings_of([str(run)])[0].metrics == {"spread": {"_target_": f"{HERE}.spread"}}
    (run / ".signature").unlink()
    with pytest.raises(ValueError, match=r"would build .*metrics\.spread\._target_=tests\.support\.own_metrics\.spread"):
        settings_of([str(run)])


def test_a_run_without_metrics_has_the_config_that_it_had():
    from qd.config.settings import to_config

    assert "metrics" not in to_config(load(["domain=arm"]))
