"""What modules over whole sequences have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numrnn.errors import complaint, describe
from numrnn.module import Module
from numrnn.recurrent import AbstractRecurrent
from numrnn.states import StatesOfParts
from numrnn.table import block_of, is_table, length_of, signature, split_steps, stack_steps

REMEMBER_MODES = ("both", "train", "eval", "neither")


class AbstractSequencer(Module):
    """Base class of modules over whole sequences: what they remember from one call to the next."""

    takes_sequences: bool = True
    """Whether the input is a sequence; otherwise it is that of one step, from which a sequence is made."""
    is_causal: bool = True
    """Whether no output depends on later steps, so that a sequence may be cut into several calls."""

    def __init__(self) -> None:
        super().__init__()
        self._remember = "neither"

    def remember(self, mode: str = "both") -> AbstractSequencer:
        """Choose when a call goes on from the state in which the last one ended; return the module.

        Parameters
        ----------
        mode : {"both", "train", "eval", "neither"}
            In which modes the state is kept. A new sequencer keeps it in neither. Gradients always stop at the first
            step of a call.

        Raises
        ------
        ValueError
            If the mode is another one.
        """
        if mode not in REMEMBER_MODES:
            raise ValueError(complaint(self, f"remember({mode!r})", f"one of {REMEMBER_MODES}"))
        self._remember = mode
        return self

    @property
    def remembers(self) -> bool:
        """Whether the next call goes on from the state in which the last one ended."""
        return self._remember in ("both", "train" if self.is_training else "eval")

    def training(self) -> AbstractSequencer:
        """Switch to training mode; a sequence in evaluate mode is forgotten."""
        if not self.is_training:
            self.forget()
        super().training()
        return self

    def evaluate(self) -> AbstractSequencer:
        """Switch to evaluate mode; a sequence in training mode is forgotten."""
        if self.is_training:
            self.forget()
        super().evaluate()
        return self


class CompositeSequencer(StatesOfParts, AbstractSequencer):
    """A sequencer made of modules. A call that fails leaves all of them as they were.

    A subclass writes `run` and `go_back`, `acc_grad_parameters`, and `_with_states`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._can_go_back = False
        self._newest: Any = None  # where the next call goes on, while an earlier call is gone back through

    def run(self, input: Any) -> Any:
        """Return the output for `input`."""
        raise NotImplementedError(f"{type(self).__name__} has no run")

    def go_back(self, input: Any, grad_output: Any) -> Any:
        """Return the gradient of `input`."""
        raise NotImplementedError(f"{type(self).__name__} has no go_back")

    def forward(self, input: Any) -> Any:
        """Return the outputs of all steps; if that fails, nothing has changed."""
        return self._or_undo(super().forward, input)

    def update_output(self, input: Any) -> Any:
        """Run the sequence."""
        self._return_to_newest()
        output = self.run(input)
        self._can_go_back = True
        return output

    def check_backward(self, steps: int = 1) -> None:
        """Raise an error if there is no forward left to go back through."""
        if not self._can_go_back:
            raise RuntimeError(complaint(self, "a second backward", "one backward for every forward"))
        super().check_backward()

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Go back through the whole sequence."""
        grad_input = self.go_back(input, grad_output)
        self._can_go_back = False
        return grad_input

    def forget(self, rows: Any = None) -> None:
        """Start a new sequence, in all rows of the batch or in `rows` only."""
        self._return_to_newest()
        super().forget(rows)
        if rows is None:
            self._can_go_back = False

    # ---- steps of another module: a call of a sequencer can itself be a step of a longer sequence -----------------

    def _timeless_modules(self) -> Iterator[Module]:
        yield self  # what is inside remembers the steps of one call; calls are kept here

    def _stepped_modules(self) -> Iterator[Module]:
        return iter(())

    def _own_memory(self) -> dict[str, Any]:
        return {"inside": self._inside(), "can_go_back": self._can_go_back}

    def _set_own_memory(self, values: dict[str, Any]) -> None:
        if self._newest is None:
            self._newest = self._inside()
        self._put_inside(values["inside"])
        self._can_go_back = values["can_go_back"]

    def _return_to_newest(self) -> None:
        if self._newest is not None:
            self._put_inside(self._newest)
            self._newest = None

    def _inside(self) -> Any:
        """Return what the newest call has left in this module and in those that it is made of."""
        return super()._own_memory(), [child._snapshot() for child in self._children.values()]

    def _put_inside(self, taken: Any) -> None:
        own, children = taken
        super()._set_own_memory(own)
        for child, snapshot in zip(self._children.values(), children, strict=True):
            child._rollback(snapshot)

    def _snapshot(self) -> Any:
        return super()._snapshot(), self._can_go_back, self._newest

    def _rollback(self, snapshot: Any) -> None:
        rest, self._can_go_back, self._newest = snapshot
        super()._rollback(rest)

    def _stateful_modules(self) -> Iterator[Module]:
        if any(isinstance(part, AbstractRecurrent) for part in self.modules()):
            yield self


class SequenceModule(CompositeSequencer):
    """A composite from sequences to sequences of the same kind: tables of steps, or arrays `(time, ...)`.

    A subclass writes `run_sequence`, `sequence_back` and `accumulate_sequence`, which see arrays only.
    """

    def run_sequence(self, sequence: Any) -> Any:
        """Return the outputs of all steps."""
        raise NotImplementedError(f"{type(self).__name__} has no run_sequence")

    def sequence_back(self, sequence: Any, grad_output: Any) -> Any:
        """Return the gradients of all steps."""
        raise NotImplementedError(f"{type(self).__name__} has no sequence_back")

    def accumulate_sequence(self, sequence: Any, grad_output: Any, scale: float) -> None:
        """Add the parameters' gradients of all steps."""
        raise NotImplementedError(f"{type(self).__name__} has no accumulate_sequence")

    def check_input(self, input: Any) -> None:
        """Expect a table of equal steps or an array with a time axis, of one step at least."""
        if block_of(input) is not None:
            return
        super().check_input(input)
        if is_table(input):
            if not input:
                raise ValueError(complaint(self, "an empty table", "at least one step"))
            first = signature(input[0])
            for t, step in enumerate(input):
                if signature(step) != first:
                    got = f"{describe(step)} at step {t} after {describe(input[0])} at step 0"
                    raise ValueError(complaint(self, got, "steps of one shape and element type"))
        elif input.ndim == 0 or len(input) == 0:
            raise ValueError(complaint(self, describe(input), "an array (time, ...) of at least one step"))

    def run(self, input: Any) -> Any:
        """Return the outputs of all steps, as a table if the input is one."""
        sequence = stack_steps(input)
        output = self.run_sequence(sequence)
        return split_steps(output, len(input)) if is_table(input) else output

    def check_grad_output(self, input: Any, grad_output: Any) -> None:
        """Expect the input of the last forward, and as many gradients as it has steps."""
        if is_table(input) and is_table(grad_output) and len(input) != len(grad_output):
            got = f"tables of {len(input)} inputs and {len(grad_output)} gradients"
            raise ValueError(complaint(self, got, "tables of one length"))
        super().check_grad_output(input, grad_output)

    def go_back(self, input: Any, grad_output: Any) -> Any:
        """Return the gradients of all steps, as a table if the input is one."""
        grad_input = self.sequence_back(*_stacked(input, grad_output))
        return split_steps(grad_input, len(input)) if is_table(input) else grad_input

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Add the parameters' gradients of all steps."""
        self.accumulate_sequence(*_stacked(input, grad_output), scale)


def _stacked(input: Any, grad_output: Any) -> tuple[Any, Any]:
    """Return both as arrays of all steps. For an array of inputs, a table of gradients is such already."""
    return (stack_steps(input), stack_steps(grad_output)) if is_table(input) else (input, grad_output)


# ---- parts: sequencers inside others. Arrays of all steps go in and come out ----------------------------------------


def run_part(part: Module, sequence: Any) -> Any:
    """Return the outputs of a part for all steps of `sequence`."""
    return stack_steps(part.forward(_steps(sequence))) if is_table(sequence) else part.forward(sequence)


def part_back(part: Module, sequence: Any, grad_output: Any) -> Any:
    """Return the gradients that a part gives for all steps of `sequence`."""
    if not is_table(sequence):
        return part.update_grad_input(sequence, grad_output)
    grads = split_steps(grad_output, length_of(sequence))
    return stack_steps(part.update_grad_input(_steps(sequence), grads))


def accumulate_part(part: Module, sequence: Any, grad_output: Any, scale: float) -> None:
    """Let a part add its parameters' gradients of all steps of `sequence`."""
    if is_table(sequence):
        sequence, grad_output = _steps(sequence), split_steps(grad_output, length_of(sequence))
    part.acc_grad_parameters(sequence, grad_output, scale)


def _steps(sequence: Any) -> list[Any]:
    """Return arrays of all steps as the table that sequencers take if a step is a table."""
    return split_steps(sequence, length_of(sequence))


# ---- modules of one step ----------------------------------------------------------------------------------------


@contextmanager
def remembering(steps: int, *modules: Module) -> Iterator[None]:
    """Let recurrent modules remember this many steps, whatever their `rho`."""
    recurrent = [part for module in modules for part in module.modules() if isinstance(part, AbstractRecurrent)]
    limits = [part.rho for part in recurrent]
    for part in recurrent:
        part.rho = steps - 1  # besides the newest
    try:
        yield
    finally:
        for part, rho in zip(recurrent, limits, strict=True):
            part.rho = rho


def states_inside(module: Module) -> Any:
    """Return the recurrent module that a module of one step is, or a table of those directly inside it."""
    return module if isinstance(module, AbstractRecurrent) else list(module._stepped_modules())
