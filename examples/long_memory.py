"""Who has a long memory? The adding and the copying problem, over cells.

    python examples/long_memory.py                              # about a minute and a half
    python examples/long_memory.py --steps 200 --iterations 4000 --cells LSTM GRU IndRNN

Adding: of `--steps` random numbers in [0, 1] two are marked; their sum is wanted at the end. Always to answer 1 gives a
mean squared error of 1/6. Copying: five letters of eight, then a pause of `--pause` steps; at a signal the letters are
to be written again. Without a memory the best is to guess: an error of ln(8) for each letter. Both are from Hochreiter
and Schmidhuber (1997), Long short-term memory, and Arjovsky, Shah and Bengio (2016), Unitary evolution recurrent neural
networks.

An error below a tenth of the guess counts as solved. Measured, in parts of the guess, adding and copying: RNN 0.99 and
0.15, LSTM 0.002 and 0.04, GRU 0.001 and 0.03, MGU 0.001 and 0.19, IndRNN 0.90 and 0.73, MinGRU 0.03 and 0.56. All have
the same learning rate, and none but the LSTM, whose forget gate is open at first, is helped on.
"""

import argparse
from pathlib import Path

import numpy as np
from common import RED, cosine, picture
from tqdm import tqdm

import numrnn as nr

LETTERS, LENGTH = 8, 5
GUESS = {"adding": 1 / 6, "copying": np.log(LETTERS)}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    cells = ["RNN", "LSTM", "GRU", "MGU", "IndRNN", "MinGRU"]
    parser.add_argument("--cells", nargs="+", default=cells, help="names of cells of numrnn")
    parser.add_argument("--steps", type=int, default=60, help="numbers in the adding problem")
    parser.add_argument("--pause", type=int, default=10, help="steps to remember the letters for")
    parser.add_argument("--hidden", type=int, default=48, help="number of hidden features")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--learning-rate", type=float, default=1e-2, help="at the start; it falls along a cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/long_memory"), help="folder of the picture")
    return parser.parse_args()


def adding(random: np.random.Generator, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (steps, batch, 2), numbers and marks, and the sums (1, batch, 1)."""
    steps, batch = options.steps, options.batch_size
    numbers, marks = random.random((steps, batch), "float32"), np.zeros((steps, batch), "float32")
    marks[random.integers(0, steps // 2, batch), np.arange(batch)] = 1
    marks[random.integers(steps // 2, steps, batch), np.arange(batch)] = 1
    return np.stack([numbers, marks], axis=-1), (numbers * marks).sum(axis=0)[np.newaxis, :, np.newaxis]


def copying(random: np.random.Generator, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (time, batch, 10), letters, blanks and a signal, and the letters (5, batch) for the last steps."""
    letters = random.integers(0, LETTERS, (LENGTH, options.batch_size))
    codes = np.full((2 * LENGTH + options.pause, options.batch_size), LETTERS)  # blank
    codes[:LENGTH] = letters
    codes[-LENGTH - 1] = LETTERS + 1  # the signal
    return np.eye(LETTERS + 2, dtype="float32")[codes], letters


TASKS = {
    "adding": (adding, nr.MSECriterion(), 2, 1),
    "copying": (copying, nr.SequencerCriterion(nr.CrossEntropyCriterion(), size_average=True), LETTERS + 2, LETTERS),
}


def train(name: str, task: str, options: argparse.Namespace) -> np.ndarray:
    """Train a cell with a linear layer behind it; return the error of each iteration, in parts of the guess."""
    make, criterion, inputs_size, outputs_size = TASKS[task]
    nr.seed(options.seed)
    random = np.random.default_rng(options.seed)
    cell = getattr(nr, name)(inputs_size, options.hidden)
    if name == "LSTM":
        cell.forget_bias[:] = 1  # remember at first, and learn what to forget
    model = nr.Sequencer(nr.Sequential(cell, nr.Linear(options.hidden, outputs_size)))
    optimizer = nr.optim.Adam(model, options.learning_rate)
    errors = []
    with tqdm(range(options.iterations), desc=f"{task}, {name}", unit="iteration") as progress:
        for iteration in progress:
            inputs, targets = make(random, options)
            outputs = model.forward(inputs)
            asked = slice(-len(targets), None)  # the last steps
            errors.append(criterion.forward(outputs[asked], targets) / GUESS[task])
            grad_outputs = np.zeros_like(outputs)
            grad_outputs[asked] = criterion.backward(outputs[asked], targets)
            model.zero_grad_parameters()
            model.backward(inputs, grad_outputs)
            nr.optim.clip_grad_norm(model, 1.0)
            optimizer.learning_rate = options.learning_rate * cosine(iteration / options.iterations)
            optimizer.step()
            progress.set_postfix_str(f"error {np.mean(errors[-50:]):.3f} of the guess", refresh=False)
    return np.array(errors)


def draw(curves: dict[str, dict[str, np.ndarray]], options: argparse.Namespace) -> None:
    with picture(options.out / "long_memory.png", 1, 2, figsize=(10, 4.5), sharey=True) as (figure, axes):
        titles = f"Adding: {options.steps} steps", f"Copying: a pause of {options.pause} steps"
        for ax, title, (_, of_cells) in zip(axes, titles, curves.items(), strict=True):
            for k, (name, errors) in enumerate(of_cells.items()):
                window = min(50, len(errors))
                smooth = np.convolve(errors, np.ones(window) / window, mode="valid")
                ax.semilogy(np.arange(len(smooth)) + window, smooth, color=f"C{k}", label=name)
            ax.axhline(1, color=RED, linestyle="--", linewidth=1)
            ax.axhspan(1e-4, 0.1, color="#4e7d3a", alpha=0.08)
            ax.text(0.02, 0.1, "solved", color="#4e7d3a", va="top", transform=ax.get_yaxis_transform())
            ax.text(0.02, 1.05, "guessing", color=RED, va="bottom", transform=ax.get_yaxis_transform())
            ax.set(xlabel="iteration", title=title, ylim=(1e-4, 3))
            ax.grid(alpha=0.3)
        axes[0].set_ylabel("error, in parts of the guess")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")


def main() -> None:
    options = arguments()
    unknown = [name for name in options.cells if not isinstance(getattr(nr, name, None), type(nr.Cell))]
    if unknown:
        raise SystemExit(f"--cells: numrnn has no cell {unknown[0]}")
    curves = {task: {name: train(name, task, options) for name in options.cells} for task in TASKS}
    print(f"{'error at last, guessing = 1':28}" + "".join(f"{task:>10}" for task in TASKS))
    for name in options.cells:
        last = [curves[task][name][-100:].mean() for task in TASKS]
        print(
            f"{name:28}" + "".join(f"{error:10.4f}" for error in last) + ("   both solved" if max(last) < 0.1 else "")
        )
    draw(curves, options)


if __name__ == "__main__":
    main()
