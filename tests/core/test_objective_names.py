"""Names of objectives are as many as the objectives."""

from types import SimpleNamespace

import pytest

from qd import checks
from qd.support.errors import UserError


def test_each_objective_has_a_name():
    pairs = ((0.0, 1.0), (-1.0, 0.0))
    checks.objective_range(SimpleNamespace(objective_range=pairs, objective_names=("lift", "minus drag")))
    checks.objective_range(SimpleNamespace(objective_range=pairs))
    with pytest.raises(UserError, match="objective_names has 1 names, and there are 2 objectives; state a name for each pair"):
        checks.objective_range(SimpleNamespace(objective_range=pairs, objective_names=("lift",)))
