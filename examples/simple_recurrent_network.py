"""A recurrent network stepped by hand: it learns to count from 1 to 10, over and over.

    python examples/simple_recurrent_network.py                     # 2,000 iterations, a few seconds
    python examples/simple_recurrent_network.py --rho 10 --hidden 20

The sequence 1, 2, ... 10 is repeated a hundred times. Eight readers begin at chance places; an iteration reads the next
`rho` numbers and predicts, at each step, the number that follows. All steps are written out: forward one step a call,
then backward one step a call, the newest first. `simple_sequencer_network.py` leaves that to a Sequencer.

The error is that of one step; ln(10) = 2.303 is what guessing gives. Afterwards the network counts on by itself, fed
with its own predictions.
"""

import argparse
from pathlib import Path

import numpy as np
from common import PALE, RED, picture
from tqdm import tqdm

import numrnn as nr


def arguments(description: str, name: str, hidden: int = 7) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--n-index", type=int, default=10, help="count to this number")
    parser.add_argument("--hidden", type=int, default=hidden, help="number of hidden features")
    parser.add_argument("--rho", type=int, default=5, help="steps of a sequence")
    parser.add_argument("--batch-size", type=int, default=8, help="sequences that are read at once")
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs") / name, help="folder of the picture")
    return parser.parse_args()


def build(n_index: int, hidden: int, rho: int) -> nr.Recursor:
    """Return the network, to be stepped: a recurrent layer, then log-probabilities of the next number."""
    recurrent = nr.Recurrent(
        hidden,
        nr.LookupTable(n_index, hidden),  # input
        nr.Linear(hidden, hidden),  # feedback
        nr.Sigmoid(),  # transfer
        rho,
    )
    return nr.Recursor(nr.Sequential(recurrent, nr.Linear(hidden, n_index), nr.LogSoftMax()), rho)


def train(rnn: nr.Recursor, options: argparse.Namespace) -> list[float]:
    """Train; return the error of one step, for each iteration."""
    criterion = nr.ClassNLLCriterion()
    sequence = np.tile(np.arange(options.n_index), 100)
    offsets = np.random.default_rng(options.seed).integers(0, len(sequence), options.batch_size)
    errors = []
    progress = tqdm(range(options.iterations), unit="iteration")
    for _ in progress:
        # 1. the next numbers of each reader: rho steps, and the numbers that follow them
        places = (offsets + np.arange(options.rho + 1)[:, np.newaxis]) % len(sequence)
        inputs, targets = sequence[places[:-1]], sequence[places[1:]]
        offsets = places[-1]

        # 2. forward, step by step
        rnn.zero_grad_parameters()
        rnn.forget()
        outputs, error = [], 0.0
        for step in range(options.rho):
            outputs.append(rnn.forward(inputs[step]))
            error += criterion.forward(outputs[step], targets[step])

        # 3. backward, the newest step first
        for step in reversed(range(options.rho)):
            rnn.backward(inputs[step], criterion.backward(outputs[step], targets[step]))

        # 4. a step down the gradient
        rnn.update_parameters(options.learning_rate)

        errors.append(error / options.rho)
        progress.set_postfix_str(f"error {errors[-1]:.4f}", refresh=False)
    return errors


def count(rnn: nr.Module, first: int, steps: int) -> np.ndarray:
    """Let the network go on from a number by itself; return the probabilities (steps, n_index) it gave on the way."""
    rnn.evaluate()
    rnn.forget()
    number, probabilities = np.array([first]), []
    for _ in range(steps):
        log_probabilities = rnn.forward(number)
        probabilities.append(np.exp(log_probabilities[0]))
        number = log_probabilities.argmax(axis=1)
    return np.array(probabilities)


def draw(errors: list[float], probabilities: np.ndarray, path: Path) -> None:
    n_index = probabilities.shape[1]
    with picture(path, 1, 2, figsize=(10, 4)) as (figure, (left, right)):
        left.semilogy(errors, color=PALE, linewidth=1)
        left.axhline(np.log(n_index), color=RED, linestyle="--", label=f"guessing: ln({n_index})")
        left.set(xlabel="iteration", ylabel="error of a step", title="Training")
        left.grid(alpha=0.3)
        left.legend()
        shown = probabilities[:30]
        corners = (0.5, len(shown) + 0.5, 0.5, n_index + 0.5)
        image = right.imshow(shown.T, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=1, extent=corners)
        right.set(xlabel="step, fed with its own predictions", ylabel="number", title="What it expects next")
        right.set_yticks(range(1, n_index + 1))
        figure.colorbar(image, label="probability")


def report(step: nr.Module, errors: list[float], options: argparse.Namespace) -> None:
    """Let the trained network, a module of one step, count; print and draw how that went."""
    n_index = options.n_index
    print(f"error {errors[0]:.6f} at first, error {errors[-1]:.6f} at last; guessing gives {np.log(n_index):.3f}")
    probabilities = count(step, first=0, steps=100)
    right = (np.arange(100) + 1) % n_index  # it was given 0, which stands for the number 1
    score = np.mean(probabilities.argmax(axis=1) == right)
    print(f"counting on by itself: {score:.0%} of 100 numbers are right; guessing gives {1 / n_index:.0%}")
    draw(errors, probabilities, options.out / "counting.png")


def main() -> None:
    options = arguments(__doc__, "simple_recurrent_network")
    nr.seed(options.seed)
    rnn = build(options.n_index, options.hidden, options.rho)
    print(rnn)
    report(rnn, train(rnn, options), options)


if __name__ == "__main__":
    main()
