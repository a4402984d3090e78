"""MuFuRu, the multi-function recurrent unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from numrnn.equations import exp, linear, maximum, minimum, sigmoid, sqrt
from numrnn.errors import complaint
from numrnn.recurrent.cell import Cell, Joint

TINY = 1e-36
"""Differences below this have no slope: that of the root is infinite where h and v are equal."""

OPERATIONS = {
    "keep": lambda h, v: h,
    "replace": lambda h, v: v,
    "mul": lambda h, v: h * v,
    "diff": lambda h, v: h - v,
    "forget": lambda h, v: 0 * h,
    "sqrt_diff": lambda h, v: 0.25 * sqrt(maximum(abs(h - v), TINY)),
    "max": lambda h, v: maximum(h, v),
    "min": lambda h, v: minimum(h, v),
}
"""What may be done with the old state h and the feature v."""


class MuFuRu(Cell):
    r"""Multi-function recurrent unit: each channel mixes simple operations on the old state and a new feature.

    .. math::
        r &= \sigma(W_r x_t + b_r + U_r h_{t-1} + u_r) \\
        v &= \sigma(W_v [x_t, r h_{t-1}] + b_v) \\
        p &= softmax(W_p [x_t, h_{t-1}] + b_p) \\
        h_t &= \sum_j p_j \, op_j(h_{t-1}, v)

    The feature goes through a sigmoid, as in the original's code (its paper has tanh). The rows of `operations_weight`
    are blocks, one for each operation; the softmax runs over the operations, channel by channel.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    operations : sequence of str, optional
        Some of "keep" (h), "replace" (v), "mul" (h v), "diff" (h - v), "forget" (0), "sqrt_diff" (0.25 times the root
        of abs(h - v)), "max" and "min"; by default all, in this order.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    Raises
    ------
    ValueError
        If there is no operation, or one has another name, or comes twice.

    References
    ----------
    Weissenborn and Rocktäschel (2016), MuFuRU: the multi-function recurrent unit, equations 5 to 9.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.MuFuRu(4, 6, ["keep", "replace"])(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)
    joint: ClassVar[dict[str, Joint]] = {
        "feature_weight": Joint((("feature_weight_x", "feature_weight_h"),)),
        "operations_weight": Joint((("operations_weight_x", "operations_weight_h"),)),
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        operations: Sequence[str] = tuple(OPERATIONS),
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        names = tuple(operations)
        if not names or len(set(names)) < len(names) or not set(names) <= set(OPERATIONS):
            raise ValueError(complaint("MuFuRu", f"operations {names}", f"some of {tuple(OPERATIONS)}, each once"))
        self.operations = names
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        r = sigmoid(linear("reset_x", x) + linear("reset_h", h))
        v = sigmoid(linear("feature", x, r * h))
        count = len(self.operations)
        scores = linear("operations", x, h, parts=count) if count > 1 else (linear("operations", x, h),)
        largest = scores[0]
        for score in scores[1:]:
            largest = maximum(largest, score)
        shares = [exp(score - largest) for score in scores]
        values = [OPERATIONS[name](h, v) for name in self.operations]
        return sum(share * value for share, value in zip(shares, values, strict=True)) / sum(shares)

    def describe_arguments(self) -> str:
        """Return the sizes and operations."""
        return f"{super().describe_arguments()}, {', '.join(self.operations)}"
