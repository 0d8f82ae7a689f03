"""Run folders: one with renderings, written by hand; one that says hostile things wherever it can; a small real one."""

import json
from pathlib import Path

import numpy as np

from qd.archives import Grid, insert
from qd.cli.main import main
from qd.store import archive_file
from qd.types import Rows

BOUNDS = ((-1.0, 1.0), (0.0, 4.0))


POSE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 2 2"><circle cx="0" cy="0" r="0.5" fill="#abc"/></svg>'


PAYLOADS = [
    "<script>window.marked=1</script>",
    "<img src=x onerror=window.marked=1>",
    '"><svg onload=window.marked=1>',
    "</script><script>window.marked=1</script>",
    "<!--",
    "]]>",
    "javascript:window.marked=1",
    "<iframe srcdoc='<script>parent.marked=1</script>'>",
    "<a href=javascript:window.marked=1>x</a>",
    "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "<base href=//evil.example>",
    "{{7*7}}",
    "@@SCRIPT@@",
    "${window.marked=1}",
    "`${window.marked=1}`",
    "&lt;script&gt;",
    "\u202egnp",
    "\x00",
    "\ufffd\uffff",
    "</pre></div><script>window.marked=1</script>",
    "<form action=//evil.example><input name=a>",
    "<object data=//evil.example>",
    "<embed src=//evil.example>",
    "<link rel=stylesheet href=//evil.example>",
    "<video src=//evil.example autoplay>",
    "x' onmouseover='window.marked=1",
    "\\u003cscript\\u003e",
    "%3Cscript%3E",
    "__proto__",
]
HOSTILE_SVGS = [
    '<svg xmlns="http://www.w3.org/2000/svg" onload="window.marked=1"><script>window.marked=1</script></svg>',
    '<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:9/x.png"/><use href="//evil.example/#a"/></svg>',
    '<svg xmlns="http://www.w3.org/2000/svg"><foreignObject><iframe src="http://127.0.0.1:9/"/></foreignObject></svg>',
    '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">]><svg xmlns="http://www.w3.org/2000/svg"><text>&a;</text></svg>',
    '<svg xmlns="http://www.w3.org/2000/svg"><a href="javascript:window.marked=1"><text>x</text></a></svg>',
]
HOSTILE_PAGES = [
    "<script>parent.marked=1</script>", "<script>top.location='http://127.0.0.1:9/'</script>", "<img src='http://127.0.0.1:9/x.png'>",
    "<a href='http://127.0.0.1:9/' target=_top>x</a>", "<form action='http://127.0.0.1:9/'><input type=submit></form>",
]  # fmt: skip


def stored_run(folder, archive_settings, renderings: bool = True):
    rng = np.random.default_rng(0)
    measures = rng.uniform(*np.array(BOUNDS).T, (60, 2)).astype(np.float32)
    rows = Rows(
        np.arange(60),
        rng.normal(size=(60, 3)).astype(np.float32),
        rng.uniform(0, 9, 60).astype(np.float32),
        {},
        np.ones(60, bool),
    )
    archive = archive_settings.open(rows, BOUNDS, (), 0)
    insert(archive, rows.ids, rows.solutions, rows.objective, measures, {})
    config = {"name": "toy", "descriptor": {"feature": "place"}}
    archive_file.save(
        folder, archive, BOUNDS, {"seed": 3, "evaluations": 1234, "config": config, "objective_range": [0.0, 9.0]}
    )
    (folder / "metrics.csv").write_text("evals,coverage,qd_score,best\n60,5.0,,8.0\n120,6.0,,8.5\n180,7")
    if renderings:
        (folder / "renderings").mkdir()
        for number in archive.data("id"):
            (folder / f"renderings/{number}.svg").write_text(POSE)
    return archive


def hostile_run(folder: Path, port: int = 9) -> None:
    """A run that says hostile things wherever a run can say something; a port of this machine stands for elsewhere."""
    archive = stored_run(folder, Grid((6, 6)), renderings=False)
    ids = archive.data("id").tolist()
    words = iter(PAYLOADS * 9)
    config = {
        "name": PAYLOADS[3],
        "seed": PAYLOADS[0],
        "descriptor": {"feature": PAYLOADS[1]},
        "domain": {"_target_": "os.x", PAYLOADS[2]: 1},
    }
    config["axis_labels"] = {PAYLOADS[1]: [[next(words), next(words), next(words)] for _ in range(2)]}
    config |= {f"{payload} {i}": payload for i, payload in enumerate(PAYLOADS)}
    header = json.loads((folder / "archive.json").read_text())
    header["config"] = config
    (folder / "archive.json").write_bytes(archive_file.encode_header(header))
    (folder / "config.yaml").write_text(json.dumps(config))
    (folder / "metrics.csv").write_text(f"evals,coverage,{PAYLOADS[0]}\n60,5.0,1\n120,6.0,2\n")
    events = [{"event": payload, "evaluations": 60, payload: payload} for payload in PAYLOADS]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    (folder / "result.json").write_text(
        json.dumps({"status": PAYLOADS[0], "evaluations": 120, "metrics": {"best": PAYLOADS[0]}})
    )
    (folder / "renderings").mkdir()
    kinds = [
        *(("svg", svg) for svg in HOSTILE_SVGS),
        *(("html", page) for page in HOSTILE_PAGES),
        *(("txt", text) for text in PAYLOADS),
    ]
    for number, (kind, data) in zip(ids, kinds, strict=False):
        (folder / f"renderings/{number}.{kind}").write_bytes(data.replace(":9/", f":{port}/").encode("utf-8", "surrogatepass"))


def hostile_methods(folder: Path) -> list[Path]:
    """Finished runs of one domain that can be compared, and that are called, and say, hostile things."""
    runs = []
    for payload in PAYLOADS:
        if "/" in payload or "\x00" in payload:
            continue  # no name of a folder
        run = folder / f"{len(runs)}" / f"{payload}-s0"
        run.mkdir(parents=True)
        stored_run(run, Grid((6, 6)), renderings=False)
        config = {"name": payload, "seed": 0, "budget": 120, "domain": {"_target_": "os.x", "a": payload}, "emitter": payload}
        config |= {"descriptor": {"feature": payload}, "metrics": {PAYLOADS[0]: {}}}
        header = json.loads((run / "archive.json").read_text()) | {"config": config}
        (run / "archive.json").write_bytes(archive_file.encode_header(header))
        (run / "config.yaml").write_text(json.dumps(config))
        (run / "metrics.csv").write_text(f"evals,coverage,best,{PAYLOADS[0]}\n60,5.0,1,1\n120,6.0,2,2\n")
        (run / "result.json").write_text(json.dumps({"evaluations": 120, "sources": {payload: payload}, "metrics": {}}))
        runs.append(run)
    return runs


def small_run(tmp_path: Path, budget: int = 400, name: str = "page") -> Path:
    words = ["domain=arm", f"budget={budget}", "initial=50", "emitter.batch_size=50", "archive.dims=[8,8]"]
    assert main(["run", *words, f"runs={tmp_path}/runs", f"name={name}"]) == 0
    return next((tmp_path / "runs").glob(f"{name}/*/result.json")).parent
