"""The kept table of the first map holds what is promised of a start."""

import csv
from pathlib import Path

import pytest

TABLE = Path(__file__).resolve().parents[2] / "experiments/results/first_map/table.csv"
BOUNDS = {  # case, ratio, metric -> the most that it may be
    ("arm, second start", "qd run / pyribs", "ratio wall_s"): 0.75,
    ("arm, first start", "qd run / pyribs", "ratio wall_s"): 1.0,
    ("arm, second start", "qd run / before", "ratio wall_s"): 0.47,
    ("arm, second start", "qd run / pyribs", "ratio peak_mb"): 1.2,
    ("arm, first start", "qd run / pyribs", "ratio peak_mb"): 1.5,
    ("cvt, second start", "qd run / pyribs", "ratio wall_s"): 0.6,
    ("cma_me, second start", "qd run / pyribs", "ratio wall_s"): 0.5,
    ("arm, 20 seeds", "qd run / pyribs", "ratio cpu_s"): 0.15,
    ("arm, 6 runs", "sweep / six commands", "ratio cpu_s"): 0.5,
    ("arm, second start, on a terminal", "qd run", "first_sign_s"): 0.3,
}


@pytest.mark.parametrize("row", BOUNDS)
def test_the_interval_of_a_kept_ratio_is_within_its_bound(row):
    with TABLE.open(encoding="utf-8") as file:
        kept = {(line["case"], line["method"], line["metric"]): line for line in csv.DictReader(file)}
    assert int(kept[row]["n"]) >= 5 and float(kept[row]["high"]) <= BOUNDS[row]
