"""Documentation: every block runs or composes, the table of algorithms is complete, the site builds."""

import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from qd.cli.main import COMMANDS, main
from qd.config import declared
from qd.config.compose import load
from qd.support.conf import conf

HOUSE = Path(__file__).resolve().parents[2]
PAGES = sorted([*HOUSE.glob("*.md"), *(HOUSE / "docs").rglob("*.md")])
EXTRA = ("fetch", "label", "study")  # commands of other packages


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """Returns the fenced blocks of a page: (what follows the language, text)."""
    pattern = rf"^```({'|'.join(languages)})([^\n]*)\n(.*?)^```$"
    return [(match[1], match[2]) for match in re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)]


def commands(page: Path) -> list[list[str]]:
    """Returns the words of every `qd ...` line of a page's shell blocks."""
    lines = [line for _, text in blocks(page, "sh", "text") for line in text.splitlines()]
    typed = [re.sub(r"\s+#.*", "", part).strip() for line in lines for part in line.split("&&")]
    typed = [re.sub(r"^\S*/qd ", "qd ", line) for line in typed]
    return [shlex.split(re.sub(r"\s[<>]\s.*", "", line)) for line in typed if line.startswith("qd ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_exist_and_runs_compose(page, tmp_path, monkeypatch):
    monkeypatch.setattr(declared, "_PATHS", {})  # files and folders of the reader
    for word, command, *rest in commands(page):
        assert command in COMMANDS or command in EXTRA, f"{page.name}: {word} {command}"
        if command in ("run", "doctor", "ask") and "NAME" not in " ".join(rest):
            keys = [w for w in rest if "=" in w and not w.startswith(("-", "seeds=", "hydra/", "hydra.", "from="))]
            if (
                "pendulum" in " ".join(keys)
                or "throw" in " ".join(keys)
                or "bowl" in " ".join(keys)
                or "swap" in " ".join(keys)
            ):
                continue  # written by `qd new` or by the reader
            load([w for w in keys if "-m" not in rest] if "-m" not in rest else [w.split(",")[0] for w in keys if "(" not in w])


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Path:
    """A folder in which `qd run name=example` has ended."""
    folder = tmp_path_factory.mktemp("example")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "budget=2000", "name=example", "console=off"]) == 0
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_python_blocks_run_in_order(page, tmp_path, monkeypatch, request):
    runs = any("run=" in words for words, _ in blocks(page, "python"))
    text = "\n\n".join(text for words, text in blocks(page, "python"))
    (tmp_path / f"of_{page.stem.replace('-', '_')}.py").write_text(text, encoding="utf-8")
    (file,) = tmp_path.glob("of_*.py")
    monkeypatch.chdir(request.getfixturevalue("example") if runs else tmp_path)
    if "__main__" in text:
        env = {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        process = subprocess.run([sys.executable, file], env=env, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr
    else:
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.import_module(file.stem)


def algorithms():
    spec = importlib.util.spec_from_file_location("make_algorithms", HOUSE / "docs" / "make_algorithms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.ci
def test_the_table_of_algorithms_is_current():
    assert (HOUSE / "docs" / "algorithms.md").read_text(encoding="utf-8") == algorithms().page()


def test_every_recipe_emitter_descriptor_and_archive_is_in_the_table():
    entries = algorithms().entries()
    words = " ".join([entry["run"] + " " + " ".join(entry.get("also", ())) for entry in entries])
    text = words + " " + (HOUSE / "docs" / "algorithms.md").read_text(encoding="utf-8")
    for group in ("recipe", "emitter", "descriptor", "archive"):
        for file in (conf() / group).glob("*.yaml"):
            assert re.search(rf"(\b{group}={file.stem}\b|[|,] {file.stem}\b)", text), f"{group}={file.stem} is in no row"


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path):
    pytest.importorskip("mkdocs", reason="wants the extra docs")
    pytest.importorskip("mkdocstrings", reason="wants the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # the theme's announcement, which strict takes for a fault
    process = subprocess.run(command, cwd=HOUSE, env=env, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= 20
    for page in pages:  # nothing is loaded from other machines
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(script|link|img)[^>]+(src|href)="https?://(?!.*github)', text), page
