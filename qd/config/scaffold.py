"""A domain of one's own in the working directory, with its config and a test, ready to run and to change (`qd new NAME`)."""

import keyword
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from qd.support import atomic
from qd.support.conf import conf
from qd.support.errors import UserError

DOMAIN = '''\
"""{name}: where does a walk of eight turns end? B solutions at once."""
from dataclasses import dataclass

import jax.numpy as jnp

from qd.keys import uniform
from qd.types import Evaluation


@dataclass(frozen=True)
class Domain:
    pure: bool = True  # JAX may compile evaluate; False: any Python
    objective_range: tuple = (-4.0, 0.0)  # the scale of the QD score

    def sample(self, key, n):
        return uniform(key, (n, 8), -2, 2)  # n solutions of 8 numbers

    def evaluate(self, keys, solutions):
        heading = jnp.cumsum(solutions, axis=1)
        end = jnp.stack([jnp.cos(heading).mean(1), jnp.sin(heading).mean(1)], axis=1)  # [B, 2]
        return Evaluation(-(solutions**2).mean(1), {{"end": end}})  # the best is the highest
'''
CONFIG = """\
# @package _global_
domain: {{_target_: {name}.Domain}}
domain_defaults: {{feature: end, bounds: [[-1, 1], [-1, 1]], reads: [end]}}
"""
TEST = """\
from qd.doctor.examine import findings


def test_the_doctor_finds_nothing():
    assert findings(["domain={name}"]) == []
"""
EXTERNAL = """\
# @package _global_
domain:
  _target_: domains.external.External
  dim: 8 # numbers of a solution
  low: -1
  high: 1
  features: {end: 2} # name: length; results say {"id": 0, "objective": 1.5, "features": {"end": [0.1, 0.2]}}
domain_defaults: {feature: end, bounds: [[-1, 1], [-1, 1]], reads: [end]}
"""
PROGRAM = """\
#!/usr/bin/env python3
# Evaluates one solution; any language will do. JSON comes on standard input and goes to standard output.
import json
import math
import sys

turns = json.load(sys.stdin)["solution"]
angle, x, y = 0.0, 0.0, 0.0
for turn in turns:
    angle += turn
    x, y = x + math.cos(angle) / len(turns), y + math.sin(angle) / len(turns)
json.dump({"objective": -sum(turn * turn for turn in turns) / len(turns), "features": {"end": [x, y]}}, sys.stdout)
"""
PROGRAM_CONFIG = """\
# @package _global_
domain:
  _target_: domains.program.Program
  command: [./NAME_program] # called once for each solution, in a folder of its own
  dim: 8 # numbers of a solution
  low: -2
  high: 2
  features: {end: 2} # name: length
  objective_range: [-4, 0] # the scale of the QD score
domain_defaults: {feature: end, bounds: [[-1, 1], [-1, 1]], reads: [end], batch_size: 32}
workers: 2 # calls at the same time
remote: {timeout: 60} # seconds after which a call is ended, and its solution has failed
budget: 1000
log_every: 100
save_every: 100
"""
_WORDS = ("null", "true", "false", "inf", "nan", "conftest", "setup")  # Hydra, pytest and pip read these as something else


def new(name: str, external: bool = False, program: bool = False) -> list[Path]:
    """Writes the files of a domain and returns them.

    Args:
        name: of the domain, and of the choice domain=NAME.
        external: another program evaluates it, by qd ask and qd tell: only its config is written.
        program: an executable is called for each solution: it and its config are written.

    Returns:
        The files, relative to the working directory: NAME.py, conf/domain/NAME.yaml and test_NAME.py; of an external domain
        only the yaml; of a program the yaml and NAME_program.

    Raises:
        ValueError: the name is none that Python, Hydra and pytest can use, or a file is there already.
    """
    choice, module = Path("conf/domain", f"{name}.yaml"), Path(f"{name}.py")
    if external:
        texts = {choice: EXTERNAL}
    elif program:
        texts = {Path(f"{name}_program"): PROGRAM, choice: PROGRAM_CONFIG.replace("NAME", name)}
    else:
        test = TEST.format(name=name)
        texts = {module: DOMAIN.format(name=name), choice: CONFIG.format(name=name), Path(f"test_{name}.py"): test}
    _check_name(name, external or program)
    there = [path for path in texts if path.exists()]
    if there:
        raise UserError(f"{', '.join(map(str, there))} is here already and stays as it is", "type another name, or remove it")
    atomic.make_folder(choice.parent)
    for path, text in texts.items():
        atomic.write(path, text.encode())
        if text is PROGRAM:
            path.chmod(0o755)
    return list(texts)


def _check_name(name: str, external: bool) -> None:
    if not (name.isascii() and name.isidentifier() and name[0].isalpha()) or keyword.iskeyword(name):
        plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).strip("_0123456789") or "mine"
        plain = plain + "_domain" if keyword.iskeyword(plain) else plain
        raise UserError(f"{name!r} is no valid Python module name", f"type letters, digits and _, e.g. qd new {plain}")
    if name.lower() in _WORDS:
        raise UserError(f"{name!r} means something else to Hydra, pytest or pip", f"type another name, e.g. qd new my_{name}")
    if _is_choice(name):
        raise UserError(f"domain={name} is one of our own choices", f"type another name, e.g. qd new my_{name}")
    if not external and (hidden := _hides(name)):
        raise UserError(f"{name}.py would have the name of {hidden}", f"type another name, e.g. qd new my_{name}")


def _is_choice(name: str) -> bool:
    ours = conf() / "domain" / f"{name}.yaml"
    return ours.exists() and ours.resolve() != Path("conf/domain", f"{name}.yaml").resolve()


def _hides(name: str) -> str | None:
    """Names the module that a file of that name would hide, or be hidden by."""
    if name in sys.stdlib_module_names:
        return f"Python's own module {name!r}"
    if Path(name, "__init__.py").exists():
        return f"the package {name!r} in this folder"
    here = {"", str(Path.cwd())}
    spec = PathFinder.find_spec(name, [entry for entry in sys.path if entry not in here])
    if spec is None or spec.origin is None:  # a folder without __init__.py hides nothing
        return None
    return f"the package {name!r} that is installed ({spec.origin})"
