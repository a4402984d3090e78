"""Noise words, the scores of some words of many, and their gradients. Rows or columns are shared out to threads.

Each sum is made in a fixed order, whatever the number of threads.
"""

from __future__ import annotations

import numpy as np

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.kernel import kernel
from numrnn.kernels.cpu.machine import INLINE_OPTIONS, OPTIONS
from numrnn.kernels.cpu.sharing import share
from numrnn.kernels.cpu.threads import run, threads_for
from numrnn.kernels.cpu.vector import lanes_in, load, store

LANES = 64


# ---- drawing ------------------------------------------------------------------------------------------------------


@njit(**OPTIONS)
def alias_table(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return thresholds and aliases with which a word is drawn in constant time.

    Walker's method, as Vose builds it, "A linear algorithm for generating random numbers with a given distribution"
    (1991): all words get cells of one size. What a rare one does not fill is given to a frequent one, its alias.

    Parameters
    ----------
    probabilities : (words,) float64 >= 0, with a sum above 0

    Returns
    -------
    thresholds : (words,) float64, the filled share of each cell
    aliases : (words,) int64
    """
    count = probabilities.size
    total = 0.0
    for p in probabilities:
        total += p
    thresholds = np.ones(count)
    aliases = np.arange(count)
    shares = np.empty(count)
    small, large = np.empty(count, np.int64), np.empty(count, np.int64)
    smalls = larges = 0
    for word in range(count):
        shares[word] = probabilities[word] * (count / total)
        if shares[word] < 1:
            small[smalls] = word
            smalls += 1
        else:
            large[larges] = word
            larges += 1
    while smalls and larges:
        smalls -= 1
        poor, rich = small[smalls], large[larges - 1]
        thresholds[poor], aliases[poor] = shares[poor], rich
        shares[rich] -= 1 - shares[poor]
        if shares[rich] < 1:
            larges -= 1
            small[smalls] = rich
            smalls += 1
    # Rounding may leave words with nearly full cells. One that is never to be drawn must not be among them.
    for k in range(smalls):
        if probabilities[small[k]] == 0:
            thresholds[small[k]], aliases[small[k]] = 0, np.argmax(probabilities)
    return thresholds, aliases


@njit(**OPTIONS)
def draw_words(uniforms: np.ndarray, thresholds: np.ndarray, aliases: np.ndarray, words: np.ndarray) -> None:
    """Turn each random number in [0, 1) into a word: its digits choose the cell first, then the word in it."""
    count = thresholds.size
    for k in range(uniforms.size):
        place = uniforms[k] * count
        cell = min(int(place), count - 1)
        words[k] = cell if place - cell < thresholds[cell] else aliases[cell]


# ---- scores ---------------------------------------------------------------------------------------------------------


def scores_of(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, words: np.ndarray, scores: np.ndarray) -> None:
    """Write the scores of each row's own words: scores[n, j] = x[n] . weight[words[n, j]] + bias[words[n, j]].

    Parameters
    ----------
    x : (rows, features)
    weight : (words, features)
    bias : (words,)
    words : (rows, count), integers below the number of words
    scores : (rows, count)
    """
    run(_scores_of, (x, weight, bias, words, scores), threads_for(2 * words.size * x.shape[1]))


@njit(**INLINE_OPTIONS)
def _dot(a, a_start, b, b_start, size, lanes):
    """Return the sum of products, in 64 sums that are added up at the end."""
    width = lanes_in(lanes)
    lanes[:] = 0
    for start in range(0, size, LANES):
        for c in range(0, min(LANES, size - start), width):
            used = size - start - c
            product = load(a, a_start + start + c, used) * load(b, b_start + start + c, used)
            store(load(lanes, c, width) + product, lanes, c, width)
    half = LANES // 2
    while half:
        for k in range(half):
            lanes[k] += lanes[half + k]
        half //= 2
    return lanes[0]


@kernel(**OPTIONS)
def _scores_of(x, weight, bias, words, scores, part, parts, barrier):
    (rows, size), count = x.shape, words.shape[1]
    lanes = np.empty(LANES, x.dtype)
    x, weight = x.ravel(), weight.ravel()
    first, last = share(rows, part, parts)
    for n in range(first, last):
        for j in range(count):
            word = words[n, j]
            scores[n, j] = _dot(x, n * size, weight, word * size, size, lanes) + bias[word]


def add_input_gradients(gradients: np.ndarray, weight: np.ndarray, words: np.ndarray, grad_x: np.ndarray) -> None:
    """Add the gradients of scores, times the weights of their words, to `grad_x`; shapes are as in `scores_of`."""
    run(_add_input_gradients, (gradients, weight, words, grad_x), threads_for(2 * words.size * grad_x.shape[1]))


@kernel(**OPTIONS)
def _add_input_gradients(gradients, weight, words, grad_x, part, parts, barrier):
    first, last = share(len(grad_x), part, parts)
    for n in range(first, last):
        target = grad_x[n]
        for j in range(words.shape[1]):
            gradient, source = gradients[n, j], weight[words[n, j]]
            for k in range(target.size):
                target[k] += gradient * source[k]


def add_weight_gradients(
    gradients: np.ndarray, x: np.ndarray, words: np.ndarray, grad_weight: np.ndarray, grad_bias: np.ndarray
) -> None:
    """Add what the gradients of scores give to the rows of words in use, the first row of `x` first.

    Shapes are as in `scores_of`. No other rows are touched.
    """
    arguments = (gradients, x, words, grad_weight, grad_bias)
    run(_add_weight_gradients, arguments, threads_for(2 * words.size * x.shape[1]))


@kernel(**OPTIONS)
def _add_weight_gradients(gradients, x, words, grad_weight, grad_bias, part, parts, barrier):
    first, last = share(x.shape[1], part, parts)
    for n in range(len(x)):
        for j in range(words.shape[1]):
            gradient, target, source = gradients[n, j], grad_weight[words[n, j]], x[n]
            for k in range(first, last):
                target[k] += gradient * source[k]
            if part == 0:
                grad_bias[words[n, j]] += gradient
