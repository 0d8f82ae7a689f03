#!/usr/bin/env bash
# mujoco-core 4.0.1 on Linux. Guess: nthread=0 means the same in mujoco.batch and mujoco.rollout, two ways of the same package to run many simulations; where
# it means "all CPUs", it counts those the process may use.
# Observed: in Batch 0, which is the default, means all CPUs; in Rollout 0, which is the default too, means no thread beside the caller. Batch counts the
# CPUs of the machine, also where taskset leaves the process a single one.
# Why it matters: a search that changes from one to the other with the same setting takes a whole shared machine, or falls to one core.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q mujoco-core==4.0.1 numpy==2.4.6
cat > "$work/threads.py" <<'PYTHON'
import os

import mujoco
from mujoco.batch import Batch
from mujoco.rollout import Rollout


def threads():
    return len(os.listdir("/proc/self/task"))


model = mujoco.MjModel.from_xml_string("<mujoco/>")
before = threads()
batch = Batch(model, 8, nthread=0)
in_batch, default = threads() - before, Batch(model, 8).nthread
before = threads()
pool = Rollout(nthread=0)
in_rollout = threads() - before
allowed, cpus = len(os.sched_getaffinity(0)), os.cpu_count()
print("mujoco", mujoco.__version__, "| CPUs:", cpus, "allowed:", allowed, "| Batch:", batch.nthread, "started:", in_batch, "| started by Rollout:", in_rollout)
assert batch.nthread == default == cpus and in_batch == cpus - 1 and in_rollout == 0 and Rollout().nthread == 0
PYTHON
"$work/env/bin/python" "$work/threads.py"
cpu=$("$work/env/bin/python" -c "import os; print(min(os.sched_getaffinity(0)))")
taskset -c "$cpu" "$work/env/bin/python" "$work/threads.py"
