"""What elites look like, by id, at most so many: spread evenly over the archive, the best always among them."""

import io
import math
import shutil
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from qd import abilities
from qd.archives import HostElites
from qd.support import atomic, run_files
from qd.support.errors import UserError
from qd.types import FILE_ENDINGS, Domain, Rendering

_PIXELS = 4096 * 4096
_REMOVE = "remove it, or give the run's command with again=true"
_KINDS = {ending: kind for kind, ending in FILE_ENDINGS.items()}


def save(run: Path, domain: Domain, archive: Any, cap: int) -> int:
    """Writes renderings/ID.KIND of at most ``cap`` elites, in place of older ones, and returns how many.

    Args:
        run: the folder.
        domain: draws the elites, where it can.
        archive: a pyribs archive.
        cap: elites at most; below 1 none is drawn.

    Returns:
        The number of renderings; 0, with older ones left as they are, where none is drawn.

    Raises:
        UserError: the files cannot be written.
    """
    folder = run / run_files.RENDERINGS
    draw = abilities.of_domain(domain).render
    if draw is None or cap < 1:
        return 0
    if folder.exists():
        shutil.rmtree(folder)
    atomic.make_folder(folder)
    ranks = choice(archive, cap)
    ids, solutions = HostElites(archive).take(ranks, "id", "solution")
    with atomic.user_facing_os_errors(folder):
        for number, rendering in zip(ids, draw(solutions), strict=True):
            (folder / f"{number}.{rendering.ending}").write_bytes(rendering.content)
    return len(ids)


def choice(archive: Any, cap: int) -> np.ndarray:
    """Returns the ranks of at most ``cap`` elites: the best of each tile of the map, and others at even steps in cell order.

    Args:
        archive: a pyribs archive of N elites; beyond ``cap`` elites its first two measures are divided into tiles.
        cap: 1 or more.

    Returns:
        Positions in the archive's columns, [min(N, cap)].
    """
    cell, measures, objective = archive.data(["index", "measures", "objective"], return_type="tuple")
    by_cell = np.argsort(cell, kind="stable")
    if len(by_cell) <= cap:
        return by_cell
    bounds = np.asarray([archive.lower_bounds, archive.upper_bounds], float)[:, :2]
    best = np.array(sorted(_best_of_tiles(np.asarray(measures, float)[:, :2], objective, bounds, cap).values()))
    others = by_cell[~np.isin(by_cell, best)]
    steps = np.linspace(0, len(others), cap - len(best), endpoint=False).astype(int)
    return np.concatenate([best, others[steps]])


def _best_of_tiles(measures: np.ndarray, objective: np.ndarray, bounds: np.ndarray, cap: int) -> dict[tuple[int, ...], int]:
    """Lays at most ``cap`` tiles over one or two measures [N, M] and returns the rank of the best elite in each."""
    low, high = bounds
    side = cap if len(low) == 1 else math.isqrt(cap)
    tiles = ((measures - low) / (high - low) * side).astype(int).clip(0, side - 1)
    worst_first = np.argsort(objective, kind="stable")
    return {tuple(tiles[rank]): int(rank) for rank in worst_first}


def renderings(where: Path, ids: np.ndarray) -> list[Rendering | None]:
    """Reads the renderings of elites by id.

    Args:
        where: the folder of renderings.
        ids: [N]

    Returns:
        One for each id, in their order; None where there is none.
    """
    files = {path.stem: path for path in sorted(where.glob("*.*"))}
    paths = [files.get(str(number)) for number in ids]
    return [None if path is None else read(path) for path in paths]


def read(path: Path) -> Rendering:
    """Reads a rendering; of a picture of pixels its first frame is decoded, so that a damaged one is named here.

    Args:
        path: RUN/renderings/ID.KIND, or a film.

    Raises:
        UserError: the file cannot be read, is damaged, or has more than 4,096 x 4,096 pixels.
    """
    try:
        ending = path.suffix[1:]
        rendering = Rendering(_KINDS.get(ending, ending), path.read_bytes())  # type: ignore[arg-type]
        if rendering.kind in ("png", "gif"):
            _decode(path, rendering.content)
    except UserError:
        raise
    except (OSError, SyntaxError, EOFError, struct.error, ValueError) as error:
        what = "it is no picture" if type(error).__name__ == "UnidentifiedImageError" else error
        raise UserError(f"{path} is damaged ({what})", _REMOVE) from error
    return rendering


def _decode(path: Path, content: bytes) -> None:
    """Decodes the first frame. Raises UserError where there are too many pixels, and whatever PIL raises on a damaged file."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=("PNG", "GIF")) as picture:
                too_large = picture.width * picture.height > _PIXELS
                if not too_large:
                    picture.load()
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            too_large = True
    if too_large:
        raise UserError(f"{path} has more than {_PIXELS:,} pixels", "remove it, or draw it smaller")
