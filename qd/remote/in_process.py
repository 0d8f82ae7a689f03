"""No workers: chunks are evaluated in this process, one after another, as a worker would."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from qd.remote import evaluating
from qd.remote.tasks import Outcome, Status, Task


@dataclass(frozen=True)
class InProcess:
    """Settings: there are none."""

    @property
    def capacity(self) -> int:
        return 1

    @property
    def how_to_start(self) -> str:
        return ""

    def open(self, domain: Any) -> "Here":
        return Here(domain)


class Here:
    """This process as its own worker; nothing can end an evaluation that hangs."""

    def __init__(self, domain: Any) -> None:
        self._call = evaluating.call_of(domain)
        self._waiting: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        self._waiting.append(task)

    def wait(self, seconds: float) -> list[Outcome]:
        return [evaluating.evaluate(self._call, self._waiting.popleft())] if self._waiting else []

    def status(self) -> Status:
        return Status(1, 0, 0, sum(len(task.solutions) for task in self._waiting))

    def pids(self) -> list[int]:
        return []

    def close(self) -> None:
        self._waiting.clear()
