"""XFoil (Drela 1989) as a held-out referee of airfoils: the program that NeuralFoil's networks learned from.

Debian has it: apt install xfoil. Each airfoil is one process with its own folder, which is stopped after ``patience`` seconds.
B batch.
"""

import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from domains.airfoils import shape
from qd.types import Array, Evaluation

_PROGRAM = "xfoil"
_ITERATIONS = 200
_CONVERGED = 1e-4  # XFoil's own limit of the root mean square change
_STEP = re.compile(r"rms:\s*(\S+).*?CL =\s*(-?\d+\.\d+).*?CD =\s*(-?\d+\.\d+)", re.DOTALL)


@dataclass(frozen=True)
class XFoil:
    """The held-out twin of ``Airfoils``: lift / drag of the same solutions by XFoil; NaN where it does not converge."""

    domain: Any  # Airfoils
    patience: float = 10.0  # seconds for one airfoil
    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        """Draws as the domain does; arguments as in ``Domain``."""
        return self.domain.sample(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Runs XFoil on each airfoil, as many at a time as there are cores.

        Args:
            keys: unused.
            solutions: [B, 18].

        Returns:
            Lift / drag, and the feature forces [B, 2] of lift and 10⁴ x drag; NaN where XFoil found no answer.
        """
        weights, angles = (np.asarray(part) for part in self.domain.decode(solutions))
        upper, lower = (np.asarray(side) for side in shape.surfaces(weights, shape.STATIONS))
        with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
            forces = list(threads.map(self._forces, upper, lower, angles))
        lift, drag = np.array(forces, np.float32).reshape(-1, 2).T
        return Evaluation(lift / drag, {"forces": np.stack([lift, 1e4 * drag], axis=1)})

    def _forces(self, upper: np.ndarray, lower: np.ndarray, angle: float) -> tuple[float, float]:
        """Returns lift and drag coefficients of one airfoil, NaN where there are none."""
        with tempfile.TemporaryDirectory() as folder:
            points = "".join(f"{x:.6f} {y:.6f}\n" for x, y in shape.loop(upper, lower))
            Path(folder, "shape.dat").write_text(f"elite\n{points}", encoding="ascii")
            commands = f"LOAD shape.dat\nPANE\nOPER\nVISC {self.domain.reynolds:.0f}\nITER {_ITERATIONS}\nALFA {angle:.4f}\n"
            settings = {"cwd": folder, "capture_output": True, "timeout": self.patience, "check": False}
            environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
            try:
                run = subprocess.run([_PROGRAM], input=f"{commands}\nQUIT\n".encode(), env=environment, **settings)
            except (subprocess.TimeoutExpired, OSError):
                return np.nan, np.nan
        return read(run.stdout.decode("ascii", "replace"))


def read(output: str) -> tuple[float, float]:
    """Reads lift and drag of what XFoil prints at each iteration.

    Debian's XFoil draws its answer, and ends where it has no screen for that: after the answer. Its exit status says nothing.

    Args:
        output: all of it.

    Returns:
        Lift and drag coefficients of the last iteration; NaN where it did not converge.
    """
    steps = _STEP.findall(output)
    if not steps or "Convergence failed" in output.rpartition("rms:")[2] or float(steps[-1][0]) > _CONVERGED:
        return np.nan, np.nan
    return float(steps[-1][1]), float(steps[-1][2])


def is_installed() -> bool:
    """Whether the program is on this machine."""
    return shutil.which(_PROGRAM) is not None
