"""This user's folders on this machine: the cache, which can be deleted at any time, and the configuration, which cannot.

On Linux ``$XDG_CACHE_HOME/qd-atlas`` and ``$XDG_CONFIG_HOME/qd-atlas``, by default in ``~/.cache`` and ``~/.config``.
"""

from pathlib import Path

import platformdirs

_NAME = "qd-atlas"


def cache_path(*names: str) -> Path:
    """Returns a file or folder of the cache; it need not exist."""
    return platformdirs.user_cache_path(_NAME, appauthor=False).joinpath(*names)


def config_path(*names: str) -> Path:
    """Returns a file or folder of the configuration; it need not exist."""
    return platformdirs.user_config_path(_NAME, appauthor=False).joinpath(*names)
