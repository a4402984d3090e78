"""How every complaint reads: which module, what it got, what it expects, what to do.

The types are Python's own: `ValueError` for shapes and values, `TypeError` for kinds and element types,
`IndexError` for indices out of range, `RuntimeError` for calls in the wrong order.
"""

from __future__ import annotations

import numpy as np


def complaint(module: object, got: str, expects: str, hint: str = "") -> str:
    """Return the text of an error: the module, what it got, what it expects, and what to do about it."""
    name = module if isinstance(module, str) else repr(module)
    text = f"{name}: got {got}; expects {expects}"
    return f"{text}. {hint}" if hint else text


def describe(value: object) -> str:
    """Return a short description of a value for an error message.

    >>> describe(np.zeros((3, 4), "float32"))
    'float32 array of shape (3, 4)'
    >>> describe([np.zeros(2), None])
    'table of 2 (float64 array of shape (2,), None)'
    """
    if isinstance(value, np.ndarray | np.generic):
        return f"{value.dtype} array of shape {value.shape}"
    if isinstance(value, list | tuple):
        shown = ", ".join(describe(element) for element in value[:3])
        return f"table of {len(value)} ({shown}{', ...' if len(value) > 3 else ''})"
    return repr(value) if value is None or isinstance(value, int | float | str) else type(value).__name__
