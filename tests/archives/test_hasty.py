"""What pyribs seldom calls is imported when it is called, and is then what it would have been."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_groupies import aggregate_nb

from qd.archives import hasty

_START = """
import sys
import qd.runner.run, qd.fused, qd.search
heavy = ("sklearn", "scipy.stats", "scipy.spatial", "numba", "pandas", "matplotlib", "rich", "openai", "joblib")
early = [name for name in heavy if name in sys.modules]
assert not early, f"imported before they are needed: {early}"
import ribs.archives._cvt_archive as cvt
import ribs.emitters._bayesian_opt_emitter as bayes
from ribs.archives import CVTArchive, k_means_centroids
"""
_LOOKED_AT = """
assert not {"sklearn", "scipy.stats"} & set(sys.modules)  # pandas has imported neither
assert abs(bayes.norm.cdf(0.0) - 0.5) < 1e-12
import scipy.stats
assert bayes.norm is scipy.stats.norm
"""
_CALLED = """
centroids = k_means_centroids(centroids=5, ranges=[(0, 1)] * 2, samples=200, seed=1)[0]
import sklearn.cluster, sklearn.exceptions, sklearn.neighbors, scipy.stats
assert cvt.k_means is sklearn.cluster.k_means and cvt.NearestNeighbors is sklearn.neighbors.NearestNeighbors
assert bayes.norm.cdf(0.0) == 0.5 and bayes.norm is scipy.stats.norm
assert bayes.GaussianProcessRegressor().n_targets is None
assert bayes.ConvergenceWarning is sklearn.exceptions.ConvergenceWarning
print(centroids.shape, CVTArchive(solution_dim=2, centroids=centroids, ranges=[(0, 1)] * 2).cells)
"""
_DATA_FRAME = """
import numpy as np
from qd.archives.lean import OpenGrid
archive = OpenGrid(solution_dim=2, dims=(4, 4), ranges=[(0, 1)] * 2)
archive.add(np.eye(2), np.ones(2), np.eye(2))
assert not {"pandas", "numba", "sklearn", "scipy.stats"} & set(sys.modules)
import ribs.archives
frame = archive.data(return_type="pandas")
import pandas
assert isinstance(frame, pandas.DataFrame) and type(frame) is ribs.archives.ArchiveDataFrame
print(len(frame))
"""
_FIRST = """
import sklearn.cluster
import qd.archives
from ribs.archives._cvt_archive import k_means
print(k_means is sklearn.cluster.k_means)
"""


def output(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.ci
def test_a_start_and_an_insertion_import_nothing_heavy_and_a_look_a_call_or_a_data_frame_does() -> None:
    """In one process, each step with what it needs and no more."""
    assert output(_START + _DATA_FRAME + _LOOKED_AT + _CALLED).splitlines() == ["2", "(5, 2) 5"]


def test_what_is_imported_already_stays() -> None:
    assert output(_FIRST) == "True"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from([-2.0, -0.0, 0.0, 0.5, 3.0])), min_size=1, max_size=30))
def test_the_first_of_the_largest_is_the_one_that_pyribs_takes(rows) -> None:
    group, values = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], np.float32)
    stand_in = hasty._Aggregate("numpy_groupies", "numpy_groupies", "aggregate_nb")
    expected = aggregate_nb(group, values, func="argmax", fill_value=-1)
    np.testing.assert_array_equal(stand_in(group, values, func="argmax", fill_value=-1), expected)
    expected = aggregate_nb(group, values, func="sum", fill_value=np.nan)  # as CMA-MAE's thresholds need it
    np.testing.assert_array_equal(stand_in(group, values, func="sum", fill_value=np.nan), expected)


@pytest.mark.ci
def test_jit_compiles_at_the_first_call_as_numba_does() -> None:
    from ribs.emitters.opt import CMAEvolutionStrategy

    strategy = CMAEvolutionStrategy(sigma0=0.5, solution_dim=3, batch_size=4, seed=1)
    strategy.reset(np.zeros(3))
    solutions = strategy.ask()
    strategy.tell(np.arange(4), np.arange(4.0), 2)
    assert solutions.shape == (4, 3) and np.isfinite(strategy.ask()).all()
