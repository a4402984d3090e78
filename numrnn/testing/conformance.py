"""The promises that every module keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numrnn.errors import describe
from numrnn.module import Module
from numrnn.recurrent import AbstractRecurrent, Cell
from numrnn.table import is_table, map_table, signature
from numrnn.testing.gradients import check_gradients
from numrnn.testing.trial import Results, Trial

REFUSALS = (TypeError, ValueError, IndexError)


def check_module(
    module: Module, input: Any = None, *, rows: bool = True, gradients: bool = True, length: int = 4, seed: int = 0
) -> None:
    """Check that a module keeps the promises of numrnn's own modules.

    Its gradients are right. A Sequencer gives what stepping gives (for a cell bit for bit), and goes on where it
    stopped. A sample does not depend on its batch. Copies are independent, float32 gives nearly what float64 gives,
    returned arrays are the caller's, and what does not fit is refused and changes nothing.

    Parameters
    ----------
    module, input, length, seed
        See `check_gradients`.
    rows : bool
        Whether the rows of a step's arrays are samples. It does not matter if they have no rows.
    gradients : bool
        Whether the gradient is that of what is computed, as it should be if nobody has defined another.

    Raises
    ------
    AssertionError
        If something does not hold; the text says what, and shows what was found and what was expected.

    Examples
    --------
    >>> import numrnn as nr
    >>> from numrnn.equations import linear, sigmoid, tanh
    >>> class MGU(nr.Cell):
    ...     def equations(self, x, h):
    ...         f = sigmoid(linear("forget", x, h))
    ...         return (1 - f) * h + f * tanh(linear("candidate", x, f * h))
    >>> nr.testing.check_module(MGU(4, 6))
    """
    if gradients:
        check_gradients(module, input, length=length, seed=seed)
    trial = Trial(module, input, length, seed)
    single = Trial(module, input, length, seed, "float32")
    modes = [False] if trial.is_random else [True, False]  # float32 draws other random numbers, and so does one row
    first, last = trial.ways[0], trial.ways[-1]
    stepped = trial.run(first)
    for way in trial.ways:
        expected = trial.run(way)
        _compare(trial, f"{way} and {first}", expected, stepped)
        _compare(trial, f"{way}, returned arrays overwritten", trial.run(way, overwrite=True), expected, 0)
        for interrupt in (_misfits_refused, _excess_refused, _clone_used):
            what = f"{way}, {interrupt.__name__[1:]}"
            _compare(trial, what.replace("_", " "), trial.run(way, interrupt=interrupt), expected, 0)
        _compare(trial, f"{way}, parameters loaded", _reloaded(trial).run(way), expected, 0)
        for training in modes:
            both = [t.run(way, training=training) for t in (single, trial)]
            _compare(trial, f"{way}, float32 and float64", *both, 1e-3)
    whole = trial.run(last, training=False)
    _compare(trial, f"in evaluate mode, {last} and {first}", whole, trial.run(first, training=False))
    if trial.can_be_cut:
        _compare(trial, "in evaluate mode, a sequence cut in two", trial.run(last, training=False, cut=True), whole)
    for row in range(trial.batch if rows else 0):
        for training in modes:
            _compare_row(trial, row, training)


def _compare(trial: Trial, what: str, found: Results, expected: Results, tolerance: float | None = None) -> None:
    """Raise an AssertionError unless both are equal: bit for bit if the tolerance is 0, by default for cells."""
    if tolerance is None:
        tolerance = 0 if isinstance(trial.module, Cell) else 1e-9
    for name, right in expected.items():
        left = found.get(name)
        if left is None or right is None:
            is_same = left is right
        else:
            is_same = left.shape == right.shape and np.allclose(left, right, tolerance, tolerance, equal_nan=True)
        if not is_same:
            raise AssertionError(f"{trial.module!r}: {what}: the {name} is\n{left}\ninstead of\n{right}")


def _compare_row(trial: Trial, row: int, training: bool) -> None:
    way = trial.ways[-1]
    together = trial.run(way, training=training)
    own = {name: array for name, array in together.items() if "the parameter" not in name}
    picked = {name: array if array is None else array[row : row + 1] for name, array in own.items()}
    _compare(trial, f"row {row} alone and in its batch", trial.only(row).run(way, training=training), picked)


def _reloaded(trial: Trial) -> Trial:
    """Return a copy whose parameters were changed and loaded again."""
    other = trial.copy()
    _spoil(other.module)
    other.module.load_state_dict(trial.module.state_dict())
    _spoil_arrays(trial.module.state_dict().values())
    return other


def _spoil(module: Module) -> None:
    parameters, gradients = module.parameters()
    _spoil_arrays([*parameters, *gradients])


def _spoil_arrays(arrays: Any) -> None:
    for array in arrays:
        array += 1


# ---- interruptions: none of them may change the results of the run that they interrupt ---------------------------


def _misfits_refused(walker: Module, stage: str, input: Any, grad_output: Any) -> None:
    """Call forward and backward with what does not fit."""
    if stage != "end":
        for misfit in _misfits(input):
            # a sigmoid, say, takes arrays of any shape: a copy finds out whether the module takes this one
            if misfit is None or _is_refused(walker.clone().forward, REFUSALS, misfit):
                _expect_refusal(walker, f"forward of {describe(misfit)}", REFUSALS, walker.forward, misfit)
    if stage == "backward":
        for misfit in _misfits(grad_output):
            if signature(misfit) != signature(grad_output):
                what = f"backward of {describe(misfit)}"
                _expect_refusal(walker, what, REFUSALS, walker.backward, input, misfit)


def _misfits(table: Any) -> Iterator[Any]:
    """Iterate over variations of an array or table."""
    yield from (None, "text", [], [table], *([table[:-1]] if is_table(table) else []))
    for change in (
        lambda array: array[np.newaxis],
        lambda array: np.repeat(array, 2, axis=-1) if array.ndim else array,
        lambda array: np.concatenate([array, array[:1]]) if array.ndim else array,
        lambda array: array[..., :0] if array.ndim else array,
        lambda array: array.astype("float64" if array.dtype == "float32" else "float32"),
        lambda array: array.astype("float16"),
        lambda array: array.astype("int64" if array.dtype.kind == "f" else "float64"),
        lambda array: array + 10**6 if array.dtype.kind == "i" else array,
    ):
        changed = map_table(lambda array, change=change: None if array is None else change(array), table)
        yield changed
        if is_table(table) and table:
            yield [*table[:-1], changed[-1]]  # the last element, or step
            yield [_with_last(*pair) for pair in zip(table, changed, strict=True)]  # in every step the last element


def _with_last(table: Any, changed: Any) -> Any:
    return [*table[:-1], changed[-1]] if is_table(table) and table else table


def _is_refused(call: Callable[..., Any], errors: Any, *arguments: Any) -> bool:
    try:
        call(*arguments)
    except errors:
        return True
    except Exception as error:
        raise AssertionError(f"{call} raised {error!r}, which does not say what is wrong") from error
    return False


def _excess_refused(walker: Module, stage: str, input: Any, grad_output: Any) -> None:
    """Call backward more often than forward, and in evaluate mode."""
    if stage != "end":
        return
    _expect_refusal(walker, "one backward too many", RuntimeError, walker.backward, input, grad_output)
    other = walker.clone().evaluate()
    other.forget()
    other.forward(input)
    if any(isinstance(part, AbstractRecurrent) for part in other.modules()):
        _expect_refusal(walker, "backward in evaluate mode", RuntimeError, other.backward, input, grad_output)


def _expect_refusal(module: Module, what: str, errors: Any, call: Callable[..., Any], *arguments: Any) -> None:
    if not _is_refused(call, errors, *arguments):
        raise AssertionError(f"{module!r}: {what} is not refused")


def _clone_used(walker: Module, stage: str, input: Any, grad_output: Any) -> None:
    """Change a clone in every way."""
    clone = walker.clone()
    if stage == "forward":
        clone.forward(input)
    elif stage == "backward":
        clone.backward(input, grad_output)
    _spoil(clone)
    clone.evaluate()
    clone.forget()
