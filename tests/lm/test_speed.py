"""How fast the language-model client is: calls at once, replays, and what a call costs this machine."""

import asyncio
import os
import subprocess
import sys
import time

import pytest

from feedback.lm.client import LM
from feedback.lm.transport.probe import Traits
from tests.support.endpoint import serving

SERVER = """
import asyncio, json
choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
told = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
body = json.dumps(told).encode()
whole = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body
async def serve(reader, writer):
    while True:
        try:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\\r\\n")[0])
        await reader.readexactly(length)
        asyncio.get_running_loop().call_later(LATENCY, writer.write, whole)
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@pytest.fixture
def endpoint(request):
    """An endpoint in a process of its own that answers after so many seconds."""
    code = SERVER.replace("LATENCY", str(request.param))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    yield f"http://127.0.0.1:{child.stdout.readline().strip()}/v1", request.param
    child.kill()
    child.wait()


def rate(url: str, latency: float, path, calls: int) -> tuple[float, float, float]:
    """Returns the share of the ideal rate of 64 calls at once, CPU seconds a call, and how many times faster the replay is."""
    lm = LM(model="m", base_url=url, traits=Traits(seed="taken"), limits={"concurrency": 64}, cache=str(path / "lm.sqlite"))
    mark = time.monotonic_ns()
    lm([f"{mark} warm {i}" for i in range(64)])
    prompts = [f"{mark} prompt {i}" for i in range(calls)]
    start, cpu_start = time.perf_counter(), time.process_time()
    texts = lm(prompts)
    live, cpu = time.perf_counter() - start, (time.process_time() - cpu_start) / calls
    start = time.perf_counter()
    assert lm(prompts) == texts and None not in texts
    return calls * latency / 64 / live, cpu, live / (time.perf_counter() - start)


@pytest.mark.ci
def test_sixty_four_calls_are_made_at_once():
    with serving(latency=1.0) as server:
        lm = LM(model="m", base_url=server.url, traits=Traits(), limits={"concurrency": 64})
        assert None not in lm([f"prompt {i}" for i in range(128)])
        assert 48 <= server.most <= 64  # on a busy machine the first may have their answer before the last are sent


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", [0.2], indirect=True)
def test_at_200_ms_it_reaches_nine_tenths_of_the_ideal_rate_and_a_replay_is_100_times_faster(endpoint, tmp_path):
    if os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
        pytest.skip(f"this machine is busy (load {os.getloadavg()[0]:.1f}), and speed is measured on a quiet one")
    results = [rate(*endpoint, tmp_path, calls=1280) for _ in range(3)]
    for share, cpu, faster in results:
        print(f"{share:.1%} of the ideal rate, {1e3 * cpu:.2f} CPU-ms a call, replay {faster:.0f} times faster")
    assert max(share for share, _, _ in results) >= 0.9 and max(faster for _, _, faster in results) >= 100


@pytest.mark.parametrize("endpoint", [0.2], indirect=True)
def test_a_replay_is_a_hundred_times_faster_than_one_call_after_another(endpoint, tmp_path):
    url, latency = endpoint
    path, prompts = str(tmp_path / "lm.sqlite"), [f"prompt {i}" for i in range(512)]
    settings = {"model": "m", "base_url": url, "traits": Traits(seed="taken"), "cache": path}
    texts = LM(**settings, limits={"concurrency": 64})(prompts)
    lm = LM(**settings, mode="replay")  # opened anew: nothing is in memory
    start = time.perf_counter()
    assert lm(prompts) == texts
    seconds = time.perf_counter() - start
    print(f"{1e6 * seconds / 512:.0f} us a replayed call, {512 * latency / seconds:.0f} times faster than 200 ms each")
    assert seconds < 512 * latency / 100


def test_the_loop_is_not_the_callers():
    async def within():
        lm = LM(model="m", base_url="http://127.0.0.1:1/v1", traits=Traits(), limits={"attempts": 1})
        return await asyncio.to_thread(lm, ["x"]), lm(["y"])  # from a thread, and from a loop that is running

    assert asyncio.run(within()) == ([None], [None])
