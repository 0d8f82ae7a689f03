"""A run of the command line, read back into pandas: elites, metrics, history, figures.

    python examples/read_a_run.py

No code that the folder names is run, so that folders of others are safe to read.
"""

import subprocess
import sys
from pathlib import Path

import qd

folder = Path("runs/example/domain=arm-s0")
if not folder.exists():
    subprocess.run([sys.executable, "-m", "qd", "run", "domain=arm", "budget=5000", "name=example"], check=True)

run = qd.load_run(folder)
print(run)
print(run.elites.nlargest(3, "objective")[["id", "objective", "measures_0", "measures_1"]])
print(run.metrics[["evals", "coverage", "qd_score"]].tail(3))

additions = run.history.groupby("generation").size()  # solutions that entered the archive
print(f"{additions.iloc[0]} entered in generation 0, {additions.iloc[-1]} in the last")

angles = run.solution(run.best["id"])
print(f"best pose, objective {run.best['objective']:.1f}: {angles.round(1)}")
run.figure("heatmap").savefig("map.pdf")
