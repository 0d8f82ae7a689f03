"""``qd run``: single runs by our own composing and messages; sweeps, --cfg and --help by Hydra's."""

import os
import sys
from pathlib import Path
from typing import Any

HELP = """qd run [KEY=VALUE ...]      one run; without words, the planar arm

  qd run domain=sphere emitter=cma_me seed=3      choices of a group, and settings
  qd run domain.joints=20 archive.dims=[100,100]  settings of a part
  qd run experiment=arm_pca                       a recipe that is named
  qd run -m seed=0,1,2                            a sweep
  qd run --cfg job                                what would run
"""


def main(args: list[str]) -> int:
    """Composes, builds and runs. Raises ValueError where that cannot be."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: pyribs' CMA-ES is slower with more
    _find_yours()
    if any(arg in ("-h", "--help") for arg in args):
        print(HELP + "\n" + _choices())
        return 0
    if any(arg.startswith("-") for arg in args):
        return _by_hydra(args)
    from qd.cli.compose import load

    return 0 if _job(load(args), args)["status"] != "stopped" else 130


def _job(config: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    from qd.cli.compose import assemble, folder
    from qd.cli.console import Console
    from qd.cli.plot import draw
    from qd.cli.run import run

    console, path = Console(config["budget"], config["console"]), folder(config, overrides)
    try:
        result = run(config, assemble(config), path, console)
    finally:
        console.stop()
    if result["status"] == "finished" or (result["status"] == "skipped" and not (path / "figures").exists()):
        console.say(f"drawn: {', '.join(str(figure) for figure in draw(path) if figure.suffix == '.png')}")
    return result


def _by_hydra(args: list[str]) -> int:
    import hydra

    from qd.cli.choices import check, conf, opened, prepared, register

    def job(cfg: Any) -> None:
        from hydra.core.hydra_config import HydraConfig

        from qd.cli.compose import plain

        told = HydraConfig.get()
        _job(plain(cfg, dict(told.runtime.choices)), list(told.overrides.task))

    register()
    if not any(arg.startswith(("--config", "-cd", "-cn", "-cp")) for arg in args):  # else the choices are not ours to know
        with opened():
            check([arg for arg in args if "=" in arg and not arg.startswith("-")])
    sys.argv = ["qd run", *prepared(args)]
    hydra.main(version_base="1.3", config_path=str(conf()), config_name="config")(job)()
    return 0


def _find_yours() -> None:
    """Makes the user's own modules importable; last, so that none hides one of ours."""
    from qd.cli.build import foreign_domains

    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    foreign = foreign_domains()
    if foreign:
        print(f"qd: {foreign}", file=sys.stderr)


def _choices() -> str:
    from qd.cli.choices import conf

    groups = sorted(folder for folder in conf().iterdir() if folder.is_dir())
    width = max(len(group.name) for group in groups)
    return "\n".join(f"  {group.name:{width}}  {', '.join(sorted(f.stem for f in group.glob('*.yaml')))}" for group in groups)
