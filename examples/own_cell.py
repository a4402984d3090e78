"""A cell of one's own, from its equations to a trained network.

    python examples/own_cell.py              # about 20 seconds
    python examples/own_cell.py --source     # ... and print all of the kernels that were derived from the equations

The cell is made up for this page and is in no library. Its memory m leaks at a rate that the network chooses anew at
each step; a reset gate, which sees the memory through a peephole, decides how much of the last output enters the
candidate, whose product therefore waits for the gate: the step has two phases. The output gate sees the new memory.

The task is the adding problem: of `--steps` random numbers in [0, 1], two are marked, and their sum is wanted after the
last step. Always to answer 1 gives a mean squared error of 1/6 = 0.167; the cell is below 0.001 after 1,000 iterations.
"""

import argparse
import time

import numpy as np

import numrnn as nr
from numrnn.equations import linear, peephole, sigmoid, tanh


class LeakyPeepholeCell(nr.Cell):
    """A leaky memory m, and a reset gate r that looks at it.

    r_t = sigmoid(W_xr x_t + W_hr h_{t-1} + b_r + w_r m_{t-1})
    a_t = sigmoid(W_xa x_t + W_ha h_{t-1} + b_a)
    m_t = (1 - a_t) m_{t-1} + a_t tanh(W_xn x_t + W_hn (r_t h_{t-1}) + b_n)
    h_t = sigmoid(W_xo x_t + W_ho h_{t-1} + b_o + w_o m_t) m_t
    """

    states = ("h", "m")

    def equations(self, x, h, m):
        r = sigmoid(linear("reset", x, h) + peephole("reset", m))
        a = sigmoid(linear("leak", x, h))
        n = tanh(linear("candidate", x, r * h))
        m = (1 - a) * m + a * n
        o = sigmoid(linear("output", x, h) + peephole("output", m))
        return o * m, m


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=40, help="numbers in a sequence")
    parser.add_argument("--hidden", type=int, default=32, help="number of hidden features")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--source", action="store_true", help="print the loops of the derived kernels, too")
    return parser.parse_args()


def adding_problem(random: np.random.Generator, steps: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (steps, batch, 2), numbers and marks, and the sums (batch, 1) of the two marked numbers."""
    numbers, marks = random.random((steps, batch), "float32"), np.zeros((steps, batch), "float32")
    marks[random.integers(0, steps // 2, batch), np.arange(batch)] = 1
    marks[random.integers(steps // 2, steps, batch), np.arange(batch)] = 1
    return np.stack([numbers, marks], axis=-1), (numbers * marks).sum(axis=0)[:, np.newaxis]


def train(cell: nr.Cell, options: argparse.Namespace) -> None:
    # a table of steps in, the table of outputs, the last of them, the answer
    model = nr.Sequential(nr.Sequencer(cell), nr.SelectTable(-1), nr.Linear(cell.hidden_size, 1))
    criterion, optimizer = nr.MSECriterion(), nr.optim.Adam(model, options.learning_rate)
    random, recent = np.random.default_rng(options.seed), []
    for iteration in range(1, options.iterations + 1):
        inputs, targets = adding_problem(random, options.steps, options.batch_size)
        outputs = model.forward(list(inputs))
        recent.append(criterion.forward(outputs, targets))
        model.zero_grad_parameters()
        model.backward(list(inputs), criterion.backward(outputs, targets))
        nr.optim.clip_grad_norm(model, 1.0)
        optimizer.step()
        if iteration % max(options.iterations // 10, 1) == 0:
            print(f"iteration {iteration:5d}: mean squared error {np.mean(recent):.4f}", flush=True)
            recent = []


def compare_speed(cell: nr.Cell, options: argparse.Namespace) -> None:
    """Run the same sequence step by step and as one loop, forward and backward."""
    inputs, _ = adding_problem(np.random.default_rng(options.seed), options.steps, options.batch_size)
    sequencer = nr.Sequencer(cell)
    grad_outputs = np.ones((*inputs.shape[:2], cell.hidden_size), "float32")

    def stepping() -> np.ndarray:
        cell.forget()
        outputs = [cell.forward(x) for x in inputs]
        for t in reversed(range(len(inputs))):
            cell.backward(inputs[t], grad_outputs[t])
        return np.stack(outputs)

    def sequence() -> np.ndarray:
        outputs = sequencer.forward(inputs)
        sequencer.backward(inputs, grad_outputs)
        return outputs

    equal = np.array_equal(stepping(), sequence())
    for name, run in (("step by step", stepping), ("Sequencer", sequence)):
        times = []
        for _ in range(20):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        print(f"{name:13s} {1e3 * np.median(times):6.2f} ms for {options.steps} steps forward and back")
    print(f"The same outputs, bit for bit: {equal}")


def main() -> None:
    options = arguments()
    nr.seed(options.seed)
    cell = LeakyPeepholeCell(2, options.hidden)
    print(f"{cell}: {cell.get_parameters()[0].size:,} parameters; a step has {cell.program().depth} phases")
    print()
    source = cell.source()
    print(source if options.source else source.split("@kernel(**OPTIONS)")[0].rstrip() + "\n")  # without the loops

    start = time.perf_counter()
    nr.testing.check_gradients(LeakyPeepholeCell(2, 4))
    print(f"Its gradients agree with finite differences (compiled and checked in {time.perf_counter() - start:.1f} s)")
    compare_speed(cell, options)
    print(f"Training; always to answer 1 gives a mean squared error of {1 / 6:.4f}")
    train(cell, options)


if __name__ == "__main__":
    main()
