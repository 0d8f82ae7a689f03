"""Runs programs, each in a fresh child that is forked from this process, which has imported what they need beforehand.

A script that a sandbox starts; it imports nothing of ours. One line of standard input asks for the program whose job lies
in the job's folder; one line of standard output says how it ended, after the last of its processes is gone. Values leave
by the descriptor ``answers``, whatever is printed by standard error. With ``walls`` a program has namespaces of its own
for processes, mounts and shared memory, an empty folder, another user where this process is root, and no capability; else
only a process group.
"""

import contextlib
import ctypes
import functools
import gc
import importlib
import json
import os
import re
import resource
import runpy
import signal
import subprocess
import sys
import traceback

_NEWNS, _NEWIPC, _NEWPID = 0x00020000, 0x08000000, 0x20000000  # unshare(2)
_NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18  # mount(2)
_PDEATHSIG, _DUMPABLE, _NO_NEW_PRIVS, _AMBIENT = 1, 4, 38, 47  # prctl(2)
_LIBC = ctypes.CDLL(None, use_errno=True)


def _serve(settings):
    sys.path.extend(settings["paths"])
    _import(settings["packages"])
    os.set_inheritable(settings["answers"], False)
    settings["walls"] = settings["walls"] and _wait(_fork(_can_wall, settings, None, None)) == 0
    _LIBC.prctl(_DUMPABLE, 0, 0, 0, 0)
    gc.collect()
    gc.freeze()
    settings["modules"], settings["places"] = set(sys.modules), list(sys.path)
    os.write(1, b"walls\n" if settings["walls"] else b"none\n")
    running = []
    signal.signal(signal.SIGTERM, lambda *_: (_end_group(running[-1]) if running else None, os._exit(1)))
    while line := _line(0):
        limits, job = json.loads(line), _job(settings)
        running[:] = [_fork_walled(settings, limits, job) if settings["walls"] else _fork(_program, settings, limits, job)]
        status = _wait(running[0])
        _end_group(running.pop())
        os.write(1, b"%d\n" % status)
    os._exit(0)


def _import(packages):
    """Imports packages for all programs; what starts threads does not survive a fork, so then without any."""
    for name in packages:
        with contextlib.suppress(Exception):  # the program that wants it will say why
            importlib.import_module(name)
    if packages and len(os.listdir("/proc/self/task")) > 1:
        settings = json.loads(sys.argv[1]) | {"packages": []}
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:-1], json.dumps(settings)])


def _job(settings):
    """Reads the next program's job, and does for its child what is not the program's own work.

    A child pays for each page of memory that it is the first to write to.
    """
    with open(os.path.join(settings["job"], "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    _reseed()
    with contextlib.suppress(Exception):  # the child will say why
        _compiled(job["harness"])
    return job


@functools.lru_cache(maxsize=4)
def _compiled(harness):
    return compile(harness, "harness.py", "exec")


def _can_wall(settings, _limits, _job):
    """Returns 0 where this process may make namespaces, one after the other."""
    return sum(_wait(_fork_walled(settings, None, None)) for _ in range(2))


def _fork_walled(settings, limits, job):
    """Forks the first process of a new namespace of processes; this process stays in its own."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    _check(_LIBC.unshare(_NEWPID))
    try:
        return _fork(_guard, settings | {"own": own}, limits, job)
    finally:
        _check(_LIBC.setns(own, _NEWPID))
        os.close(own)


def _guard(settings, limits, job):
    """The first process of a program's namespaces: the program is its child, and all that it started ends with this process."""
    os.close(settings["own"])
    _mounts(settings)
    os.chdir("/work")
    child = _fork(_program, settings, limits, job) if limits else 0
    while child:
        ended, status = os.waitpid(-1, 0)
        if ended == child:
            return _code(status)
    return 0


def _fork(act, settings, limits, job):
    """Forks a child that does one thing and exits with what that returns; returns its id."""
    child = os.fork()
    if child:
        return child
    status = 125
    try:
        status = act(settings, limits, job)
    except BaseException:  # noqa: BLE001  # the parent reads it
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _mounts(settings):
    """Empty folders for this program alone; what can be read below /tmp is shown there again."""
    _check(_LIBC.unshare(_NEWNS | _NEWIPC))
    _mount("none", "/", None, _REC | _PRIVATE)
    _mount("/tmp", "/old", None, _BIND | _REC)
    for place in ("/work", "/tmp"):
        _mount("tmpfs", place, "tmpfs", _NOSUID | _NODEV, f"size={settings['size']},mode=1777")
    for path in settings["kept"]:
        os.makedirs(path, 0o755)
        _mount(path.replace("/tmp", "/old", 1), path, None, _BIND | _REC)
    _check(_LIBC.umount2(b"/old", 2))  # detached
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)


def _mount(source, place, kind, flags, options=None):
    words = [None if word is None else word.encode() for word in (source, place, kind)]
    _check(_LIBC.mount(*words, ctypes.c_ulong(flags), None if options is None else options.encode()))


def _check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _wait(child):
    return _code(os.waitpid(child, 0)[1])


def _code(status):
    number = os.waitstatus_to_exitcode(status)
    return 128 - number if number < 0 else number


def _end_group(group):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _line(fd):
    """Reads a line byte by byte: nothing of the next one may wait in a buffer that a fork copies."""
    line = b""
    while not line.endswith(b"\n"):
        if not (byte := os.read(fd, 1)):
            return b""
        line += byte
    return line


def _program(settings, limits, job):
    """Runs one program, in the child that is its own."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    answers = os.dup(settings["answers"])
    _streams(settings["answers"])
    _restrict(settings, limits)
    if job["command"]:
        words = [word.replace("{job}", settings["job"]) for word in job["command"]]
        os.dup2(answers, 1)
        try:
            os.execvp(words[0], words)
        except OSError as error:
            os.write(2, f"{words[0]} cannot be started here: {error.strerror}\n".encode())
            os._exit(126)
    _warm_children(settings["modules"], settings["places"])
    _python(job, os.fdopen(answers, "w"))


def _streams(answers):
    """Standard input is empty, both streams go to standard error; nothing of this process's own channels is left."""
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    os.close(answers)


def _restrict(settings, limits):
    """Gives up what this process may do; the order matters, each step being the last of its kind."""
    if settings["walls"] and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(settings["user"], settings["user"], settings["user"])
        os.setresuid(settings["user"], settings["user"], settings["user"])
    if settings["walls"]:
        _LIBC.prctl(_AMBIENT, 4, 0, 0, 0)  # clear all
        _check(_LIBC.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()))
        _check(_LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    _LIBC.prctl(_DUMPABLE, 1, 0, 0, 0)
    _LIBC.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for name, (soft, hard) in limits.items():
        resource.setrlimit(getattr(resource, name), (soft, hard))


def _python(job, channel):
    answer = {"token": job["token"], "value": None, "fault": ""}
    try:
        answer["value"] = _run(job)
        line = json.dumps(answer)
    except BaseException as error:  # noqa: BLE001  # whatever a program raises is its outcome, SystemExit too
        answer["value"], answer["fault"] = None, _describe(error, job)
        line = json.dumps(answer)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = {"seconds": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}
    sys.stdout.flush()
    sys.stderr.flush()
    channel.write(f"{line}\n{json.dumps(spent)}\n")
    channel.flush()
    os._exit(0)


def _warm_children(modules, paths):
    """Lets ``subprocess`` fork this interpreter where it would start the same Python with a script: no second import.

    Evaluators often run a program as ``[sys.executable, FILE]``; its child is this process as it was before the program ran.
    """
    if (start := vars(subprocess).get("_fork_exec")) is None:  # another Python has it elsewhere
        return

    def fork_exec(words, programs, *more):
        line = [os.fsdecode(word) for word in words]
        plain = (
            len(more) == 21 and len(more[1]) == 1 and more[3] is None and more[19] is None
        )  # no descriptors, env, preexec_fn
        plain = plain and all(each in (None, -1) for each in more[14:19])  # no group, user, umask
        if not (plain and len(line) > 1 and line[0] == sys.executable and line[1].endswith(".py")):
            return start(words, programs, *more)
        cwd, streams, is_session = more[2], more[4:10], more[13]
        if child := os.fork():
            return child
        status = 1
        try:
            for number, stream in zip((0, 1, 2), (streams[0], streams[3], streams[5]), strict=True):
                if stream != -1:
                    os.dup2(stream, number)
            os.closerange(3, 64)
            os.chdir(cwd or ".")
            os.setsid() if is_session else None
            status = _script(line[1:], modules, paths)
        finally:
            os._exit(status)

    subprocess.__dict__["_fork_exec"] = fork_exec


def _script(words, modules, paths):
    """Runs a script as Python itself would; returns the exit status."""
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.argv[:], sys.path[:] = words, [os.path.dirname(os.path.abspath(words[0])), *paths]
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    _reseed()
    status = 0
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001  # as the interpreter does
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _reseed():
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # else all children draw the same numbers; Python's own random sees to itself


def _run(job):
    names: dict = {"__name__": "program"}
    exec(compile(job["source"], "program.py", "exec"), names)
    names.update(job["inputs"], describe=functools.partial(_describe, job=job))
    names.pop("result", None)
    exec(_compiled(job["harness"]), names)
    return names.get("result")


def _describe(error, job):
    """The error's type and text, and the last line of the program that it, or what it was raised from, went through.

    An evaluator may run the program under any file name: the program's lines are known by its compiled code.
    """
    text = traceback.format_exception_only(error)[-1].strip()[:400]
    program, evaluator = job["source"] or job["inputs"].get("program", ""), job["inputs"].get("evaluator", "")
    codes = _codes(program)
    for each in _chain(error):
        cause = "" if each is error else traceback.format_exception_only(each)[-1].strip()[:200] + ", "
        if isinstance(each, SyntaxError) and each.filename:
            place = "the program" if _is_wrong_at(program, each) else os.path.basename(each.filename)
            return f"{text} ({cause}line {each.lineno} of {place})"
        if lines := [line for frame, line in traceback.walk_tb(each.__traceback__) if _identity(frame.f_code) in codes]:
            return f"{text} ({cause}line {lines[-1]} of the program)"
        if lines := re.findall(rf'/{re.escape(job["inputs"].get("name", ""))}", line (\d+)', getattr(each, "tb", "")):
            return f"{text} (line {lines[-1]} of the program)"  # multiprocessing hands a traceback on as a text
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == evaluator]
    return f"{text} (line {lines[-1]} of {os.path.basename(evaluator)})" if lines else text


def _chain(error):
    """An error, what it was raised from, and so on."""
    chain = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _codes(program):
    """What tells the compiled code of a program, and of each of its functions, from other code."""
    try:
        codes = [compile(program, "program.py", "exec")]
    except (SyntaxError, ValueError):
        return set()
    for code in codes:  # it grows meanwhile
        codes += [each for each in code.co_consts if isinstance(each, type(code))]
    return set(map(_identity, codes))


def _identity(code):
    return code.co_name, code.co_firstlineno, code.co_code


def _is_wrong_at(program, error):
    """Whether a syntax error is that of the program."""
    try:
        compile(program, error.filename, "exec")
    except SyntaxError as own:
        return (own.msg, own.lineno) == (error.msg, error.lineno)
    return False


_serve(json.loads(sys.argv[1]))
