"""Sandboxes by name, for settings that choose a second one."""

from domains.programs.sandbox.bubblewrap import Bubblewrap
from domains.programs.sandbox.limits import ExecutionLimits, Sandbox
from domains.programs.sandbox.monty import Monty
from domains.programs.sandbox.plain import Plain
from qd.support.spelling import unknown

SANDBOXES = {"monty": Monty, "bubblewrap": Bubblewrap, "none": Plain}


def sandbox_of(choice: Sandbox | str, limits: ExecutionLimits, setting: str) -> Sandbox:
    """Returns a sandbox.

    Args:
        choice: one, or its name.
        limits: of one that is named.
        setting: that the name was typed for, for the message.

    Raises:
        UserError: there is none of that name.
    """
    if not isinstance(choice, str):
        return choice
    if choice not in SANDBOXES:
        raise unknown(setting, choice, list(SANDBOXES))
    return SANDBOXES[choice](limits)
