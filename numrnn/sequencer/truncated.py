"""TruncatedSequencer: backpropagation through time in windows that may overlap."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint
from numrnn.layers.arrays import is_size
from numrnn.module import Module
from numrnn.recurrent import AbstractRecurrent
from numrnn.sequencer.abstract_sequencer import remembering
from numrnn.sequencer.sequencer import Sequencer
from numrnn.table import add_tables, length_of, map_table


class TruncatedSequencer(Sequencer):
    """A `Sequencer` whose gradients go back through windows: every so many steps, through the last so many.

    After `every` steps, the gradients of the outputs since the last time flow back through the `back` newest steps,
    and no further. With `back` larger than `every` the windows overlap, so that each output's gradient flows through
    at least `back - every + 1` steps; with both equal, the sequence is cut into pieces. The gradients of all windows
    are added up. That is what a loop over steps does that calls `backward` `back` times after every `every` calls of
    `forward`, while all parameters stay as they are.

    Parameters
    ----------
    module : Module
        A module of one step; see `Sequencer`.
    every : int
        Number of steps between two windows' ends.
    back : int, optional
        Number of steps of a window, at least `every`; as many as that, if not given.

    Notes
    -----
    The steps of a window are computed again on the way back, from the state that it began with: memory is that of the
    sequence, and time grows with `back / every`. Random numbers, and running averages, are those of the first time.

    Raises
    ------
    ValueError
        If `every` is less than 1, or `back` less than `every`.

    References
    ----------
    Williams and Peng (1990), An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories: BPTT(h; h').

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> model, x = nr.TruncatedSequencer(nr.GRU(4, 6), every=2, back=5), np.ones((9, 3, 4), "float32")
    >>> model.backward(x, model(x)).shape
    (9, 3, 4)
    """

    memory = (*Sequencer.memory, "_places", "_shares")

    def __init__(self, module: Module, every: int, back: int | None = None) -> None:
        super().__init__(module)
        back = every if back is None else back
        if not is_size(every) or not is_size(back) or back < every:
            expects = "whole numbers of steps, at least 1 and at least as many back"
            raise ValueError(complaint(type(self).__name__, f"every={every!r}, back={back!r}", expects))
        self.every, self.back = int(every), int(back)
        self._places: dict[int, Any] = {}  # by the number of a step: what was there before it
        self._shares: list[np.ndarray] = []  # of the parameters' gradients, from the last way back

    def _windows(self, length: int) -> list[tuple[int, int, int]]:
        """Return (first step, first step whose output counts, end) of each window."""
        ends = [*range(self.every, length, self.every), length]
        return [(max(0, end - self.back), end - (end - 1) % self.every - 1, end) for end in ends]

    def _is_plain(self, input: Any) -> bool:
        return super()._is_plain(input) and not self.is_training

    def run_sequence(self, sequence: Any) -> Any:
        """Return the outputs of all steps."""
        if not self.is_training:
            return super().run_sequence(sequence)
        if not self.remembers:
            self.module.forget()
        length, outputs = length_of(sequence), []
        starts = sorted({first for first, _, _ in self._windows(length)})
        self._places = {}
        with remembering(length, self.module):
            for start, stop in zip(starts, [*starts[1:], length], strict=True):
                self._places[start] = self.module._snapshot()
                outputs.append(self.module.forward_sequence(_part(sequence, start, stop)))
        return map_table(lambda *pieces: np.concatenate(pieces), *outputs)

    def sequence_back(self, sequence: Any, grad_output: Any) -> Any:
        """Return the sums of the gradients that all windows give."""
        module, newest = self.module, self.module._snapshot()
        gradients = [owner._gradients[name] for _, owner, name in module._slots()]
        before = [gradient.copy() for gradient in gradients]
        for gradient in gradients:
            gradient.fill(0)
        total = map_table(lambda leaf: np.zeros(leaf.shape, leaf.dtype), sequence)
        recurrent = [part for part in module.modules() if isinstance(part, AbstractRecurrent)]
        arrived: list[dict[int, Any]] = [{} for _ in recurrent]
        for first, counted, end in reversed(self._windows(length_of(sequence))):
            module._rollback(self._places[first])
            x, grad = _part(sequence, first, end), _part(grad_output, first, end)
            grad = map_table(lambda leaf, skipped=counted - first: _without_first(leaf, skipped), grad)
            with remembering(end - first, module):
                module.forward_sequence(x)
                found = module.sequence_grad_input(x, grad)
                module.sequence_acc_grad_parameters(x, grad)
            if first == 0:
                for part, own in zip(recurrent, arrived, strict=True):
                    start = part.step - 1 - end
                    own[start] = add_tables(own.get(start), part._grad_states.get(start))
            total = map_table(lambda all, own, place=slice(first, end): _added(all, own, place), total, found)
        module._rollback(newest)
        for part, own in zip(recurrent, arrived, strict=True):
            part._grad_states = {start: gradient for start, gradient in own.items() if gradient is not None}
        self._shares = [gradient.copy() for gradient in gradients]
        for gradient, old in zip(gradients, before, strict=True):
            gradient[...] = old
        return total

    def accumulate_sequence(self, sequence: Any, grad_output: Any, scale: float) -> None:
        """Add the parameters' gradients that all windows gave."""
        slots = list(self.module._slots())
        for (_, owner, name), share in zip(slots, self._shares, strict=True):
            owner._gradients[name] += share.dtype.type(scale) * share

    def describe_arguments(self) -> str:
        """Return the module and the windows."""
        return f"{self.module!r}, every={self.every}, back={self.back}"


def _part(sequence: Any, start: int, stop: int) -> Any:
    return map_table(lambda array: None if array is None else array[start:stop], sequence)


def _without_first(gradient: Any, steps: int) -> Any:
    """Return a gradient in which the first steps are zero."""
    if gradient is None or steps == 0:
        return gradient
    gradient = np.array(gradient)
    gradient[:steps] = 0
    return gradient


def _added(total: Any, own: Any, place: slice) -> Any:
    if own is None:
        return None
    total[place] += own
    return total
