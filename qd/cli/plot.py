"""`qd plot RUN`: figures of a run from what its folder holds; no part of it is built, and no code in it is run."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qd.cli import film
from qd.store import archive_file, folder
from qd.types import Rendering

USAGE = """usage: qd plot RUN [RUN ...] [--film] [--frames 40]

Draws RUN/figures/: heatmap and curves (png and pdf), and what the elites look like: a sheet of pictures (png and svg), or a
page of texts (html). With --film, of a run with film=position or another feature of two numbers: exploration.gif, where all
that was tried has ended, and policies.gif, what the best elites do."""
_KINDS = {"txt": "text", "wav": "audio"}  # other endings are their own kind
_MANY = 5  # runs that a message names


def main(args: Sequence[str]) -> int:
    """Draws the figures of each run and says where they lie.

    Raises:
        ValueError: a folder is no run, or its metrics are damaged; says what to type instead.
    """
    if not args or {"-h", "--help"} & set(args):
        print(USAGE)
        return 0 if args else 2
    runs, frames = _asked(list(args))
    for run in runs:
        if frames is None:
            draw(run, print)
        else:
            check(run)
            film.draw(run, frames, print)
    return 0


def _asked(args: list[str]) -> tuple[list[Path], int | None]:
    """Returns the runs, and the frames of a film where one is asked for."""
    frames = None
    if "--film" in args:
        args.remove("--film")
        frames = 40
    if "--frames" in args:
        where = args.index("--frames")
        number = args[where + 1] if where + 1 < len(args) else ""
        if frames is None or not number.isdecimal():
            raise ValueError(f"--frames {number} is no number of a film's frames; type --film --frames 40")
        frames = int(number)
        del args[where : where + 2]
    return [Path(run) for run in args], frames


def draw(run: Path, say: Callable[[Path], None] = lambda path: None) -> list[Path]:
    """Draws all figures of a run from its stored records, and returns their files.

    Raises:
        ValueError: the archive cannot be read; or metrics.csv cannot, then all figures but the curves are drawn.
    """
    from qd.plots.heatmap import heatmap
    from qd.plots.page import page
    from qd.plots.sheet import sheet, sheet_svg

    check(run)
    stored = archive_file.load(run)
    shown = record(stored)
    pictures = renderings(run / "renderings", stored.columns["id"])
    figures = run / "figures"
    figures.mkdir(exist_ok=True)
    made = save(heatmap(shown), figures / "heatmap", "png", "pdf")
    if stored.about["encodings"].get("solution") == "text":
        (figures / "texts.html").write_text(page(shown, stored.columns["solution"], stored.columns["id"]), encoding="utf-8")
        made.append(figures / "texts.html")
    elif any(picture is not None for picture in pictures):
        made += save(sheet(shown, pictures), figures / "sheet", "png")
        (figures / "sheet.svg").write_text(sheet_svg(shown, pictures), encoding="utf-8")
        made.append(figures / "sheet.svg")
    try:
        made += _curves(run, shown.title, stored.about)
    finally:
        for path in made:
            say(path)
    return made


def _curves(run: Path, title: str, about: dict[str, Any]) -> list[Path]:
    """Draws the curves. Raises ValueError where metrics.csv is damaged; then no older curves are left as if they were its."""
    from qd.plots.curves import PANELS, REFEREE, curves

    file, target = run / "metrics.csv", run / "figures" / "curves"
    try:
        rows = metrics(file)
        if folder.result(run) is not None and (not rows or rows["evals"][-1] != about.get("evaluations")):
            raise ValueError(f"{file} is damaged ({'its last rows are gone' if file.exists() else 'it is gone'})")
    except ValueError as error:
        aside = [old.replace(old.with_stem("curves-before")) for old in sorted(target.parent.glob("curves.*"))]
        told = f"; those drawn before are now {', '.join(map(str, aside))}" if aside else ""
        raise ValueError(
            f"{error}: curves not drawn{told}. Put metrics.csv back, or give the run's command with again=true"
        ) from error
    if not rows:
        return []
    panels = (*PANELS, *(panel for panel in REFEREE if panel.column in rows))
    return save(curves(rows, title, panels, _relearned(run / "events.jsonl")), target, "png", "pdf")


def check(run: Path, command: str = "qd plot") -> None:
    """Raises ValueError where a folder holds no archive of a run; names runs that are near, for ``command``."""
    if (run / "archive.json").is_file():
        return
    begun = (run / "config.yaml").is_file()
    what = "has no archive yet" if begun else "is no folder of a run" if run.exists() else "does not exist"
    if begun:
        raise ValueError(f"{run} {what}: archive.json is written when a run ends; give the command of the run once more")
    near = next((found for root in (run, Path("runs")) if (found := _runs(root))), [])
    instead = f"type {command} {near[0]}" if near else f"type qd run first, then {command} and the folder that it names"
    others = f" (there are also {', '.join(map(str, near[1:_MANY]))})" if near[1:] else ""
    raise ValueError(f"{run} {what}, it holds no archive.json; {instead}{others}")


def renderings(where: Path, ids: np.ndarray) -> list[Rendering | None]:
    """Reads the renderings of elites by id; None where there is none."""
    files = {path.stem: path for path in sorted(where.glob("*.*"))}
    return [_rendering(files.get(str(number))) for number in ids]


def _rendering(path: Path | None) -> Rendering | None:
    if path is None:
        return None
    ending = path.suffix[1:]
    return Rendering(_KINDS.get(ending, ending), path.read_bytes())  # type: ignore[arg-type]


def record(stored: archive_file.Stored) -> Any:
    """Returns the Map that figures of a stored archive are drawn from."""
    from qd.plots.records import Map

    about, columns = stored.about, stored.columns
    config, scale = about.get("config", {}), about.get("objective_range")
    called = _called(config, len(about["bounds"]))
    return Map(
        columns["measures"],
        columns["objective"],
        columns["index"],
        [(low, high) for low, high in about["bounds"]],
        _names(config.get("descriptor", {}), len(about["bounds"]), called),
        f"{config.get('name', 'archive')}, seed {about.get('seed', '?')}, {about.get('evaluations', 0):,} evaluations",
        about["dims"] if about["kind"].endswith("grid") else None,  # only a grid's cells are of equal width
        stored.centroids,
        None if scale is None else (float(scale[0]), float(scale[1])),
        called,
    )


def _called(config: dict[str, Any], measures: int) -> list[list[str]] | None:
    """Returns the words for each measure: a title, then its ends or a name for each cell; None where they have none."""
    descriptor = config.get("descriptor", {})
    words = (config.get("called") or {}).get(descriptor.get("feature"))
    if not words or any(isinstance(each, str) or len(each) < 3 for each in words):
        return None
    chosen = [words[column] for column in descriptor.get("columns") or range(len(words)) if column < len(words)]
    return [[str(word) for word in each] for each in chosen] if len(chosen) == measures else None


def _names(descriptor: dict[str, Any], measures: int, called: list[list[str]] | None = None) -> list[str]:
    """Names the measures by their ends, by the feature that they select, or by their number."""
    feature = descriptor.get("feature")
    if called and all(len(words) == 3 for words in called):
        return [f"{low} to {high}" for _, low, high in called]
    if feature is None:
        return [f"measure {i + 1}" for i in range(measures)]
    columns = descriptor.get("columns") or range(measures)
    return [feature] if measures == 1 and not descriptor.get("columns") else [f"{feature}[{column}]" for column in columns]


def metrics(path: Path) -> dict[str, np.ndarray]:
    """Reads metrics.csv, name -> [G]; an empty cell is not defined: NaN. Raises ValueError where it is damaged."""
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        names, *rows = [line.rstrip().split(",") for line in lines if line.endswith("\n")] or [[]]  # the last may be cut short
        if not rows:
            return {}
        if "evals" not in names:
            raise ValueError("its first line names no evals")
        numbers = [[float(cell or "nan") for cell in row] for row in rows]
        return dict(zip(names, np.array(numbers).reshape(len(rows), len(names)).T, strict=True))
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} is damaged ({error})") from error


def _relearned(path: Path) -> list[int]:
    """Returns the evaluations at which the descriptor learned anew."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    events = [json.loads(line) for line in lines if line.endswith("\n")]
    return [event["evaluations"] for event in events if event["event"] == "relearn"]


def _runs(root: Path) -> list[Path]:
    depths = ("*/archive.json", "*/*/archive.json", "*/*/*/archive.json")
    return sorted(path.parent for depth in depths for path in root.glob(depth))[: _MANY + 1]


def save(figure: Any, path: Path, *endings: str) -> list[Path]:
    """Writes a figure with each of the endings."""
    made = [path.with_suffix(f".{ending}") for ending in endings]
    for file in made:
        figure.savefig(file, dpi=200, metadata={"CreationDate": None} if file.suffix == ".pdf" else None)
    return made
