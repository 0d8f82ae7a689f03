"""A run that is killed while its critic trains ends as the run that was not: archive, critic and transitions."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from qd.cli.main import main
from qd.store import checkpoint
from tests.support.choices import want_packages_of

HOUSE = Path(__file__).resolve().parents[2]
WORDS = [
    "run", "domain=hopper", "emitter=pga_me", "domain.steps=60", "domain_defaults.batch_size=16", "initial=16", "budget=96",
    "emitter.td3.hidden=[32,32]", "emitter.td3.steps=4000", "emitter.td3.minibatch=32", "emitter.policy_steps=10",
    "emitter.replay=20000", "save_every=1", "save_seconds=0", "console=off", "log_every=16",
]  # fmt: skip
KILLED = """
import os, signal, sys
from qd.cli.main import main
from qd.emitters.policy_gradient import td3
train, calls = td3.train, []

def cut(*args):
    calls.append(1)
    learner = train(*args)
    if len(calls) == 3:
        print("training" if not learner.actor.is_ready() else "done", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return learner

td3.train = cut
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_killed_within_an_update_of_the_critic_it_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    want_packages_of("emitter/pga_me")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    monkeypatch.chdir(whole)
    assert main(WORDS) == 0
    env = os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu"}
    process = subprocess.run([sys.executable, "-c", KILLED, *WORDS], cwd=cut, env=env, capture_output=True, text=True)
    assert process.returncode == -signal.SIGKILL and process.stdout.endswith("training\n"), process.stdout + process.stderr
    assert not list(cut.rglob("result.json"))
    monkeypatch.chdir(cut)
    assert main(WORDS) == 0
    (one,), (other,) = (list(folder.glob("runs/hopper/*")) for folder in (whole, cut))
    with np.load(one / "archive.npz") as a, np.load(other / "archive.npz") as b:
        assert a.files == b.files and len(a["id"]) > 3
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    states = [checkpoint.load(run / "checkpoint", print).state for run in (one, other)]
    assert states[0].evaluations == 96 and int(states[0].memory.replay.size) > 1000
    jax.tree.map(np.testing.assert_array_equal, states[0].memory, states[1].memory)
