"""warm_up compiles all that a cell needs, for later processes too."""

import os
import subprocess
import sys

import pytest

import numrnn as nr

PROGRAM = """
import numpy as np, numrnn as nr
{first}
cell = nr.GRU(4, 6)
x = np.zeros((3, 2, 4), "float32")
cell.backward_sequence(x, cell.forward_sequence(x))
cell.evaluate().forget()
cell(x[0])
cell(x[0])
module = cell._loop().module
kernels = module.forward, module.backward, module.accumulate, module.step
print([sum(kernel.stats.cache_misses.values()) for kernel in kernels])
"""


def misses(first, folder):
    environment = os.environ | {"NUMRNN_CACHE_DIR": str(folder)}
    command = [sys.executable, "-c", PROGRAM.format(first=first)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return done.stdout.strip()


def test_nothing_is_compiled_after_it_nor_in_a_later_process(tmp_path):
    assert misses("", tmp_path / "cold") == "[1, 1, 1, 1]"
    assert misses("nr.warm_up(nr.GRU)", tmp_path / "warm") != "[0, 0, 0, 0]"  # it was compiled there
    assert misses("", tmp_path / "warm") == "[0, 0, 0, 0]"


def test_cells_of_ones_own_and_single_cells_may_be_given():
    cell = nr.RNN(3, 4, nonlinearity="relu")
    before = cell.state_dict()
    nr.warm_up(cell, nr.RNN, dtypes=["float32", "float64"])
    assert cell.step == 1
    assert cell.dtype == "float32"
    assert all((before[name] == value).all() for name, value in cell.state_dict().items())


@pytest.mark.parametrize("wrong", [3, nr.Linear, nr.Linear(2, 3), "LSTM"])
def test_what_is_no_cell_is_refused(wrong):
    with pytest.raises(TypeError, match=r"warm_up.*expects cells"):
        nr.warm_up(wrong)
    with pytest.raises(TypeError, match="float32 or float64"):
        nr.warm_up(nr.GRU, dtypes=["float16"])
