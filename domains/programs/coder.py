"""The coder: prompts that ask a language model for programs. Each prompt is a file that a user can replace.

    coder = Coder(lm, prompts="my_prompts")     # a folder; what is not in it is ours, from domains/programs/prompts

In a prompt $task, $program, $score, $feedback, ... are replaced. B prompts.
"""

import string
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from domains.programs.code import extract
from domains.programs.problem import Problem
from domains.text.writer import samples
from qd.support.errors import UserError
from qd.types import Array

T = TypeVar("T")
_OURS = Path(__file__).with_name("prompts")
FIELDS = ("task", "language", "program", "score", "feedback", "other", "programs", "observations", "plan", "steps", "count")


@dataclass(frozen=True)
class Coder:
    """Asks a language model for programs and ideas."""

    lm: Any = field(compare=False)  # the client: lm(prompts, ...) follows instructions
    prompts: str = ""  # a folder with prompts of the user's own
    longest: int = 600  # tokens of a reply
    temperature: float = 0.8
    role: str = "coder"

    def __post_init__(self) -> None:
        for path in sorted(Path(self.prompts).glob("*.txt")) if self.prompts else ():
            read_prompt(path.stem, self.prompts)
        if self.prompts and not Path(self.prompts).is_dir():
            raise UserError(f"domain.coder.prompts={self.prompts} is no folder", f"copy {_OURS} and type its path")

    def prompt(self, name: str, **values: object) -> str:
        """Fills a prompt.

        Args:
            name: of its file, without .txt.
            values: field -> value; fields without one are empty.

        Returns:
            The prompt.
        """
        texts = dict.fromkeys(FIELDS, "") | {key: str(value).rstrip("\n") for key, value in values.items()}
        return read_prompt(name, self.prompts).substitute(texts).strip()

    def ask(self, key: Array, prompts: Sequence[str], role: str = "", longest: int = 0) -> list[str | None]:
        """Asks B questions.

        Args:
            key: which of the model's samples are used.
            prompts: the questions.
            role: for the report of calls; empty: coder.
            longest: tokens of a reply; 0: as in the settings.

        Returns:
            B replies, None where a call failed.
        """
        if not prompts:
            return []
        return self._answers(prompts, samples(key, len(prompts)), role, longest)

    def ask_each(self, key: Array, prompts: Sequence[str], use: Callable[[int, str | None], T]) -> list[T]:
        """Asks B questions, and uses each reply as soon as it is there.

        Args:
            key: which of the model's samples are used.
            prompts: the questions.
            use: (number of the question, reply; None where the call failed) -> a value; it is called in a thread.

        Returns:
            The values [B].
        """

        def answer(i: int) -> T:
            return use(i, self._answers([prompts[i]], [numbers[i]])[0])

        numbers = samples(key, len(prompts))
        with ThreadPoolExecutor(max(1, len(prompts))) as threads:
            return list(threads.map(answer, range(len(prompts))))

    def _answers(self, prompts: Sequence[str], numbers: list[int], role: str = "", longest: int = 0) -> list[str | None]:
        options = {"max_tokens": longest or self.longest, "temperature": self.temperature}
        return self.lm(list(prompts), role=role or self.role, sample=numbers, **options)

    def write(self, key: Array, problem: Problem, n: int) -> list[str]:
        """Writes programs from the task alone.

        Args:
            key: which of the model's samples are used.
            problem: the task.
            n: how many.

        Returns:
            Sources [n].
        """
        prompt = self.prompt("write", task=problem.statement, language=problem.language)
        return [extract(reply, language=problem.language) for reply in self.ask(key, [prompt] * n, "write")]


@cache
def read_prompt(name: str, folder: str = "") -> string.Template:
    """Reads a prompt, the user's own before ours.

    Args:
        name: of its file, without .txt.
        folder: of the user's prompts; empty: none.

    Returns:
        The template.

    Raises:
        UserError: there is no such prompt, or it has a field that nothing fills.
    """
    places = [Path(each, f"{name}.txt") for each in ([folder] if folder else []) + [str(_OURS)]]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        valid = sorted(each.stem for each in _OURS.glob("*.txt"))
        raise UserError(f"there is no prompt {name!r}", f"type one of {', '.join(valid)}")
    template = string.Template(path.read_text(encoding="utf-8"))
    if not template.is_valid():
        raise UserError(f"{path} has a $ without a name of a field", "write $$ for a plain $")
    unknown = set(template.get_identifiers()) - set(FIELDS)
    if unknown:
        raise UserError(f"{path} has the field ${min(unknown)}, which nothing fills", f"use some of {', '.join(FIELDS)}")
    return template
