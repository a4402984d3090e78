"""Table arithmetic: sums, products, maxima and the like of the arrays of a table, element by element."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from numrnn.equations import maximum, minimum
from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_float_array
from numrnn.layers.table_layers import TableLayer


class ArithmeticTable(TableLayer):
    """An operation on float arrays of one shape."""

    def check_input(self, input: Any) -> None:
        """Expect a table of float arrays of one shape and element type."""
        super().check_input(input)
        for element in input:
            check_float_array(self, element)
        self.check_arrays_alike(input, [element.shape for element in input], "arrays of one shape")


class CAddTable(ArithmeticTable):
    """Add up the arrays of a table, element by element.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.CAddTable()([np.array([1.0, 2.0]), np.array([10.0, 20.0])]).tolist()
    [11.0, 22.0]
    """

    def update_output(self, input: Any) -> np.ndarray:
        """Add in order."""
        total = np.array(input[0])
        for element in input[1:]:
            total += element
        return total

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[np.ndarray]:
        """Give each element a copy of the gradient."""
        return [grad_output.copy() for _ in input]

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Add in order."""
        return functools.reduce(operator.add, recorder.symbols(input))


class PairTable(ArithmeticTable):
    """An operation on two float arrays of one shape."""

    def check_input(self, input: Any) -> None:
        """Expect a table of exactly two float arrays of one shape and element type."""
        super().check_input(input)
        if len(input) != 2:
            raise ValueError(complaint(self, describe(input), "a table of exactly 2 arrays"))


class CSubTable(PairTable):
    """Subtract the second of two arrays from the first.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.CSubTable()([np.array([1.0, 2.0]), np.array([10.0, 20.0])]).tolist()
    [-9.0, -18.0]
    """

    def update_output(self, input: Any) -> np.ndarray:
        """Subtract."""
        return np.asarray(input[0] - input[1])

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[np.ndarray]:
        """Pass the gradient to the first, its negative to the second."""
        return [grad_output.copy(), np.negative(grad_output)]

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Subtract."""
        return operator.sub(*recorder.symbols(input, 2))


class CMulTable(ArithmeticTable):
    """Multiply the arrays of a table, element by element.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.CMulTable()([np.array([1.0, 2.0]), np.array([10.0, 20.0])]).tolist()
    [10.0, 40.0]
    """

    def update_output(self, input: Any) -> np.ndarray:
        """Multiply in order."""
        product = np.array(input[0])
        for element in input[1:]:
            product *= element
        return product

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[np.ndarray]:
        """Multiply the gradient with all the other elements (no division, so zeros are welcome)."""
        before = [np.array(grad_output)]
        for element in input[:-1]:
            before.append(before[-1] * element)
        after = np.ones_like(grad_output)
        for k in reversed(range(len(input))):
            before[k] = before[k] * after
            after = after * input[k]
        return before

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Multiply in order."""
        return functools.reduce(operator.mul, recorder.symbols(input))


class CDivTable(PairTable):
    """Divide the first of two arrays by the second, element by element.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.CDivTable()([np.array([1.0, 6.0]), np.array([2.0, 3.0])]).tolist()
    [0.5, 2.0]
    """

    def update_output(self, input: Any) -> np.ndarray:
        """Divide."""
        return np.asarray(input[0] / input[1])

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[np.ndarray]:
        """Divide the gradient; for the divisor, multiply it with minus the quotient, too."""
        share = np.asarray(grad_output / input[1])
        return [share, np.asarray(-share * (input[0] / input[1]))]

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Divide."""
        return operator.truediv(*recorder.symbols(input, 2))


class _ChoiceTable(ArithmeticTable):
    """One of the arrays, element by element. The gradient goes to the first of those that are chosen."""

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[np.ndarray]:
        """Give the gradient to the array that was chosen."""
        chosen = self._choice(np.stack(input))
        return [np.where(chosen == k, grad_output, grad_output.dtype.type(0)) for k in range(len(input))]

    def _choice(self, stacked: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class CMaxTable(_ChoiceTable):
    """The largest of the arrays of a table, element by element; where several are, the first gets the gradient.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.CMaxTable()([np.array([1.0, 6.0]), np.array([2.0, 3.0])]).tolist()
    [2.0, 6.0]
    """

    def update_output(self, input: Any) -> np.ndarray:
        """Take the largest."""
        return np.asarray(np.max(input, axis=0))

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Take the largest; the first of equals gets the gradient."""
        return functools.reduce(recorder.each(maximum), recorder.symbols(input))

    def _choice(self, stacked: np.ndarray) -> np.ndarray:
        return stacked.argmax(0)


class CMinTable(_ChoiceTable):
    """The smallest of the arrays of a table, element by element; where several are, the first gets the gradient.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.CMinTable()([np.array([1.0, 6.0]), np.array([2.0, 3.0])]).tolist()
    [1.0, 3.0]
    """

    def update_output(self, input: Any) -> np.ndarray:
        """Take the smallest."""
        return np.asarray(np.min(input, axis=0))

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Take the smallest; the first of equals gets the gradient."""
        return functools.reduce(recorder.each(minimum), recorder.symbols(input))

    def _choice(self, stacked: np.ndarray) -> np.ndarray:
        return stacked.argmin(0)
