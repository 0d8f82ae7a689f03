"""A run of a walker: what its folder records, its elites as policies, failures; engines by device."""

import json
import warnings

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="needs the extra 'walkers'")
pytest.importorskip("gymnasium", reason="needs the extra 'walkers'")

import jax

import qd
from domains.walkers import Walker, engine, mjx
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.cli.main import main
from qd.emitters.vary import IsoLine, Vary
from qd.search import start
from qd.types import Search

WORDS = ["run", "domain=hopper", "budget=24", "initial=16", "domain_defaults.batch_size=8", "console=off", "renderings=0"]


@pytest.fixture
def folder(tmp_path, monkeypatch, own_key):
    monkeypatch.chdir(tmp_path)
    assert main(WORDS) == 0
    (run,) = (tmp_path / "runs" / "hopper").iterdir()
    return run


def test_a_run_records_the_layout_and_its_elites_load_as_policies_in_three_lines(folder):
    layout = json.loads((folder / "archive.json").read_text())["layout"]
    assert [(name, tuple(shape)) for name, shape in layout] == list(Walker("hopper").layout)

    run = qd.load_run(folder)
    policy = run.policy(run.best["id"])
    action = policy(np.zeros(11))

    assert action.shape == (3,) and (abs(action) <= 1).all()
    weights, x, at = run.best.filter(like="solution_").to_numpy(np.float32), np.linspace(-1, 1, 11, dtype=np.float32), 0
    y = x
    for (_, (units,)), (_, shape) in zip(layout[::2], layout[1::2], strict=True):  # by hand, from what the file says
        bias, at = weights[at : at + units], at + units
        y, at = np.tanh(y @ weights[at : at + shape[0] * shape[1]].reshape(shape) + bias), at + shape[0] * shape[1]
    np.testing.assert_allclose(policy(x), y, rtol=1e-5, atol=1e-6)
    with pytest.raises(qd.UserError, match=r"4739 parameters, but .* has 5702; type the robot and the hidden sizes|parameters"):
        run.policy(run.best["id"], "walker2d")


def test_a_simulation_that_diverges_is_a_failed_row_that_enters_no_archive(monkeypatch):
    walker = Walker("hopper", steps=10)
    x, begin = walker.sample(keys.new(0), 6), engine.blank_start(walker.model, 6)
    begin.qvel[2] = 1e11
    monkeypatch.setattr(engine, "blank_start", lambda model, n: begin)
    search = Search(walker, Select("touch", walker.bounds), Grid((10,)), Vary(IsoLine(), 4))
    state, batch = start(search, keys.new(1), x)
    assert (batch.status == -1).tolist() == [False, False, True, False, False, False]
    assert batch.ids[2] not in state.archive.data("id")


def test_auto_takes_mjx_where_jax_has_an_accelerator_and_it_is_there(monkeypatch):
    assert not Walker("hopper", engine="auto").pure
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for there in (True, False):
        monkeypatch.setattr(mjx, "is_installed", lambda there=there: there)
        assert Walker("hopper", engine="auto").pure == there


def test_an_engine_that_is_not_there_says_what_to_install_and_a_slow_one_that_it_is_slow(monkeypatch):
    monkeypatch.setattr(mjx, "is_installed", lambda: False)
    with pytest.raises(
        ValueError, match="engine=mjx needs the package mujoco-mjx.*pip install --no-deps mujoco-mjx .*; or engine=mujoco"
    ):
        Walker("hopper", engine="mjx")
    monkeypatch.setattr(mjx, "is_installed", lambda: True)
    with pytest.warns(UserWarning, match="compiles for minutes on a CPU .* type engine=mujoco"):
        Walker("hopper", engine="mjx")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Walker("hopper", engine="mjx")
    with pytest.raises(ValueError, match="engine=warp is not supported.*type engine=mjx"):
        Walker("hopper", engine="warp")
