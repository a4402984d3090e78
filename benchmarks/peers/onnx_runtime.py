"""ONNX Runtime, which has inference only."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks import data, first_use
from benchmarks.timing import Contestant, Numbers
from benchmarks.works import Import, Sequence, Step, Work

ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
"""ONNX's order of gates, as positions in PyTorch's: i o f c for LSTM, z r h for GRU."""

_threads = 1


def use_threads(count: int) -> None:
    global _threads
    _threads = count


@singledispatch
def prepare(work: Work, name: str) -> Contestant:
    raise NotImplementedError(f"{type(work).__name__} is not written for {name}")


def session(work: Sequence) -> onnxruntime.InferenceSession:
    """Return the work's network: X, and the states before the first step, to Y and the states after the last."""
    nodes, constants, inputs, outputs = [], [], ["X"], []
    steps, batch, hidden, directions = work.steps, work.batch, work.hidden, work.directions
    attributes = {"hidden_size": hidden, "direction": "bidirectional" if directions == 2 else "forward"}
    if work.cell == "GRU":
        attributes["linear_before_reset"] = 1
    states = ["h", "c"] if work.cell == "LSTM" else ["h"]
    source = "X"
    for k, layers in enumerate(data.layers_of(work)):
        for name, array in _weights(work.cell, layers).items():
            constants.append(numpy_helper.from_array(array, f"{name}{k}"))
        before, after = ([f"{s}{when}{k}" for s in states] for when in ("_before_", "_after_"))
        arguments = [source, f"W{k}", f"R{k}", f"B{k}", "", *before]
        nodes.append(helper.make_node(work.cell, arguments, [f"raw{k}", *after], **attributes))
        # (T, directions, N, H) to (T, N, directions * H)
        nodes.append(helper.make_node("Transpose", [f"raw{k}"], [f"turned{k}"], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [f"turned{k}", "shape"], [f"Y{k}"]))
        source = f"Y{k}"
        inputs, outputs = inputs + before, outputs + after
    constants.append(numpy_helper.from_array(np.array([steps, batch, directions * hidden]), "shape"))
    shapes = {"X": [steps, batch, hidden]}

    def declared(names: list[str]) -> list:
        state = [directions, batch, hidden]
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, shapes.get(n, state)) for n in names]

    shapes[source] = [steps, batch, directions * hidden]
    graph = helper.make_graph(nodes, "work", declared(inputs), declared([source, *outputs]), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = _threads, 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _weights(cell: str, layers: list[data.Layer]) -> dict[str, np.ndarray]:
    def ordered(array: np.ndarray) -> np.ndarray:
        blocks = np.split(array, len(ORDER[cell]))
        return np.concatenate([blocks[k] for k in ORDER[cell]])

    return {
        "W": np.stack([ordered(w.weight_x) for w in layers]),
        "R": np.stack([ordered(w.weight_h) for w in layers]),
        "B": np.stack([np.concatenate([ordered(w.bias_x), ordered(w.bias_h)]) for w in layers]),
    }


def feed(network: onnxruntime.InferenceSession, x: np.ndarray) -> dict[str, np.ndarray]:
    states = {each.name: np.zeros(each.shape, "float32") for each in network.get_inputs()[1:]}
    return {"X": x, **states}


@prepare.register
def _(work: Sequence, name: str) -> Contestant:
    x, _ = data.sequences(work.steps, work.batch, work.hidden)
    network = session(work)
    inputs, output = feed(network, x), [network.get_outputs()[0].name]
    return Contestant(lambda: network.run(output, inputs), lambda: {"output": network.run(output, inputs)[0]})


@prepare.register
def _(work: Step, name: str) -> Contestant:
    x, _ = data.sequences(20, 1, work.hidden)
    network = session(Sequence("LSTM", "inference", 1, 1, work.hidden))
    first = feed(network, x[:1])
    state = dict(first)

    def run(inputs: dict[str, np.ndarray] = state) -> np.ndarray:
        output, inputs["h_before_0"], inputs["c_before_0"] = network.run(None, inputs)
        return output

    def numbers() -> Numbers:
        inputs = dict(first)
        for step in x:
            inputs["X"] = step[np.newaxis]
            output = run(inputs)
        return {"last output": output[0]}

    return Contestant(run, numbers)


@prepare.register
def _(work: Import, name: str) -> Contestant:
    return Contestant(sample=lambda: first_use.time_of_import("onnxruntime"))
