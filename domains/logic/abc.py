"""Calls of Berkeley ABC. It ends with status 0 whatever happens, so that all is read from what it prints.

An unknown command ends a script silently; a failed proof is a line among others. A result counts only where the line
"Networks are equivalent" is there, and both counts before it.
"""

import re
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from domains.logic import tables
from qd.support.errors import UserError

PROGRAM = "berkeley-abc"
ENDINGS = {".blif": "read_blif", ".aig": "read_aiger", ".aag": "read_aiger", ".v": "read_verilog"}
RESYN2 = (
    "balance", "rewrite", "refactor", "balance", "rewrite", "rewrite -z", "balance", "refactor -z", "rewrite -z", "balance",
)  # fmt: skip
_LARGEST = 10**7  # bytes of a circuit
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_AIG = re.compile(r"and =\s*(\d+)\s+lev =\s*(\d+)")
_LUTS = re.compile(r"nd =\s*(\d+).*?lev =\s*(\d+)")
_GATES = re.compile(r"area =\s*([\d.]+)\s+delay =\s*(-?[\d.]+)")  # below 0: of constant outputs alone
_UNKNOWN = re.compile(r"unknown command '?([^'\n]*)'?")
_LIBRARY = """GATE inv  1 O=!a;          PIN * INV 1 999 0.5 0 0.5 0
GATE buf  2 O=a;           PIN * NONINV 1 999 1.0 0 1.0 0
GATE nand2 2 O=!(a*b);     PIN * INV 1 999 1.0 0 1.0 0
GATE nor2  2 O=!(a+b);     PIN * INV 1 999 1.2 0 1.2 0
GATE nand3 3 O=!(a*b*c);   PIN * INV 1 999 1.4 0 1.4 0
GATE nor3  3 O=!(a+b+c);   PIN * INV 1 999 1.8 0 1.8 0
GATE aoi21 3 O=!(a*b+c);   PIN * INV 1 999 1.5 0 1.5 0
GATE oai21 3 O=!((a+b)*c); PIN * INV 1 999 1.5 0 1.5 0
GATE xor2  5 O=a*!b+!a*b;  PIN * UNKNOWN 1 999 1.9 0 1.9 0
GATE zero  0 O=CONST0;
GATE one   0 O=CONST1;
"""  # a small library of our own: area in inverters, delay in units of a NAND's
MAPPINGS = {  # name -> commands after the recipe, and the pattern of its counts
    "aig": ("strash", _AIG),
    "luts": ("strash; if -K 6", _LUTS),
    "gates": ("strash; map", _GATES),
}


class Result(NamedTuple):
    """What became of one recipe."""

    area: float  # ANDs, tables of 6 inputs or the sum of gates' areas; NaN where it failed
    depth: float  # levels, or delay
    reason: str  # why it failed; "" where it did not


class Circuit(NamedTuple):
    """A circuit to work on."""

    ending: str
    content: bytes


def program() -> str:
    """Returns the path of ABC. Raises UserError where it is not installed."""
    path = shutil.which(PROGRAM) or shutil.which("abc")
    if path is None:
        raise UserError(
            f"{PROGRAM} is not installed", "type apt-get install berkeley-abc (Debian, Ubuntu), or put abc into PATH"
        )
    return path


@lru_cache(maxsize=32)
def circuit(name: str) -> Circuit:
    """Returns a circuit: one that is made here, or a file.

    Args:
        name: as in domains/logic/tables.py, or the path of a BLIF, AIGER or Verilog file.

    Raises:
        UserError: there is no such circuit, or ABC cannot read the file.
    """
    if tables.is_name(name):
        return Circuit(".blif", tables.blif(name).encode())
    path = Path(name)
    if path.suffix not in ENDINGS:
        raise UserError(
            f"circuit {name!r} is neither made here nor a file that ends in {', '.join(ENDINGS)}",
            "type random8, random8.2, sorter6, count7, square5, or the path of such a file",
        )
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise UserError(f"the circuit {name!r} cannot be read: {error.strerror}", "give the path of a file") from error
    if len(content) > _LARGEST:
        raise UserError(f"the circuit {name!r} is larger than 10 MB", "give a smaller one")
    found = Circuit(path.suffix, content)
    printed, _ = _call(found, [_read(found), "print_stats"], 20.0)
    counts = re.search(r"i/o =\s*(\d+)/\s*(\d+)\s+lat =\s*(\d+)", printed)
    if counts is None or int(counts[2]) == 0:
        raise UserError(
            f"{name!r} is no circuit that ABC can read", f"give a BLIF, AIGER or Verilog file; it says: {_last(printed)}"
        )
    if found_open := re.search(r"Constant-0 drivers added to (\d+) non-driven nets", printed):
        raise UserError(f"{name!r} has nets that nothing drives ({found_open[1]})", "give each net a gate, or make it an input")
    if int(counts[3]):
        raise UserError(f"{name!r} has {counts[3]} latches", "give a combinational circuit: results are proved equal by cec")
    return found


def check_commands(commands: tuple[str, ...]) -> None:
    """Raises UserError where ABC does not know a command, or it is no single command."""
    for command in commands:
        if command and re.fullmatch(r"&?[a-z_0-9]+( -?[A-Za-z0-9.]+)*(; *&?[a-z_0-9]+( -?[A-Za-z0-9.]+)*)*", command) is None:
            raise UserError(f"{command!r} is no command of a recipe", "type words and options, e.g. 'resub -K 8'")
    words = {word for command in commands for word in (part.split()[0] for part in command.split(";") if part.strip())}
    small = Circuit(".blif", tables.blif("random3").encode())
    for name in sorted(words):
        printed, _ = _call(small, [_read(small), f"{name} -h"], 10.0)
        if found := _UNKNOWN.search(printed):
            raise UserError(f"ABC has no command {found[1]!r}", "type commands that `berkeley-abc -c help` lists")


def run(source: Circuit, recipes: list[tuple[str, ...]], mapping: str, seconds: float) -> list[Result]:
    """Applies recipes, maps each result, counts it and proves it equal to the circuit; many recipes in one call of ABC.

    Where one fails, it is tried again alone, and those behind it in a new call.

    Args:
        source: the circuit.
        recipes: commands of each, in order.
        mapping: a name in MAPPINGS.
        seconds: for each recipe, after which it has failed.

    Returns:
        Area and depth of each, or why it failed.
    """
    results: list[Result] = []
    while len(results) < len(recipes):
        rest = recipes[len(results) :]
        together = _together(source, rest, mapping, seconds)
        good = next((i for i, result in enumerate(together) if result.reason), len(rest))
        results += together[:good]
        if good < len(rest):
            results += together[:1] if len(rest) == 1 else _together(source, rest[good : good + 1], mapping, seconds)
    return results


def _together(source: Circuit, recipes: list[tuple[str, ...]], mapping: str, seconds: float) -> list[Result]:
    commands, pattern = MAPPINGS[mapping]
    script = []
    for i, recipe in enumerate(recipes):
        script += [f"echo @{i}", _read(source), "strash", *recipe, *commands.split("; "), "print_stats"]
        script += ["unmap"] if mapping == "gates" else []
        script += ["write_blif out.blif", f"cec -n in{source.ending} out.blif"]
    printed, in_time = _call(source, script, seconds * len(recipes))
    sections = dict(re.findall(r"^@(\d+) *$(.*?)(?=^@|\Z)", printed, re.MULTILINE | re.DOTALL))
    return [
        _judge(sections.get(str(i), ""), pattern, "" if in_time else f" (within {seconds:g} s)") for i in range(len(recipes))
    ]


def _judge(printed: str, pattern: re.Pattern, within: str) -> Result:
    counts = pattern.findall(printed)
    if found := _UNKNOWN.search(printed):
        return Result(float("nan"), float("nan"), f"ABC has no command {found[1]!r}")
    if not re.search(r"^Networks are equivalent", printed, re.MULTILINE) or not counts:
        return Result(float("nan"), float("nan"), f"not proved equal{within}: {_last(printed)}")
    return Result(float(counts[-1][0]), max(float(counts[-1][1]), 0.0), "")


def _read(source: Circuit) -> str:
    return f"{ENDINGS[source.ending]} in{source.ending}"


def _call(source: Circuit, script: list[str], seconds: float) -> tuple[str, bool]:
    """Runs commands in a folder of their own, with the circuit in it; returns what ABC prints, and whether it ended in time."""
    with tempfile.TemporaryDirectory(prefix="qd-abc-") as folder:
        Path(folder, f"in{source.ending}").write_bytes(source.content)
        Path(folder, "gates.genlib").write_text(_LIBRARY, encoding="ascii")
        Path(folder, "script").write_text("\n".join(["read_genlib gates.genlib", *script, ""]), encoding="ascii")
        words = [program(), "-s", "-q", "source -s script"]
        try:
            done = subprocess.run(
                words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds
            )
            printed, in_time = done.stdout, True
        except subprocess.TimeoutExpired as error:
            printed, in_time = error.stdout or b"", False
    return _COLOURS.sub("", printed.decode(errors="replace")), in_time


def _last(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return ascii(lines[-1][:120]) if lines else "nothing"
