"""Eight people at once: every answer is stored once, and soon. Measured against a file of the same server."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from feedback.label import store
from tests.support.label.questions import Person, fill, spot
from tests.support.label.serving import served

PEOPLE, ANSWERS = 8, 1000


def seconds_of(calls: int, call: Callable[[int], bool]) -> np.ndarray:
    """Each of eight threads calls until so many are done in all, or until its call says that nothing is left.

    Args:
        calls: by all threads together.
        call: takes the number of a thread; returns whether it may go on.

    Returns:
        The seconds of each call, [at most ``calls``].
    """
    remaining = threading.Semaphore(calls)
    seconds: list[list[float]] = [[] for _ in range(PEOPLE)]

    def work(i: int) -> None:
        more = True
        while more and remaining.acquire(blocking=False):
            began = time.perf_counter()
            more = call(i)
            seconds[i].append(time.perf_counter() - began)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return np.concatenate(seconds)


@pytest.mark.slow
def test_a_thousand_answers_of_eight_people(tmp_path):
    """An answer takes at most LIMIT times what the server takes for a file, 99 of 100 less than ten times the median."""
    fill(tmp_path, [spot(i) for i in range(60)], ANSWERS)
    with served(tmp_path, "--limit", "10000") as port:
        people = [Person(port, f"rater {i}") for i in range(PEOPLE)]
        rng = np.random.default_rng(0)
        said = [rng.choice(["left", "right", "?"], ANSWERS).tolist() for _ in people]

        def answer(i: int) -> bool:
            assert people[i].say(said[i].pop()) == 200
            return bool(people[i].token)  # all that is left may be before somebody else

        def file(i: int) -> bool:
            return people[i].get("/static/script.js")[0] == 200

        files = [seconds_of(ANSWERS // 2, file)]
        times = seconds_of(ANSWERS, answer)
        files.append(seconds_of(ANSWERS // 2, file))
    limit, median, p99 = (1000 * np.median(np.concatenate(files)), *(1000 * np.percentile(times, [50, 99])))
    print(f"\n{len(times)} answers by {PEOPLE} people: median {median:.1f} ms, p99 {p99:.1f} ms; a file {limit:.1f} ms")
    with store.opened(tmp_path) as db:
        stored, distinct = db.execute("SELECT count(*), count(DISTINCT question || rater || repeat) FROM answers").fetchone()
        fresh, once = db.execute("SELECT count(*), count(DISTINCT question) FROM answers WHERE counted = 1").fetchone()
    assert stored == distinct == len(times) >= ANSWERS - PEOPLE
    assert fresh == once >= 0.88 * stored
    assert median < 8 * limit and p99 < 10 * median
