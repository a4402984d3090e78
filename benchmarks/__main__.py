"""The board: numrnn and its peers on the same work, in turns, with one thread and with two.

    make bench                                       # everything, in an environment with all peers
    python -m benchmarks --quick                     # a small piece of work of each kind: does everything run?
    python -m benchmarks --only "LSTM train" --threads 1

Writes a table (to the terminal, and as Markdown), a JSON file and pictures. A peer that is not installed, or does not
work, is named. If a peer and numrnn do not compute the same numbers, that is reported, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import pictures, report
from benchmarks.board import rows

THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def arguments() -> argparse.Namespace:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__, formatter_class=layout)
    add = parser.add_argument
    add("--quick", action="store_true", help="small work, one thread, two repetitions")
    add("--only", default="", metavar="PATTERN", help='rows in whose "section: name" this regular expression is found')
    add("--threads", type=numbers, help="numbers of threads; each gets a process of its own (default: 1,2)")
    add("--repetitions", type=int, help="samples of each contestant; fewer of what takes long (default: 15)")
    add("--out", type=Path, default=Path("runs/bench"), help="folder for the results (default: %(default)s)")
    options = parser.parse_args()
    options.threads = options.threads or ([1] if options.quick else [1, 2])
    options.repetitions = options.repetitions or (2 if options.quick else 15)
    return options


def processors() -> list[int]:
    """Return the processors that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


@contextmanager
def limited_to(chosen: Sequence[int]) -> Iterator[None]:
    """Let processes that start meanwhile run on these processors only; some libraries know no other way to be told."""
    before = processors()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, before)


def measured(options: argparse.Namespace, section: str | None, threads: int, first: bool) -> Iterator[dict[str, Any]]:
    """Run `measure` on a section, or all of them, with a number of threads, and iterate over its results."""
    settings = {"section": section, "threads": threads, "first": first}
    settings |= {name: getattr(options, name) for name in ("quick", "only", "repetitions")}
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    environment.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(".cache/torchinductor").resolve()))
    command = [sys.executable, "-m", "benchmarks.measure", json.dumps(settings)]
    with open(options.out / f"log_{threads}.txt", "a") as log:
        with limited_to(processors()[-threads:]):
            child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        with child:
            yield from map(json.loads, child.stdout)
    if child.returncode:
        yield {"crash": f"with {threads} threads, the process ended with status {child.returncode}; see {log.name}"}


def main() -> int:
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    possible = [threads for threads in options.threads if threads <= len(processors())]
    board: dict[str, Any] = {"rows": [], "problems": [], "machine": {}}
    board["skipped"] = [
        f"{threads} threads: this process may run on {len(processors())} processor(s) only"
        for threads in options.threads
        if threads not in possible
    ]
    for log in options.out.glob("log_*.txt"):
        log.unlink()
    # sections have processes of their own: threads that a library has left behind would disturb those that follow
    sections = [None] if options.quick else list(dict.fromkeys(section for section, _ in rows(False, options.only)))
    for threads, section in itertools.product(possible, sections):
        for result in measured(options, section, threads, first=threads == possible[0]):
            if "crash" in result:
                board["problems"].append(result["crash"])
            elif "machine" in result:
                board["machine"] |= result["machine"]
            else:
                board["rows"].append(result)
                print(report.line(result), flush=True)
    board["problems"] += report.problems(board["rows"])
    text = report.text(board)
    print(f"\n{text}")
    (options.out / "board.md").write_text(text)
    (options.out / "board.json").write_text(json.dumps(board, indent=1))
    written = [options.out / "board.md", options.out / "board.json", *pictures.draw(board, options.out)]
    print("Written:", *written)
    for problem in board["problems"]:
        print(f"PROBLEM: {problem}", file=sys.stderr)
    return 1 if board["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
