"""The child process that serves a GGUF file on the loopback address.

    python -m feedback.lm.local.serve FILE THREADS CONTEXT SLOTS PARENT

It writes its address as the only line to standard output, and ends with its parent.
"""

import os
import sys
import threading
import time


def main(weights: str, threads: int, context: int, slots: int, parent: int) -> None:
    """Serves until the parent process is gone, which closes standard input.

    Args:
        weights: path of a GGUF file.
        threads: of the processor.
        context: tokens of prompt and answer.
        slots: calls that are answered at the same time.
        parent: id of the parent process.
    """
    say = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the engine itself prints goes to the log
    threading.Thread(target=_end_with_input, daemon=True).start()
    from xllamacpp import CommonParams, Server  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

    settings = CommonParams()
    settings.model.path = weights
    settings.model_alias = {os.path.basename(weights)}  # else each answer names the user's folder, and caches keep answers
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0  # any that is free
    settings.n_ctx = slots * context
    settings.n_parallel = slots
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    settings.cache_ram_mib = 0  # no prompts remembered: no call uses them (Local.extra), and they would take up to 8 GB
    settings.use_jinja = True
    settings.warmup = False
    server = Server(settings)
    print(server.listening_address, file=say, flush=True)
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:6]))
