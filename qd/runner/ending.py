"""The pictures that a run ends with, its map and its page, and a process of their own for them.

Importing matplotlib takes a third of a short run, and a thread gains nothing, for Python imports on one core at a time. So a
second process imports it while this one imports JAX and searches. It reads what the folder holds, and builds no component.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from qd.report.page import cost
from qd.runner.display import waiting
from qd.support import imports, run_files

Draw = Callable[[Path], list[Path]]
_COMMAND = "import sys; sys.path[:] = {!r}; from qd.runner.ending import main; main(*{!r})"
_MODULES = ("qd.report.figures", "qd.report.page.write", "matplotlib.backends.backend_agg", "PIL.PngImagePlugin")
_TESSELLATION = ("scipy.spatial",)  # of which the cells are polygons
_PATIENCE = 600.0  # seconds of a search that it waits for, and holds 90 MB: to import once more is nothing beside a longer run
_SILENCE = 2.0  # seconds of drawing before a line names what the command waits for


def draw(run: Path) -> list[Path]:
    """Draws the map of a run, and writes its page where that takes less than a second; returns their files."""
    from qd.report import figures

    return [*figures.draw_heatmap(run), *write_page(run)]


def write_page(run: Path) -> list[Path]:
    """Writes the page of a run, where that takes less than a second, and no picture: without matplotlib; returns its file."""
    from qd.report.page import write

    return [write.write(run)] if cost.is_light(run) else []


@contextmanager
def drawing_beside(run: Path, archive: Mapping[str, Any]) -> Iterator[Draw]:
    """Yields ``draw``, done by a process that starts now, where there is a second core and the run has no result yet.

    Args:
        run: folder of the run.
        archive: its settings, of which the process learns what it needs.
    """
    if (os.cpu_count() or 1) < 2 or (run / run_files.RESULT).exists():
        yield draw
        return
    modules = _MODULES + (_TESSELLATION if "cells" in archive else ())
    command = [sys.executable, "-c", _COMMAND.format(sys.path, modules)]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    # a process group of its own: Ctrl-C reaches the search alone
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, process_group=0) as process:

        def draw_there(run: Path) -> list[Path]:
            answer = _answer(process, json.dumps(str(run)).encode())
            return [Path(file) for file in json.loads(answer)] if answer else draw(run)  # here it fails in the open

        try:
            yield draw_there
        finally:
            process.kill()


def _answer(process: subprocess.Popen[bytes], request: bytes) -> bytes:
    """Returns what a process prints for a request, however long that takes; nothing where it failed or had given up."""
    try:
        answer, _ = process.communicate(request, timeout=_SILENCE)
    except subprocess.TimeoutExpired:
        waiting.show("drawing")
        answer, _ = process.communicate()
    return answer if process.returncode == 0 else b""


def main(*modules: str) -> None:
    """Imports modules that ``draw`` needs, draws the run that a line on standard input names, and prints its files."""
    with imports.without_collector():
        for module in modules:
            import_module(module)
    timer = threading.Timer(_PATIENCE, os._exit, [0])
    timer.daemon = True
    timer.start()
    line = sys.stdin.readline()
    timer.cancel()
    if line:
        print(json.dumps([str(file) for file in draw(Path(json.loads(line)))]))
        imports.skip_last_collection()
