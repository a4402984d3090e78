"""CrossEntropyCriterion: the negative log-likelihood of classes, from scores."""

from __future__ import annotations

import numpy as np

from numrnn.criterion.class_criterion import LikelihoodCriterion
from numrnn.kernels.cpu.log_softmax import cross_entropies, cross_entropies_gradient
from numrnn.kernels.cpu.memory import empty
from numrnn.layers.arrays import compact


class CrossEntropyCriterion(LikelihoodCriterion):
    """Minus the log-probability of the target class, where scores are given: `LogSoftMax` and the loss in one.

    With w the weight of a row's target, the loss is `sum(w * (log(sum(exp(input[n]))) - input[n, target[n]]))`,
    divided by `sum(w)` if it averages. No log-probabilities are stored.

    Parameters
    ----------
    weights : array (classes,), optional
        Weight of each class; without it, all are 1.
    size_average : bool
        Whether to divide by the sum of the weights of the targets.
    ignore_index : int
        Rows with this target count nothing, whatever is in them. If all are ignored, the loss and the gradient are 0.

    Notes
    -----
    `input` holds scores of any size, of shape (batch, classes), or (classes,) for one sample. `target` holds integers
    from 0, of shape (batch,); for one sample, one integer. The maximum of a row is taken out first, so that large
    scores do not overflow.

    Raises
    ------
    TypeError, ValueError
        If `input` or `target` is of another kind or shape.
    IndexError
        If a target is not in 0 .. classes-1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> scores = np.array([[1000.0, 1000.0], [0.0, np.log(3)]])
    >>> round(nr.CrossEntropyCriterion()(scores, np.array([0, 0])), 4)  # (log 2 + log 4) / 2
    1.0397
    """

    def row_losses(self, rows: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Take the targets' log-probabilities from the scores."""
        scores, classes = _flat(rows, target)
        losses = np.empty(len(scores), scores.dtype)
        cross_entropies(scores, classes, losses)
        return losses.reshape(target.shape)

    def row_gradients(self, rows: np.ndarray, target: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Take the share of each row from its target, and give it to the classes by their probabilities."""
        scores, classes = _flat(rows, target)
        maxima, log_totals = cross_entropies(scores, classes, np.empty(len(scores), scores.dtype))
        gradients = empty(scores.shape, scores.dtype)
        factors = shares.reshape(-1).astype(scores.dtype)
        cross_entropies_gradient(scores, maxima, log_totals, classes, factors, gradients)
        return gradients.reshape(rows.shape)


def _flat(rows: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return compact(rows).reshape(-1, rows.shape[-1]), compact(target.reshape(-1).astype(np.int64))
