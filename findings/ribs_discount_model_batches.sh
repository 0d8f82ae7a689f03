#!/usr/bin/env bash
# ribs 0.12.0 with torch 2.14.1 (the download is several gigabytes), CPU. Guess: `DiscountModelManager.inference(measures,
# batch_size=n)` returns one discount for each measure and only limits how many go through the model at once, as documented.
# Observed: only the last chunk comes back: 10 measures in chunks of 4 give 2 values, those of measures 8 and 9. Without
# `batch_size`, and in chunks that hold everything, all 10 come. Why it matters: nothing is raised, and two values broadcast
# against two elites, or one against all, go on as numbers. The archive of the same package never gives `batch_size`.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q ribs==0.12.0 torch==2.14.1 numpy==2.4.6
"$work/env/bin/python" - <<'PYTHON'
import numpy as np
import ribs
import torch
from ribs.discount_models import MLP, DiscountModelManager

torch.manual_seed(0)
model = MLP([(2, 8), (8, 1)], torch.nn.ReLU)
manager = DiscountModelManager(
    model, torch.optim.Adam(model.parameters()), torch.device("cpu"),
    train_epochs=1, train_cutoff_loss=0.0, train_batch_size=4,
)
measures = np.linspace(0, 1, 20, dtype=np.float32).reshape(10, 2)
whole, chunks, enough = (manager.inference(measures, batch_size=n) for n in (None, 4, 10))
print("ribs", ribs.__version__, "| torch", torch.__version__)
print("10 measures, all at once:", whole.shape, "| chunks of 4:", chunks.shape, "| chunks of 10:", enough.shape)
print("the two values are those of measures 8 and 9:", np.allclose(chunks, whole[8:]))
assert whole.shape == enough.shape == (10,) and chunks.shape == (2,) and np.allclose(chunks, whole[8:])
PYTHON
