"""Thinking that stands in a model's text, between tags or in channels: it is no part of the answer."""

import re
from dataclasses import dataclass
from functools import cached_property

_BLANK = r"[\s\ufeff]*"
_NAMES = ("think", "thinking", "thought", "reasoning", "seed:think")
_OTHERS = (
    ("[THINK]", "[/THINK]"),  # Magistral
    ("◁think▷", "◁/think▷"),  # Kimi
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # OpenThinker, Sky-T1
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
)
# channels of the Harmony format (gpt-oss): analysis and commentary, then the final one
_CHANNEL = re.compile(_BLANK + r"(?:<\|start\|>assistant)?<\|channel\|>")
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_FINAL_END = re.compile(r"<\|(?:return|end|call|start|channel)\|>")


def without_thinking(text: str, is_opened: bool = False, is_cut: bool = False) -> str | None:
    """Returns the text without the thinking that begins it.

    Args:
        text: all that the model wrote.
        is_opened: whether the endpoint's chat template may have opened the tag in the prompt, so that a closing tag alone
            ends the thinking. Else it does so only on a line of its own, with no opening tag before it.
        is_cut: whether the text ended at the limit on its tokens.

    Returns:
        What follows the thinking; the text unchanged where there is none; None where the thinking has no end.
    """
    if _CHANNEL.match(text):
        return _final_channel(text)
    end = 0
    while (block := next(((tags, match) for tags in _TAGS if (match := tags.start.match(text, end))), None)) is not None:
        tags, opening = block
        balanced, last = tags.ends(text, opening.end())
        following = balanced if balanced is not None or is_cut else last  # a tag that the thinking only mentions has no end
        if following is None:
            return None
        end = following
    if end == 0:
        end = min((at for tags in _TAGS if (at := tags.lone_end(text, is_opened)) is not None), default=0)
    return text[end:].lstrip() if end else text


@dataclass(frozen=True)
class _Tags:
    opening: str
    closing: str

    @cached_property
    def start(self) -> re.Pattern[str]:
        """The opening tag after blanks or a byte order mark."""
        return re.compile(_BLANK + re.escape(self.opening), re.IGNORECASE)

    @cached_property
    def either(self) -> re.Pattern[str]:
        """Either tag; the opening one is group 1."""
        return re.compile(f"({re.escape(self.opening)})|{re.escape(self.closing)}", re.IGNORECASE)

    @cached_property
    def line(self) -> re.Pattern[str]:
        """The closing tag on a line of its own."""
        return re.compile(rf"^[ \t]*{re.escape(self.closing)}[ \t]*\r?$", re.MULTILINE)

    def ends(self, text: str, start: int) -> tuple[int | None, int | None]:
        """Returns where a block that was opened ends: at the closing tag of the same depth, and at the last closing tag.

        Args:
            text: all that the model wrote.
            start: offset after the opening tag.
        """
        depth, last = 1, None
        for tag in self.either.finditer(text, start):
            depth += 1 if tag[1] else -1
            last = last if tag[1] else tag.end()
            if depth == 0:
                return last, last
        return None, last

    def lone_end(self, text: str, is_opened: bool) -> int | None:
        """Returns where a block without its opening tag ends, or None; arguments as in ``without_thinking``."""
        if is_opened:
            return self.ends(text, 0)[0]
        closing, first = self.line.search(text), self.either.search(text)
        return closing.end() if closing and first and not first[1] else None


_TAGS = (*(_Tags(f"<{name}>", f"</{name}>") for name in _NAMES), *(_Tags(*pair) for pair in _OTHERS))


def _final_channel(text: str) -> str | None:
    final = _FINAL.search(text)
    return _FINAL_END.split(text[final.end() :], maxsplit=1)[0].lstrip() if final else None
