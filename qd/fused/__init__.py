"""Whole generations in one XLA program, over a mirror of the pyribs archive, for searches of pure components only."""

from typing import TYPE_CHECKING

from qd.support.imports import attach

__all__ = ["applies", "run"]

if TYPE_CHECKING:
    from qd.fused.driver import run
    from qd.fused.fits import applies
else:
    __getattr__, __dir__ = attach(__name__, {"qd.fused.driver": ("run",), "qd.fused.fits": ("applies",)})
