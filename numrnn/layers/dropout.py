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
    rng : numpy.random.Generator or int, optional
        Where the masks are drawn from; without it, a stream of its own from `numrnn.seed`.

    Attributes
    ----------
    noise : numpy.ndarray or None
        What the last input was multiplied with: 0 or 1 / (1 - p) for each element; None in evaluate mode.

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

    def __init__(self, p: float = 0.5, rng: np.random.Generator | int | None = None) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(complaint("Dropout", f"p={p!r}", "a probability, 0 <= p < 1"))
        self.p = float(p)
        self.rng = generator(rng)
        self.noise: np.ndarray | None = None

    def check_input(self, input: Any) -> None:
        """Expect one float array of any shape."""
        check_float_array(self, input)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Draw a mask and multiply with it."""
        if not self.is_training:
            self.noise = None
            return np.array(input)
        kept = np.asarray(self.rng.random(input.shape, input.dtype)) >= self.p
        self.noise = kept * input.dtype.type(1 / (1 - self.p))
        return np.asarray(input * self.noise)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Multiply with the same mask."""
        return np.array(grad_output) if self.noise is None else np.asarray(grad_output * self.noise)

    def _snapshot(self) -> Any:
        return super()._snapshot(), self.rng.bit_generator.state

    def _rollback(self, snapshot: Any) -> None:
        rest, self.rng.bit_generator.state = snapshot
        super()._rollback(rest)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"p={self.p}"
