"""A plain interpreter as a reference: for each line, a fork of it runs the pieces of code and says how the last ended and what there is then."""

import json
import os
import sys

observer = sys.argv[1]
# Each fork has them then, as each session of the pool.
for module in sys.argv[2:]:
    __import__(module)


def run(pieces):
    names = {"__name__": "__main__"}
    ended = {"status": "ok", "name": "", "at": 0}
    for piece in pieces:
        ended = {"status": "ok", "name": "", "at": len(piece["statements"])}
        for at, statement in enumerate(piece["statements"]):
            try:
                exec(compile(statement, "<piece>", "exec"), names)
            except BaseException as error:
                ended = {"status": "error", "name": type(error).__name__, "at": at}
                break
        else:
            if piece.get("hangs"):
                ended = {"status": "timeout", "name": "KeyboardInterrupt", "at": len(piece["statements"])}
    seen = {}
    exec(compile(open(observer).read(), observer, "exec"), seen)
    return {**ended, "state": json.loads(seen["_observe"](names))["state"]}


for line in sys.stdin:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        # A fault's own report would stand in the middle of the tests'.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            answer = json.dumps(run(json.loads(line)))
        except BaseException as error:
            # Not the code's: it must not be taken for a death.
            answer = json.dumps({"status": "broken", "name": repr(error), "at": 0, "state": None})
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf8") as file:
        answer = file.read()
    os.waitpid(pid, 0)
    print(answer or json.dumps({"status": "killed", "name": "", "at": 0, "state": None}), flush=True)
