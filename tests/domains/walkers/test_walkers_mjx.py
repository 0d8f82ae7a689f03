"""MJX plays what the C engine plays, up to float32: steps, rewards, ends, feet; in a process of its own, half a minute."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mujoco.mjx", reason="needs mujoco-mjx")
pytest.importorskip("gymnasium", reason="needs the extra 'walkers'")

HOUSE = Path(__file__).resolve().parents[3]
QUICKLY = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
CASE = """
from dataclasses import replace
import jax, numpy as np
from domains.walkers import Walker
from qd import keys

walker = Walker("hopper", engine="mjx", steps=50)
x = walker.sample(keys.new(0), 3)
x[2, 0] = np.nan
theirs = jax.tree.map(np.asarray, jax.jit(walker.evaluate)(None, x))
ours = replace(walker, engine="mujoco").evaluate(None, x)
assert np.isnan(theirs.objective).tolist() == np.isnan(ours.objective).tolist() == [False, False, True]
np.testing.assert_allclose(theirs.objective[:2], ours.objective[:2], rtol=1e-4)
for name in ("lengths", "fell", "touch"):
    np.testing.assert_allclose(theirs.features[name][:2], ours.features[name][:2], rtol=1e-6, err_msg=name)
for name in ("observations", "actions", "rewards", "position"):
    np.testing.assert_allclose(theirs.features[name][:2], ours.features[name][:2], atol=2e-3, err_msg=name)
assert sorted(ours.features["lengths"][:2, 0].tolist())[0] < 50  # one of them falls
print("same")
"""


@pytest.mark.slow
def test_it_plays_what_the_c_engine_plays():
    env = os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": QUICKLY}
    done = subprocess.run([sys.executable, "-c", CASE], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("same\n"), done.stdout + done.stderr[-3000:]
