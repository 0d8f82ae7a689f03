"""Nothing that a foreign run folder names is built: each reader opens a folder with components that would make a folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import qd
from feedback.label import run_view
from qd.archives import Grid, insert
from qd.cli.main import main
from qd.config.settings import COMPONENTS
from qd.report.export import export
from qd.report.page import contents
from qd.report.view.listing import Listing
from qd.store import archive_file, folder, trusted
from qd.support.errors import UserError
from qd.types import Rows

RUN = "runs/arm/s0"
SMALL = ["domain.joints=3", "archive.dims=[5,5]", "initial=20", "budget=60", "console=off", "renderings=2"]
EXTERNAL = """
from domains.external import External


class Mine(External):
    pass
"""
EXTERNAL_WORDS = [
    "domain.dim=2", "domain.low=-1.0", "domain.high=1.0", "domain.features={spot:2}", "descriptor.feature=spot",
    "descriptor.bounds=[[-1,1],[-1,1]]", "archive.dims=[5,5]", "initial=4", "budget=12", "emitter.batch_size=4", "renderings=0",
]  # fmt: skip
READERS: dict[str, Callable[[], Any]] = {
    "qd plot": lambda: main(["plot", RUN]),
    "qd plot --film": lambda: main(["plot", RUN, "--film"]),
    "qd report": lambda: main(["report", RUN]),
    "qd collect": lambda: main(["collect", "runs", "into=collected"]),
    "qd query": lambda: main(["query", RUN, "objective>=0"]),
    "qd select": lambda: main(["select", RUN, "--n", "3"]),
    "qd export": lambda: main(["export", RUN, "--summary"]),
    "qd export --format onnx": lambda: main(["export", RUN, "--format", "onnx", "--where", "objective>=0"]),
    "qd export --format qwix": lambda: main(["export", RUN, "--format", "qwix", "--where", "objective>=0"]),
    "qd ask": lambda: main(["ask", RUN]),
    "qd tell": lambda: main(["tell", RUN, "results.jsonl"]),
    "qd run, again in the folder": lambda: main(["run", *SMALL, f"runs={Path(RUN).parents[1]}"]),
    "qd run from=": lambda: main(["run", *SMALL, f"from={RUN}", "name=next"]),
    "qd import": lambda: main(["import", RUN, *SMALL, "name=taken"]),
    "qd doctor": lambda: main(["doctor", *SMALL, f"from={RUN}", "--samples", "50"]),
    "qd label export": lambda: main(["label", "export", RUN]),
    "the labelling page": lambda: (run_view.asks_raters(Path(RUN)), run_view.plan(Path(RUN)), run_view.picture(Path(RUN))),
    "qd reevaluate": lambda: main(["reevaluate", RUN, "--times", "1"]),
    "qd export --card": lambda: main(["export", RUN, "--card"]),
    "qd log": lambda: main(["log", RUN, "--to", "tensorboard"]),
    "qd compare": lambda: main(["compare", "runs", "--out", "compared"]),
    "qd view": lambda: _view_all(Path("runs")),
    "qd.load_run": lambda: _read_all(qd.load_run(RUN)),
    "run.policy": lambda: _refuse(lambda: qd.load_run(RUN).policy(0)),
}


def _read_all(run) -> None:
    repr(run), run._repr_html_(), run.elites, run.metrics, run.history, run.config, run.best, run.finished
    for kind in ("heatmap", "curves", "sheet"):
        run.figure(kind)


def _view_all(runs: Path) -> None:
    listing = Listing(runs)
    assert [entry.state for entry in listing.entries()] == ["finished"]
    for entry in listing.entries():
        contents.collect(listing.path(entry.id))


def _refuse(call: Callable) -> None:
    with pytest.raises(UserError):
        call()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> Path:
    """A finished run."""
    top = tmp_path_factory.mktemp("foreign")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        patch.setenv("XDG_CONFIG_HOME", str(top / "home"))
        assert main(["run", *SMALL, "film=gripper"]) == 0
    (run,) = top.glob("runs/arm/*")
    return run


@pytest.fixture
def here(tmp_path, own_key, foreign, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(foreign, RUN)
    Path("results.jsonl").write_text("")
    return tmp_path


def _hostile(nodes: dict[str, Any]) -> None:
    """Puts components into both files that hold a config."""
    config = Path(RUN, "config.yaml")
    plain = json.loads(json.dumps(yaml.safe_load(config.read_text()) | nodes))  # without aliases, which are refused anyway
    config.write_text(yaml.safe_dump(plain))
    header = Path(RUN, "archive.json")
    content = json.loads(header.read_text())
    header.write_bytes(archive_file.encode_header(content | {"config": content["config"] | nodes}))


def _mkdir(marker: Path) -> dict[str, str]:
    return {"_target_": "os.mkdir", "path": str(marker)}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("nested", [False, True])
def test_no_reader_builds_what_a_folder_names(here, reader, nested):
    marker = here / "marker"
    call = _mkdir(marker)
    inner = {"_target_": "domains.quant.domain.Quant", "network": call} if nested else call
    names = ("lm", "grade", "judge", "descriptor", "archive", "emitter", "referee")
    _hostile(
        {"domain": inner, "columns": None}
        | {name: {"_target_": "collections.UserDict", "a": call} if nested else call for name in names}
    )
    READERS[reader]()
    assert not marker.exists()


def test_the_marker_would_be_made(here):
    from qd.config.build import build

    build({"_target_": "collections.UserDict", "a": _mkdir(here / "marker")}, {}, "domain")
    assert (here / "marker").is_dir()


def test_what_is_refused_is_shown_with_the_words_that_allow_it(here, capsys):
    marker = here / "marker"
    _hostile({"domain": _mkdir(marker)})
    assert main(["ask", RUN]) == 1
    message = capsys.readouterr().err
    assert (
        f"{RUN} was not written by your own command, and would build domain._target_=os.mkdir, domain.path={marker}" in message
    )
    words = message.rpartition("if you trust it, add ")[2].rpartition(" to the command")[0].split()
    assert words == ["domain._target_=os.mkdir", f"domain.path={marker}"]
    assert main(["ask", RUN, words[0]]) == 1 and not marker.exists()
    assert main(["ask", RUN, *words, "domain.joints=4"]) == 1 and not marker.exists()
    assert "domain.joints=4 is no setting of runs/arm/s0 that needs your word" in capsys.readouterr().err
    assert main(["ask", RUN, *words]) == 1 and marker.is_dir()  # it is built, and is no domain
    assert "NoneType is no domain" in capsys.readouterr().err


def test_export_builds_a_foreign_domain_only_by_the_users_words(here):
    marker = here / "marker"
    _hostile({"domain": {"_target_": "domains.quant.domain.Quant", "network": _mkdir(marker)}})
    with pytest.raises(UserError, match=r"would build domain\.network\._target_=os\.mkdir"):
        export(Path(RUN), [0], "onnx", here / "out")
    assert not marker.exists()


def test_a_language_model_of_a_foreign_folder_is_not_built_even_if_conf_names_it(here):
    _hostile({"lm": {"_target_": "feedback.lm.client.LM", "model": "toy"}})
    with pytest.raises(UserError, match=r"would build lm\._target_=feedback\.lm\.client\.LM"):
        trusted.check(Path(RUN), yaml.safe_load(Path(RUN, "config.yaml").read_text()), COMPONENTS)


@pytest.mark.parametrize("client", ["feedback.lm.client.LM", "feedback.lm.local.server.Local", "feedback.lm.LM"])
def test_neither_is_one_inside_another_component(here, client):
    config = yaml.safe_load(Path(RUN, "config.yaml").read_text())
    writer = {"_target_": "domains.text.writer.Writer", "lm": {"_target_": client, "key_variable": "OPENAI_API_KEY"}}
    for name, node in (("emitter", {"writer": writer}), ("judge", writer), ("domain", {"_target_": client})):
        with pytest.raises(UserError, match=rf"would build {name}[\w.]*\._target_={client}"):
            trusted.check(Path(RUN), config | {name: node}, COMPONENTS)


PLAIN = {"_target_": "domains.programs.sandbox.plain.Plain", "limits": {}}


@pytest.mark.parametrize("how", [{"sandbox": PLAIN}, {"sandbox": "@sandbox"}, {"sandbox": "@sandbox", "final_sandbox": "none"}])
def test_programs_of_a_foreign_folder_are_not_run(here, how, capsys):
    """Its solutions are programs; conf names sandbox=none, which would run them as the user."""
    run, marker = Path("stranger"), here / "marker"
    run.mkdir()
    source = np.array([f"import os\nos.mkdir({str(marker)!r})\n"], object)
    rows = Rows(np.arange(1), source, np.ones(1), {}, np.ones(1, bool))
    bounds = ((1.0, 21.0), (0.0, 800.0))
    archive = Grid((10, 8)).open(rows, bounds, (), 0)
    insert(archive, rows.ids, rows.solutions, rows.objective, np.array([[2.0, 100.0]], np.float32), {})
    domain = {
        "_target_": "domains.programs.Programs",
        "problem": {"_target_": "domains.programs.problems.circle_packing.CirclePacking"},
        "coder": {"_target_": "domains.programs.coder.Coder", "lm": None},
    }
    config = {
        "domain": domain | how, "sandbox": PLAIN, "seed": 0, "name": "x",
        "archive": {"_target_": "qd.archives.Grid", "dims": [10, 8]},
        "descriptor": {"_target_": "feedback.descriptors.select.Select", "feature": "traits", "bounds": [[1, 21], [0, 800]]},
    }  # fmt: skip
    archive_file.save(run, archive, bounds, {"seed": 0, "evaluations": 1, "config": config})
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["reevaluate", str(run), "--times", "1"]) == 1 and not marker.exists()
    error = capsys.readouterr().err
    assert "sandbox" in error and ("would build domain.sandbox._target_=domains.programs.sandbox.plain.Plain" in error) == (
        how["sandbox"] == PLAIN
    )
    with pytest.raises(UserError, match=r"would build .*sandbox\._target_=domains\.programs\.sandbox\.plain\.Plain"):
        trusted.check(run, config, COMPONENTS)


def test_what_conf_names_is_built_and_numbers_are_free(here):
    config = yaml.safe_load(Path(RUN, "config.yaml").read_text())
    assert not trusted.is_signed(Path(RUN))  # by another user's key
    config["domain"]["joints"] = 77
    trusted.check(Path(RUN), config, COMPONENTS)
    Path("conf/domain").mkdir(parents=True)
    Path("conf/domain/mine.yaml").write_text("domain: {_target_: mine.Domain}")
    config["domain"] = {"_target_": "mine.Domain", "joints": 3}
    trusted.check(Path(RUN), config, COMPONENTS)
    for text in ("feedback.label.command.main", "position"):  # of a command, and a plain text of conf: no targets of choices
        with pytest.raises(UserError, match=f"would build domain._target_={text}, which your conf does not name"):
            trusted.check(Path(RUN), config | {"domain": {"_target_": text}}, COMPONENTS)
    config["domain"]["path"] = "/etc/passwd"
    with pytest.raises(UserError, match="would build domain.path=/etc/passwd, which your conf does not name"):
        trusted.check(Path(RUN), config, COMPONENTS)


def test_a_run_of_ones_own_is_asked_by_its_folder_alone(here, capsys):
    Path("mine.py").write_text(EXTERNAL)
    words = ["domain=arm", "domain._target_=mine.Mine", "~domain.joints", *EXTERNAL_WORDS]
    assert main(["ask", *words, "name=own"]) == 0
    (run,) = Path("runs/own").iterdir()
    assert trusted.is_signed(run) and main(["ask", str(run)]) == 0
    (run / ".signature").unlink()
    capsys.readouterr()
    assert main(["ask", str(run)]) == 1
    assert (
        "would build domain._target_=mine.Mine, descriptor.feature=spot, which your conf does not name"
        in capsys.readouterr().err
    )
    assert main(["ask", str(run), "domain._target_=mine.Mine", "descriptor.feature=spot"]) == 0
    assert trusted.is_signed(run) and main(["ask", str(run)]) == 0  # from then on it is the user's own


def test_a_config_that_was_changed_is_no_longer_signed(here):
    run = Path("own")
    run.mkdir()
    config = {"name": "arm", "seed": 0, "domain": {"_target_": "a.B"}}
    folder.admit(run, config)
    assert trusted.is_signed(run)
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("a.B", "a.C"))
    assert not trusted.is_signed(run)
    with pytest.raises(UserError, match="would build domain._target_=a.C"):
        trusted.check(run, yaml.safe_load((run / "config.yaml").read_text()), ["domain"])
