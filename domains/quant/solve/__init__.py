"""Exact allocation of bits, and the emitter that uses it."""
