"""Kills runs with SIGKILL, gives the same command again, and compares with a run that was not killed.

    python -m tests.end_to_end.kill [CASE ...]       each case is killed inside a write and at a random moment

Equal must be, array for array: archive.npz, the referee's archives, metrics.csv (all columns but times), history.npz.
"""
