"""Units whose sums are normalised over the features of each row."""

from __future__ import annotations

from typing import Any, ClassVar

from numrnn.equations import linear, mean, parameter, sigmoid, sqrt, tanh
from numrnn.errors import complaint
from numrnn.recurrent.cell import Cell, Joint


def _over(name: str, gates: tuple[str, ...]) -> Joint:
    """Return the parameter that holds a vector for each gate."""
    return Joint((tuple(f"{gate}_{name}" for gate in gates),))


class _LayerNorm(Cell):
    """What both have in common.

    Parameters
    ----------
    eps : float
        What is added to variances.
    """

    def __init__(
        self, input_size: int, hidden_size: int | None = None, eps: float = 1e-5, rho: int = 9999, rng: Any = None
    ) -> None:
        if not eps > 0:
            raise ValueError(complaint(type(self).__name__, f"eps = {eps!r}", "a number above 0"))
        self.eps = float(eps)
        super().__init__(input_size, hidden_size, rho, rng)

    def _normalized(self, *parts: Any) -> list[Any]:
        """Return values less their mean over all parts and channels, divided by the standard deviation."""
        middle = mean(sum(parts)) * (1 / len(parts))
        centred = [part - middle for part in parts]
        variance = mean(sum(part * part for part in centred)) * (1 / len(parts))
        scale = 1 / sqrt(variance + self.eps)
        return [part * scale for part in centred]

    def _scaled(self, name: str, gates: tuple[str, ...], *parts: Any) -> list[Any]:
        """Return normalised parts, each times a gain."""
        normalized = zip(gates, self._normalized(*parts), strict=True)
        return [parameter(f"{gate}_{name}") * part for gate, part in normalized]

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights; gains start at 1, biases at 0."""
        super().reset(rng)
        for name, array in self._parameters.items():
            if name.endswith(("gain", "bias")):
                array[...] = name.endswith("gain")
        self.parameters_changed()


class LayerNormLSTM(_LayerNorm):
    r"""Long short-term memory with layer normalisation.

    .. math::
        (f, i, o, z) &= g_h \operatorname{LN}(W_h h_{t-1}) + g_x \operatorname{LN}(W_x x_t) + b \\
        c_t &= \sigma(f) c_{t-1} + \sigma(i) \tanh(z) \\
        h_t &= \sigma(o) \tanh(g_c \operatorname{LN}(c_t) + b_c)

    LN subtracts the mean over the features of a row and divides by their standard deviation, the root of the variance
    plus `eps`; it takes all four gates together. The paper's shifts of the two maps act as one with b.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    eps : float
        What is added to variances.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`. Gains start at 1, biases at 0.

    Attributes
    ----------
    x_weight_x, h_weight_h : numpy.ndarray
        Shapes (4 H, D) and (4 H, H); rows are blocks in the order forget, input, output, candidate.
    x_gain, h_gain, bias : numpy.ndarray
        Shape (4 H,): blocks in the same order.
    cell_gain, cell_bias : numpy.ndarray
        Shape (H,).

    Raises
    ------
    ValueError
        If `eps` is not above 0.

    References
    ----------
    Ba, Kiros and Hinton (2016), Layer normalization, equations 20 to 22 (in the supplementary material).

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.LayerNormLSTM(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h", "c")
    gates = ("forget", "input", "output", "candidate")
    joint: ClassVar[dict[str, Joint]] = {
        "x_gain": _over("x_gain", gates),
        "h_gain": _over("h_gain", gates),
        "bias": _over("bias", gates),
    }

    def equations(self, x, h, c):
        """Return the new output and cell."""
        mapped = self._scaled("x_gain", self.gates, *linear("x", x, parts=4, bias=False))
        fed = self._scaled("h_gain", self.gates, *linear("h", h, parts=4, bias=False))
        biases = [parameter(f"{gate}_bias") for gate in self.gates]
        f, i, o, z = (a + b + bias for a, b, bias in zip(mapped, fed, biases, strict=True))
        c = sigmoid(f) * c + sigmoid(i) * tanh(z)
        (scaled,) = self._scaled("gain", ("cell",), c)
        return sigmoid(o) * tanh(scaled + parameter("cell_bias")), c


class LayerNormGRU(_LayerNorm):
    r"""Gated recurrent unit with layer normalisation, the reset gate after the product.

    .. math::
        (z, r) &= g_h \operatorname{LN}(W_h h_{t-1}) + g_x \operatorname{LN}(W_x x_t) + b \\
        n &= \tanh(g_{xn} \operatorname{LN}(W_{xn} x_t) + b_n
            + \sigma(r) (g_{hn} \operatorname{LN}(W_{hn} h_{t-1}) + u_n)) \\
        h_t &= (1 - \sigma(z)) h_{t-1} + \sigma(z) n

    LN subtracts the mean over the features of a row and divides by their standard deviation, the root of the variance
    plus `eps`; it takes both gates together. Shifts that act as one are one, b.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    eps : float
        What is added to variances.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`. Gains start at 1, biases at 0.

    Attributes
    ----------
    x_weight_x, h_weight_h : numpy.ndarray
        Shapes (2 H, D) and (2 H, H); rows are blocks in the order update, reset.
    candidate_x_weight_x, candidate_h_weight_h : numpy.ndarray
        Shapes (H, D) and (H, H).
    x_gain, h_gain, bias : numpy.ndarray
        Shape (2 H,): blocks in the order update, reset.
    candidate_x_gain, candidate_h_gain, candidate_x_bias, candidate_h_bias : numpy.ndarray
        Shape (H,).

    Raises
    ------
    ValueError
        If `eps` is not above 0.

    References
    ----------
    Ba, Kiros and Hinton (2016), Layer normalization, equations 26 to 28 (in the supplementary material).

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.LayerNormGRU(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)
    gates = ("update", "reset")
    joint: ClassVar[dict[str, Joint]] = {
        "x_gain": _over("x_gain", gates),
        "h_gain": _over("h_gain", gates),
        "bias": _over("bias", gates),
    }

    def equations(self, x, h):
        """Return the new output."""
        mapped = self._scaled("x_gain", self.gates, *linear("x", x, parts=2, bias=False))
        fed = self._scaled("h_gain", self.gates, *linear("h", h, parts=2, bias=False))
        biases = [parameter(f"{gate}_bias") for gate in self.gates]
        z, r = (sigmoid(a + b + bias) for a, b, bias in zip(mapped, fed, biases, strict=True))
        (mapped,) = self._scaled("x_gain", ("candidate",), linear("candidate_x", x, bias=False))
        (fed,) = self._scaled("h_gain", ("candidate",), linear("candidate_h", h, bias=False))
        n = tanh(mapped + parameter("candidate_x_bias") + r * (fed + parameter("candidate_h_bias")))
        return (1 - z) * h + z * n
