"""How every command reads its words: argparse, with the docstring of the command's file as its help."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from pathlib import Path


def command_parser(name: str, description: str | None, usage: str | None = None) -> ArgumentParser:
    """Returns a parser of ``qd NAME``, which knows --help. Words that it cannot parse end the command with status 2.

    Args:
        name: of the command.
        description: what --help says, as it stands.
        usage: what may be typed; None: as argparse makes it from the arguments.
    """
    return ArgumentParser(f"qd {name}", usage, description, formatter_class=RawDescriptionHelpFormatter)


def nonempty_path(word: str) -> Path:
    """Returns the path that a word names. Raises ArgumentTypeError where it is empty, which Path takes for this folder."""
    if not word.strip():
        raise ArgumentTypeError("an empty name is no path: type a name, or . for this folder")
    return Path(word)
