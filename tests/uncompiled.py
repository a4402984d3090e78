"""Emitted modules whose loops and blocks stay Python, so that very many can be tried."""

import types


def run_uncompiled(text, name, uncached_text):
    """Stand in for the import of an emitted module: its loops and blocks stay Python, what they call is compiled."""
    namespace = {"plain": lambda **options: lambda function: function}
    # channels go one by one: vectors exist in compiled code only
    exec(text.replace("@njit(", "@plain(").replace(", LANES):", ", 1):"), namespace)
    namespace.update(ON_NUMBERS)
    return types.SimpleNamespace(**namespace)


def _add_to(value, array, start, width):
    array[start] += value


ON_NUMBERS = {
    "load": lambda array, start, width: array[start],
    "load_same": lambda array, position: array[position],
    "store": lambda value, array, start, width: array.__setitem__(start, value),
    "add_to": _add_to,
    "fill": lambda array, start, width: array.__setitem__(start, 0),
}
