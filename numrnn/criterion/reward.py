"""Criterions that reward what was sampled: right classes are good, wrong ones are not.

Mnih et al., "Recurrent models of visual attention" (2014), section 3.1: a baseline that is learned beside makes the
rewards vary less.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.criterion.criterion import Criterion
from numrnn.criterion.mse import MSECriterion
from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_float_array, check_index_array, check_index_range
from numrnn.module import Module
from numrnn.table import is_table


class _ClassReward(Criterion):
    """What both criterions have in common: a subclass says which rows are right."""

    def __init__(self, module: Module, scale: float = 1, criterion: Criterion | None = None) -> None:
        kind = type(self).__name__
        if not isinstance(module, Module):
            raise TypeError(complaint(kind, describe(module), "a Module to be reinforced"))
        if criterion is not None and not isinstance(criterion, Criterion):
            raise TypeError(complaint(kind, describe(criterion), "a Criterion for the baseline"))
        self.module = module
        self.scale = float(scale)
        self.criterion = MSECriterion() if criterion is None else criterion

    def check(self, input: Any, target: Any) -> None:
        """Expect predictions and a baseline for the rows of a batch, and their classes."""
        if not is_table(input) or len(input) != 2:
            wrong = ValueError if is_table(input) else TypeError
            raise wrong(complaint(self, describe(input), "a table [prediction, baseline]"))
        prediction, baseline = input
        for array in input:
            check_float_array(self, array)
        if prediction.dtype != baseline.dtype:
            raise TypeError(complaint(self, describe(input), "prediction and baseline of one element type"))
        check_index_array(self, target)
        self._check_prediction(prediction, target)
        rows = len(prediction)
        if baseline.shape not in ((rows,), (rows, 1)):
            expects = f"shape ({rows},) or ({rows}, 1), as the prediction has {rows} rows"
            raise ValueError(complaint(self, f"a baseline of shape {baseline.shape}", expects))
        if target.shape != (rows,):
            raise ValueError(complaint(self, f"targets of shape {target.shape}", f"shape ({rows},)"))

    def _check_prediction(self, prediction: np.ndarray, target: np.ndarray) -> None:
        raise NotImplementedError

    def _is_right(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _rewards(self, input: Any, target: np.ndarray) -> np.ndarray:
        """Return the reward of each row, (N,)."""
        prediction, _ = input
        return self._is_right(prediction, target).astype(prediction.dtype) * prediction.dtype.type(self.scale)

    def update_output(self, input: Any, target: np.ndarray) -> float:
        """Return minus the mean reward."""
        return -self._rewards(input, target).sum(dtype=np.float64) / max(len(target), 1)

    def update_grad_input(self, input: Any, target: np.ndarray) -> Any:
        """Reinforce the module; the prediction has no gradient, the baseline that of its own criterion."""
        prediction, baseline = input
        rewards = self._rewards(input, target)
        grad_baseline = self.criterion.backward(baseline, rewards.reshape(baseline.shape))
        self.module.reinforce((rewards - baseline.reshape(rewards.shape)) / rewards.dtype.type(max(len(target), 1)))
        return [np.zeros(prediction.shape, prediction.dtype), grad_baseline]

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"{self.module!r}, scale={self.scale}, criterion={self.criterion!r}"


class VRClassReward(_ClassReward):
    """Reward a module's samples if the class with the highest score is the right one.

    The loss is minus the mean reward: `scale` for a row whose highest score is at its target, 0 for any other.
    `backward` hands (reward - baseline) / N to `module.reinforce`, so that samples that did better than expected become
    more probable, with less variance than by the reward alone. The baseline learns to predict the reward.

    Parameters
    ----------
    module : Module
        What is reinforced: a `Reinforce` module, or anything with such modules inside.
    scale : float
        Reward of a row that is right.
    criterion : Criterion, optional
        Loss of the baseline, with the reward as its target; `MSECriterion()` without it.

    Notes
    -----
    The input is a table [prediction (N, classes), baseline (N, 1) or (N,)], the target holds integers from 0, of shape
    (N,). The gradient of the prediction is zero: it learns from a loss of its own. Forward the module that is
    reinforced before `backward`, and go back through it afterwards.

    Raises
    ------
    TypeError, ValueError
        If input or target are of another kind or shape.
    IndexError
        If a target is not in 0 .. classes-1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> action, mean = nr.ReinforceNormal(0.1), np.zeros((2, 1))
    >>> sample = action(mean)
    >>> criterion = nr.VRClassReward(action)
    >>> scores, baseline = np.array([[3.0, 1.0], [0.5, 0.0]]), np.array([[0.5], [0.5]])
    >>> criterion([scores, baseline], np.array([0, 1]))  # the first row is right
    -0.5
    >>> grad_scores, grad_baseline = criterion.backward([scores, baseline], np.array([0, 1]))
    >>> grad_baseline.tolist()
    [[-0.5], [0.5]]
    >>> grad_mean = action.backward(mean, sample)  # as rewarded
    """

    def _check_prediction(self, prediction: np.ndarray, target: np.ndarray) -> None:
        if prediction.ndim != 2 or prediction.shape[1] == 0:
            raise ValueError(complaint(self, describe(prediction), "a prediction (batch, classes)"))
        check_index_range(self, target, prediction.shape[1], "target")

    def _is_right(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        return prediction.argmax(axis=1) == target


class BinaryClassReward(_ClassReward):
    """Reward a module's samples if the more probable of two classes is the right one.

    Class 1 is predicted by a probability above 0.5. Apart from that, this is `VRClassReward`.

    Parameters
    ----------
    module : Module
        What is reinforced: a `Reinforce` module, or anything with such modules inside.
    scale : float
        Reward of a row that is right.
    criterion : Criterion, optional
        Loss of the baseline, with the reward as its target; `MSECriterion()` without it.

    Notes
    -----
    The input is a table [prediction (N,) or (N, 1), baseline (N,) or (N, 1)], the target holds 0 and 1, of shape (N,).

    Raises
    ------
    TypeError, ValueError
        If input or target are of another kind or shape.
    IndexError
        If a target is neither 0 nor 1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> criterion = nr.BinaryClassReward(nr.ReinforceBernoulli(), scale=2)
    >>> criterion([np.array([0.9, 0.2]), np.zeros(2)], np.array([1, 1]))
    -1.0
    """

    def _check_prediction(self, prediction: np.ndarray, target: np.ndarray) -> None:
        if prediction.ndim not in (1, 2) or prediction.shape[1:] not in ((), (1,)):
            raise ValueError(complaint(self, describe(prediction), "a prediction (batch,) or (batch, 1)"))
        check_index_range(self, target, 2, "target")

    def _is_right(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        return (prediction.reshape(-1) > 0.5) == (target == 1)
