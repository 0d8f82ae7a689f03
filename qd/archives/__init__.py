"""pyribs archives opened for a search, and Elites, the view of one that emitters and learners get.

The only room that reaches into pyribs' private store (``_store``).
"""

from qd.archives.lean import SAME  # before the others: it imports pyribs without the packages that take most of its import

# isort: split
from qd.archives.categorical import Categorical
from qd.archives.compiled import best_row, has_fronts, is_cvt, is_grid, occupied, pour, reach, version
from qd.archives.discount import Discount
from qd.archives.elites import HostElites
from qd.archives.fronts import Fronts
from qd.archives.insert import capacity, clamp, count_cells, insert, objects, restart_thresholds
from qd.archives.settings import CVT, Grid, check_bounds, check_names, check_pair
from qd.archives.unstructured import DNS, DensityGrid, Proximity, SlidingBoundaries

__all__ = [
    "CVT",
    "DNS",
    "SAME",
    "Categorical",
    "DensityGrid",
    "Discount",
    "Fronts",
    "Grid",
    "HostElites",
    "Proximity",
    "SlidingBoundaries",
    "best_row",
    "capacity",
    "check_bounds",
    "check_names",
    "check_pair",
    "clamp",
    "count_cells",
    "has_fronts",
    "insert",
    "is_cvt",
    "is_grid",
    "objects",
    "occupied",
    "pour",
    "reach",
    "restart_thresholds",
    "version",
]
