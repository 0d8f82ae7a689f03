"""Whose fault it was: a part of the user's that raised during a run is named below its traceback."""

import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from qd import search
from qd.support import run_files
from qd.types import Search


class Blame:
    """Adds a last line to the traceback of whatever a part raises; it swallows nothing.

    The ValueErrors of our own rooms stay as they are: the command line says them without a traceback.
    """

    def __init__(self, recipe: Search, run: Path) -> None:
        self.recipe, self.run = recipe, run

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception):  # Ctrl-C is nobody's fault
            return
        frames = [frame for frame, _ in traceback.walk_tb(trace)]
        who = next((said for frame in reversed(frames) if (said := self._part(frame))), None)
        if who is None:
            return
        kept = any((self.run / run_files.CHECKPOINTS).glob("*.ckpt"))
        error.add_note(
            f"qd: {who} raised {type(error).__name__}{_where(frames)}; "
            + (f"what was found until the last checkpoint is in {self.run}" if kept else "nothing was found yet")
            + ": mend it and give the command again"
        )

    def _part(self, frame: FrameType) -> str | None:
        """Names the part that a frame is a method of."""
        parts = {"domain": self.recipe.domain, "descriptor": self.recipe.descriptor, "emitter": self.recipe.emitter}
        own = frame.f_locals.get("self")
        return next((f"{role} {type(part).__name__}" for role, part in parts.items() if own is part), None)


def _where(frames: list[FrameType]) -> str:
    """Says which rows were in hand, by what the loop's own frames hold."""
    for frame in frames:
        seen = frame.f_locals
        if frame.f_code is search.step.__code__ and "offspring" in seen:
            first = seen["state"].evaluations
            return f" in generation {seen['state'].generation} (rows {first}..{first + len(seen['offspring'].solutions) - 1})"
        if frame.f_code is search.step.__code__:
            return f" in generation {seen['state'].generation}"
        if frame.f_code is search.start.__code__:
            return f" in generation 0 (rows 0..{len(seen['solutions']) - 1})"
    return ""
