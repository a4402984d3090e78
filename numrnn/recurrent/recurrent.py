"""Recurrent: the plain recurrence, made of modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu import masking
from numrnn.kernels.cpu.loop import with_batch
from numrnn.layers import Add, CAddTable, Sigmoid
from numrnn.module import Module
from numrnn.recurrent.composite import CompositeRecurrent, flat_rows, only_rows, rows_like, without_padding
from numrnn.recurrent.lowering import Lowered
from numrnn.table import Array, add_tables, is_table, leaves, length_of, map_table, stack_steps, step_of


class Recurrent(CompositeRecurrent):
    r"""The plain recurrence, made of any modules.

    .. math::
        h_1 &= transfer(start(input(x_1))) \\
        h_t &= transfer(merge(input(x_t), feedback(h_{t-1})))

    Parameters
    ----------
    start : int or Module
        Number of hidden features, for a learned bias `Add(start)`; or a module.
    input : Module
        Turns the input into hidden features.
    feedback : Module
        Turns the last output into hidden features.
    transfer : Module, optional
        The nonlinearity; by default `Sigmoid()`.
    rho : int
        How many steps, besides the newest, are remembered for `backward`.
    merge : Module, optional
        Joins the table of both; by default `CAddTable()`.

    Notes
    -----
    A start state that is set takes the place of the start module: the first step is as the later ones then. To learn
    how a sequence starts is what the start module is for; `learn_start_state` adds nothing to it.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> rnn = nr.Recurrent(7, nr.LookupTable(10, 7), nr.Linear(7, 7))
    >>> rnn(np.array([1, 2, 3])).shape
    (3, 7)
    """

    progress = (*CompositeRecurrent.progress, "_starting_rows", "_sequence")

    def __init__(
        self,
        start: int | Module,
        input: Module,
        feedback: Module,
        transfer: Module | None = None,
        rho: int = 99999,
        merge: Module | None = None,
    ) -> None:
        super().__init__(rho)
        self.add_child("start", start if isinstance(start, Module) else Add(start))
        self.add_child("input", input)
        self.add_child("feedback", feedback)
        self.add_child("transfer", transfer if transfer is not None else Sigmoid())
        self.add_child("merge", merge if merge is not None else CAddTable())

    def _clear(self) -> None:
        super()._clear()
        self._sequence: dict[str, Any] = {}  # of the last forward_sequence, for its way back
        self._starting_rows = None  # rows that begin a new sequence at the next step, while others go on

    def forward_step(self, input: Any, state: Any) -> tuple[Any, list[Any], Any]:
        """Return (output, state, record) of one step."""
        flags = None if self._flags is None else self.flags_for(_rows_of(input), 1)
        if flags is None:
            mapped = self._children["input"].forward(input)
            return self._recur(*self._beginning(state, mapped), mapped)
        return self._masked_step(without_padding(input, flags[0] & masking.PADDING), state, flags[0])

    def _beginning(self, state: Any, mapped: Any) -> tuple[Any, Array | None]:
        """Return the state before a step, and rows that go through the start module: none if a start state was set."""
        starting = self._starting_rows
        if self._start_state is None or (state is not None and starting is None):
            return state, starting
        width = leaves(self._start_state)[0].shape[-1]
        first = self._fitted(self._start_state, [np.empty((*mapped.shape[:-1], width), mapped.dtype)])
        if state is not None:
            rest, first = first[0], [np.array(state[0])]
            first[0][starting] = rest[starting]
        return first, None

    def _masked_step(self, input: Any, state: Any, flags: Array) -> tuple[Any, list[Any], Any]:
        """Make a step with padding, and with rows that begin anew. Padding puts off the beginning of a row."""
        if (flags & masking.RESET).any() and state is not None:
            self._forget_own_rows(np.flatnonzero(flags & masking.RESET))
            state = self._state
        mapped = self._children["input"].forward(input)
        state, starting = self._beginning(state, mapped)
        pending = np.zeros(len(flags), bool)
        pending[slice(None) if state is None else starting] = state is None or starting is not None
        _, after, record = self._recur(state, starting, mapped)
        padding = flags & masking.PADDING
        held = (flags & masking.HOLD) * ~pending
        kept = np.where(rows_like(held, after[0]) != 0, 0 if state is None else state[0], after[0].dtype.type(0))
        after = [np.where(rows_like(padding, after[0]) != 0, kept, after[0])]
        waiting = np.flatnonzero((padding != 0) & (pending | (flags & masking.ZERO != 0)))
        self._starting_rows = waiting.astype(np.intp) if waiting.size else None
        record |= {"after": after, "input": input, "padding": padding, "held": held}
        return np.array(after[0]), after, record

    def _recur(self, state: Any, starting: Array | None, mapped: Any) -> tuple[Any, list[Any], Any]:
        """Make a step from what the input module gave."""
        start, _, feedback, transfer, merge = self.children()
        fed = None
        if state is None:
            merged = start.forward(mapped)
        else:
            fed = feedback.forward(state[0])
            merged = merge.forward([mapped, fed])
            if starting is not None:
                merged[starting] = start.forward(mapped[starting])
        output = transfer.forward(merged)
        self._starting_rows = None
        record = {"state": state, "mapped": mapped, "fed": fed, "merged": merged, "starting": starting}
        record |= {"after": [map_table(np.array, output)], "memory": self._children_memory(), "in_sequence": False}
        return output, record["after"], record

    def backward_step(self, record: Any, input: Any, grad_output: Any, grad_state: Any) -> tuple[Any, list[Any]]:
        """Return the gradients of the input and of the state before one step."""
        self._check_stepped(record)
        grad_mapped, grad_before = self._recur_back(record, grad_output, grad_state)
        grad_input = self._children["input"].update_grad_input(record.get("input", input), grad_mapped)
        record["memory"] = self._children_memory()
        return grad_input, grad_before

    def _recur_back(self, record: Any, grad_output: Any, grad_state: Any) -> tuple[Any, list[Any]]:
        """Return the gradients of what the input module gave and of the state before one step."""
        start, _, feedback, transfer, merge = self.children()
        self._restore_children_memory(record["memory"])
        mapped, state, starting = record["mapped"], record["state"], record["starting"]
        total, held = add_tables(grad_output, grad_state[0] if grad_state else None), None
        if "padding" in record:
            held = only_rows(total, record["held"]) if record["held"].any() else None
            total = only_rows(total, record["padding"] == 0)
        grad_merged = transfer.update_grad_input(record["merged"], total)
        grads = {"total": total, "merged": grad_merged, "start": grad_merged, "fed": None}
        grad_before = None
        if state is None:
            grads["mapped"] = start.update_grad_input(mapped, grad_merged)
        else:
            if starting is not None:
                grads["start"] = grad_merged[starting]
                grads["merged"] = grad_merged = grad_merged.copy()
                grad_merged[starting] = 0
            grads["mapped"], grads["fed"] = merge.update_grad_input([mapped, record["fed"]], grad_merged)
            if starting is not None:
                grads["mapped"] = np.array(grads["mapped"])
                grads["mapped"][starting] = start.update_grad_input(mapped[starting], grads["start"])
            grad_before = feedback.update_grad_input(state[0], grads["fed"])
        record["grads"], record["memory"] = grads, self._children_memory()
        return grads["mapped"], [add_tables(grad_before, held)]

    def accumulate_step(self, record: Any, input: Any, scale: float) -> None:
        """Let the modules add their parameters' gradients of one step."""
        self._accumulate_recurrence(record, scale)
        self._children["input"].acc_grad_parameters(record.get("input", input), record["grads"]["mapped"], scale)

    def _accumulate_recurrence(self, record: Any, scale: float) -> None:
        start, _, feedback, transfer, merge = self.children()
        self._restore_children_memory(record["memory"])
        grads, mapped, starting = record["grads"], record["mapped"], record["starting"]
        transfer.acc_grad_parameters(record["merged"], grads["total"], scale)
        if record["state"] is None:
            start.acc_grad_parameters(mapped, grads["start"], scale)
            return
        if starting is not None:
            start.acc_grad_parameters(mapped[starting], grads["start"], scale)
        merge.acc_grad_parameters([mapped, record["fed"]], grads["merged"], scale)
        feedback.acc_grad_parameters(record["state"][0], grads["fed"], scale)

    def _check_backward_inside(self, steps: int) -> None:
        start, input, feedback, transfer, merge = self.children()
        end = len(self._records) - self._gone_back
        fed = sum(record.get("state") is not None for record in self._records[end - steps : end])
        # the first step of a sequence goes through the start module instead of feedback and merge
        for child, count in ((start, steps - fed), (input, steps), (feedback, fed), (transfer, steps), (merge, fed)):
            if count:
                for inner in child._stepped_modules():
                    inner.check_backward(count)

    # ---- whole sequences -----------------------------------------------------------------------------------------

    def forward_sequence(self, input: Any) -> Any:
        """Run all steps: the input module at once, the recurrence as a fused loop if it has equations.

        With masks, all is stepped.
        """
        if self._flags is not None:
            return super().forward_sequence(input)
        self.check_input(step_of(input, 0))
        length, outputs = length_of(input), []
        mapped = self._children["input"].forward_sequence(input)
        lowered = self._lowered_for(mapped)
        # a step that begins a sequence, in some rows or all, goes through the start module
        state, starting = self._beginning(self._state, step_of(mapped, 0))
        stepped = length if lowered is None else int(state is None or starting is not None)
        for t in range(stepped):
            output, state, record = self._recur(state, starting if t == 0 else None, step_of(mapped, t))
            self._advance([record | {"in_sequence": True}], state)
            outputs.append(output)
        self._sequence = {"mapped": mapped, "lowered": lowered, "stepped": stepped, "tape": None}
        self._starting_rows = None
        if stepped < length:
            outputs += list(self._run_fused(lowered, mapped[stepped:], state))
        self._input_shapes = [leaf.shape[1:] for leaf in leaves(input)]
        return stack_steps(outputs)

    def _run_fused(self, lowered: Lowered, mapped: Array, state: list[Any]) -> Array:
        """Run steps as a loop from a state, and return their outputs."""
        (output,), tape = lowered.forward(with_batch(mapped), [flat_rows(state[0])], self.is_training)
        output = output.reshape(mapped.shape)
        records: list[Any] = [{}] * len(mapped)
        if tape is not None:
            records = [{"after": [h], "in_sequence": True} for h in tape.states[0][1:].reshape(mapped.shape)]
        self._sequence["tape"] = tape
        self._advance(records, [np.array(output[-1])])
        return output

    @property
    def over_time(self) -> str:
        """How a sequence is run."""
        width, known = self._planned_width(), any(program is not None for program in self._programs.values())
        if known or self._program(width, 2, (width,), None) is not None:
            return "input all steps at once, then one fused loop"
        return "input all steps at once, then step by step"

    def equations_of_step(self, recorder: Any, input: Any, states: list[Any]) -> list[Any]:
        """Run feedback, merge and transfer module on symbols; the input is what the input module gave."""
        _, _, feedback, transfer, merge = self.children()
        fed = recorder.run(feedback, states[0])
        return [recorder.run(transfer, recorder.run(merge, [recorder.symbol(input), fed]))]

    def _in_loop(self) -> list[Module]:
        return self.children()[2:]

    def _planned_width(self) -> int:
        """Return how many hidden features the start or the feedback module has, if it says so."""
        arrays = [array for child in self.children()[::2][:2] for _, array in child.named_parameters()]
        return arrays[0].shape[0] if arrays else 1

    def _lowered_for(self, mapped: Any) -> Lowered | None:
        if is_table(mapped) or mapped.ndim not in (2, 3) or mapped.dtype != self.dtype:
            return None
        return self._lowered(mapped[0], mapped.shape[-1:], None)

    def sequence_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Go back through a sequence."""
        if not self._is_whole(length_of(input)):
            return super().sequence_grad_input(input, grad_output)
        mapped, lowered, stepped, tape = (self._sequence[name] for name in ("mapped", "lowered", "stepped", "tape"))
        length, grads = length_of(input), []
        if tape is not None:
            arriving, rest = self._arriving_gradient(), mapped[stepped:]
            last = None if arriving is None else flat_rows(arriving[0])
            grad_x, before = lowered.backward(tape, with_batch(rest), [with_batch(grad_output[stepped:])], [last])
            self._went_back(length - stepped, [before[0].reshape(mapped.shape[1:])])
            grads += list(grad_x.reshape(rest.shape))[::-1]
        self._sequence["records"] = self._records[len(self._records) - length : len(self._records) - length + stepped]
        for t in reversed(range(stepped)):
            record = self._sequence["records"][t]
            grad_mapped, grad_before = self._recur_back(record, step_of(grad_output, t), self._arriving_gradient())
            self._went_back(1, grad_before)
            grads.append(grad_mapped)
        self._sequence["grads"] = stack_steps(grads[::-1])
        grad_input = self._children["input"].sequence_grad_input(input, self._sequence["grads"])
        self._sequence["memory"] = self._children["input"]._take_memory()
        return grad_input

    def sequence_acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Let the modules add their parameters' gradients of all steps."""
        if not self._records[-1]["in_sequence"]:
            super().sequence_acc_grad_parameters(input, grad_output, scale)
            return
        mapped, lowered, stepped, tape = (self._sequence[name] for name in ("mapped", "lowered", "stepped", "tape"))
        if tape is not None:
            lowered.accumulate(tape, with_batch(mapped[stepped:]), scale)
        for record in reversed(self._sequence["records"]):
            self._accumulate_recurrence(record, scale)
        self._children["input"]._restore_memory(self._sequence["memory"])
        self._children["input"].sequence_acc_grad_parameters(input, self._sequence["grads"], scale)
        self._accumulated += length_of(input)

    def mask_zero(self, n_input_dims: int | None = None) -> Recurrent:
        """Refuse: after padding a row begins with the start module, which only explicit masks can say."""
        hint = "set_masks and set_zero_mask take explicit masks; Recurrence and the cells have mask_zero"
        raise ValueError(complaint(self, "mask_zero()", "explicit masks", hint))

    # ---- rows that start anew ------------------------------------------------------------------------------------

    def get_hidden_state(self, step: int | None = None) -> Any:
        """Return a copy of the state after a step; see `AbstractRecurrent`. Without a start state, step 0 has None."""
        if (self.step - 1 if step is None else step) == 0 and None not in (self._start_state, self._state):
            return self._shown(self._fitted(self._start_state, self._state))
        return super().get_hidden_state(step)

    def _check_state(self, given: list[Any]) -> None:
        super()._check_state(given)
        if len(given) != 1 or not isinstance(given[0], np.ndarray) or given[0].ndim == 0:
            raise ValueError(complaint(self, f"{describe(given)} as a hidden state", "one array (..., features)"))

    def _forget_own_rows(self, rows: Any) -> None:
        chosen = self._checked_rows(rows)
        if not all(child.row_wise for child in self._children.values()):
            hint = "forget() starts anew in all rows"
            raise ValueError(complaint(self, "forget(rows=...)", "modules that treat rows one by one", hint))
        before = [] if self._starting_rows is None else self._starting_rows
        self._starting_rows = np.union1d(before, chosen).astype(np.intp)
        self._state = map_table(np.array, self._state)
        self._state[0][chosen] = 0
        self._cut(chosen)


def _rows_of(input: Any) -> Array:
    """Return something `(1, batch, ...)` with as many rows as the input."""
    return leaves(input)[0][np.newaxis]
