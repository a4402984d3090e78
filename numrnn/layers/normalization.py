"""Normalisation over the batch, and over the features of each row."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.affine import add_row_sums
from numrnn.layers.arrays import check_float_array, compact, is_size
from numrnn.module import Module
from numrnn.random import generator


class _Normalization(Module):
    """What both have in common: they scale and shift what they have normalised.

    Parameters
    ----------
    size : int
        Number of features.
    affine : bool
        Whether there are weights and biases.
    """

    memory = ("normalized", "deviation")

    def __init__(self, size: int, affine: bool, eps: float) -> None:
        super().__init__()
        if not is_size(size):
            raise ValueError(complaint(type(self).__name__, f"size {size!r}", "a whole number, a size of at least 1"))
        self.size, self.affine, self.eps = int(size), bool(affine), float(eps)
        self.normalized: np.ndarray | None = None  # what the last forward scaled and shifted
        self.deviation: np.ndarray | None = None  # what it divided by

    def check_input(self, input: Any) -> None:
        """Expect one array `(..., size)` of the module's element type."""
        check_float_array(self, input)
        if self.affine and input.dtype != self.dtype:
            raise TypeError(complaint(self, describe(input), f"an array of {self.dtype.name}"))
        if input.ndim == 0 or input.shape[-1] != self.size:
            raise ValueError(complaint(self, describe(input), f"shape (..., {self.size})"))

    def _scaled(self, normalized: np.ndarray) -> np.ndarray:
        return normalized * self.weight + self.bias if self.affine else np.array(normalized)

    def acc_grad_parameters(self, input: np.ndarray, grad_output: np.ndarray, scale: float = 1.0) -> None:
        """Add up over the rows: the last row first, as in stepping back."""
        if self.affine:
            rows = compact(grad_output).reshape(-1, self.size)
            scale = rows.dtype.type(scale)
            add_row_sums(rows * self.normalized.reshape(rows.shape), scale, self.grad_weight)
            add_row_sums(rows, scale, self.grad_bias)


class BatchNormalization(_Normalization):
    """Normalise each feature over the batch; in evaluate mode, by running averages.

    Parameters
    ----------
    size : int
        Number of features.
    eps : float
        What is added to the variance.
    momentum : float
        Weight of the newest batch in the running averages.
    affine : bool
        Whether what is normalised is scaled and shifted by learned weights and biases.
    rng : numpy.random.Generator or int, optional
        Where the initial weights, uniform between 0 and 1, are drawn from; biases start at 0.

    Attributes
    ----------
    running_mean, running_var : numpy.ndarray
        Averages over the batches seen in training mode, of shape (size,); the variance is the unbiased one. They are
        saved with the parameters, but are not trained.

    Notes
    -----
    Inputs are `(batch, size)`, or `(..., size)` with all leading axes as the batch. Under a `Sequencer`, each step is
    normalised by itself; all share the running averages.

    References
    ----------
    Ioffe and Szegedy (2015), Batch normalization, algorithm 1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.BatchNormalization(2, affine=False)(np.array([[1.0, 5.0], [3.0, 9.0]])).round(3).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """

    def __init__(
        self, size: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True, rng: Any = None
    ) -> None:
        super().__init__(size, affine, eps)
        if not 0 <= momentum <= 1:
            raise ValueError(complaint("BatchNormalization", f"momentum={momentum!r}", "a number from 0 to 1"))
        self.momentum = float(momentum)
        if self.affine:
            self.add_parameter("weight", np.ones(size, "float32"))
            self.add_parameter("bias", np.zeros(size, "float32"))
        self.add_buffer("running_mean", np.zeros(size, "float32"))
        self.add_buffer("running_var", np.ones(size, "float32"))
        self.reset(rng)

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights, and begin the running averages anew."""
        if self.affine:
            self.weight, self.bias = generator(rng).uniform(0, 1, self.size), np.zeros(self.size)
        self.running_mean, self.running_var = np.zeros(self.size), np.ones(self.size)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Normalise by the batch, and note its mean and variance; or by the running averages."""
        if self.is_training:
            rows = compact(input).reshape(-1, self.size)
            mean = rows.mean(0)
            centered = rows - mean
            variance = np.square(centered).mean(0)
            share = rows.dtype.type(self.momentum)
            unbiased = variance * rows.dtype.type(len(rows) / max(len(rows) - 1, 1))
            for name, value in (("running_mean", mean), ("running_var", unbiased)):
                self._buffers[name] = ((1 - share) * self._buffers[name] + share * value).astype(self.dtype)
        else:
            centered = input - self.running_mean.astype(input.dtype)
            variance = self.running_var.astype(input.dtype)
        self.deviation = np.sqrt(variance + input.dtype.type(self.eps))
        self.normalized = (centered / self.deviation).reshape(input.shape)
        return self._scaled(self.normalized)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Take away what moves the batch's mean and variance."""
        gradient = grad_output * self.weight if self.affine else np.array(grad_output)
        if self.is_training:
            rows, normalized = gradient.reshape(-1, self.size), self.normalized.reshape(-1, self.size)
            gradient = rows - rows.mean(0) - normalized * (rows * normalized).mean(0)
        return (gradient / self.deviation).reshape(input.shape)

    def _snapshot(self) -> Any:
        return super()._snapshot(), dict(self._buffers)

    def _rollback(self, snapshot: Any) -> None:
        rest, buffers = snapshot
        self._buffers.update(buffers)
        super()._rollback(rest)

    def describe_arguments(self) -> str:
        """Return the arguments."""
        return f"{self.size}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}"


class LayerNormalization(_Normalization):
    """Normalise the features of each row: to a mean of 0 and a variance of 1.

    Parameters
    ----------
    size : int
        Number of features.
    bias : float
        What the learned biases start at; the learned weights start at 1.
    eps : float
        What is added to the variance.
    affine : bool
        Whether what is normalised is scaled and shifted by learned weights and biases.

    References
    ----------
    Ba, Kiros and Hinton (2016), Layer normalization, equation 4.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.LayerNormalization(2)(np.array([[1.0, 5.0], [3.0, 9.0]], "float32")).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    row_wise = True

    def __init__(self, size: int, bias: float = 0.0, eps: float = 1e-10, affine: bool = True) -> None:
        super().__init__(size, affine, eps)
        if self.affine:
            self.add_parameter("weight", np.ones(size, "float32"))
            self.add_parameter("bias", np.full(size, bias, "float32"))
        self._first_bias = float(bias)

    def reset(self, rng: Any = None) -> None:
        """Put the initial weights back; nothing is drawn."""
        if self.affine:
            self.weight, self.bias = np.ones(self.size), np.full(self.size, self._first_bias)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Normalise each row."""
        x = compact(input)
        centered = x - x.mean(-1, keepdims=True)
        self.deviation = np.sqrt(np.square(centered).mean(-1, keepdims=True) + x.dtype.type(self.eps))
        self.normalized = centered / self.deviation
        return self._scaled(self.normalized)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Take away what moves the row's mean and variance."""
        gradient = compact(grad_output) * self.weight if self.affine else compact(grad_output)
        moved = (gradient * self.normalized).mean(-1, keepdims=True)
        return (gradient - gradient.mean(-1, keepdims=True) - self.normalized * moved) / self.deviation

    def describe_arguments(self) -> str:
        """Return the arguments."""
        return f"{self.size}, eps={self.eps}, affine={self.affine}"
