"""Adam."""

from __future__ import annotations

import math

import numpy as np

from numrnn.kernels.cpu.optim import adam
from numrnn.module import Module
from numrnn.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Adam, from Kingma & Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1.

    With g the gradient plus `weight_decay` times the parameters, and t the number of the step, from 1::

        mean       = beta1 * mean   + (1 - beta1) * g
        square     = beta2 * square + (1 - beta2) * g**2
        parameter -= learning_rate * (mean / (1 - beta1**t)) / (sqrt(square / (1 - beta2**t)) + eps)

    Parameters
    ----------
    module : Module
        The whole network that is trained.
    learning_rate : float
        About the largest change of a parameter in a step.
    betas : (float, float)
        How much of the running mean, and of the running square, stays at each step; both in [0, 1).
    eps : float
        Keeps the division from blowing up where gradients are tiny; > 0.
    weight_decay : float
        Factor of the L2 penalty's gradient.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> layer = nr.Linear(1, 1)
    >>> adam = nr.optim.Adam(layer, learning_rate=0.5)
    >>> before = layer.weight.copy()
    >>> layer.grad_weight = np.full((1, 1), 100.0)
    >>> adam.step()
    >>> (before - layer.weight).round(4).tolist()
    [[0.5]]
    """

    scalars = ("learning_rate", "beta1", "beta2", "eps", "weight_decay", "steps")
    buffers = ("mean", "square")
    mean: np.ndarray
    square: np.ndarray

    def __init__(
        self,
        module: Module,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(module, learning_rate)
        self.beta1, self.beta2 = map(float, betas)
        self.eps, self.weight_decay, self.steps = float(eps), float(weight_decay), 0
        self._expect("beta1", 0 <= self.beta1 < 1, "0 <= beta1 < 1")
        self._expect("beta2", 0 <= self.beta2 < 1, "0 <= beta2 < 1")
        self._expect("eps", self.eps > 0, "a number > 0")
        self._expect("weight_decay", self.weight_decay >= 0, "a number >= 0")

    def update(self) -> None:
        """Take a step."""
        if not self.mean.size:
            self.mean, self.square = np.zeros_like(self.weights), np.zeros_like(self.weights)
        self.steps += 1
        # The corrections in float64: in float32, 1 - 0.999**t has few digits left.
        step_size = self.learning_rate / (1 - self.beta1**self.steps)
        root_correction = 1 / math.sqrt(1 - self.beta2**self.steps)
        numbers = self._typed(step_size, self.beta1, self.beta2, root_correction, self.eps, self.weight_decay)
        adam(self.weights, self.gradients, self.mean, self.square, *numbers)
