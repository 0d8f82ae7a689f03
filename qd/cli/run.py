"""``qd run``: one run, a sweep, or what else Hydra offers (--cfg, --config-dir)."""

import sys
from dataclasses import fields
from typing import Any

from qd.runner.many_seeds import WORD, many
from qd.runner.sweep import FLAGS, sweep
from qd.runner.terminal import job, prepare
from qd.support.errors import UserError

HELP = """qd run [KEY=VALUE ...]      one run; without words, the planar arm

  qd run domain=sphere emitter=cma_me seed=3      choices of a group, and settings
  qd run domain.joints=20 archive.dims=[100,100]  settings of a part
  qd run experiment=arm_pca                       a recipe that is named
  qd run seeds=20                                 seed, seed + 1, ... in one process, compiled once; each has its own folder
  qd run -m seed=0,1,2 emitter=isoline,cma_me     a sweep: each combination; given again, only what is missing
  qd run --cfg job                                what would run
"""


def main(args: list[str]) -> int:
    """Composes, builds and runs. Raises ValueError where that cannot be."""
    prepare()
    if any(arg in ("-h", "--help") for arg in args):
        print(HELP + "\n" + _choices())
        return 0
    several = any(arg.startswith(WORD) for arg in args)
    if several and any(arg.startswith("-") for arg in args):
        raise UserError("seeds= is for one search; in a sweep type seed=range(0,20)")
    if several:
        return many(args)
    if any(arg.startswith("-") for arg in args):
        if {arg for arg in args if arg.startswith("-")} <= set(FLAGS):
            return sweep(args)
        return _by_hydra(args)
    from qd.config.compose import load

    return {"stopped": 130, "spent": 3}.get(job(load(args), args)["status"], 0)


def _by_hydra(args: list[str]) -> int:
    import hydra

    from qd.config.overrides import check, opened, prepared, register
    from qd.support.conf import conf

    def task(cfg: Any) -> None:
        from hydra.core.hydra_config import HydraConfig

        from qd.config.compose import plain

        told = HydraConfig.get()
        job(plain(cfg, dict(told.runtime.choices)), list(told.overrides.task))

    register()
    if not any(arg.startswith(("--config", "-cd", "-cn", "-cp")) for arg in args):  # else the choices are not ours to know
        with opened():
            check([arg for arg in args if "=" in arg and not arg.startswith("-")])
    sys.argv = ["qd run", *prepared(args)]
    hydra.main(version_base="1.3", config_path=str(conf()), config_name="config")(task)()
    return 0


def _choices() -> str:
    from qd.config.settings import Settings
    from qd.support.conf import conf

    groups = sorted(folder for folder in conf().iterdir() if folder.is_dir())
    width = max(len(group.name) for group in groups)
    lines = [f"  {group.name:{width}}  {', '.join(sorted(f.stem for f in group.glob('*.yaml')))}" for group in groups]
    names = [f.name for f in fields(Settings) if f.name not in {group.name for group in groups}]
    return "\n".join([*lines, "", f"  settings: {', '.join('from' if name == 'source' else name for name in names)}"])
