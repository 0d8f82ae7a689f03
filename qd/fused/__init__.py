"""Whole generations in one XLA program, over a mirror of the pyribs archive, for searches whose parts are all pure."""

from qd.fused.driver import applies, run

__all__ = ["applies", "run"]
