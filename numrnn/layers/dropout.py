"""Dropout.

Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014); scaled while
training, as in the original's second version, so that nothing is to be done afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint
from numrnn.layers.arrays import check_float_array
from numrnn.module import Module
from numrnn.random import generator


class Dropout(Module):
    """In training mode, set each element to 0 with probability p, and multiply the others by 1 / (1 - p).

    In evaluate mode the output is a copy of the input.

    Parameters
    ----------
    p : float
        Probability of an element to be dropped, 0 <= p < 1.
    lazy : bool
        Whether one mask serves all steps of a sequence, until `forget` (variational dropout, Gal and Ghahramani
        2016); otherwise every step draws its own.
    mono : bool
        Whether one row of the mask serves the whole batch.
    rng : numpy.random.Generator or int, optional
        Where the masks are drawn from; without it, a stream of its own from `numrnn.seed`.
    v1 : bool
        Whether to multiply with 1 - p in evaluate mode, as in the first paper, instead of with 1 / (1 - p) in training.

    Attributes
    ----------
    noise : numpy.ndarray or None
        What the last input was multiplied with, for each element; None in evaluate mode, if that was nothing.

    Raises
    ------
    ValueError
        If p is not in [0, 1).

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> dropout = nr.Dropout(0.5, rng=0)
    >>> sorted(set(dropout(np.ones((20, 4), "float32")).ravel().tolist()))
    [0.0, 2.0]
    >>> dropout.evaluate()(np.ones(3, "float32")).tolist()
    [1.0, 1.0, 1.0]
    """

    memory = ("noise",)
    # A sequence draws the numbers that its steps would draw one after the other.
    row_wise = True

    def __init__(
        self,
        p: float = 0.5,
        lazy: bool = False,
        mono: bool = False,
        rng: np.random.Generator | int | None = None,
        v1: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(complaint("Dropout", f"p={p!r}", "a probability, 0 <= p < 1"))
        self.p = float(p)
        self.lazy, self.mono, self.v1 = bool(lazy), bool(mono), bool(v1)
        self.rng = generator(rng)
        self.noise: np.ndarray | None = None
        self._lasting: np.ndarray | None = None  # the mask of a lazy one, until it is told to forget

    def check_input(self, input: Any) -> None:
        """Expect one float array of any shape; for a lazy one, that of the steps before."""
        check_float_array(self, input)
        self._check_lasting(input.shape)

    def _check_lasting(self, shape: tuple[int, ...]) -> None:
        if self._lasting is not None and self.is_training and self._shape(shape) != self._lasting.shape:
            expects = f"the shape of the mask that serves all steps, {self._lasting.shape}"
            raise ValueError(complaint(self, f"a step of shape {shape}", expects, "forget() starts a new sequence"))

    def _shape(self, step: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the mask of a step."""
        return (1, *step[1:]) if self.mono and len(step) > 1 else step

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Draw a mask and multiply with it."""
        return self._drop(input, input.shape, ())

    def forward_sequence(self, input: np.ndarray) -> np.ndarray:
        """Return the outputs of all steps of `(time, ...)`, with the masks that the steps would have."""
        check_float_array(self, input)
        self._check_lasting(input.shape[1:])
        return self._drop(input, input.shape[1:], input.shape[:1])

    def _drop(self, input: np.ndarray, step: tuple[int, ...], time: tuple[int, ...]) -> np.ndarray:
        if not self.is_training:
            self.noise = np.asarray(input.dtype.type(1 - self.p)) if self.v1 else None
            return np.array(input) if self.noise is None else np.asarray(input * self.noise)
        if not self.lazy:
            self.noise = self._drawn((*time, *self._shape(step)), input.dtype)
        elif self._lasting is None or self._lasting.dtype != input.dtype:
            self.noise = self._lasting = self._drawn(self._shape(step), input.dtype)
        else:
            self.noise = self._lasting
        return np.asarray(input * self.noise)

    def _drawn(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        kept = np.asarray(self.rng.random(shape, dtype)) >= self.p
        return kept * dtype.type(1 if self.v1 else 1 / (1 - self.p))

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Multiply with the same mask."""
        return np.array(grad_output) if self.noise is None else np.asarray(grad_output * self.noise)

    def forget(self, rows: Any = None) -> None:
        """Let the next step draw a new mask; for some rows of the batch, which share it with the others, do nothing."""
        if rows is None:
            self._lasting = None

    def _snapshot(self) -> Any:
        return super()._snapshot(), self._lasting, self.rng.bit_generator.state

    def _rollback(self, snapshot: Any) -> None:
        rest, self._lasting, self.rng.bit_generator.state = snapshot
        super()._rollback(rest)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"p={self.p}" + ", lazy=True" * self.lazy + ", mono=True" * self.mono + ", v1=True" * self.v1


class TotalDropout(Module):
    """In training mode, set the whole input to 0 with probability p.

    What is not dropped is not scaled up.

    Parameters
    ----------
    p : float
        Probability of the input of a step to be dropped, 0 <= p < 1.
    rng : numpy.random.Generator or int, optional
        Where it is drawn from; without it, a stream of its own from `numrnn.seed`.

    Attributes
    ----------
    noise : float
        What the last input was multiplied with: 0 or 1.

    Raises
    ------
    ValueError
        If p is not in [0, 1).

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> dropout = nr.TotalDropout(0.5, rng=0)
    >>> sorted({float(dropout(np.ones((3, 4), "float32")).mean()) for _ in range(20)})
    [0.0, 1.0]
    """

    memory = ("noise",)

    def __init__(self, p: float = 0.5, rng: np.random.Generator | int | None = None) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(complaint("TotalDropout", f"p={p!r}", "a probability, 0 <= p < 1"))
        self.p, self.rng, self.noise = float(p), generator(rng), 1.0

    def check_input(self, input: Any) -> None:
        """Expect one float array of any shape."""
        check_float_array(self, input)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Draw one number."""
        self.noise = float(self.rng.random() >= self.p) if self.is_training else 1.0
        return np.array(input) if self.noise else np.zeros_like(input)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Drop the gradient, too."""
        return np.array(grad_output) if self.noise else np.zeros_like(grad_output)

    def _snapshot(self) -> Any:
        return super()._snapshot(), self.rng.bit_generator.state

    def _rollback(self, snapshot: Any) -> None:
        rest, self.rng.bit_generator.state = snapshot
        super()._rollback(rest)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"p={self.p}"
