"""Every choice that conf offers keeps its protocol, and every pair of archive and emitter runs or is refused by name."""

import pickle

import jax
import numpy as np
import pytest

from qd import abilities, keys, programs
from qd.archives import HostElites
from qd.search import refit, step
from qd.types import Descriptor, Domain, Elites, Emitter, Rendering, Search
from tests.support.choices import (
    CODE,
    LMX,
    OWN_PROGRAM,
    PAINTED,
    PAINTED_PROMPTS,
    PROGRAMS,
    PROJECT,
    SCRIPTED,
    TEXTS,
    WALKERS,
    choices,
    composed,
    copied,
    domains,
    want_packages_of,
)
from tests.support.searches import advance, begin, columns, same

N = 24


SMALL = {"arm_qdhf": ["domain.joints=4"], "arm_cma": ["domain.joints=6"], "sphere": ["domain.dim=6"],
         "rastrigin": ["domain.dim=6"], "sphere_1000": ["domain.dim=6"],
         "maze": ["domain.steps=25", "domain.points=5"], "images": ["domain.side=16"],
         **{name: ["domain.steps=20"] for name in WALKERS if not name.startswith("hexapod")},
         "hexapod": ["domain.seconds=0.5"], "hexapod_omni": ["domain.seconds=0.5"],
         **{f"quantum{name}": ["domain.slots=6", "domain.steps=2"] for name in ("", "_state", "_packing", "_classifier")},
         "codes": ["domain.qubits=5"],
         **{name: ["lm=toy"] for name in TEXTS}, **dict.fromkeys(PROGRAMS, SCRIPTED),
         "generator": PAINTED, "generator_prompts": PAINTED_PROMPTS, "levels": ["domain.height=6", "domain.width=6"],
         "innovation": ["domain.side=32", "domain.pictures.width=4"], "airfoils": ["domain.networks=xxsmall"],
         "molecules": ["domain.length=12"],
         "programs": [*SCRIPTED, *OWN_PROGRAM],
         "openevolve": [*SCRIPTED, f"domain.project={PROJECT}"]}  # fmt: skip


LEARNED = ["arm_qdhf"]  # on which every descriptor is tried, but for those that look at paths or at images


NEEDS = {
    "signature": ["domain=redundant_arm", "archive=dns"],
    "conv_autoencoder": ["domain=redundant_arm", "archive=dns", "domain.camera.side=16", "descriptor.steps=5"],
    "conv_autoencoder_paper": [
        "domain=redundant_arm",
        "archive=dns",
        "domain.camera.side=8",
        "descriptor.steps=2",
        "descriptor.network.channels=[4,4]",
    ],
}


LONG = {
    "conv_autoencoder_paper",
    "shuffled",
    "triplets",
    "triplet_network",
}  # descriptors that tests/descriptors or another choice tries


MARKS = dict.fromkeys(("conv_autoencoder", "signature"), pytest.mark.ci) | dict.fromkeys(LONG, pytest.mark.slow)


# of the others CI tries the protocol after the quick tests: up to twelve seconds each, and the quick ones run their searches
QUICK = {"arm", "sphere", "rastrigins", "text", "bin_packing"}


def of_domain(name: str) -> Search:
    want_packages_of(f"domain/{name}")
    return composed(f"domain={name}", *SMALL.get(name, []))


@pytest.mark.parametrize("name", domains(heavy=set(choices("domain")) - QUICK))
def test_domain(name) -> None:
    domain = of_domain(name).domain
    assert isinstance(domain, Domain) and hash(domain) == hash(copied(domain))
    x = domain.sample(keys.new(0), N)
    assert len(x) == N
    np.testing.assert_array_equal(x, domain.sample(keys.new(0), N))
    if any(not np.array_equal(solution, x[0]) for solution in x):  # else all start from one place
        assert not np.array_equal(x, domain.sample(keys.new(1), N))
    names = tuple(programs.feature_names(of_domain(name)))
    evaluation, again, other = (programs.evaluate(domain, names, keys.new(seed), x) for seed in (0, 0, 1))
    assert evaluation.objective.shape == (N,) and all(len(evaluation.features[f]) == N for f in names)
    jax.tree.map(np.testing.assert_array_equal, evaluation, again)
    assert jax.tree.map(np.shape, evaluation) == jax.tree.map(np.shape, other)
    able = abilities.of_domain(domain)
    if able.objective_range is not None:
        low, high = able.objective_range
        assert low < high and np.nanmax(evaluation.objective) <= high
    if able.render is not None:
        renderings = able.render(x[:3])
        assert len(renderings) == 3 and all(isinstance(picture, Rendering) and picture.data for picture in renderings)
    if domain.pure:
        _traces_like_python(domain, names, x)


def _traces_like_python(domain: Domain, names: tuple[str, ...], x: np.ndarray) -> None:
    each = jax.random.split(jax.random.key(0), len(x))
    evaluations = domain.evaluate(each, x), jax.jit(domain.evaluate)(each, x)
    plain, traced = (programs.with_one_objective(domain, evaluation) for evaluation in evaluations)
    for name in names:
        np.testing.assert_allclose(plain.features[name], traced.features[name], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(plain.objective, traced.objective, rtol=1e-5, atol=1e-5 * np.nanmax(np.abs(plain.objective)))


HEAVY = {"curling", "digits", "innovation", "proxies", "quantum", "terrains"}  # three seconds and more: after the quick tests


@pytest.mark.parametrize("name", domains(HEAVY))
def test_the_search_that_suits_a_domain_runs_and_stores(name) -> None:
    search = of_domain(name)
    state = advance(search, begin(search, n=N), 1)
    again = pickle.loads(pickle.dumps(state))
    same(advance(search, state, 2), advance(search, again, 2))


@pytest.mark.parametrize("name", [pytest.param(n, marks=MARKS.get(n, ())) for n in choices("descriptor")])
@pytest.mark.parametrize("domain", LEARNED)
def test_descriptor(domain, name) -> None:
    search = composed(f"descriptor={name}", *NEEDS.get(name, [f"domain={domain}", *SMALL[domain]]))
    descriptor = search.descriptor
    assert isinstance(descriptor, Descriptor) and hash(descriptor) == hash(pickle.loads(pickle.dumps(descriptor)))
    bounds = descriptor.bounds
    state = advance(search, begin(search, n=100), 2)
    fitted, again = (refit(search, pickle.loads(pickle.dumps(state))) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, fitted.params, again.params)
    assert search.descriptor.bounds == bounds and len(bounds) > 0
    rows = HostElites(fitted.archive).rows()
    read = {feature: rows.features[feature] for feature in descriptor.reads}
    measures, _ = programs.describe(descriptor, fitted.params, read)
    assert measures.shape == (len(rows.ids), len(bounds)) and np.isfinite(measures).all()
    np.testing.assert_allclose(columns(fitted.archive)["measures"], measures, atol=1e-6)
    if descriptor.pure:
        np.testing.assert_allclose(descriptor(fitted.params, read), measures, rtol=1e-5, atol=1e-5)
    same(advance(search, fitted, 1), advance(search, again, 1))


SERVED_BY = {  # of emitters that look at what only some archives give
    "nov": {"proximity", "nslc"},
    "nslc": {"nslc"},
    "density": {"density"},
    "imp": {"grid", "grid_mae", "cvt", "cvt_mae", "sliding", "density", "nslc", "discount"},
}


RANKED_BY = {"novelty_es": "nov", "nslc_es": "nslc", "density_es": "density"} | dict.fromkeys(
    (
        "cma_me",
        "cma_me_imp",
        "cma_mae",
        "cma_mega",
        "cma_mega_adam",
        "cma_maega",
        "sep_cma_me",
        "lm_ma_me",
        "openai_me",
        "pool",
        "cma_me_jax",
        "cma_mae_jax",
        "sep_cma_me_jax",
        "lm_ma_me_jax",
        "cma_me_mixed",
    ),
    "imp",
)


NOT_FOR_NUMBERS = {"integers"}  # of emitters, on a domain of real numbers


WANTS = {  # of emitters, what a sphere with its own measures has not; test_contracts_sparse gives it to them
    **dict.fromkeys(("surprise", "taxons", "stax", "sparse"), "type descriptor=autoencoder"),
    "serene": "no sparse reward; type domain=redundant_arm",
    **dict.fromkeys(("ilp", "ilp_mixed"), "no costs, sensitivity; type domain=quant"),
    **dict.fromkeys(("proxies", "proxies_screened", "proxies_emq", "proxies_random"), "type domain=proxies"),
    **dict.fromkeys(CODE, "varies programs.*type domain=bin_packing|reads the config of a project"),
    **dict.fromkeys(("pga_me", "dcrl_me"), "has no 'network'"),
    "tiles": "has no 'shares'",
    "mixed_words": "has no 'qubits'|has no 'logical'",
    "mixed_tuned": "no column 'tuned' of the solutions' shape",
    **dict.fromkeys(LMX, "has no 'writer'|has no 'answers'|grade"),
}


REFUSED = {
    "fronts": "one objective",
    "fronts_hv": "one objective",
    "categorical": "has no 'categories'",
}  # archives that suit no sphere


ON_FRONTS = {"front_isoline", "front_integers"}  # emitters that only archive=fronts serves


WHOLE = {
    "pool",
    "gaussian",
    "isoline",
    "isoline_gaits",
    "isoline_policies",
    "integers",
    "mixed",
    "novelty",
    "nsga2",
    *ON_FRONTS,
    *WANTS,
}  # emitters that are one, not a count


QUICK_ON_CVT = {"isoline", "cma_me", "cma_me_jax"}


def _pairs() -> list:
    """All pairs; those beyond every emitter on a grid, and a few on a CVT, are slow only since they are so many."""
    every = [(emitter, archive) for emitter in choices("emitter") for archive in choices("archive")]
    quick = [archive == "grid" or (archive == "cvt" and emitter in QUICK_ON_CVT) for emitter, archive in every]
    return [pytest.param(*pair, marks=() if few else pytest.mark.slow) for pair, few in zip(every, quick, strict=True)]


@pytest.mark.parametrize(("emitter", "archive"), _pairs())
def test_every_pair_of_archive_and_emitter_runs_or_is_refused_by_name(emitter, archive) -> None:
    """On a sphere: fronts want several objectives, and it has one; it has no categories."""
    ranker = RANKED_BY.get(emitter)
    fits = emitter not in NOT_FOR_NUMBERS | ON_FRONTS and emitter not in WANTS and archive not in REFUSED
    if not (fits and (ranker is None or archive in SERVED_BY[ranker])):
        message = REFUSED.get(archive, "type|choose") + "|" + WANTS.get(emitter, "type|choose")
        with pytest.raises(ValueError, match=message) as caught:
            begin(_pair(archive, emitter), n=N)
        assert archive in REFUSED or ranker is None or f"{ranker!r}" in str(caught.value) or "value" in str(caught.value)
        return
    search = _pair(archive, emitter)
    assert isinstance(search.emitter, Emitter)
    state = begin(search, n=N)
    assert isinstance(HostElites(state.archive), Elites)
    state, first = step(search, state)
    again = pickle.loads(pickle.dumps(state))
    (state, batch), (again, other) = step(search, state), step(search, again)
    assert len(first.ids) > 0 and batch.ids[0] == N + len(first.ids)
    np.testing.assert_array_equal(batch.solutions, other.solutions)
    same(state, again)


def _pair(archive: str, emitter: str) -> Search:
    """A small search of both; each is composed once."""
    cells = [f"archive.{key}" for key in ("cells=60", "samples=1000")] if archive.startswith("cvt") else []
    dims = ["archive.dims=[8,8]"] if archive in ("grid", "grid_mae", "density", "sliding", "discount") else []
    count = [] if emitter in WHOLE else ["emitter.count=2"]
    sphere = composed("domain=sphere", "domain.dim=40", "emitter=isoline", f"archive={archive}", *cells, *dims)
    return sphere._replace(emitter=composed("domain=sphere", "domain.dim=40", f"emitter={emitter}", *count).emitter)
