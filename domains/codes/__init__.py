"""Quantum error-correcting codes: graph codes as genes, exact distances, check weights, logical error rates."""
