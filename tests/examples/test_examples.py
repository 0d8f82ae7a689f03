"""Every example runs as a newcomer runs it, in a folder of his own, and shows what it says that it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((HOUSE / "examples").glob("*.py"))


def numbers(name: str, folder: Path) -> list[float]:
    """Runs a script and returns the numbers in its last lines, those after the progress."""
    env = os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, HOUSE / "examples" / f"{name}.py"]
    process = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    lines = [line for line in process.stdout.splitlines() if not line.startswith("gen ")]
    return [float(number.replace(",", "")) for number in re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?", "\n".join(lines))]


def test_every_example_is_short_and_in_the_table():
    table = (HOUSE / "examples/README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[(\w+\.py)\]\(\1\) \|", table, re.MULTILINE) and len(SCRIPTS) >= 8
    for script in SCRIPTS:
        text = script.read_text(encoding="utf-8")
        assert f"[{script.name}]({script.name})" in table
        assert len(text.splitlines()) <= 66
        assert f"python examples/{script.name}" in text.split('"""')[1]


def test_own_domain(tmp_path):
    occupied, cells = numbers("own_domain", tmp_path)
    assert cells == 2500 and occupied > 1500


def test_own_descriptor(tmp_path):
    elites, far, _, best = numbers("own_descriptor", tmp_path)
    assert 600 < elites <= 720 and far > 40 and best > 99


def test_cma_me(tmp_path):
    (coverage, _, best), (coverage_cma, _, best_cma) = (numbers("cma_me", tmp_path)[i : i + 3] for i in (0, 3))
    assert coverage_cma > coverage + 5 and min(best, best_cma) > 98


def test_gradients(tmp_path):
    without, _, with_gradients, score = numbers("gradients", tmp_path)
    assert with_gradients > 80 > 20 > without and score > 60


def test_learned_measures(tmp_path):
    _, before, after, _, _, _, evaluations, elites, best = numbers("learned_measures", tmp_path)
    assert after < before and evaluations >= 20_000 and elites > 400 and best > 98


def test_compare_methods(tmp_path):
    results = numbers("compare_methods", tmp_path)
    truth, pca, projection = results[0::4]
    assert truth > max(pca, projection) + 15 and min(pca, projection) > 20


def test_slow_simulator(tmp_path):
    throws, failed, evaluations = numbers("slow_simulator", tmp_path)
    assert throws > 80 and 20 < failed < 400 and evaluations >= 1000


def test_noisy_domain(tmp_path):
    archived, corrected = numbers("noisy_domain", tmp_path)
    assert corrected < -0.5 < archived


def test_judge_texts(tmp_path):
    *_, texts, elites, calls = numbers("judge_texts", tmp_path)
    assert texts == 40 and elites >= 5 and calls >= 80


def test_read_a_run(tmp_path):
    assert len(numbers("read_a_run", tmp_path)) > 20
    assert (tmp_path / "map.pdf").stat().st_size > 1000
    assert (tmp_path / "runs/example/domain=arm-s0/result.json").exists()
