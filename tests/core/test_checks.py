"""Bad input: each mistake is named, with what to type instead, before any budget is spent."""

import math
import re
from dataclasses import dataclass, field, replace

import jax.numpy as jnp
import numpy as np
import pytest

from feedback.descriptors.pca import PCA
from feedback.descriptors.select import Select
from qd import keys, metrics
from qd.archives import CVT, DNS, Grid, Proximity, SlidingBoundaries
from qd.emitters.pool import Pool
from qd.emitters.ribs import Ribs
from qd.emitters.vary import Gaussian, IntegerReset, Vary
from qd.search import start
from qd.support.errors import UserError
from qd.types import Evaluation, Search
from tests.support.toys import SQUARE, Bowl, Counting, Flip, Matrices, OnHost, Words

GOOD = Search(Bowl(), Select("xy", SQUARE), Grid((8, 8)), Vary(Gaussian(), 8))
SEEDS = Bowl().sample(keys.new(0), 10)


def refused(search: Search, *words: str, seeds: np.ndarray = SEEDS, most: int = 2) -> None:
    """Asserts that it is refused with all these words, having evaluated no more than two solutions."""
    for domain in [search.domain, Counting(search.domain)] if type(search.domain) is Bowl else [search.domain]:
        with pytest.raises(ValueError) as caught:
            start(search._replace(domain=domain), keys.new(0), seeds)
        for word in words:
            assert word in str(caught.value), f"{word!r} is not in: {caught.value}"
        assert not isinstance(domain, Counting) or sum(domain.evaluated) <= most


def said(objective=None, features=None) -> Search:
    return GOOD._replace(domain=Counting(objective=objective, features=features))


def test_a_good_recipe_spends_two_solutions_before_its_seeds() -> None:
    counting = Counting()
    state, batch = start(GOOD._replace(domain=counting), keys.new(0), SEEDS)
    assert counting.evaluated == [2, 10] and state.evaluations == len(batch.ids) == 10


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (((-1, 1), (2, -2)), ["bounds[1] = (2, -2) is reversed", "type (-2, 2)"]),
        (((-1, 1), (3, 3)), ["bounds[1] = (3, 3) is of zero width", "low < high"]),
        (((-1, float("inf")), (0, 1)), ["bounds[0] = (-1, inf) is not finite"]),
        ((), ["length 0", "type at least one (low, high)"]),
    ],
    ids=str,
)
def test_bounds(bounds, words) -> None:
    refused(GOOD._replace(descriptor=Select("xy", bounds)), *words)


def test_a_descriptor_of_length_0() -> None:
    refused(said(features=lambda f: {"xy": f["xy"][:, :0]}), "Select has length 0", "may be empty")


def test_a_descriptor_of_another_length_than_its_bounds() -> None:
    refused(GOOD._replace(descriptor=Select("all", SQUARE)), "[2, 4]", "has 2 pairs of bounds", "state 4 bounds")


def test_a_descriptor_that_reads_nothing() -> None:
    refused(GOOD._replace(descriptor=Flip(reads=())), "Flip reads no feature", "set reads")


@pytest.mark.parametrize("where", ["descriptor", "keep"])
def test_a_feature_that_is_not_there_names_the_nearest(where) -> None:
    change = {"descriptor": Select("half_", SQUARE)} if where == "descriptor" else {"keep": ("half_",)}
    refused(GOOD._replace(**change), "unknown feature 'half_' of ", "; type half in domain_defaults.feature")


@pytest.mark.parametrize(
    ("objective", "features", "words"),
    [
        (
            lambda f: f[:, None, None],
            None,
            ["gave an objective of float32 [2, 1, 1]", "one real number each, [2]"],
        ),
        (
            lambda f: np.stack([f, f], 1),
            None,
            ["gave 2 objectives for each", "objective_range = ((low, high), (low, high))"],
        ),
        (lambda f: f[:1], None, ["objective of float32 [1] for 2 solutions"]),
        (lambda f: f.sum(), None, ["objective of float32 []"]),
        (lambda f: f.astype(complex), None, ["objective of complex128"]),
        (lambda f: np.array(["good", "bad"]), None, ["objective of <U4"]),
        (None, lambda f: {"xy": f["xy"][:1]}, ["a feature 'xy' of float32 [1, 2] for 2 solutions", "[2, ...]"]),
        (None, lambda f: {"xy": f["xy"][0, 0]}, ["a feature 'xy' of float32 []"]),
        (None, lambda f: {"xy": f["xy"].astype(str)}, ["a feature 'xy' of <U"]),
        (None, lambda f: {"xy": np.array([object(), None])}, ["a feature 'xy' of object"]),
        (None, lambda f: [f["xy"]], ["Counting.evaluate (", "gave features as a list", "give a dict"]),
    ],
)
def test_objectives_and_features_of_wrong_shape_or_dtype(objective, features, words) -> None:
    refused(said(objective, features), *words)


def test_an_evaluation_that_is_none() -> None:
    @dataclass(frozen=True)
    class Number(Bowl):
        def evaluate(self, keys, solutions):
            return jnp.zeros(len(solutions))

    refused(GOOD._replace(domain=Number()), "Number.evaluate (", "returned a", "return Evaluation(objective")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("half-life", ["'half-life'", "Python identifier", "'half_life'"]),
        ("class", ["'class'", "Python identifier", "'class_'"]),
        ("2d", ["'2d'", "'d'"]),
        ("objective", ["must not be named 'objective'", "'objective_'"]),
        ("id", ["must not be named 'id'"]),
    ],
)
def test_a_feature_name_that_pyribs_cannot_hold(name, words) -> None:
    refused(said(features=lambda f: f | {name: f["xy"]})._replace(keep=(name,)), *words)


def test_all_evaluations_failed() -> None:
    search = said(objective=lambda f: f * np.nan)
    refused(search, "all 10 solutions of generation 0 failed", "the first is nan", "call domain.evaluate", most=12)
    refused(said(objective=lambda f: f - np.inf), "the first is -inf", most=12)


def test_all_measures_failed() -> None:
    search = said(features=lambda f: {"xy": f["xy"] * np.nan})
    refused(search, "all 10 solutions of generation 0 failed: their measures are not finite", most=12)


def test_no_seed_above_the_threshold() -> None:
    search = GOOD._replace(domain=Counting(), archive=Grid((8, 8), learning_rate=0.5, threshold_min=50.0))
    refused(
        search, "no initial solution entered the archive", "threshold_min is 50", "type a lower archive.threshold_min", most=12
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Vary(Gaussian(), batch_size=0),
        lambda: Ribs("EvolutionStrategyEmitter", {"sigma0": 1.0, "batch_size": 0}),
        lambda: Ribs("GaussianEmitter", {"sigma": 1.0, "batch_size": -3}),
    ],
)
def test_batch_size_0(make) -> None:
    with pytest.raises(ValueError, match=r"batch_size (0|-3) makes no solutions; type a batch_size of 1 or more"):
        make()


def test_no_emitters_at_all() -> None:
    with pytest.raises(ValueError, match="count 0 makes no emitters; type a count of 1 or more"):
        Ribs("GaussianEmitter", {"sigma": 1.0}, count=0)
    with pytest.raises(ValueError, match="a pool of no emitters.*name at least one"):
        Pool(())


@pytest.mark.parametrize("archive", [Grid((40_000, 40_000, 40)), CVT(2**45, samples=2**46)], ids=["grid", "cvt"])
def test_an_archive_that_would_not_fit_in_memory_says_the_estimate(archive) -> None:
    bounds = SQUARE + ((0, 1),) if isinstance(archive, Grid) else SQUARE
    search = GOOD._replace(archive=archive, descriptor=Select("all", bounds, columns=tuple(range(len(bounds)))))
    refused(search, "cells x", "bytes needs about", "GiB, and this machine has", "type fewer cells")


def test_an_archive_counts_the_features_that_it_would_keep() -> None:
    wide = said(features=lambda f: f | {"image": np.zeros((len(f["xy"]), 100_000, 100))})
    refused(wide._replace(archive=Grid((1000, 1000)), keep=("image",)), "1,000,000 cells x 80,000", "keep fewer features")


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (CVT(2000, samples=1000), ["2000 centroids cannot be fitted to 1000 samples", "type archive.samples=20000"]),
        (CVT(0), ["0 centroids", "at least 1"]),
        (Grid((8, 8, 8)), ["are for 3 measures, but the descriptor gives 2", "archive.dims=[50, 50]"]),
        (Grid((8, 0)), ["hold a number below 1"]),
        (Grid((8, 8), learning_rate=0.1), ["learning_rate=0.1 wants a threshold", "archive.threshold_min="]),
        (Grid((8, 8), threshold_min=0.0), ["threshold_min=0 wants a learning_rate", "archive.learning_rate=0.01"]),
        (CVT(5, samples=50, learning_rate=0.0), ["learning_rate=0 wants a threshold"]),
        (Grid((8, 8), learning_rate=1.5, threshold_min=0.0), ["learning_rate=1.5 is no share"]),
        (Grid((8, 8), learning_rate=math.nan, threshold_min=0.0), ["learning_rate=nan is no share"]),
        (Grid((8, 8), learning_rate=0.1, threshold_min=math.nan), ["no objective is above threshold_min=nan"]),
        (Grid((8, 8), learning_rate=0.1, threshold_min=math.inf), ["no objective is above threshold_min=inf"]),
    ],
    ids=str,
)
def test_archives_that_cannot_be(archive, words) -> None:
    refused(GOOD._replace(archive=archive), *words)


CMA = {"sigma0": 0.5, "batch_size": 4}


def test_a_pyribs_emitter_on_python_objects() -> None:
    search = Search(Words(), OnHost(), Grid((20, 5)), Ribs("EvolutionStrategyEmitter", CMA))
    seeds = Words().sample(keys.new(0), 5)
    refused(
        search,
        "EvolutionStrategyEmitter of pyribs varies arrays of real numbers",
        "Python objects",
        "emitter=vary",
        seeds=seeds,
    )
    refused(search._replace(emitter=Vary(Gaussian(), 4)), "varies arrays of numbers", "Python objects", seeds=seeds)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Ribs("EvolutionStrategyEmiter", CMA),
            "unknown emitter 'EvolutionStrategyEmiter' of pyribs; type EvolutionStrategyEmitter",
        ),
        (
            lambda: Ribs("EvolutionStrategyEmitter", {"sigma": 0.5}),
            "unknown setting 'sigma' of EvolutionStrategyEmitter; type sigma0",
        ),
        (
            lambda: Ribs("EvolutionStrategyEmitter", {**CMA, "archive": 1}),
            "unknown setting 'archive' of EvolutionStrategyEmitter",
        ),
        (lambda: Ribs("EvolutionStrategyEmitter", {**CMA, "es": "cma"}), "unknown es 'cma'; type cma_es"),
        (lambda: Ribs("EvolutionStrategyEmitter", {**CMA, "ranker": "2im"}), "unknown ranker '2im'; type 2imp"),
        (
            lambda: Ribs("EvolutionStrategyEmitter", {**CMA, "restart_rule": "never"}),
            "unknown restart_rule 'never'; type no_improvement or basic",
        ),
        (
            lambda: Ribs("EvolutionStrategyEmitter", {**CMA, "selection_rule": "best"}),
            "unknown selection_rule 'best'; type filter or mu",
        ),
    ],
    ids=["emitter", "setting", "ours", "es", "ranker", "restart", "selection"],
)
def test_a_misspelt_pyribs_emitter_names_the_nearest(make, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sigma0": 0.5, "es": "lm_ma_es", "batch_size": 40}, ["es='lm_ma_es'", "batch_size=40", "4"]),
        ({**CMA, "es_kwargs": {"nonsense": 1}}, ["nonsense"]),
        ({"ranker": "2imp"}, ["sigma0"]),
    ],
    ids=str,
)
def test_settings_that_pyribs_refuses(settings, words) -> None:
    refused(GOOD._replace(emitter=Ribs("EvolutionStrategyEmitter", settings)), *words)
    pool = Pool((Vary(Gaussian(), 4), Ribs("EvolutionStrategyEmitter", settings)))
    refused(GOOD._replace(emitter=pool), *words)


def test_a_pyribs_emitter_on_whole_numbers() -> None:
    @dataclass(frozen=True)
    class Switches(Bowl):
        def sample(self, key, n):
            return keys.integers(key, (n, self.dim), 0, 2)

    search = GOOD._replace(domain=Switches(), emitter=Ribs("EvolutionStrategyEmitter", CMA))
    refused(search, "real numbers, but this domain's solutions are int32", seeds=Switches().sample(keys.new(0), 9))


def test_x0_of_the_wrong_length() -> None:
    emitter = Ribs("EvolutionStrategyEmitter", CMA, x0=(0.0, 0.0, 0.0))
    refused(GOOD._replace(emitter=emitter), "x0 has 3 numbers, but a solution has shape [4]", "one number for every gene")


@pytest.mark.parametrize(
    ("archive", "ranker", "words"),
    [
        (
            Grid((8, 8)),
            "nov",
            ["ranker 'nov'", "ranks by 'novelty'", "a Grid archive gives only value", "ranker=imp, 2imp, obj"],
        ),
        (Grid((8, 8)), "density", ["ranks by 'density'"]),
        (Grid((8, 8)), "nslc", ["ranker 'nslc'"]),
        (Proximity(k_neighbors=3, novelty_threshold=0.1), "2imp", ["ranks by 'value'", "gives only novelty"]),
        (DNS(capacity=20), "imp", ["ranks by 'value'"]),
    ],
    ids=str,
)
def test_a_ranker_that_the_archive_cannot_serve(archive, ranker, words) -> None:
    emitter = Ribs("EvolutionStrategyEmitter", {**CMA, "ranker": ranker})
    refused(GOOD._replace(archive=archive, emitter=emitter), *words)


def test_a_variation_that_does_not_fit_the_solutions() -> None:
    @dataclass(frozen=True)
    class Shorter(Gaussian):
        def __call__(self, key, parents):
            return super().__call__(key, parents)[:, 1:]

    refused(GOOD._replace(emitter=Vary(Shorter(), 8)), "made children [1, 3]", "parents [1, 1, 4]")
    refused(GOOD._replace(emitter=Vary(IntegerReset((2, 2)), 8)), "options has 2 numbers, but a solution has 4")


@dataclass(frozen=True)
class Branching(Bowl):
    """Says pure, but looks at numbers that are not there yet."""

    how: str = "if"

    def evaluate(self, keys, solutions):
        if self.how == "if":
            if solutions.sum() > 0:  # the culprit: if
                solutions = -solutions
        elif self.how == "numpy":
            solutions = np.asarray(solutions)  # the culprit: numpy
        elif self.how == "sum":
            return Evaluation(np.hypot(solutions, 1).sum(1), {"xy": solutions[:, :2]})  # the culprit: sum
        elif self.how == "float":
            solutions = solutions * float(solutions[0, 0])  # the culprit: float
        elif self.how == "assign":
            solutions[0] = 0  # the culprit: assign
        elif self.how == "mask":
            solutions = solutions[solutions[:, 0] > 0]  # the culprit: mask
        return super().evaluate(keys, solutions)


@pytest.mark.parametrize("how", ["if", "numpy", "sum", "float", "assign", "mask"])
def test_a_domain_that_says_pure_but_cannot_be_traced(how) -> None:
    with pytest.raises(ValueError) as caught:
        start(GOOD._replace(domain=Branching(how=how)), keys.new(0), SEEDS)
    for word in (
        "Branching has pure = True, but JAX cannot trace it",
        f"the culprit: {how}",
        "test_checks.py:",
        "pure = False",
    ):
        assert word in str(caught.value), caught.value


@pytest.mark.parametrize("learns", [False, True])
def test_a_descriptor_that_says_pure_but_cannot_be_traced(learns) -> None:
    @dataclass(frozen=True)
    class Worldly(Flip):
        learns: bool = False

        def __call__(self, params, features):
            return features["xy"] if features["xy"].max() < 9 else None  # the culprit

    search = GOOD._replace(descriptor=Worldly(learns=learns), domain=Counting())
    refused(search, "Worldly has pure = True", "the culprit", "test_checks.py:", most=12 if learns else 2)


def test_a_learned_descriptor_of_wrong_shape_is_refused_after_generation_0() -> None:
    @dataclass(frozen=True)
    class Wide(PCA):
        def __call__(self, params, features):
            return jnp.zeros((len(features["all"]), 3))

    search = GOOD._replace(domain=Counting(), descriptor=Wide(reads=("all",)))
    refused(search, "Wide gave measures of float32 [10, 3] for 10 solutions, but it has 2 pairs of bounds", most=12)


@dataclass(frozen=True)
class Unhashable(Bowl):
    scales: list = field(default_factory=list)


def test_a_part_that_cannot_be_hashed() -> None:
    refused(GOOD._replace(domain=Unhashable()), "Unhashable is not hashable", "@dataclass(frozen=True)", "no lists")
    search = GOOD._replace(descriptor=Select("xy", [[-1, 1], [-1, 1]]))  # type: ignore[arg-type]
    refused(search, "Select is not hashable", "unhashable type: 'list'")


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        (SEEDS[:0], ["no initial solutions", "initial=100"]),
        (SEEDS[:, :3], ["initial solutions have shape [10, 3]", "Bowl samples [n, 4]", "domain.sample(key, 10)"]),
        (SEEDS[0], ["initial solutions have shape [4]", "Bowl samples [n, 4]"]),
        (SEEDS[0, 0], ["initial solutions have shape []", "[n, 4]"]),
        (SEEDS.astype(str), ["initial solutions are <U32", "float32"]),
    ],
    ids=["none", "narrow", "one", "number", "words"],
)
def test_seeds_of_wrong_shape(seeds, words) -> None:
    with pytest.raises(ValueError) as caught:
        start(GOOD, keys.new(0), seeds)
    for word in words:
        assert word in str(caught.value), caught.value


@pytest.mark.parametrize("key", [0, 1.5, np.zeros(2), np.zeros(3, np.uint32), "seed", None], ids=repr)
def test_a_key_that_is_no_key(key) -> None:
    with pytest.raises(ValueError, match=r"a key is uint32 \[2\], but this is .*; type qd.keys.new\(0\)"):
        start(GOOD, key, SEEDS)


def test_a_part_that_lacks_what_its_protocol_asks_for() -> None:
    @dataclass(frozen=True)
    class Half:
        pure: bool = True

    refused(GOOD._replace(domain=Half()), "Half is no domain", "sample, evaluate")
    refused(GOOD._replace(descriptor=Half()), "Half is no descriptor", "reads, bounds")
    refused(GOOD._replace(emitter=Half()), "Half is no emitter", "init, ask, tell")


def test_settings_are_told_apart_by_value() -> None:
    assert replace(GOOD.archive) == GOOD.archive and hash(replace(GOOD.emitter)) == hash(GOOD.emitter)


def test_sliding_boundaries_refuse_a_descriptor_that_learns() -> None:
    search = GOOD._replace(archive=SlidingBoundaries((6, 6)), descriptor=PCA(reads=("all",)))
    refused(search, "SlidingBoundaries", "takes hand-made descriptors only", "PCA learns", "archive=grid")


def test_an_evolution_strategy_on_solutions_that_are_no_vectors() -> None:
    search = GOOD._replace(domain=Matrices(), emitter=Ribs("EvolutionStrategyEmitter", CMA))
    refused(search, "EvolutionStrategyEmitter", "[3, 5]", seeds=Matrices().sample(keys.new(0), 4))


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        ((100.0, 0.0), ["(100.0, 0.0) is reversed", "type (0.0, 100.0)"]),
        ((3, 3), ["(3, 3) is of zero width", "low < high"]),
        ((float("-inf"), 0.0), ["is not finite"]),
        ((0.0, float("nan")), ["is not finite"]),
        ((0.0,), ["is no pair of numbers", "type (low, high)"]),
        (5.0, ["= 5.0 is no pair of numbers"]),
        (("low", "high"), ["is no pair of numbers"]),
    ],
    ids=str,
)
def test_an_objective_range_that_scales_nothing(scale, words) -> None:
    @dataclass(frozen=True)
    class Scaled(Bowl):
        objective_range: object = None

    refused(GOOD._replace(domain=Scaled(objective_range=scale)), "Scaled.objective_range", *words)
    with pytest.raises(UserError, match="the objective range"):
        metrics.qd_score(np.ones(3), 10, scale)
