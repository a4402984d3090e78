"""SGD: gradient descent, with momentum if wanted."""

from __future__ import annotations

import numpy as np

from numrnn.kernels.cpu.optim import descend, descend_with_momentum
from numrnn.module import Module
from numrnn.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent.

    With g the gradient plus `weight_decay` times the parameters::

        velocity   = momentum * velocity + (1 - dampening) * g      (the first velocity is g)
        step       = velocity                                      (Nesterov: g + momentum * velocity)
        parameter -= learning_rate * step

    Parameters
    ----------
    module : Module
        The whole network that is trained.
    learning_rate : float
        Size of the steps.
    momentum : float
        Share of the velocity that stays, 0 <= momentum < 1; without momentum the step is g.
    dampening : float
        Share of the gradient that does not enter the velocity, 0 <= dampening < 1. The default of 0 is
        PyTorch's; the original's `updateGradParameters` takes `dampening = momentum`.
    nesterov : bool
        Whether to look ahead (Sutskever et al. 2013); needs momentum, and a dampening of 0.
    weight_decay : float
        Factor of the L2 penalty's gradient.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> layer = nr.Linear(1, 1)
    >>> sgd = nr.optim.SGD(layer, learning_rate=0.5)
    >>> before = layer.weight.copy()
    >>> layer.grad_weight = np.ones((1, 1))
    >>> sgd.step()
    >>> (before - layer.weight).round(4).tolist()
    [[0.5]]
    """

    scalars = ("learning_rate", "momentum", "dampening", "nesterov", "weight_decay")
    buffers = ("velocity",)
    velocity: np.ndarray

    def __init__(
        self,
        module: Module,
        learning_rate: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(module, learning_rate)
        self.momentum, self.dampening = float(momentum), float(dampening)
        self.nesterov, self.weight_decay = bool(nesterov), float(weight_decay)
        self._expect("momentum", 0 <= self.momentum < 1, "0 <= momentum < 1")
        self._expect("dampening", 0 <= self.dampening < 1, "0 <= dampening < 1")
        self._expect("weight_decay", self.weight_decay >= 0, "a number >= 0")
        self._expect(
            "nesterov",
            not nesterov or (momentum > 0 and dampening == 0),
            "with it momentum > 0 and dampening=0",
        )

    def update(self) -> None:
        """Take a step."""
        if not self.momentum:
            descend(self.weights, self.gradients, self.learning_rate, self.weight_decay)
            return
        numbers = self.learning_rate, self.weight_decay, self.momentum, 1 - self.dampening
        rate, decay, momentum, fresh = self._typed(*numbers)
        keep = momentum
        if not self.velocity.size:
            self.velocity = np.zeros_like(self.weights)
            keep, fresh = self._typed(0, 1)
        descend_with_momentum(
            self.weights, self.gradients, self.velocity, rate, decay, momentum, keep, fresh, self.nesterov
        )
