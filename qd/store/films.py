"""Films of a few elites, by id: the best one, then the best of those that lie apart from all chosen before."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from qd import abilities
from qd.archives import HostElites
from qd.support import atomic, run_files
from qd.types import Domain

COUNT = 6  # films of a run
_APART = 0.1  # of the width of all places: as far from one another are the elites that are filmed


def save(run: Path, domain: Domain, archive: Any, feature: str | None) -> int:
    """Replaces the films of a run: films/ID.gif of up to 6 elites that differ in ``feature``.

    Args:
        run: the folder.
        domain: draws the films; one without the optional method ``film`` draws none.
        archive: a pyribs archive of N elites.
        feature: name of a column of the archive, [N, ...]; None for no films.

    Returns:
        The number of films written. Where it is 0 because no feature is named or the domain draws no films, earlier films
        stay.

    Raises:
        UserError: the archive has no such column, or the files cannot be written.
    """
    folder = run / run_files.FILMS
    if feature is None or (draw := abilities.of_domain(domain).film) is None:
        return 0
    if folder.exists():
        shutil.rmtree(folder)
    atomic.make_folder(folder)
    elites = HostElites(archive)
    places, objective = elites.take(np.arange(elites.size), feature, "objective")
    ids, solutions = elites.take(choice(places, objective, COUNT), "id", "solution")
    for number, film in zip(ids, draw(solutions), strict=True):
        path = folder / f"{number}.{film.kind}"
        with atomic.user_facing_os_errors(path):
            path.write_bytes(film.content)
    return len(ids)


def choice(places: np.ndarray, objective: np.ndarray, count: int) -> np.ndarray:
    """Returns the ranks of at most ``count`` elites, best first, each away from all before it.

    Args:
        places: [N, K].
        objective: [N]
        count: 1 or more.

    Returns:
        Rows of ``places``; any two lie further apart than 0.1 of the largest extent of the places along one axis.
    """
    places = np.asarray(places, float).reshape(len(objective), -1)
    apart = _APART * np.ptp(places, axis=0).max()
    ranks: list[int] = []
    for rank in np.argsort(-np.asarray(objective), kind="stable"):
        if all(np.linalg.norm(places[rank] - places[other]) > apart for other in ranks):
            ranks.append(int(rank))
        if len(ranks) == count:
            break
    return np.array(ranks, int)
