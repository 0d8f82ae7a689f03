"""Every test runs on one thread per library, on the CPU, and away from the user's files, so that it repeats itself."""

import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
_WHOLE = (
    "--xla_cpu_parallel_codegen_split_count=1"  # programs are compiled in one piece: a tenth less, where each core has a worker
)


def pytest_configure(config: pytest.Config) -> None:
    """Programs that one test has compiled are loaded by the next, in all workers and subprocesses of one test run."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="programs-of-tests-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    if _WHOLE not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_WHOLE}".strip()
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What CI runs after the quick tests is slow too."""
    for item in items:
        if item.get_closest_marker("ci"):
            item.add_marker("slow")


@pytest.fixture(autouse=True, scope="session")
def _away_from_the_users_files(tmp_path_factory) -> None:
    """No test reads the checkout's ``runs``, or the user's home, configuration, cache or data."""
    home = tmp_path_factory.mktemp("home")
    os.environ |= {"HOME": str(home), "USERPROFILE": str(home)}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        os.environ[name] = str(tmp_path_factory.mktemp(name.lower()))
    os.chdir(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def own_key(tmp_path, monkeypatch) -> None:
    """Checkpoints are sealed by a key of this test alone."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


@pytest.fixture
def own_folder(tmp_path, monkeypatch, own_key) -> Path:
    """Somebody's own empty folder, in which runs draw no figures: those take longer than the runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("qd.report.figures.draw_heatmap", lambda run: [])
    return tmp_path
