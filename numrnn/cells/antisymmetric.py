"""The antisymmetric recurrent network."""

from __future__ import annotations

import math
from typing import Any

from numrnn.equations import linear, sigmoid, tanh
from numrnn.errors import complaint
from numrnn.recurrent.cell import Antisymmetric, Cell


class AntisymmetricRNN(Cell):
    r"""Antisymmetric recurrent network: a stable differential equation, of which each step is an Euler step.

    .. math::
        a &= (W - W^T - \gamma I) h_{t-1} \\
        h_t &= h_{t-1} + \epsilon \tanh(a + V x_t + b)

    With a gate, which has the same product:

    .. math::
        z &= \sigma(a + V_z x_t + b_z) \\
        h_t &= h_{t-1} + \epsilon z \tanh(a + V x_t + b)

    The eigenvalues of an antisymmetric matrix are imaginary, so that the state neither explodes nor fades.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    step_size : float
        The length epsilon of the Euler step.
    diffusion : float
        The number gamma, which makes up for what Euler steps add.
    gated : bool
        Whether there is a gate.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    Attributes
    ----------
    recurrent_weight, grad_recurrent_weight : numpy.ndarray
        W, shape (H, H). Only its antisymmetric part matters: the gradient is antisymmetric.

    Raises
    ------
    ValueError
        If `step_size` is not a finite number above 0, or `diffusion` not a finite number of at least 0.

    References
    ----------
    Chang, Chen, Haber and Chi (2019), AntisymmetricRNN: a dynamical system view on recurrent neural networks, equations
    7 to 9.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.AntisymmetricRNN(4, 6, gated=True)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        step_size: float = 0.1,
        diffusion: float = 0.01,
        gated: bool = False,
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        for name, value, least in (("step_size", step_size, 5e-324), ("diffusion", diffusion, 0)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
                expects = f"a finite number {'above' if least else 'of at least'} 0"
                raise ValueError(complaint("AntisymmetricRNN", f"{name} = {value!r}", expects))
        self.step_size, self.diffusion, self.gated = float(step_size), float(diffusion), bool(gated)
        self.joint = {"recurrent_weight": Antisymmetric("recurrent_weight_h", self.diffusion)}
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        a = linear("recurrent", h, bias=False)
        n = tanh(a + linear("candidate", x))
        if not self.gated:
            return h + self.step_size * n
        z = sigmoid(a + linear("gate", x))
        return h + self.step_size * z * n

    def describe_arguments(self) -> str:
        """Return the sizes and numbers."""
        numbers = f", step_size={self.step_size:g}, diffusion={self.diffusion:g}"
        return super().describe_arguments() + numbers + ", gated=True" * self.gated
