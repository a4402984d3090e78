"""Cell: a recurrent module given by its equations."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from numrnn.equations.derive import Program
from numrnn.equations.symbols import ROW, Trace, Value
from numrnn.errors import complaint, describe
from numrnn.kernels.cpu import masking
from numrnn.kernels.cpu.loop import CellLoop, Runner, Stepper, Tape, Weights, with_batch
from numrnn.kernels.cpu.memory import empty
from numrnn.random import generator
from numrnn.recurrent.abstract_recurrent import AbstractRecurrent
from numrnn.table import Array, is_table


@dataclass(frozen=True)
class Joint:
    """A parameter that holds several of the equations' parameters side by side.

    Attributes
    ----------
    blocks : tuple of tuple of str
        Names of the equations' parameters, as the blocks of a matrix; those of vectors are one row.
    is_transposed : bool
        Whether the parameter is the transpose of that.
    """

    blocks: tuple[tuple[str, ...], ...]
    is_transposed: bool = False

    @property
    def parts(self) -> list[str]:
        """Names of the equations' parameters in it."""
        return [name for row in self.blocks for name in row]

    def shape(self, shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
        """Return the parameter's shape, given those of the parts."""
        if len(self.parts) == 1 and not self.is_transposed:
            return shapes[self.parts[0]]
        width = sum(shapes[name][-1] for name in self.blocks[0])
        height = [sum(shapes[row[0]][0] for row in self.blocks)] if len(shapes[self.blocks[0][0]]) > 1 else []
        return (*height, width)[:: -1 if self.is_transposed else 1]

    def taken_apart(self, array: Array, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
        """Return the parts, contiguous; if there is more than one, or it is a transpose, they are copies."""
        if len(self.parts) == 1 and not self.is_transposed:
            return {self.parts[0]: array}
        rest = array.T if self.is_transposed else array
        parts = {}
        for row in self.blocks:
            ends = np.cumsum([shapes[name][-1] for name in row])
            top = rest[: shapes[row[0]][0]] if rest.ndim > 1 else rest
            pieces = np.split(top, ends[:-1], axis=-1)
            parts |= {name: np.array(piece, order="C") for name, piece in zip(row, pieces, strict=True)}
            rest = rest[len(top) :]
        return parts

    def put_together(self, parts: dict[str, Array], array: Array) -> None:
        """Write the parts into the parameter."""
        whole = np.concatenate([np.concatenate([parts[name] for name in row], axis=-1) for row in self.blocks])
        array[...] = whole.T if self.is_transposed else whole

    def origin(self, name: str) -> str:
        """Return, in words, what the parts are if the parameter is called `name`."""
        return f" in {name}"


@dataclass(frozen=True)
class Antisymmetric:
    """A square parameter W of which the equations get `W - W^T - damping * I`.

    Attributes
    ----------
    part : str
        Name of the equations' parameter.
    damping : float
        What is taken from the diagonal.
    """

    part: str
    damping: float = 0.0

    @property
    def parts(self) -> list[str]:
        """Names of the equations' parameters that are made of it."""
        return [self.part]

    def shape(self, shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
        """Return the parameter's shape, given that of the part."""
        return shapes[self.part]

    def taken_apart(self, array: Array, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
        """Return the part, a copy."""
        return {self.part: array - array.T - np.eye(len(array), dtype=array.dtype) * array.dtype.type(self.damping)}

    def gradient(self, of_part: Array) -> Array:
        """Return the gradient of the parameter from that of the part."""
        return of_part - of_part.T

    def origin(self, name: str) -> str:
        """Return, in words, what the part is if the parameter is called `name`."""
        return f" = {name} - {name}ᵀ" + (f" - {self.damping!r} I" if self.damping else "")


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
        Where the initial weights, what is dropped, and other noise come from; by default the library's seed.
    p : float
        Probability with which `dropout` in the equations drops a channel.
    mono : bool
        Whether all rows of a batch drop the same channels.

    Attributes
    ----------
    noise : list of array, or None
        What each `dropout` multiplies with, in the order of the equations, `(batch, channels)`. It is drawn at the
        start of a sequence in training mode, and stays until `forget`.

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

    progress = (*AbstractRecurrent.progress, "_batch_shape", "noise")
    states: tuple[str, ...] = ("h",)
    state_sizes: ClassVar[dict[str, str]] = {}
    """Name of the size of each state that does not have "hidden" channels."""
    joint: dict[str, Joint | Antisymmetric] = {}  # noqa: RUF012  (a cell may have one of its own)
    """Parameters of which some of the equations' are made: those that hold several, and antisymmetric ones."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        rho: int = 9999,
        rng: Any = None,
        p: float = 0.0,
        mono: bool = False,
    ) -> None:
        super().__init__(rho)
        if not 0 <= p < 1:
            raise ValueError(complaint(type(self).__name__, f"p = {p!r}", "a probability, 0 <= p < 1"))
        self.p, self.mono = float(p), bool(mono)
        self.input_size = self._checked_size("input_size", input_size)
        self.hidden_size = self._checked_size("hidden_size", input_size if hidden_size is None else hidden_size)
        self._batch_shape: tuple[int, ...] = ()
        self._sums: dict[str, tuple[Any, Any, Any]] = {}  # of gradients, for antisymmetric parameters
        self._packed: dict[tuple[Any, bool], Weights] = {}  # by element type and direction (whether backward)
        self._current: set[tuple[Any, bool]] = set()  # which of them hold the parameters as they are
        self._stepper: Stepper | None = None  # for the next step in evaluate mode, if it is like the last one
        self._runner: Runner | None = None  # for the next short sequence in evaluate mode, likewise
        shapes = dict(self.program().trace.parameters)
        for name, joint in self._layout().items():
            if hasattr(self, name):
                got = f"a parameter {name!r} in the equations"
                raise ValueError(complaint(type(self).__name__, got, "a name that no other attribute has"))
            self.add_parameter(name, np.zeros(joint.shape(shapes), "float32"))
        self.reset(rng)
        if self.p or self.program().trace.noise:
            self.rng = generator(rng)

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
            if name.startswith("start_"):
                continue
            if not name.endswith("_bias"):  # a bias follows the weight whose range it shares
                bound = parameter.shape[-1] ** -0.5
            parameter[...] = draw.uniform(-bound, bound, parameter.shape)
        self.parameters_changed()

    def _checked_size(self, name: str, size: int) -> int:
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(complaint(type(self).__name__, f"{name} = {size!r}", "a whole number >= 1"))
        return int(size)

    # ---- parameters of several ------------------------------------------------------------------------------------

    def _layout(self) -> dict[str, Joint | Antisymmetric]:
        """Return of what each parameter is made, in order: where the equations mention the first part."""
        owners = {part: name for name, joint in self.joint.items() for part in joint.parts}
        layout: dict[str, Joint | Antisymmetric] = {}
        for part, _ in self.program().trace.parameters:
            name = owners.get(part, part)
            layout[name] = self.joint.get(name) or Joint(((part,),))
        return layout

    def _parts(self, arrays: dict[str, Array]) -> dict[str, Array]:
        """Return arrays by the names that the equations use; those of joint parameters are copies."""
        if not self.joint:
            return arrays
        shapes = dict(self.program().trace.parameters)
        parts: dict[str, Array] = {}
        for name, joint in self._layout().items():
            parts |= joint.taken_apart(arrays[name], shapes)
        return parts

    def _gradient_parts(self) -> dict[str, Array]:
        """Return the gradients by the names that the equations use, to be added to; see `_put_back`."""
        parts = self._parts(self._gradients)
        for name, joint in self.joint.items():
            if isinstance(joint, Antisymmetric):
                gradient = self._gradients[name]
                before, sums, shown = self._sums.get(name) or (None, None, None)
                if shown is None or shown.dtype != gradient.dtype or not np.array_equal(shown, gradient):
                    before, sums = gradient.copy(), np.zeros_like(gradient)  # someone else has changed it
                self._sums[name] = before, sums, shown
                parts[joint.part] = sums
        return parts

    def _put_back(self, parts: dict[str, Array]) -> None:
        """Write what `_gradient_parts` gave, and was added to, back to the gradients.

        The gradient of an antisymmetric parameter keeps the sums that it is the difference of: they are in the order
        of the steps, however a sequence is cut into calls.
        """
        for name, joint in self._layout().items() if self.joint else ():
            gradient = self._gradients[name]
            if isinstance(joint, Antisymmetric):
                before, sums, _ = self._sums[name]
                gradient[...] = before + joint.gradient(sums)
                self._sums[name] = before, sums, gradient.copy()
            else:
                joint.put_together(parts, gradient)

    # ---- start states that are learned ---------------------------------------------------------------------------

    def learn_start_state(self) -> Cell:
        """Make the start state a parameter, `start_NAME` for each state, the same for all rows; return the cell.

        It starts at zero. A start state set by `set_hidden_state` takes its place.

        Examples
        --------
        >>> import numrnn as nr
        >>> nr.GRU(4, 6).learn_start_state().start_h.tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        """
        shapes = {name: (width,) for name, width in zip(self.states, self.state_widths(), strict=True)}
        self._add_start_parameters(shapes)
        return self

    # ---- equations to kernels ------------------------------------------------------------------------------------

    def program(self) -> Program:
        """Return the equations, taken apart into phases, blocks and gradients."""
        if "_program" not in self.__dict__:
            trace = Trace(self.sizes())
            x = trace.value("input", "x", size="input")
            states = [trace.value("state", name, size=self.state_sizes.get(name, "hidden")) for name in self.states]
            with trace.recording():
                result = self.equations(x, *states)
            outputs = list(result) if isinstance(result, tuple | list) else [result]
            if len(outputs) != len(states) or not all(isinstance(value, Value) for value in outputs):
                got = f"equations that return {len(outputs)} value(s)"
                raise ValueError(complaint(type(self).__name__, got, f"a symbol for each of the states {self.states}"))
            for state, value in zip(states, outputs, strict=True):
                if value.size in (None, ROW) or trace.sizes[value.size] != trace.sizes[state.size or ""]:
                    got = f"a new {state.name} of {value.size and trace.width(value.size)} channels"
                    raise ValueError(complaint(type(self).__name__, got, f"{trace.sizes[state.size or '']} of them"))
            self._program = Program(trace, x, states, outputs)
        return self._program

    def _loop(self) -> CellLoop:
        loops, dtype = self.__dict__.setdefault("_loops", {}), self.dtype
        if dtype not in loops:
            loops[dtype] = CellLoop(self.program(), self._name_of_kernels, dtype)
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

        return program_text(self.program(), self._name_of_kernels, self.dtype.name)

    @property
    def _name_of_kernels(self) -> str:
        """Name of the class that has the equations: subclasses with the same ones share its compiled kernels."""
        return next(owner.__name__ for owner in type(self).__mro__ if "equations" in vars(owner))

    def explain(self, format: str = "text") -> str:
        r"""Return the derived program as formulas: phases, what is hoisted, stored and computed again, gradients.

        Parameters
        ----------
        format : {"text", "latex"}
            Plain text, or LaTeX for the inside of an `align` environment.

        Raises
        ------
        ValueError
            If there is no such format.

        Notes
        -----
        Names come from the equations: `W_{NAME,x}` and `b_{NAME}` are the parameters of `linear("NAME", x)`,
        `a_{NAME}` its result, `u_{NAME}` the input's share of it; `w_{NAME}` is a peephole. Variables of the equations
        keep their names. The gradient of the loss with respect to a quantity has a d in front, in LaTeX a bar on top.
        The functions and ⊙ work channel by channel. `spread(a, n)` and `sum(a, n)` give n channels, each of `a` several
        times, or sums of those beside each other; a third number is that of groups, as in `spread` of the equations.

        Examples
        --------
        >>> import numrnn as nr
        >>> for part in nr.GRU(4, 6).explain().split("\n\n")[1:4]:
        ...     print(part)
        Forward, before the loop over time, for all steps at once
          u_{gates} = W_{gates,x} x_t + b_{gates}
          u_{candidate} = W_{candidate,x} x_t + b_{candidate}
        Forward, step t, phase 1 of 2
          product  a_{gates} = u_{gates} + W_{gates,h} h_{t-1}
                   (a_r, a_z) = a_{gates}
          block    z = σ(a_z)
                   r = σ(a_r)
                   s_1 = r ⊙ h_{t-1}
        Forward, step t, phase 2 of 2
          product  a_{candidate} = u_{candidate} + W_{candidate,h} s_1
          block    n = tanh(a_{candidate})
                   h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}
        """
        from numrnn.equations.explain import explain

        return explain(self, format)

    def parameters_changed(self) -> None:
        """Let the weights be packed again before they are used."""
        self._current, self._stepper, self._runner = set(), None, None
        super().parameters_changed()

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name not in ("_program", "_loops")}
        return state | {"_packed": {}, "_current": set(), "_stepper": None, "_runner": None}

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

    def _check(self, input: Any, dimensions: tuple[int, int], expects: str, is_anew: bool = False) -> None:
        if not isinstance(input, np.ndarray):
            raise TypeError(complaint(self, describe(input), f"an array: {expects}"))
        if input.dtype != self.dtype:
            hint = f"Use x.astype({self.dtype.name!r}) or module.astype({input.dtype.name!r})"
            raise TypeError(complaint(self, describe(input), f"{self.dtype.name}: {expects}", hint))
        if input.ndim not in dimensions or input.shape[-1] != self.input_size:
            raise ValueError(complaint(self, describe(input), expects))
        batch_shape = input.shape[dimensions[0] - 1 : -1]
        if self._state is not None and not is_anew and batch_shape != self._batch_shape:
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
        """Return zeros for an input `(batch, features)`, or what was learned."""
        shapes = [(len(input), width) for width in self.state_widths()]
        if self.learns_start_state:
            return [np.array(np.broadcast_to(*pair)) for pair in zip(self._learned_starts(), shapes, strict=True)]
        return [np.zeros(shape, self.dtype) for shape in shapes]

    def _clear(self) -> None:
        super()._clear()
        self.__dict__["noise"] = None

    def _masks(self, batch: int) -> tuple[Array, ...]:
        """Return what the equations drop, `(batch, channels)` each; draw it at the start of a sequence."""
        masks, sizes = self.program().trace.masks.values(), self.sizes()
        if not self.is_training or not self.p:
            return tuple(np.ones((batch, sizes[mask.size]), self.dtype) for mask in masks)
        if self.noise is None:
            drawn = [self.rng.random((1 if self.mono else batch, sizes[mask.size])) >= self.p for mask in masks]
            self.noise = [kept * self.dtype.type(1 / (1 - self.p)) for kept in drawn]
        shapes = [(batch, sizes[mask.size]) for mask in masks]
        return tuple(np.array(np.broadcast_to(*pair), self.dtype) for pair in zip(self.noise, shapes, strict=True))

    def _drawn(self, steps: int, batch: int) -> tuple[Array, ...]:
        """Return the noise of some steps, `(time, batch, channels)` each; what it is on average in evaluate mode."""
        sources, sizes = self.program().trace.noise.values(), self.sizes()
        widths = [sizes[value.size] for value in sources]
        if not widths:
            return ()
        if not self.is_training:
            means = zip(sources, widths, strict=True)
            return tuple(np.full((steps, batch, width), value.number, self.dtype) for value, width in means)
        uniform = np.split(self.rng.random((steps, batch, sum(widths))), np.cumsum(widths)[:-1], axis=2)
        return tuple((u < value.number).astype(self.dtype) for u, value in zip(uniform, sources, strict=True))

    def update_output(self, input: Array) -> Array:
        """Make one step."""
        return self._run(input[np.newaxis])[0]

    def forward_sequence(self, input: Array) -> Array:
        """Return the outputs of all steps, `(time, batch, H)`, from one fused loop."""
        self._check_sequence(input)
        return self._run(input)

    def _check_sequence(self, input: Any, is_anew: bool = False) -> None:
        expects = f"a sequence: shape (time, batch, {self.input_size}) or (time, {self.input_size})"
        self._check(input, (2, 3), expects, is_anew)
        if len(input) == 0:
            raise ValueError(complaint(self, describe(input), "at least one step"))

    @property
    def is_plain(self) -> bool:
        """Whether no row is treated apart, and nothing is drawn."""
        trace = self.program().trace
        return self._flags is None and not self._zeros_are_padding and not trace.masks and not trace.noise

    def forward_plain_sequence(self, input: Array, is_anew: bool) -> Array:
        """Do as `forward_sequence` does, or as `forget` and it do, and remember all steps, for a cell that `is_plain`.

        If that fails, nothing has changed.
        """
        self._check_sequence(input, is_anew)
        x = with_batch(input)
        steps, batch, _ = x.shape
        began = is_anew or self._state is None
        is_zero = began and self._start_state is None and not self.learns_start_state
        loop, weights = self._loop(), self._packed_weights(again=True)
        records: list[Any] = [None] * steps
        state = None if is_zero else self._first_state(x[0]) if began else self._state
        if self.is_training or not loop.is_short(steps, batch):
            output = empty((steps, batch, loop.state_widths[0]), self.dtype)
            at_once = steps if self.is_training else loop.steps_at_once(batch)
            for first in range(0, steps, at_once):
                part = slice(first, first + at_once)
                tape = loop.forward(weights, x[part], state, output[part])
                state = [array[-1] for array in tape.states]
            if self.is_training:
                records = [(tape, t) for t in range(steps)]
        else:
            if self._runner is None or self._runner_shape != x.shape:
                self._runner, self._runner_shape = Runner(loop, weights, steps, batch), x.shape
            output, state = self._runner(x, state)
        if is_anew:
            self._clear()
        if began:
            self._began_as_learned = self.learns_start_state and self._start_state is None
        self._batch_shape = input.shape[1:-1]
        self._advance(records, state, remembered=steps)
        return output.reshape(*input.shape[:-1], -1)

    def _run(self, input: Array) -> Array:
        """Run all steps of `(time, [batch,] D)` and return the outputs."""
        x = with_batch(input)
        flags = self.flags_for(x, len(x))
        # the last thing that may be refused
        fresh = self._first_state(x[0]) if self._state is None or flags is not None else None
        self._batch_shape = input.shape[1:-1]
        masks = self._masks(x.shape[1]) if self.program().trace.masks else ()
        output = empty((*x.shape[:2], self.state_widths()[0]), self.dtype)
        is_continued = not self.is_training and self.step > 1 and len(x) == 1
        weights = self._packed_weights(again=not is_continued)
        for part in self._pieces(*x.shape[:2], flags):
            self._note_beginning()
            state = self._state if self._state is not None else fresh
            if flags is not None and self._state is not None and (flags[part.start] & masking.RESET).any():
                self._begin_anew(np.flatnonzero(flags[part.start] & masking.RESET), fresh)
                state = self._state
            steps = part.stop - part.start
            own = {} if flags is None else {"flags": flags[part]}
            noise = self._drawn(steps, x.shape[1])
            tape = self._loop().forward(weights, x[part], state, output[part], masks, noise=noise, **own)
            records = [(tape, t) for t in range(steps)] if self.is_training else [None] * steps
            self._advance(records, [array[-1] for array in tape.states])
        if len(x) == 1 and not self.is_training and self._flags is None and not self._zeros_are_padding:
            self._stepper = Stepper(self._loop(), weights, x.shape[1], (*masks, *noise))
            self._stepper_input = (x.dtype, input.shape[1:])
        return output.reshape(*input.shape[:-1], -1)

    def _pieces(self, steps: int, batch: int, flags: Array | None) -> list[slice]:
        """Return the stretches of steps that are run at once: rows begin anew only at the start of one."""
        starts = {0}
        if flags is not None:
            starts |= {int(t) for t in np.flatnonzero((flags & masking.RESET).any(1))}
        if not self.is_training:
            starts |= set(range(0, steps, self._loop().steps_at_once(batch)))
        return [slice(*pair) for pair in itertools.pairwise([*sorted(starts), steps])]

    def state_widths(self) -> list[int]:
        """Return the number of channels of each state."""
        sizes = self.sizes()
        return [sizes[self.state_sizes.get(name, "hidden")] for name in self.states]

    def _packed_weights(self, backward: bool = False, again: bool = False) -> Weights:
        """Return the packed weights, packed again if `again` says so: the parameters may have changed in place."""
        key = self.dtype, backward
        if key not in self._packed:
            self._packed[key] = Weights(self._loop(), backward)
        if again or key not in self._current:
            self._packed[key].update(self._parts(self._parameters))
            self._current.add(key)
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
        for array, gradient in zip(tape.last_gradients, grad_state or [0] * len(self.states), strict=True):
            array[...] = gradient
        x = with_batch(input)
        weights = self._packed_weights(backward=True, again=self._gone_back == 0)
        grad_x = self._loop().backward(weights, tape, x, with_batch(grad_output))
        pairs = zip(tape.grad_states, self._loop().is_wide, strict=True)
        first = [array[0].copy() if is_wide else array[0] for array, is_wide in pairs]  # steps before write over it
        return grad_x.reshape(input.shape[1:] if len(tape) == 1 else input.shape), first

    def accumulate_step(self, record: Any, input: Array, scale: float) -> None:
        """Add one step's gradients of the parameters."""
        tape, index = record
        self._accumulate_tape(tape.step(index), input[np.newaxis], scale)

    def _accumulate_tape(self, tape: Tape, input: Array, scale: float) -> None:
        parts = self._gradient_parts()
        self._loop().accumulate(parts, tape, with_batch(input), scale)
        self._put_back(parts)
        self._accumulate_starts(self.step - self._accumulated - len(tape), scale)

    def state_after(self, record: Any) -> list[Array]:
        """Return the state after a remembered step."""
        tape, index = record
        return [array[index + 1] for array in tape.states]

    def _check_state(self, given: list[Any]) -> None:
        super()._check_state(given)
        if len(given) != len(self.states):
            raise ValueError(complaint(self, f"{len(given)} state(s)", f"{len(self.states)}: {', '.join(self.states)}"))
        for name, array, size in zip(self.states, given, self.state_widths(), strict=True):
            if array is not None and (is_table(array) or array.ndim not in (1, 2) or array.shape[-1] != size):
                got = f"{name} as a {describe(array)}"
                raise ValueError(complaint(self, got, f"an array of shape (batch, {size}) or ({size},)"))

    def _shown(self, state: list[Any] | None) -> Any:
        if state is not None and self._batch_shape == () and self._state is not None:
            state = [array.reshape(array.shape[-1]) for array in state]
        return super()._shown(state)

    def sequence_grad_input(self, input: Array, grad_output: Array) -> Array:
        """Go back through all steps of a sequence in fused loops, as far as they were made in such."""
        tapes = self._tapes(len(input), self._gone_back)
        if tapes is None:
            return super().sequence_grad_input(input, grad_output)
        gradients, stop = [], len(input)
        for tape in tapes:
            part = slice(stop - len(tape), stop)
            self._loop().start_backward(tape)
            gradient, grad_state = self._go_back(tape, input[part], grad_output[part], self._arriving_gradient())
            gradients.append(gradient.reshape(-1, *input.shape[1:]))
            self._went_back(len(tape), grad_state)
            stop = part.start
        return gradients[0] if len(gradients) == 1 else np.concatenate(gradients[::-1])

    def sequence_acc_grad_parameters(self, input: Array, grad_output: Array, scale: float = 1.0) -> None:
        """Add the gradients of the parameters of all steps."""
        tapes = self._tapes(len(input), self._accumulated)
        if tapes is None:
            super().sequence_acc_grad_parameters(input, grad_output, scale)
            return
        stop = len(input)
        for tape in tapes:
            self._accumulate_tape(tape, input[stop - len(tape) : stop], scale)
            self._accumulated += len(tape)
            stop -= len(tape)

    def _tapes(self, steps: int, done: int) -> list[Tape] | None:
        """Return the tapes, last first, that the next steps to go back through make up, if they do."""
        tapes, last = [], len(self._records) - 1 - done
        while steps > 0:
            tape, index = self._records[last]
            if index != len(tape) - 1 or len(tape) > min(steps, last + 1):
                return None
            tapes.append(tape)
            steps, last = steps - len(tape), last - len(tape)
        return tapes

    def _rows_taken(self, rows: Array) -> None:
        self._batch_shape, self._stepper = (len(rows),), None
        if self.noise is not None and not self.mono:
            self.noise = [mask[rows] for mask in self.noise]

    def _snapshot(self) -> Any:
        return super()._snapshot(), self.rng.bit_generator.state if "rng" in self.__dict__ else None

    def _rollback(self, snapshot: Any) -> None:
        rest, drawn = snapshot
        if drawn is not None:
            self.rng.bit_generator.state = drawn
        super()._rollback(rest)

    def set_masks(self, mask: Any = None, reset: Any = None, zero: Any = None) -> None:
        """Say which rows are treated apart at which of the coming steps; see `AbstractRecurrent.set_masks`."""
        super().set_masks(mask, reset, zero)
        self._stepper = None

    def mask_zero(self, n_input_dims: int | None = None) -> Cell:
        """Take rows of the input that are all zero for padding; see `AbstractRecurrent.mask_zero`."""
        super().mask_zero(n_input_dims)
        self._stepper = None
        return self

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return f"{self.input_size} -> {self.hidden_size}" + (f", p={self.p}" if self.p else "")
