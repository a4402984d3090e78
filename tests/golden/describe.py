"""What a case runs, as a description like those in traces; a case itself says it in words only."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

Description = dict[str, Any]

SIZES = {"a": (4, 6), "b": (5, 17), "e": (4, 6)}
"""Input and hidden features, by the first letter of a case's name."""
STEPPED = ("FastLSTM", "GRU", "LSTM", "MuFuRu", "Recurrence", "Recurrent")
"""Modules of one step, which a case of whole sequences has inside a Sequencer."""


def describe(name: str, meta: dict[str, Any], arrays: dict[str, Any]) -> Description:
    """Return the description of what the case `name` runs."""
    if meta["kind"] == "criterion":
        weights = meta.get("weights", arrays.get("weights"))
        return _criterion(meta["module"], meta["args"], weights)
    if meta["kind"] == "training":
        return _program(name, arrays)
    step = _module(name, meta["module"], meta["args"])
    if meta["kind"] == "steps" or not (meta["module"] in STEPPED or "_sequencer" in name):
        return step
    mode = re.search(r"remember_(both|train|eval|neither)", name)
    return of("Sequencer", children=[step], **({"remember": mode[1]} if mode else {}))


def of(kind: str, **rest: Any) -> Description:
    """Return a description."""
    return {"type": kind, **rest}


def sized(kind: str, input_size: int, output_size: int, **rest: Any) -> Description:
    """Return the description of a module that has these sizes."""
    return of(kind, input_size=input_size, output_size=output_size, **rest)


def lookup(index_count: int, output_size: int, **rest: Any) -> Description:
    """Return the description of a lookup table."""
    return of("LookupTable", index_count=index_count, output_size=output_size, **rest)


def _module(name: str, kind: str, args: list[Any]) -> Description:
    d, h = SIZES[name[0]]
    match kind, args:
        case "LookupTable", [count, size, *rest]:
            return lookup(count, size, **dict(zip(("padding_value", "max_norm", "norm_type"), rest, strict=False)))
        case "Transpose", pairs:
            return of(kind, pairs=[[int(axis) for axis in pair.strip("{}").split(",")] for pair in pairs])
        case (("View" | "Reshape" | "CMul"), [_, _, *_] | [int()]):
            return of(kind, **{"size" if kind == "CMul" else "sizes": list(args)})
        case (("FastLSTM" | "GRU" | "LSTM"), [input_size, output_size, *rest]):
            return sized(kind, input_size, output_size, **_cell_options(name, rest))
        case "MuFuRu", [input_size, output_size, *rest]:
            names = [arg.removeprefix("ops=").split(",") for arg in rest]
            return sized(kind, input_size, output_size, **({"operations": names[0]} if names else {}), **_rho(name))
        case "Recurrence", _:
            both = of("ParallelTable", children=[sized("Linear", d, h), sized("Linear", h, h)])
            step = of("Sequential", children=[both, of("CAddTable"), of("Tanh")])
            return of(kind, children=[step], output_size=h, input_dimensions=1)
        case (("SeqLSTM" | "SeqGRU"), [input_size, output_size, *switches]):
            return sized(kind, input_size, output_size, **_switches(switches))
        case "SeqLSTMP", [input_size, hidden_size, output_size]:
            return sized(kind, input_size, output_size, hidden_size=hidden_size)
        case "SeqBRNN", [input_size, output_size, *batch_first]:
            return sized(kind, input_size, output_size, **({"batch_first": True} if batch_first else {}))
        case "NormStabilizer", beta:
            stabilizer = of(kind, beta=beta[0] if beta else 1)
            stack = of("Sequential", children=[sized("LSTM", d, h, peepholes=True), stabilizer])
            return of("Sequencer", children=[stack])
        case (("MaskZero" | "TrimZero"), [str(module), dimensions]):
            return of(kind, children=[parsed(name, module)], input_dimensions=dimensions)
        case (("BiSequencer" | "BiSequencerLM"), [str(forward), str(backward), *merge]):
            if backward == "the same":
                stack = of("Sequential", children=[sized("FastLSTM", d, h), sized("Linear", h, h)])
                parts = [of("Recursor", children=[stack])] * 2
            else:
                parts = [parsed(name, part) for part in (forward, backward)]
            return of(kind, children=parts, **({"merge": parsed(name, merge[0])} if merge else {}))
        case "Repeater", [str(module), steps]:
            return of(kind, children=[parsed(name, module)], steps=steps)
        case "RecurrentAttention", [_, _, steps, _]:
            both = of("ParallelTable", children=[sized("Linear", d, h), sized("Linear", 2, h)])
            look = of("Sequential", children=[both, of("CAddTable")])
            rnn = of("Recurrent", start=h, input=look, feedback=sized("Linear", h, h), transfer=of("Tanh"))
            action = of("Sequential", children=[sized("Linear", h, 2), of("ReinforceNormal", stdev=0.2)])
            return of(kind, children=[rnn, action], steps=steps, hidden_size=h)
        case "Recurrent", _:
            return _recurrent(name, args)
        case "Recursor", _:
            return of(kind, children=[of("Sequential", children=[parsed(name, text) for text in args])])
        case "ConcatTable", _:
            return of(kind, children=[sized("Linear", d, h), of("Identity")])
        case "ParallelTable", _:
            return of(kind, children=[sized("Linear", d, h), of("Tanh")])
        case "Sequential", ["Linear", "Tanh", "Linear"]:
            return of(kind, children=[sized("Linear", d, h), of("Tanh"), sized("Linear", h, d)])
        case "Sequential", ["SplitTable", *_]:
            sequencer = of("Sequencer", children=[sized("GRU", d, h)])
            last = [of("SelectTable", index=-1), sized("Linear", h, 2), of("LogSoftMax")]
            return of(kind, children=[of("SplitTable", dimension=1), sequencer, *last])
        case "Sequential", _:
            return of(kind, children=[parsed(name, text) for text in args])
        case _, [] if kind not in CHILDREN:
            return of(kind)
    if kind in CHILDREN:
        return of(kind, children=CHILDREN[kind](d, h), **({"dimension": args[0]} if kind == "Concat" else {}))
    if kind in ARGUMENTS:
        return of(kind, **dict(zip(ARGUMENTS[kind], args, strict=False)))
    return of(kind, args=args)


def parsed(name: str, text: str) -> Description:
    """Return the description of a module written as in `Sequential(FastLSTM(D,H), Linear(H,D))`."""
    d, h = SIZES[name[0]]
    numbers = {"D": d, "H": h, "V": 2 * h + 1, "true": True, "false": False}

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Name() if node.id in numbers:
                return numbers[node.id]
            case ast.Name() if node.id in CELLS:
                return sized(node.id, d, h)
            case ast.Name():
                return of(node.id)
            case ast.Call():
                args = [value(argument) for argument in node.args]
                if args and all(isinstance(argument, dict) for argument in args):
                    return of(node.func.id, children=args)
                return _module(name, node.func.id, args)
        return ast.literal_eval(node)

    return value(ast.parse(text, mode="eval").body)


CELLS = ("FastLSTM", "GRU", "LSTM", "MuFuRu", "RecGRU", "RecLSTM", "LinearRNN")

ARGUMENTS = {
    "Add": ["size"],
    "AddConstant": ["constant"],
    "ArgMax": ["dimension"],
    "Bilinear": ["input_size_1", "input_size_2", "output_size"],
    "Clamp": ["min_value", "max_value"],
    "Clip": ["min_value", "max_value"],
    "HardShrink": ["size"],
    "LayerNormalization": ["size", "bias", "eps", "affine"],
    "BatchNormalization": ["size", "eps", "momentum", "affine"],
    "Dropout": ["p", "v1", "inplace", "lazy", "mono"],
    "ELU": ["alpha"],
    "HardTanh": ["min_value", "max_value"],
    "JoinTable": ["dimension", "dimensions_of_a_sample"],
    "LeakyReLU": ["slope"],
    "Linear": ["input_size", "output_size", "bias"],
    "LinearNoBias": ["input_size", "output_size"],
    "LookupTableMaskZero": ["index_count", "output_size"],
    "MM": ["trans_a", "trans_b"],
    "Max": ["dimension", "dimensions_of_a_sample"],
    "Mean": ["dimension", "dimensions_of_a_sample"],
    "Min": ["dimension", "dimensions_of_a_sample"],
    "MixtureTable": ["dimension"],
    "MulConstant": ["constant"],
    "Narrow": ["dimension", "index", "length"],
    "NarrowTable": ["index", "length"],
    "Padding": ["dimension", "pad", "dimensions_of_a_sample", "value"],
    "Power": ["exponent"],
    "PReLU": ["size"],
    "RecGRU": ["input_size", "output_size"],
    "RecLSTM": ["input_size", "hidden_size", "output_size"],
    "ReinforceGamma": ["scale"],
    "ReinforceNormal": ["stdev"],
    "SAdd": ["addend", "negate"],
    "Select": ["dimension", "index"],
    "SelectTable": ["index"],
    "SeqReverseSequence": ["dimension"],
    "SoftPlus": ["beta"],
    "SpatialGlimpse": ["size", "depth", "scale"],
    "Squeeze": ["dimension"],
    "SoftShrink": ["size"],
    "SplitTable": ["dimension", "dimensions_of_a_sample"],
    "Sum": ["dimension", "size_average"],
    "Threshold": ["threshold", "value"],
    "Unsqueeze": ["dimension"],
}
"""What a case's arguments are called, in their order."""

CHILDREN = {
    "Concat": lambda d, h: [sized("Linear", d, h), sized("Linear", d, d)],
    "MapTable": lambda d, h: [sized("Linear", d, h)],
}
"""What the containers are made of, that cases describe in words only."""


def _cell_options(name: str, args: list[Any]) -> Description:
    options = {}
    for arg in args:
        key, value = arg.split("=") if isinstance(arg, str) else ("rho", str(arg))
        options[{"cell2gate": "peepholes"}.get(key, key)] = json.loads(value)
    options |= _rho(name)
    if "mask_zero" in name:
        options["mask_zero_dimensions"] = 1
    return options


def _rho(name: str) -> Description:
    return {"rho": 2} if "rho2" in name else {}


def _switches(args: list[str]) -> Description:
    names = {"batchfirst": "batch_first", "maskzero": "mask_zero"}
    options: Description = {names[arg]: True for arg in args if arg in names}
    modes = [arg.removeprefix("remember=") for arg in args if arg.startswith("remember=")]
    return options | ({"remember": modes[0]} if modes else {})


def _recurrent(name: str, args: list[str]) -> Description:
    d, h = SIZES[name[0]]
    parts = {"start": h, "input": sized("Linear", d, h), "feedback": sized("Linear", h, h), "transfer": of("Sigmoid")}
    for arg in args:
        if arg.startswith("start module"):
            parts["start"] = sized("Linear", h, h)
        elif arg.startswith("LookupTable"):
            parts["input"] = lookup(2 * h + 1, h)
        elif arg in ("ReLU", "Sigmoid", "Tanh"):
            parts["transfer"] = of(arg)
        elif arg.startswith("rho="):
            parts["rho"] = int(arg[4:])
        elif arg.startswith("merge="):
            parts["merge"] = of(arg[6:])
        else:
            assert arg in (f"start={h}", "Linear(D,H)", "Linear(H,H)"), arg
    return of("Recurrent", **parts)


def _program(name: str, arrays: dict[str, Any]) -> Description:
    parameters = sum(key.startswith("param.") for key in arrays)
    words, h = arrays[f"param.{parameters - 2}"].shape  # the weight of the last Linear
    first = {
        "program_rnn": [_words_recurrent(words, h)],
        "program_lstm": [lookup(words, h), sized("LSTM", h, h)],
        "program_gru_stack": [lookup(words, h), sized("GRU", h, h), sized("FastLSTM", h, h)],
        "tutorial_rnn": [_words_recurrent(words, h)],
        "tutorial_lstm": [lookup(words, h), sized("LSTM", h, h)],
    }[name[2:]]
    steps = [*first, sized("Linear", h, words), of("LogSoftMax")]
    return of("Sequential", children=[of("Sequencer", children=[step]) for step in steps])


def _words_recurrent(words: int, h: int) -> Description:
    feedback, transfer = sized("Linear", h, h), of("Sigmoid")
    return of("Recurrent", start=h, input=lookup(words, h), feedback=feedback, transfer=transfer)


def _criterion(kind: str, args: list[Any], weights: Any) -> Description:
    rest: dict[str, Any] = {}
    if kind in ("SequencerCriterion", "RepeaterCriterion", "MaskZeroCriterion", "ModuleCriterion"):
        inner, args = args[0], args[1:]
        rest["children"] = [_inner_criterion(inner)]
    for arg in map(str, args):
        if arg.startswith("sizeAverage="):
            rest["size_average"] = arg == "sizeAverage=true"
        elif arg.startswith("weights"):
            rest["weights"] = weights
        elif arg.startswith("ignoreIndex"):
            rest["ignore_index"] = int(re.search(r"\d+", arg)[0])
        elif option := re.fullmatch(r"(p|margin)\s*=\s*(\S+)", arg):
            rest[option[1]] = json.loads(option[2])
        elif arg == "repeatTarget":
            rest["repeat_target"] = True
        elif kind == "MaskZeroCriterion":
            rest["input_dimensions"] = int(arg)
        elif weighted := re.fullmatch(r"(\w+) weight (\S+)", arg):
            rest.setdefault("children", []).append(of(PARTS[weighted[1]]))
            rest.setdefault("factors", []).append(float(weighted[2]))
        elif module := re.fullmatch(r"(input|target) module (\w+)(?:\((.*)\))?", arg):
            constants = [] if module[3] is None else [float(module[3])]
            rest[f"{module[1]}_module"] = _module("e", module[2], constants)
        else:
            rest.setdefault("args", []).append(arg)
    return of(kind, **rest)


PARTS = {"MSE": "MSECriterion", "NLL": "ClassNLLCriterion", "Abs": "AbsCriterion"}


def _inner_criterion(words: str) -> Description:
    if words == "ParallelCriterion(MSE, NLL)":  # the gradients say what the factors were
        return of("ParallelCriterion", children=[of(PARTS["MSE"]), of(PARTS["NLL"])], factors=[1, 0.5])
    if called := re.fullmatch(r"(\w+)\((.*)\)", words):
        return _criterion(called[1], called[2].split(","), None)
    kind, *args = words.split()
    return _criterion(kind, args, None)
