"""Runs one Python program in a child process; started as a script with the path of its job, and imports nothing of ours.

Its value leaves by the file descriptor that was standard output; whatever is printed goes to standard error.
"""

import json
import os
import resource
import sys
import traceback


def _main(job_path, packages):
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.extend(packages)
    with open(job_path, encoding="utf-8") as file:
        job = json.load(file)
    answer = {"token": job["token"], "value": None, "fault": ""}
    try:
        answer["value"] = _run(job)
        line = json.dumps(answer)
    except BaseException as error:  # noqa: BLE001  # whatever a program raises is its outcome, SystemExit too
        answer["value"], answer["fault"] = None, _describe(error)
        line = json.dumps(answer)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = {"seconds": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}
    sys.stdout.flush()
    channel.write(f"{line}\n{json.dumps(spent)}\n")
    channel.flush()
    os._exit(0)


def _run(job):
    names = {"__name__": "program"}
    exec(compile(job["source"], "program.py", "exec"), names)
    names.update(job["inputs"])
    names.pop("result", None)
    exec(compile(job["harness"], "harness.py", "exec"), names)
    return names.get("result")


def _describe(error):
    """The error's type and text, and the last line of the program that it went through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "program.py"]
    if isinstance(error, SyntaxError) and error.filename == "program.py":
        lines = [error.lineno or 0]
    text = traceback.format_exception_only(error)[-1].strip()[:400]
    return f"{text} (line {lines[-1]})" if lines else text


_main(sys.argv[1], sys.argv[2:])
