"""Whole generations in one XLA program, over a mirror of the pyribs archive, for searches of pure components only."""

from qd.support import imports

__getattr__, __dir__ = imports.attach(__name__, {"qd.fused.driver": ("run",), "qd.fused.fits": ("applies",)})
