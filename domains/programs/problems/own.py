"""Evaluators of the user: a file with a Python function, or an executable. They run in the sandbox with the program.

    def evaluate(path):                       # evaluator.py; path: of the program
        return {"objective": 1.5, "features": {"speed": 0.2}, "words": "case 3 fails"}

An executable is called with the path of the program as last argument and prints the same as JSON in its last line.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from domains.programs.code import imports
from domains.programs.problem import Score, read_score
from domains.programs.sandbox.limits import Execution
from qd.support.conf import ExistingFile
from qd.support.errors import UserError

DRIVER = """
import importlib.util
import os
import sys

def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module

def plain(value):  # NumPy's numbers as Python's, which JSON can hold
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.item() if getattr(value, "size", 0) == 1 and hasattr(value, "item") else value

with open(name, "w") as file:
    file.write(program)
path = os.path.abspath(name)
sys.path.insert(0, os.path.dirname(evaluator))
module = load("evaluator", evaluator)
if not hasattr(module, function):
    raise NameError("%s has no function %s(path)" % (os.path.basename(evaluator), function))
result = plain(getattr(module, function)(path))
"""


def read_text(path: str, setting: str) -> str:
    """Returns the text of a file.

    Args:
        path: of the file.
        setting: that names it.

    Raises:
        UserError: it is no text in UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{setting}={path} is no text in UTF-8", f"type {setting}=FILE of a source text") from error


class JudgedByFile:
    """A first program, and a Python file with a function that judges programs; ``driver`` calls it in the sandbox."""

    driver: ClassVar[str]
    evaluator: ExistingFile  # path of the file with the function; its folder can be read
    program: ExistingFile  # path of the first program
    task: str  # in words, for prompts
    function: str

    def __post_init__(self) -> None:
        for name in ("evaluator", "program"):
            if not Path(getattr(self, name)).is_file():
                raise UserError(f"domain.problem.{name}={getattr(self, name)} is no file", f"type domain.problem.{name}=FILE")
            read_text(getattr(self, name), f"domain.problem.{name}")

    @property
    def statement(self) -> str:
        """The task in words."""
        return self.task

    @property
    def initial(self) -> tuple[str, ...]:
        """The first program."""
        return (Path(self.program).read_text(encoding="utf-8"),)

    def job(self, source: str) -> Execution:
        """Calls the function; arguments as in ``Problem``."""
        path = Path(self.evaluator).resolve()
        inputs = {"program": source, "evaluator": str(path), "function": self.function, "name": Path(self.program).name}
        packages = imports(path.read_text(encoding="utf-8")) + imports(self.initial[0])
        return Execution("", self.driver, inputs, folders=(str(path.parent),), packages=packages)


@dataclass(frozen=True)
class Evaluator(JudgedByFile):
    """A Python function of the user: path of the program -> {objective, features, words}."""

    driver: ClassVar[str] = DRIVER

    evaluator: ExistingFile
    program: ExistingFile
    task: str
    features: tuple[str, ...] = ()
    objective_range: tuple[float, float] | None = None
    function: str = "evaluate"
    language: str = "python"

    def score(self, value: Any) -> Score:
        """Reads what it returned.

        Args:
            value: {objective, features, words}.
        """
        return read_score(value, self.features)


@dataclass(frozen=True)
class Command:
    """An executable of the user, called with the path of the program, which may be of any language."""

    command: str  # and its arguments; files of it lie in ``folder``
    program: ExistingFile  # path of the first program
    task: str  # in words, for prompts
    folder: str = ""  # that it can read; empty: the program's
    features: tuple[str, ...] = ()
    objective_range: tuple[float, float] | None = None
    language: str = "python"

    def __post_init__(self) -> None:
        if not self.command.strip():
            raise UserError("domain.problem.command is empty", "type domain.problem.command='sh evaluate.sh'")
        if not Path(self.program).is_file():
            raise UserError(f"domain.problem.program={self.program} is no file", "type domain.problem.program=FILE")
        read_text(self.program, "domain.problem.program")

    @property
    def statement(self) -> str:
        """The task in words."""
        return self.task

    @property
    def initial(self) -> tuple[str, ...]:
        """The first program."""
        return (Path(self.program).read_text(encoding="utf-8"),)

    def job(self, source: str) -> Execution:
        """Calls the executable; arguments as in ``Problem``."""
        folder = Path(self.folder or Path(self.program).parent).resolve()
        words = [str(folder / word) if (folder / word).is_file() else word for word in shlex.split(self.command)]
        name = Path(self.program).name
        return Execution(files={name: source}, command=(*words, f"{{job}}/{name}"), folders=(str(folder),))

    def score(self, value: Any) -> Score:
        """Reads what it printed.

        Args:
            value: {objective, features, words}.
        """
        return read_score(value, self.features)
