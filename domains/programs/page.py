"""What a program looks like on the page of a run: its code in colours, the difference from its parent, output and feedback."""

import difflib
import html
import io
import keyword
import math
import tokenize

from domains.programs.journal import ProgramJournal, name_of

_STYLE = (
    "body{font:13px/1.45 system-ui,sans-serif;margin:8px;color:#1c2330;background:#fff}"
    "pre{font:12px/1.4 ui-monospace,monospace;background:#f6f7f9;padding:8px;overflow:auto;white-space:pre}"
    ".w{white-space:pre-wrap;overflow-wrap:anywhere}"
    ".k{color:#7a2fa0;font-weight:600}.s{color:#1a6b35}.n{color:#a64b00}.c{color:#71798a;font-style:italic}"
    ".d{color:#0b4f9e;font-weight:600}.plus{background:#dff5e3}.minus{background:#fde4e4}.at{color:#71798a}"
    "h4{margin:10px 0 3px}p{margin:3px 0}"
    "@media(prefers-color-scheme:dark){body{color:#e4e7ee;background:#171a21}pre{background:#20242d}.k{color:#c893ea}"
    ".s{color:#7fce96}.n{color:#f0a96b}.d{color:#84b6f4}.plus{background:#193b24}.minus{background:#4a2024}}"
)


def page(source: str, journal: ProgramJournal, language: str = "python") -> str:
    """Returns a document in HTML without scripts: what is short and new first, since it is read through a small window.

    Args:
        source: of the program.
        journal: of the run; it knows parents and evaluations.
        language: of the program; Python is coloured.

    Returns:
        The document.
    """
    origin, record = journal.origin(source), journal.find(source)
    parts = [f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>"]
    if origin is not None:
        parents = f" of {', '.join(dict.fromkeys(origin.parents))}" if origin.parents else ""
        parts.append(f"<p>Program {name_of(source)}: {html.escape(origin.by)}{parents}</p>")
    if record is not None and record.words:
        parts.append(f"<h4>Feedback</h4><pre class=w>{html.escape(record.words)}</pre>")
    for name in dict.fromkeys(origin.parents if origin else ()):
        if name in journal.sources:
            parts.append(f"<h4>Changed from {name}</h4><pre>{difference(journal.sources[name], source)}</pre>")
    parts.append(f"<h4>Code</h4><pre>{highlight(source) if language == 'python' else html.escape(source)}</pre>")
    if record is not None:
        spent = [] if math.isnan(record.seconds) else [f"{record.seconds:.3g} s"]
        spent += [] if math.isnan(record.memory) else [f"{record.memory:.0f} MB"]
        if record.output.strip():
            parts.append(f"<h4>Output</h4><pre class=w>{html.escape(record.output)}</pre>")
        parts.append(f"<p class=at>{', '.join(spent)}</p>" if spent else "")
    return "".join(parts)


def highlight(source: str) -> str:
    """Returns Python in HTML, coloured by its tokens; as it stands where it cannot be read."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError):
        return html.escape(source)
    lines, parts, row, column, before = source.splitlines(keepends=True), [], 1, 0, ""
    for token in tokens:
        if token.type in (tokenize.INDENT, tokenize.DEDENT, tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER):
            continue
        parts.append(html.escape(_between(lines, (row, column), token.start)))
        text = html.escape(token.string)
        kind = _kind(token, before)
        parts.append(f'<span class="{kind}">{text}</span>' if kind else text)
        (row, column), before = token.end, token.string
    parts.append(html.escape(_between(lines, (row, column), (len(lines) + 1, 0))))
    return "".join(parts)


def difference(parent: str, child: str) -> str:
    """Returns what changed as a unified diff in HTML.

    Args:
        parent: source before.
        child: source after.

    Returns:
        Lines with classes plus, minus, at.
    """
    lines = list(difflib.unified_diff(parent.splitlines(), child.splitlines(), lineterm="", n=2))[2:]
    kinds = {"+": "plus", "-": "minus", "@": "at"}
    return "\n".join(f'<span class="{kinds.get(line[:1], "")}">{html.escape(line)}</span>' for line in lines)


def _kind(token: tokenize.TokenInfo, before: str) -> str:
    if token.type == tokenize.NAME:
        if keyword.iskeyword(token.string):
            return "k"
        return "d" if before in ("def", "class") else ""
    return {tokenize.STRING: "s", tokenize.NUMBER: "n", tokenize.COMMENT: "c"}.get(token.type, "")


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Returns the text from one place (row from 1, column) to another."""
    if start[0] > len(lines):
        return ""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    last = lines[end[0] - 1][: end[1]] if end[0] <= len(lines) else ""
    return lines[start[0] - 1][start[1] :] + "".join(lines[start[0] : end[0] - 1]) + last
