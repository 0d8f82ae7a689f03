"""Words that are no KEY=VALUE are refused with the command that was meant, in no time, and nothing is run."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from qd.cli.main import main
from qd.config import compose
from qd.config.guess import correct

HOUSE = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("arm", "domain=arm"),
        ("stax", "recipe=stax"),
        ("cma_me", "emitter=cma_me"),
        ("amr seed=3", "domain=arm seed=3"),
        ("budget 1000", "budget=1000"),
        ("domain=arm bugdet 1000", "domain=arm budget=1000"),
        ("--seed 3", "seed=3"),
        ("--budget=1000", "budget=1000"),
        ("--save-every 10", "save_every=10"),
        ("--domain sphere --domain.joints 5", "domain=sphere domain.joints=5"),
        ("seed = 4", "seed=4"),
        ("seed: -4", "seed=-4"),
        ("seeds 5 arm", "seeds=5 domain=arm"),
        ("-m arm seed=0,1", "-m domain=arm seed=0,1"),
    ],
)
def test_what_was_meant_is_shown_whole(words, meant, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", *words.split()]) == 1
    error = capsys.readouterr().err
    assert error.startswith("qd: cannot read ") and error.endswith(f"; type qd run {meant}\n") and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["domain=arm", "~referee", "+keep=[x]", "hydra/launcher=joblib"],
        ["-m", "seed=0,1", "--cfg", "job", "--config-dir=arm", "-cd", "arm", "--info", "all"],
        ["name=my", "test", "run"],  # a blank in a value: no choice and no setting
        ["1000", "", "=3", "-", "--", "budget", "--seed"],
    ],
)
def test_what_is_no_riddle_stays(words):
    assert correct(words) == words


def test_a_choice_of_ones_own_is_known(tmp_path, monkeypatch):
    (tmp_path / "conf/domain").mkdir(parents=True)
    (tmp_path / "conf/domain/pendulum.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert correct(["pendulum"]) == ["domain=pendulum"]


def test_other_commands_show_the_words(capsys):
    assert main(["doctor", "arm", "seed=3"]) == 1
    assert capsys.readouterr().err == "qd: cannot read 'arm'; type domain=arm seed=3\n"


def test_an_endpoint_without_prices_names_all_that_is_to_be_typed():
    with pytest.raises(
        ValueError, match="^lm.price.in and lm.price.out are not set; type lm.price.in=... lm.price.out=... .the"
    ):
        compose.load(["lm=openai"])


@pytest.mark.parametrize("words", [["arm"], ["archive.dims=50"], ["lm=openai"], ["--seed", "3"]])
def test_it_takes_little_time_and_no_jax(words, tmp_path):
    code = "import sys; from qd.cli.main import main; assert main(sys.argv[1:]) == 1 and 'jax' not in sys.modules"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command, env = [sys.executable, "-c", code, "run", *words], {"PYTHONPATH": str(HOUSE)}
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run.returncode == 0 and run.stderr.startswith("qd: ") and run.stderr.count("\n") == 1
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.6
