"""Clipping of gradients."""

from __future__ import annotations

import math

from numrnn.errors import complaint
from numrnn.kernels.cpu.optim import sum_of_squares
from numrnn.module import Module


def clip_grad_norm(module: Module, max_norm: float) -> float:
    """Scale all gradients down, together, if the L2 norm of them all is larger than `max_norm`.

    Pascanu et al., "On the difficulty of training recurrent neural networks" (2013), algorithm 1.

    Parameters
    ----------
    module : Module
        The module whose gradients are changed, in place.
    max_norm : float
        Largest norm. One that is not above 0 stands for none: nothing is clipped.

    Returns
    -------
    float
        The norm before clipping, summed in float64. If it is not finite, the gradients are left as they are.

    Raises
    ------
    ValueError
        If `max_norm` is not a number.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> layer = nr.Linear(1, 2)
    >>> layer.grad_weight = np.array([[3.0], [4.0]])
    >>> nr.optim.clip_grad_norm(layer, 1.0)
    5.0
    >>> layer.grad_weight.astype("float64").round(4).tolist()
    [[0.6], [0.8]]
    """
    if math.isnan(max_norm):
        raise ValueError(complaint("clip_grad_norm", f"max_norm={max_norm!r}", "a number"))
    gradients = module.parameters()[1]
    norm = math.sqrt(sum(sum_of_squares(gradient.reshape(-1)) for gradient in gradients))
    if 0 < max_norm < norm < math.inf:
        for gradient in gradients:
            gradient *= gradient.dtype.type(max_norm / norm)
    return norm
