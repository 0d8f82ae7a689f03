"""What pyribs seldom calls is imported when it is called, and is then what it would have been."""

import subprocess
import sys

_START = """
import sys
import qd.runner.run, qd.fused, qd.search
late = [name for name in ("sklearn", "scipy.stats", "matplotlib", "rich", "openai", "joblib") if name in sys.modules]
assert not late, f"imported though nobody asked for it: {late}"
import ribs.archives._cvt_archive as cvt
import ribs.emitters._bayesian_opt_emitter as bayes
from ribs.archives import CVTArchive, k_means_centroids
"""
_CALLED = """
centroids = k_means_centroids(centroids=5, ranges=[(0, 1)] * 2, samples=200, seed=1)[0]
import sklearn.cluster, sklearn.exceptions, sklearn.neighbors, scipy.stats
assert cvt.k_means is sklearn.cluster.k_means and cvt.NearestNeighbors is sklearn.neighbors.NearestNeighbors
assert bayes.ConvergenceWarning is sklearn.exceptions.ConvergenceWarning and bayes.norm is scipy.stats.norm
print(centroids.shape, CVTArchive(solution_dim=2, centroids=centroids, ranges=[(0, 1)] * 2).cells)
"""
_LOOKED_AT = """
assert abs(bayes.norm.cdf(0.0) - 0.5) < 1e-12
import scipy.stats
assert bayes.norm is scipy.stats.norm
print("one")
"""
_FIRST = """
import sklearn.cluster
import qd.archives
from ribs.archives._cvt_archive import k_means
print(k_means is sklearn.cluster.k_means)
"""


def said(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_start_imports_it_not_and_a_call_does() -> None:
    assert said(_START + _CALLED) == "(5, 2) 5"


def test_a_look_is_enough() -> None:
    assert said(_START + _LOOKED_AT) == "one"


def test_what_is_imported_already_stays() -> None:
    assert said(_FIRST) == "True"
