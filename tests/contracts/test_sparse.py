"""Emitters that need a signal, or sparse rewards, on every archive: what test_contracts sees refused on a sphere runs here."""

import pickle
from itertools import product

import numpy as np
import pytest

from qd.search import refit, step
from qd.types import Emitter
from tests.support.choices import choices, composed
from tests.support.searches import begin, same

FOR = ("surprise", "taxons", "serene", "stax", "sparse")
LONG = ("taxons", "serene", "stax")  # each compiles networks of its own: surprise and sparse have the parts of all
SMALL = {"cvt": ["archive.cells=60", "archive.samples=1000"], "grid": ["archive.dims=[8,8]"]}
SMALL |= {"cvt_mae": SMALL["cvt"], "grid_mae": SMALL["grid"], "density": SMALL["grid"], "sliding": SMALL["grid"]}
SMALL["discount"] = SMALL["grid"]
ARM = ["domain=redundant_arm", "domain.steps=10", "domain.points=2", "descriptor=autoencoder", "descriptor.steps=5"]


def _pairs() -> list:
    """All pairs; on a grid two emitters are quick, on other archives all are slow only since they are so many."""
    marks = lambda archive, emitter: pytest.mark.slow if archive != "grid" else pytest.mark.ci if emitter in LONG else ()
    return [pytest.param(*pair, marks=marks(*pair)) for pair in product(choices("archive"), FOR)]


@pytest.mark.parametrize(("archive", "emitter"), _pairs())
def test_every_archive_serves_them_or_is_refused_by_name(archive, emitter) -> None:
    if archive == "categorical":
        with pytest.raises(ValueError, match="has no 'categories'"):
            composed(*ARM, f"archive={archive}")
        return
    small = "emitter.explorer.population" if emitter in ("serene", "stax", "sparse") else "emitter.population"
    search = composed(*ARM, f"archive={archive}", *SMALL.get(archive, []))
    search = search._replace(emitter=composed("domain=redundant_arm", f"emitter={emitter}", f"{small}=12").emitter)
    assert isinstance(search.emitter, Emitter)
    if archive == "sliding":
        with pytest.raises(ValueError, match="takes hand-made descriptors only"):
            begin(search, n=24)
        return
    state, first = step(search, begin(search, n=24))
    again = pickle.loads(pickle.dumps(state))
    (state, batch), (again, other) = (step(search, refit(search, s)) for s in (state, again))
    assert len(first.ids) == len(batch.ids) == 24 and "surprise" in batch.signals
    np.testing.assert_array_equal(batch.solutions, other.solutions)
    same(state, again)
