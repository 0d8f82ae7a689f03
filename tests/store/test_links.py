"""Links in a run folder are refused by every command that writes or shows it; what they point at stays as it is."""

import os
from pathlib import Path

import pytest

import qd
from qd.cli.main import main
from qd.store import archive_file, folder, solutions
from qd.support import atomic, growing, links, locks, run_files
from qd.support.errors import UserError
from tests.support.checkpoints import BOUNDS, CONFIG, filled

FILES = [name for name in run_files.ENTRIES if "." in name]
FOLDERS = [name for name in run_files.ENTRIES if "." not in name]


pytestmark = pytest.mark.usefixtures("own_key")


@pytest.fixture
def run(tmp_path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def outside(tmp_path) -> Path:
    """A file and a folder of the user's."""
    (tmp_path / "diary.txt").write_text("mine")
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "000001.npz").write_text("mine")
    return tmp_path


def _is_unchanged(outside: Path) -> bool:
    papers = [path.name for path in (outside / "papers").iterdir()]
    return (outside / "diary.txt").read_text() == (outside / "papers/000001.npz").read_text() == "mine" and papers == [
        "000001.npz"
    ]


@pytest.mark.parametrize("name", run_files.ENTRIES)
def test_a_run_in_a_folder_with_a_link_is_refused(run, outside, name):
    target = outside / ("diary.txt" if name in FILES else "papers")
    (run / name).symlink_to(target)
    message = f"{run / name} is a link to {target}, and links inside a run folder are not followed"
    with pytest.raises(UserError, match=message), folder.lock(run):
        folder.admit(run, CONFIG, again=True)
    assert _is_unchanged(outside) and (run / name).is_symlink()


@pytest.mark.parametrize(
    "name", ["checkpoint/000001.ckpt", "labels/shown/1-a.svg", "figures/heatmap.png", "now/archive.json", "lm/calls"]
)
def test_so_is_one_with_a_link_deeper_inside(run, outside, name):
    (run / name).parent.mkdir(parents=True)
    (run / name).symlink_to(outside / "diary.txt")
    with pytest.raises(UserError, match=f"{run / name} is a link"), folder.lock(run):
        pass


def test_a_pipe_is_refused_and_not_waited_for(run):
    os.mkfifo(run / "metrics.csv")
    with (
        pytest.raises(UserError, match=r"metrics.csv is neither a file nor a folder, and is not opened; remove it"),
        folder.lock(run),
    ):
        pass


def test_the_folder_itself_may_be_a_link_and_so_may_what_is_not_ours(run, outside):
    (run / "notes.txt").symlink_to(outside / "diary.txt")
    (outside / "link").symlink_to(run)
    with folder.lock(outside / "link"):
        folder.admit(outside / "link", CONFIG)
    assert (run / "config.yaml").is_file()


READERS = {
    "load_run": lambda run: qd.load_run(run).elites,
    "from=": lambda run: solutions.load(str(run), None),  # type: ignore[arg-type]
    "plot": lambda run: main(["plot", str(run)]),
    "report": lambda run: main(["report", str(run)]),
    "export": lambda run: main(["export", str(run)]),
    "query": lambda run: main(["query", str(run)]),
    "select": lambda run: main(["select", str(run), "--n", "2"]),
    "ask": lambda run: main(["ask", str(run)]),
    "reevaluate": lambda run: main(["reevaluate", str(run), "--times", "1"]),
    "card": lambda run: main(["export", str(run), "--card"]),
    "film": lambda run: main(["plot", str(run), "--film"]),
    "log": lambda run: main(["log", str(run), "--to", "tensorboard"]),
    "label export": lambda run: main(["label", "export", str(run)]),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "name", ["archive.json", "renderings", "labels/labels.sqlite", "figures/heatmap.png", "programs.jsonl", "card"]
)
def test_readers_name_the_link(run, outside, capsys, reader, name):
    archive_file.save(run, filled(), BOUNDS, {})
    (run / "config.yaml").write_text("seed: 0")
    (run / name).unlink(missing_ok=True)
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).symlink_to(outside / "diary.txt")
    try:
        assert READERS[reader](run) == 1
        message = capsys.readouterr().err
    except UserError as error:
        message = str(error)
    assert f"{run / name} is a link to {outside / 'diary.txt'}" in message and _is_unchanged(outside)


def test_collect_leaves_out_a_run_with_a_link(run, outside, capsys):
    for name in ("config.yaml", "result.json"):
        (run / name).write_text("{}")
    (run / "metrics.csv").symlink_to(outside / "diary.txt")
    assert main(["collect", str(run)]) == 1
    assert f"left out: {run / 'metrics.csv'} is a link" in capsys.readouterr().out


def test_no_writer_follows_a_link_that_appears_later(run, outside):
    link = run / "a"
    link.symlink_to(outside / "diary.txt")
    for write in (lambda: growing.Growing(link), lambda: growing.append(link, [{}]), lambda: locks.acquire(link)):
        with pytest.raises(UserError, match=f"{link} is a link to {outside / 'diary.txt'}"):
            write()
    atomic.write(link, b"new")  # takes the place of the link
    assert link.read_bytes() == b"new" and not link.is_symlink() and _is_unchanged(outside)


def test_a_link_under_the_name_of_a_half_written_file_is_replaced(run, outside, monkeypatch):
    import threading

    (run / f"a.{os.getpid()}-{threading.get_ident()}.new").symlink_to(outside / "diary.txt")
    atomic.write(run / "a", b"new")
    assert (run / "a").read_bytes() == b"new" and _is_unchanged(outside)
    (run / "b.new").symlink_to(outside / "diary.txt")
    atomic.tidy(run)
    assert not (run / "b.new").is_symlink() and _is_unchanged(outside)


def test_is_inside(run, outside):
    (run / "labels").symlink_to(outside / "papers")
    (run / "figures").mkdir()
    assert links.is_inside(run, run / "figures" / "map.png") and not links.is_inside(run, run / "labels" / "000001.npz")
    assert not links.is_inside(run, run / "figures" / ".." / ".." / "diary.txt") and not links.is_inside(
        run, outside / "diary.txt"
    )


def test_links_that_a_tracker_made_in_its_own_folder_are_not_looked_at_and_others_are_refused(tmp_path):
    (tmp_path / "secret").write_text("x")
    trackers = tmp_path / "run/trackers"
    (trackers / "wandb/offline-run").mkdir(parents=True)
    (trackers / "wandb/debug.log").symlink_to(tmp_path / "secret")
    (trackers / "wandb/offline-run/core.log").symlink_to(tmp_path / "secret")
    links.check(tmp_path / "run")
    for name in ("wandb.json", "mlflow"):
        (trackers / name).symlink_to(tmp_path / "secret")
        with pytest.raises(UserError, match=f"{name} is a link"):
            links.check(tmp_path / "run")
        (trackers / name).unlink()
    (tmp_path / "run/renderings/trackers").mkdir(parents=True)
    (tmp_path / "run/renderings/trackers/a").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match="a is a link"):
        links.check(tmp_path / "run")
