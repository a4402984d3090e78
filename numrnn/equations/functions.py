"""The element-wise operations that equations may use: each with its text and its derivative.

A new operation is one entry here; the rest of the room never names one. The text is Python that Numba compiles for
any target; `{0}`, `{1}` stand for the arguments. A derivative gives the partial derivatives with respect to the
arguments, as symbols, from the result `y` and the arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numrnn.equations.symbols import Value


@dataclass(frozen=True)
class Operation:
    """An element-wise operation.

    Attributes
    ----------
    text : str
        How it is written in the emitted program.
    derivative : callable
        `(y, *arguments)` to the tuple of partial derivatives.
    costly : bool
        Whether its result is worth keeping for the backward pass; others are computed again.
    """

    text: str
    derivative: Callable[..., tuple[Any, ...]]
    costly: bool = False


def _greater(a: Value, b: Any) -> Value:
    return a.trace.operation("greater", a, b)


OPERATIONS: dict[str, Operation] = {
    "add": Operation("{0} + {1}", lambda y, a, b: (1.0, 1.0)),
    "subtract": Operation("{0} - {1}", lambda y, a, b: (1.0, -1.0)),
    "multiply": Operation("{0} * {1}", lambda y, a, b: (b, a)),
    "divide": Operation("{0} / {1}", lambda y, a, b: (1.0 / b, -y / b), costly=True),
    "negate": Operation("-{0}", lambda y, a: (-1.0,)),
    "copy": Operation("{0}", lambda y, a: (1.0,)),
    "sigmoid": Operation("sigmoid({0})", lambda y, a: (y * (1.0 - y),), costly=True),
    "sin": Operation("sin({0})", lambda y, a: (a.trace.operation("cos", a),), costly=True),
    "cos": Operation("cos({0})", lambda y, a: (-a.trace.operation("sin", a),), costly=True),
    "tanh": Operation("tanh({0})", lambda y, a: (1.0 - y * y,), costly=True),
    "exp": Operation("exp({0})", lambda y, a: (y,), costly=True),
    "log": Operation("log({0})", lambda y, a: (1.0 / a,), costly=True),
    "sqrt": Operation("sqrt({0})", lambda y, a: (0.5 / y,), costly=True),
    "softplus": Operation("softplus({0})", lambda y, a: (a.trace.operation("sigmoid", a),), costly=True),
    "relu": Operation("relu({0})", lambda y, a: (_greater(a, 0.0),)),
    "absolute": Operation("abs({0})", lambda y, a: (_greater(a, 0.0) - _greater(-a, 0.0),)),
    "maximum": Operation("maximum({0}, {1})", lambda y, a, b: (1.0 - _greater(b, a), _greater(b, a))),
    "minimum": Operation("minimum({0}, {1})", lambda y, a, b: (1.0 - _greater(a, b), _greater(a, b))),
    "greater": Operation("greater({0}, {1})", lambda y, a, b: (0.0, 0.0)),
}
