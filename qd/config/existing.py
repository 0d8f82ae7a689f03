"""The settings of a run that exists, or of words; light, so that invalid words are answered before JAX is imported."""

from collections.abc import Sequence
from pathlib import Path

from qd.config import compose
from qd.config.build import import_users_modules
from qd.config.settings import COMPONENTS, RunSettings, from_config, to_config
from qd.store import trusted
from qd.support import links, read_files, run_files
from qd.support.errors import UserError


def settings_of(args: Sequence[str]) -> tuple[RunSettings, Path]:
    """Returns settings and folder of the run that is named by its folder, or by the words of qd run.

    Args:
        args: a folder, and where it is foreign the settings of it that are trusted; or words of qd run.

    Returns:
        The settings, and the folder.

    Raises:
        UserError: the folder holds no run, or would build what is not trusted; or a word is invalid.
    """
    run = Path(args[0])
    file = run / run_files.CONFIG
    if not file.exists() and (len(args) > 1 or ("=" in args[0] and not run.exists())):
        settings = settings_of_words(args)
        return settings, compose.folder(settings, list(args))
    import_users_modules()
    links.check(run)
    if not file.is_file():
        raise UserError(f"{run} is no folder of a run: it holds no config.yaml", "type qd ask domain=... to begin one")
    config = read_files.yaml_mapping(file, "put it back, or begin again")
    try:
        settings = from_config(config | {"again": False})
    except UserError as error:
        raise UserError(f"{file} holds no config of a run: {error.problem}", "restore it, or start again") from error
    trusted.check(run, to_config(settings), (*COMPONENTS, "metrics"), args[1:])
    return settings, run


def settings_of_words(words: Sequence[str]) -> RunSettings:
    """Returns the settings that words of qd run describe. Raises UserError where a word is invalid."""
    import_users_modules()
    return compose.load(list(words))
