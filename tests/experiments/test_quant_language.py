"""What the study of published ways compares, on figures that are made up."""

from pathlib import Path

import pytest

from experiments.quant import language
from qd.report.table import Runs


def test_each_way_is_beside_plain_rounding_at_each_number_of_bits():
    several = language.configs()
    assert len(several) == 4 * (10 + 2 * 6 + 3) + 2 + 8  # ways at 2, 3, 4, 8 bits; fp6 beside 6 bits; whole networks
    cases = {case for case, _ in several}
    assert {f"{kind}, {bits} bits" for kind in language.KINDS for bits in (2, 3, 4, 8)} < cases
    assert all((case, "plain") in several for case in cases - {"whole"})
    for ends in language.COMPARED.values():
        assert set(ends) < set(several)


def test_what_is_saved_is_above_0(tmp_path: Path):
    runs = Runs(tmp_path / "runs.jsonl")
    for case, method in language.configs():
        for seed in range(5):
            saved = {"smoothing": 0.1 + 0.001 * (seed - 2), "rotation": 0.01 * (seed - 2), "by token": 0.001 * (seed - 2)}
            value = 2.0 + 0.01 * seed + 0.2 * case.startswith("inputs, 4") - saved.get(method, 0)
            runs.add(case, method, seed, {"bits_per_byte": value})
    rows = {(row.case, row.method): row for row in language.rows(runs) if " - " in row.method}
    smooth, turned = (rows["inputs, 4 bits", f"plain - {name}"] for name in ("smoothing", "rotation"))
    assert smooth.value == pytest.approx(0.1) and smooth.p < 0.05 and turned.low < 0 < turned.high
    assert rows["keys and values at 4 bits, inputs at 4 bits", "by token - plain"].value == pytest.approx(0.2)
