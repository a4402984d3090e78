"""What the original does to gradients and parameters between `backward` and `update_parameters`."""

from __future__ import annotations

import math

import numpy as np

from numrnn.errors import complaint
from numrnn.layers.lookup_table import LookupTable
from numrnn.module import Module


def update_grad_parameters(
    module: Module, momentum: float, damping: float | None = None, nesterov: bool = False
) -> None:
    """Replace all gradients by running sums of them, so that `update_parameters` takes a step with momentum.

    With g a gradient and m its running sum, which begins as a copy of the first gradient::

        m = momentum * m + (1 - damping) * g
        g = m                                    (Nesterov: g + momentum * m)

    `SGD` does this and the step in one, and has a state that can be saved. Note that its dampening is 0 unless given,
    and that its first velocity is g.

    Parameters
    ----------
    module : Module
        The module whose gradients are changed, in place. It, and each module inside, keeps the running sums of its own
        parameters. They are no part of `state_dict`.
    momentum : float
        Share of the running sum that stays, 0 <= momentum; 0 does nothing.
    damping : float, optional
        Share of the gradient that does not enter the running sum; without it, `momentum`.
    nesterov : bool
        Whether to look ahead (Sutskever et al., "On the importance of initialization and momentum in deep learning",
        2013).

    Raises
    ------
    ValueError
        If `momentum` is no finite number >= 0, or `damping` is not finite.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> layer = nr.Mul()
    >>> for gradient in (1.0, 2.0):
    ...     layer.grad_weight = np.array([gradient])
    ...     nr.optim.update_grad_parameters(layer, 0.5)
    ...     print(layer.grad_weight)  # 1, then 0.5 * 1 + 0.5 * 2
    [1.]
    [1.5]
    """
    damping = momentum if damping is None else damping
    _expect("update_grad_parameters", "momentum", momentum, 0 <= momentum < math.inf, "a finite number >= 0")
    _expect("update_grad_parameters", "damping", damping, math.isfinite(damping), "a finite number")
    if momentum == 0:
        return
    for owner in module.modules():
        sums = owner.__dict__.setdefault("_running_sums", {})
        for name, gradient in owner._gradients.items():
            number = gradient.dtype.type
            old = sums.get(name, gradient).astype(gradient.dtype, copy=False)
            sums[name] = number(momentum) * old + number(1 - damping) * gradient
            if nesterov:
                gradient += number(momentum) * sums[name]
            else:
                gradient[...] = sums[name]


def weight_decay(module: Module, factor: float, min_dim: int = 2) -> None:
    """Add `factor` times the parameters to their gradients: the gradient of an L2 penalty of factor / 2.

    Parameters
    ----------
    module : Module
        The module whose gradients are changed, in place.
    factor : float
        Weight of the penalty, >= 0.
    min_dim : int
        Number of axes that a parameter must have; with 2, biases are left out.

    Raises
    ------
    ValueError
        If `factor` is no finite number >= 0.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> layer = nr.Linear(2, 1)
    >>> layer.weight, layer.bias = np.array([[1.0, -2.0]]), np.array([3.0])
    >>> nr.optim.weight_decay(layer, 0.5)
    >>> layer.grad_weight.tolist(), layer.grad_bias.tolist()
    ([[0.5, -1.0]], [0.0])
    """
    _expect("weight_decay", "factor", factor, 0 <= factor < math.inf, "a finite number >= 0")
    for parameter, gradient in zip(*module.parameters(), strict=True):
        if parameter.ndim >= min_dim:
            gradient += parameter.dtype.type(factor) * parameter


def max_param_norm(module: Module, max_out_norm: float | None = None, max_in_norm: float | None = None) -> None:
    """Shorten the weights of each output, and then those of each input, where their L2 norm is too large.

    Only parameters of two axes or more are changed. As in `Linear`, their first axis is taken for that of the outputs,
    and the last one for that of the inputs; in a `LookupTable`, whose inputs are words, it is the other way round.

    Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors" (2012), limit the
    weights of the outputs.

    Parameters
    ----------
    module : Module
        The module whose parameters are changed, in place.
    max_out_norm : float, optional
        Largest norm of the weights that lead to one output, > 0; without it, any.
    max_in_norm : float, optional
        Largest norm of the weights that come from one input, > 0; without it, any.

    Raises
    ------
    ValueError
        If a norm is not a finite number > 0.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> layer = nr.Linear(2, 2)
    >>> layer.weight = np.array([[3.0, 4.0], [0.6, 0.0]])
    >>> nr.optim.max_param_norm(layer, max_out_norm=1)
    >>> layer.weight.astype("float64").round(4).tolist()
    [[0.6, 0.8], [0.6, 0.0]]
    """
    for name, norm in (("max_out_norm", max_out_norm), ("max_in_norm", max_in_norm)):
        _expect("max_param_norm", name, norm, norm is None or 0 < norm < math.inf, "a finite number > 0")
    for owner in module.modules():
        outputs, inputs = (-1, 0) if isinstance(owner, LookupTable) else (0, -1)
        for parameter in owner._parameters.values():
            if parameter.ndim > 1:
                _limit(parameter, outputs, max_out_norm)
                _limit(parameter, inputs, max_in_norm)
    module.parameters_changed()


def _limit(parameter: np.ndarray, axis: int, max_norm: float | None) -> None:
    """Shorten the parts of a parameter, one for each index of the axis."""
    if max_norm is None:
        return
    parts = np.moveaxis(parameter, axis, 0)
    others = tuple(range(1, parts.ndim))
    norms = np.sqrt(np.square(parts, dtype=np.float64).sum(axis=others, keepdims=True))
    # The small number is the original's: what was shortened is below the limit, and stays as it is next time.
    factors = np.where(norms > max_norm, max_norm / (norms + 1e-7), 1)
    parts *= factors.astype(parameter.dtype)


def _expect(function: str, name: str, value: object, fits: bool, expects: str) -> None:
    if not fits:
        raise ValueError(complaint(function, f"{name}={value!r}", expects))
