"""NCECriterion: how well a model tells words from noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_float_array
from numrnn.table import is_table

EPSILON = 1e-7
"""Added to denominators."""


class NCECriterion(Criterion):
    """The loss of noise-contrastive estimation: how well a model tells the target from noise.

    With p the model's probability of a word, q that of drawing it as noise, and k noise words, a word is the target
    with probability p / (p + k q). The loss is minus the logarithm of that for the target, and of k q / (p + k q) for
    each noise word, averaged over the batch. (Mnih and Teh 2012, equation 8; Chen et al. 2015, equation 6.)

    Notes
    -----
    The input is what `NCEModule` gives: a table of p of the targets (N,) and of the noise words (N, k), and q of both,
    (N,) and (N, k); for one sample without the axis N. A target may be given, as to other losses, but is not looked at.

    A constant of 1e-7 is added to denominators, as in the original, so that the gradient is the slope of the loss up to
    about that. The gradients of q, which are constants, are right as well.

    Raises
    ------
    TypeError, ValueError
        If the input is not a table of four float arrays of such shapes.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> p, p_noise = np.array([0.5]), np.array([[0.25, 0.25]])
    >>> q, q_noise = np.array([0.25]), np.array([[0.125, 0.125]])
    >>> round(nr.NCECriterion()([p, p_noise, q, q_noise]), 4)  # 3 log 2: every word may be either
    2.0794
    """

    def forward(self, input: Any, target: Any = None) -> float:
        """Return the loss; the target is not looked at."""
        return super().forward(input, target)

    def backward(self, input: Any, target: Any = None) -> Any:
        """Return the gradients of all four arrays; the target is not looked at."""
        return super().backward(input, target)

    def __call__(self, input: Any, target: Any = None) -> float:
        """Return `forward(input)`."""
        return self.forward(input, target)

    def check(self, input: Any, target: Any) -> None:
        """Expect four arrays, as `NCEModule` gives them."""
        if not is_table(input) or len(input) != 4:
            wrong = ValueError if is_table(input) else TypeError
            raise wrong(complaint(self, describe(input), "the four arrays that NCEModule gives"))
        for array in input:
            check_float_array(self, array)
        if len({array.dtype for array in input}) > 1:
            raise TypeError(complaint(self, describe(input), "arrays of one element type"))
        p, p_noise, q, q_noise = (array.shape for array in input)
        if len(p) > 1 or p_noise[:-1] != p or len(p_noise) != len(p) + 1 or q != p or q_noise != p_noise:
            expects = "shapes (batch,), (batch, k), (batch,), (batch, k)"
            raise ValueError(complaint(self, f"shapes {p}, {p_noise}, {q}, {q_noise}", expects))

    def update_output(self, input: Any, target: Any) -> float:
        """Add up the logarithms, in float64."""
        (p, p_noise, q, q_noise), k = _in_float64(input)
        with np.errstate(divide="ignore"):  # a target of probability 0 is an infinite loss
            of_targets = np.log(p / (p + k * q + EPSILON))
            of_noise = np.log(k * q_noise / (p_noise + k * q_noise + EPSILON))
        return -(of_targets.sum() + of_noise.sum()) / max(p.size, 1)

    def update_grad_input(self, input: Any, target: Any) -> Any:
        """Return the gradients of the probabilities."""
        (p, p_noise, q, q_noise), k = _in_float64(input)
        total, total_noise = p + k * q + EPSILON, p_noise + k * q_noise + EPSILON
        gradients = (
            -k * q / (total * (p + EPSILON)),
            p_noise / (total_noise * (p_noise + EPSILON)),
            k / total,
            -(p_noise + EPSILON) / (total_noise * q_noise),
        )
        return [np.asarray(gradient / max(p.size, 1)).astype(input[0].dtype) for gradient in gradients]


def _in_float64(input: Any) -> tuple[list[np.ndarray], int]:
    """Return the arrays, and the number of noise words."""
    return [np.asarray(array, np.float64) for array in input], input[1].shape[-1]
