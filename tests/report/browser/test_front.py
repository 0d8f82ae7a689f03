"""The front of a cell on the page of a run, in a real browser: a click on the map shows it, a click in it chooses a row."""

import pytest

from qd.cli.main import main
from qd.report.page import write
from tests.support.browser import chromium, opened

pytestmark = pytest.mark.ci


def test_a_click_on_a_cell_shows_its_front(own_folder):
    words = ["domain=rastrigins", "driver=host", "archive.dims=[3,3]", "budget=800", "console=off", "renderings=0"]
    assert main(["run", *words]) == 0
    (run,) = (own_folder / "runs/rastrigins").iterdir()
    with chromium() as browser:
        page, trouble = opened(browser, write.write(run))
        canvas = page.locator("canvas").first
        box = canvas.bounding_box()
        canvas.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
        front = page.locator("details", has_text="in the front of its cell").first
        count = int(front.locator("summary").inner_text().split()[2])
        assert count > 1 and front.locator("canvas").count() == 1
        first, ids = page.locator(".elite h3").inner_text(), [button.inner_text() for button in front.locator("button").all()]
        assert len(ids) == count - 1
        front.locator("button").first.click()
        assert page.locator(".elite h3").inner_text() == f"Elite {ids[0]}" != first
        assert canvas.evaluate(MARKED) and trouble == []  # its cell, which shows another row


MARKED = """(map) => {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--ring").trim();
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  const { data } = map.getContext("2d").getImageData(0, 0, map.width, map.height);
  let marked = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b) marked++;
  return marked > 100;
}"""
