"""BiSequencer: a sequence seen from both ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.containers import check_not_shared
from numrnn.errors import complaint, describe
from numrnn.layers import JoinTable
from numrnn.layers.arrays import is_size
from numrnn.module import Module
from numrnn.random import generator
from numrnn.sequencer.abstract_sequencer import (
    SequenceModule,
    accumulate_part,
    part_back,
    remembering,
    run_part,
)
from numrnn.sequencer.reverse import backwards, masks_backwards
from numrnn.sequencer.sequencer import as_sequencer
from numrnn.table import add_tables, length_of, map_table


class BiSequencer(SequenceModule):
    """Two modules over a sequence, one from its first step to its last and one the other way, merged step by step.

    At every step, what the forward part has made of the steps so far and what the backward part has made of the steps
    from the last one on go through the merge module.

    Parameters
    ----------
    forward : Module
        A module of one step, which a `Sequencer` applies to every step, or a module over sequences, such as a
        `SeqLSTM` or a `Sequential` of several.
    backward : Module, optional
        The same for the other direction. Without it, a copy of `forward` with initial weights of its own.
    merge : Module or int, optional
        A module of one step, from a table `[forward output, backward output]` to the output; `JoinTable()`, which
        joins the features, if not given. A number n stands for `JoinTable(-n)`. The module sees the steps one after
        the other, and begins anew at every call.

    Notes
    -----
    Input and output are a table (list) of T steps or an array `(time, ...)`. Every call begins a new sequence, whatever
    `remember` says; only if the forward part itself was told to (`forward_part.remember()`), it goes on from one call
    to the next. Masks (`set_masks`) are those of the input's steps: the backward part is given them in its own order.
    Hidden states are tables of two: the forward part's, and the backward part's, whose newest one is that at the first
    step of the input.

    Raises
    ------
    TypeError
        If there is no `backward` and the weights of a module in `forward` cannot be drawn anew.
    ValueError
        If the modules share something that keeps what a forward leaves for its backward. In forward, if the sequence
        is empty or its steps differ in shape, or the outputs do not fit the merge module.
    RuntimeError
        In backward, after an earlier backward of the same forward, or in evaluate mode with recurrent modules inside.

    References
    ----------
    Schuster and Paliwal (1997), Bidirectional recurrent neural networks, section II.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> x = np.zeros((5, 3, 4), "float32")
    >>> nr.BiSequencer(nr.LSTM(4, 6))(x).shape
    (5, 3, 12)
    >>> nr.BiSequencer(nr.LSTM(4, 6), nr.GRU(4, 6), nr.CAddTable())(x).shape
    (5, 3, 6)
    """

    memory = ("_outputs", "_gradients_of_outputs")
    is_causal = False

    def __init__(self, forward: Module, backward: Module | None = None, merge: Module | int | None = None) -> None:
        super().__init__()
        if merge is None or is_size(merge):
            merge = JoinTable(-1 if merge is None else -merge)
        backward = redrawn(type(self).__name__, forward) if backward is None else backward
        parts = {"forward": as_sequencer(forward), "backward": as_sequencer(backward)}
        parts["merge"] = merge
        check_not_shared(type(self).__name__, parts.values())
        for name, part in parts.items():
            self.add_child(name, part)
        self._outputs: Any = None  # of both parts, what the merge module was given
        self._gradients_of_outputs: Any = None

    @property
    def forward_part(self) -> Module:
        """The module over sequences that goes forwards."""
        return self._children["forward"]

    @property
    def backward_part(self) -> Module:
        """The module over sequences that goes backwards; it is given reversed sequences."""
        return self._children["backward"]

    @property
    def merge(self) -> Module:
        """The module of one step that merges the outputs of both parts."""
        return self._children["merge"]

    def set_masks(self, mask: Any = None, reset: Any = None, zero: Any = None) -> None:
        """Give masks to the recurrent modules in both parts, for the steps in the order of the input."""
        masks = masks_backwards(self, mask, reset, zero)
        self.forward_part.set_masks(mask, reset, zero)
        self.backward_part.set_masks(*masks)

    # ---- one direction: what a part is given, and when its outputs count -----------------------------------------

    def _run(self, part: Module, sequence: Any) -> Any:
        """Return the output of a part at all steps of a sequence, in its own order."""
        return run_part(part, sequence)

    def _back(self, part: Module, sequence: Any, grad_output: Any) -> Any:
        """Return the gradients of all steps."""
        return part_back(part, sequence, grad_output)

    def _accumulate(self, part: Module, sequence: Any, grad_output: Any, scale: float) -> None:
        """Let the part add its parameters' gradients."""
        accumulate_part(part, sequence, grad_output, scale)

    # ---- both ----------------------------------------------------------------------------------------------------

    def run_sequence(self, sequence: Any) -> Any:
        """Return the merged outputs of all steps."""
        self.backward_part.forget()
        self.merge.forget()
        ahead = self._run(self.forward_part, sequence)
        self._outputs = [ahead, backwards(self._run(self.backward_part, backwards(sequence)))]
        with remembering(length_of(sequence), self.merge):
            return self.merge.forward_sequence(self._outputs)

    def sequence_back(self, sequence: Any, grad_output: Any) -> Any:
        """Return the sums of the gradients that both parts give."""
        ahead, behind = self.merge.sequence_grad_input(self._outputs, grad_output)
        self._gradients_of_outputs = [ahead, backwards(behind)]
        ahead, behind = self._gradients_of_outputs
        grad_input = self._back(self.forward_part, sequence, ahead)
        return add_tables(grad_input, backwards(self._back(self.backward_part, backwards(sequence), behind)))

    def accumulate_sequence(self, sequence: Any, grad_output: Any, scale: float) -> None:
        """Let the parts and the merge module add their parameters' gradients."""
        self.merge.sequence_acc_grad_parameters(self._outputs, grad_output, scale)
        ahead, behind = self._gradients_of_outputs
        self._accumulate(self.forward_part, sequence, ahead, scale)
        self._accumulate(self.backward_part, backwards(sequence), behind, scale)

    def _with_states(self) -> Any:
        return [self.forward_part, self.backward_part]


class BiSequencerLM(BiSequencer):
    """A `BiSequencer` whose output at a step depends on all steps but this one, for language models.

    At step t, the output of the forward part after step t - 1 and that of the backward part after step t + 1 are
    merged; before the first step and after the last one stand zeros.

    Parameters
    ----------
    forward, backward, merge : Module
        See `BiSequencer`.

    Notes
    -----
    See `BiSequencer`. The forward part does not see the last step of a sequence, nor the backward part the first one.

    Raises
    ------
    ValueError
        In forward, if the sequence has fewer than two steps; in `set_masks`, if rows are to begin anew.
    TypeError, RuntimeError
        See `BiSequencer`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> model, x = nr.BiSequencerLM(nr.LSTM(4, 6)), np.zeros((5, 3, 4), "float32")
    >>> y = model(x)
    >>> x[2] = 1
    >>> bool(np.array_equal(model(x)[2], y[2]))
    True
    """

    def check_input(self, input: Any) -> None:
        """Expect a sequence of at least two steps."""
        super().check_input(input)
        if len(input) < 2:
            raise ValueError(complaint(self, describe(input), "a sequence of at least two steps"))

    def set_masks(self, mask: Any = None, reset: Any = None, zero: Any = None) -> None:
        """Give masks to the recurrent modules in both parts; rows cannot begin anew within a sequence."""
        if reset is not None:
            hint = "An output before such a step would be merged into it"
            raise ValueError(complaint(self, "rows that begin anew (reset)", "masks of padding only", hint))
        super().set_masks(mask, reset, zero)

    def _run(self, part: Module, sequence: Any) -> Any:
        """Return zeros, and the outputs of all steps but the last."""
        return map_table(_after_zeros, run_part(part, _but_last(sequence)))

    def _back(self, part: Module, sequence: Any, grad_output: Any) -> Any:
        """Return the gradients of all steps, zeros for the last."""
        grad_input = part_back(part, _but_last(sequence), _but_first(grad_output))
        return map_table(_before_zeros, grad_input)

    def _accumulate(self, part: Module, sequence: Any, grad_output: Any, scale: float) -> None:
        accumulate_part(part, _but_last(sequence), _but_first(grad_output), scale)


def _but_last(sequence: Any) -> Any:
    return map_table(lambda array: None if array is None else array[:-1], sequence)


def _but_first(sequence: Any) -> Any:
    return map_table(lambda array: None if array is None else array[1:], sequence)


def _after_zeros(array: Any) -> Any:
    return None if array is None else np.concatenate([np.zeros_like(array[:1]), array])


def _before_zeros(array: Any) -> Any:
    return None if array is None else np.concatenate([array, np.zeros_like(array[:1])])


def redrawn(owner: str, module: Module) -> Module:
    """Return a copy of a module with initial weights and random numbers of its own, at the start of a sequence.

    Raises
    ------
    TypeError
        If it is no module, or the weights of something in it cannot be drawn anew.
    """
    if not isinstance(module, Module):
        raise TypeError(complaint(owner, describe(module), "a Module for the forward direction"))
    copy = module.clone()
    for part in copy.modules():
        if part._parameters and not hasattr(part, "reset"):
            got = f"no module for the backward direction, and {part!r}, whose weights cannot be drawn anew"
            raise TypeError(complaint(owner, got, "a module for the backward direction, or a method reset in each"))
    for part in copy.modules():
        part.__dict__.update({k: generator() for k, v in vars(part).items() if isinstance(v, np.random.Generator)})
        if part._parameters:
            part.reset()
    copy.zero_grad_parameters()
    copy.forget()
    return copy
