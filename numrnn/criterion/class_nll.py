"""ClassNLLCriterion: the negative log-likelihood of classes."""

from __future__ import annotations

import numpy as np

from numrnn.criterion.class_criterion import LikelihoodCriterion
from numrnn.kernels.cpu.memory import empty


class ClassNLLCriterion(LikelihoodCriterion):
    """Minus the log-probability of the target class, averaged over the batch.

    With w the weight of a row's target, the loss is `sum(-w * input[n, target[n]])`, divided by `sum(w)` if
    it averages.

    Parameters
    ----------
    weights : array (classes,), optional
        Weight of each class; without it, all are 1.
    size_average : bool
        Whether to divide by the sum of the weights of the targets.
    ignore_index : int
        Rows with this target count nothing. If all are ignored, the loss and the gradient are 0.

    Notes
    -----
    `input` holds log-probabilities (such as `LogSoftMax` gives), of shape (batch, classes), or (classes,) for
    one sample. `target` holds integers from 0, of shape (batch,); for one sample, one integer.

    Raises
    ------
    TypeError, ValueError
        If `input` or `target` is of another kind or shape.
    IndexError
        If a target is not in 0 .. classes-1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> log_probabilities = np.log(np.array([[0.5, 0.5], [0.75, 0.25]]))
    >>> round(nr.ClassNLLCriterion()(log_probabilities, np.array([0, 1])), 4)  # (log 2 + log 4) / 2
    1.0397
    """

    scores = "log-probabilities"

    def row_losses(self, rows: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Pick the targets' log-probabilities."""
        return -rows[_places(target)]

    def row_gradients(self, rows: np.ndarray, target: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Put each row's share where its target is."""
        gradients = empty(rows.shape, rows.dtype)
        gradients.fill(0)
        gradients[_places(target)] = 0 - shares
        return gradients


def _places(target: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the indices of each row's target."""
    steps, batch = target.shape
    return np.arange(steps)[:, None], np.arange(batch), target
