"""Every test runs on one thread per library and on the CPU, so that it repeats itself."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")


@pytest.fixture(autouse=True, scope="session")
def _no_cache_of_the_users(tmp_path_factory) -> None:
    """Centroids are cached in the user's cache folder; tests fit their own."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def own_key(tmp_path, monkeypatch) -> None:
    """Checkpoints are sealed by a key of this test alone."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


@pytest.fixture
def own_folder(tmp_path, monkeypatch, own_key) -> Path:
    """Somebody's own empty folder, in which runs draw no figures: those take longer than the runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("qd.report.figures.draw", lambda run: [])
    return tmp_path
