"""The settings of a run and their one form in files."""

import json
from dataclasses import replace

import pytest
import yaml

from qd.config import compose
from qd.config.settings import Outside, Plateau, from_config, to_config
from tests.support.runs import run_settings


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["recipe=qdhf_arm", "now=false", "stop=plateau", "plateau.share=0.5", "keep=[angles]"],
        ["recipe=arm_pca", "refit=outside", "outside.over=7", "film=position", "name=x"],
    ],
)
def test_what_is_written_reads_back(overrides):
    settings = compose.load(overrides)
    config = to_config(settings)
    for text in (yaml.safe_load(yaml.safe_dump(config, sort_keys=False)), json.loads(json.dumps(config))):
        assert from_config(text) == settings and list(text) == list(config)


def test_what_is_not_set_is_left_out():
    left_out = {
        "source",
        "stop",
        "plateau",
        "outside",
        "film",
        "live_map",
        "axis_labels",
        "columns",
        "lm",
        "judge_lm",
        "sandbox",
        "grade",
        "judge",
    }
    assert not to_config(run_settings()).keys() & left_out
    config = to_config(run_settings(live_map=False, stop="plateau", refit="outside", film="position"))
    assert config["live_map"] is False and config["film"] == "position"
    assert config["plateau"] == {"share": 0.01, "over": 10_000} and config["outside"] == {"share": 0.05, "over": 2_000}
    assert config["reserve"] is None and config["referee"] is None


def test_the_config_of_an_earlier_version_is_read_with_the_defaults_of_this_one():
    config = to_config(run_settings(stop="plateau", refit="outside"))
    for name in ("save_seconds", "reserve", "keep"):
        del config[name]
    del config["plateau"]["over"]
    settings = from_config(config)
    assert (settings.save_seconds, settings.reserve, settings.keep) == (2.0, None, ())
    assert (settings.plateau, settings.outside) == (Plateau(), Outside())
    assert replace(settings, stop=None).stop is None


def test_what_is_no_config_is_refused():
    config = to_config(run_settings())
    with pytest.raises(ValueError, match=r"unknown setting 'bugdet'; type budget"):
        from_config(config | {"bugdet": 1})
    del config["domain"], config["driver"]
    with pytest.raises(ValueError, match="it lacks domain, driver"):
        from_config(config)
