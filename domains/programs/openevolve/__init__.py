"""Projects of openevolve run as they stand: initial_program.*, evaluator.py and config.yaml of a folder."""
