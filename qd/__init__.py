"""Quality-diversity search. The loop is in qd.search; read that room first."""

__version__ = "0.1.0"
