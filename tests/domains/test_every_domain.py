"""`qd run domain=X` alone works, for every choice there is: with what suits it, to the pictures."""

from pathlib import Path

import pytest
import yaml

from qd.cli.main import main
from qd.support.conf import conf
from tests.support.choices import NEEDED, want_packages_of

QUICK = ("arm",)
DOMAINS = sorted(path.stem for path in (conf() / "domain").glob("*.yaml"))


def test_domains_are_there():
    assert set(QUICK) < set(DOMAINS)


@pytest.mark.parametrize("domain", [d if d in QUICK else pytest.param(d, marks=pytest.mark.slow) for d in DOMAINS])
def test_it_runs_alone(domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget of one generation after the seeds is the only word besides."""
    want_packages_of(f"domain/{domain}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    assert main(["run", f"domain={domain}", "budget=101", "initial=100", *NEEDED.get(f"domain/{domain}", [])]) == 0
    (run,) = (tmp_path / "runs" / domain).iterdir()
    for name in ("result.json", "archive.npz", "metrics.csv", "history.npz", "report.html"):
        assert (run / name).stat().st_size > 0, name
    pictured = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8")).get("map_picture") is not False
    assert (run / "figures/heatmap.png").exists() == pictured
