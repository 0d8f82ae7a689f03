"""What a stored solution does: the policy that its domain makes of it. Nothing is built from what a run's folder says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from qd import abilities
from qd.config.build import build, import_users_modules
from qd.config.compose import load
from qd.support.conf import conf
from qd.support.errors import UserError
from qd.support.moved import original
from qd.types import Array, Domain

Policy = Callable[[Array], Array]  # observation -> action


def build_policy(solution: Any, config: dict[str, Any], domain: Domain | str | None) -> Policy:
    """Returns the policy that a solution stands for.

    Args:
        config: of the run that it is from; it is compared, and never built.
        domain: the domain; or a name in conf/domain, ours or yours; None: the choice of ours that equals the run's.

    Raises:
        UserError: the domain does not say how a solution is a policy, or must be named.
    """
    if domain is None:
        import_users_modules()
        domain = _choice_of(config)
    instance: Domain = build(load([f"domain={domain}"]).domain, {}, "domain") if isinstance(domain, str) else domain
    policy = abilities.of_domain(instance).policy
    if policy is None:
        raise UserError(
            f"{type(instance).__name__} does not say how a solution is a policy",
            "give it a method policy(solution) that returns a function from observation to action",
        )
    return policy(solution)


def _choice_of(config: dict[str, Any]) -> str:
    """Returns the choice of our conf/domain, or of the user's ./conf/domain, that has all the settings of a run's domain."""
    node = original(config.get("domain") or {})
    target = node.get("_target_")
    for path in [path for folder in (conf(), Path("conf")) for path in sorted((folder / "domain").glob("*.yaml"))]:
        if _target(path) == target and original(load([f"domain={path.stem}"]).domain) == node:
            return path.stem
    raise UserError(
        f"the run's domain ({target or 'unknown'}) has settings of its own, and none is built from what a folder says",
        "pass the domain, run.policy(id, domain=...): an object, or the name of a choice in conf/domain",
    )


def _target(path: Path) -> str | None:
    choice = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    domain = choice.get("domain")
    return original(domain).get("_target_") if isinstance(domain, dict) else None
