"""Symbols: what a cell's equations are run on, once, to record them.

A `Value` is one quantity of the recurrence, with one number per row and channel. Arithmetic and the functions here
make new values; equal expressions are the same value. A `Trace` collects what one cell's equations mention.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

Number = int | float

MOST_PARTS = 8
"""Outputs that one linear map may have."""

ROW = "1"
"""The size of what has one number a row."""


@dataclass(eq=False, frozen=True)
class Value:
    """A quantity in the equations.

    `kind` is "operation" (element-wise, on `arguments`), or what the quantity is otherwise: "input", "state",
    "linear" (a part of a linear map's result), "total" (sums of channels of its argument), "spread" (its argument's
    channels, each several times), "vector" (a parameter with one number a channel), "mask" (what is dropped, the same
    at all steps of a sequence), "noise" (0 or 1, drawn anew at every step), "constant", "share" (one divided by a
    number of channels, which kernels learn when they are called), "seed" (an incoming gradient).

    `size` names the number of channels: one of the cell's sizes, `ROW`, or None of a constant or share. `groups` is,
    of a total or spread, the number of groups of channels that are added up, or come several times, as they are.
    """

    trace: Trace
    kind: str
    name: str
    arguments: tuple[Value, ...] = ()
    size: str | None = None
    number: float = 0.0
    part: int = 0
    groups: str = ROW

    def __add__(self, other: Any) -> Value:
        return self.trace.operation("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return self.trace.operation("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return self.trace.operation("subtract", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.trace.operation("subtract", other, self)

    def __mul__(self, other: Any) -> Value:
        return self.trace.operation("multiply", self, other)

    def __rmul__(self, other: Any) -> Value:
        return self.trace.operation("multiply", other, self)

    def __truediv__(self, other: Any) -> Value:
        return self.trace.operation("divide", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self.trace.operation("divide", other, self)

    def __neg__(self) -> Value:
        return self.trace.operation("negate", self)

    def __abs__(self) -> Value:
        return self.trace.operation("absolute", self)

    def __pow__(self, power: int) -> Value:
        if not isinstance(power, int) or power < 1:
            raise TypeError(f"equations: got the power {power!r}; expects a whole number >= 1")
        result = self
        for _ in range(power - 1):
            result = result * self
        return result

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    def __bool__(self) -> bool:
        raise TypeError(
            "equations: got a comparison or condition on a symbol; expects arithmetic (use maximum, minimum, relu)"
        )

    def is_number(self, number: float) -> bool:
        """Whether this is the constant `number`."""
        return self.kind == "constant" and self.number == number


@dataclass(eq=False)
class LinearMap:
    """An affine map `sum over k of W_k argument_k + b`, whose result has `parts` parts of `size` channels.

    With several heads a weight is block-diagonal: channels fall in as many groups, each of which sees only itself.
    """

    name: str
    arguments: tuple[Value, ...]
    suffixes: tuple[str, ...]  # one for each argument: its weight is called `name_weight_suffix`
    size: str
    parts: int
    bias: bool
    heads: tuple[int, ...]  # one for each argument


@dataclass
class Trace:
    """Everything that one run of a cell's equations mentioned."""

    sizes: dict[str, int]
    maps: dict[str, LinearMap] = field(default_factory=dict)
    vectors: dict[str, Value] = field(default_factory=dict)
    """Parameters with one number a channel, by name."""
    masks: dict[str, Value] = field(default_factory=dict)
    noise: dict[str, Value] = field(default_factory=dict)
    parameters: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    """(name, shape) in the order in which the equations mention them."""
    _interned: dict[tuple, Value] = field(default_factory=dict)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Make this the trace of what is mentioned without a symbol, while a cell's equations run."""
        token = _recording.set(self)
        try:
            yield
        finally:
            _recording.reset(token)

    def add_parameter(self, function: str, name: str, shape: tuple[int, ...]) -> None:
        """Add a parameter of the equations, mentioned in `function`; refuse a second one of the same name."""
        if any(name == other for other, _ in self.parameters):
            expects = f"a name of its own for every parameter (there is a {name!r} already)"
            raise ValueError(f"{function}: got a name used before; expects {expects}")
        self.parameters.append((name, shape))

    def value(self, kind: str, name: str, **rest: Any) -> Value:
        """Return the value of this description, made at its first mention."""
        arguments = rest.get("arguments", ())
        key = (kind, name, *map(id, arguments), *map(rest.get, ("size", "number", "part", "groups")))
        if key not in self._interned:
            self._interned[key] = Value(self, kind, name, **rest)
        return self._interned[key]

    def constant(self, number: Number) -> Value:
        """Return a number as a value."""
        return self.value("constant", repr(float(number)), number=float(number))

    def operation(self, name: str, *arguments: Any) -> Value:
        """Return an element-wise operation on values and numbers, simplified where that changes no result."""
        values = []
        for argument in arguments:
            if isinstance(argument, Value):
                values.append(argument)
            elif isinstance(argument, int | float) and not isinstance(argument, bool) and math.isfinite(argument):
                values.append(self.constant(argument))
            else:
                raise TypeError(f"equations: got {argument!r} in {name}; expects symbols and plain, finite numbers")
        size = self._common_size(name, values)
        simpler = _simplified(name, values)
        return self.value("operation", name, arguments=tuple(values), size=size) if simpler is None else simpler

    def share(self, size: str) -> Value:
        """Return one divided by the number of channels of a size."""
        return self.value("share", f"share_{size}", number=1.0 / self.width(size))

    def of_groups(self, kind: str, value: Value, size: str, groups: str, few: str) -> Value:
        """Return a spread or total of a value: `groups` of the channels that there are `few` of."""
        groups = few if self.width(groups) == self.width(few) else groups
        return self.value(kind, kind, arguments=(value,), size=size, groups=groups)

    def width(self, size: str | None) -> int:
        """Return the number of channels of a size."""
        return 1 if size == ROW else self.sizes[size or ""]

    def _common_size(self, name: str, values: list[Value]) -> str | None:
        sized = [value for value in values if value.size not in (None, ROW)]
        widths = {self.sizes[value.size] for value in sized if value.size is not None}
        if len(widths) > 1:
            shown = ", ".join(f"{value.name} ({value.size}: {self.sizes[value.size or '']})" for value in sized)
            raise ValueError(f"equations: got {name} of {shown}; expects as many channels on both sides")
        sizes = [value.size for value in sized] or [ROW for value in values if value.size == ROW]
        return next((size for size in sizes if size != "input"), sizes[0] if sizes else None)


_recording: ContextVar[Trace | None] = ContextVar("numrnn_recording", default=None)
"""The trace of the equations that run now."""


def _simplified(name: str, values: list[Value]) -> Value | None:
    if name == "multiply":
        for value, other in (values, values[::-1]):
            if value.is_number(1.0):
                return other
            if value.is_number(0.0):
                return value
            if value.is_number(-1.0):
                return -other
    if name == "add":
        for value, other in (values, values[::-1]):
            if value.is_number(0.0):
                return other
            if value.kind == "operation" and value.name == "negate":
                return other - value.arguments[0]
    if (name == "subtract" and values[1].is_number(0.0)) or (name == "divide" and values[1].is_number(1.0)):
        return values[0]
    if name == "negate" and values[0].kind == "operation" and values[0].name == "negate":
        return values[0].arguments[0]
    if all(value.kind == "constant" for value in values) and name in (
        "add",
        "subtract",
        "multiply",
        "divide",
        "negate",
    ):
        numbers = [value.number for value in values]
        folded = {
            "add": lambda a, b: a + b,
            "subtract": lambda a, b: a - b,
            "multiply": lambda a, b: a * b,
            "divide": lambda a, b: a / b,
            "negate": lambda a: -a,
        }[name](*numbers)
        return values[0].trace.constant(folded)
    return None


def _check(value: Any, function: str) -> Value:
    if not isinstance(value, Value):
        raise TypeError(
            f"{function}: got {type(value).__name__}; expects a symbol of the equations (x, a state, or made of them)"
        )
    return value


def _check_name(name: Any, function: str) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise TypeError(f"{function}: got {name!r} as the name; expects an identifier, such as 'gate'")


def linear(
    name: str,
    *arguments: Value,
    size: str = "hidden",
    parts: int = 1,
    bias: bool = True,
    heads: int | tuple[int, ...] = 1,
) -> Any:
    """Return the affine map `W_1 a_1 + W_2 a_2 + ... + b` of its arguments, inside a cell's equations.

    Parameters
    ----------
    name : str
        Prefix of the parameters: `name_weight_x` for the argument x, `name_bias`, ...
    *arguments : Value
        What the weights are applied to. An argument that is an expression lends its weight the name of the state in it.
    size : str
        Name of the number of output channels ("hidden", or another of the cell's sizes).
    parts : int
        How many such outputs to compute at once, up to 8; their rows lie one block after the other in the weights.
    bias : bool
        Whether there is a `b`.
    heads : int or tuple of int
        For more than 1, the weights are block-diagonal: the channels of an argument, and those of each part, are cut
        into so many groups of equal size, and those of a group depend on the argument's of the same group alone. The
        weight then has shape `(heads, parts * size / heads, width / heads)`. A tuple has a number for each argument.

    Returns
    -------
    Value, or a tuple of `parts` values

    Raises
    ------
    TypeError
        If the name is no identifier, or an argument no symbol.
    ValueError
        If the name was used before, an argument comes twice, there is no such size or number of parts, or the heads
        do not divide the channels.
    """
    _check_name(name, "linear")
    if not arguments:
        raise TypeError(f"linear({name!r}): got no arguments; expects at least one symbol")
    trace = _check(arguments[0], f"linear({name!r})").trace
    if name in trace.maps:
        raise ValueError(f"linear({name!r}): got a name used before; expects a name of its own for every linear map")
    if size not in trace.sizes:
        raise ValueError(f"linear({name!r}): got the size {size!r}; expects one of {sorted(trace.sizes)}")
    if not isinstance(parts, int) or not 1 <= parts <= MOST_PARTS:
        raise ValueError(f"linear({name!r}): got parts={parts!r}; expects a whole number from 1 to {MOST_PARTS}")
    if len(set(arguments)) < len(arguments):
        raise ValueError(f"linear({name!r}): got the same argument twice; expects each once")
    every = (heads,) * len(arguments) if isinstance(heads, int) else tuple(heads)
    if len(every) != len(arguments) or not all(isinstance(number, int) and number >= 1 for number in every):
        expects = "a whole number >= 1, or one for each argument"
        raise ValueError(f"linear({name!r}): got heads={heads!r}; expects {expects}")
    suffixes: list[str] = []
    shape = parts * trace.sizes[size]
    for k, argument in enumerate(arguments):
        suffix = _suffix(_check(argument, f"linear({name!r})"), k)
        while suffix in suffixes:
            suffix = f"{suffix}{k}"
        suffixes.append(suffix)
        _check_channels(argument, f"linear({name!r})")
        width = trace.sizes[argument.size]
        trace.add_parameter(
            f"linear({name!r})",
            f"{name}_weight_{suffixes[-1]}",
            _weight_shape(name, shape, width, every[k], trace.sizes[size]),
        )
        if k == 0 and bias:
            trace.add_parameter(f"linear({name!r})", f"{name}_bias", (shape,))
    wrapped = tuple(
        trace.operation("copy", a) if a.kind not in ("operation", "input", "state") else a for a in arguments
    )
    trace.maps[name] = LinearMap(name, wrapped, tuple(suffixes), size, parts, bias, every)
    values = tuple(trace.value("linear", name, arguments=wrapped, size=size, part=part) for part in range(parts))
    return values[0] if parts == 1 else values


def _weight_shape(name: str, rows: int, width: int, heads: int, size: int) -> tuple[int, ...]:
    if heads == 1:
        return rows, width
    if size % heads or width % heads:
        got = f"{heads} heads for {width} channels of an argument and {size} of the result"
        raise ValueError(f"linear({name!r}): got {got}; expects a number that divides both")
    return heads, rows // heads, width // heads


def _suffix(argument: Value, position: int) -> str:
    """Return what an argument's weight is called after: its own name, or that of the one state or input in it."""
    if argument.kind in ("input", "state"):
        return argument.name
    inside = {a.name for a in argument.arguments if a.kind in ("input", "state")}
    return inside.pop() if len(inside) == 1 else str(position)


def peephole(name: str, value: Value) -> Value:
    """Return `w * value` with a parameter `name_peephole` of one weight per channel, inside a cell's equations.

    Raises
    ------
    TypeError
        If the name is no identifier, or `value` no symbol.
    ValueError
        If the name was used before.
    """
    _check_name(name, "peephole")
    trace = _check(value, f"peephole({name!r})").trace
    _check_channels(value, f"peephole({name!r})")
    return _vector(trace, f"peephole({name!r})", f"{name}_peephole", value.size) * value


def parameter(name: str, size: str = "hidden") -> Value:
    """Return a parameter with one number per channel, the same for all rows and steps, inside a cell's equations.

    It may be used like any other symbol, such as a time constant or a level that a state returns to. `Cell.reset` draws
    it uniformly between plus and minus one over the square root of its length; a cell that wants something else writes
    a `reset` of its own.

    Parameters
    ----------
    name : str
        What the parameter is called, as an attribute of the cell too.
    size : str
        Name of its number of channels ("hidden", or another of the cell's sizes).

    Raises
    ------
    TypeError
        If the name is no identifier.
    ValueError
        If there is a parameter of this name, or no such size.
    RuntimeError
        If no cell's equations are running.

    Examples
    --------
    >>> import numrnn as nr
    >>> from numrnn.equations import linear, parameter, sigmoid
    >>> class Leaky(nr.Cell):
    ...     states = ("h",)
    ...     def equations(self, x, h):
    ...         return h + sigmoid(parameter("leak")) * (linear("input", x) - h)
    >>> Leaky(4, 6).leak.shape
    (6,)
    """
    trace = _recorded("parameter", name, size)
    return _vector(trace, f"parameter({name!r})", name, size)


def _recorded(function: str, name: Any, size: str) -> Trace:
    """Return the trace of the equations that run now, for a function that is given no symbol."""
    _check_name(name, function)
    trace = _recording.get()
    if trace is None:
        raise RuntimeError(f"{function}({name!r}): got a call from elsewhere; expects one in a cell's equations")
    if size not in trace.sizes:
        raise ValueError(f"{function}({name!r}): got the size {size!r}; expects one of {sorted(trace.sizes)}")
    return trace


def _vector(trace: Trace, function: str, name: str, size: str) -> Value:
    """Return a new parameter that is a vector."""
    trace.add_parameter(function, name, (trace.sizes[size],))
    trace.vectors[name] = trace.value("vector", name, size=size)
    return trace.vectors[name]


def dropout(name: str, value: Value) -> Value:
    """Return `value` with some of its channels dropped, the same at all steps of a sequence, inside a cell's equations.

    In training mode a channel is 0 with the cell's probability `p`, else multiplied by `1 / (1 - p)`; in evaluate mode
    all channels are as they are. Every `dropout` has masks of its own, one for each row of the batch.

    Raises
    ------
    TypeError
        If the name is no identifier, or `value` no symbol with channels.
    ValueError
        If the name was used before.

    References
    ----------
    Gal and Ghahramani (2016), A theoretically grounded application of dropout in recurrent neural networks.
    """
    _check_name(name, "dropout")
    trace = _check(value, f"dropout({name!r})").trace
    if name in trace.masks:
        raise ValueError(f"dropout({name!r}): got a name used before; expects a name of its own for every dropout")
    _check_channels(value, f"dropout({name!r})")
    trace.masks[name] = trace.value("mask", name, size=value.size)
    return value * trace.masks[name]


def bernoulli(name: str, rate: float, size: str = "hidden") -> Value:
    """Return noise: 1 with probability `rate`, else 0, drawn anew for every step, row and channel.

    In evaluate mode it is its mean, `rate`. It comes from the cell's `rng`, step by step. It is for use inside a cell's
    equations.

    Parameters
    ----------
    name : str
        What the noise is called.
    rate : float
        Probability of 1.
    size : str
        Name of its number of channels ("hidden", or another of the cell's sizes).

    Raises
    ------
    TypeError
        If the name is no identifier.
    ValueError
        If there is noise of this name, the rate is no probability, or there is no such size.
    RuntimeError
        If no cell's equations are running.

    Examples
    --------
    A state whose channels stand still now and then:

    >>> import numpy as np, numrnn as nr
    >>> from numrnn.equations import bernoulli, linear, tanh
    >>> class Halting(nr.Cell):
    ...     def equations(self, x, h):
    ...         halt = bernoulli("halt", 0.5)
    ...         return halt * h + (1 - halt) * tanh(linear("hidden", x, h))
    >>> halted = Halting(4, 20, rng=0)(np.ones((50, 4), "float32")) == 0
    >>> bool(0.4 < halted.mean() < 0.6)
    True
    """
    trace = _recorded("bernoulli", name, size)
    if name in trace.noise:
        raise ValueError(f"bernoulli({name!r}): got a name used before; expects a name of its own for all noise")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise ValueError(f"bernoulli({name!r}): got the rate {rate!r}; expects a probability, 0 <= rate <= 1")
    trace.noise[name] = trace.value("noise", name, size=size, number=float(rate))
    return trace.noise[name]


def total(value: Value, size: str = ROW, groups: str | None = None) -> Value:
    """Return sums of channels of `value`: by default of all, one number a row, inside a cell's equations.

    One number a row combines with something that has channels like a number. A sum has an order of its own, which does
    not depend on batch, threads or processor.

    Parameters
    ----------
    value : Value
        What has channels.
    size : str
        Name of the number of sums, which divides the number of channels.
    groups : str, optional
        What is added up, by the name of a size. By default channels beside each other: the first sum is that of the
        first few channels. Otherwise, channels are cut into so many groups, and each group into parts that are added
        up channel by channel, each with as many channels as there are sums for a group.

    Raises
    ------
    TypeError
        If `value` is no symbol with channels.
    ValueError
        If there is no such size, or it does not divide the number of channels, or the groups do not divide that.

    Examples
    --------
    `spread` shows a memory that is read so.
    """
    _check_channels(_check(value, "total"), "total")
    trace = value.trace
    argument = value if value.kind == "operation" else trace.operation("copy", value)
    if size == ROW:
        return trace.value("total", "total", arguments=(argument,), size=ROW)
    _check_groups("total", trace, size, size, value.size, groups)
    is_same = trace.width(size) == trace.width(value.size)
    return value if is_same else trace.of_groups("total", argument, size, groups or size, size)


def spread(value: Value, size: str, groups: str | None = None) -> Value:
    """Return the channels of `value`, each several times, as many as `size` has, inside a cell's equations.

    Parameters
    ----------
    value : Value
        What has channels.
    size : str
        Name of the number of channels of the result: a multiple of those of `value`.
    groups : str, optional
        What comes several times, by the name of a size. By default each channel: a, a, b, b. Otherwise, channels are
        cut into so many groups, each of which comes several times as a whole: a, b, a, b of one group.

    Raises
    ------
    TypeError
        If `value` is no symbol with channels.
    ValueError
        If there is no such size, or it is no multiple, or the groups do not divide the channels of `value`.

    Notes
    -----
    Sums of the same groups, `total(..., value.size, groups)`, are its transpose. What is spread is not stored as such.

    Channels may stand for matrices. Those of `outer` here are the rows of the matrix a b', one after the other, for
    each of a number of heads into which a and b are cut:

        outer = spread(a, "matrix") * spread(b, "matrix", "heads")

    Its product with a vector b, and that of its transpose with a, is

        of_rows = total(outer * spread(b, "matrix", "heads"), a.size)
        of_columns = total(outer * spread(a, "matrix"), b.size, "heads")

    Examples
    --------
    A memory of two matrices that fade, is written to and read from:

    >>> import numrnn as nr
    >>> from numrnn.equations import linear, spread, total
    >>> class Matrices(nr.Cell):
    ...     states = ("h", "m")
    ...     state_sizes = {"m": "matrix"}
    ...     def sizes(self):
    ...         return super().sizes() | {"heads": 2, "matrix": self.hidden_size**2 // 2}
    ...     def equations(self, x, h, m):
    ...         key, value = linear("write", x, parts=2)
    ...         m = 0.9 * m + spread(key, "matrix") * spread(value, "matrix", "heads")
    ...         return total(m * spread(linear("read", x), "matrix"), "hidden", "heads"), m
    >>> nr.testing.check_gradients(Matrices(4, 6))
    """
    trace = _check(value, "spread").trace
    _check_channels(value, "spread")
    _check_groups("spread", trace, size, value.size, size, groups)
    if trace.width(size) == trace.width(value.size):
        return value
    placed = value if value.kind in ("operation", "linear", "state", "total") else trace.operation("copy", value)
    return trace.of_groups("spread", placed, size, groups or value.size or "", value.size or "")


def _check_groups(function: str, trace: Trace, size: Any, few: Any, many: Any, groups: Any) -> None:
    """Raise an error unless `size` and `groups` are sizes, the latter divides `few` channels, and those `many`."""
    for name in (size, groups or size):
        if name not in trace.sizes:
            raise ValueError(f"{function}: got the size {name!r}; expects one of {sorted(trace.sizes)}")
    shown = [f"{trace.sizes[name]} ({name})" for name in (few, many)]
    if trace.sizes[many] % trace.sizes[few]:
        raise ValueError(f"{function}: got {shown[0]} and {shown[1]} channels; expects a multiple")
    if trace.sizes[few] % trace.sizes[groups or few]:
        got = f"{trace.sizes[groups]} groups ({groups}) of {shown[0]} channels"
        raise ValueError(f"{function}: got {got}; expects a number that divides them")


def share(size: str) -> Value:
    """Return one divided by the number of channels of a size, inside a cell's equations.

    Unlike a number in the equations, it is no part of the compiled kernels, which serve all sizes.

    Raises
    ------
    ValueError
        If there is no such size.
    RuntimeError
        If no cell's equations are running.

    Examples
    --------
    >>> import numrnn as nr
    >>> from numrnn.equations import linear, share, sqrt
    >>> class Scaled(nr.Cell):
    ...     def equations(self, x, h):
    ...         return h + sqrt(share("hidden")) * linear("hidden", x)
    >>> Scaled(4, 6).source() == Scaled(8, 12).source()
    True
    """
    return _recorded("share", "size", size).share(size)


def mean(value: Value) -> Value:
    """Return the mean of all channels of `value`, one number a row, inside a cell's equations; see `total`.

    Raises
    ------
    TypeError
        If `value` is no symbol with channels.

    Examples
    --------
    >>> import numrnn as nr
    >>> from numrnn.equations import linear, mean, sqrt, tanh
    >>> class Normalized(nr.Cell):
    ...     def equations(self, x, h):
    ...         a = linear("hidden", x, h)
    ...         a = a - mean(a)
    ...         return tanh(a / sqrt(mean(a * a) + 1e-5))
    >>> nr.testing.check_gradients(Normalized(4, 6))
    """
    _check_channels(_check(value, "mean"), "mean")
    return total(value) * value.trace.share(value.size or "")


def _check_channels(value: Value, function: str) -> None:
    if value.size is None or value.size == ROW:
        what = "a number" if value.size is None else "one number a row"
        raise TypeError(f"{function}: got {what}; expects a symbol with channels")


def _element_function(name: str, formula: str, count: int = 1):
    def function(*arguments: Any) -> Value:
        if len(arguments) != count:
            raise TypeError(f"{name}: got {len(arguments)} argument(s); expects {count}")
        trace = next((a.trace for a in arguments if isinstance(a, Value)), None)
        if trace is None:
            raise TypeError(f"{name}: got {arguments!r}; expects symbols of the equations")
        return trace.operation(name, *arguments)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return {formula}, element by element, inside a cell's equations."
    return function


sigmoid = _element_function("sigmoid", "1 / (1 + exp(-a))")
sin = _element_function("sin", "the sine of a")
cos = _element_function("cos", "the cosine of a")
tanh = _element_function("tanh", "the hyperbolic tangent of a")
exp = _element_function("exp", "e ** a")
log = _element_function("log", "the natural logarithm of a")
sqrt = _element_function("sqrt", "the square root of a")
softplus = _element_function("softplus", "log(1 + exp(a))")
relu = _element_function("relu", "max(a, 0)")
maximum = _element_function("maximum", "the larger of a and b", count=2)
minimum = _element_function("minimum", "the smaller of a and b", count=2)
greater = _element_function("greater", "1 where a > b and 0 elsewhere, whose derivative is 0", count=2)
