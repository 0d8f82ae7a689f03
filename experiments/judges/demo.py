"""Twenty calls through a real language model on this machine: five texts are written, and judged by mood and by quality.

    qd fetch local && qd study judges.demo            # weights=local_small for the 0.5B model, or the path of a GGUF file

Needs no network once the weights are there. It prints texts and judgements, how long they took, and the memory of the model.
"""

import time
from pathlib import Path

from experiments import command
from feedback.judges.grading.language import Claim, Labels
from feedback.lm.client import LM
from feedback.lm.local.server import Local

MOODS = ("very sad", "sad", "calm", "happy", "very happy")


def main(weights: str = "local") -> None:
    """Writes and judges texts, and prints calls, tokens, seconds and memory."""
    began, server = time.perf_counter(), Local(weights)
    server.start()
    load_s = time.perf_counter() - began
    lm = LM(model=Path(weights).stem, server=server, mode="off", limits={"concurrency": 1, "timeout": 600, "deadline": 1200})
    replies = lm([f"Write one {mood} sentence about a spy and a politician." for mood in MOODS], role="writer", max_tokens=40)
    texts = [(text or "").strip() for text in replies]
    mood = Labels(lm, "Is the text sad or happy?", ("sad", "happy"))(texts)
    quality = Claim(lm, "The text is well written.")(texts)
    for requested_mood, text, p, q in zip(MOODS, texts, mood, quality, strict=True):
        print(f"{requested_mood:10} happy {p:.2f}, well written {q:.2f}: {text}")
    report = {row["role"]: row for row in lm.report()}
    calls = sum(row["calls"] for role, row in report.items() if role != "probe")
    tokens = sum(row["tokens_in"] + row["tokens_out"] for row in report.values())
    seconds = time.perf_counter() - began
    print(f"\n{calls} calls, and {report['probe']['calls']} to find out what it can do: {tokens} tokens in {seconds:.0f} s,")
    print(
        f"{load_s:.0f} s of them to load; the server: {cpu(server.pid):.0f} s of a core, {memory(server.pid):.2f} GB of memory"
    )


def memory(pid: int | None) -> float:
    """Returns the most memory that a process has had at once, in GB; NaN where the system has no /proc."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peak = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak[0]) * 1024 / 1e9 if peak else float("nan")


def cpu(pid: int | None) -> float:
    """Returns the seconds of a core that a process has used; NaN where the system has no /proc."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return float("nan")
    fields = stat.read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100  # user and system, in ticks of 10 ms


if __name__ == "__main__":
    command.run()
