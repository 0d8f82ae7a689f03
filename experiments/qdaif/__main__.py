"""``python -m experiments.qdaif`` is ``qd study qdaif``."""

from experiments import command

command.run()
