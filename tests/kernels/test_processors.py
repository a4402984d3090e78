"""The same bits on every processor: kernels compiled for narrower vectors give what those for this one's give."""

import os
import platform
import subprocess
import sys

import pytest

# What the processor offers is looked up when numrnn is imported, so each is simulated in a process of its own.
PROGRAM = """
import hashlib
import os
import sys

from llvmlite import binding

offered = binding.get_host_cpu_features()
for name in list(offered):
    offered[name] &= not name.startswith(tuple(sys.argv[1].split(",")))
binding.get_host_cpu_features = lambda: offered

import numpy as np
import numrnn as nr
from numrnn.equations import cos, exp, linear, mean, parameter, peephole, sigmoid, spread, sqrt, tanh, total
from numrnn.kernels.cpu.machine import VECTOR_BITS


# an LSTM with block-diagonal weights, sums over features and over those of heads, and a function of a parameter alone
class Unit(nr.Cell):
    states = ("h", "c")

    def sizes(self):
        return super().sizes() | {"heads": 3}

    def equations(self, x, h, c):
        i, z, f, o = linear("gates", x, h, parts=4, heads=(1, 3))
        c = sigmoid(f + peephole("forget", c)) * c + sigmoid(i) * tanh(z)
        a = c - mean(c) * spread(tanh(total(c * z, "heads")), "hidden")
        return sigmoid(o) * tanh(a / sqrt(mean(a * a) + 0.1)) * cos(exp(parameter("angle"))), c


digest = hashlib.sha256()
rng = np.random.default_rng(0)
nr.seed(0)
for dtype in ("float32", "float64"):
    cell, layer = Unit(9, 21).astype(dtype), nr.Linear(21, 13).astype(dtype)
    for steps, batch in ((3, 7), (2, 1)):
        x = rng.normal(size=(steps, batch, 9)).astype(dtype)
        cell.forget()
        output = cell.forward_sequence(x)
        scores = layer.forward(output)
        log_probabilities = nr.LogSoftMax().forward(scores)
        grad_x = cell.backward_sequence(x, layer.backward(output, scores))
        for array in (output, scores, log_probabilities, grad_x, *cell.parameters()[1], *layer.parameters()[1]):
            digest.update(np.ascontiguousarray(array).tobytes())
print(VECTOR_BITS, digest.hexdigest())
"""


def run(without, **variables):
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    command = [sys.executable, "-c", PROGRAM, without]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280, check=True)
    bits, digest = done.stdout.split()
    return int(bits), digest


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="simulates x86 processors")
@pytest.mark.parametrize(
    ("bits", "without", "cpu", "features"),
    [(256, "avx512", "haswell", "+avx,+avx2,+fma,+bmi,+bmi2"), (128, "avx,fma", "nehalem", "+sse4.2")],
    ids=["256 bits", "128 bits"],
)
def test_bits_do_not_depend_on_the_width_of_vectors(bits, without, cpu, features, tmp_path):
    own_bits, expected = run("-")
    if bits >= own_bits:
        pytest.skip(f"this processor has vectors of {own_bits} bits")
    folders = {"NUMBA_CACHE_DIR": tmp_path / "numba", "NUMRNN_CACHE_DIR": tmp_path / "numrnn"}
    found = run(without, NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES=features, **folders)
    assert found == (bits, expected)
