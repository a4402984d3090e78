"""Networks in continuous time, whose differential equations are solved one step of a solver for each input."""

from __future__ import annotations

import math
from typing import Any

from numrnn.equations import exp, linear, parameter, sigmoid, tanh
from numrnn.errors import complaint
from numrnn.random import generator
from numrnn.recurrent.cell import Cell


class _InTime(Cell):
    """A cell with a step length and a time constant.

    Parameters
    ----------
    input_size, hidden_size, rho, rng
        See `Cell`.
    dt : float
        The time that passes in a step.
    tau : float
        The time constant, in the same unit.
    """

    states = ("h",)

    def __init__(
        self, input_size: int, hidden_size: int | None, dt: float, tau: float, rho: int = 9999, rng: Any = None
    ) -> None:
        for name, value in (("dt", dt), ("tau", tau)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise ValueError(complaint(type(self).__name__, f"{name} = {value!r}", "a finite number above 0"))
        self.dt, self.tau = float(dt), float(tau)
        super().__init__(input_size, hidden_size, rho, rng)

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights; time constants that are learned start at `tau`."""
        super().reset(rng)
        if "log_tau" in self._parameters:
            self.log_tau[...] = math.log(self.tau)
            self.parameters_changed()

    def describe_arguments(self) -> str:
        """Return the sizes and times."""
        return f"{super().describe_arguments()}, dt={self.dt:g}, tau={self.tau:g}"


class CTRNN(_InTime):
    r"""Continuous-time recurrent network of leaky integrators.

    Its differential equation, and what an Euler step of length dt makes of it:

    .. math::
        tau \, dh/dt &= -h + \tanh(W_x x + b + W_h h) \\
        h_t &= h_{t-1} + (dt / tau) (\tanh(W_x x_t + b + W_h h_{t-1}) - h_{t-1})

    With `learns_tau`, each channel has a time constant of its own, :math:`exp(log_tau)`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    dt : float
        The time that passes in a step.
    tau : float
        The time constant, in the same unit; where time constants are learned, the one that all start with. With
        `dt = tau`, this is a plain recurrent network.
    learns_tau : bool
        Whether time constants are parameters.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    Notes
    -----
    The time constants should stay above dt: Euler steps that are longer overshoot, and grow beyond 2 tau.

    Raises
    ------
    ValueError
        If `dt` or `tau` is not a finite number above 0.

    References
    ----------
    Funahashi and Nakamura (1993), Approximation of dynamical systems by continuous time recurrent neural networks.
    Jaeger, Lukoševičius, Popovici and Siewert (2007), Optimization and applications of echo state networks with
    leaky-integrator neurons, section 2, for this form.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.CTRNN(4, 6, dt=0.1, tau=0.5)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    >>> nr.CTRNN(4, 2, tau=1, learns_tau=True).log_tau.tolist()
    [0.0, 0.0]
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        dt: float = 0.1,
        tau: float = 1.0,
        learns_tau: bool = False,
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        self.learns_tau = bool(learns_tau)
        super().__init__(input_size, hidden_size, dt, tau, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        share = self.dt * exp(-parameter("log_tau")) if self.learns_tau else self.dt / self.tau
        return h + share * (tanh(linear("hidden", x, h)) - h)


class LTC(_InTime):
    r"""Liquid time-constant network: leaky integrators, pulled to a level A as strongly as a gate says.

    Its differential equation, and what a fused step of length dt makes of it, in which explicit and implicit Euler
    steps are mixed so that the new state can be solved for:

    .. math::
        f_t &= \sigma(W_x x_t + b + W_h h_{t-1}) \\
        dh/dt &= -(1 / tau + f) h + f A \\
        h_t &= (h_{t-1} + dt f_t A) / (1 + dt (1 / tau + f_t))

    Each channel has a level A of its own, `level`, and a time constant of its own, :math:`tau = exp(log_tau)`. States
    stay within the largest A, whatever dt is.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    dt : float
        The time that passes in a step.
    tau : float
        The time constant that all channels start with, in the same unit.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`. The levels start uniformly between -1 and 1.

    Notes
    -----
    The paper's networks take several steps of the solver for each input. To do so, repeat each input and divide dt.

    Raises
    ------
    ValueError
        If `dt` or `tau` is not a finite number above 0.

    References
    ----------
    Hasani, Lechner, Amini, Rus and Grosu (2021), Liquid time-constant networks, equations 1 and 3.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> ltc = nr.LTC(4, 6, dt=0.1)
    >>> ltc(np.zeros((3, 4), "float32")).shape
    (3, 6)
    >>> ltc.level.shape, ltc.log_tau.shape
    ((6,), (6,))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        dt: float = 0.1,
        tau: float = 1.0,
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, dt, tau, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        f = sigmoid(linear("hidden", x, h))
        level, rate = parameter("level"), exp(-parameter("log_tau"))
        return (h + self.dt * f * level) / (1 + self.dt * (rate + f))

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights; time constants start at `tau`."""
        draw = generator(rng)
        super().reset(draw)
        self.level[...] = draw.uniform(-1, 1, self.hidden_size)
        self.parameters_changed()
