"""Quality-diversity search of which every component can be learned, judged or replaced.

    search = qd.Search(domain, descriptor, archive, emitter)
    state, batch = qd.start(search, qd.keys.new(0), domain.sample(qd.keys.new(1), 256))
    for state, batch in qd.run(search, state, until=50_000):
        ...

These are the public names; whatever else is in the package is internal. They are imported when they are first used. The
loop itself is in qd.search: read that file first.
"""

from typing import TYPE_CHECKING

from qd.support.imports import attach

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "Batch",
    "Descriptor",
    "Domain",
    "Elites",
    "Emitter",
    "Evaluation",
    "Offspring",
    "Rendering",
    "Rows",
    "Search",
    "State",
    "UserError",
    "Variation",
    "archives",
    "compose",
    "emitters",
    "genes",
    "keys",
    "load_run",
    "metrics",
    "progress",
    "referee",
    "refit",
    "remote",
    "run",
    "start",
    "step",
]

if TYPE_CHECKING:
    from qd import archives, emitters, genes, keys, metrics, referee, remote
    from qd.config.components import compose
    from qd.driver import run
    from qd.report.stored_run import load_run
    from qd.runner.display.progress import progress
    from qd.search import refit, start, step
    from qd.support.errors import UserError
    from qd.types import (
        Archive,
        Batch,
        Descriptor,
        Domain,
        Elites,
        Emitter,
        Evaluation,
        Offspring,
        Rendering,
        Rows,
        Search,
        State,
        Variation,
    )
else:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "qd.archives": (),
            "qd.config.components": ("compose",),
            "qd.driver": ("run",),
            "qd.emitters": (),
            "qd.genes": (),
            "qd.keys": (),
            "qd.metrics": (),
            "qd.referee": (),
            "qd.remote": (),
            "qd.report.stored_run": ("load_run",),
            "qd.runner.display.progress": ("progress",),
            "qd.search": ("refit", "start", "step"),
            "qd.support.errors": ("UserError",),
            "qd.types": (
                "Archive",
                "Batch",
                "Descriptor",
                "Domain",
                "Elites",
                "Emitter",
                "Evaluation",
                "Offspring",
                "Rendering",
                "Rows",
                "Search",
                "State",
                "Variation",
            ),
        },
    )
