"""Quantum circuits: a simulator in JAX, molecules and states to prepare, a classifier, OpenQASM 3 and pictures."""
