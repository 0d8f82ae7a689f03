"""`qd run [KEY=VALUE ...]`: one run; without words, the planar arm.

  qd run domain=sphere emitter=cma_me seed=3      choices of a group, and settings
  qd run domain.joints=20 archive.dims=[100,100]  settings of a part
  qd run recipe=arm_pca                       a recipe that is named
  qd run seeds=20                                 seed, seed + 1, ... in one process, compiled once; each has its own folder
  qd run -m seed=0,1,2 emitter=isoline,cma_me     a sweep: each combination
  qd run --cfg job                                what would run, and what else Hydra offers (--config-dir, ...)

Given again, a command skips what is finished and goes on with what was cut off.
"""

from collections.abc import Sequence

from qd.cli.parser import command_parser
from qd.config.explain import explain


def main(words: Sequence[str]) -> int:
    """Composes, builds and runs. Raises UserError where that cannot be."""
    if {"-h", "--help"} & set(words):
        parser = command_parser("run", __doc__, "qd run [KEY=VALUE ...]")
        parser.epilog = explain(words)
        parser.print_help()
        return 0

    from qd.runner.launch import launch

    return launch(words)
