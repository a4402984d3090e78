"""Module: what every part of a network is.

A module maps an input to an output (`forward`) and the gradient of the output to the gradient of the input
(`backward`), adding to the gradients of its parameters on the way. Inputs and outputs are arrays or tables (lists) of
arrays.

A subclass writes three methods, as in the original: `update_output`, `update_grad_input` and, if it has parameters,
`acc_grad_parameters`. Two class attributes describe it:

* `memory` names the attributes that a forward leaves for its backward (a dropout mask, say). They are what is kept of
  every step when the module is stepped through time, so a module needs no clones.
* `row_wise` says that rows do not influence each other and any number of leading axes is welcome, so that a whole
  sequence
  can be handled as one large batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.optim import descend
from numrnn.table import is_table, leaves, length_of, map_table, signature, step_of

FLOATS = (np.dtype("float32"), np.dtype("float64"))


class NoEquations(Exception):
    """What a module computes cannot be written as equations of a cell."""


class Module:
    """Base class of everything that has a `forward` and a `backward`.

    Attributes
    ----------
    is_training : bool
        Whether the module is in training mode (see `training` and `evaluate`).
    """

    memory: tuple[str, ...] = ()
    row_wise: bool = False

    def __init__(self) -> None:
        self.is_training = True
        self._parameters: dict[str, np.ndarray] = {}
        self._gradients: dict[str, np.ndarray] = {}
        self._buffers: dict[str, np.ndarray] = {}
        self._children: dict[str, Module] = {}
        self._seen: Any = None  # signatures of the last input and output, which backward must fit

    # ---- forward and backward ------------------------------------------------------------------------------------

    def forward(self, input: Any) -> Any:
        """Return the module's output for `input`.

        Raises
        ------
        TypeError, ValueError, IndexError
            If the input does not fit; the module is then as it was before.
        """
        self.check_input(input)
        output = self.update_output(input)
        self._seen = signature(input), signature(output)
        return output

    def backward(self, input: Any, grad_output: Any, scale: float = 1.0) -> Any:
        """Return the gradient of `input`, and add `scale` times the parameters' gradients to theirs.

        Parameters
        ----------
        input
            What the last `forward` was given.
        grad_output
            Gradient of the loss with respect to what it returned, of the same structure and shapes; for indices it
            may be None.
        scale : float
            Factor for the parameters' gradients only.

        Raises
        ------
        RuntimeError
            If there was no forward to go back through.
        TypeError, ValueError
            If `input` or `grad_output` does not fit the last forward.
        """
        self.check_grad_output(input, grad_output)
        self.check_backward()
        grad_input = self.update_grad_input(input, grad_output)
        self.acc_grad_parameters(input, grad_output, scale)
        return grad_input

    def update_output(self, input: Any) -> Any:
        """Compute the output. Subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} has no update_output")

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Compute the gradient of the input. Subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} has no update_grad_input")

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Add `scale` times the gradients of the parameters to theirs. Subclasses with parameters write this."""

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Return the output for symbols: what a recurrence is made of is fused if it can be written as equations.

        Subclasses may write this; see `recurrent.lowering`. A module that has no equations is stepped.

        Parameters
        ----------
        recorder : numrnn.recurrent.lowering.Recorder
            Makes linear maps, and symbols of parameters.
        input : Symbol, or table of them
            The input of one step.

        Raises
        ------
        NoEquations
            If the module has none, or not for this input.
        """
        raise NoEquations(f"{self!r} has no equations")

    def __call__(self, input: Any) -> Any:
        """Return `forward(input)`; or, given a node of a graph (or a table of nodes), a new node."""
        if isinstance(input, np.ndarray):
            return self.forward(input)
        from numrnn.graph import Node

        if any(isinstance(leaf, Node) for leaf in leaves(input)):
            return Node(self, input)
        return self.forward(input)

    # ---- whole sequences: arrays with a leading time axis --------------------------------------------------------

    @property
    def over_time(self) -> str:
        """How a sequence is run: "all steps at once", "one fused loop" or "step by step"."""
        return "all steps at once" if self.row_wise else "step by step"

    def forward_sequence(self, input: Any) -> Any:
        """Return the outputs of all steps of `input`, arrays `(time, ...)`; the same as one `forward` a step."""
        if not self.row_wise:
            return self._step_forward(input)
        return self.forward(input)

    def backward_sequence(self, input: Any, grad_output: Any, scale: float = 1.0) -> Any:
        """Return the gradients of all steps of `input`; the same as one `backward` a step, in reverse order."""
        self.check_backward(length_of(input))
        grad_input = self.sequence_grad_input(input, grad_output)
        self.sequence_acc_grad_parameters(input, grad_output, scale)
        return grad_input

    def sequence_grad_input(self, input: Any, grad_output: Any) -> Any:
        """`update_grad_input` for all steps, last step first."""
        if self.row_wise:
            return self.update_grad_input(input, grad_output)
        steps = []
        for t in reversed(range(length_of(input))):
            self._restore_memory(self._step_memories[t])
            steps.append(self.update_grad_input(step_of(input, t), step_of(grad_output, t)))
            self._step_memories[t] = self._take_memory()
        return _stack(steps[::-1])

    def sequence_acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """`acc_grad_parameters` for all steps, last step first."""
        if self.row_wise:
            self.acc_grad_parameters(input, grad_output, scale)
            return
        for t in reversed(range(length_of(input))):
            self._restore_memory(self._step_memories[t])
            self.acc_grad_parameters(step_of(input, t), step_of(grad_output, t), scale)

    def _step_forward(self, input: Any) -> Any:
        outputs, self._step_memories = [], []
        for t in range(length_of(input)):
            outputs.append(self.forward(step_of(input, t)))
            self._step_memories.append(self._take_memory())
        return _stack(outputs)

    def _take_memory(self) -> list[dict[str, Any]]:
        """Return what the last forward left in this module and its children (recurrent ones keep their own steps)."""
        return [module._own_memory() for module in self._timeless_modules()]

    def _restore_memory(self, taken: list[dict[str, Any]]) -> None:
        for module, values in zip(self._timeless_modules(), taken, strict=True):
            module._set_own_memory(values)

    def _own_memory(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.memory}

    def _set_own_memory(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def _timeless_modules(self) -> Iterator[Module]:
        yield self
        for child in self._children.values():
            if not child.keeps_steps:
                yield from child._timeless_modules()

    def _stepped_modules(self) -> Iterator[Module]:
        """Iterate over the outermost recurrent modules that make a step whenever this module is stepped."""
        for child in self._children.values():
            yield from child._stepped_modules()

    def _stateful_modules(self) -> Iterator[Module]:
        """Iterate over the outermost modules in here that have hidden states."""
        for child in self._children.values():
            yield from child._stateful_modules()

    # ---- checks: they come before anything changes ---------------------------------------------------------------

    keeps_steps: bool = False  # True for recurrent modules, which remember their steps themselves

    def check_input(self, input: Any) -> None:
        """Raise an error if `input` does not fit. Subclasses extend this."""
        for leaf in leaves(input):
            if not isinstance(leaf, np.ndarray | np.generic):
                raise TypeError(complaint(self, describe(leaf), "NumPy arrays, or tables (lists) of them"))

    def check_grad_output(self, input: Any, grad_output: Any) -> None:
        """Raise an error if the arguments of `backward` do not fit the last `forward`."""
        if self._seen is None:
            raise RuntimeError(complaint(self, "a backward before any forward", "forward first"))
        seen_input, seen_output = self._seen
        if signature(input) != seen_input:
            raise ValueError(
                complaint(self, describe(input), f"in backward the input of the last forward ({seen_input})")
            )
        if not _fits(signature(grad_output), seen_output):
            wrong = TypeError if _shapes(grad_output) == _shapes_of(seen_output) else ValueError
            raise wrong(complaint(self, describe(grad_output), f"a grad_output like the last output ({seen_output})"))

    def check_backward(self, steps: int = 1) -> None:
        """Raise an error if a recurrent module in here cannot go back `steps` more steps."""
        for child in self._children.values():
            child.check_backward(steps)

    # ---- parameters ----------------------------------------------------------------------------------------------

    def add_parameter(self, name: str, value: np.ndarray) -> None:
        """Register a parameter: `module.name`, with its gradient `module.grad_name`, which starts at zero."""
        self._parameters[name] = np.array(value, order="C")
        self._gradients[name] = np.zeros_like(self._parameters[name])

    def add_buffer(self, name: str, value: np.ndarray) -> None:
        """Register an array that is saved with the parameters but not trained: `module.name`."""
        self._buffers[name] = np.array(value, order="C")

    def add_child(self, name: str, module: Module) -> None:
        """Register a module as a part of this one."""
        if not isinstance(module, Module):
            raise TypeError(complaint(self, describe(module), f"a Module as {name!r}"))
        self._children[name] = module

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if name in own.get("_parameters", ()):
            return own["_parameters"][name]
        if name.startswith("grad_") and name[5:] in own.get("_gradients", ()):
            return own["_gradients"][name[5:]]
        if name in own.get("_buffers", ()):
            return own["_buffers"][name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if name[0] == "_":
            own[name] = value
        elif name in own.get("_parameters", ()):
            _assign(self, name, own["_parameters"][name], value)
            self.parameters_changed()
        elif name.startswith("grad_") and name[5:] in own.get("_gradients", ()):
            _assign(self, name, own["_gradients"][name[5:]], value)
        elif name in own.get("_buffers", ()):
            _assign(self, name, own["_buffers"][name], value)
        else:
            object.__setattr__(self, name, value)

    def children(self) -> list[Module]:
        """Return the modules that this one is directly made of."""
        return list(self._children.values())

    def named_children(self) -> list[tuple[str, Module]]:
        """Return (name, module) of the modules that this one is directly made of."""
        return list(self._children.items())

    def modules(self) -> Iterator[Module]:
        """Iterate over this module and everything in it, each once."""
        return (module for _, module in self.named_modules())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Iterate over (name, module), each module once; the name of this one is empty."""
        seen: set[int] = set()
        coming: list[tuple[str, Module]] = [("", self)]
        while coming:
            name, module = coming.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module
                inside = [(f"{name}.{key}" if name else key, child) for key, child in module._children.items()]
                coming += inside[::-1]

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call a function with this module and everything in it, each once; return the module."""
        for module in list(self.modules()):
            function(module)
        return self

    def _slots(self) -> Iterator[tuple[str, Module, str]]:
        """Iterate over (full name, owner, its name there) of all parameters."""
        for prefix, module in self.named_modules():
            for name in module._parameters:
                yield (f"{prefix}.{name}" if prefix else name), module, name

    def named_parameters(self) -> Iterator[tuple[str, np.ndarray]]:
        """Iterate over (name, parameter), in the order of `parameters`."""
        return ((full, owner._parameters[name]) for full, owner, name in self._slots())

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the parameters, and their gradients in the same order.

        Both are the arrays themselves: change them in place.
        """
        slots = list(self._slots())
        self.parameters_changed()
        return (
            [owner._parameters[name] for _, owner, name in slots],
            [owner._gradients[name] for _, owner, name in slots],
        )

    def get_parameters(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all parameters as one flat vector, and all gradients as another.

        From then on the modules' parameters are views of these vectors, so changing one changes the other. Call it on
        the outermost module: calling it on a larger one later moves the parameters to new vectors.

        Examples
        --------
        >>> import numrnn as nr
        >>> weights, gradients = nr.Linear(3, 2).get_parameters()
        >>> weights.shape, gradients.shape
        ((8,), (8,))
        """
        slots = [(owner, name) for _, owner, name in self._slots()]
        flat = []
        for store in ("_parameters", "_gradients"):
            arrays = [getattr(owner, store)[name] for owner, name in slots]
            vector = _common_vector(arrays)
            if vector is None:
                vector = np.concatenate([array.ravel() for array in arrays]) if arrays else np.zeros(0, "float32")
                offset = 0
                for (owner, name), array in zip(slots, arrays, strict=True):
                    getattr(owner, store)[name] = vector[offset : offset + array.size].reshape(array.shape)
                    offset += array.size
            flat.append(vector)
        self.parameters_changed()
        return flat[0], flat[1]

    def zero_grad_parameters(self) -> None:
        """Set all gradients to zero."""
        for module in self.modules():
            module._zero_own_gradients()

    def _zero_own_gradients(self) -> None:
        for gradient in self._gradients.values():
            gradient.fill(0)

    def update_parameters(self, learning_rate: float) -> None:
        """Take a step of plain gradient descent: parameter -= learning_rate * gradient."""
        for module in self.modules():
            module._update_own_parameters(learning_rate)
        self.parameters_changed()

    def _update_own_parameters(self, learning_rate: float) -> None:
        for name, parameter in self._parameters.items():
            descend(parameter.reshape(-1), self._gradients[name].reshape(-1), learning_rate)

    def parameters_changed(self) -> None:
        """Tell the modules that parameters have changed, so that nothing made from the old values is used again.

        The methods of this class and the optimisers do this themselves. Call it after changing an array of a module in
        place while it is in evaluate mode and in the middle of a sequence.
        """
        for child in self._children.values():
            child.parameters_changed()

    def named_buffers(self) -> Iterator[tuple[str, np.ndarray]]:
        """Iterate over (name, array) of what is saved with the parameters but not trained."""
        for prefix, module in self.named_modules():
            for name, value in module._buffers.items():
                yield (f"{prefix}.{name}" if prefix else name), value

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters, and of all buffers (such as running averages), by name."""
        own = [*self.named_parameters(), *self.named_buffers()]
        return {name: np.array(value, order="C") for name, value in own}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Set all parameters and buffers from `state`, as returned by `state_dict`.

        Raises
        ------
        TypeError, ValueError
            If names or shapes differ, or something is no array of real numbers; nothing is changed then.
        """
        own = dict([*self.named_parameters(), *self.named_buffers()])
        if not isinstance(state, Mapping):
            raise TypeError(complaint(self, describe(state), "a dict of arrays by name"))
        if own.keys() != state.keys():
            missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
            raise ValueError(complaint(self, f"a state without {missing} and with unknown {unknown}", "its own names"))
        for name, value in state.items():
            if np.shape(value) != own[name].shape:
                raise ValueError(complaint(self, f"{name} of shape {np.shape(value)}", f"shape {own[name].shape}"))
            if np.asarray(value).dtype.kind not in "fiu":
                raise TypeError(complaint(self, f"{name} as a {describe(value)}", "an array of real numbers"))
        for name, value in state.items():
            own[name][...] = value
        self.parameters_changed()

    @property
    def dtype(self) -> np.dtype:
        """Element type of the parameters (float32 for a module that has none)."""
        for own in self._parameters.values():
            return own.dtype
        return next((value.dtype for _, value in self.named_parameters()), FLOATS[0])

    def astype(self, dtype: Any) -> Module:
        """Turn the module into one of another element type, float32 or float64, and return it.

        Recurrent modules in it forget their sequence.
        """
        wanted = next((known for known in FLOATS if _is_dtype(dtype, known)), None)
        if wanted is None:
            raise TypeError(complaint(self, f"astype({dtype!r})", "float32 or float64"))
        for _, owner, name in list(self._slots()):
            owner._parameters[name] = owner._parameters[name].astype(wanted)
            owner._gradients[name] = owner._gradients[name].astype(wanted)
        for module in self.modules():
            for name in module._buffers:
                module._buffers[name] = module._buffers[name].astype(wanted)
        self.forget()
        self.parameters_changed()
        return self

    # ---- modes and sequences -------------------------------------------------------------------------------------

    def training(self) -> Module:
        """Switch to training mode, in which recurrent modules remember their steps; return the module."""
        self.is_training = True
        for child in self._children.values():
            child.training()
        return self

    def evaluate(self) -> Module:
        """Switch to evaluate mode, in which recurrent modules keep only their last state; return the module."""
        self.is_training = False
        for child in self._children.values():
            child.evaluate()
        return self

    def forget(self, rows: Any = None) -> None:
        """Start a new sequence: recurrent modules in here return to their start state.

        Parameters
        ----------
        rows : sequence of int, optional
            Rows of the batch that start anew; without it, all.
        """
        if rows is None:
            for child in self._children.values():
                child.forget()
        else:
            self._or_undo(self._forget_inside, rows)

    def _forget_inside(self, rows: Any) -> None:
        for child in self._children.values():
            child.forget(rows)

    def reinforce(self, reward: Any) -> None:
        """Hand a reward to everything in here that draws samples; see `Reinforce.reinforce`.

        Raises
        ------
        TypeError, ValueError
            If a module in here refuses the reward; none has taken it then.
        """
        self._or_undo(lambda reward: [child.reinforce(reward) for child in self._children.values()], reward)

    def remember(self, mode: str = "both") -> Module:
        """Choose for all sequencers in here when they go on from one call to the next; return the module.

        See `AbstractSequencer.remember`.
        """
        for child in self._children.values():
            child.remember(mode)
        return self

    def learn_start_state(self) -> Module:
        """Make the start states of all recurrent modules in here parameters; return the module.

        They start at zero, and are the same for all rows. A start state that is set takes the place of a learned one.

        Examples
        --------
        >>> import numrnn as nr
        >>> model = nr.Sequencer(nr.Sequential(nr.GRU(4, 6), nr.Linear(6, 2))).learn_start_state()
        >>> [name for name, value in model.named_parameters() if "start" in name]
        ['module.0.start_h']
        """
        for child in self._children.values():
            child.learn_start_state()
        return self

    def take_rows(self, rows: Any) -> None:
        """Let the recurrent modules in here go on with some rows of their batch; see `AbstractRecurrent.take_rows`."""
        for child in self._children.values():
            child.take_rows(rows)

    def set_masks(self, mask: Any = None, reset: Any = None, zero: Any = None) -> None:
        """Give masks to all recurrent modules in here; see `AbstractRecurrent.set_masks`."""
        for child in self._children.values():
            child.set_masks(mask, reset, zero)

    def set_zero_mask(self, mask: Any) -> None:
        """Say which rows are padding at which of the coming steps, as in the original.

        Parameters
        ----------
        mask : array of bool, or None
            True for padding, `(time, batch)`: see `zero` of `AbstractRecurrent.set_masks`. None (or False) takes it
            back.
        """
        self.set_masks(zero=None if mask is None or mask is False else mask)

    def clone(self) -> Module:
        """Return a copy with parameters of its own."""
        return copy.deepcopy(self)

    def _or_undo(self, call: Callable[[Any], Any], argument: Any) -> Any:
        """Return `call(argument)`; if that fails, nothing has changed."""
        snapshot = self._snapshot()
        try:
            return call(argument)
        except BaseException:
            self._rollback(snapshot)
            raise

    def _snapshot(self) -> Any:
        """Return what a failed call must put back."""
        own = {name: self.__dict__.get(name) for name in (*self.memory, "_seen", "_step_memories")}
        return own, [child._snapshot() for child in self._children.values()]

    def _rollback(self, snapshot: Any) -> None:
        own, children = snapshot
        self.__dict__.update(own)
        for child, taken in zip(self._children.values(), children, strict=True):
            child._rollback(taken)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe_arguments()})"

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return ", ".join(repr(child) for child in self._children.values())


def _stack(steps: list[Any]) -> Any:
    if steps[0] is None:
        return None
    if is_table(steps[0]):
        return [_stack([step[k] for step in steps]) for k in range(len(steps[0]))]
    return np.stack(steps)


def _fits(given: Any, seen: Any) -> bool:
    """Whether a gradient of this signature fits an output of that one; for indices it may be None."""
    if given == seen:
        return True
    if isinstance(given, list) and isinstance(seen, list) and len(given) == len(seen):
        return all(map(_fits, given, seen))
    return given is None and isinstance(seen, tuple) and seen[1].kind in "iub"


def _shapes(table: Any) -> Any:
    return map_table(lambda array: getattr(array, "shape", None), table)


def _shapes_of(seen: Any) -> Any:
    return [_shapes_of(element) for element in seen] if isinstance(seen, list) else seen and seen[0]


def _is_dtype(given: Any, known: np.dtype) -> bool:
    try:
        return given is not None and np.dtype(given) == known  # NumPy takes None for float64
    except TypeError:
        return False


def _assign(module: Module, name: str, array: np.ndarray, value: Any) -> None:
    if np.shape(value) != array.shape:
        raise ValueError(complaint(module, f"{name} of shape {np.shape(value)}", f"shape {array.shape}"))
    array[...] = value


def _common_vector(arrays: list[np.ndarray]) -> np.ndarray | None:
    """Return the vector that `arrays` are consecutive views of, if there is one."""
    base = arrays[0].base if arrays else None
    if not isinstance(base, np.ndarray) or base.ndim != 1 or any(array.base is not base for array in arrays):
        return None
    address = base.__array_interface__["data"][0]
    position = start = arrays[0].__array_interface__["data"][0]
    for array in arrays:
        if array.__array_interface__["data"][0] != position or not array.flags.c_contiguous:
            return None
        position += array.nbytes
    first = (start - address) // base.itemsize
    count = (position - start) // base.itemsize
    return base if count == base.size else base[first : first + count]
