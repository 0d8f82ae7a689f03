"""Composing: who wins, what a misspelling is told, what a part may refer to, where a run lies."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domains.arm import Arm
from feedback.descriptors.pca import PCA
from feedback.descriptors.select import Select
from qd.archives import CVT, Grid
from qd.config import compose
from qd.config.build import build, foreign_domains
from qd.config.settings import to_config
from qd.emitters.ribs import Ribs
from qd.emitters.vary import Gaussian, IntegerReset, IsoLine, Vary
from qd.fused import run
from qd.support.conf import conf

DISC = "# @package _global_\ndomain: {_target_: mine.Disc}\ndomain_defaults: {feature: where, bounds: [[-1, 1], [-1, 1]]}\n"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """Somebody's own folder, with a domain in it."""
    (tmp_path / "conf/domain").mkdir(parents=True)
    (tmp_path / "conf/domain/disc.yaml").write_text(DISC)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search(*overrides: str) -> Any:
    return compose.assemble(compose.load(list(overrides))).search


def test_the_default_is_the_arm():
    settings = compose.load([])
    assert set(to_config(settings)) == {
        *("name", "seed", "budget", "initial", "refit", "log_every", "save_every", "renderings", "runs", "again"),
        *("save_seconds", "console", "keep", "reserve", "domain", "descriptor", "archive", "emitter", "referee", "driver"),
    }
    components = compose.assemble(settings)
    bounds = ((-1, 1), (-1, 1))
    assert components.search[:4] == (Arm(joints=10), Select("gripper", bounds), Grid((50, 50)), Vary(IsoLine(), 256))
    assert (settings.name, components.referee, components.run) == ("arm", None, run)
    assert type(components.search.domain) is Arm and hash(components.search.descriptor)


def test_a_domain_brings_what_suits_it_and_the_user_wins():
    assert search("domain=arm_qdhf").emitter == Vary(Gaussian(), 100)
    assert search("domain=arm_qdhf", "emitter=isoline").emitter == Vary(IsoLine(), 100)
    assert search("emitter=isoline", "domain=arm_qdhf").emitter == Vary(IsoLine(), 100)
    assert search("domain=arm_qdhf", "domain_defaults.batch_size=7").emitter.batch_size == 7
    assert search("domain=sphere").archive == Grid((100, 100), 0.01, 0.0)
    assert search("domain=sphere", "archive=grid").archive == Grid((100, 100))
    assert search("domain=sphere", "emitter=isoline").archive == Grid((100, 100))
    assert search("domain=sphere", "emitter=cma_me").archive == Grid((100, 100))
    assert search("emitter=cma_mae", "archive=cvt").archive == CVT(1000)


def test_command_line_over_experiment_over_domain_over_primary():
    settings = compose.load(["recipe=arm_pca"])
    assert (settings.budget, settings.seed, settings.refit) == (100_000, 0, [10_000, 25_000, 50_000])
    parts = compose.assemble(settings).search
    assert (parts.descriptor, parts.domain) == (PCA(reads=("angles",)), Arm(10, 10))
    settings = compose.load(["recipe=arm_pca", "descriptor=select", "refit=null", "budget=5"])
    assert (settings.budget, settings.refit) == (5, None)
    assert compose.assemble(settings).search.descriptor == Select("gripper", ((-10, 10), (-10, 10)))
    assert search("recipe=arm_pca", "domain=arm").domain == Arm(joints=10)


def test_settings_of_parts_need_no_plus():
    parts = search("domain.joints=4", "archive.dims=[7,9]", "emitter.variation.iso=0.5", "descriptor.columns=[1,0]")
    assert parts.domain.joints == 4
    assert parts.archive.dims == (7, 9)
    assert parts.emitter.variation.iso == 0.5
    assert parts.descriptor.columns == (1, 0)
    settings = dict(search("emitter=cma_me_rd", "emitter.settings.es=sep_cma_es").emitter.settings)
    assert settings == {"ranker": "rd", "es": "sep_cma_es", "sigma0": 0.5, "batch_size": 36}
    assert compose.load(["domain=arm", "domain=sphere", "seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["domain=amr"], r"unknown domain 'amr'; type arm$"),
        (["emitter=cmame"], r"unknown emitter 'cmame'; type cma_\w+, cma_\w+ or cma_\w+$"),
        (["bugdet=3"], "unknown setting 'bugdet'; type budget$"),
        (["+bugdet=3"], "; type budget$"),
        (
            ["domain_defaults.fature=x"],
            r"unknown setting 'domain_defaults.fature'; type domain_defaults.feature$",
        ),
        (["domain.jonts=3"], r"unknown setting 'domain.jonts' of Arm; type domain.joints$"),
        (["emitter.variation.isso=3"], r"unknown setting 'emitter.variation.isso' of IsoLine; type emitter.variation.iso$"),
        (["emitter=cma_me", "emitter.settings.sigma=3"], r"unknown setting 'sigma' of EvolutionStrategyEmitter; type sigma0$"),
        (["archive=cvt", "archive.cells=abc"], r"^archive.cells=abc is no whole number; type archive.cells=10$"),
        (["domain.joints=2.5"], r"^domain.joints=2.5 is no whole number; type domain.joints=2$"),
        (["domain.joints=true"], "domain.joints=true is no whole number; type domain.joints=10"),
        (["domain.joints=null"], "domain.joints=null is no whole number"),
        (["domain.joints={}"], "domain.joints={} is no whole number; type domain.joints=10"),
        (["archive=cvt", "archive.cells={}"], "archive.cells={} is no whole number"),
        (["domain.length=far"], r"domain.length=far is no number; type domain.length=1.0"),
        (["domain.pure=1"], "domain.pure=1 is neither true nor false; type domain.pure=true"),
        (["descriptor.feature=nan"], r"descriptor.feature=nan is no text; type \"descriptor.feature='nan'\" if"),
        (["archive=cvt", "archive.cells=0"], r"^archive.cells=0 is too small; type archive.cells=1 or more$"),
        (
            ["archive.dims=[[9],[9]]"],
            r"^archive.dims=\[\[9\],\[9\]\] is no list of whole numbers; type archive.dims=\[50,50\]$",
        ),
        (["~lm=-inf"], "^cannot read '~lm=-inf'; type ~lm$"),
        (["archive.dims=[9,0]"], r"^archive.dims=\[9,0\] is too small; type archive.dims=\[9,50\]$"),
        (["emitter.batch_size=0"], r"^emitter.batch_size=0 is too small; type emitter.batch_size=1 or more$"),
        (["budget=0"], r"^budget=0 is too small; type budget=1 or more$"),
        (["archive.dims=50"], r"archive.dims=50 is no list; type archive.dims=\[50,50\]"),
        (["emitter.variation.iso=[1]"], r"emitter.variation.iso=\[1\] is no number; type emitter.variation.iso=0.01"),
        (["domain.joints=0"], "type joints=1 or more"),
        (["domain._target_=domains.amr.Arm"], r"unknown _target_ 'domains.amr' in domain; type domains.arm"),
        (["domain._target_=domains.arm.Amr"], r"unknown _target_ 'domains.arm.Amr' in domain; type domains.arm.Arm"),
        (["domain._target_=nowhere.Arm"], "unknown package 'nowhere'"),
        (["domain._target_=domains.arm"], "is a module; name a class in it: Arm"),
        (
            ["~domain.joints", "domain._target_=feedback.descriptors.pca.PCAParams"],
            r"domain.mean is not set, and PCAParams needs it; type domain.mean=",
        ),
        (["~domain.joints", "domain._target_=fractions.Fraction"], "Fraction is no domain: it lacks pure, sample, evaluate"),
        (["descriptor.feature=@domian.space"], r"unknown reference '@domian' in descriptor.feature; type @domain$"),
        (["descriptor.bounds=@domain.spce"], r"unknown reference '@domain.spce' in descriptor.bounds; type @domain.space"),
        (["nonsense=3"], r"^unknown setting 'nonsense'; type \w+, \w+, \w+, ... \(qd run --help lists all\)$"),
        (["budget=abc"], r"^budget=abc is no whole number; type budget=50000$"),
        (["seed=null"], r"^seed=null is no whole number; type seed=0$"),
        (["seed=1.5"], r"^seed=1.5 is no whole number; type seed=1$"),
        (["again=maybe"], r"^again=maybe is neither true nor false; type again=false$"),
        (["keep=3"], r"^keep=3 is no list; type keep=\[\]$"),
        (
            ["domain_defaults.batch_size=x"],
            r"^domain_defaults.batch_size=x is no whole number; type domain_defaults.batch_size=256$",
        ),
        (["plateau.share=x"], r"^plateau.share=x is no number; type plateau.share=0.01$"),
        (["seed=1,2"], r"^seed=1,2 lists values; type qd run -m seed=1,2 for a sweep, seed=\[1,2\] for a list, or "),
        (["name=my", "run", "x"], "^cannot read 'run'; type KEY=VALUE, with inner quotes .*: \"name='my run x'\"$"),
        (["name=my run: x("], "with inner quotes around blanks and signs: \"name='my run: x\\('\"$"),
        (["budget"], "cannot read 'budget'; type KEY=VALUE"),
        (["archive.dims=[1,"], "cannot read .*; type KEY=VALUE"),
        (["domain.=3"], "^cannot read 'domain.=3'; type KEY=VALUE"),
        (["seed=range(0,5)"], r"^seed=range\(0,5\) lists values; type qd run -m seed=range\(0,5\)$"),
        (["~domain"], "^a run needs a domain; leave out ~domain$"),
        (["referee.x=3"], "^referee has settings, but no referee is chosen; type referee=CHOICE too, or leave out referee"),
        (["driver.nmae=host"], "^unknown setting 'driver.nmae'; type driver.name$"),
        (["archive.dims={a:1}"], r"^archive.dims=.* is no list; type archive.dims=\[50,50\]$"),
        (["archive=cvt", "archive.cells={a:1}"], r"^archive.cells=.* is no whole number; type archive.cells=10"),
        (
            ["domain._target_=types.SimpleNamespace"],
            "^domain: SimpleNamespace does not say which settings it takes; name a class",
        ),
        (["emitter._target_=builtins.dict"], "^emitter: dict does not say which settings it takes; name a class"),
        (["domain._target_="], "^domain: _target_ '' is no dotted name; name a class or a function, e.g. domains.arm.Arm$"),
        (["domain._target_=3"], "^domain: _target_ 3 is no dotted name"),
        (["domain._target_=a..b"], "^domain: _target_ 'a..b' is no dotted name"),
        (
            ["lm=custom"],
            r"^lm.base_url and 3 others are not set; type lm.base_url=... lm.model=... lm.price.in=... lm.price.out=",
        ),
        (["driver=fsed"], "unknown driver 'fsed'"),
        (["driver.name=quick"], "unknown driver 'quick'; type auto, "),
        (["refit=often"], "refit=often is no count of evaluations; type refit=10000"),
        (["refit=[0]"], "type refit=10000"),
        (["refit=100"], "refit needs a descriptor that learns; Select does not: leave refit out, or type descriptor=pca"),
        (["name="], "name= is empty; type name=WORD"),
        (["name=' '"], "name= is empty; type name=WORD"),
        (["name=../../x"], "leaves the folder of runs"),
        (["renderings=-1"], "type renderings=0 or more"),
        (["reserve=-1"], "^reserve=-1 is below 0; type reserve=0 or more$"),
        (["save_seconds=nan"], "^save_seconds=nan is below 0"),
        (["emitter.variation=3"], "^emitter.variation=3 is no Variation; type emitter.variation._target_=MODULE.CLASS$"),
        (["columns=txt"], "^unknown columns 'txt'; type text$"),
    ],
)
def test_messages(overrides, message):
    with pytest.raises(ValueError, match=message):
        compose.assemble(compose.load(overrides))


def test_their_own_conf_is_searched(elsewhere):
    settings = compose.load(["domain=disc", "descriptor.feature=there"])
    assert (settings.name, settings.domain) == ("disc", {"_target_": "mine.Disc"})
    assert settings.descriptor["feature"] == "there" and settings.descriptor["bounds"] == [[-1, 1], [-1, 1]]
    with pytest.raises(ValueError, match=r"type disc"):
        compose.load(["domain=disk"])
    with pytest.raises(ValueError, match=r"descriptor.reads needs domain_defaults.reads, which domain=disc does not set; type"):
        compose.load(["domain=disc", "descriptor=pca"])


def test_their_own_mistakes_are_named(elsewhere):
    (elsewhere / "conf/domain/disc.yaml").write_text(DISC.replace("domain_defaults:", "domain_default:"))
    with pytest.raises(ValueError, match=r"In 'domain/disc'.*unknown setting 'domain_default'; type domain_defaults"):
        compose.load(["domain=disc"])
    (elsewhere / "conf/domain/disc.yaml").write_text(DISC.replace("feature", "fature"))
    with pytest.raises(ValueError, match=r"unknown setting 'fature'; type feature"):
        compose.load(["domain=disc"])
    (elsewhere / "conf/domain/arm.yaml").write_text(DISC)
    with pytest.raises(ValueError, match="arm.yaml has the name of one of our own choices, which would hide it; rename it"):
        compose.load([])
    (elsewhere / "conf/domain/arm.yaml").write_text((conf() / "domain/arm.yaml").read_text())  # a copy hides nothing
    assert compose.load([]).name == "arm"


@pytest.mark.parametrize("file", ["domain/bare.yaml", "recipe/bare.yaml", "emitter/bare.yaml"])
def test_their_own_yaml_without_its_first_line(elsewhere, file):
    texts = {
        "domain": DISC.partition("\n")[2],
        "recipe": "seed: 3\n",
        "emitter": "emitter: {_target_: qd.emitters.vary.Vary}\n",
    }
    path = elsewhere / "conf" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(texts[path.parent.name])
    with pytest.raises(ValueError, match=f"^conf/{file} does not begin with # @package _global_; add that line at its top$"):
        compose.load([f"{path.parent.name}=bare"])


def test_their_own_yaml_that_cannot_be_read_is_named_with_its_line(elsewhere):
    (elsewhere / "conf/domain/disc.yaml").write_text("# @package _global_\ndomain: {_target_: mine.Disc\nname: x\n")
    with pytest.raises(ValueError, match=r"^conf/domain/disc.yaml line 3: expected ',' or '}', but got ':'; correct that line"):
        compose.load(["domain=disc"])


@pytest.mark.parametrize("group", ["domain", "descriptor", "archive", "emitter"])
def test_a_run_needs_a_choice_of_each_component(group):
    with pytest.raises(
        ValueError, match=f"^{group}=null chooses no {group}, and a run needs one; type another {group}=..., or"
    ):
        compose.load([f"{group}=null"])


def test_the_referee_says_what_is_kept():
    components = compose.assemble(compose.load(["recipe=arm_pca", "keep=[angles]"]))
    assert components.search.keep == ("angles", "gripper")
    assert components.referee is not None and components.referee.archive == Grid((50, 50))
    assert compose.assemble(compose.load([])).search.keep == ()


@dataclass(frozen=True)
class Service:
    created: list

    def __post_init__(self) -> None:
        self.created.append(1)


MADE: list = []


def service() -> Service:
    """One of those of which there must be only one."""
    return Service(MADE)


def judge(domain: Any, lm: Any, again: tuple) -> Any:
    """A domain that talks to a service."""
    object.__setattr__(domain, "lms", (lm, *again))
    return domain


def test_shared_parts_are_built_once():
    MADE.clear()
    settings = compose.load([])
    inner = {"domain": settings.domain, "lm": "@lm", "again": ["@lm", {"x": "@lm"}]}
    twice = {"_target_": f"{__name__}.judge"} | inner
    domain = compose.assemble(replace(settings, lm={"_target_": f"{__name__}.service"}, domain=twice)).search.domain
    one, two, three = domain.lms
    assert one is two is three["x"] and len(MADE) == 1


def test_build():
    assert build([1, [2, None]], {}, "") == (1, (2, None))
    assert build("@@at", {}, "") == "@at"
    assert build({"a": "@domain.space"}, {"domain": Arm()}, "") == {"a": Arm().space}
    node = {"_target_": "qd.emitters.vary.IntegerReset", "options": [3]}
    assert build(node, {}, "") == IntegerReset(options=(3,))
    assert node["options"] == [3]  # what is given stays as it was
    assert isinstance(compose.assemble(compose.load(["emitter=pool"])).search.emitter.emitters[1], Ribs)
    assert foreign_domains() is None


def loosely(whole: int, share: float = 0.5, either: "int | str" = 1, limit: float | None = 1.0, other: Any = None) -> tuple:
    """Something with annotations."""
    return whole, share, either, limit, other


def unreadable(whole: "Nowhere") -> Any:  # noqa: F821 # type: ignore
    """Its annotation is for a type checker."""
    return whole


def test_kinds_that_pass():
    node = {"_target_": f"{__name__}.loosely", "whole": np.int64(3), "share": 1, "either": "x", "limit": None, "other": [1]}
    assert build(node, {}, "") == (3, 1, "x", None, (1,))
    assert build(node | {"whole": "@x", "either": 1.5}, {"x": "any"}, "") == ("any", 1, 1.5, None, (1,))
    assert build({"_target_": f"{__name__}.unreadable", "whole": "x"}, {}, "") == "x"
    with pytest.raises(ValueError, match="part.limit=x is no number; type part.limit=1.0"):
        build(node | {"limit": "x"}, {}, "part")
    with pytest.raises(ValueError, match=r"part: refusing\(\) fails: it is odd"):
        build({"_target_": f"{__name__}.refusing"}, {}, "part")


def refusing() -> None:
    """Raises TypeError."""
    raise TypeError("it is odd")


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ([], "arm/s0"),
        (["seed=3", "budget=10", "console=off", "again=true"], "arm/s3"),
        (["domain=sphere"], "sphere/s0"),
        (["name=mine", "domain=sphere"], "mine/domain=sphere-s0"),
        (["recipe=qd_gt"], "qd_gt/s0"),
        (["seed=1", "emitter=cma_me", "archive=cvt"], "arm/archive=cvt,emitter=cma_me-s1"),
        (["archive=cvt", "emitter=cma_me", "seed=1"], "arm/archive=cvt,emitter=cma_me-s1"),
        (["archive.dims=[9,9]"], "arm/archive.dims=[9,9]-s0"),
    ],
)
def test_folders(overrides, path):
    assert compose.folder(compose.load(overrides), overrides) == Path("runs", path)


def test_long_or_slashed_folders_are_shortened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    slashed, other = ["descriptor.feature=a/b"], ["descriptor.feature=a/c"]
    there = compose.folder(compose.load(slashed), slashed)
    assert re.fullmatch("runs/arm/descriptor.feature=a_b-[0-9a-f]{6}-s0", str(there))
    assert there != compose.folder(compose.load(other), other)
    assert there == compose.folder(compose.load([*slashed, "budget=9"]), [*slashed, "budget=9"])
    long = [f"emitter.variation.iso=0.{'1' * 120}", "runs=/tmp/x"]
    assert compose.folder(compose.load(long), long).parent == Path("/tmp/x/arm")
    name = compose.folder(compose.load(long), long).name
    assert re.fullmatch("emitter.variation.iso=0.1{30,50}-[0-9a-f]{6}-s0", name) and len(name) < 80
    hashed = Path("runs/arm", f"{compose._hash(compose.load(slashed))}-s0")  # its name in an earlier version
    hashed.mkdir(parents=True)
    assert compose.folder(compose.load(slashed), slashed) == hashed
