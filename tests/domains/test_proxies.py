"""Expressions over statistics of layers: what they are worth is what scipy says of them computed one by one."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from domains.proxies import bench, handmade, structures, synthetic
from domains.proxies.domain import Proxies, pad_to_power_of_two
from domains.proxies.emq import DiversityPrompting, RandomExpressions
from domains.proxies.operations import BINARY, OPERATIONS, UNARY
from domains.proxies.record import NAMES, SOURCES, A, H, M, NetworkRecord, W
from domains.proxies.screening import ScreenedVariation, preview, select_passing
from domains.proxies.variation import Points, Subtrees
from qd import keys
from qd.archives import Grid, HostElites
from qd.search import start, step
from qd.types import FAILED, Search

RECORDS = synthetic.records(3, 60, 4)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("bench") / "made.npz"
    bench.write(file, RECORDS, "made up")
    return str(file)


def one(name: str, x: np.ndarray, y: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """An operation in NumPy on one network's table."""
    with np.errstate(all="ignore"):
        raised = np.exp(x - x.max())
        return {
            "x": x, "log": np.log(x), "abs": np.abs(x), "square": x * x, "sqrt": np.sqrt(x), "invert": 1 / x, "exp": np.exp(x),
            "negate": -x, "sigmoid": 1 / (1 + np.exp(-x)), "relu": np.maximum(x, 0), "log1p": np.log1p(np.abs(x)),
            "share": x / x.sum(), "scaled": (x - x.min()) / np.ptp(x) if np.ptp(x) else x * np.nan,
            "standard": (x - x.mean()) / x.std(), "softmax": raised / raised.sum(), "bits": x * bits,
            "+": x + y, "-": x - y, "*": x * y, "/": x / y, "max": np.maximum(x, y), "min": np.minimum(x, y),
        }[name]  # fmt: skip


def by_hand(form: structures.Structure, solution: np.ndarray, record: NetworkRecord) -> np.ndarray | None:
    """What an expression says of a network's configs; None where it broke."""
    read = form.read(solution[None])
    held = [np.broadcast_to(record.statistics[i], record.statistics[0].shape).astype(np.float32) for i in read.inputs[0]]
    for code, first, second in read.nodes[0]:
        made = one(OPERATIONS[code], held[first], held[second], record.of("bits"))
        held.append(np.where(np.isfinite(made), made, np.nan).astype(np.float32))
    said = held[-1][np.arange(len(held[-1])), record.configs].sum(1, dtype=np.float32)
    return five_digits(said) if np.isfinite(said).all() else None


def five_digits(x: np.ndarray) -> np.ndarray:
    """What the interpreter takes for equal is equal."""
    return ((x.view(np.int32) + 64) & ~127).view(np.float32)


@pytest.mark.parametrize("structure", structures.STRUCTURES)
def test_a_batch_is_what_numpy_and_scipy_say_one_by_one(structure: str, path: str) -> None:
    domain = Proxies(path, structure)
    x = domain.sample(keys.new(3), 64)  # here and below: one shape, one program a form
    said = domain.evaluate(None, x)
    objective, failure = np.asarray(said.objective), np.asarray(said.features["failure"])
    whole_told, top_told = np.asarray(said.features["whole"]), np.asarray(said.features["top"])
    assert ((failure > 0) == np.isnan(objective)).all() and 0.1 < (failure > 0).mean() < 0.9
    agreed = compared = 0
    for row in range(len(x)):
        told = [by_hand(domain.form, x[row], record) for record in RECORDS]
        if failure[row] or any(each is None for each in told):
            agreed += bool(failure[row] == 1) == any(each is None for each in told)
            continue
        pairs = [(t, r.accuracy) for t, r in zip(told, RECORDS, strict=True) if t is not None]
        if any(np.ptp(t) < 1e-3 * np.abs(t).max() for t, _ in pairs):
            agreed += 1  # so alike that rounding decides
            continue
        whole = np.mean([by_scipy(t, a) for t, a in pairs])
        best = [np.argsort(-a, kind="stable")[:12] for _, a in pairs]
        few = [_spearman(t[b], a[b]) for (t, a), b in zip(pairs, best, strict=True)]
        compared += 1
        agreed += abs(abs(whole) * 100 - whole_told[row]) < 0.5 and (abs(abs(np.mean(few)) * 100 - abs(top_told[row])) < 3)
    assert compared > 12 and agreed / len(x) > 0.97


def by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.asarray(spearmanr(a, b))[0])


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    a, b = rankdata(a), rankdata(b)
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) else 0.0


def genome(inputs: tuple[str, str], operations: tuple[str, ...], joined: str, last: str = "x") -> np.ndarray:
    """An expression of the form branch, by names, [1, 8]."""
    genes = [*map(NAMES.index, inputs), *map(UNARY.index, operations), BINARY.index(joined), UNARY.index(last)]
    return np.array([genes], np.int32)


def test_what_divides_by_zero_overflows_or_says_nothing_fails_and_is_counted(path: str) -> None:
    domain = Proxies(path)
    plain = ("x", "x", "x", "x")
    x = np.concatenate([
        genome(("omega", "bits"), plain, "max"),
        genome(("bits", "omega"), plain, "-", "invert"),  # fine
        genome(("bits", "bits"), ("x", "x", "negate", "x"), "+", "invert"),  # 1 / 0
        genome(("bits", "bits"), plain, "/", "log"),  # log 1 = 0 for all configs
        genome(("bits", "bits"), ("exp", "exp", "x", "x"), "*"),  # overflows
        genome(("bits", "omega"), ("negate", "log", "x", "x"), "+"),  # log of less than 0
    ])  # fmt: skip
    said = domain.evaluate(None, pad_to_power_of_two(x))
    assert np.asarray(said.features["failure"])[:6].tolist() == [0, 0, 1, 2, 1, 1]
    assert np.isfinite(said.objective[:2]).all() and np.isnan(said.objective[2:]).all()
    descriptor = _select(domain)
    _, batch = start(
        Search(domain, descriptor, Grid((4, 32)), RandomExpressions(domain, 64)), keys.new(0), pad_to_power_of_two(x)
    )
    assert (np.asarray(batch.status) == FAILED).sum() == 64 - 2


def _select(domain: Proxies):
    from feedback.descriptors.select import Select

    return Select("map", domain.bounds)


def test_cost_kind_size_and_formula(path: str) -> None:
    domain = Proxies(path)
    x = genome(("omega", "bits"), ("log", "x", "x", "negate"), "+", "relu")
    said = domain.evaluate(None, pad_to_power_of_two(x)).features
    paid = RECORDS[0].seconds[[SOURCES.index(s) for s in ("inputs", "change", "traces")]].sum()
    assert math.isclose(float(said["cost"][0]), math.log10(paid), rel_tol=1e-4)
    assert int(said["kind"][0]) == W | A | H and int(said["length"][0]) == 2 + 4
    assert domain.formulas(x)[0].endswith("sum of relu(log(omega) + -bits)")
    graph = Proxies(path, "graph")
    only = np.array([[NAMES.index("kl"), NAMES.index("omega"), 0, *(0, 0, 0) * 5]], np.int32)  # omega is looked at by nobody
    said = graph.evaluate(None, pad_to_power_of_two(only)).features
    assert int(said["kind"][0]) == M and int(said["length"][0]) == 1
    low, high = np.array(domain.bounds).T
    told = np.asarray(domain.evaluate(None, domain.sample(keys.new(0), 64)).features["map"])
    assert (told >= low).all() and (told <= high).all()


@pytest.mark.ci
def test_damage_and_quality_are_worth_the_same_and_the_sign_is_carried_to_other_networks(path: str) -> None:
    domain = Proxies(path)
    plain, turned = (genome(("omega", "omega"), ("x",) * 4, "+", last) for last in ("x", "negate"))
    said = domain.evaluate(None, pad_to_power_of_two(np.concatenate([plain, turned])))
    assert np.allclose(said.objective[0], said.objective[1]) and said.objective[0] > 50
    held = domain.judge(np.concatenate([plain, turned]), ("made2",))
    expected = -100 * by_scipy(handmade.all_of(RECORDS[2])["ZeroQ KL"].damage, RECORDS[2].accuracy)
    assert held["whole"][0] == held["whole"][1] and abs(held["whole"][0, 0]) <= 100 and expected > 60


def test_a_table_for_a_network_sums_to_what_the_proxy_says(path: str) -> None:
    domain, record = Proxies(path), RECORDS[2]
    x = np.concatenate([genome(("omega", "bits"), ("log", "x", "x", "x"), joined) for joined in ("-", "/")])
    told = domain.tables(x, "made2")
    summed = told[:, np.arange(told.shape[1]), record.configs].sum(-1)
    said = [by_hand(domain.form, row, record) for row in x]
    np.testing.assert_allclose(domain.signs(x)[:, None] * summed, np.array(said, float), rtol=1e-3, atol=1e-3)
    assert (np.array([by_scipy(row, record.accuracy) for row in summed]) > 0.3).all()  # higher is better, here too
    with pytest.raises(ValueError, match="unknown network 'resnet99' of bench="):
        domain.tables(x, "resnet99")


def test_a_child_by_subtree_has_each_gene_from_a_parent(path: str) -> None:
    for structure in structures.STRUCTURES:
        domain = Proxies(path, structure)
        parents = domain.sample(keys.new(1), 400).reshape(200, 2, -1)
        child = np.asarray(Subtrees(domain, share=1.0)(keys.new(2), parents))
        space = np.array(domain.space)
        assert (child >= 0).all() and (child < space).all()
        from_either = ((child == parents[:, 0]) | (child == parents[:, 1])).all(1)
        mixed = (child != parents[:, 0]).any(1) & (child != parents[:, 1]).any(1)
        assert from_either.mean() > 0.7 and mixed.mean() > 0.3
        points = np.asarray(Points(domain)(keys.new(3), parents[:, :1]))
        assert (points < space).all() and 0.3 < (points != parents[:, 0]).any(1).mean() <= 1
    drawn = Proxies(path).sample(keys.new(0), 4000)[:, 2]
    counts = np.bincount(drawn, minlength=len(UNARY)) / len(drawn)
    assert abs(counts[0] - 2 / 17) < 0.02 and abs(counts[1:] - 1 / 17).max() < 0.015  # doing nothing is twice as likely


def test_screening_knows_equals_failures_and_the_hopeless(path: str) -> None:
    domain = Proxies(path)
    plain = ("x",) * 4
    x = np.concatenate([
        genome(("omega", "omega"), plain, "+"),
        genome(("omega", "omega"), ("square", "x", "square", "x"), "+"),  # not the same sum
        genome(("omega", "omega"), plain, "max", "negate"),  # the same, turned round
        genome(("bits", "bits"), plain, "-", "invert"),
        genome(("bits", "bits"), plain, "/"),
    ])  # fmt: skip
    seen = preview(domain, x)
    assert seen.value[0] == seen.value[2] != seen.value[1]
    passed, counts = select_passing(seen, np.array([], np.uint32), 0.05)
    assert passed.tolist() == [True, True, False, False, False] and counts.tolist() == [5, 1, 1, 1, 0]
    passed, counts = select_passing(seen, seen.value[:1], 1.1)
    assert not passed.any() and counts.tolist() == [5, 1, 1, 2, 1]


@pytest.mark.parametrize("emitter", [DiversityPrompting, ScreenedVariation])
def test_emitters_find_good_proxies_and_do_not_fail_more_than_chance(emitter, path: str) -> None:
    domain = Proxies(path)
    search = Search(domain, _select(domain), Grid((8, 32)), emitter(domain, 64))
    state, first = start(search, keys.new(0), domain.sample(keys.new(1), 64))
    failed = []
    for _ in range(4):
        state, batch = step(search, state)
        failed.append((np.asarray(batch.status) == FAILED).mean())
    best = HostElites(state.archive).rows().objective.max()
    assert best > np.nanmax(first.evaluation.objective) - 1e-4 and best > 70
    assert np.mean(failed) < (np.asarray(first.status) == FAILED).mean()
    if emitter is ScreenedVariation:
        assert state.memory.counts[0] == 4 * 4 * 64 and state.memory.counts[1:].sum() > 50


def test_the_bench_that_is_shipped_is_what_its_sheet_says() -> None:
    records = bench.load("fashion")
    assert list(records) == ["resnet14", "narrow8", "plain8", "transformer"]
    for record in records.values():
        assert record.configs.shape == (500, 2 * record.layers) and len(np.unique(record.configs, axis=0)) == 500
        low, middle, high = np.quantile(record.accuracy, (0.1, 0.5, 0.9))
        assert low < 30 and 40 < middle < 75 and high > record.full - 3  # spread, and not all bad
        told = handmade.all_of(record)
        assert all(np.isfinite(damage).all() for damage, _ in told.values())
        assert -by_scipy(told["ZeroQ KL"].damage, record.accuracy) > 0.8
    assert "500 configs" in bench.about("fashion")
    assert (Path(bench.__file__).parent / "fashion.npz").stat().st_size < 1e6
    ten = bench.load("ten")
    assert len(ten) == 10 and {len(record.configs) for record in ten.values()} == {300}
    assert (Path(bench.__file__).parent / "ten.npz").stat().st_size < 1e5


def test_bad_benches_say_what_is_wrong(path: str, tmp_path: Path) -> None:
    record = RECORDS[0]
    broken = record.statistics.copy()
    broken[NAMES.index("trace"), 2] = np.nan
    bench.write(tmp_path / "a.npz", [record._replace(statistics=broken)], "")
    with pytest.raises(ValueError, match="statistic trace of network made0 is missing at site 2"):
        Proxies(str(tmp_path / "a.npz")).evaluate(None, np.zeros((1, 8), np.int32))
    with pytest.raises(ValueError, match="unknown bench 'nothing'; type "):
        Proxies("nothing").evaluate(None, np.zeros((1, 8), np.int32))
    with pytest.raises(ValueError, match="unknown network 'resnet99' of bench=.*; type made0, made1 or made2"):
        Proxies(path, networks=("resnet99",)).evaluate(None, np.zeros((1, 8), np.int32))
    with pytest.raises(ValueError, match="type linear, branch"):
        _ = Proxies(path, "bush").space
    there = bench.load(path)["made0"]
    assert there.rows(there.configs[[5, 3]]).tolist() == [5, 3]
    with pytest.raises(ValueError, match="is not among the bench's 60"):
        there.rows(np.full((1, 8), 4) - (np.arange(8) % 2 * 4))
    with pytest.raises(ValueError, match="has 8 genes, and these have 3"):
        there.rows(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="unknown statistic 'weight'"):
        there.of("weight")
    with pytest.raises(ValueError, match="cannot stand side by side"):
        bench.write(tmp_path / "b.npz", [record, synthetic.records(1, 40)[0]._replace(name="other")], "")
        Proxies(str(tmp_path / "b.npz")).evaluate(None, np.zeros((1, 8), np.int32))
    with pytest.raises(ValueError, match="type domain=proxies"):
        Subtrees(object())(keys.new(0), np.zeros((1, 2, 4), np.int32))
