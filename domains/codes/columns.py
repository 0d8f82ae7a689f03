"""Columns that `qd export` adds for codes: the exact logical error rate, which no search looked at.

N codes of n qubits.
"""

from dataclasses import dataclass

import numpy as np

from domains.codes import logical_errors
from domains.codes.domain import StabilizerCodes
from qd.support.errors import UserError

Columns = dict[str, np.ndarray]  # name -> [N, ...]
_MOST = 10  # qubits, of which a code takes a hundredth of a second


@dataclass(frozen=True)
class LogicalErrors:
    """The probability that the best decoder fails, with perfect checks and a depolarising error of each qubit."""

    noise: float = 0.01  # p, the probability of an error of a qubit

    def each(self, columns: Columns) -> Columns:
        """Returns logical_error [N]; NaN of codes without logical qubits, and of more than ten qubits."""
        solutions, k = columns["solution"], columns.get("logical")
        if k is None or "rate" not in columns or solutions.ndim != 2:
            raise UserError("the run is none of domain=codes", "leave out --columns logical_errors")
        found = np.full(len(solutions), np.nan)
        some = np.flatnonzero(k > 0)
        qubits = round(float(k[some[0]] / columns["rate"][some[0]])) if len(some) else 0
        if 0 < qubits <= _MOST:
            domain = StabilizerCodes(qubits, (solutions.shape[1] - qubits * (qubits - 1) // 2) // qubits)
            rows = zip(some, domain.checks(solutions[some]), domain.operators(solutions[some]), strict=True)
            for i, checks, operators in rows:
                found[i] = logical_errors.exact(checks, operators, self.noise)
        return {"logical_error": found}

    def whole(self, columns: Columns) -> dict[str, float]:
        """Returns the least rate of each number of logical qubits, given the columns with those of ``each``."""
        k, error = columns["logical"], columns["logical_error"]
        several = [int(number) for number in np.unique(k[np.isfinite(error)])]
        return {f"logical_error_least_k{number}": float(np.nanmin(error[k == number])) for number in several}
