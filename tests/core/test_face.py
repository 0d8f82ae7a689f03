"""The library's face: public names, the driver, composing without a command line, progress."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import qd
from domains.arm import Arm
from feedback.descriptors.pca import PCA
from feedback.descriptors.select import Select
from qd import fused
from qd.archives import CVT, Grid
from qd.driver import choose
from qd.emitters import Gaussian, IsoLine, Vary
from qd.search import run as run_on_host
from tests.support.searches import same

HOUSE = Path(__file__).resolve().parents[2]
SEARCH = qd.Search(Arm(4), Select("gripper", ((-1, 1), (-1, 1))), Grid((10, 10)), Vary(IsoLine(), 32))


def begun(search: qd.Search = SEARCH, seed: int = 0) -> qd.State:
    return qd.start(search, qd.keys.new(seed), search.domain.sample(qd.keys.new(seed + 1), 32))[0]


@pytest.mark.parametrize("package", [qd, qd.emitters, qd.archives], ids=lambda package: package.__name__)
def test_every_public_name_resolves_and_is_listed(package):
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="nothing_of_ours"):
        _ = package.nothing_of_ours


def test_the_tables_of_lazy_names_are_those_that_are_typed():
    assert dir(qd) == sorted(qd.__all__)
    assert dir(qd.emitters) == sorted(qd.emitters.__all__)


def test_importing_qd_loads_nothing_heavy():
    heavy = "{'jax', 'numpy', 'pandas', 'hydra', 'rich', 'matplotlib'}"
    program = f"import sys, qd, qd.emitters; dir(qd); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=HOUSE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.ci
def test_a_search_in_python_needs_no_hydra():
    program = (
        "import sys; from tests.core.test_face import begun, qd, SEARCH; "
        "[_ for _ in qd.progress(qd.run(SEARCH, begun(), 200), mode='off')]; print('hydra' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=HOUSE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_type_checkers_see_the_public_names(tmp_path):
    pytest.importorskip("pyright")
    program = (
        "import qd\nfrom qd.emitters import Vary\n"
        "reveal_type(qd.run)\nreveal_type(qd.Batch)\nreveal_type(qd.load_run)\nreveal_type(Vary)\n"
        "reveal_type(qd.keys.new)\nreveal_type(qd.archives.Grid)\nqd.no_such_name\n"
    )
    (tmp_path / "program.py").write_text(program)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(HOUSE)]}))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(tmp_path)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)["generalDiagnostics"]
    types = [each["message"] for each in found if each["severity"] == "information"]
    assert len(types) == 6 and not any("Unknown" in text or 'Any"' in text for text in types), types
    errors = [each["message"] for each in found if each["severity"] == "error"]
    assert len(errors) == 1 and "no_such_name" in errors[0]


@pytest.mark.parametrize("archive", [Grid((10, 10)), CVT(50, samples=1000)], ids=["grid", "cvt"])
def test_run_takes_the_fused_driver_and_gives_the_archive_that_it_gives_at_once(archive):
    search = SEARCH._replace(archive=archive)
    assert choose(search) is fused.run
    states = [state for state, _ in qd.run(search, begun(search), 2000, every=300)]
    (*_, (at_once, _)) = fused.run(search, begun(search), 2000)
    assert len(states) == 7
    same(states[-1], at_once)


def test_run_is_the_loop_on_the_host_where_a_component_is_not_pure():
    search = SEARCH._replace(emitter=Vary(Gaussian(), 32, pure=False))
    (*_, (ours, batch)) = qd.run(search, begun(search), 500)
    (*_, (theirs, _)) = run_on_host(search, begun(search), 500)
    assert len(batch.ids) == 32
    same(ours, theirs)


def test_run_gives_what_the_command_gives(tmp_path, monkeypatch, own_key):
    monkeypatch.chdir(tmp_path)
    from qd.cli.main import main

    words = ["domain=arm", "archive.dims=[10,10]", "seed=3"]
    assert main(["run", *words, "budget=3000", "console=off", "name=arm"]) == 0
    search, referee, run, _ = qd.compose(words)
    assert referee is None and run is fused.run
    sample_key, key = qd.keys.split(qd.keys.new(3))
    state, _ = qd.start(search, key, search.domain.sample(sample_key, 100))
    (*_, (state, _)) = qd.run(search, state, until=3000)
    (folder,) = tmp_path.glob("runs/arm/*")
    np.testing.assert_array_equal(np.sort(state.archive.data("id")), qd.load_run(folder).elites["id"])


def test_refit_learns_between_segments():
    search = SEARCH._replace(descriptor=PCA(reads=("angles",)))
    state = begun(search)
    before = state.params.axes
    for state, _ in qd.run(search, state, 500):
        pass
    assert (qd.refit(search, state).params.axes != before).any()


def test_compose_names_the_nearest_choice():
    with pytest.raises(qd.UserError, match="cvt"):
        qd.compose(["archive=cv"])


def test_progress_hands_on_all_batches_and_shows_the_last_row():
    file = io.StringIO()
    generations = qd.run(SEARCH, begun(), 1000, every=100)
    steps = list(qd.progress(generations, every=0.0, file=file))
    *_, last = file.getvalue().splitlines()
    evaluations = steps[-1][0].evaluations
    assert [batch.first for _, batch in steps] == sorted({batch.first for _, batch in steps})
    assert f"{evaluations:,}/1,000" in last and "coverage" in last and "best" in last


def test_progress_ends_with_one_plain_line_where_it_is_quick():
    file = io.StringIO()
    for _ in qd.progress(qd.run(SEARCH, begun(), 1000), file=file):
        pass
    assert len(file.getvalue().splitlines()) == 1


def test_progress_goes_quietly_where_it_is_left():
    file = io.StringIO()
    for _ in qd.progress(qd.run(SEARCH, begun(), 1000, every=100), "live", file=file):
        break
    assert "coverage" in file.getvalue()
