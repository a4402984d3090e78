"""Modules that draw samples, and learn from rewards which samples to draw.

Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning" (1992). The
gradient of an expected reward does not pass through a sample. It is estimated: for a sample y drawn with probability
p(y | x) and rewarded with r, by r * d log p(y | x) / dx (the REINFORCE algorithm, equation 4).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_float_array
from numrnn.module import Module
from numrnn.random import generator
from numrnn.table import is_table

EPSILON = 1e-8
"""Added, as in the original, to what is divided by: probabilities of classes, cubes of standard deviations."""


class Reinforce(Module):
    """Base class of modules whose output is a sample, and whose gradient follows from a reward.

    In training mode a sample is drawn; in evaluate mode the output is the mean, unless the module is stochastic. After
    a forward, `reinforce` says how good the sample was, and `backward` gives minus the reward times the gradient of the
    logarithm of the sample's probability. What comes as `grad_output` counts nothing.

    A subclass writes `draw`, `mean`, `log_gradient` and `check_input`.

    Parameters
    ----------
    stochastic : bool
        Whether samples are drawn in evaluate mode, too.
    rng : numpy.random.Generator or int, optional
        Where the samples are drawn from; without it, a stream of its own from `numrnn.seed`.

    Attributes
    ----------
    sample : numpy.ndarray or None
        The last sample; None in evaluate mode.

    Notes
    -----
    Stepped through time, a module has a sample for every step, all of which one reward serves. See `reinforce` for
    rewards of single steps.
    """

    memory = ("sample", "_number")

    def __init__(self, stochastic: bool = False, rng: np.random.Generator | int | None = None) -> None:
        super().__init__()
        self.stochastic = bool(stochastic)
        self.rng = generator(rng)
        self.sample: np.ndarray | None = None
        self._number = 0  # of the sample, counted from the first that the module drew
        self._newest = 0  # number of the newest sample
        self._reward: Any = None

    # ---- what a subclass writes ----------------------------------------------------------------------------------

    def draw(self, input: Any) -> np.ndarray:
        """Return a new sample from the distribution that `input` tells."""
        raise NotImplementedError(f"{type(self).__name__} has no draw")

    def mean(self, input: Any) -> np.ndarray:
        """Return the mean of the distribution, in a new array."""
        raise NotImplementedError(f"{type(self).__name__} has no mean")

    def log_gradient(self, input: Any, sample: np.ndarray, weights: np.ndarray) -> Any:
        """Return `weights` times the gradient of log p(sample | input) with respect to `input`."""
        raise NotImplementedError(f"{type(self).__name__} has no log_gradient")

    # ---- rewards -------------------------------------------------------------------------------------------------

    def reinforce(self, reward: Any) -> None:
        """Take the reward of what was sampled. It stays until the next one is given.

        Parameters
        ----------
        reward : array, or list of arrays
            Shape (N,), one number for each row of the batch, or one number for all; it serves all steps. A list of
            such rewards, or an array (steps, N), rewards the last steps one by one; the steps before them get no
            gradient then.

        Raises
        ------
        TypeError
            If it holds something other than real numbers.
        ValueError
            If it does not fit the last sample.
        """
        if is_table(reward):
            self._reward = [self._checked_reward(element) for element in reward]
        elif np.ndim(reward) == 2:
            self._reward = [self._checked_reward(row) for row in np.asarray(reward)]
        else:
            self._reward = self._checked_reward(reward)

    def _checked_reward(self, reward: Any) -> np.ndarray:
        """Return a copy of the reward, of shape (N,) or ()."""
        if not isinstance(reward, np.ndarray | np.generic | float | int) or np.asarray(reward).dtype.kind not in "fiu":
            raise TypeError(complaint(self, f"{describe(reward)} as a reward", "an array of real numbers"))
        array = np.array(reward)
        if self.sample is None or array.shape == ():
            return array
        rows = self.sample.shape[:1] if self.sample.ndim > 1 else ()
        if array.shape != rows and not (rows == () and array.shape == (1,)):
            expects = f"shape {rows}, a number for each row of the last sample, or one for all"
            raise ValueError(complaint(self, f"a reward of shape {array.shape}", expects))
        return array.reshape(rows)

    def _weights(self) -> np.ndarray | None:
        """Return minus the reward of the sample at hand, in a shape that broadcasts with it; None if it has none."""
        reward = self._reward
        if is_table(reward):
            place = len(reward) - 1 - (self._newest - self._number)
            if place < 0:
                return None
            reward = reward[place]
        reward = -self._checked_reward(reward).astype(self.sample.dtype)
        return reward.reshape(*reward.shape, *[1] * (self.sample.ndim - reward.ndim))

    # ---- forward and backward ------------------------------------------------------------------------------------

    def update_output(self, input: Any) -> np.ndarray:
        """Draw a sample, or return the mean."""
        if not (self.is_training or self.stochastic):
            self.sample = None
            return self.mean(input)
        self.sample = self.draw(input)
        self._newest += 1
        self._number = self._newest
        return self.sample.copy()

    def check_backward(self, steps: int = 1) -> None:
        """Raise an error if there is no sample, or no reward for it."""
        if self.sample is None:
            raise RuntimeError(complaint(self, "backward in evaluate mode", "training mode, which draws samples"))
        if self._reward is None:
            raise RuntimeError(complaint(self, "backward without a reward", "reinforce(reward) after the forward"))
        self._weights()

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Return minus the reward times the gradient of the logarithm of the sample's probability."""
        self.check_backward()
        weights = self._weights()
        if weights is None:
            weights = np.zeros((1,) * self.sample.ndim, self.sample.dtype)
        return self.log_gradient(input, self.sample, weights)

    def _snapshot(self) -> Any:
        return super()._snapshot(), self.rng.bit_generator.state, self._newest, self._reward

    def _rollback(self, snapshot: Any) -> None:
        rest, self.rng.bit_generator.state, self._newest, self._reward = snapshot
        super()._rollback(rest)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return "stochastic=True" if self.stochastic else ""


class _TwoParameters(Reinforce):
    """A distribution of two parameters. Either the input is a table of both, or the second one is fixed."""

    names: tuple[str, str]

    def __init__(self, fixed: Any, stochastic: bool, rng: np.random.Generator | int | None) -> None:
        super().__init__(stochastic, rng)
        name, kind = self.names[1], type(self).__name__
        if fixed is not None:
            if (
                isinstance(fixed, bool)
                or np.asarray(fixed).dtype.kind not in "fiu"
                or not np.all(np.asarray(fixed) > 0)
            ):
                got = f"{name}={fixed!r}"
                raise ValueError(complaint(kind, got, f"a {name} above 0, an array of such, or None"))
            fixed = np.array(fixed, np.float64)
        self._fixed = fixed

    def check_input(self, input: Any) -> None:
        """Expect one float array if the second parameter is fixed, else a table of two of one shape."""
        first, second = self.names
        if self._fixed is not None:
            check_float_array(self, input)
            try:
                is_fitting = np.broadcast_shapes(self._fixed.shape, input.shape) == input.shape
            except ValueError:
                is_fitting = False
            if not is_fitting:
                expects = f"a {first} that {second} of shape {self._fixed.shape} fits"
                raise ValueError(complaint(self, describe(input), expects))
            return
        if not is_table(input) or len(input) != 2:
            wrong = ValueError if is_table(input) else TypeError
            raise wrong(complaint(self, describe(input), f"a table [{first}, {second}]"))
        for element in input:
            check_float_array(self, element)
        if input[0].shape != input[1].shape:
            raise ValueError(complaint(self, describe(input), f"{first} and {second} of one shape"))
        if input[0].dtype != input[1].dtype:
            raise TypeError(complaint(self, describe(input), f"{first} and {second} of one element type"))
        if not (input[1] > 0).all():
            raise ValueError(complaint(self, f"a {second} of {input[1].min()}", f"every {second} above 0"))

    def _both(self, input: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return both parameters."""
        return (input, self._fixed.astype(input.dtype)) if self._fixed is not None else (input[0], input[1])

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        fixed = [] if self._fixed is None else [f"{self.names[1]}={self._fixed.tolist()}"]
        return ", ".join(fixed + ["stochastic=True"] * self.stochastic)


class ReinforceNormal(_TwoParameters):
    """Draw from normal distributions, one for each element of the input.

    Williams (1992), section 6; the output in evaluate mode is the mean.

    Parameters
    ----------
    stdev : float or array, optional
        Standard deviation, above 0; an array broadcasts with the input, which is the mean then. Without it, the input
        is a table [mean, stdev] of two arrays of one shape.
    stochastic : bool
        Whether samples are drawn in evaluate mode, too.
    rng : numpy.random.Generator or int, optional
        Where the samples are drawn from; without it, a stream of its own from `numrnn.seed`.

    Attributes
    ----------
    sample : numpy.ndarray or None
        The last sample, of the shape of the mean; None in evaluate mode.

    Raises
    ------
    TypeError, ValueError
        If a standard deviation is not above 0; in forward, if the input is of another kind.
    RuntimeError
        In backward, without a reward, or in evaluate mode.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> normal, mean = nr.ReinforceNormal(0.5, rng=0), np.zeros((2, 3))
    >>> sample = normal(mean)
    >>> normal.reinforce(np.array([1.0, -2.0]))  # of each row
    >>> gradient = normal.backward(mean, np.zeros((2, 3)))
    >>> bool(np.allclose(gradient, sample / 0.5**2 * [[-1], [2]]))
    True
    """

    names = ("mean", "stdev")

    def __init__(self, stdev: Any = None, stochastic: bool = False, rng: Any = None) -> None:
        super().__init__(stdev, stochastic, rng)

    def draw(self, input: Any) -> np.ndarray:
        """Scale and shift numbers from the standard normal distribution."""
        mean, stdev = self._both(input)
        return np.asarray(mean + stdev * np.asarray(self.rng.standard_normal(mean.shape)).astype(mean.dtype))

    def mean(self, input: Any) -> np.ndarray:
        """Copy the mean."""
        return np.array(self._both(input)[0])

    def log_gradient(self, input: Any, sample: np.ndarray, weights: np.ndarray) -> Any:
        """Return weights * (sample - mean) / stdev**2, and ((sample - mean)**2 - stdev**2) / stdev**3 for the stdev."""
        mean, stdev = self._both(input)
        distance, epsilon = sample - mean, mean.dtype.type(EPSILON)
        grad_mean = np.asarray(weights * distance / stdev**2)
        if self._fixed is not None:
            return grad_mean
        return [grad_mean, np.asarray(weights * (distance**2 - stdev**2) / (stdev**3 + epsilon))]


class ReinforceGamma(_TwoParameters):
    """Draw from gamma distributions, one for each element of the input.

    The density is y**(shape - 1) * exp(-y / scale), but for a factor; the output in evaluate mode is the mean,
    shape * scale.

    Parameters
    ----------
    scale : float or array, optional
        Scale, above 0; an array broadcasts with the input, which is the shape then. Without it, the input is a table
        [shape, scale] of two arrays of one shape.
    stochastic : bool
        Whether samples are drawn in evaluate mode, too.
    rng : numpy.random.Generator or int, optional
        Where the samples are drawn from; without it, a stream of its own from `numrnn.seed`.

    Attributes
    ----------
    sample : numpy.ndarray or None
        The last sample, of the shape of the input; None in evaluate mode.

    Raises
    ------
    TypeError, ValueError
        If a shape or scale is not above 0; in forward, if the input is of another kind.
    RuntimeError
        In backward, without a reward, or in evaluate mode.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> gamma = nr.ReinforceGamma(scale=2.0)
    >>> gamma(np.array([[1.0, 3.0]])).shape
    (1, 2)
    >>> gamma.evaluate()(np.array([[1.0, 3.0]])).tolist()
    [[2.0, 6.0]]
    """

    names = ("shape", "scale")

    def __init__(self, scale: Any = None, stochastic: bool = False, rng: Any = None) -> None:
        super().__init__(scale, stochastic, rng)

    def check_input(self, input: Any) -> None:
        """Expect shapes above 0, and scales above 0 if none is fixed."""
        super().check_input(input)
        shape, _ = self._both(input)
        if not (shape > 0).all():
            raise ValueError(complaint(self, f"a shape of {shape.min()}", "every shape above 0"))

    def draw(self, input: Any) -> np.ndarray:
        """Scale numbers from standard gamma distributions."""
        shape, scale = self._both(input)
        drawn = np.asarray(self.rng.standard_gamma(shape), np.float64).astype(shape.dtype) * scale
        return np.maximum(drawn, np.finfo(shape.dtype).tiny)  # the logarithm of 0 would be no number

    def mean(self, input: Any) -> np.ndarray:
        """Return shape * scale."""
        shape, scale = self._both(input)
        return np.asarray(shape * scale)

    def log_gradient(self, input: Any, sample: np.ndarray, weights: np.ndarray) -> Any:
        """Return weights * (log(sample / scale) - digamma(shape)), and sample / scale**2 - shape / scale."""
        shape, scale = self._both(input)
        grad_shape = weights * (np.log(sample) - np.log(scale) - digamma(shape))
        if self._fixed is not None:
            return np.asarray(grad_shape)
        return [np.asarray(grad_shape), np.asarray(weights * (sample / scale - shape) / scale)]


class ReinforceBernoulli(Reinforce):
    """Draw 1 with the probability that the input tells, and 0 otherwise, for each of its elements.

    Williams (1992), section 3; the output in evaluate mode is the input.

    Parameters
    ----------
    stochastic : bool
        Whether samples are drawn in evaluate mode, too.
    rng : numpy.random.Generator or int, optional
        Where the samples are drawn from; without it, a stream of its own from `numrnn.seed`.

    Attributes
    ----------
    sample : numpy.ndarray or None
        The last sample, of the shape of the input; None in evaluate mode.

    Raises
    ------
    TypeError, ValueError
        In forward, if the input is not one float array of probabilities.
    RuntimeError
        In backward, without a reward, or in evaluate mode.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> coin, p = nr.ReinforceBernoulli(rng=0), np.full((1, 4), 0.5)
    >>> sample = coin(p)
    >>> coin.reinforce(np.array([1.0]))
    >>> bool(np.all(coin.backward(p, sample) == np.where(sample == 1, -2, 2)))
    True
    """

    def check_input(self, input: Any) -> None:
        """Expect one float array of numbers from 0 to 1."""
        check_float_array(self, input)
        if not ((input >= 0) & (input <= 1)).all():
            raise ValueError(complaint(self, f"numbers from {input.min()} to {input.max()}", "probabilities"))

    def draw(self, input: np.ndarray) -> np.ndarray:
        """Compare random numbers with the probabilities."""
        return np.asarray(self.rng.random(input.shape) < input).astype(input.dtype)

    def mean(self, input: np.ndarray) -> np.ndarray:
        """Copy the probabilities."""
        return np.array(input)

    def log_gradient(self, input: np.ndarray, sample: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return weights / p where a 1 was drawn, -weights / (1 - p) elsewhere."""
        return np.asarray(weights / np.where(sample == 1, input, input - 1))


class ReinforceCategorical(Reinforce):
    """Draw one of the classes, whose probabilities are the rows of the input; the sample is 1 there and 0 elsewhere.

    The output in evaluate mode is the input.

    Parameters
    ----------
    stochastic : bool
        Whether samples are drawn in evaluate mode, too.
    rng : numpy.random.Generator or int, optional
        Where the samples are drawn from; without it, a stream of its own from `numrnn.seed`.

    Attributes
    ----------
    sample : numpy.ndarray or None
        The last sample, of the shape (..., classes) of the input; None in evaluate mode.

    Raises
    ------
    TypeError, ValueError
        In forward, if the input is not one float array whose rows are probabilities that sum to 1.
    RuntimeError
        In backward, without a reward, or in evaluate mode.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.ReinforceCategorical()(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """

    def check_input(self, input: Any) -> None:
        """Expect one float array (..., classes) of probabilities."""
        check_float_array(self, input)
        if input.ndim == 0 or input.shape[-1] == 0:
            raise ValueError(complaint(self, describe(input), "an array (..., classes) of at least one class"))
        totals = input.sum(axis=-1, dtype=np.float64)
        if not (input >= 0).all() or not (np.abs(totals - 1) < 1e-3).all():
            got = f"rows from {input.min(initial=np.inf)} on with sums from {totals.min()} to {totals.max()}"
            raise ValueError(complaint(self, got, "rows of probabilities, which sum to 1"))

    def draw(self, input: np.ndarray) -> np.ndarray:
        """Find random numbers between the sums of the first probabilities."""
        sums = np.cumsum(input, axis=-1, dtype=np.float64)
        place = self.rng.random((*input.shape[:-1], 1)) * sums[..., -1:]
        chosen = (sums <= place).sum(axis=-1, keepdims=True)
        sample = np.zeros(input.shape, input.dtype)
        np.put_along_axis(sample, chosen, 1, axis=-1)
        return sample

    def mean(self, input: np.ndarray) -> np.ndarray:
        """Copy the probabilities."""
        return np.array(input)

    def log_gradient(self, input: np.ndarray, sample: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return weights / p at the class that was drawn."""
        return weights * (sample / (input + input.dtype.type(EPSILON)))


def digamma(x: np.ndarray) -> np.ndarray:
    """Return the derivative of the logarithm of the gamma function, for x above 0.

    From 8 on by the asymptotic series (Abramowitz and Stegun 6.3.18), below it by digamma(x) = digamma(x + 1) - 1 / x.

    >>> round(float(digamma(np.array(1.0))), 12)  # minus Euler's constant
    -0.577215664902
    """
    y = np.array(x, np.float64)
    shift = np.zeros_like(y)
    while (small := y < 8).any():
        shift -= np.where(small, 1 / np.where(small, y, 1), 0)
        y += small
    square = 1 / (y * y)
    series = 0.0
    for coefficient in (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12):
        series = (series + coefficient) * square
    return (np.log(y) - 0.5 / y - series + shift).astype(x.dtype)
