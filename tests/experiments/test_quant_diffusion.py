"""The studies of the diffusion transformer: what they compare, and a map of it from few evaluations."""

from pathlib import Path

import numpy as np
import pytest

from domains.quant import generated
from experiments.quant import diffusion, diffusion_map, rivals
from qd.report.table import Runs
from qd.support.errors import UserError


def test_each_way_is_beside_plain_rounding_at_each_number_of_bits() -> None:
    cases = diffusion.all_cases(diffusion.BUDGETS["first"])
    assert {
        f"{kind}, {bits} bit" for kind in ("inputs", "weights", "both", "attention", "trust") for bits in (2, 3, 4, 8)
    } < set(cases)
    for bits in (2, 3, 4, 8):
        pairs = diffusion.methods(bits)
        assert all((kind, "plain") in pairs for kind in {kind for kind, _ in pairs} - {"two groups"})
        assert ("codebook trained", diffusion.LOW_RANK) in pairs and len(pairs) == len(set(pairs))
    with pytest.raises(UserError, match="seed=1"):
        diffusion.main("first", network="none.npz", out="none")


def test_distances_are_scaled_for_the_map() -> None:
    scaled = diffusion_map.Scaled("diffusion", "denoising_bits", 20, steps=5)
    assert scaled.objective_range == (0.0, 100.0) and len(scaled.space) == 88
    distances = np.array([-2.0, -45.0, 0.0])
    scored = diffusion_map.scaled({"accuracy": distances, "snr": distances})
    np.testing.assert_allclose(scored["accuracy"], [100 * (1 - 2 / generated.WORST_DISTANCE), 0, 100], rtol=1e-6)
    assert scored["snr"] is distances


def test_the_solver_is_compared_with_each_other_method(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs.jsonl")
    for seed in range(5):
        for method in diffusion_map.METHODS:
            ahead = 10 if method == "ILP emitter" else 0
            runs.add("200 evaluations", method, seed, dict.fromkeys(diffusion_map.METRICS, 20 + ahead + 0.1 * seed))
    rows = {row.method: row for row in diffusion_map.rows(runs) if " - " in row.method}
    assert set(rows) == {f"ILP emitter - {name}" for name in diffusion_map.METHODS if name != "ILP emitter"}
    assert rows["ILP emitter - NSGA-II seeded"].value == pytest.approx(10)


@pytest.mark.slow
def test_nsga_begins_with_the_optima_of_this_domains_tables() -> None:
    domain = diffusion_map.Scaled("diffusion", "denoising_bits", 20, steps=5)
    of = rivals.Problem(domain, domain)
    begin = rivals.ilp_front(of, 12, 0)
    assert 0 < len(begin) <= 12 and (begin < np.array(domain.space)).all()
    np.testing.assert_array_equal(diffusion_map.METHODS["NSGA-II seeded"](of, 12, 0)[:6], rivals.seeds(of, 12))
