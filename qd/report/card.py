"""A card: a README beside the figures of a run, for a hub of data sets or Zenodo."""

import re
from pathlib import Path
from typing import Any

import yaml

from qd.plots.heatmap import heatmap
from qd.report import figures, headline
from qd.report.measure_names import plain_text
from qd.store import archive_file, metrics_file, runs
from qd.support import atomic, links, provenance, run_files

_FILES = {
    run_files.ARCHIVE: "the elites, arrays that NumPy loads without pickle",
    run_files.ARCHIVE_HEADER: "what they are: archive, bounds, versions, settings",
    run_files.METRICS: "metrics against evaluations",
    run_files.HISTORY: "all solutions that entered the archive, with their parents",
    run_files.CONFIG: "all settings",
}


def write(run: Path, out: Path | None = None) -> Path:
    """Writes README.md, map.png and curves.png, and returns the README. No code that the folder names is run.

    Args:
        run: the folder of a run with an archive.
        out: the folder to write into; by default RUN/card.

    Raises:
        UserError: it is no run, it has a link in it, a file is damaged, or the folder cannot be written.
    """
    runs.check(run, "qd export {} --card")
    links.check(run)
    place = out or run / run_files.CARD
    archive = archive_file.load(run)
    config = archive.about.get("config", {})
    title = f"{plain_text(config.get('name', 'run'))}, seed {config.get('seed', '?')}"
    atomic.make_folder(place)
    figures.save(heatmap(figures.record(archive)), place / "map.png", "png")
    has_curves = bool(metrics_file.metrics(run / run_files.METRICS))
    if has_curves:
        figures.save(figures.curves_of(run, title), place / "curves.png", "png")
    atomic.write(place / "README.md", _text(run, archive, has_curves).encode("utf-8", "replace"))
    return place / "README.md"


def _text(run: Path, archive: archive_file.StoredArchive, has_curves: bool) -> str:
    about = archive.about
    config = about.get("config", {})
    dims = about.get("dims")
    kind = f"{about['kind']}{' of ' + ' x '.join(map(str, dims)) + ' cells' if dims else ''}"
    parts = [
        "---\ntags:\n- quality-diversity\n- qd-atlas\n---",
        f"# {_plain(config.get('name', run.name))}, seed {_plain(config.get('seed', '?'))}",
        f"An archive ({kind}) of {len(archive.columns['id']):,} solutions, found by quality-diversity search with qd-atlas.",
        "![The map: each cell in the colour of its objective](map.png)",
        "![Metrics against evaluations](curves.png)" if has_curves else "",
        "## Metrics\n\n" + _metrics(run, about),
        "## Files\n\n" + "\n".join(f"- `{name}`: {what}" for name, what in _FILES.items() if (run / name).is_file()),
        "## Load\n\n```python\nimport qd\n\nrun = qd.load_run(\"PATH\")  # the folder with archive.npz\n"
        "print(run.elites.nlargest(3, \"objective\"))\n```\n\nOr without this project: `numpy.load(\"archive.npz\")`.",
        "## Settings\n\n" + _fenced(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), "yaml"),
        "## Made with\n\n" + _origin(about),
        "## Cite\n\n" + _fenced(provenance.citation("qd-atlas") or "qd-atlas", "bibtex"),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _metrics(run: Path, about: dict[str, Any]) -> str:
    rows = [f"| {title} | {value:,.6g}{unit} |" for title, value, unit in headline.figures(run, about.get("evaluations"))]
    return "\n".join(["| metric | value |", "|---|---|", *rows])


def _origin(about: dict[str, Any]) -> str:
    versions = about.get("versions")
    rows = [f"- {_plain(name)} {_plain(version)}" for name, version in versions.items()] if isinstance(versions, dict) else []
    return "\n".join([*rows, *([f"- commit {_plain(about['commit'])}"] if about.get("commit") else [])])


def _plain(value: Any) -> str:
    """Returns a text of one line in which Markdown and HTML mean nothing."""
    return re.sub(r"([\\`*_{}\[\]<>()#!|&~])", r"\\\1", " ".join(str(value).split()))[:200]


def _fenced(text: str, language: str) -> str:
    """Returns a block with a fence that is longer than any in the text."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
