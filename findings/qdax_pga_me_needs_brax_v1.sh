#!/usr/bin/env bash
# qdax 0.5.0, its newest version, with what pip resolves for it (brax 0.14.2). Guess: PGA-MAP-Elites, QDax' method for neural policies, runs on the
# environments of Brax v2 that QDax has under qdax.tasks.brax.v2.
# Observed: those environments are there, but the emitter cannot be imported: qdax.core.emitters.pga_me_emitter imports qdax.tasks.brax.v1 for the type of
# its environment, that needs brax.v1, and brax has dropped it (0.12.1 has it, 0.12.5 has not; qdax asks for brax>=0.10.4). The same holds for its emitters of
# DCRL-ME and QDPG. With brax 0.12.1 the import fails in another way: brax.v1 uses a name that jax 0.10 no longer has.
# Why it matters: no pair of versions with a present jax runs QDax' PGA-ME as it stands. A module qdax.tasks.brax.v1.envs.base_env with any class QDEnv, put
# into sys.modules first, is enough, for only the name is used.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q qdax==0.5.0 brax==0.14.2 jax==0.10.2 jaxlib==0.10.2
cat >"$work/check.py" <<'PYTHON'
import sys
from importlib.metadata import version
from types import ModuleType

from qdax.tasks.brax import v2

print("qdax", version("qdax"), "brax", version("brax"), "jax", version("jax"), "| v2 has walker2d_uni:", "walker2d_uni" in v2.reward_offset)
try:
    import qdax.core.emitters.pga_me_emitter
except (ImportError, AttributeError) as error:
    print(type(error).__name__, error)
    assert sys.argv[1] in str(error), error
else:
    sys.exit("it can be imported now")
for name in ("qdax.tasks.brax.v1", "qdax.tasks.brax.v1.envs", "qdax.tasks.brax.v1.envs.base_env"):
    sys.modules[name] = ModuleType(name)
sys.modules["qdax.tasks.brax.v1.envs.base_env"].QDEnv = object
from qdax.core.emitters.pga_me_emitter import PGAMEConfig

print("with a stand-in for the type it is there:", PGAMEConfig.__name__)
PYTHON
cd "$work" && JAX_PLATFORMS=cpu "$work/env/bin/python" check.py brax.v1 2>stderr
"$work/env/bin/pip" install -q --no-deps brax==0.12.1
JAX_PLATFORMS=cpu "$work/env/bin/python" check.py BatchTracer 2>stderr
