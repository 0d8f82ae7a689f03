# ruff: noqa: E501
"""25 harmless programs that try what a sandbox must not allow. Each returns only where it had its way; else it raises or ends.

{marker}: a file of the home folder. {port}: of a listening socket on loopback. {pid}: of a process outside.
"""

_LOOPBACK = 'import socket\nsocket.create_connection(("127.0.0.1", {port}), timeout=2).sendall(b"out")\n'

PROBES = {
    "write outside": 'open("{folder}/probe.txt", "w").write("out")',
    "write to /etc": 'open("/etc/probe.txt", "w").write("out")',
    "write to /usr": 'open("/usr/probe.txt", "w").write("out")',
    "write to the root folder": 'open("/probe.txt", "w").write("out")',
    "write to shared memory": 'open("/dev/shm/probe.txt", "w").write("out")',
    "read a marker of the home folder": 'assert "marker" in open("{marker}").read()',
    "list the home folder": 'import os\nassert "marker.txt" in os.listdir("{home}")',
    "read the users of the machine": 'open("/etc/passwd").read()',
    "read the environment of its parent": 'import os\nassert b"QD_PROBE" in open("/proc/" + str(os.getppid()) + "/environ", "rb").read()',
    "find a variable of the caller": 'import os\nos.environ["QD_PROBE"]',
    "connect to loopback": _LOOPBACK,
    "listen on a port": "import socket, urllib.request\n"
    's = socket.socket()\ns.bind(("0.0.0.0", 0))\ns.listen()\n'
    'assert len(socket.if_nameindex()) > 1, "a network without neighbours"',
    "look up a name": 'import socket\nsocket.getaddrinfo("example.com", 80)',
    "fork 1,000": "import os, time\nfor i in range(1000):\n    if os.fork() == 0:\n        time.sleep(3)\n        os._exit(0)\n",
    "start 1,000 threads": "import threading, time\nfor i in range(1000):\n    threading.Thread(target=time.sleep, args=(3,)).start()\n",
    "allocate 10 GB": "a = 'x' * 10**10\nassert len(a) == 10**10",
    "print 1 GB": "for i in range(1_000_000):\n    print('x' * 1000)\n",
    "write a file of 1 GB": "f = open('large', 'w')\nfor i in range(1000):\n    f.write('x' * 1_000_000)\nf.close()",
    "write many files": "for i in range(1000):\n    f = open('part' + str(i), 'w')\n    f.write('x' * 100_000)\n    f.close()\n",
    "sleep for ever": "import time\ntime.sleep(1e6)",
    "compute for ever": "while True:\n    pass\n",
    "recurse for ever": "def deeper(n):\n    return deeper(n + 1)\n\ndeeper(0)",
    "end its parent": "import os, time\nbefore = os.getppid()\nos.kill(before, 9)\ntime.sleep(0.3)\n"
    "assert os.getppid() != before, 'the parent is still there'",
    "end a process outside": "import os\nos.kill({pid}, 9)",
    "raise its own limits": "import resource\n"
    "soft, hard = resource.getrlimit(resource.RLIMIT_CPU)\nresource.setrlimit(resource.RLIMIT_CPU, (hard + 100, hard + 100))",
}
