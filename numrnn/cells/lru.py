"""The linear recurrent unit."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from numrnn.equations import cos, exp, linear, parameter, peephole, sin
from numrnn.errors import complaint
from numrnn.random import generator
from numrnn.recurrent.cell import Cell, Joint


class LRU(Cell):
    r"""Linear recurrent unit: each state is a complex number that decays and turns, each at a pace of its own.

    .. math::
        \lambda &= \exp(-e^{\nu} + \mathrm{i} e^{\theta}) \\
        s_t &= \lambda s_{t-1} + e^{\gamma} (B x_t) \\
        h_t &= \operatorname{Re}(C s_t) + d \, x_t

    The products with λ, :math:`e^{\gamma}` and d are channel by channel. A complex state is a pair of real ones, re and
    im; its modulus never grows, since :math:`|\lambda| < 1`. If input and output differ in size, the last term is a
    product :math:`D x_t`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of input features D, and of complex states H.
    output_size : int, optional
        Number of output features R; as many as states, if not given.
    smallest, largest : float
        The ring on which λ starts: its modulus is between these numbers, :math:`0 \le` smallest < largest
        :math:`\le 1`, uniformly in area.
    phase : float
        λ starts with angles between 0 and this, in radians.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        Where the initial weights come from. γ starts at the logarithm of :math:`(1 - |\lambda|^2)^{1/2}`, so that
        states have the size of the input. B and C start normally distributed, with variances of 1 / 2D and 1 / H, and
        so do d, with a variance of 1, and the matrix D, of 1 over the number of inputs.

    Attributes
    ----------
    nu, theta, gamma : numpy.ndarray
        Shape (H,).
    input_weight_x : numpy.ndarray
        Shape (2 H, D): the real part of B, then the imaginary part.
    output_weight_re, output_weight_im : numpy.ndarray
        Shape (R, H): the real part of C, and minus its imaginary part.
    skip_peephole or skip_weight_x : numpy.ndarray
        d, shape (D,); or D, shape (R, D).

    Raises
    ------
    ValueError
        If the ring is none.

    References
    ----------
    Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu and De (2023), Resurrecting recurrent neural networks for long
    sequences, equations 1, 6 and 7, lemma 3.2 and appendix A.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> lru = nr.LRU(4, 6, 3)
    >>> lru(np.zeros((2, 4), "float32")).shape
    (2, 3)
    >>> [state.shape for state in lru.get_hidden_state()]
    [(2, 3), (2, 6), (2, 6)]
    """

    states = ("h", "re", "im")
    state_sizes: ClassVar[dict[str, str]] = {"h": "output"}
    joint: ClassVar[dict[str, Joint]] = {
        "output_weight_re": Joint((("output_weight_0",),)),
        "output_weight_im": Joint((("output_weight_1",),)),
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        output_size: int | None = None,
        smallest: float = 0.0,
        largest: float = 1.0,
        phase: float = 2 * math.pi,
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        if not 0 <= smallest < largest <= 1:
            got = f"smallest = {smallest!r} and largest = {largest!r}"
            raise ValueError(complaint("LRU", got, "0 <= smallest < largest <= 1"))
        if not phase > 0:
            raise ValueError(complaint("LRU", f"phase = {phase!r}", "an angle above 0"))
        self.smallest, self.largest, self.phase = float(smallest), float(largest), float(phase)
        self.output_size = output_size if output_size is not None else hidden_size or input_size
        super().__init__(input_size, hidden_size, rho, rng)

    def sizes(self) -> dict[str, int]:
        """Return the numbers of channels by name."""
        return super().sizes() | {"output": self._checked_size("output_size", self.output_size)}

    def equations(self, x, h, re, im):
        """Return the new output, and the real and imaginary parts of the new state."""
        modulus, angle = exp(-exp(parameter("nu"))), exp(parameter("theta"))
        a, b = modulus * cos(angle), modulus * sin(angle)
        scale = exp(parameter("gamma"))
        u, v = linear("input", x, parts=2, bias=False)
        re, im = a * re - b * im + scale * u, b * re + a * im + scale * v
        is_square = self.input_size == self.output_size
        skipped = peephole("skip", x) if is_square else linear("skip", x, size="output", bias=False)
        return linear("output", re, im, size="output", bias=False) + skipped, re, im

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights."""
        draw = generator(rng)
        area = draw.uniform(self.smallest**2, self.largest**2, self.hidden_size).clip(1e-12, 1 - 1e-7)  # |lambda|^2
        self.nu[...] = np.log(-0.5 * np.log(area))
        self.theta[...] = np.log(draw.uniform(0, self.phase, self.hidden_size).clip(1e-12))
        self.gamma[...] = 0.5 * np.log(1 - area)
        variances = {"input_weight_x": 0.5 / self.input_size, "skip_weight_x": 1 / self.input_size, "skip_peephole": 1}
        variances |= dict.fromkeys(("output_weight_re", "output_weight_im"), 1 / self.hidden_size)
        for name, weight in self._parameters.items():
            if name in variances:
                weight[...] = draw.normal(0, variances[name] ** 0.5, weight.shape)
        self.parameters_changed()

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return f"{self.input_size} -> {self.hidden_size} -> {self.output_size}"
