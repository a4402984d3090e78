"""Long short-term memory."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from numrnn.equations import dropout, linear, peephole, sigmoid, tanh
from numrnn.random import generator
from numrnn.recurrent.cell import Cell, Joint


class LSTM(Cell):
    r"""Long short-term memory with diagonal peepholes.

    .. math::
        f_t &= \sigma(W_{xf} x_t + b_f + W_{hf} h_{t-1} + w_{cf} c_{t-1}) \\
        i_t &= \sigma(W_{xi} x_t + b_i + W_{hi} h_{t-1} + w_{ci} c_{t-1}) \\
        c_t &= f_t c_{t-1} + i_t \tanh(W_{xz} x_t + b_z + W_{hz} h_{t-1}) \\
        o_t &= \sigma(W_{xo} x_t + b_o + W_{ho} h_{t-1} + w_{co} c_t) \\
        h_t &= o_t \tanh(c_t)

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    rho : int
        See `Cell`.
    cell2gate : bool
        Whether the gates see the cell through peepholes.
    p : float
        Probability with which each gate drops each channel of x and of h, the same ones at all steps of a sequence.
    mono : bool
        Whether all rows of a batch drop the same channels.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    References
    ----------
    Graves, Mohamed and Hinton (2013), Speech recognition with deep recurrent neural networks, equations 3 to 7.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> lstm = nr.LSTM(4, 6)
    >>> lstm(np.zeros((3, 4), "float32")).shape
    (3, 6)
    >>> [state.shape for state in lstm.get_hidden_state()]
    [(3, 6), (3, 6)]
    """

    states = ("h", "c")

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        rho: int = 9999,
        cell2gate: bool = True,
        p: float = 0.0,
        mono: bool = False,
        rng: Any = None,
    ) -> None:
        self.cell2gate = bool(cell2gate)
        super().__init__(input_size, hidden_size, rho, rng, p, mono)

    def equations(self, x, h, c):
        """Return the new output and cell."""
        f = sigmoid(self._gate("forget", c, x, h))
        i = sigmoid(self._gate("input", c, x, h))
        z = tanh(self._map("candidate", x, h))
        c = f * c + i * z
        o = sigmoid(self._gate("output", c, x, h))
        return o * tanh(c), c

    def _map(self, name, x, h):
        if self.p:
            x, h = dropout(f"{name}_x", x), dropout(f"{name}_h", h)
        return linear(name, x, h)

    def _gate(self, name, c, x, h):
        gate = self._map(name, x, h)
        return gate + peephole(name, c) if self.cell2gate else gate


class FastLSTM(Cell):
    r"""Long short-term memory without peepholes, all gates in one map.

    .. math::
        (i, z, f, o) &= W_x x_t + b + W_h h_{t-1} \\
        c_t &= \sigma(f) c_{t-1} + \sigma(i) \tanh(z) \\
        h_t &= \sigma(o) \tanh(c_t)

    The rows of the weights are blocks in the order input, candidate, forget, output.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    rho : int
        See `Cell`.
    p : float
        Probability with which each gate drops each channel of x and of h, the same ones at all steps of a sequence.
        Each gate has maps of its own then, first those of x (with biases), then those of h.
    mono : bool
        Whether all rows of a batch drop the same channels.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    References
    ----------
    Gers, Schmidhuber and Cummins (2000), Learning to forget: continual prediction with LSTM. For p: Gal and Ghahramani
    (2016), A theoretically grounded application of dropout in recurrent neural networks.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.FastLSTM(4, 6)(np.zeros(4, "float32")).shape
    (6,)
    """

    states = ("h", "c")

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        rho: int = 9999,
        p: float = 0.0,
        mono: bool = False,
        rng: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, rho, rng, p, mono)

    def equations(self, x, h, c):
        """Return the new output and cell."""
        if self.p:
            names = ("input", "candidate", "forget", "output")
            mapped = [linear(f"{name}_x", dropout(f"{name}_x", x)) for name in names]
            fed = [linear(f"{name}_h", dropout(f"{name}_h", h), bias=False) for name in names]
            i, z, f, o = (a + b for a, b in zip(mapped, fed, strict=True))
        else:
            i, z, f, o = linear("gates", x, h, parts=4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(z)
        return sigmoid(o) * tanh(c), c


class CoupledLSTM(Cell):
    r"""Long short-term memory that forgets as much as it takes in: one gate is both, :math:`f = 1 - i`.

    .. math::
        (i, z, o) &= W_x x_t + b + W_h h_{t-1} \\
        c_t &= (1 - \sigma(i)) c_{t-1} + \sigma(i) \tanh(z) \\
        h_t &= \sigma(o) \tanh(c_t)

    The rows of the weights are blocks in the order input, candidate, output. There are no peepholes.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    References
    ----------
    Greff, Srivastava, Koutník, Steunebrink and Schmidhuber (2017), LSTM: a search space odyssey, the variant CIFG
    (coupled input and forget gate), here without peepholes.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.CoupledLSTM(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int | None = None, rho: int = 9999, rng: Any = None) -> None:
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h, c):
        """Return the new output and cell."""
        i, z, o = linear("gates", x, h, parts=3)
        i = sigmoid(i)
        c = (1 - i) * c + i * tanh(z)
        return sigmoid(o) * tanh(c), c


class PlainLSTM(Cell):
    r"""Long short-term memory without peepholes, perhaps with a projection: the form of cuDNN, PyTorch and Keras.

    .. math::
        (i, f, z, o) &= W_x x_t + b + W_h h_{t-1} \\
        c_t &= \sigma(f) c_{t-1} + \sigma(i) \tanh(z) \\
        h_t &= \sigma(o) \tanh(c_t)

    The rows of the weights are blocks in the order input, forget, candidate, output. With a projection, the last line
    is :math:`h_t = W_p (\sigma(o) \tanh(c_t))`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    output_size : int, optional
        Number of features R of the projection, and then of the output; without it, there is none.
    bias : bool
        Whether there is a `b`.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    Notes
    -----
    `StackedLSTM` makes layers of it, and `numrnn.interop.torch` exchanges their weights with `torch.nn.LSTM`.

    References
    ----------
    Gers, Schmidhuber and Cummins (2000), Learning to forget: continual prediction with LSTM. For the projection: Sak,
    Senior and Beaufays (2014), Long short-term memory based recurrent neural network architectures, equations 6 to 8.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.PlainLSTM(4, 6, 3)(np.zeros((2, 4), "float32")).shape
    (2, 3)
    >>> {name: array.shape for name, array in nr.PlainLSTM(4, 6, 3, bias=False).named_parameters()}
    {'gates_weight_x': (24, 4), 'gates_weight_h': (24, 3), 'projection_weight': (3, 6)}
    """

    states = ("h", "c")
    state_sizes: ClassVar[dict[str, str]] = {"h": "output"}
    joint: ClassVar[dict[str, Joint]] = {"projection_weight": Joint((("projection_weight_0",),))}

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        output_size: int | None = None,
        bias: bool = True,
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        self.is_projected, self.bias = output_size is not None, bool(bias)
        self.output_size = output_size if output_size is not None else hidden_size or input_size
        super().__init__(input_size, hidden_size, rho, rng)

    def sizes(self) -> dict[str, int]:
        """Return the numbers of channels by name."""
        return super().sizes() | {"output": self._checked_size("output_size", self.output_size)}

    def equations(self, x, h, c):
        """Return the new output and cell."""
        i, f, z, o = linear("gates", x, h, parts=4, bias=self.bias)
        c = sigmoid(f) * c + sigmoid(i) * tanh(z)
        h = sigmoid(o) * tanh(c)
        return (linear("projection", h, size="output", bias=False) if self.is_projected else h), c

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return super().describe_arguments() + (f" -> {self.output_size}" if self.is_projected else "")


class RecLSTM(Cell):
    r"""Long short-term memory without peepholes, perhaps with a projection of the output, in one weight.

    The equations are those of `FastLSTM`. With a projection, the output is :math:`r_t = h_t W_o`, and the gates see
    :math:`r_{t-1}`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    output_size : int, optional
        Number of features R of the projection; without it, there is none, and the output has H features.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        Where the initial weights come from: normally distributed with a standard deviation of `(D + R) ** -0.5`, those
        of the projection of `(R + H) ** -0.5`. Biases start at 0, those of the forget gates at 1.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (D + R, 4 H): rows of x, then of the old output; blocks of columns input, forget, output, candidate.
    bias, grad_bias : numpy.ndarray
        Shape (4 H,).
    weight_o, grad_weight_o : numpy.ndarray
        Shape (H, R), with a projection only.

    References
    ----------
    Sak, Senior and Beaufays (2014), Long short-term memory based recurrent neural network architectures, for the
    projection.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.RecLSTM(4, 6, 3)(np.zeros((2, 4), "float32")).shape
    (2, 3)
    """

    states = ("h", "c")
    state_sizes: ClassVar[dict[str, str]] = {"h": "output"}
    joint: ClassVar[dict[str, Joint]] = {
        "weight": Joint((("gates_weight_x", "gates_weight_h"),), is_transposed=True),
        "bias": Joint((("gates_bias",),)),
        "weight_o": Joint((("projection_weight_0",),), is_transposed=True),
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        output_size: int | None = None,
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        self.is_projected = output_size is not None
        self.output_size = output_size if output_size is not None else hidden_size or input_size
        super().__init__(input_size, hidden_size, rho, rng)

    def sizes(self) -> dict[str, int]:
        """Return the numbers of channels by name."""
        return super().sizes() | {"output": self._checked_size("output_size", self.output_size)}

    def equations(self, x, h, c):
        """Return the new output and cell."""
        i, f, o, z = linear("gates", x, h, parts=4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(z)
        h = sigmoid(o) * tanh(c)
        return (linear("projection", h, size="output", bias=False) if self.is_projected else h), c

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights."""
        draw = generator(rng)
        for name in ("weight", "weight_o") if self.is_projected else ("weight",):
            weight = self._parameters[name]
            inputs = len(weight) if name == "weight" else sum(weight.shape)
            weight[...] = draw.normal(0, inputs**-0.5, weight.shape)
        self.bias[...] = np.repeat([0, 1, 0, 0], self.hidden_size)  # the forget gates begin open
        self.parameters_changed()

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return f"{self.input_size} -> {self.hidden_size}" + (f" -> {self.output_size}" if self.is_projected else "")
