"""Weights of PyTorch's recurrent modules, as dictionaries of NumPy arrays; PyTorch itself is not needed.

`torch.nn.LSTM`, `GRU` and `RNN` correspond to `StackedLSTM`, `StackedGRU` and `StackedRNN`, and `torch.nn.LSTMCell`,
`GRUCell` and `RNNCell` to `PlainLSTM`, `GRUResetAfter` and `RNN`. A `torch.nn.Linear` has the names and shapes of
`Linear`, so that `load_state_dict` takes it as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from numrnn.cells import RNN, GRUResetAfter, PlainLSTM
from numrnn.errors import complaint, describe
from numrnn.recurrent import Cell
from numrnn.sequencer.stacked import Stacked
from numrnn.table import Array


def load_torch_state(module: Stacked | Cell, state: Mapping[str, Any]) -> None:
    """Set the parameters of a module to those of the PyTorch module that it corresponds to.

    PyTorch has two biases where numrnn has one: their sum is what counts, but for the candidate of a GRU.

    Parameters
    ----------
    module : StackedLSTM, StackedGRU, StackedRNN, PlainLSTM, GRUResetAfter or RNN
        Where they go.
    state : dict of str to array
        `{name: tensor.numpy() for name, tensor in torch_module.state_dict().items()}`.

    Raises
    ------
    TypeError
        If there is nothing in PyTorch that the module corresponds to.
    ValueError
        If a name is missing or too many, or a shape differs. No parameter has changed then.

    Examples
    --------
    >>> import numrnn as nr
    >>> from numrnn.interop.torch import load_torch_state, torch_state
    >>> source, target = nr.StackedGRU(4, 6, num_layers=2), nr.StackedGRU(4, 6, num_layers=2)
    >>> load_torch_state(target, torch_state(source))
    >>> bool((target.cells[1].gates_weight_h == source.cells[1].gates_weight_h).all())
    True
    """
    expected = {name: array.shape for name, array in torch_state(module).items()}
    found = {name: np.shape(array) for name, array in state.items()}
    if expected != found:
        wrong = [name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)]
        got, expects = ({name: shapes.get(name) for name in sorted(wrong)} for shapes in (found, expected))
        raise ValueError(complaint(module, f"the shapes {got}", f"{expects}"))
    for cell, suffix in _cells(module):
        for name, array in _from_torch(cell, {name: np.asarray(state[name + suffix]) for name in _names(cell)}).items():
            setattr(cell, name, array)


def torch_state(module: Stacked | Cell) -> dict[str, Array]:
    """Return the parameters of a module, copied, as the PyTorch module that it corresponds to names them.

    Parameters
    ----------
    module : StackedLSTM, StackedGRU, StackedRNN, PlainLSTM, GRUResetAfter or RNN
        Where they come from.

    Returns
    -------
    dict of str to array
        For `torch_module.load_state_dict({name: torch.tensor(array) for name, array in state.items()})`. Where PyTorch
        has two biases for one, the second is zero.

    Raises
    ------
    TypeError
        If there is nothing in PyTorch that the module corresponds to.

    Examples
    --------
    >>> import numrnn as nr
    >>> from numrnn.interop.torch import torch_state
    >>> list(torch_state(nr.StackedLSTM(4, 6, proj_size=3)))
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0', 'weight_hr_l0']
    """
    return {name + suffix: array for cell, suffix in _cells(module) for name, array in _to_torch(cell).items()}


def _cells(module: Any) -> Iterator[tuple[Cell, str]]:
    """Yield the cells of a module, and what is appended to the names of their parameters."""
    if isinstance(module, Stacked):
        for k, cell in enumerate(module.cells):
            layer, is_reverse = divmod(k, 2) if module.bidirectional else (k, 0)
            yield cell, f"_l{layer}" + "_reverse" * is_reverse
    elif type(module) in (RNN, GRUResetAfter, PlainLSTM):
        yield module, ""
    else:
        expects = "StackedLSTM, StackedGRU, StackedRNN, PlainLSTM, GRUResetAfter or RNN"
        raise TypeError(complaint("torch_state", describe(module), expects))


def _names(cell: Cell) -> list[str]:
    biases = ["bias_ih", "bias_hh"] if cell.bias else []
    return ["weight_ih", "weight_hh", *biases, *(["weight_hr"] if "projection_weight" in cell._parameters else [])]


def _to_torch(cell: Cell) -> dict[str, Array]:
    """Return a cell's parameters by PyTorch's names."""
    p, width = cell._parameters, cell.hidden_size
    if isinstance(cell, GRUResetAfter):
        arrays = [np.concatenate([p[f"gates_weight_{s}"], p[f"candidate_{s}_weight_{s}"]]) for s in "xh"]
        if cell.bias:
            no_bias = np.zeros(2 * width, cell.dtype)
            arrays += [np.concatenate([p["gates_bias"], p["candidate_x_bias"]])]
            arrays += [np.concatenate([no_bias, p["candidate_h_bias"]])]
    else:
        name = "hidden" if isinstance(cell, RNN) else "gates"
        arrays = [p[f"{name}_weight_x"].copy(), p[f"{name}_weight_h"].copy()]
        if cell.bias:
            arrays += [p[f"{name}_bias"].copy(), np.zeros_like(p[f"{name}_bias"])]
        if "projection_weight" in p:
            arrays.append(p["projection_weight"].copy())
    return dict(zip(_names(cell), arrays, strict=True))


def _from_torch(cell: Cell, state: dict[str, Array]) -> dict[str, Array]:
    """Return a cell's parameters from those by PyTorch's names."""
    arrays = {"weight_x": state["weight_ih"], "weight_h": state["weight_hh"]}
    if isinstance(cell, GRUResetAfter):
        split = 2 * cell.hidden_size
        found = {f"gates_{name}": array[:split] for name, array in arrays.items()}
        found |= {f"candidate_{name[-1]}_{name}": array[split:] for name, array in arrays.items()}
        if cell.bias:
            found["gates_bias"] = (state["bias_ih"] + state["bias_hh"])[:split]
            found |= {f"candidate_{s}_bias": state[f"bias_{i}h"][split:] for s, i in (("x", "i"), ("h", "h"))}
        return found
    if cell.bias:
        arrays["bias"] = state["bias_ih"] + state["bias_hh"]
    name = "hidden" if isinstance(cell, RNN) else "gates"
    found = {f"{name}_{key}": array for key, array in arrays.items()}
    return found | ({"projection_weight": state["weight_hr"]} if "weight_hr" in state else {})
