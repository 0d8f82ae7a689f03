#!/usr/bin/env bash
# dask and distributed 2026.8.0. Guess: once its futures are released and its client is closed, a task leaves nothing behind in the process.
# Observed: the name of every task stays in the process. dask.utils.key_split, which the scheduler and the workers call for each task, keeps its last
# 100,000 arguments in a cache of the functools module, and names of single tasks are all different. Clearing the cache releases them.
# Why it matters: a search that names each evaluation by its solution, so that a repeated one is not computed again, grows with every
# evaluation, and looks like a leak of its own.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q dask==2026.8.0 distributed==2026.8.0
cd "$work" && "$work/env/bin/python" - <<'PYTHON'
import dask, distributed
from dask.utils import key_split

sizes = [key_split.cache_info().currsize]
with distributed.Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
    for generation in range(3):
        keys = [f"evaluate-{generation}-{row}" for row in range(200)]
        futures = client.map(abs, range(200), key=keys)
        assert client.gather(futures) == list(range(200))
        client.cancel(futures)
        del futures
        sizes.append(key_split.cache_info().currsize)
sizes.append(key_split.cache_info().currsize)
print("dask", dask.__version__, "| distributed", distributed.__version__, "| names in the cache: before, after each 200 tasks, after close:", sizes)
assert sizes[0] == 0 and sizes[4] >= sizes[3] >= 600 and key_split.cache_info().maxsize == 100_000
key_split.cache_clear()
assert key_split.cache_info().currsize == 0
PYTHON
