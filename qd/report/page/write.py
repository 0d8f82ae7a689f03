"""Puts the page together: one file with its styles, scripts and data, and a policy that forbids everything else."""

import base64
import hashlib
from html import escape
from pathlib import Path

from qd.report.page import bundle, contents
from qd.store import runs
from qd.support import atomic, run_files, web

_STATIC = Path(__file__).parent / "static"
_SCRIPTS = ("data.js", "map.js", "parallel.js", "curves.js", "front.js", "detail.js", "table.js", "page.js")


def write(run: Path, out: Path | None = None) -> Path:
    """Writes the report of a run and returns its path.

    Args:
        run: the folder of a run, finished or not.
        out: the file; by default report.html in the folder.

    Raises:
        UserError: the folder is no run or has a link in it, or the file cannot be written.
    """
    runs.check_begun(run, "qd report {}")
    file = run / run_files.REPORT if out is None else out
    with atomic.user_facing_os_errors(file):
        atomic.write(file, html(contents.collect(run)))
    return file


def html(page: contents.Contents) -> bytes:
    """Returns the page in UTF-8. Whatever the run says is data in it, never markup."""
    title, data = f"{page.facts['name']}, seed {page.facts['seed']}", bundle.pack(page.facts, page.arrays)
    return assemble(_STATIC / "page.html", title, style(), data, script())


def assemble(body: Path, title: str, style: str, data: str, script: str) -> bytes:
    """Puts a page together.

    Args:
        body: its file, which follows the head that all pages share; @@NAME@@ stands for a part.
        title: in plain text.
        style: CSS.
        data: of ``bundle.pack``.
        script: its one script.

    Returns:
        The page in UTF-8.
    """
    parts = {"POLICY": policy(script), "TITLE": escape(title), "STYLE": style, "DATA": data, "SCRIPT": script}
    frame = "".join(file.read_text(encoding="utf-8") for file in (_STATIC / "head.html", body))
    pieces = frame.split("@@")  # text, name, text, name, ..., text
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces)).encode("utf-8", "replace")


def style(*more: Path) -> str:
    """Returns the look that all pages share, that of this page, and what is in ``more``."""
    return "".join(file.read_text(encoding="utf-8") for file in (web.STATIC / "look.css", _STATIC / "page.css", *more))


def script() -> str:
    """Returns the page's one script."""
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in _SCRIPTS)


def policy(script: str) -> str:
    """Returns the Content-Security-Policy: this very script, pictures and sounds that stand in the file, nothing else."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
