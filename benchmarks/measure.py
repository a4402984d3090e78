"""Measures rows of the board with one number of threads, in a process that `python -m benchmarks` starts for it.

Each row goes to the standard output as a line of JSON as soon as it is measured; the last line tells of the machine.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llvmlite import binding

from benchmarks import board, check, others, peers, timing
from benchmarks.works import Work

SECONDS = 1.0
"""About how long the samples of one row may take; at least three are taken of everything."""
PACKAGES = ("numrnn", "numba", "llvmlite", "numpy", "torch", "onnxruntime", "jax", "jaxlib")

Row = dict[str, Any]


def measure(work: Work, threads: int, repetitions: int) -> Row:
    """Return a row: samples of numrnn and its peers, who is absent, whether the numbers agree, marks."""
    row: Row = {"name": work.name, "threads": threads, "unit": work.unit, "flops": work.flops, "shape": work.shape}
    contestants, row["absent"], numbers = gather(work, threads)
    row |= {"times": {}, "ratios": {}, "wrong": disagreements(numbers), "marks": []}
    if "numrnn" not in contestants:
        return row
    watch = others.Watch()
    samples = timing.take_turns(contestants, repetitions, SECONDS)
    row["disturbed"] = watch.share()
    row["wrong"] |= disagreements({name: contestants[name].numbers() for name in numbers})
    for name, own in samples.items():
        row["times"][name] = summary(own) | {"samples": len(own)}
        if name != "numrnn":
            row["ratios"][name] = summary([theirs / ours for theirs, ours in zip(own, samples["numrnn"], strict=True)])
    median, ratios = row["times"]["numrnn"]["median"], {name: ratio["median"] for name, ratio in row["ratios"].items()}
    quiet = row["disturbed"] <= others.TOLERATED
    for mark in work.marks:
        met = mark.is_met(median, ratios) if quiet else None
        row["marks"].append(asdict(mark) | {"text": str(mark), "met": met})
    return row


def gather(work: Work, threads: int) -> tuple[dict[str, timing.Contestant], dict[str, str], dict[str, timing.Numbers]]:
    """Return those who can do the work, why the others cannot, and the numbers that each computes."""
    contestants, absent, numbers = {}, {}, {}
    for name in ("numrnn", *work.peers):
        try:
            contestant = peers.load(name, threads).prepare(work, name)
            if contestant.numbers is not None:
                numbers[name] = contestant.numbers()
            elif contestant.run is not None:
                contestant.run()  # the first time, much is compiled
            contestants[name] = contestant
        except peers.Missing as reason:
            absent[name] = str(reason)
        except Exception as problem:
            text = str(problem).strip().split("\n")[0]
            absent[name] = f"does not work here: {type(problem).__name__}: {text}"
    return contestants, absent, numbers


def disagreements(numbers: Mapping[str, timing.Numbers]) -> dict[str, str]:
    """Return in what the peers' numbers are not those of numrnn."""
    ours = numbers.get("numrnn", {})
    found = {name: check.difference(ours, theirs) for name, theirs in numbers.items() if name != "numrnn"}
    return {name: problem for name, problem in found.items() if problem is not None}


def summary(samples: Sequence[float]) -> dict[str, float]:
    """Return the median and the quartiles."""
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else samples * 3
    return {"median": median, "low": low, "high": high}


def machine(threads: int) -> dict[str, Any]:
    """Return what the figures depend on, apart from the program."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    versions = {name: importlib.metadata.version(name) for name in PACKAGES if importlib.util.find_spec(name)}
    return {
        "processor": names[0] if names else platform.processor(),
        "architecture": f"{platform.machine()}, {binding.get_host_cpu_name()}",
        "python": platform.python_version(),
        "versions": versions,
        f"pools of {threads} threads": pools(),
    }


def pools() -> list[str]:
    """Return the thread pools of loaded libraries, and their sizes."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return []
    from threadpoolctl import threadpool_info

    return [f"{Path(pool['filepath']).name}: {pool['num_threads']}" for pool in threadpool_info()]


def main() -> None:
    options = json.loads(sys.argv[1])
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what frameworks print is no result
    for section, work in board.rows(options["quick"], options["only"]):
        if options["section"] in (None, section) and (work.needs_threads or options["first"]):
            row = measure(work, options["threads"], options["repetitions"])
            print(json.dumps({"section": section, **row}), file=lines, flush=True)
    print(json.dumps({"machine": machine(options["threads"])}), file=lines, flush=True)


if __name__ == "__main__":
    main()
