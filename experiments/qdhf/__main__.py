"""``python -m experiments.qdhf`` is ``qd study qdhf``."""

from experiments import command

command.run()
