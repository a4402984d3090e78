"""AbstractRecurrent: a module for which successive `forward` calls are successive time steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu import masking
from numrnn.module import Module
from numrnn.table import Array, is_table, leaves, length_of, map_table, stack_steps, step_of


class AbstractRecurrent(Module):
    """Base class of modules with a state.

    In training mode the last `rho + 1` steps are remembered, and `backward` goes back through them, one step a call,
    the newest first. Every `forward` puts it back to the newest step. In evaluate mode only the last state is kept.

    A subclass writes `initial_state`, `forward_step`, `backward_step`, `accumulate_step` and `state_after`.

    Parameters
    ----------
    rho : int
        How many steps, besides the newest, are remembered.

    Attributes
    ----------
    step : int
        Number of the next step: 1 at the start of a sequence.
    """

    keeps_steps = True
    row_axes: int = 1
    """Number of axes of a row's input."""
    progress: tuple[str, ...] = (
        "step",
        "_state",
        "_gone_back",
        "_accumulated",
        "_grad_state",
        "_grad_states",
        "_flags_used",
        "_began_as_learned",
    )
    """Names of the attributes that tell how far a sequence has come; subclasses add theirs."""

    def __init__(self, rho: int = 99999) -> None:
        super().__init__()
        self.rho = self._checked_rho(rho)
        self._start_state: list[Any] | None = None
        self._last_gradient: list[Any] | None = None
        self._zeros_are_padding = False
        self._flags: Array | None = None  # (time, batch) of the coming steps, see `kernels.cpu.masking`
        self._clear()

    def _checked_rho(self, rho: int) -> int:
        if isinstance(rho, bool) or not isinstance(rho, int | np.integer) or rho < 1:
            raise ValueError(complaint(type(self).__name__, f"rho = {rho!r}", "a whole number of steps >= 1"))
        return int(rho)

    def _clear(self) -> None:
        self.__dict__.update(
            step=1,
            _flags_used=0,  # steps that have taken their row of flags
            _state=None,  # after the newest step, a list; None at the start of a sequence
            _records=[],  # of the remembered steps, oldest first
            _cuts={},  # step number: rows that started anew before it
            _began_as_learned=False,  # whether the sequence began with start states that are learned
        )
        self._rewind()

    def _rewind(self) -> None:
        """Put backward back to the newest step."""
        self.__dict__.update(
            _gone_back=0,  # steps that update_grad_input has done
            _accumulated=0,  # and acc_grad_parameters
            _grad_state=None,  # arriving from the step that was done last, a list
            _grad_states={},  # by the number of the step after which the state is
            _cut_gradients={},  # what rows that began anew have, by the number of their step
        )

    # ---- masks ---------------------------------------------------------------------------------------------------

    def mask_zero(self, n_input_dims: int | None = None) -> AbstractRecurrent:
        """Take rows of the input that are all zero for padding; return the module.

        On padding the output and the state are zero, so that the row begins anew at its next step, and no gradient
        crosses. With masks given by `set_masks` or `set_zero_mask`, what the input holds plays no role.

        Parameters
        ----------
        n_input_dims : int, optional
            Number of axes of a row's input, which the module knows.
        """
        if n_input_dims not in (None, self.row_axes):
            expects = f"{self.row_axes}, the number of axes of a row's input"
            raise ValueError(complaint(self, f"mask_zero({n_input_dims!r})", expects))
        self._zeros_are_padding = True
        return self

    def trim_zero(self, n_input_dims: int | None = None) -> AbstractRecurrent:
        """Do as `mask_zero` does: padding at the end of a batch is not computed anyway."""
        return self.mask_zero(n_input_dims)

    def set_masks(self, mask: Any = None, reset: Any = None, zero: Any = None) -> None:
        """Say which rows are treated apart at which of the coming steps, counted from the next start of a sequence.

        Each argument is an array of booleans, `(time, batch)`, or `(time,)` for lone samples. What is in the padded
        rows of an input or a gradient is never looked at. A call without arguments takes all masks back.

        Parameters
        ----------
        mask : array, optional
            Padding: the state, and with it the output, stays what it was.
        reset : array, optional
            The row begins anew at this step: the state before it is the start state, and no gradient crosses.
        zero : array, optional
            Padding: the state and the output are zero, so that the row begins anew at its next step.

        Raises
        ------
        TypeError, ValueError
            If the arrays are not booleans of one shape. In forward, if a sequence has another batch size, or more
            steps than the masks.
        """
        self._flags, self._flags_used = combined_flags(self, mask, reset, zero), 0
        super().set_masks(mask, reset, zero)

    def flags_for(self, input: Array, steps: int) -> Array | None:
        """Return the flags `(steps, batch)` of the next steps, of this input `(steps, batch, D)`; None if all are 0."""
        if self._flags is None:
            if not self._zeros_are_padding:
                return None
            padding = ~input.reshape(*input.shape[:2], -1).any(-1)
            return padding.astype(np.uint8) * masking.ZERO if padding.any() else None
        flags = self._flags[self._flags_used : self._flags_used + steps]
        if flags.shape != input.shape[:2]:
            got = f"{steps} step(s) with a batch of {input.shape[1]}, after {self._flags_used} with masks"
            expects = f"no more than the masks are for: {len(self._flags)} steps of {self._flags.shape[1]} rows"
            raise ValueError(complaint(self, got, expects, "set_masks() takes the masks back"))
        return np.ascontiguousarray(flags) if flags.any() else None

    # ---- what a subclass writes ----------------------------------------------------------------------------------

    def initial_state(self, input: Any) -> list[Any] | None:
        """Return the state before the first step, for an input of this batch size."""
        raise NotImplementedError

    def forward_step(self, input: Any, state: Any) -> tuple[Any, list[Any], Any]:
        """Return (output, new state, record): a record is what `backward_step` needs."""
        raise NotImplementedError

    def backward_step(
        self, record: Any, input: Any, grad_output: Any, grad_state: list[Any] | None
    ) -> tuple[Any, list[Any]]:
        """Return the gradients of the input and of the state before the step (None counts as zero)."""
        raise NotImplementedError

    def accumulate_step(self, record: Any, input: Any, scale: float) -> None:
        """Add the parameters' gradients of one step, after its `backward_step`."""
        raise NotImplementedError

    def state_after(self, record: Any) -> list[Any]:
        """Return the state after a remembered step."""
        raise NotImplementedError

    # ---- steps ---------------------------------------------------------------------------------------------------

    def update_output(self, input: Any) -> Any:
        """Make one step."""
        self._note_beginning()
        state = self._state if self._state is not None else self._first_state(input)
        output, new_state, record = self.forward_step(input, state)
        self._advance([record], new_state)
        return output

    def _first_state(self, input: Any) -> list[Any] | None:
        zeros = self.initial_state(input)
        if self._start_state is None or zeros is None:
            return zeros
        return self._fitted(self._start_state, zeros)

    def _fitted(self, given: Any, like: Any) -> Any:
        """Return `given` in the shape of `like`; a state without a batch axis serves all rows."""
        if given is None:
            return like
        if is_table(like):
            if not is_table(given) or len(given) != len(like):
                raise ValueError(complaint(self, f"{describe(given)} as a hidden state", f"a table of {len(like)}"))
            return [self._fitted(g, element) for g, element in zip(given, like, strict=True)]
        if given.shape not in (like.shape, like.shape[1:]) and like.shape != (1, *given.shape):
            expects = f"shape {like.shape} for this input's batch"
            raise ValueError(complaint(self, f"a hidden state or its gradient of shape {given.shape}", expects))
        return np.array(np.broadcast_to(given, like.shape), dtype=like.dtype)

    def _advance(self, records: list[Any], state: list[Any], remembered: int = 0) -> None:
        """Note that steps were made, of which `remembered`, or as many as `rho` says, are remembered."""
        self._state = state
        self.__dict__["step"] += len(records)
        self._flags_used += len(records)
        if self.is_training:
            self._records += records
            del self._records[: -(remembered or self.rho + 1)]
            if self._cuts:
                oldest = self.step - len(self._records)
                self._cuts = {number: rows for number, rows in self._cuts.items() if number >= oldest}
        else:
            self._records, self._cuts = [], {}
        self._rewind()

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Go one step back."""
        self.check_backward()
        record = self._records[-1 - self._gone_back]
        grad_input, grad_state = self.backward_step(record, input, grad_output, self._arriving_gradient())
        self._went_back(1, grad_state)
        return grad_input

    def _arriving_gradient(self) -> list[Any] | None:
        """Return the gradient that the state after the next step to go back through receives from later steps."""
        if self._gone_back > 0:
            return self._grad_state
        if self._last_gradient is None or self._state is None:
            return None
        return self._fitted(self._last_gradient, self._state)

    def _went_back(self, steps: int, grad_state: list[Any]) -> None:
        """Note that backward has reached the state before a step, with this gradient."""
        self._gone_back += steps
        number = self.step - self._gone_back  # of the step that was just done
        if number in self._cuts:
            grad_state = map_table(np.array, grad_state)
            rows = self._cuts[number]
            self._cut_gradients[number] = map_table(lambda gradient: _taken_rows(gradient, rows), grad_state)
        self._grad_state = self._grad_states[number - 1] = grad_state

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Add the parameters' gradients of the step that `update_grad_input` went back through."""
        if self._accumulated >= self._gone_back:
            raise RuntimeError(complaint(self, "acc_grad_parameters", "update_grad_input of the same step first"))
        self.accumulate_step(self._records[-1 - self._accumulated], input, scale)
        self._accumulated += 1

    def check_backward(self, steps: int = 1) -> None:
        """Raise a RuntimeError if `backward` cannot go back `steps` more steps."""
        if not self.is_training:
            raise RuntimeError(complaint(self, "backward in evaluate mode", "training mode, which remembers the steps"))
        left = len(self._records) - self._gone_back
        if steps > left:
            got = f"backward through {steps} more step(s) with {left} left"
            hint = f"Of {self.step - 1} steps made, at most rho + 1 = {self.rho + 1} are remembered"
            raise RuntimeError(complaint(self, got, "at most one backward for every forward", hint))
        self._check_backward_inside(steps)

    def _check_backward_inside(self, steps: int) -> None:
        """Raise a RuntimeError if a recurrent module in here cannot go back `steps` more steps."""
        for child in self._children.values():
            for inner in child._stepped_modules():
                inner.check_backward(steps)

    def sequence_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Go back through all steps of `input`, one by one."""
        steps = range(length_of(input))
        grads = [self.update_grad_input(step_of(input, t), step_of(grad_output, t)) for t in reversed(steps)]
        return stack_steps(grads[::-1])

    def sequence_acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Add the parameters' gradients of all steps of `input`, one by one."""
        for t in reversed(range(length_of(input))):
            self.acc_grad_parameters(step_of(input, t), step_of(grad_output, t), scale)

    # ---- sequences -----------------------------------------------------------------------------------------------

    def forget(self, rows: Any = None) -> None:
        """Start a new sequence, in all rows of the batch or in `rows` only.

        The other rows go on, and gradients flow back as usual in them; in `rows` they stop at this point.

        Raises
        ------
        IndexError
            If a row is not in the batch.
        """
        if rows is None:
            self._clear()
        elif self._state is not None:
            chosen = self._checked_rows(rows)
            self._begin_anew(chosen, self._first_state(self._state_as_input()))
        super().forget(rows)

    def _begin_anew(self, rows: Array, fresh: list[Any]) -> None:
        """Let some rows go on from a fresh state, without a gradient to what was before."""
        self._state = map_table(np.array, self._state)
        map_table(lambda state, start: state.__setitem__(rows, start[rows]), self._state, fresh)
        self._cut(rows)

    def take_rows(self, rows: Any) -> None:
        """Go on with other rows of the batch, as a beam search does: row k goes on from what row `rows[k]` is.

        Rows may come several times or not at all, so that the batch may grow and shrink. `backward` cannot go back
        behind this.

        Parameters
        ----------
        rows : sequence of int
            Row numbers of the current batch.

        Raises
        ------
        IndexError
            If a row is not in the batch.

        Examples
        --------
        >>> import numpy as np, numrnn as nr
        >>> rnn = nr.GRU(4, 6).evaluate()
        >>> y = rnn(np.zeros((2, 4), "float32"))
        >>> rnn.take_rows([0, 0, 1])
        >>> rnn(np.zeros((3, 4), "float32")).shape
        (3, 6)
        """
        if self._state is None:
            return
        chosen = self._checked_rows(rows)
        self._state = map_table(lambda state: state[chosen], self._state)
        self._records, self._cuts = [], {}
        self._rewind()
        self._rows_taken(chosen)
        super().take_rows(rows)

    def _rows_taken(self, rows: Array) -> None:
        """Note that the batch is made of other rows now. Subclasses extend this."""

    def _state_as_input(self) -> Any:
        """Return something with the batch size of the current sequence, for `initial_state`."""
        return self._state[0]

    def _cut(self, rows: Any) -> None:
        """Let no gradient flow from the next step to the last one in these rows."""
        self._cuts[self.step] = np.union1d(self._cuts.get(self.step, []), rows).astype(np.intp)

    def _checked_rows(self, rows: Any) -> Array:
        batch = self._batch_size()
        chosen = np.asarray(rows)
        if chosen.dtype == bool or (chosen.size and not np.issubdtype(chosen.dtype, np.integer)):
            raise TypeError(complaint(self, f"rows {describe(chosen)}", "row numbers (integers)"))
        chosen = np.atleast_1d(chosen).astype(np.intp)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= batch):
            raise IndexError(complaint(self, f"rows {chosen.tolist()}", f"rows of a batch of {batch}, counted from 0"))
        return chosen

    def _batch_size(self) -> int:
        """Return the number of rows in the current sequence."""
        return len(self._state[0])

    def get_hidden_state(self, step: int | None = None) -> Any:
        """Return a copy of the state after a step.

        Parameters
        ----------
        step : int, optional
            Number of the step, from 1; 0 is the start state (None if it is zero and no step was made yet). Without
            it, the newest.

        Returns
        -------
        array, or list of arrays
            One array for a module with one state, a list such as `[h, c]` otherwise.

        Raises
        ------
        IndexError
            If that step is not remembered.
        """
        number = self.step - 1 if step is None else step
        if number == 0:
            if self._state is None:
                return self._shown(self._start_state)
            return self._shown(self._first_state(self._state_as_input()))
        if number == self.step - 1:
            return self._shown(self._state)
        oldest = self.step - len(self._records)
        if not oldest <= number < self.step:
            expects = f"a step from {oldest} to {self.step - 1}, or 0"
            raise IndexError(complaint(self, f"the hidden state of step {number}", expects))
        return self._shown(self.state_after(self._records[number - oldest]))

    def set_hidden_state(self, step: int, state: Any) -> None:
        """Set the start state (step 0) or the state after the newest step.

        A start state stays for all later sequences; None takes it back. A state set after the newest step is where
        the next step starts from; no gradient flows from there to the steps before.

        Raises
        ------
        IndexError
            If `step` is neither 0 nor the newest.
        ValueError, TypeError
            If the state does not fit.
        """
        self.check_hidden_state(step, state)
        if step == 0:
            self._start_state = None if state is None else self._listed(state)
        else:
            self._state = self._fitted(self._listed(state), self._state)
            self._cut(np.arange(self._batch_size()))

    def check_hidden_state(self, step: int, state: Any) -> None:
        """Raise an error if `set_hidden_state` would refuse its arguments."""
        if step not in (0, self.step - 1):
            raise IndexError(complaint(self, f"step {step}", f"0 or the newest step ({self.step - 1})"))
        if step and state is None:
            raise TypeError(complaint(self, "None", f"the state after step {step}"))
        if state is not None:
            self._check_state(self._listed(state))
            if step:
                self._fitted(self._listed(state), self._state)

    def set_start_state(self, state: Any) -> None:
        """Set the state that every sequence starts with; None takes it back. This is `set_hidden_state(0, state)`."""
        self.set_hidden_state(0, state)

    def get_grad_hidden_state(self, step: int | None = None) -> Any:
        """Return the gradient that the state after a step received from later steps, in the last `backward` calls.

        Parameters
        ----------
        step : int, optional
            Number of the step; 0 is the start state. Without it, the newest.

        Raises
        ------
        IndexError
            If `backward` has not come back to it.
        """
        number = self.step - 1 if step is None else step
        if number == self.step - 1:
            arriving = self._last_gradient
            return self._shown(None if arriving is None else self._fitted(arriving, self._state))
        if number not in self._grad_states:
            expects = f"one of the steps that backward has reached ({sorted(self._grad_states)})"
            raise IndexError(complaint(self, f"the gradient of the hidden state of step {number}", expects))
        return self._shown(self._grad_states[number])

    def set_grad_hidden_state(self, step: int | None, gradient: Any) -> None:
        """Set the gradient that the newest state receives from outside (from a decoder, say).

        It stays for all later sequences; None takes it back.

        Raises
        ------
        IndexError
            If `step` is not the newest.
        ValueError, TypeError
            If the gradient does not fit.
        """
        self.check_grad_hidden_state(step, gradient)
        self._last_gradient = None if gradient is None else self._listed(gradient)
        self._rewind()

    def check_grad_hidden_state(self, step: int | None, gradient: Any) -> None:
        """Raise an error if `set_grad_hidden_state` would refuse its arguments."""
        if step not in (None, self.step - 1):
            raise IndexError(complaint(self, f"step {step}", f"the newest step ({self.step - 1})"))
        if gradient is not None:
            self._check_state(self._listed(gradient))
            if self._state is not None:
                self._fitted(self._listed(gradient), self._state)

    def _listed(self, state: Any) -> list[Any]:
        """Return a state given by the user as a list of copies."""
        given = list(state) if is_table(state) else [state]
        return map_table(lambda array: None if array is None else np.array(array), given)

    def _check_state(self, given: list[Any]) -> None:
        """Raise an error if `given` cannot be a state of this module. Subclasses extend this."""
        for leaf in leaves(given):
            if leaf is not None and leaf.dtype.kind not in "fiu":
                raise TypeError(complaint(self, f"a hidden state of {describe(leaf)}", "arrays of numbers"))

    def _shown(self, state: list[Any] | None) -> Any:
        """Return a state as users see it."""
        if state is None:
            return None
        copies = map_table(lambda array: None if array is None else np.array(array), state)
        return copies[0] if len(copies) == 1 else copies

    # ---- start states that are learned ---------------------------------------------------------------------------

    learns_start_state = False
    """Whether the start state is a parameter."""

    def _add_start_parameters(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Add a parameter `start_NAME` of zeros for each state that has none yet."""
        for name, shape in shapes.items():
            if f"start_{name}" not in self._parameters:
                self.add_parameter(f"start_{name}", np.zeros(shape, self.dtype))
        self.learns_start_state = True

    def _learned_starts(self) -> list[Array]:
        return [array for name, array in self._parameters.items() if name.startswith("start_")]

    def _note_beginning(self) -> None:
        if self._state is None:
            self._began_as_learned = self.learns_start_state and self._start_state is None

    def _accumulate_starts(self, number: int, scale: float) -> None:
        """Add the gradients that learned start states receive at the sequence's step `number`."""
        gradients = self._grad_states[0] if number == 1 else self._cut_gradients.get(number)
        if not self._began_as_learned or gradients is None:
            return
        names = [name for name in self._gradients if name.startswith("start_")]
        for name, gradient in zip(names, leaves(gradients), strict=True):
            own = self._gradients[name]
            own += gradient.dtype.type(scale) * gradient.reshape(-1, *own.shape).sum(0)

    # ---- upkeep --------------------------------------------------------------------------------------------------

    def _timeless_modules(self) -> Iterator[Module]:
        return iter(())

    def _stepped_modules(self) -> Iterator[Module]:
        yield self

    def _stateful_modules(self) -> Iterator[Module]:
        yield self

    def _snapshot(self) -> Any:
        own = {name: self.__dict__[name] for name in self.progress}
        own["_records"], own["_cuts"] = list(self._records), dict(self._cuts)
        return own, super()._snapshot()

    def _rollback(self, snapshot: Any) -> None:
        own, rest = snapshot
        self.__dict__.update(own)
        super()._rollback(rest)


def _taken_rows(gradient: Any, rows: Array) -> Any:
    """Return the gradient of some rows, and set it to zero."""
    if gradient is None:
        return None
    taken = gradient[rows]
    gradient[rows] = 0
    return taken


def combined_flags(owner: object, mask: Any, reset: Any, zero: Any) -> Array | None:
    """Return three masks as one array of flags, `(time, batch)`."""
    flags: Array | None = None
    for given, flag in ((mask, masking.HOLD), (reset, masking.RESET), (zero, masking.ZERO)):
        if given is None:
            continue
        array = np.asarray(given)
        if array.dtype != bool or array.ndim not in (1, 2):
            expects = "masks that are arrays of booleans, (time, batch) or (time,)"
            raise TypeError(complaint(owner, describe(array), expects))
        array = array.reshape(len(array), -1)
        if flags is not None and array.shape != flags.shape:
            raise ValueError(complaint(owner, f"masks of shapes {flags.shape} and {array.shape}", "masks of one shape"))
        flags = array * np.uint8(flag) | (np.uint8(0) if flags is None else flags)
    return flags
