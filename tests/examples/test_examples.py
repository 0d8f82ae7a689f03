"""Every example runs as a newcomer runs it, in a folder of his own, and shows what it says that it shows.

The long ones do so in the long tests; of two of them, the quick tests do a small part of the evaluations.
"""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((HOUSE / "examples").glob("*.py"))


@pytest.fixture
def numbers(tmp_path, monkeypatch, capsys):
    """Runs a script in this process and returns the numbers in its last lines, those after the progress."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(HOUSE))

    def run(name: str, old: str = "", new: str = "") -> list[float]:
        text = (HOUSE / "examples" / f"{name}.py").read_text(encoding="utf-8")
        assert old in text
        text = text.replace(old, new)
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        runpy.run_path(str(tmp_path / f"{name}.py"), run_name="__main__")
        return numbers_in(capsys.readouterr().out)

    return run


def in_a_process(name: str, folder: Path) -> list[float]:
    """Runs a script that starts processes and returns the numbers in its last lines."""
    env = os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, HOUSE / "examples" / f"{name}.py"]
    process = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    return numbers_in(process.stdout)


def numbers_in(output: str) -> list[float]:
    lines = [line for line in output.splitlines() if not line.startswith("gen ")]
    return [float(number.replace(",", "")) for number in re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?", "\n".join(lines))]


def test_every_example_is_short_and_in_the_table():
    table = (HOUSE / "examples/README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[(\w+\.py)\]\(\1\) \|", table, re.MULTILINE) and len(SCRIPTS) >= 8
    for script in SCRIPTS:
        text = script.read_text(encoding="utf-8")
        assert f"[{script.name}]({script.name})" in table
        assert len(text.splitlines()) <= 66
        assert f"python examples/{script.name}" in text.split('"""')[1]


@pytest.mark.ci
def test_own_domain(numbers):
    occupied, cells = numbers("own_domain")
    assert cells == 2500 and occupied > 1500


@pytest.mark.ci
def test_own_descriptor(numbers):
    elites, far, _, best = numbers("own_descriptor")
    assert 600 < elites <= 720 and far > 40 and best > 99


LONG = {  # name -> evaluations as they stand, a small part of them, numbers printed
    "gradients": ("15_000", "1_000", 4),
    "compare_methods": ("10_000", "1_000", 12),
}


@pytest.mark.ci
@pytest.mark.parametrize("name", LONG)
def test_long_ones_run_at_a_small_part_of_their_size(numbers, name):
    old, new, count = LONG[name]
    assert len(numbers(name, old, new)) == count


@pytest.mark.slow
def test_cma_me(numbers):
    (coverage, _, best), (coverage_cma, _, best_cma) = (numbers("cma_me")[i : i + 3] for i in (0, 3))
    assert coverage_cma > coverage + 5 and min(best, best_cma) > 98


@pytest.mark.slow
def test_gradients(numbers):
    without, _, with_gradients, score = numbers("gradients")
    assert with_gradients > 80 > 20 > without and score > 60


@pytest.mark.slow
def test_learned_measures(numbers):
    _, before, after, _, _, _, evaluations, elites, best = numbers("learned_measures")
    assert after < before and evaluations >= 20_000 and elites > 400 and best > 98


@pytest.mark.slow
def test_compare_methods(numbers):
    results = numbers("compare_methods")
    truth, pca, projection = results[0::4]
    assert truth > max(pca, projection) + 15 and min(pca, projection) > 20


@pytest.mark.ci
def test_slow_simulator(tmp_path):
    throws, failed, evaluations = in_a_process("slow_simulator", tmp_path)
    assert throws > 80 and 20 < failed < 400 and evaluations >= 1000


@pytest.mark.ci
def test_noisy_domain(numbers):
    archived, corrected = numbers("noisy_domain")
    assert corrected < -0.5 < archived


def test_judge_texts(numbers):
    *_, texts, elites, calls = numbers("judge_texts")
    assert texts == 40 and elites >= 5 and calls >= 80


@pytest.mark.ci
def test_read_a_run(numbers, tmp_path):
    assert len(numbers("read_a_run")) > 20
    assert (tmp_path / "map.pdf").stat().st_size > 1000
    assert (tmp_path / "runs/example/domain=arm-s0/result.json").exists()
