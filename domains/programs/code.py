"""Code in the replies of a language model: blocks of it, exact edits, blocks that may change, rows that fail before a run.

A reply without usable code still becomes a row: a source that says in its first line why it failed.
"""

import ast
import re
from typing import NamedTuple

from domains.programs.measures import parse

_FENCE = re.compile(r"```[ \t]*([\w+#.-]*)[ \t]*\r?\n(.*?)(?:```|\Z)", re.DOTALL)
_EDIT = re.compile(r"<<<<<<< SEARCH[ \t]*\r?\n(.*?)^=======[ \t]*\r?\n(.*?)^>{7} REPLACE", re.DOTALL | re.MULTILINE)
_FAULT = "#! failed: "
START, END = "EVOLVE-BLOCK-START", "EVOLVE-BLOCK-END"


def fault(reason: str, reply: str = "") -> str:
    """Returns a source that stands for a reply without usable code.

    Args:
        reason: why it failed, in words.
        reply: what the model wrote.
    """
    head = _FAULT + " ".join(reason.split())
    return "\n".join([head, *(f"# {line}" for line in reply.splitlines()[:40])])


def fault_of(source: str) -> str:
    """Returns why a source stands for a reply without usable code; empty where it is a program."""
    return source.partition("\n")[0].removeprefix(_FAULT) if source.startswith(_FAULT) else ""


def extract(reply: str | None, entry: str = "", language: str = "python") -> str:
    """Returns the program of a reply: its longest block of code, or all of it where that is code without a fence.

    Args:
        reply: of the model; None: the call failed.
        entry: text that a program must hold, as "def solve"; empty: any.
        language: only Python is recognised without a fence.

    Returns:
        The source, or one that says why there is none.
    """
    if not reply or not reply.strip():
        return fault("the model returned nothing")
    blocks = [text for _, text in _FENCE.findall(reply) if text.strip()]
    with_entry = [text for text in blocks if entry in text]
    if with_entry or blocks:
        return max(with_entry or blocks, key=len).rstrip() + "\n"
    if language == "python" and (entry or "def ") in reply and _parses(reply):
        return reply.strip() + "\n"
    return fault("the reply is prose: it has no block of code", reply)


def apply_edits(source: str, reply: str | None, language: str = "python") -> str:
    """Applies the search-and-replace blocks of a reply, each exactly once, or not at all.

    A reply without edits that has a block of code is taken as a rewrite: small models are asked for edits and write the
    whole program.

    Args:
        source: the parent.
        reply: of the model, with blocks of SEARCH and REPLACE marks.
        language: of the program.

    Returns:
        The new source, in the frame of the parent's markers; or one that says why a block could not be applied.
    """
    if not reply or not reply.strip():
        return fault("the model returned nothing")
    marks = [mark for mark in ("<<<<<<< SEARCH", "=======", ">" * 7 + " REPLACE") if mark in reply]
    if edits := _EDIT.findall(reply):
        changed = _edited(source, edits, reply)
    elif marks and marks != ["======="]:  # which also underlines titles in comments
        return fault(f"its edit has wrong markers: of the three it has {marks}", reply)
    else:
        changed = extract(reply, language=language)
        if fault_of(changed):
            return fault("the reply has no edit and no program", reply)
    child = into_frame(source, changed)
    return fault("its edits change nothing", reply) if child.rstrip() == source.rstrip() else child


def _edited(source: str, edits: list[tuple[str, str]], reply: str) -> str:
    """Applies (old, new) texts one after the other."""
    for number, (old, new) in enumerate(edits, 1):
        count = source.count(old) if old.strip() else 0
        if count != 1:
            first = old.strip().splitlines()[0] if old.strip() else ""
            what = f"is {count} times in the program" if count else "is not in the program"
            return fault(
                f"edit {number}: its search text {what}: {first[:80]!r}" if first else f"edit {number} is empty", reply
            )
        source = source.replace(old, new, 1)
    return source


class Frame(NamedTuple):
    """A source cut at its markers: fixed[0] block[0] fixed[1] block[1] ... fixed[-1]."""

    fixed: tuple[str, ...]
    blocks: tuple[str, ...]


def frame(source: str) -> Frame | None:
    """Cuts a source at its EVOLVE-BLOCK markers, which stay with the fixed parts; None where they are not in order."""
    fixed, blocks, current, inside = [], [], [], False
    for line in source.splitlines(keepends=True):
        is_start, is_end = START in line, END in line
        if (is_start == inside and (is_start or is_end)) or (is_end and not inside):
            return None
        if is_start:
            fixed.append("".join([*current, line]))
            current, inside = [], True
        elif is_end:
            blocks.append("".join(current))
            current, inside = [line], False
        else:
            current.append(line)
    return None if inside else Frame((*fixed, "".join(current)), tuple(blocks))


def into_frame(parent: str, child: str) -> str:
    """Puts what a child has between its markers into its parent: text outside of them cannot change.

    Args:
        parent: a program, with or without markers.
        child: the new program. Without markers it is the content of the parent's only block.

    Returns:
        The child; or a source that says why it does not fit.
    """
    old = frame(parent)
    if fault_of(child) or old is None or not old.blocks:
        return child
    new = frame(child)
    if new is None:
        return fault("its EVOLVE-BLOCK markers are not in order", child)
    blocks = new.blocks
    if not blocks and len(old.blocks) == 1:
        blocks = (child.rstrip() + "\n",)
    if len(blocks) != len(old.blocks):
        return fault(f"it has {len(blocks)} EVOLVE-BLOCKs, its parent {len(old.blocks)}", child)
    return "".join(part for pair in zip(old.fixed, (*blocks, ""), strict=True) for part in pair)


def imports(source: str) -> tuple[str, ...]:
    """Returns what a source imports at its top, of ``from a import b`` both a and a.b; nothing where it is no Python."""
    tree, names = parse(source), []
    for node in tree.body if tree else ():
        if isinstance(node, ast.Import):
            names += [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
    return tuple(dict.fromkeys(names))


def _parses(text: str) -> bool:
    try:
        compile(text, "reply", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
