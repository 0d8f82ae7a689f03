"""driver=steady: workers do not wait for each other, and the recorded order gives the same archive again."""

import re
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from qd.config.build import locate
from qd.config.compose import assemble, load
from qd.emitters.ribs import Ribs
from qd.emitters.vary import Vary
from qd.remote import order
from qd.remote.steady import Steady
from qd.store import metrics_file
from qd.support import run_files
from qd.support.conf import conf
from qd.support.errors import UserError
from tests.remote.test_runs import start
from tests.support.choices import choices
from tests.support.workers.runs import compare, run

pytestmark = pytest.mark.usefixtures("own_key")
STEADY = {"driver": {"name": "steady"}}
UNLIKE = {"seconds": 0.01, "unlike": True}  # evaluations that take unlike times
CAN = {
    "gaussian",
    "integers",
    "isoline",
    "isoline_gaits",
    "isoline_policies",
    "mixed",
    "mixed_tuned",
    "mixed_words",
    "proxies",
    "ribs_gaussian",
    "ribs_isoline",
    "tiles",
}


def entries(path: Path) -> list[order.Entry]:
    return [order.Entry(*map(int, line.split(","))) for line in (path / run_files.ORDER).read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run of the steady-state driver that nothing cut off."""
    path = tmp_path_factory.mktemp("steady") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(path.parent / "home"))
        run(path, workers=3, of_domain=UNLIKE, remote={"chunk": 1}, **STEADY)
    return path


@pytest.mark.ci
def test_results_are_told_as_they_come_back(whole):
    recorded = entries(whole)
    asks = [entry.ask for entry in recorded]
    assert len(asks) == 300 - 25 and asks != sorted(asks) and len(set(asks)) == len(asks)
    assert {entry.before for entry in recorded} == {4}  # three workers, and one ask ahead
    table = metrics_file.metrics(whole / "metrics.csv")
    assert table["evals"][-1] == 300 and not table["failed"][-1] and (np.diff(table["coverage"]) >= 0).all()
    assert ((table["idle"] >= 0) & (table["idle"] < 1)).all()


@pytest.mark.parametrize("engine", [{"engine": "serial"}, None], ids=["serial", "two workers"])
def test_the_recorded_order_gives_the_same_archive_again(tmp_path, whole, engine):
    more = {"remote": {"chunk": 1} | engine} if engine else {"remote": {"chunk": 1}, "workers": 2}
    run(tmp_path / "again", driver={"name": "steady", "order": str(whole)}, **more)
    compare(whole, tmp_path / "again")
    assert entries(tmp_path / "again") == entries(whole)


@pytest.mark.slow
def test_a_killed_run_repeats_what_it_recorded_and_goes_on(tmp_path):
    log, path = tmp_path / "log", tmp_path / "killed"
    of_domain = UNLIKE | {"seconds": 0.03, "log": str(log)}  # 170 to 300 evaluations last longer than a busy machine looks away
    settings = {"workers": 2, "of_domain": of_domain, "remote": {"chunk": 1}, "save_every": 120, **STEADY}
    process = start(path, **settings)
    while not (path / run_files.ORDER).exists() or len(entries(path)) < 170:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    recorded = entries(path)
    assert start(path, **settings).wait() == 0
    assert entries(path)[: len(recorded)] == recorded
    counts = Counter(log.read_text().splitlines())
    assert sum(count - 1 for count in counts.values()) <= 3 + 2  # what was under way, and the rehearsal
    run(tmp_path / "again", driver={"name": "steady", "order": str(path)}, remote={"chunk": 1, "engine": "serial"})
    compare(path, tmp_path / "again")


def test_objects_chunks_and_failures_work_too(tmp_path):
    run(tmp_path / "pairs", "pairs", workers=2, budget=200, **STEADY)
    run(
        tmp_path / "again",
        "pairs",
        budget=200,
        driver={"name": "steady", "order": str(tmp_path / "pairs")},
        remote={"engine": "serial"},
    )
    compare(tmp_path / "pairs", tmp_path / "again")
    poison = {"_target_": "tests.support.workers.domains.Unlucky", "kind": "raised", "above": 0.9}
    result = run(tmp_path / "poison", workers=2, of_domain=poison, remote={"retries": 0}, budget=200, **STEADY)
    assert result["failures"]["raised"] == result["metrics"]["failed"] > 0


@pytest.mark.parametrize("emitter", ["isoline", "ribs_gaussian", "cma_me", "cma_me_jax", "omg_mega", "novelty", "pool"])
def test_emitters_that_learn_from_each_batch_are_refused_by_name(emitter):
    words = ["domain=sphere", f"emitter={emitter}", "workers=2", "driver=steady"]
    if emitter in CAN:
        assert assemble(load(words)).run == Steady()
        return
    with pytest.raises(UserError, match=r"wants new solutions before the results of the last ones, which \w+.* cannot make"):
        assemble(load(words))


def test_every_emitter_of_conf_that_can_is_known():
    able = set()
    for name in choices("emitter"):
        node = yaml.safe_load((conf() / f"emitter/{name}.yaml").read_text(encoding="utf-8"))
        if node.get("defaults", ["_self_"])[0] in choices("emitter"):  # made from another choice
            node = yaml.safe_load((conf() / f"emitter/{node['defaults'][0]}.yaml").read_text(encoding="utf-8")) | node
        kind = locate(str(node.get("_target_", "qd.emitters.sparse.serene.Serene")), "emitter")
        if kind is Vary or (kind is Ribs and node["emitter"] in ("GaussianEmitter", "IsoLineEmitter")):
            able.add(name)
        else:
            assert kind is Ribs or "steady" not in vars(kind)
    assert able == CAN


def test_it_needs_workers_and_an_order_that_is_there(tmp_path):
    with pytest.raises(UserError, match="driver=steady keeps workers busy, and there are none; type workers=4"):
        assemble(load(["domain=sphere", "driver=steady"]))
    with pytest.raises(UserError, match="is no run of driver=steady; type driver.order=RUN"):
        run(tmp_path / "run", driver={"name": "steady", "order": str(tmp_path)}, remote={"engine": "serial"})


def test_an_order_that_was_cut_short_is_read_as_far_as_it_is_whole(tmp_path):
    file = tmp_path / run_files.ORDER
    file.write_text("ask,before\n0,4\n2,4\n1")
    recorded = order.Order.open(str(tmp_path), None)
    assert (recorded.at(1), recorded.at(2)) == (order.Entry(2, 4), None)
    recorded.add(1, 2, 4)
    recorded.add(2, 1, 3)
    assert file.read_text() == "ask,before\n0,4\n2,4\n1,3\n"
    file.write_text("ask,before\n0,x\n")
    with pytest.raises(UserError, match=r"order\.csv is damaged"):
        order.Order.open(str(tmp_path), None)


def test_the_guide_names_the_emitters_that_can():
    guide = (Path(__file__).parents[2] / "docs/guides/clusters.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"^Those that can: (.*)\.$", guide, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", sentence)) == CAN
