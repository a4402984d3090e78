"""Emitted modules whose loops and blocks stay Python, so that very many can be tried."""

import types


def run_uncompiled(text, name, uncached_text):
    """Stand in for the import of an emitted module: its loops and blocks stay Python, what they call is compiled."""
    namespace = {"plain": lambda **options: lambda function: function, "plain_kernel": lambda **options: _whole}
    # channels go one by one: vectors exist in compiled code only
    text = text.replace("@njit(", "@plain(").replace("@kernel(", "@plain_kernel(").replace(", LANES):", ", 1):")
    exec(text, namespace)
    namespace.update(ON_NUMBERS)
    return types.SimpleNamespace(**namespace)


def _whole(part):
    """Return what `kernel` makes of a function that does a part of the work, for one part."""

    def whole(*arguments):
        *arguments, parts, team = arguments
        assert parts == 1
        part(*arguments, 0, 1, team)

    whole.part, whole.overloads = part, {}
    return whole


def _add_to(value, array, start, width):
    array[start] += value


ON_NUMBERS = {
    "load": lambda array, start, width: array[start],
    "load_same": lambda array, position: array[position],
    "store": lambda value, array, start, width: array.__setitem__(start, value),
    "add_to": _add_to,
    "fill": lambda array, start, width: array.__setitem__(start, 0),
}
