#!/usr/bin/env bash
# mujoco-core 4.0.1. Guess: a simulation of mujoco.batch.Batch with NaN or a huge number in its velocity gets a status other than 0 or stays NaN, and
# mujoco.rollout does the same with the same row (second guess, after seeing Batch: rollout starts the row again too).
# Observed: Batch.step sets the row back to the initial state of the model, at time 0, and simulates the remaining substeps from there; status is 0, no
# exception, and only the counter in batch.warning and a line on stderr tell. rollout also sets the row back, but then stops it and repeats that
# state to the end of the trajectory. mj_step is as Batch.
# Why it matters: a walker that blew up stands at its start again and earns the reward of being upright. Check batch.warning after each step.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q mujoco-core==4.0.1 numpy==2.4.6
cd "$work" && "$work/env/bin/python" - 2>stderr <<'PYTHON'
import mujoco, numpy as np
from mujoco import rollout
from mujoco.batch import Batch

model = mujoco.MjModel.from_xml_string(
    '<mujoco><worldbody><body><joint type="slide" axis="1 0 0"/><geom size=".1" mass="1"/></body></worldbody></mujoco>'
)
start = np.array([[7, 3, 1], [7, 3, np.nan], [7, 3, 1e11]])  # time, position, velocity of three simulations
batch = Batch(model, 3, nthread=1)
batch.time, batch.qpos, batch.qvel = start[:, 0], start[:, 1:2], start[:, 2:]
batch.step(nstep=4)
warnings = batch.warning[:, mujoco.mjtWarning.mjWARN_BADQVEL, 1].tolist()
states = rollout.rollout(model, mujoco.MjData(model), start, nstep=4)[0]
print("mujoco", mujoco.__version__, "| Batch: time", batch.time.round(6), "position", batch.qpos.ravel().round(6), "status", batch.status, "warnings", warnings)
print("rollout: time of the four substeps", states[:, :, 0].round(6).tolist())
assert np.allclose(batch.time, [7.008, 0.008, 0.008]) and batch.qpos[1:].tolist() == [[0], [0]] and not batch.status.any() and warnings == [0, 1, 1]
assert np.allclose(states[:, :, 0], [[7.002, 7.004, 7.006, 7.008], [0.002] * 4, [0.002] * 4])
PYTHON
