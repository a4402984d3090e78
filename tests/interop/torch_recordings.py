"""Records what PyTorch's recurrent modules give, for `test_torch.py`; the tests themselves need no PyTorch.

make bench  # or anything else that installs torch
.venv-bench/bin/python -m tests.interop.torch_recordings
"""

from pathlib import Path

import numpy as np

FILE = Path(__file__).with_suffix(".npz")
CASES = {
    "LSTM": ("LSTM", {}),
    "LSTM, everything": ("LSTM", {"num_layers": 2, "batch_first": True, "bidirectional": True, "proj_size": 3}),
    "LSTM without bias": ("LSTM", {"num_layers": 3, "bias": False}),
    "GRU": ("GRU", {}),
    "GRU, everything": ("GRU", {"num_layers": 2, "batch_first": True, "bidirectional": True}),
    "GRU without bias": ("GRU", {"bias": False}),
    "RNN": ("RNN", {"num_layers": 2, "bidirectional": True}),
    "RNN with relu": ("RNN", {"nonlinearity": "relu", "batch_first": True}),
    "LSTMCell": ("LSTMCell", {}),
    "GRUCell": ("GRUCell", {}),
    "RNNCell": ("RNNCell", {}),
}
"""The class in torch.nn, and its arguments besides the sizes."""
TIME, BATCH, INPUT, HIDDEN = 4, 3, 5, 6


def record() -> dict[str, np.ndarray]:
    """Return arrays by "case/what": parameters, input, start states, output, last states, and gradients of each."""
    import torch

    found = {}
    for case, (kind, arguments) in CASES.items():
        torch.manual_seed(0)
        module = getattr(torch.nn, kind)(INPUT, HIDDEN, **arguments).double()
        is_cell, is_lstm = kind.endswith("Cell"), kind.startswith("LSTM")
        count = arguments.get("num_layers", 1) * (1 + arguments.get("bidirectional", False))
        leading = (BATCH,) if is_cell else (count, BATCH)
        widths = [arguments.get("proj_size") or HIDDEN, *([HIDDEN] if is_lstm else [])]
        x = torch.randn(*((BATCH, TIME) if arguments.get("batch_first") else (TIME, BATCH)), INPUT).double()
        start = [torch.randn(*leading, width).double() for width in widths]
        for leaf in (x, *start):
            leaf.requires_grad_()

        if is_cell:
            outputs, last = [], start
            for x_t in x:
                last = module(x_t, tuple(last) if is_lstm else last[0])
                last = list(last) if is_lstm else [last]
                outputs.append(last[0])
            y = torch.stack(outputs)
        else:
            y, last = module(x, tuple(start) if is_lstm else start[0])
            last = list(last) if is_lstm else [last]
        grad_y, *grad_last = (torch.randn_like(result) for result in (y, *last))
        torch.autograd.backward([y, *last], [grad_y, *grad_last])

        arrays = {"x": x, "y": y, "grad_y": grad_y, "grad_x": x.grad}
        for name, *of_state in zip("hc", start, last, grad_last, strict=False):
            for what, array in zip(("start", "last", "grad_last"), of_state, strict=True):
                arrays[f"{what}_{name}"] = array
            arrays[f"grad_start_{name}"] = of_state[0].grad
        for name, parameter in module.named_parameters():
            arrays |= {f"parameter {name}": parameter, f"gradient {name}": parameter.grad}
        found |= {f"{case}/{what}": array.detach().numpy() for what, array in arrays.items()}
    return found


if __name__ == "__main__":
    np.savez_compressed(FILE, **record())
