"""One contestant of a benchmark: a process that reads requests, a JSON object a line, on stdin and answers each on descriptor 3.

{"do": "open", "task": NAME, "case": {...}}  -> {"about": {...}}    prepares a task and runs it once
{"do": "turn", "seconds": S, "most": N}      -> {"wall": [...]}     runs it for S seconds, once at least, N times at most; a task may
                                                                    make several `calls` in a run, whose mean is told
{"do": "peak"}                               -> {"bytes": B}        memory that one run takes beyond what was there before
{"do": "close"}                              -> {}                  frees it
"""
import gc
import importlib
import json
import os
import sys
import time
import traceback

REPLIES = os.fdopen(3, "w", buffering=1)
MODULES = {"ceiling": "ceilings", "embed": "embed", "loss": "loss", "stain": "stain", "train": "train"}


def reason(error):
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else ''}"[:400]


class Contestant:
    task = None

    def open(self, request):
        self.close({})
        case = request["case"]
        module = importlib.import_module(MODULES[request["task"]])
        self.task = module.open_task(case)
        return {"about": self.task.about}

    def turn(self, request):
        wall = []
        begun = time.perf_counter()
        while len(wall) < request["most"] and (not wall or time.perf_counter() - begun < request["seconds"]):
            start = time.perf_counter()
            self.task.run()
            wall.append((time.perf_counter() - start) / getattr(self.task, "calls", 1))
        return {"wall": wall}

    def peak(self, _request):
        import memory

        return {"bytes": memory.peak_of(self.task)}

    def close(self, _request):
        self.task = None
        gc.collect()
        return {}


def main():
    contestant = Contestant()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = getattr(contestant, request["do"])(request)
        except Exception as error:  # told to the harness, which has a row for it
            traceback.print_exc()
            reply = {"error": reason(error)}
        print(json.dumps(reply), file=REPLIES, flush=True)


if __name__ == "__main__":
    main()
