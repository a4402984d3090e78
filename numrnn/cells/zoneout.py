"""Units whose states stand still now and then, channel by channel, in place of dropout."""

from __future__ import annotations

from typing import Any

from numrnn.equations import bernoulli, linear, sigmoid, tanh
from numrnn.errors import complaint
from numrnn.recurrent.cell import Cell


class _Zoneout(Cell):
    """What both have in common: rates for each state."""

    def _set_rates(self, **rates: float) -> None:
        for name, rate in rates.items():
            if not 0 <= rate < 1:
                raise ValueError(complaint(type(self).__name__, f"{name} = {rate!r}", "a probability, 0 <= rate < 1"))
            setattr(self, name, float(rate))

    def _zoned(self, name: str, old: Any, new: Any) -> Any:
        """Return a state of which channels stay as they were, with the probability for this state."""
        rate = getattr(self, f"zoneout_{name}")
        if rate == 0:
            return new
        stays = bernoulli(name, rate)
        return stays * old + (1 - stays) * new


class ZoneoutLSTM(_Zoneout):
    r"""Long short-term memory with zoneout: some channels of cell and output keep their old values.

    .. math::
        (i, z, f, o) &= W_x x_t + b + W_h h_{t-1} \\
        c' &= \sigma(f) c_{t-1} + \sigma(i) \tanh(z) \\
        c_t &= d_c c_{t-1} + (1 - d_c) c' \\
        h_t &= d_h h_{t-1} + (1 - d_h) \sigma(o) \tanh(c')

    In training mode :math:`d_c` and :math:`d_h` are 1 with probabilities `zoneout_c` and `zoneout_h`, else 0, drawn for
    every step, row and channel; in evaluate mode they are the probabilities. The rows of the weights are blocks in the
    order input, candidate, forget, output.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    zoneout_c, zoneout_h : float
        Probabilities with which a channel of c and of h stays as it was; the defaults are those of the paper's language
        model of characters.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    Raises
    ------
    ValueError
        If a probability is none below 1.

    References
    ----------
    Krueger et al. (2017), Zoneout: regularizing RNNs by randomly preserving hidden activations, equations 4 and 5.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.ZoneoutLSTM(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h", "c")

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        zoneout_c: float = 0.5,
        zoneout_h: float = 0.05,
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        self._set_rates(zoneout_c=zoneout_c, zoneout_h=zoneout_h)
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h, c):
        """Return the new output and cell."""
        i, z, f, o = linear("gates", x, h, parts=4)
        new = sigmoid(f) * c + sigmoid(i) * tanh(z)
        return self._zoned("h", h, sigmoid(o) * tanh(new)), self._zoned("c", c, new)

    def describe_arguments(self) -> str:
        """Return the sizes and the probabilities."""
        return f"{super().describe_arguments()}, zoneout_c={self.zoneout_c}, zoneout_h={self.zoneout_h}"


class ZoneoutGRU(_Zoneout):
    r"""Gated recurrent unit with zoneout: some channels keep their old values.

    .. math::
        (r, z) &= \sigma(W_x x_t + b + W_h h_{t-1}) \\
        n &= \tanh(W_{xn} x_t + b_n + W_{hn} (r \, h_{t-1})) \\
        h_t &= d h_{t-1} + (1 - d) ((1 - z) n + z h_{t-1})

    In training mode d is 1 with probability `zoneout_h`, else 0, drawn for every step, row and channel; in evaluate
    mode it is the probability. The rows of `gates_weight_x` and `gates_weight_h` are blocks in the order reset, update.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    zoneout_h : float
        Probability with which a channel stays as it was.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    Raises
    ------
    ValueError
        If the probability is none below 1.

    References
    ----------
    Krueger et al. (2017), Zoneout: regularizing RNNs by randomly preserving hidden activations, section 3.1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.ZoneoutGRU(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        zoneout_h: float = 0.1,
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        self._set_rates(zoneout_h=zoneout_h)
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        r, z = linear("gates", x, h, parts=2)
        n = tanh(linear("candidate", x, sigmoid(r) * h))
        z = sigmoid(z)
        return self._zoned("h", h, (1 - z) * n + z * h)

    def describe_arguments(self) -> str:
        """Return the sizes and the probability."""
        return f"{super().describe_arguments()}, zoneout_h={self.zoneout_h}"
