"""Cell: a recurrent module given by its equations."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from numrnn.equations.derive import Program
from numrnn.equations.symbols import Trace, Value
from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.loop import CellLoop, Stepper, Tape, Weights
from numrnn.kernels.cpu.memory import empty
from numrnn.random import generator
from numrnn.recurrent.abstract_recurrent import AbstractRecurrent
from numrnn.table import Array, is_table

EVALUATE_STEPS = 64
"""Steps of a sequence that are computed at once in evaluate mode: this bounds the memory of a long one."""


class Cell(AbstractRecurrent):
    """A recurrent module given by its equations, compiled to a fused loop, forward and backward.

    A subclass names its states and writes `equations`, which gets symbols and returns the new states; the first is
    the output.

    Parameters
    ----------
    input_size : int
        Number of input features D.
    hidden_size : int, optional
        Number of hidden features H; as many as the input has, if not given.
    rho : int
        How many steps, besides the newest, are remembered for `backward`.
    rng : numpy.random.Generator or int, optional
        Where the initial weights come from; by default the library's seed.

    Notes
    -----
    Inputs are `(batch, D)` or `(D,)` a step, `(time, batch, D)` or `(time, D)` a sequence. Weights and biases start
    uniformly between plus and minus one over the square root of the number of the map's inputs.

    Raises
    ------
    ValueError
        If a size is not a positive whole number, or the equations do not fit together.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> from numrnn.equations import linear, sigmoid, tanh
    >>> class MGU(nr.Cell):
    ...     states = ("h",)
    ...     def equations(self, x, h):
    ...         f = sigmoid(linear("forget", x, h))
    ...         n = tanh(linear("candidate", x, f * h))
    ...         return (1 - f) * h + f * n
    >>> MGU(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    progress = (*AbstractRecurrent.progress, "_batch_shape")
    states: tuple[str, ...] = ("h",)
    state_sizes: ClassVar[dict[str, str]] = {}
    """Name of the size of each state that does not have "hidden" channels."""

    def __init__(self, input_size: int, hidden_size: int | None = None, rho: int = 9999, rng: Any = None) -> None:
        super().__init__(rho)
        self.input_size = self._checked_size("input_size", input_size)
        self.hidden_size = self._checked_size("hidden_size", input_size if hidden_size is None else hidden_size)
        self._batch_shape: tuple[int, ...] = ()
        self._packed: dict[tuple[Any, bool], Weights] = {}  # by element type and direction (whether backward)
        self._stepper: Stepper | None = None  # for the next step in evaluate mode, if it is like the last one
        for name, shape in self.program().trace.parameters:
            self.add_parameter(name, np.zeros(shape, "float32"))
        self.reset(rng)

    def equations(self, x: Value, *states: Value) -> Value | tuple[Value, ...]:
        """Return the new states from the input and the old states; subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} has no equations")

    def sizes(self) -> dict[str, int]:
        """Return the numbers of channels that the equations may speak of, by name. Subclasses may add some."""
        return {"input": self.input_size, "hidden": self.hidden_size}

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights."""
        draw = generator(rng)
        bound = 1.0
        for name, parameter in self._parameters.items():
            if not name.endswith("_bias"):  # a bias follows the weight whose range it shares
                bound = parameter.shape[-1] ** -0.5
            parameter[...] = draw.uniform(-bound, bound, parameter.shape)
        self.parameters_changed()

    def _checked_size(self, name: str, size: int) -> int:
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(complaint(type(self).__name__, f"{name} = {size!r}", "a whole number >= 1"))
        return int(size)

    # ---- equations to kernels ------------------------------------------------------------------------------------

    def program(self) -> Program:
        """Return the equations, taken apart into phases, blocks and gradients."""
        if "_program" not in self.__dict__:
            trace = Trace(self.sizes())
            x = trace.value("input", "x", size="input")
            states = [trace.value("state", name, size=self.state_sizes.get(name, "hidden")) for name in self.states]
            result = self.equations(x, *states)
            outputs = list(result) if isinstance(result, tuple | list) else [result]
            if len(outputs) != len(states) or not all(isinstance(value, Value) for value in outputs):
                got = f"equations that return {len(outputs)} value(s)"
                raise ValueError(complaint(type(self).__name__, got, f"a symbol for each of the states {self.states}"))
            for state, value in zip(states, outputs, strict=True):
                if value.size is None or trace.sizes[value.size] != trace.sizes[state.size or ""]:
                    got = f"a new {state.name} of {value.size and trace.sizes[value.size]} channels"
                    raise ValueError(complaint(type(self).__name__, got, f"{trace.sizes[state.size or '']} of them"))
            self._program = Program(trace, x, states, outputs)
        return self._program

    def _loop(self) -> CellLoop:
        loops, dtype = self.__dict__.setdefault("_loops", {}), self.dtype
        if dtype not in loops:
            loops[dtype] = CellLoop(self.program(), type(self).__name__, dtype)
        return loops[dtype]

    def source(self) -> str:
        """Return the text of the derived kernels, forward and backward.

        Examples
        --------
        >>> import numrnn as nr
        >>> "def forward(" in nr.GRU(4, 6).source()
        True
        """
        from numrnn.kernels.cpu.compile import program_text

        return program_text(self.program(), type(self).__name__, self.dtype.name)

    def parameters_changed(self) -> None:
        """Drop the packed weights."""
        self._packed, self._stepper = {}, None
        super().parameters_changed()

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name not in ("_program", "_loops")}
        return state | {"_packed": {}, "_stepper": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def over_time(self) -> str:
        """How a sequence is run."""
        return "one fused loop"

    # ---- steps ---------------------------------------------------------------------------------------------------

    def check_input(self, input: Any) -> None:
        """Raise an error if a step's input does not fit."""
        self._check(input, (1, 2), f"one step: shape (batch, {self.input_size}) or ({self.input_size},)")

    def _check(self, input: Any, dimensions: tuple[int, int], expects: str) -> None:
        if not isinstance(input, np.ndarray):
            raise TypeError(complaint(self, describe(input), f"an array: {expects}"))
        if input.dtype != self.dtype:
            hint = f"Use x.astype({self.dtype.name!r}) or module.astype({input.dtype.name!r})"
            raise TypeError(complaint(self, describe(input), f"{self.dtype.name}: {expects}", hint))
        if input.ndim not in dimensions or input.shape[-1] != self.input_size:
            raise ValueError(complaint(self, describe(input), expects))
        batch_shape = input.shape[dimensions[0] - 1 : -1]
        if self._state is not None and batch_shape != self._batch_shape:
            got = f"a batch of shape {batch_shape} in the middle of a sequence"
            expects = f"{self._batch_shape}, as in the steps before"
            raise ValueError(complaint(self, got, expects, "forget() starts a new sequence, of any batch size"))

    def forward(self, input: Array) -> Array:
        """Make one step; see `Module.forward`."""
        stepper, state = self._stepper, self._state
        if (
            stepper is None
            or state is None
            or self.is_training
            or type(input) is not np.ndarray
            or input.dtype is not self._stepper_input[0]
            or input.shape != self._stepper_input[1]
            or not (flags := input.flags).c_contiguous
            or not flags.writeable
        ):
            return super().forward(input)
        own = self.__dict__
        if self._batch_shape:
            output, own["_state"] = stepper(input, state)
        else:
            output, own["_state"] = stepper(input[np.newaxis], state)
            output = output[0]
        own["step"] += 1
        return output

    def initial_state(self, input: Array) -> list[Array]:
        """Return zeros for an input `(batch, features)`."""
        sizes = self.sizes()
        return [np.zeros((len(input), sizes[self.state_sizes.get(s, "hidden")]), self.dtype) for s in self.states]

    def update_output(self, input: Array) -> Array:
        """Make one step."""
        return self._run(input[np.newaxis])[0]

    def forward_sequence(self, input: Array) -> Array:
        """Return the outputs of all steps, `(time, batch, H)`, from one fused loop."""
        self._check(input, (2, 3), f"a sequence: shape (time, batch, {self.input_size}) or (time, {self.input_size})")
        if len(input) == 0:
            raise ValueError(complaint(self, describe(input), "at least one step"))
        return self._run(input)

    def _run(self, input: Array) -> Array:
        """Run all steps of `(time, [batch,] D)` and return the outputs."""
        x = _batched(input)
        state = self._state if self._state is not None else self._first_state(x[0])
        self._batch_shape = input.shape[1:-1]
        chunk = len(x) if self.is_training else EVALUATE_STEPS
        output = empty((*x.shape[:2], state[0].shape[-1]), self.dtype)
        is_continued = not self.is_training and self.step > 1 and len(x) == 1
        weights = self._packed_weights(again=not is_continued)
        for first in range(0, len(x), chunk):
            last = first + chunk
            tape = self._loop().forward(weights, x[first:last], state, output[first:last])
            state = [array[-1] for array in tape.states]
        self._advance([(tape, t) for t in range(len(x))] if self.is_training else [None] * len(x), state)
        if len(x) == 1 and not self.is_training:
            self._stepper, self._stepper_input = Stepper(self._loop(), weights, x.shape[1]), (x.dtype, input.shape[1:])
        return output.reshape(*input.shape[:-1], -1)

    def _packed_weights(self, backward: bool = False, again: bool = False) -> Weights:
        """Return the packed weights, packed again if `again` says so: the parameters may have changed in place."""
        key = self.dtype, backward
        if key not in self._packed:
            self._packed[key], again = Weights(self.program(), self.dtype, backward), True
        if again:
            self._packed[key].update(self._parameters)
        return self._packed[key]

    def backward_step(
        self, record: Any, input: Array, grad_output: Array, grad_state: list[Array] | None
    ) -> tuple[Array, list[Array]]:
        """Go back through one step of a tape."""
        tape, index = record
        if not tape.grad_states or self._gone_back == 0:
            self._loop().start_backward(tape)
        return self._go_back(tape.step(index), input[np.newaxis], grad_output[np.newaxis], grad_state)

    def _go_back(
        self, tape: Tape, input: Array, grad_output: Array, grad_state: list[Array] | None
    ) -> tuple[Array, list[Array]]:
        """Return the gradient of the input and of the state before all steps of a tape."""
        for array, gradient in zip(tape.grad_states, grad_state or [0] * len(self.states), strict=True):
            array[-1] = gradient
        x = _batched(input)
        weights = self._packed_weights(backward=True, again=self._gone_back == 0)
        grad_x = self._loop().backward(weights, tape, x, _batched(grad_output))
        first = [array[0] for array in tape.grad_states]
        return grad_x.reshape(input.shape[1:] if len(tape) == 1 else input.shape), first

    def accumulate_step(self, record: Any, input: Array, scale: float) -> None:
        """Add one step's gradients of the parameters."""
        tape, index = record
        self._loop().accumulate(self._gradients, tape.step(index), _batched(input[np.newaxis]), scale)

    def state_after(self, record: Any) -> list[Array]:
        """Return the state after a remembered step."""
        tape, index = record
        return [array[index + 1] for array in tape.states]

    def _check_state(self, given: list[Any]) -> None:
        super()._check_state(given)
        sizes = self.sizes()
        if len(given) != len(self.states):
            raise ValueError(complaint(self, f"{len(given)} state(s)", f"{len(self.states)}: {', '.join(self.states)}"))
        for name, array in zip(self.states, given, strict=True):
            size = sizes[self.state_sizes.get(name, "hidden")]
            if array is not None and (is_table(array) or array.ndim not in (1, 2) or array.shape[-1] != size):
                got = f"{name} as a {describe(array)}"
                raise ValueError(complaint(self, got, f"an array of shape (batch, {size}) or ({size},)"))

    def _shown(self, state: list[Any] | None) -> Any:
        if state is not None and self._batch_shape == () and self._state is not None:
            state = [array.reshape(array.shape[-1]) for array in state]
        return super()._shown(state)

    def sequence_grad_input(self, input: Array, grad_output: Array) -> Array:
        """Go back through all steps of a sequence in one fused loop, if they were made as one."""
        tape = self._whole_tape(len(input), self._gone_back)
        if tape is None:
            return super().sequence_grad_input(input, grad_output)
        self._loop().start_backward(tape)
        grad_input, grad_state = self._go_back(tape, input, grad_output, self._arriving_gradient())
        self._went_back(len(input), grad_state)
        return grad_input.reshape(input.shape)

    def sequence_acc_grad_parameters(self, input: Array, grad_output: Array, scale: float = 1.0) -> None:
        """Add the gradients of the parameters of all steps."""
        tape = self._whole_tape(len(input), self._accumulated)
        if tape is None:
            super().sequence_acc_grad_parameters(input, grad_output, scale)
            return
        self._loop().accumulate(self._gradients, tape, _batched(input), scale)
        self._accumulated += len(input)

    def _whole_tape(self, steps: int, done: int) -> Tape | None:
        """Return the tape that the next `steps` steps to go back through make up, if they do."""
        last = len(self._records) - 1 - done
        tape, index = self._records[last]
        is_whole = index == steps - 1 and len(tape) == steps and last - index >= 0
        return tape if is_whole else None

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return f"{self.input_size} -> {self.hidden_size}"


def _batched(sequence: Array) -> Array:
    """Return `(time, [batch,] features)` with a batch axis, contiguous and writeable: what kernels take."""
    array = sequence if sequence.ndim == 3 else sequence[:, np.newaxis]
    flags = array.flags
    return array if flags.c_contiguous and flags.writeable else np.array(array, order="C")
