"""Whole generations in one XLA program, over a mirror of the pyribs archive, for searches of pure components only."""

from qd.fused.driver import applies, run

__all__ = ["applies", "run"]
