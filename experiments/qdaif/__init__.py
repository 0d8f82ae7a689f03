"""QDAIF (Bradley et al. 2024) and its rivals at equal calls."""
