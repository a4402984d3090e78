"""The zoo of cells: every cell of the library learns the same task; how well, and how fast?

    python examples/cell_zoo.py                             # two minutes, and more while the kernels are compiled
    python examples/cell_zoo.py --cells GRU LSTM MinGRU --epochs 20

The task is that of `mnist1d.py`: digits drawn with a single line, read off at 40 points. One layer reads the signal
once, and the largest value of each feature over time goes to the classifier. All cells have as many hidden features,
the same learning rate and the same seed, tuned for none of them. Guessing gives 10 %.

The cells are those that the library has: a new one appears here by itself.

Measured: GRU 97.8 % at 7.1 ms an update, LSTM 97.2 % at 9.9 ms, plain RNN 95.0 % at 3.9 ms; the program prints all.
MuFuRu, at 9.2 %, does not learn the task at this learning rate.
"""

import argparse
import inspect
import time
from pathlib import Path

import numpy as np
from common import BLUE, PALE, cosine, picture
from mnist1d import accuracy, as_sequence, mnist1d
from tqdm import tqdm

import numrnn as nr


def cells() -> dict[str, type[nr.Cell]]:
    """Return the cells of the library that are made of an input size and a hidden size."""
    return {
        name: kind
        for name, kind in sorted(vars(nr).items())
        if inspect.isclass(kind) and issubclass(kind, nr.Cell) and kind is not nr.Cell
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", nargs="+", choices=cells(), default=list(cells()), metavar="CELL")
    parser.add_argument("--samples", type=int, default=4000, help="signals in the data set; a fifth is for the test")
    parser.add_argument("--hidden", type=int, default=64, help="number of hidden features")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-2, help="at the start; it falls along a cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/cell_zoo"), help="folder of the picture")
    return parser.parse_args()


def train(name: str, read: tuple, test: tuple, options: argparse.Namespace) -> tuple[float, float, int]:
    """Train; return the test accuracy, milliseconds of one core for an update, and the number of parameters."""
    nr.seed(options.seed)
    cell = cells()[name](1, options.hidden)
    model = nr.Sequential(nr.Sequencer(cell), nr.Max(0), nr.Linear(options.hidden, 10), nr.LogSoftMax())
    criterion, optimizer = nr.ClassNLLCriterion(), nr.optim.Adam(model, options.learning_rate)
    signals, digits = read
    random, times = np.random.default_rng(options.seed), []
    for epoch in range(options.epochs):
        optimizer.learning_rate = options.learning_rate * cosine(epoch / options.epochs)
        for rows in np.array_split(random.permutation(len(digits)), len(digits) // options.batch_size):
            start = time.process_time()
            inputs, targets = as_sequence(signals[rows]), digits[rows]
            outputs = model.forward(inputs)
            criterion.forward(outputs, targets)
            model.zero_grad_parameters()
            model.backward(inputs, criterion.backward(outputs, targets))
            nr.optim.clip_grad_norm(model, 1.0)
            optimizer.step()
            times.append(time.process_time() - start)
    return accuracy(model, test), 1e3 * float(np.median(times)), cell.get_parameters()[0].size


def draw(results: dict[str, tuple[float, float, int]], options: argparse.Namespace) -> None:
    ranked = sorted(results, key=lambda name: results[name][0])
    scores, times, sizes = (np.array([results[name][k] for name in ranked]) for k in range(3))
    with picture(options.out / "cell_zoo.png", 1, 2, figsize=(10, 0.28 * len(ranked) + 1.6)) as (_, (left, right)):
        places = np.arange(len(ranked))
        right_label = "one update (ms of one core)"
        for ax, values, label in ((left, 100 * scores, "test accuracy (%)"), (right, times, right_label)):
            ax.barh(places, values, color=PALE)
            ax.set(xlabel=label, ylim=(-0.6, len(ranked) - 0.4), xlim=(0, 1.15 * values.max()))
            for place, value in zip(places, values, strict=True):
                ax.text(value, place, f" {value:.1f}", va="center", color=BLUE, fontsize=9)
            for side in ("top", "right"):
                ax.spines[side].set_visible(False)
        left.set_yticks(places, ranked)
        left.axvline(10, color="gray", linewidth=1, linestyle=":")
        right.set_yticks(places, [f"{size:,} parameters" for size in sizes], fontsize=8)
        left.set_title(f"{options.hidden} hidden features, {options.epochs} epochs")
        right.set_title(f"40 steps, batch {options.batch_size}, there and back")


def main() -> None:
    options = arguments()
    nr.set_num_threads(1)  # the times are those of one core
    signals, digits = mnist1d(options.samples)
    last = options.samples - options.samples // 5
    read, test = (signals[:last], digits[:last]), (signals[last:], digits[last:])
    results = {}
    with tqdm(options.cells, unit="cell") as progress:
        for name in progress:
            progress.set_description(name)
            results[name] = train(name, read, test, options)
    print(f"{'cell':22}{'test accuracy':>14}{'ms an update':>14}{'parameters':>12}      (guessing: 10 %)")
    for name, (score, milliseconds, size) in sorted(results.items(), key=lambda item: -item[1][0]):
        print(f"{name:22}{score:14.1%}{milliseconds:14.2f}{size:12,}")
    draw(results, options)


if __name__ == "__main__":
    main()
