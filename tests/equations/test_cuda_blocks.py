"""The blocks' text serves any target: here as CUDA device functions, in Numba's simulator."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import numrnn

# In a process of its own: whether Numba simulates is decided when it is imported. Every thread computes one element of
# a block. What it should be comes from the same text on whole NumPy arrays.
SCRIPT = '''
import math
import sys

import numpy as np
from numba import cuda

import numrnn as nr
from numrnn.equations.emit import FUNCTIONS, emit_blocks

THREADS, ELEMENTS = 8, 13
dtype = sys.argv[1]
element = np.dtype(dtype).type
program = getattr(nr, sys.argv[2])(3, 4).program()


def on_device(function):
    """Return a device function for one element, rounded to the element type as on a GPU."""
    return cuda.jit(device=True)(lambda *a: element(function(*a)))


SCALAR = {
    "cos": math.cos, "exp": math.exp, "log": math.log, "sin": math.sin, "sqrt": math.sqrt, "tanh": math.tanh,
    "sigmoid": lambda a: 1.0 / (1.0 + math.exp(-a)), "softplus": lambda a: math.log1p(math.exp(a)),
    "relu": lambda a: max(a, 0.0), "maximum": max, "minimum": min, "greater": lambda a, b: float(a > b),
}
ON_ARRAYS = {
    "cos": np.cos, "exp": np.exp, "log": np.log, "sin": np.sin, "sqrt": np.sqrt, "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)), "softplus": lambda a: np.log1p(np.exp(a)),
    "relu": lambda a: np.maximum(a, 0), "maximum": np.maximum, "minimum": np.minimum,
    "greater": lambda a, b: (a > b).astype(float),
}
assert set(SCALAR) == set(ON_ARRAYS) == set(FUNCTIONS)

text = emit_blocks(program, dtype)
device = {name: on_device(function) for name, function in SCALAR.items()} | {dtype: element}
arrays = ON_ARRAYS | {dtype: np.float64}
exec(text, device)
exec(text, arrays)

names = [name for name in arrays if name.startswith("block")]
assert len(names) == 2 * len(program.blocks)
for name in names:
    block = cuda.jit(device=True)(device[name])
    arity = arrays[name].__code__.co_argcount
    scope = {"cuda": cuda, "block": block}
    exec(f"""
def kernel(inputs, outputs):
    k = cuda.grid(1)
    if k < inputs.shape[1]:
        results = block({", ".join(f"inputs[{a}, k]" for a in range(arity))})
        for r in range(outputs.shape[0]):
            outputs[r, k] = results[r]
""", scope)
    inputs = np.random.default_rng(0).normal(0, 1, (arity, ELEMENTS)).astype(dtype)
    inputs = np.abs(inputs) if "sqrt(" in text else inputs
    expected = np.stack(arrays[name](*inputs.astype("float64")))
    outputs = np.full(expected.shape, np.nan, dtype)
    cuda.jit(scope["kernel"])[-(-ELEMENTS // THREADS), THREADS](inputs, outputs)
    close = {"rtol": 1e-12, "atol": 1e-14} if dtype == "float64" else {"rtol": 2e-5, "atol": 1e-6}
    np.testing.assert_allclose(outputs, expected, err_msg=name, **close)
print(*names)
'''


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("cell", "blocks"), [("LSTM", 1), ("GRU", 2), ("SLSTM", 1), ("MLSTM", 5), ("LayerNormLSTM", 9)]
)
def test_blocks_are_cuda_device_functions(cell, blocks, dtype, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {
        "NUMBA_ENABLE_CUDASIM": "1",
        "NUMRNN_CACHE_DIR": str(tmp_path / "kernels"),
        "PYTHONPATH": str(Path(numrnn.__file__).parents[1]),
    }
    result = subprocess.run([sys.executable, script, dtype, cell], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [f"block{k}{way}" for k in range(blocks) for way in ("", "_backward")]
