"""What a language model writes is only text on the page of a run, whatever it is."""

import json
import re

import numpy as np

from domains.quant import texts
from domains.quant.networks import language
from domains.quant.networks.text import Pieces
from domains.quant.quantize import bank
from qd.archives import Grid
from qd.report.page import bundle, write
from tests.support.small_language import random_network, random_text
from tests.support.stored_runs import stored_run

HOSTILE = "</script><script>window.marked=1</script><img src=x onerror=alert(1)>"


def test_texts_with_a_script_are_escaped(tmp_path, monkeypatch):
    rest = random_text()
    monkeypatch.setattr(language, "stored", lambda: rest._replace(pieces=Pieces((HOSTILE.encode(),) * 260)))
    monkeypatch.setattr(
        texts, "write", lambda bank, config, prompts, new: np.zeros((len(prompts), prompts.shape[1] + new), int)
    )
    monkeypatch.setattr(
        texts, "probe", lambda bank: texts.Probes(np.zeros((texts.TOGETHER, texts.PROMPT + texts.NEW + 1), int))
    )
    own = bank.Bank(random_network(), (), (), (), np.zeros(0), np.zeros(0))
    (sample,) = texts.draw(own, np.zeros((1, own.size * 2), int))
    assert sample.kind == "text" and str(sample.data).count(HOSTILE) > 60
    archive = stored_run(tmp_path, Grid((6, 6)), renderings=False)
    number = archive.data("id").tolist()[0]
    (tmp_path / "renderings").mkdir()
    (tmp_path / f"renderings/{number}.txt").write_text(sample.data)
    page = write.write(tmp_path).read_text()
    assert page.count("<script") == 2 and page.count("</script>") == 2 and "window.marked" not in page  # the data and ours
    facts, _ = bundle.unpack(re.findall(r'id="data">([^<]*)<', page)[0])
    assert facts["pictures"][str(number)] == ["text", sample.data] and json.dumps(facts)
