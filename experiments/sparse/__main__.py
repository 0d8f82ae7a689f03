"""``python -m experiments.sparse`` is ``qd study sparse``."""

from experiments import command

command.run()
