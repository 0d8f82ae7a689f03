"""openevolve's example of symbolic regression with data of ours: its own generator writes program, evaluator and config.

The example draws its tasks from LLM-SRBench on the network. Here its functions ``create_program``, ``create_evaluator`` and
``create_config`` get one task: the acceleration of a damped oscillator that is driven, from time, place and speed.
"""

import os
import subprocess
import sys
from pathlib import Path

_GENERATE = """
import sys, types
for name in ("bench", "bench.datamodules"):  # what reads the network
    sys.modules[name] = types.ModuleType(name)
sys.modules["bench.datamodules"].get_datamodule = None
import numpy as np
import data_api
rng = np.random.default_rng(0)
def draw(n):
    t, x, v = rng.uniform(0, 10, n), rng.uniform(-2, 2, n), rng.uniform(-2, 2, n)
    return np.stack([0.3 * np.sin(t) - 0.5 * v - 1.2 * x - 0.4 * x * v - 0.2 * x**3, t, x, v], 1)
task = {"train": draw(400), "test": draw(200), "ood_test": None, "symbols": ["a", "t", "x", "v"],
        "symbol_descs": ["acceleration", "time", "place", "speed"], "symbol_properties": ["O", "V", "V", "V"],
        "expression": "", "dataset_identifier": "oscillator", "equation_idx": "0"}
for create in (data_api.create_program, data_api.create_evaluator, data_api.create_config):
    create(task)
"""


def make(example: Path, temporary: Path) -> Path:
    """Writes the project where it does not stand yet.

    Args:
        example: the folder ``symbolic_regression`` of openevolve's examples.
        temporary: where it is written.

    Returns:
        The folder of the project.
    """
    project = temporary / "problems/oscillator/0"
    if not (project / "config.yaml").exists():
        env = os.environ | {"PYTHONPATH": str(example)}
        subprocess.run([sys.executable, "-c", _GENERATE], cwd=temporary, env=env, check=True, stdout=subprocess.DEVNULL)
        evaluator = project / "evaluator.py"
        text = evaluator.read_text(encoding="utf-8")
        evaluator.write_text(
            text.replace("'./problems/", f"'{temporary}/problems/"), encoding="utf-8"
        )  # its data, from any folder
    return project
