"""Functions that kernels call without containing them: each is compiled once, and called by its address.

What a kernel calls becomes a part of it in Numba, and is optimised there once more. The matrix products are larger than
all the rest of a cell's kernels together, so a cell would spend most of the time until its first result on them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite.binding import add_symbol
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

PREFIX = "numrnn_apart_"

_functions: dict[str, Any] = {}  # compiled by Numba, by name
_linked: dict[str, tuple[str, tuple[Any, ...]]] = {}  # by symbol: name and types of the arguments


def apart(function: Any) -> Callable[..., None]:
    """Return a function without a result, compiled by Numba, in the form in which kernels call it by its address."""
    written = getattr(function, "py_func", function)  # with NUMBA_DISABLE_JIT, there is nothing compiled
    name = f"{written.__module__}.{written.__qualname__}"
    known = _functions.setdefault(name, function)
    if known is not function and getattr(known, "py_func", known).__code__ != written.__code__:
        raise ValueError(f"apart: got a second {name}; expects a name of its own for each function")

    def call(*arguments: Any) -> None:
        function(*arguments)

    @infer_global(call, typing_key=PREFIX + name)
    class _Typing(AbstractTemplate):
        def generic(self, args, kws):
            kinds = tuple(map(types.unliteral, args))
            link(name, kinds)
            return signature(types.void, *kinds)

    @lower_builtin(PREFIX + name, types.VarArg(types.Any))
    def lower(context, builder, sig, args):
        convention = context.call_conv
        kind = convention.get_function_type(sig.return_type, sig.args)
        callee = cgutils.get_or_insert_function(builder.module, kind, link(name, sig.args))
        status, _ = convention.call_function(builder, callee, sig.return_type, sig.args, args)
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    call.name, call.compiled = name, known
    return call


def link(name: str, kinds: tuple[Any, ...]) -> str:
    """Have a function compiled for arguments of these types, and return the symbol under which kernels find it."""
    symbol = PREFIX + hashlib.sha256(f"{name}{kinds}".encode()).hexdigest()[:24]
    if symbol not in _linked:
        function = _functions[name]
        function.compile(kinds)
        compiled = function.overloads[kinds]
        add_symbol(symbol, compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))
        _linked[symbol] = name, kinds
    return symbol


def links_of(library: Any) -> list[Callable[[], str]]:
    """Return what has to be called before a compiled library is loaded in another process."""
    symbols = set(re.findall(rf"\b{PREFIX}\w+", library.get_llvm_str()))
    return [partial(link, *_linked[symbol]) for symbol in sorted(symbols)]
