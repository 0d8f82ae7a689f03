"""``python -m experiments.emq`` is ``qd study emq``."""

from experiments import command

command.run()
