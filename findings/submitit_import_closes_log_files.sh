#!/usr/bin/env bash
# submitit 1.5.4 on Python 3.11. Guess: importing a job launcher leaves the logging of the program alone, or adds a handler to its own logger.
# Observed: the import configures the logging module (logging.config.dictConfig), which flushes and closes every handler of the process. A log file
# opened with mode "w" before the import stays attached to its logger and writes nothing more; a MemoryHandler loses its target. No warning.
# A file of mode "a" opens itself again, so most programs do not notice. SUBMITIT_LOG_LEVEL=NOCONFIG avoids it.
# Why it matters: a launcher imported late, where it is needed, ends the log of the run.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q submitit==1.5.4
cat > "$work/log.py" <<'PYTHON'
import logging
import logging.handlers
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
folder.mkdir()
log = logging.getLogger("my.search")
log.setLevel(logging.INFO)
for mode in "wa":
    log.addHandler(logging.FileHandler(folder / mode, mode=mode))
memory = logging.handlers.MemoryHandler(100, target=logging.FileHandler(folder / "memory", mode="a"))
log.addHandler(memory)
log.info("before")
import submitit  # noqa: E402

log.info("after")
memory.flush()
lines = {path.name: path.read_text().split() for path in sorted(folder.iterdir())}
print("submitit", submitit.__version__, "| handlers attached:", len(log.handlers), "| lines by file:", lines)
both = ["before", "after"]
expected = {"a": both, "memory": both, "w": both} if sys.argv[2] == "untouched" else {"a": both, "memory": ["before"], "w": ["before"]}
assert lines == expected and len(log.handlers) == 3
PYTHON
"$work/env/bin/python" "$work/log.py" "$work/default" closed
SUBMITIT_LOG_LEVEL=NOCONFIG "$work/env/bin/python" "$work/log.py" "$work/noconfig" untouched
