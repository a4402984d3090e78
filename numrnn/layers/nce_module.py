"""NCEModule: scores of a few words instead of all, for large vocabularies.

Gutmann and Hyvarinen, "Noise-contrastive estimation" (2010); for language models Mnih and Teh, "A fast and simple
algorithm for training neural probabilistic language models" (2012), and Chen et al., "Recurrent neural network language
model training with noise contrastive estimation" (2015).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.affine import add_outer_products, affine
from numrnn.kernels.cpu.log_softmax import log_softmax
from numrnn.kernels.cpu.lookup import add_rows_at
from numrnn.kernels.cpu.memory import empty
from numrnn.kernels.cpu.nce import (
    add_input_gradients,
    add_weight_gradients,
    alias_table,
    draw_words,
    scores_of,
)
from numrnn.layers.arrays import check_float_array, check_index_array, check_index_range, compact, is_size
from numrnn.module import Module
from numrnn.random import generator
from numrnn.table import is_table


class NCEModule(Module):
    """The last layer of a model of many words: only the target and `k` noise words get a probability.

    `NCECriterion` then asks the model to tell the target from words of a known distribution, which makes the model's
    probabilities sum to 1 nearly by themselves. A step costs k + 1 dot products a row, or less, not one for each word.

    Parameters
    ----------
    input_size : int
        Number of features D.
    output_size : int
        Number of words V.
    k : int
        Number of noise words.
    unigrams : array (V,)
        How frequent each word is; the noise is drawn in proportion to it.
    Z : float
        Constant that turns exp(score) into a probability, by division. If it is not above 0, the first forward sets
        it to V times the mean of exp(score) over the words it has drawn (without `batch_noise` also over the targets).
    batch_noise : bool
        Whether all rows of a batch share `k` noise words, which is much faster, or each row has its own.
    normalized : bool
        Whether the module gives in evaluate mode the probabilities of all words.
    log_softmax : bool
        Whether these are their logarithms, as `ClassNLLCriterion` expects.
    rng : numpy.random.Generator or int, optional
        Where the initial values and the noise words are drawn from; without it, a stream of its own from
        `numrnn.seed`.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (V, D). Drawn uniformly between plus and minus `D ** -0.5`.
    bias, grad_bias : numpy.ndarray
        Shape (V,). All are -log(V) at first, so that Z is about 1. Gradients are added to the rows in use only.
    noise : numpy.ndarray or None
        The noise words of the last forward, of shape (k,), or (N, k) without `batch_noise`.
    Z : numpy.ndarray
        The constant, an array without axes. It is saved with the parameters.
    normalized, log_softmax : bool
        As above; they may be changed.

    Notes
    -----
    The input is a table [x (N, D), target (N,)]; or [x (D,), target ()] for one sample. The output is a table of the
    target's probability (N,), the noise words' (N, k), and the probabilities of both as noise, (N,) and (N, k), which
    are constants. A target has no gradient.

    In evaluate mode a normalized module gives one array (N, V). It may be given x alone then, and has no backward.

    Raises
    ------
    ValueError
        If a size is not a whole number of at least 1, or `unigrams` are not `output_size` numbers of at least 0 with a
        sum above 0; in forward, if shapes do not fit.
    TypeError
        In forward, if x is not of the parameters' element type or the target not of integers.
    IndexError
        In forward, if a target is not in 0 .. output_size-1.
    RuntimeError
        In backward, if the probabilities are of all words.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> words = nr.NCEModule(4, 1000, k=5, unigrams=1 / np.arange(1, 1001))
    >>> x, target = np.zeros((3, 4), "float32"), np.array([7, 0, 999])
    >>> [p.shape for p in words([x, target])]
    [(3,), (3, 5), (3,), (3, 5)]
    >>> words.normalized = True
    >>> words.evaluate()(x).shape
    (3, 1000)
    """

    memory = ("noise", "_target_probability", "_noise_probability")

    def __init__(
        self,
        input_size: int,
        output_size: int,
        k: int,
        unigrams: Any,
        Z: float = -1,
        batch_noise: bool = True,
        normalized: bool = False,
        log_softmax: bool = False,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__()
        if not (is_size(input_size) and is_size(output_size) and is_size(k)):
            got = f"sizes {input_size!r} and {output_size!r}, k={k!r}"
            raise ValueError(complaint("NCEModule", got, "whole numbers of at least 1"))
        self.input_size, self.output_size, self.k = int(input_size), int(output_size), int(k)
        self.unigrams = self._checked_unigrams(unigrams)
        self.add_buffer("Z", np.array(Z, np.float64))
        self.batch_noise, self.normalized, self.log_softmax = bool(batch_noise), bool(normalized), bool(log_softmax)
        self.rng = generator(rng)
        self._cells = alias_table(self.unigrams)
        bound = self.input_size**-0.5
        drawn = self.rng.uniform(-bound, bound, (self.output_size, self.input_size))
        self.add_parameter("weight", drawn.astype("float32"))
        self.add_parameter("bias", np.full(self.output_size, -math.log(self.output_size), "float32"))
        self.noise: np.ndarray | None = None
        self._target_probability: np.ndarray | None = None
        self._noise_probability: np.ndarray | None = None

    def _checked_unigrams(self, unigrams: Any) -> np.ndarray:
        """Return the frequencies divided by their sum."""
        given = np.asarray(unigrams)
        if given.dtype.kind not in "fiu" or given.shape != (self.output_size,):
            expects = f"{self.output_size} real numbers, one for each word"
            raise ValueError(complaint("NCEModule", f"unigrams as a {describe(given)}", expects))
        frequencies = given.astype(np.float64)
        total = frequencies.sum()
        if not ((frequencies >= 0).all() and 0 < total < np.inf):
            got = f"unigrams from {frequencies.min()} on with a sum of {total}"
            raise ValueError(complaint("NCEModule", got, "numbers of at least 0 with a sum above 0"))
        return frequencies / total

    @property
    def _is_full(self) -> bool:
        """Whether the output is the probabilities of all words."""
        return self.normalized and not self.is_training

    # ---- checks --------------------------------------------------------------------------------------------------

    def check_input(self, input: Any) -> None:
        """Expect a table [x, target]; x alone will do where all words get a probability."""
        if self._is_full and not is_table(input):
            self._check_x(input)
            return
        if not is_table(input) or len(input) != 2:
            wrong = ValueError if is_table(input) else TypeError
            raise wrong(complaint(self, describe(input), "a table [x, target]"))
        x, target = input
        self._check_x(x)
        check_index_array(self, target)
        if target.shape != x.shape[:-1]:
            expects = f"shape {x.shape[:-1]}, as x has rows"
            raise ValueError(complaint(self, f"targets of shape {target.shape}", expects))
        check_index_range(self, target, self.output_size, "target")

    def _check_x(self, x: Any) -> None:
        check_float_array(self, x)
        if x.dtype != self.weight.dtype:
            hint = f"Use x.astype({self.weight.dtype.name!r}) or module.astype({x.dtype.name!r})"
            raise TypeError(complaint(self, describe(x), f"an array of {self.weight.dtype.name}", hint))
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            expects = f"x of shape (batch, {self.input_size}) or ({self.input_size},)"
            raise ValueError(complaint(self, describe(x), expects))

    def check_backward(self, steps: int = 1) -> None:
        """Raise an error if the last forward gave the probabilities of all words."""
        if self.noise is None:
            expects = "one in training mode, or without normalized"
            raise RuntimeError(complaint(self, "backward through the probabilities of all words", expects))

    # ---- forward -------------------------------------------------------------------------------------------------

    def draw_noise(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return an array of noise words."""
        words = np.empty(shape, np.int64)
        draw_words(self.rng.random(words.size), *self._cells, words.reshape(-1))
        return words

    def update_output(self, input: Any) -> Any:
        """Draw noise words and compute probabilities."""
        if self._is_full:
            self.noise = self._target_probability = self._noise_probability = None
            return self._all_words(input[0] if is_table(input) else input)
        x, target = compact(input[0]).reshape(-1, self.input_size), np.asarray(input[1])
        words = target.astype(np.int64).reshape(-1, 1)
        rows = target.shape
        self.noise = self.draw_noise((self.k,) if self.batch_noise else (*rows, self.k))
        target_scores, noise_scores = self._scores(x, words), self._noise_scores(x)
        if not self.Z > 0:
            counted = noise_scores if self.batch_noise else np.hstack([target_scores, noise_scores])
            if counted.size:
                self.Z = self.output_size * float(np.exp(counted, dtype=np.float64).mean())
        log_z = x.dtype.type(math.log(self.Z) if self.Z > 0 else 0)
        self._target_probability = np.exp(target_scores - log_z)
        self._noise_probability = np.exp(noise_scores - log_z)
        noise_as_noise = self.unigrams[self.noise].astype(x.dtype)
        return [
            self._target_probability.reshape(rows).copy(),
            self._noise_probability.reshape(*rows, self.k).copy(),
            np.asarray(self.unigrams[target]).astype(x.dtype),
            np.array(np.broadcast_to(noise_as_noise, (*rows, self.k))),
        ]

    def _scores(self, x: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Return the scores (rows, count) of each row's own words."""
        scores = np.empty(words.shape, x.dtype)
        scores_of(x, self.weight, self.bias, words, scores)
        return scores

    def _noise_scores(self, x: np.ndarray) -> np.ndarray:
        """Return the scores (rows, k) of the noise words."""
        if not self.batch_noise:
            return self._scores(x, self.noise.reshape(-1, self.k))
        return self._product(x, self.weight[self.noise], self.bias[self.noise])

    def _product(self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        scores = empty((len(x), len(weight)), x.dtype)
        affine(x, weight, bias, scores, is_transposed=True)
        return scores

    def _all_words(self, x: np.ndarray) -> np.ndarray:
        """Return the probabilities (..., V) of all words, or their logarithms."""
        scores = self._product(compact(x).reshape(-1, self.input_size), self.weight, self.bias)
        output = empty(scores.shape, scores.dtype)
        log_softmax(scores, output)
        if not self.log_softmax:
            np.exp(output, out=output)
        return output.reshape(*x.shape[:-1], self.output_size)

    # ---- backward ------------------------------------------------------------------------------------------------

    def update_grad_input(self, input: Any, grad_output: Any) -> list[Any]:
        """Return the gradient of x; targets have none."""
        self.check_backward()
        _, words = self._rows(input)
        of_targets, of_noise = self._score_gradients(grad_output)
        if self.batch_noise:
            grad_x = np.empty((len(words), self.input_size), of_targets.dtype)
            affine(of_noise, self.weight[self.noise], np.zeros(self.input_size, grad_x.dtype), grad_x)
        else:
            grad_x = np.zeros((len(words), self.input_size), of_targets.dtype)
            add_input_gradients(of_noise, self.weight, self.noise.reshape(-1, self.k), grad_x)
        add_input_gradients(of_targets, self.weight, words, grad_x)
        return [grad_x.reshape(input[0].shape), None]

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Add to the rows of the targets and of the noise words, and to no others."""
        x, words = self._rows(input)
        of_targets, of_noise = (gradients * x.dtype.type(scale) for gradients in self._score_gradients(grad_output))
        if self.batch_noise:
            one = x.dtype.type(1)
            grad_weight, grad_bias = np.zeros((self.k, self.input_size), x.dtype), np.zeros(self.k, x.dtype)
            add_outer_products(of_noise, x, one, grad_weight, grad_bias)
            add_rows_at(self.grad_weight, self.noise[None], grad_weight[None], one)
            add_rows_at(self.grad_bias.reshape(-1, 1), self.noise[None], grad_bias.reshape(1, -1, 1), one)
        else:
            add_weight_gradients(of_noise, x, self.noise.reshape(-1, self.k), self.grad_weight, self.grad_bias)
        add_weight_gradients(of_targets, x, words, self.grad_weight, self.grad_bias)

    def _rows(self, input: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return x (N, D) and the targets (N, 1)."""
        x, target = input
        # The caller may have overwritten the targets since the forward, and the kernels do not look.
        check_index_range(self, target, self.output_size, "target")
        return compact(x).reshape(-1, self.input_size), np.asarray(target).astype(np.int64).reshape(-1, 1)

    def _score_gradients(self, grad_output: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients of the scores of targets (N, 1) and noise words (N, k): exp is its own derivative."""
        of_targets, of_noise = np.asarray(grad_output[0]).reshape(-1, 1), np.asarray(grad_output[1]).reshape(-1, self.k)
        return of_targets * self._target_probability, of_noise * self._noise_probability

    def _snapshot(self) -> Any:
        return super()._snapshot(), self.rng.bit_generator.state, float(self.Z)

    def _rollback(self, snapshot: Any) -> None:
        rest, self.rng.bit_generator.state, self.Z = snapshot
        super()._rollback(rest)

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return f"{self.input_size} -> {self.output_size}, k={self.k}, batch_noise={self.batch_noise}"
