"""What code writes, by whatever way, and how it arrives."""

from conformance.case import Chapter

chapter = Chapter("Output")
case = chapter.case

case("print", "print('a', 1, sep='-', end='!\\n')\nprint('b')", plain=True)
case(
    "sys.stdout.buffer mixes in order with print",
    "import sys\nprint('a')\nsys.stdout.buffer.write(b'b\\n')",
    plain=True,
)
case("os.write to fds 1 and 2", "import os\nos.write(1, b'out\\n'); os.write(2, b'err\\n')", plain=True)
case("stderr", "import sys\nprint('e', file=sys.stderr)", plain=True)
case(
    "printf of C, in order with Python's print",
    "import ctypes\nc = ctypes.CDLL(None)\nprint('a'); c.printf(b'b\\n'); print('c'); c.printf(b'd')",
    out="a\nb\nc\nd",
)
case("child processes", "import subprocess\nsubprocess.run('echo out; echo err >&2', shell=True)", plain=True)
case("forked children", "import os\nif os.fork() == 0:\n    os.write(1, b'c\\n'); os._exit(0)\nos.wait()", plain=True)
case(
    "threads",
    "import threading\nt = threading.Thread(target=print, args=('t',)); t.start(); t.join()\nprint('m')",
    plain=True,
)
case("logging", "import logging\nlogging.warning('careful')", plain=True)
case("warnings", "import warnings\nwarnings.warn('careful')", plain=True)
case(
    "a progress bar: carriage returns arrive as they are",
    "print('1/2', end='\\r'); print('2/2', end='\\r')",
    plain=True,
)
case("characters that UTF-8 does not have arrive escaped", "print('\\ud800')", out="\\ud800\n")
case(
    "a redirection is the user's",
    "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as s: print(1)\nprint(repr(s.getvalue()))",
    plain=True,
)
case(
    "isatty says no, of each stream and each descriptor",
    "import os, sys\n[s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)] + [os.isatty(n) for n in range(3)]",
    result="[False, False, False, False, False, False]",
)
case(
    "a stream in the place of sys.stdout is flushed at the end of the execution",
    "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, 'utf-8'); print('a')",
    out="a\n",
)
