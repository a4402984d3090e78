"""Containers: modules made of modules, and the ways in which data runs through them.

A container says once how data is routed through its children (`route`, and the two ways back); whether one step or a
whole sequence runs along that route is decided by the caller. So a container around fused cells handles whole
sequences fused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from numrnn.errors import complaint, describe
from numrnn.layers.table_layers import JoinTable
from numrnn.module import Module
from numrnn.states import StatesOfParts
from numrnn.table import add_tables, copy_gradient, copy_table, is_table

Apply = Callable[..., Any]


class Container(StatesOfParts, Module):
    """A module that routes data through its children. A call that fails leaves all of them as they were."""

    memory = ("_inputs", "_grad_outputs")

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        self._inputs: list[Any] = []
        self._grad_outputs: list[Any] = []
        for module in modules:
            self.add(module)

    def add(self, module: Module) -> Container:
        """Append a module; return the container.

        Raises
        ------
        ValueError
            If it shares a part that keeps something between forward and backward with the modules before: the second
            forward would overwrite it. Layers such as `Linear` may be shared, and a `Graph` may share more.
        """
        check_not_shared(type(self).__name__, [*self._children.values(), module])
        self.add_child(str(len(self._children)), module)
        return self

    def get(self, index: int) -> Module:
        """Return the module at a position, from 0, as `container[index]` does."""
        return self[index]

    def __len__(self) -> int:
        return len(self._children)

    def __getitem__(self, index: int) -> Module:
        return self.children()[index]

    @property
    def row_wise(self) -> bool:  # type: ignore[override]
        """Whether every child is."""
        return all(child.row_wise for child in self._children.values())

    def _with_states(self) -> list[Module]:
        return list(self._stateful_modules())

    # ---- what a subclass writes ----------------------------------------------------------------------------------

    def route(self, input: Any, apply: Apply) -> Any:
        """Return the output, calling `apply(child, input)` for each child."""
        raise NotImplementedError

    def route_back(self, input: Any, grad_output: Any, apply: Apply) -> Any:
        """Return the gradient of the input, calling `apply(child, input, grad_output)`, last child first."""
        raise NotImplementedError

    # ---- the two kinds of traffic --------------------------------------------------------------------------------

    def forward(self, input: Any) -> Any:
        """Return the output for `input`; see `Module.forward`."""
        return self._or_undo(super().forward, input)

    def forward_sequence(self, input: Any) -> Any:
        """Return the outputs of all steps; see `Module.forward_sequence`."""
        return self._or_undo(lambda sequence: self.route(sequence, _forward_sequence), input)

    def update_output(self, input: Any) -> Any:
        """Send one step through the children."""
        return self.route(input, _forward)

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Send the gradient of one step back through the children."""
        return self.route_back(input, grad_output, _grad_input)

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Let each child add to its gradients, with the gradients that `update_grad_input` brought it."""
        for child, child_input, child_grad in self._visits(input):
            child.acc_grad_parameters(child_input, child_grad, scale)

    def sequence_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Send the gradients of all steps back through the children."""
        return self.route_back(input, grad_output, _sequence_grad_input)

    def sequence_acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Let each child add the gradients of all steps to its own."""
        for child, child_input, child_grad in self._visits(input):
            child.sequence_acc_grad_parameters(child_input, child_grad, scale)

    def _visits(self, input: Any) -> Iterable[tuple[Module, Any, Any]]:
        """Return (child, its input, its grad_output), last child first."""
        visits = list(zip(self.children(), self._inputs_for(input), self._grad_outputs, strict=True))
        return visits[::-1]

    def _inputs_for(self, input: Any) -> list[Any]:
        """Return the children's inputs, given the container's."""
        raise NotImplementedError


def check_not_shared(owner: str, modules: Iterable[Module]) -> None:
    """Raise a ValueError if modules share a part that keeps something between forward and backward."""
    inside: set[int] = set()
    for module in modules:
        parts = list(module.modules()) if isinstance(module, Module) else []
        for part in parts:
            if id(part) in inside and (part.memory or part.keeps_steps or not part.row_wise):
                hint = "A Graph may use a module in several places"
                raise ValueError(complaint(owner, f"{part!r} a second time", "it in one place", hint))
        inside |= {id(part) for part in parts}


def _forward(child: Module, input: Any) -> Any:
    return child.forward(input)


def _forward_sequence(child: Module, input: Any) -> Any:
    return child.forward_sequence(input)


def _grad_input(child: Module, input: Any, grad_output: Any) -> Any:
    return child.update_grad_input(input, grad_output)


def _sequence_grad_input(child: Module, input: Any, grad_output: Any) -> Any:
    return child.sequence_grad_input(input, grad_output)


class Sequential(Container):
    """Modules one after the other.

    Parameters
    ----------
    *modules : Module
        The modules in order; `add` appends more.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> model = nr.Sequential(nr.Linear(4, 6), nr.Tanh(), nr.Linear(6, 2))
    >>> model(np.zeros((3, 4), "float32")).shape
    (3, 2)
    """

    def insert(self, module: Module, index: int | None = None) -> Sequential:
        """Put a module in front of the one at a position, or at the end; return the container.

        Raises
        ------
        IndexError
            If there is no such position.
        """
        modules = self.children()
        modules.insert(len(self) if index is None else self._place(index, len(self) + 1), module)
        return self._renew(modules)

    def remove(self, index: int | None = None) -> Module:
        """Take out the module at a position, or the last one, and return it.

        Raises
        ------
        IndexError
            If there is no such position.
        """
        modules = self.children()
        removed = modules.pop(self._place(-1 if index is None else index, len(self)))
        self._renew(modules)
        return removed

    def _place(self, index: int, count: int) -> int:
        if not -count <= index < count:
            raise IndexError(complaint(self, f"position {index}", f"one of {count} positions, from 0"))
        return range(count)[index]

    def _renew(self, modules: list[Module]) -> Sequential:
        self._children, self._seen = Sequential(*modules)._children, None
        return self

    def route(self, input: Any, apply: Apply) -> Any:
        """Hand each child's output to the next."""
        self._inputs = []
        for child in self._children.values():
            self._inputs.append(input)
            input = apply(child, input)
        return input if len(self) else copy_table(input)

    def route_back(self, input: Any, grad_output: Any, apply: Apply) -> Any:
        """Hand each child's gradient to the one before."""
        self._grad_outputs = [None] * len(self)
        inputs = self._inputs_for(input)
        for k in reversed(range(len(self))):
            self._grad_outputs[k] = grad_output
            grad_output = apply(self[k], inputs[k], grad_output)
        return grad_output if len(self) else copy_gradient(input, grad_output)

    def _inputs_for(self, input: Any) -> list[Any]:
        return [input, *self._inputs[1:]] if len(self) else []

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Hand each child's symbols to the next."""
        for child in self._children.values():
            input = recorder.run(child, input)
        return input


class ConcatTable(Container):
    """The same input to every module; the outputs make a table.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> [y.shape for y in nr.ConcatTable(nr.Linear(4, 6), nr.Identity())(np.zeros((3, 4), "float32"))]
    [(3, 6), (3, 4)]
    """

    def route(self, input: Any, apply: Apply) -> list[Any]:
        """Give every child the input."""
        return [apply(child, input) for child in self._children.values()]

    def route_back(self, input: Any, grad_output: Any, apply: Apply) -> Any:
        """Add up the gradients that the children give."""
        self._grad_outputs = list(grad_output)
        total = None
        for child, grad in zip(self.children()[::-1], self._grad_outputs[::-1], strict=True):
            total = add_tables(apply(child, input, grad), total)
        return total

    def _inputs_for(self, input: Any) -> list[Any]:
        return [input] * len(self)

    def as_equations(self, recorder: Any, input: Any) -> list[Any]:
        """Give every child the symbols."""
        return [recorder.run(child, input) for child in self._children.values()]


class ParallelTable(Container):
    """The k-th element of the input table to the k-th module; the outputs make a table.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> x = np.zeros((3, 4), "float32")
    >>> [y.shape for y in nr.ParallelTable(nr.Linear(4, 6), nr.Tanh())([x, x])]
    [(3, 6), (3, 4)]
    """

    def route(self, input: Any, apply: Apply) -> list[Any]:
        """Give each child its element."""
        if not is_table(input) or len(input) != len(self):
            raise ValueError(complaint(self, describe(input), f"a table of {len(self)} elements, one a module"))
        self._inputs = list(input)
        return [apply(child, element) for child, element in zip(self.children(), input, strict=True)]

    def route_back(self, input: Any, grad_output: Any, apply: Apply) -> list[Any]:
        """Take each child's gradient for its element."""
        self._grad_outputs = list(grad_output)
        triples = list(zip(self.children(), input, self._grad_outputs, strict=True))
        return [apply(*triple) for triple in triples[::-1]][::-1]

    def _inputs_for(self, input: Any) -> list[Any]:
        return list(input)

    def as_equations(self, recorder: Any, input: Any) -> list[Any]:
        """Give each child its element."""
        elements = recorder.table(input, len(self))
        return [recorder.run(child, element) for child, element in zip(self.children(), elements, strict=True)]


class Concat(ConcatTable):
    """The same input to every module; the outputs are joined along an axis.

    Parameters
    ----------
    axis : int
        The axis of the outputs. Counted from the end, it means the same for one sample, a batch and a whole
        sequence; counted from 0, it is an axis of one step.
    *modules : Module
        The modules in order; `add` appends more.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Concat(-1, nr.Linear(4, 6), nr.Identity())(np.zeros((3, 4), "float32")).shape
    (3, 10)
    """

    memory = (*ConcatTable.memory, "_outputs")

    def __init__(self, axis: int, *modules: Module) -> None:
        super().__init__(*modules)
        self._join = JoinTable(axis)
        self._outputs: list[Any] = []  # of the children, for the way back

    @property
    def row_wise(self) -> bool:  # type: ignore[override]
        """Whether every child is, and the axis stays where it is under further leading axes."""
        return super().row_wise and self._join.row_wise

    def route(self, input: Any, apply: Apply) -> Any:
        """Give every child the input, and join what they give."""
        self._outputs = super().route(input, apply)
        self._join.check_input(self._outputs)
        axis = self._join.axis
        if apply is _forward_sequence and axis >= 0:  # the outputs have an axis of time before that of the steps
            return JoinTable(axis + 1).update_output(self._outputs)
        return self._join.update_output(self._outputs)

    def route_back(self, input: Any, grad_output: Any, apply: Apply) -> Any:
        """Cut the gradient up, and add up the gradients that the children give."""
        axis = self._join.axis
        join = JoinTable(axis + 1) if apply is _sequence_grad_input and axis >= 0 else self._join
        return super().route_back(input, join.update_grad_input(self._outputs, grad_output), apply)

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Give every child the symbols, and join what they give."""
        return recorder.run(self._join, super().as_equations(recorder, input))

    def describe_arguments(self) -> str:
        """Return the axis and the modules."""
        return f"{self._join.axis}, {super().describe_arguments()}"


class MapTable(Container):
    """One module for every element of the input table; the outputs make a table.

    Parameters
    ----------
    module : Module
        The module; it must not have a state that lasts from step to step.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> x = np.zeros((3, 4), "float32")
    >>> [y.shape for y in nr.MapTable(nr.Linear(4, 6))([x, x])]
    [(3, 6), (3, 6)]
    """

    memory = (*Container.memory, "_kept")

    def __init__(self, module: Module) -> None:
        if isinstance(module, Module) and any(part.keeps_steps for part in module.modules()):
            raise ValueError(complaint("MapTable", f"{module!r}", "a module without a state"))
        super().__init__(module)
        self._kept: list[Any] = []  # what the module keeps of each element

    def route(self, input: Any, apply: Apply) -> list[Any]:
        """Give the module each element."""
        if not is_table(input) or not input:
            raise ValueError(complaint(self, describe(input), "a table of at least one element"))
        outputs, self._kept = [], []
        for element in input:
            outputs.append(apply(self[0], element))
            self._kept.append(_taken(self[0]))
        return outputs

    def route_back(self, input: Any, grad_output: Any, apply: Apply) -> list[Any]:
        """Take the gradient of each element."""
        self._grad_outputs = list(grad_output)
        gradients = []
        for k in reversed(range(len(input))):
            _put_back(self[0], self._kept[k])
            gradients.append(apply(self[0], input[k], self._grad_outputs[k]))
            self._kept[k] = _taken(self[0])
        return gradients[::-1]

    def _visits(self, input: Any) -> Iterable[tuple[Module, Any, Any]]:
        for k in reversed(range(len(input))):
            _put_back(self[0], self._kept[k])
            yield self[0], input[k], self._grad_outputs[k]


def _taken(module: Module) -> tuple[Any, Any]:
    """Return what a module keeps of its last call, of a step or of a sequence."""
    return module._take_memory(), [part.__dict__.get("_step_memories") for part in module.modules()]


def _put_back(module: Module, taken: tuple[Any, Any]) -> None:
    memory, steps = taken
    module._restore_memory(memory)
    for part, own in zip(module.modules(), steps, strict=True):
        part._step_memories = own
