"""Codes beside known ones and beside an enumeration of all Paulis; logical error rates; what is refused."""

from itertools import product

import numpy as np
import pytest

from domains.codes import graph, logical_errors
from domains.codes.columns import LogicalErrors
from domains.codes.domain import StabilizerCodes
from domains.codes.words import BestWords
from qd import keys
from qd.emitters import Mixed

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


def perfect() -> tuple[list[str], list[tuple[str, str]]]:
    """Checks and logical operators of [[5,1,3]]."""
    domain, x = StabilizerCodes(5), genes(5, RING, [range(5)], 2)[None]
    return domain.checks(x)[0], domain.operators(x)[0]


NOISE = 0.02


def errors() -> list[tuple[float, tuple, tuple]]:
    """All 4^5 errors: probability, syndrome, and which of the logical X and Z they flip."""
    checks, (pair,) = perfect()
    found = []
    for word in map("".join, product("IXYZ", repeat=5)):
        weight = 5 - word.count("I")
        chance = (NOISE / 3) ** weight * (1 - NOISE) ** (5 - weight)
        flipped = [tuple(not commute(word, other) for other in some) for some in (checks, pair)]
        found.append((chance, *flipped))
    return found


def test_the_exact_logical_error_rate_is_that_of_a_table_of_least_weights():
    """A perfect code: each syndrome belongs to one error of weight 0 or 1, which the best decoder takes."""
    everyone = errors()
    table = {syndrome: flips for chance, syndrome, flips in sorted(everyone, reverse=True)[15::-1]}  # the 16 likeliest
    assert len(table) == 16
    fails = sum(chance for chance, syndrome, flips in everyone if table[syndrome] != flips)
    two = 1 - (1 - NOISE) ** 5 - 5 * NOISE * (1 - NOISE) ** 4
    assert abs(logical_errors.exact(*perfect(), NOISE) - fails) < 1e-12 and 0.99 * two < fails < two


@pytest.mark.parametrize(("decoder", "misread"), [("table", 0), ("bposd", 0), ("matching", 3)])
def test_logical_error_rates_of_the_perfect_code(decoder, misread):
    """How many of the 15 single errors a decoder takes for others explains its rate."""
    pytest.importorskip("stim", reason="needs the extra 'codes'")
    package = {"bposd": "ldpc", "matching": "pymatching", "table": "stim"}[decoder]
    pytest.importorskip(package, reason="needs the extra 'codes'")
    two = logical_errors.exact(*perfect(), NOISE)
    expected = two + misread * NOISE / 3 * (1 - NOISE) ** 4
    found = logical_errors.rate(*perfect(), NOISE, 40_000, decoder=decoder)
    assert abs(found - expected) < 4 * np.sqrt(expected / 40_000)


def test_exact_rates_of_a_code_that_detects_and_of_none():
    assert logical_errors.exact(["XXXX", "ZZZZ"], [("XXII", "ZIZI"), ("XIXI", "ZZII")], 0.0) == 0
    assert abs(logical_errors.exact([], [("X", "Z")], 0.3) - 0.3) < 1e-12  # a bare qubit fails where it has an error
    with pytest.raises(ValueError, match="noise=2 is no probability"):
        logical_errors.exact(["ZZ"], [("XX", "ZI")], 2)
    with pytest.raises(ValueError, match="13 qubits have 4.13 errors"):
        logical_errors.exact(["Z" * 13], [("X" * 13, "Z" + "I" * 12)], 0.1)


def test_export_adds_the_exact_rate():
    domain = StabilizerCodes(5)
    x = np.stack([genes(5, RING, [range(5)], 2), genes(5, RING, [], 2)])
    columns = {"solution": x} | {name: np.asarray(c) for name, c in domain.evaluate(None, x).features.items()}
    added = LogicalErrors(NOISE).each(columns)
    rates = added["logical_error"]
    assert rates[0] == logical_errors.exact(*perfect(), NOISE) and np.isnan(rates[1])
    assert LogicalErrors(NOISE).whole(columns | added) == {"logical_error_least_k1": rates[0]}
    with pytest.raises(ValueError, match="none of domain=codes"):
        LogicalErrors().each({"solution": x})


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


@pytest.mark.ci
def test_the_best_words_of_the_ring_make_the_perfect_code():
    """Exhaustively: no other words of that graph do better, and those that are chosen do as well."""
    domain = StabilizerCodes(5, 1)
    edges = genes(5, RING, [], 1)[:10]
    everyone = np.array([[*edges, *(word >> i & 1 for i in range(5))] for word in range(1, 32)], np.float32)
    most = np.asarray(domain.evaluate(None, everyone).features["distance"]).max()
    vary = BestWords(Mixed(domain.space, rate=0.0, cross=0.0), 5, 1, share=1.0)
    children = vary(keys.new(0), np.repeat(everyone[:8, None], 2, 1))
    features = domain.evaluate(None, children).features
    ring = (children[:, :10] == edges).all(1)
    assert most == 3 and ring.any() and (np.asarray(features["distance"])[ring] == 3).all()


@pytest.mark.ci
def test_words_fit_their_graph_as_well_as_any_and_are_independent():
    domain = StabilizerCodes(4, 2)
    parents = np.repeat(domain.sample(keys.new(2), 12)[:, None], 2, 1)
    children = BestWords(Mixed(domain.space), 4, 2, share=1.0)(keys.new(0), parents)
    features = domain.evaluate(None, children).features
    some = np.arange(2**8)[:, None] >> np.arange(8) & 1
    for child, k, distance in zip(children, *(np.asarray(features[name]) for name in ("logical", "distance")), strict=True):
        others = domain.evaluate(None, np.concatenate([np.repeat(child[None, :6], 256, 0), some], 1)).features
        same = np.asarray(others["logical"]) == k
        pure = np.asarray(others["distance"])[same].max()
        assert k in (1, 2) and distance >= min(pure, 2) - (k == 2)  # words are taken one by one; degenerate codes are missed
    assert BestWords(Mixed(domain.space), 4, 2, share=0.0)(keys.new(0), parents).shape == (12, 14)


def test_words_of_a_share_that_cannot_be():
    with pytest.raises(ValueError, match="share=2 is no share"):
        BestWords(None, 5, 1, share=2)
    with pytest.raises(ValueError, match="reach=9 is no weight"):
        BestWords(None, 5, 1, reach=9)
