"""Codes beside known ones and beside an enumeration of all Paulis; logical error rates; what is refused."""

from itertools import product

import numpy as np
import pytest

from domains.codes import graph, logical_errors
from domains.codes.domain import StabilizerCodes
from qd import keys

RING = [(i, (i + 1) % 5) for i in range(5)]


def genes(n: int, edges: list, words: list, most: int) -> np.ndarray:
    """Solutions from edges and from the qubits of each word."""
    matrix = np.zeros((n, n), np.float32)
    for i, j in edges:
        matrix[min(i, j), max(i, j)] = 1
    bits = np.zeros((n, most), np.float32)
    for j, word in enumerate(words):
        bits[list(word), j] = 1
    return np.concatenate([matrix[np.triu_indices(n, 1)], bits.reshape(-1)])


def commute(a: str, b: str) -> bool:
    return sum(x != y and "I" not in (x, y) for x, y in zip(a, b, strict=True)) % 2 == 0


def by_enumeration(checks: list[str], n: int) -> tuple[int, int]:
    """(k, distance) by looking at every Pauli word; the group by multiplying generators."""
    times = {("I", c): c for c in "IXYZ"} | {(c, "I"): c for c in "IXYZ"} | {(c, c): "I" for c in "XYZ"}
    times |= {(a, b): ({"X", "Y", "Z"} - {a, b}).pop() for a, b in product("XYZ", repeat=2) if a != b}
    group = {"I" * n}
    for check in checks:
        group |= {"".join(times[pair] for pair in zip(word, check, strict=True)) for word in group}
    k = n - int(np.log2(len(group)))
    words = ["".join(word) for word in product("IXYZ", repeat=n)]
    outside = [w for w in words if all(commute(w, check) for check in checks) and (w not in group or (k == 0 and w != "I" * n))]
    return k, min(n - word.count("I") for word in outside)


def test_the_ring_of_five_with_all_ones_is_the_perfect_code():
    x = genes(5, RING, [range(5)], 2)[None]
    domain = StabilizerCodes(5)
    evaluation = domain.evaluate(None, x)
    figures = {name: float(column[0]) for name, column in evaluation.features.items() if column.ndim == 1}
    assert figures == {"distance": 3, "logical": 1, "total": 16, "largest": 4, "rate": pytest.approx(0.2)}
    assert 2 < evaluation.objective[0] < 3 == StabilizerCodes(5, tie_break=False).evaluate(None, x).objective[0]
    assert by_enumeration(domain.checks(x)[0], 5) == (1, 3)


def test_figures_equal_an_enumeration_of_all_paulis():
    domain = StabilizerCodes(4, 2)
    x = domain.sample(keys.new(0), 30)
    features = domain.evaluate(None, x).features
    for i, checks in enumerate(domain.checks(x)):
        assert all(commute(a, b) for a, b in product(checks, repeat=2))
        k, distance = by_enumeration(checks, 4)
        assert (features["logical"][i], features["distance"][i]) == (k, distance) and len(checks) == 4 - k
        assert features["total"][i] == sum(4 - word.count("I") for word in checks)
        assert features["largest"][i] == max(4 - word.count("I") for word in checks)
    assert len(set(np.asarray(features["logical"]).tolist())) > 1


def test_logical_operators_anticommute_in_pairs_and_commute_with_checks():
    domain = StabilizerCodes(5, 2)
    x = domain.sample(keys.new(1), 12)
    for checks, operators in zip(domain.checks(x), domain.operators(x), strict=True):
        for i, pair in enumerate(operators):
            assert all(commute(operator, check) for operator in pair for check in checks)
            for j, other in enumerate(operators):
                assert [commute(a, b) for a in pair for b in other] == ([True, False, False, True] if i == j else [True] * 4)


def test_a_picture_has_an_edge_and_a_square_for_each():
    picture = StabilizerCodes(5).render(genes(5, RING, [range(5)], 2)[None])[0].data
    assert picture.count("<line") == 5 and picture.count("<rect") == 20


@pytest.mark.parametrize("decoder", logical_errors.DECODERS)
def test_logical_error_rates_of_the_perfect_code(decoder):
    """A code of distance 3 corrects one error: with 5 qubits at least two of them fail together."""
    pytest.importorskip("stim", reason="needs the extra 'codes'")
    pytest.importorskip({"bposd": "ldpc", "matching": "pymatching"}[decoder], reason="needs the extra 'codes'")
    domain, x = StabilizerCodes(5), genes(5, RING, [range(5)], 2)[None]
    noise = 0.02
    two = 1 - (1 - noise) ** 5 - 5 * noise * (1 - noise) ** 4
    found = logical_errors.rate(domain.checks(x)[0], domain.operators(x)[0], noise, 40_000, decoder=decoder)
    assert two / 2 < found < 0.1  # neither decoder is a good one of it: the best fails about as often as two errors happen


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"qubits": 40}, r"qubits=40: each code has 2\^42 operators to look at, 4.92e\+04 GiB; type 2 to 14"),
        ({"qubits": 1}, "type 2 to 14"),
        ({"qubits": 5, "logical": 5}, "logical=5 qubits in 5; type a number between 1 and 4"),
    ],
)
def test_codes_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        StabilizerCodes(**settings)


def test_an_unknown_decoder_is_refused():
    with pytest.raises(ValueError, match="unknown decoder 'bp'; type"):
        logical_errors.rate(["ZZ"], [("XX", "ZI")], 0.1, 10, decoder="bp")
    assert graph.letters(0b011, 0b110, 3) == "XYZ"
