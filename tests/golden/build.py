"""Making modules and criterions from the descriptions in traces.

Positions, dimensions and indices of table elements are recorded from 1 and turned into numrnn's, which count from 0.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

import numrnn as nr


class Missing(Exception):
    """What numrnn lacks to replay a recording: a class, an argument of one, or a method."""


class Untranslated(Exception):
    """What numrnn has by now, and the replay has to be taught how to use."""


def require(name: str) -> Any:
    """Return what numrnn calls by a name."""
    if not hasattr(nr, name):
        raise Missing(f"needs {name}")
    return getattr(nr, name)


def make(name: str, *args: Any, **options: Any) -> Any:
    """Return an object of the class `name`."""
    made = require(name)
    for option in options:
        if option not in inspect.signature(made).parameters:
            raise Missing(f"needs {name}({option}=)")
    return made(*args, **options)


def build(description: dict[str, Any]) -> Any:
    """Return the module or criterion that `description` describes."""
    rest = dict(description)
    kind = rest.pop("type")
    masks = {method: rest.pop(f"{method}_dimensions", None) for method in ("mask_zero", "trim_zero")}
    mode = rest.pop("remember", None)
    made = _make_from(kind, [build(child) for child in rest.pop("children", [])], rest)
    for method, dimensions in masks.items():
        if dimensions is not None:
            call(made, method, dimensions)
    return made if mode is None else made.remember(mode)


def _make_from(kind: str, children: list[Any], rest: dict[str, Any]) -> Any:
    match kind:
        case "FastLSTM" if rest.pop("batch_normalization", False):
            return make("BatchNormalizedLSTM", rest.pop("input_size"), rest.pop("output_size"), **rest)
        case "SeqLSTMP":
            sizes = (rest.pop(name) for name in ("input_size", "hidden_size", "output_size"))
            return make(kind, *sizes, **rest)
        case "Recurrence":
            output_size = rest.pop("output_size")
            return make(kind, *children, output_size, rest.pop("input_dimensions"), **rest)
        case "NormStabilizer":
            return make(kind, **rest)
        case "MaskZero" | "TrimZero":
            return make(kind, *children, rest.pop("input_dimensions"), **rest)
        case "SeqBRNN" | "SeqBLSTM" | "SeqBGRU":
            merge = rest.pop("merge", None)
            if merge is not None and "dimension" in merge:
                rest["merge"] = make("JoinTable", merge["dimension"] - 1 - 3)  # counted from the end
            elif merge is not None:
                rest["merge"] = build(merge)
            return make(kind, rest.pop("input_size"), rest.pop("output_size"), **rest)
        case "SeqLSTM" | "RecLSTM" | "SeqBLSTM" if "hidden_size" in rest:
            sizes = (rest.pop(name, None) for name in ("input_size", "hidden_size", "output_size"))
            return make("SeqLSTMP" if kind == "SeqLSTM" else kind, *sizes, **rest)
        case "Linear" | "FastLSTM" | "GRU" | "LSTM" | "MuFuRu" | "RecLSTM" | "RecGRU" | "SeqLSTM" | "SeqGRU":
            if "peepholes" in rest:
                rest["cell2gate"] = rest.pop("peepholes")
            return make(kind, rest.pop("input_size"), rest.pop("output_size"), **rest)
        case "LookupTable":
            padding = rest.pop("padding_value", 0)
            if padding:
                rest["padding_value"] = padding - 1
            return make(kind, rest.pop("index_count"), rest.pop("output_size"), **rest)
        case "SelectTable":
            index = rest.pop("index")
            return make(kind, index if index < 0 else index - 1, **rest)
        case "LookupRNN" | "LinearRNN":
            sizes = rest.pop("index_count" if kind == "LookupRNN" else "input_size"), rest.pop("output_size")
            return make(kind, *sizes, **{name: build(value) for name, value in rest.items()})
        case "Recurrent":
            parts = {name: build(value) if isinstance(value, dict) else value for name, value in rest.items()}
            return make(kind, **parts)
        case "BiSequencer" | "BiSequencerLM":
            merge = rest.pop("merge", None)
            return make(kind, *children, **rest, **({} if merge is None else {"merge": build(merge)}))
        case "Repeater":
            return make(kind, *children, rest.pop("steps"), **rest)
        case "RecurrentAttention":
            return make(kind, *children, rest.pop("steps"), rest.pop("hidden_size"), **rest)
        case "SeqReverseSequence":
            return make(kind, _axis(rest), **rest)
        case "ConcatTable" | "ParallelTable" | "Recursor" | "Sequencer" | "Sequential":
            return make(kind, *children, **rest)
        case "Add":
            return make(kind, rest.pop("size"), **rest)
        case "Dropout":
            rest.pop("inplace", None)
            return make(kind, **rest)
        case "MaskZeroCriterion":
            return make(kind, *children, n_input_dims=rest.pop("input_dimensions"), **rest)
        case "ModuleCriterion":
            return make(kind, *children, **{name: build(module) for name, module in rest.items()})
        case "MultiCriterion" | "ParallelCriterion":
            factors = rest.pop("factors", [1] * len(children))
            made = make(kind, **rest)
            for child, factor in zip(children, factors, strict=True):
                made.add(child, factor)
            return made
        case str() if kind.endswith("Criterion"):
            return make(kind, *children, **rest)
        case "Bilinear":
            return make(kind, *(rest.pop(name) for name in ("input_size_1", "input_size_2", "output_size")), **rest)
        case "LinearNoBias":
            return make(kind, rest.pop("input_size"), rest.pop("output_size"), **rest)
        case "LookupTableMaskZero":
            return make(kind, rest.pop("index_count"), rest.pop("output_size"), **rest)
        case "CMul":
            sizes = rest.pop("size")
            return make(kind, *(sizes if isinstance(sizes, list) else [sizes]))
        case "MM":
            return make(kind, **{name: value == "true" for name, value in rest.items()})
        case "Sum" if rest.get("size_average") == "sizeAverage":
            return make(kind, axis=_axis(rest), size_average=True)
        case "Select" | "Narrow":
            index = rest.pop("index")
            position = index if index < 0 else index - 1
            return make(kind, _axis(rest), position, **rest)
        case "NarrowTable":
            return make(kind, rest.pop("index") - 1, **rest)
        case "Reshape" | "View":
            sizes = rest.pop("sizes")
            return make(kind, *(sizes if isinstance(sizes, list) else [sizes]), **rest)
        case "Transpose":
            return make(kind, *((a - 1, b - 1) for a, b in rest.pop("pairs")), **rest)
        case "Concat":
            return require(kind)(_axis(rest), *children, **rest)
        case _ if "dimension" in rest:
            return make(kind, *children, axis=_axis(rest), **rest)
    if "args" in rest:
        require(kind)
        raise Untranslated(f"numrnn has {kind} now: describe.py has to say what its arguments {rest['args']} are")
    return make(kind, *children, **rest)


def _axis(rest: dict[str, Any]) -> int:
    """Take a dimension, perhaps of a sample in a batch, out of the arguments, and return it as an axis."""
    dimension, of_a_sample = rest.pop("dimension"), rest.pop("dimensions_of_a_sample", None)
    if dimension < 0:
        return dimension
    return dimension - 1 - (of_a_sample or 0)


def call(module: Any, method: str, *args: Any) -> None:
    """Call a method that the module may lack."""
    if not hasattr(module, method):
        raise Missing(f"needs {type(module).__name__}.{method}()")
    getattr(module, method)(*args)


def with_parameters(module: nr.Module, values: list[np.ndarray]) -> nr.Module:
    """Return the module in float64, with these parameters and gradients of zero."""
    module.astype("float64")
    parameters = module.parameters()[0]
    if isinstance(module, nr.MapTable):  # the original has a copy of the parameters for every element
        values = values[: len(parameters)]
    assert [parameter.shape for parameter in parameters] == [value.shape for value in values]
    for parameter, value in zip(parameters, values, strict=True):
        parameter[...] = value
    module.zero_grad_parameters()
    return module
