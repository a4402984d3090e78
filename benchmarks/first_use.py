"""The time until a cell gives its first result, with an empty cache of compiled kernels and with a full one.

    python -m benchmarks.first_use
    python -m benchmarks.first_use --cell GRU --repeats 9

The board shows the total; this program shows what it is made of. Every run is a process of its own. A cold run begins
with an empty folder for everything that is kept: the emitted programs of cells and all machine code, that of the
library's own kernels included. A warm run finds what a cold one left.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = """
import json, sys, time

cell, sizes, process_start = json.loads(sys.argv[1])
times = {"start of Python": time.time() - process_start}
for name in ("numpy", "numba", "numrnn"):
    start = time.perf_counter()
    __import__(name)
    times[f"import {name}"] = time.perf_counter() - start
import numpy
import numrnn as nr

x = numpy.zeros((sizes["steps"], sizes["batch"], sizes["input"]), "float32")
model = nr.Sequencer(getattr(nr, cell)(sizes["input"], sizes["hidden"]))
for which in ("first", "second"):
    start = time.perf_counter()
    output = model.forward(x)
    middle = time.perf_counter()
    model.backward(x, output)
    end = time.perf_counter()
    times |= {f"{which} forward": middle - start, f"{which} backward": end - middle}
    times.setdefault("all until the first gradients", time.time() - process_start)
print(json.dumps(times))
"""
TOTAL = "all until the first gradients"
SIZES = {"steps": 50, "batch": 32, "input": 64, "hidden": 128}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cell", default="LSTM", help="name of the cell")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each kind; their median is shown")
    for name, size in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    return parser.parse_args()


def measure(folder: str, cell: str = "LSTM", sizes: dict[str, int] = SIZES) -> dict[str, float]:
    """Run the program in a new process that keeps everything in `folder`; return its times in seconds."""
    caches = {"NUMRNN_CACHE_DIR": str(Path(folder, "programs")), "NUMBA_CACHE_DIR": str(Path(folder, "machine_code"))}
    return json.loads(_output_of(PROGRAM, json.dumps([cell, sizes, time.time()]), caches))


def time_of_import(package: str) -> float:
    """Return the seconds that the import of a package takes in a new process."""
    program = f"import time; start = time.perf_counter(); import {package}; print(time.perf_counter() - start)"
    return float(_output_of(program, "", {}))


def _output_of(program: str, argument: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", program, argument]
    variables = os.environ | environment
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # what pip installs is compiled to bytecode, too
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def size_of(folder: str) -> int:
    """Return the number of bytes in a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def main() -> None:
    options = arguments()
    sizes = {name: getattr(options, name) for name in SIZES}
    cold, warm = [], []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(measure(folder, options.cell, sizes))
            warm.append(measure(folder, options.cell, sizes))
            kept = size_of(folder)
    print(
        f"{options.cell}({options.input} -> {options.hidden}), float32, {options.steps} steps, batch {options.batch}; "
        f"seconds, medians of {options.repeats}\n"
    )
    print(f"{'':30}{'cold cache':>12}{'warm cache':>12}")
    for name in cold[0]:
        row = (statistics.median(run[name] for run in runs) for runs in (cold, warm))
        print(f"{name:30}" + "".join(f"{seconds:12.4f}" for seconds in row))
    print(f"\nthe cache then holds {kept / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
