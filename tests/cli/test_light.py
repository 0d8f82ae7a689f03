"""Commands that build no component, and words that are refused, import no JAX: they answer within half a second."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qd.cli.main import main

HOUSE = Path(__file__).resolve().parents[2]
RUN = "runs/arm/domain.joints=3-s0"
ANSWERS = {
    f"plot {RUN}": 0,
    f"query {RUN} objective>=0": 0,
    f"export {RUN} --format csv --out elites.csv": 0,
    f"select {RUN} --n 3": 0,
    "collect runs/arm": 0,
    f"report {RUN}": 0,
    "doctor domain=nope": 1,
    "run domain=nope": 1,
    "run archive.dim=50": 1,
    "run emitter.variation.lin=1": 1,
    "run domain=text lm=toy lm.max_token=3": 1,
    "run lm.max_tokens=3": 1,
    "ask nowhere": 1,
    "tell nowhere results.jsonl": 1,
    "import nowhere domain=arm": 1,
    "import elites.csv domain=nope": 1,
    "study nope": 1,
}
PROGRAM = """
import json, sys
from qd.cli.main import main
answers = {}
for words in json.loads(sys.argv[1]):
    answers[words] = [main(words.split()), "jax" in sys.modules]
print(json.dumps(answers))
"""


@pytest.mark.ci
def test_commands_that_build_nothing_import_no_jax(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "budget=600", "domain.joints=3", "console=off"]) == 0
    assert capfd.readouterr().err == ""
    env = os.environ | {"PYTHONPATH": str(HOUSE)}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(list(ANSWERS))], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1]) == {words: [status, False] for words, status in ANSWERS.items()}
