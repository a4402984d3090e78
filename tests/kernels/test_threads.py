"""Threads: the same bits for any number of them, and no program is harmed by them."""

import math
import multiprocessing
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr
from numrnn.equations import linear, mean, sqrt, tanh
from numrnn.kernels.cpu import loop, threads
from numrnn.kernels.cpu.kernel import kernel
from numrnn.kernels.cpu.machine import UNCACHED_OPTIONS
from tests.modules import OutputLayers


@pytest.fixture(autouse=True)
def _every_kernel_is_shared(monkeypatch):
    monkeypatch.setattr(threads, "PART_WORK", 1)
    monkeypatch.setattr(threads, "WAKE_WORK", 0)
    before = nr.get_num_threads()
    yield
    nr.set_num_threads(before)


def train(cell, x, grad_output):
    """Return all that a pass forward and back gives."""
    cell.forget()
    cell.zero_grad_parameters()
    output = cell.forward_sequence(x)
    grad_x = cell.backward_sequence(x, grad_output)
    return [output, grad_x, *map(np.array, cell.parameters()[1]), *listed(cell.get_hidden_state())]


def listed(states):
    return states if isinstance(states, list) else [states]


def drawn(steps, batch, inputs, hidden, dtype):
    rng = np.random.default_rng((steps, batch, inputs, hidden))
    return rng.normal(size=(steps, batch, inputs)).astype(dtype), rng.normal(size=(steps, batch, hidden)).astype(dtype)


def with_heads(inputs, hidden):
    return nr.SLSTM(inputs, hidden, heads=math.gcd(hidden, 6))


def with_matrices(inputs, hidden):
    return nr.MLSTM(inputs, hidden, heads=math.gcd(hidden, 6))


class Sums(nr.Cell):
    """Sums over features, which a thread makes for the others where they share channels."""

    def equations(self, x, h):
        a = linear("a", x, h)
        a = a - mean(a)
        return tanh(a / sqrt(mean(a * a) + 0.1))


CELLS = [nr.LSTM, nr.FastLSTM, nr.GRU, nr.RNN, nr.MinGRU, nr.LRU, with_heads, with_matrices, Sums, OutputLayers]
cells = pytest.mark.parametrize("make", CELLS, ids=[cell.__name__ for cell in CELLS])


@cells
@pytest.mark.parametrize("by_channels", [False, True])
@settings(deadline=None, max_examples=12)
@given(
    number=st.integers(2, 5),
    steps=st.integers(1, 4),
    batch=st.integers(1, 9),
    inputs=st.integers(1, 40),
    hidden=st.sampled_from([1, 7, 64, 65, 150]),
    dtype=st.sampled_from(["float32", "float64"]),
    stretch=st.sampled_from([1, 10000, loop.STRETCH_BYTES]),
)
def test_same_bits_for_any_number_of_threads(make, by_channels, number, steps, batch, inputs, hidden, dtype, stretch):
    cell = make(inputs, hidden).astype(dtype)
    x, grad_output = drawn(steps, batch, inputs, hidden, dtype)
    nr.set_num_threads(1)
    expected = train(cell, x, grad_output)
    nr.set_num_threads(number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.CellLoop, "shares_channels", lambda self, batch, parts: by_channels)
        patch.setattr(loop, "STRETCH_BYTES", stretch)
        found = train(cell, x, grad_output)
    for array, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, other)


@settings(deadline=None, max_examples=12)
@given(number=st.integers(2, 5), rows=st.integers(0, 9), columns=st.integers(1, 200))
def test_linear_gives_the_same_bits_for_any_number_of_threads(number, rows, columns):
    layer = nr.Linear(5, columns)
    x = np.random.default_rng(rows).normal(size=(rows, 5)).astype("float32")
    results = []
    for count in (1, number):
        nr.set_num_threads(count)
        layer.zero_grad_parameters()
        output = layer.forward(x)
        results.append([output, layer.backward(x, output), *map(np.array, layer.parameters()[1])])
    for array, other in zip(*results, strict=True):
        np.testing.assert_array_equal(array, other)


def shared_result():
    """Train a cell with two threads and return the sum of what comes out."""
    nr.set_num_threads(2)
    nr.seed(1)
    x, grad_output = drawn(5, 6, 8, 70, "float32")
    return float(sum(np.abs(array).astype("float64").sum() for array in train(nr.LSTM(8, 70), x, grad_output)))


def test_four_python_threads_train_at_once():
    expected, results = shared_result(), []

    def work():
        nr.set_num_threads(2)
        x, grad_output = drawn(5, 6, 8, 70, "float32")
        cell = models.pop()
        for _ in range(20):
            results.append(float(sum(np.abs(a).astype("float64").sum() for a in train(cell, x, grad_output))))

    nr.seed(1)
    models = [nr.LSTM(8, 70)]
    models += [models[0].clone() for _ in range(3)]
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert results == [expected] * 80


def _in_child(results):
    results.put(shared_result())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_computes_after_its_parent_did(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    expected = shared_result()
    context = multiprocessing.get_context(method)
    results = context.Queue()
    child = context.Process(target=_in_child, args=(results,))
    child.start()
    assert results.get(timeout=120) == expected
    child.join(60)
    assert child.exitcode == 0


@pytest.mark.parametrize("layer", ["workqueue", "omp", "tbb"])
def test_beside_any_threading_layer_of_numba(layer):
    """Numba's own parallel loops, in other threads and before a fork, neither harm nor are harmed."""
    program = f"""
import os, sys, threading
import numba, numpy as np
numba.config.THREADING_LAYER = {layer!r}

@numba.njit(parallel=True)
def squares(a):
    for k in numba.prange(a.size):
        a[k] = a[k] ** 2

try:
    squares(np.ones(1000))
except ValueError:
    sys.exit(77)  # this layer is not installed
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_threads import shared_result, threads
threads.PART_WORK, threads.WAKE_WORK = 1, 0
expected = shared_result()
worker = threading.Thread(target=lambda: [shared_result() for _ in range(5)])
worker.start()
for _ in range(50):
    squares(np.ones(1000))
worker.join()
if os.fork() == 0:
    os._exit(0 if shared_result() == expected else 1)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False)
    if done.returncode == 77:
        pytest.skip(f"{layer} is not installed")
    assert done.returncode == 0, done.stderr


def test_numba_num_threads_is_the_number_at_the_start():
    program = "import numrnn; print(numrnn.get_num_threads())"
    environment = os.environ | {"NUMBA_NUM_THREADS": "3"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "3\n"


@pytest.mark.parametrize("number", [0, -1, 1.5, "2", None, True])
def test_a_number_that_is_none_is_refused(number):
    nr.set_num_threads(2)
    with pytest.raises(ValueError, match=r"set_num_threads.*expects a whole number of at least 1"):
        nr.set_num_threads(number)
    assert nr.get_num_threads() == 2


@kernel(**UNCACHED_OPTIONS)
def _note(parts_done, part, parts, barrier):
    parts_done[part] += 1


def parts_of(count, *arguments):
    """Run a kernel, and return how often each part was done."""
    done = np.zeros(count, np.int64)
    threads.run(_note, (done, *arguments), count)
    return done.tolist()


def test_every_part_is_done_once_by_threads_that_sleep_or_wait(monkeypatch):
    parts_of(1)  # the first call is not shared out
    for looks in (0, threads.LOOKS):
        monkeypatch.setattr(threads, "LOOKS", looks)
        for count in (3, 2, 5, 1, 4):
            for _ in range(20):
                assert parts_of(count) == [1] * count


def test_an_error_before_the_threads_are_called_leaves_them_waiting():
    parts_of(1)
    with pytest.raises(TypeError):
        parts_of(3, "one argument too many")
    assert parts_of(3) == [1, 1, 1]


def test_a_kernel_called_while_another_is_shared_does_all_of_its_work_itself():
    parts_of(1)
    with threads._busy:
        assert parts_of(3) == [1, 0, 0]
    assert parts_of(3) == [1, 1, 1]


def test_small_work_is_done_alone_after_it_was_late(monkeypatch):
    monkeypatch.setattr(threads, "WAKE_WORK", 1 << 60)
    monkeypatch.setattr(threads, "AVOIDED", 1e9)
    monkeypatch.setattr(threads, "_avoided_until", 0.0)
    nr.set_num_threads(3)
    parts_of(1)

    def is_shared_in_the_end():
        deadline = time.monotonic() + 20
        while threads.threads_for(1 << 30) != 3:  # threads are woken first, and a busy machine puts them to sleep
            if time.monotonic() > deadline:
                return False
        return True

    monkeypatch.setattr(threads, "LATE", 1e9)
    for _ in range(2):
        assert is_shared_in_the_end()
        assert parts_of(3) == [1, 1, 1]
    monkeypatch.setattr(threads, "LATE", -1e9)
    assert is_shared_in_the_end()
    assert parts_of(3) == [1, 1, 1]
    assert threads.threads_for(1 << 30) == 1


@pytest.mark.parametrize("pause", [0, 0.2], ids=["while threads wait", "while threads sleep"])
def test_python_ends_at_once(pause):
    program = f"""
import atexit, os, time
atexit.register(lambda: work_at_the_end())  # the last thing that runs, since it was registered first
import numpy as np
from numrnn.kernels.cpu import affine, threads

def work():
    a = np.ones((50, 50), "float32")
    for _ in range(5):
        affine.affine(a, a, a[0], np.empty_like(a))

def work_at_the_end():
    work()
    if threads._workers:
        os._exit(1)

threads.PART_WORK, threads.WAKE_WORK = 1, 0
threads.set_num_threads(3)
work()
assert len(threads._workers) == 2
time.sleep({pause})
"""
    subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": os.getcwd()}, check=True, timeout=60
    )
