"""Recurrence: any module that turns an input and its own last output into the next output."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.containers import ParallelTable, Sequential
from numrnn.errors import complaint, describe
from numrnn.graph import Graph, Input
from numrnn.kernels.cpu import masking
from numrnn.kernels.cpu.loop import with_batch
from numrnn.layers import (
    Add,
    BatchNormalization,
    CAddTable,
    CMulTable,
    Linear,
    LinearNoBias,
    LookupTableMaskZero,
    Narrow,
    SelectTable,
    Sigmoid,
    Tanh,
)
from numrnn.layers.arrays import is_size
from numrnn.module import Module
from numrnn.recurrent.composite import (
    CompositeRecurrent,
    flat_rows,
    only_rows,
    rows_like,
    without_padding,
)
from numrnn.recurrent.lowering import Lowered
from numrnn.table import add_tables, is_table, leaves, length_of, map_table, step_of


class Recurrence(CompositeRecurrent):
    r"""A module fed with its own last output: :math:`h_t = step([x_t, h_{t-1}])`, with zeros before the first step.

    Parameters
    ----------
    step : Module
        The module, of a table of the input and the last output.
    output_size : int, list of int, or list of lists
        Size of a row of the output; its sizes, if it has several axes; or a table of such, if the output is one.
    n_input_dim : int
        Number of axes of a row of the (first) input: 1 for features, 0 for an index. It tells a batch from a sample.
    rho : int
        How many steps, besides the newest, are remembered for `backward`.

    Notes
    -----
    Under a `Sequencer`, the step module runs as a fused loop if it has equations: linear maps, arithmetic, functions of
    elements, and containers and graphs of those, with anything at all that reads the input only. Others are stepped.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> both = nr.ParallelTable(nr.Linear(4, 6), nr.Linear(6, 6))
    >>> rnn = nr.Recurrence(nr.Sequential(both, nr.CAddTable(), nr.Tanh()), 6, 1)
    >>> rnn(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    progress = (*CompositeRecurrent.progress, "_sequence")

    def __init__(self, step: Module, output_size: Any, n_input_dim: int, rho: int = 9999) -> None:
        super().__init__(rho)
        self.add_child("step", step)
        self.output_size, self.n_input_dim = _checked_size(type(self).__name__, output_size), int(n_input_dim)

    def _clear(self) -> None:
        super()._clear()
        self._sequence: dict[str, Any] = {}  # of the last sequence that ran as a fused loop, for its way back

    # ---- the state: a list of arrays, even of one ----------------------------------------------------------------

    @property
    def row_axes(self) -> int:  # type: ignore[override]
        """Number of axes of a row's input."""
        return self.n_input_dim

    @property
    def _is_single(self) -> bool:
        return isinstance(self.output_size, tuple)

    def initial_state(self, input: Any) -> list[Any]:
        """Return zeros for an input of this batch size."""
        first = leaves(input)[0]
        batch = first.shape[: first.ndim - self.n_input_dim]
        starts = iter(self._learned_starts())

        def state(size: tuple[int, ...]) -> np.ndarray:
            start = next(starts, self.dtype.type(0))
            return np.array(np.broadcast_to(start, (*batch, *size)))

        first = _map_sizes(state, self.output_size)
        return [first] if self._is_single else first

    def learn_start_state(self) -> Recurrence:
        """Make the start state a parameter, `start_K` for its K-th array, and those in the step module; return this."""
        rows = leaves(_map_sizes(np.empty, self.output_size))
        self._add_start_parameters({str(k): row.shape for k, row in enumerate(rows)})
        super().learn_start_state()
        return self

    def reset(self, rng: Any = None) -> None:
        """Put the start states that are learned back to zero; nothing is drawn. The step module is left alone."""
        for start in self._learned_starts():
            start.fill(0)

    def _check_state(self, given: list[Any]) -> None:
        super()._check_state(given)
        self._check_sizes(given, [self.output_size] if self._is_single else self.output_size)

    def _check_sizes(self, given: Any, size: Any) -> None:
        if given is None:
            return
        if isinstance(size, tuple):
            if is_table(given) or given.shape[max(given.ndim - len(size), 0) :] != size or given.ndim > len(size) + 1:
                expects = f"an array (batch, ...) with rows of shape {size}"
                raise ValueError(complaint(self, f"{describe(given)} as a hidden state", expects))
        elif not is_table(given) or len(given) != len(size):
            raise ValueError(complaint(self, f"{describe(given)} as a hidden state", f"a table of {len(size)}"))
        else:
            for pair in zip(given, size, strict=True):
                self._check_sizes(*pair)

    def check_input(self, input: Any) -> None:
        """Raise an error if a step's input does not fit."""
        super().check_input(input)
        first = leaves(input)[0] if leaves(input) else None
        if first is None or first.ndim - self.n_input_dim not in (0, 1):
            expects = f"an input of {self.n_input_dim} axes, or of one more for a batch"
            raise ValueError(complaint(self, describe(input), expects))

    def _state_as_input(self) -> Any:
        batch = leaves(self._state)[0].shape[: leaves(self._state)[0].ndim - len(_first_size(self.output_size))]
        return np.zeros((*batch, *(1,) * self.n_input_dim))

    def _batch_size(self) -> int:
        return len(leaves(self._state)[0])

    def _fed(self, state: list[Any]) -> Any:
        return state[0] if self._is_single else state

    def output_of(self, state: list[Any]) -> Any:
        """Return what is given out of a new state."""
        return map_table(np.array, self._fed(state))

    def gradient_of(self, state: list[Any], grad_output: Any) -> list[Any]:
        """Return the gradient of the new state, given that of what was given out."""
        return [grad_output] if self._is_single else list(grad_output)

    # ---- steps ---------------------------------------------------------------------------------------------------

    def forward_step(self, input: Any, state: Any) -> tuple[Any, list[Any], Any]:
        """Return (output, state, record) of one step."""
        flags = self._flags_of(input)
        if flags is not None:
            if self._state is not None and (flags & masking.RESET).any():
                self._begin_anew(np.flatnonzero(flags & masking.RESET), self._first_state(input))
                state = self._state
            input = without_padding(input, flags & masking.PADDING)
        new = self._children["step"].forward([input, self._fed(state)])
        new = map_table(np.array, [new] if self._is_single else new)
        if flags is not None:
            new = map_table(lambda array, old: _held(array, old, flags), new, state)
        record = {"input": input, "state": state, "flags": flags, "memory": self._children_memory()}
        return self.output_of(new), new, record | {"after": new, "in_sequence": False}

    def _flags_of(self, input: Any) -> Any:
        first = leaves(input)[0]
        rows = first.reshape(1, *first.shape[:1], -1) if first.ndim > self.n_input_dim else first.reshape(1, 1, -1)
        flags = self.flags_for(rows, 1)
        return None if flags is None else flags[0]

    def backward_step(self, record: Any, input: Any, grad_output: Any, grad_state: Any) -> tuple[Any, list[Any]]:
        """Return the gradients of the input and of the state before one step."""
        self._check_stepped(record)
        self._restore_children_memory(record["memory"])
        total = add_tables(self.gradient_of(record["after"], grad_output), grad_state)
        flags, held = record["flags"], None
        if flags is not None:
            held = map_table(lambda g: only_rows(g, flags & masking.HOLD), total)
            total = map_table(lambda g: only_rows(g, (flags & masking.PADDING) == 0), total)
        fed = [record["input"], self._fed(record["state"])]
        grad_input, grad_fed = self._children["step"].update_grad_input(fed, self._fed(total))
        record["total"], record["memory"] = self._fed(total), self._children_memory()
        return grad_input, add_tables([grad_fed] if self._is_single else grad_fed, held)

    def accumulate_step(self, record: Any, input: Any, scale: float) -> None:
        """Let the module add its parameters' gradients of one step."""
        self._restore_children_memory(record["memory"])
        fed = [record["input"], self._fed(record["state"])]
        self._children["step"].acc_grad_parameters(fed, record["total"], scale)
        self._accumulate_starts(self.step - self._accumulated - 1, scale)

    def _forget_own_rows(self, rows: Any) -> None:
        self._begin_anew(self._checked_rows(rows), self._first_state(self._state_as_input()))

    # ---- whole sequences -----------------------------------------------------------------------------------------

    def equations_of_step(self, recorder: Any, input: Any, states: list[Any]) -> list[Any]:
        """Run the step module on symbols."""
        symbols = iter(states)
        new = recorder.run(self._children["step"], [input, _map_sizes(lambda size: next(symbols), self.output_size)])
        if self._is_single:
            return [new]
        return [symbol for _, symbol in _pairs(recorder, self.output_size, new)]

    def _state_widths(self) -> tuple[int, ...] | None:
        """Return the features of each state, if that is all that they have."""
        sizes = [size for size, _ in _pairs(None, self.output_size, None)]
        return tuple(size[0] for size in sizes) if all(len(size) == 1 for size in sizes) else None

    @property
    def over_time(self) -> str:
        """How a sequence is run."""
        known = [program for program in self._programs.values() if program is not None]
        widths = self._state_widths()
        if not known and widths is not None:
            planned = _planned_input(self._children["step"])
            known = [self._program(planned, 2, widths, lambda module: _output_width(module, widths[0]))]
        if not known or known[-1] is None:
            return "step by step"
        return "one fused loop" if known[-1].source is None else "input all steps at once, then one fused loop"

    def forward_sequence(self, input: Any) -> Any:
        """Run all steps: as a fused loop if the step module has equations."""
        widths = self._state_widths()
        if widths is None or self._flags is not None or self._zeros_are_padding:
            return super().forward_sequence(input)
        first = step_of(input, 0)
        self.check_input(first)
        mapped: dict[Any, Any] = {}

        def map_input(module: Module) -> int | None:
            if module not in mapped:
                mapped[module] = module.forward_sequence(input)
            given = mapped[module]
            is_sequence = not is_table(given) and given.ndim == 3 - (first.ndim == self.n_input_dim)
            return given.shape[-1] if is_sequence else None

        lowered = self._lowered(first, widths, map_input)
        x = input if lowered is None or lowered.source is None else mapped[lowered.source]
        if lowered is None or x.dtype != self.dtype:
            for module in mapped:
                module.forget()
            return super().forward_sequence(input)
        return self._run_fused(lowered, input, x)

    def _run_fused(self, lowered: Lowered, input: Any, x: Any) -> Any:
        """Run the loop that reads `x`."""
        self._note_beginning()
        state = self._state if self._state is not None else self._first_state(step_of(input, 0))
        self._shapes = [array.shape for array in leaves(state)]
        outputs, tape = lowered.forward(with_batch(x), [flat_rows(array) for array in leaves(state)], self.is_training)
        length = len(x)
        records = [{}] * length
        if tape is not None:
            steps = [[array[t + 1] for array in tape.states] for t in range(length)]
            records = [{"after": self._as_state(step), "in_sequence": True} for step in steps]
        after = self._as_state([np.array(output[-1]) for output in outputs])
        self._input_shapes = [leaf.shape[1:] for leaf in leaves(input)]
        self._advance(records, after)
        self._sequence = {"x": x, "lowered": lowered, "tape": tape}
        return self.output_of(self._as_state(outputs, length))

    def _as_state(self, arrays: list[Any], *time: int) -> list[Any]:
        """Return arrays `([time,] batch, features)` in the structure and shapes of the state."""
        shaped = iter([array.reshape(*time, *shape) for array, shape in zip(arrays, self._shapes, strict=True)])
        state = _map_sizes(lambda size: next(shaped), self.output_size)
        return [state] if self._is_single else state

    def sequence_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Go back through a sequence."""
        if not self._is_whole(length_of(input)):
            return super().sequence_grad_input(input, grad_output)
        x, lowered, tape = (self._sequence[name] for name in ("x", "lowered", "tape"))
        states = self._as_state([array[1:] for array in tape.states], len(x))
        outside = [with_batch(gradient) for gradient in leaves(self.gradient_of(states, grad_output))]
        arriving = self._arriving_gradient()
        last = [None] * len(outside) if arriving is None else [flat_rows(gradient) for gradient in leaves(arriving)]
        grad_x, before = lowered.backward(tape, with_batch(x), outside, last)
        self._went_back(len(x), self._as_state(before))
        self._sequence["grads"] = grads = grad_x.reshape(x.shape)
        if lowered.source is None:
            return grads
        grad_input = lowered.source.sequence_grad_input(input, grads)
        self._sequence["memory"] = lowered.source._take_memory()
        return grad_input

    def sequence_acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Let the modules add their parameters' gradients of all steps."""
        if not self._records[-1]["in_sequence"]:
            super().sequence_acc_grad_parameters(input, grad_output, scale)
            return
        lowered = self._sequence["lowered"]
        lowered.accumulate(self._sequence["tape"], with_batch(self._sequence["x"]), scale)
        if lowered.source is not None:
            lowered.source._restore_memory(self._sequence["memory"])
            lowered.source.sequence_acc_grad_parameters(input, self._sequence["grads"], scale)
        self._accumulate_starts(self.step - self._accumulated - length_of(input), scale)
        self._accumulated += length_of(input)

    def describe_arguments(self) -> str:
        """Return the step module and the sizes."""
        sizes = _map_sizes(list, self.output_size)
        return f"{self._children['step']!r}, {sizes}, {self.n_input_dim}"


def _checked_size(owner: str, size: Any) -> Any:
    """Return the size of a row as a tuple, or a list of such."""
    if is_size(size):
        return (int(size),)
    if isinstance(size, list | tuple) and size and all(map(is_size, size)):
        return tuple(map(int, size))
    if isinstance(size, list | tuple) and size:
        return [_checked_size(owner, element) for element in size]
    raise ValueError(complaint(owner, f"output_size={size!r}", "a size of at least 1, a list of sizes, or a table"))


def _map_sizes(function: Any, size: Any) -> Any:
    return function(size) if isinstance(size, tuple) else [_map_sizes(function, element) for element in size]


def _pairs(recorder: Any, size: Any, value: Any) -> list[tuple[tuple[int, ...], Any]]:
    """Return each size of a row of the output with what is there in a table of symbols; with None without one."""
    if isinstance(size, tuple):
        return [(size, value)]
    values = [None] * len(size) if recorder is None else recorder.table(value, len(size))
    return [pair for inner in zip(size, values, strict=True) for pair in _pairs(recorder, *inner)]


def _planned_input(step: Module) -> int | None:
    """Return the features of the input that the first module of a step expects, if it says so."""
    return next((part.input_size for part in step.modules() if isinstance(part, Linear)), None)


def _output_width(module: Module, otherwise: int) -> int:
    """Return how many features a module makes, if its last part says so."""
    sizes = [
        getattr(part, name) for part in module.modules() for name in ("output_size", "n_output") if hasattr(part, name)
    ]
    return next((size for size in reversed(sizes) if isinstance(size, int)), otherwise)


def _first_size(size: Any) -> tuple[int, ...]:
    return size if isinstance(size, tuple) else _first_size(size[0])


def _held(array: Any, old: Any, flags: Any) -> Any:
    """Return a new state in which rows of padding are zero, or what they were."""
    padded = np.where(rows_like(flags & masking.HOLD, array) != 0, old, array.dtype.type(0))
    return np.where(rows_like(flags & masking.PADDING, array) != 0, padded, array)


class LookupRNN(Recurrence):
    r"""Plain recurrent network of words, :math:`h_t = f(merge(W_{x_t}, W h_{t-1} + b))`; word 0 is padding.

    Parameters
    ----------
    n_index : int
        Number of words, which count from 1.
    hidden_size : int
        Number of features H.
    transfer : Module, optional
        The function f; by default `Sigmoid()`.
    merge : Module, optional
        Joins the table of both; by default `CAddTable()`.
    rho : int
        How many steps, besides the newest, are remembered for `backward`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.LookupRNN(10, 6)(np.array([1, 10, 0])).shape
    (3, 6)
    """

    def __init__(
        self,
        n_index: int,
        hidden_size: int,
        transfer: Module | None = None,
        merge: Module | None = None,
        rho: int = 9999,
    ) -> None:
        both = ParallelTable(LookupTableMaskZero(n_index, hidden_size), Linear(hidden_size, hidden_size))
        merge, transfer = merge or CAddTable(), transfer or Sigmoid()
        super().__init__(Sequential(both, merge, transfer), hidden_size, 0, rho)


class BatchNormalizedLSTM(Recurrence):
    r"""`FastLSTM` with recurrent batch normalisation (the original's `FastLSTM.bn`).

    .. math::
        (i, z, f, o) &= BN(W_x x_t + b_x) + BN(W_h h_{t-1}) + b \\
        c_t &= \sigma(f) c_{t-1} + \sigma(i) \tanh(z) \\
        h_t &= \sigma(o) \tanh(BN(c_t))

    Each step is normalised over its own batch in training mode; all steps share the running averages, which serve in
    evaluate mode. It is stepped, since the rows of a batch depend on each other.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    rho : int
        How many steps, besides the newest, are remembered for `backward`.
    eps, momentum, affine
        See `BatchNormalization`. Its weights start at 0.1.

    References
    ----------
    Cooijmans et al. (2016), Recurrent batch normalization, equations 6 to 8.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.BatchNormalizedLSTM(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        rho: int = 9999,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
    ) -> None:
        size = hidden_size

        def normalized(width: int) -> BatchNormalization:
            layer = BatchNormalization(width, eps, momentum, affine)
            if affine:
                layer.weight = np.full(width, 0.1)
            return layer

        x, state = Input("x"), Input("state")
        h, c = SelectTable(0)(state), SelectTable(1)(state)
        mapped = normalized(4 * size)(Linear(input_size, 4 * size)(x))
        fed = normalized(4 * size)(LinearNoBias(size, 4 * size)(h))
        gates = Add(4 * size)(CAddTable()([mapped, fed]))
        i, z, f, o = ((Tanh() if k == 1 else Sigmoid())(Narrow(-1, k * size, size)(gates)) for k in range(4))
        c = CAddTable()([CMulTable()([f, c]), CMulTable()([i, z])])
        h = CMulTable()([o, Tanh()(normalized(size)(c))])
        super().__init__(Graph([x, state], [h, c]), [[size], [size]], 1, rho)
        self.input_size, self.hidden_size = int(input_size), int(hidden_size)

    def output_of(self, state: list[Any]) -> Any:
        """Return h."""
        return np.array(state[0])

    def gradient_of(self, state: list[Any], grad_output: Any) -> list[Any]:
        """Return the gradient of h and c."""
        return [grad_output, np.zeros_like(state[1])]

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return f"{self.input_size} -> {self.hidden_size}"
