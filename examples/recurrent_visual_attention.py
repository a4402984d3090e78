"""Recurrent visual attention: a network that looks at a digit through a keyhole, and learns where to look.

    python examples/recurrent_visual_attention.py                       # a minute; needs: pip install scikit-learn
    python examples/recurrent_visual_attention.py --size 3 --depth 2    # smaller looks, and what is around, blurred

Each of six looks shows 4 x 4 pixels of the 8 x 8. A GRU gathers what was seen, and from its state the next place is
chosen; after the last look the digit is named. The digit is learned by the gradient; the places, which have none, by
REINFORCE: if the answer was right, all places that were looked at become more probable.

The digits are the 1,797 of scikit-learn (BSD-3-Clause), read as a file; a fifth, drawn at random, is the test. The
baseline sees whole images and names the digit whose mean is the nearest.

Measured on the test: 95.3 % are right; the baseline has 91.1 %.

Mnih, Heess, Graves and Kavukcuoglu (2014), Recurrent models of visual attention.
"""

import argparse
from pathlib import Path

import numpy as np
from common import BLUE, PALE, RED, cosine, installed_file, picture
from tqdm import tqdm

import numrnn as nr


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--file", type=Path, help="the digits, if not in scikit-learn: rows of 64 pixels and the class")
    parser.add_argument("--looks", type=int, default=6, help="number of looks")
    parser.add_argument("--size", type=int, default=4, help="edge of what is seen, in pixels")
    parser.add_argument("--depth", type=int, default=1, help="number of patches in a look, each twice as wide")
    parser.add_argument("--hidden", type=int, default=96, help="hidden features")
    parser.add_argument("--deviation", type=float, default=0.25, help="standard deviation of the places")
    parser.add_argument("--epochs", type=int, default=45)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-3, help="at the start; it falls along a cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/recurrent_visual_attention"), help="the picture's folder"
    )
    return parser.parse_args()


def digits(file: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, 1, 8, 8) from 0 to 1, and their digits (N,)."""
    file = file or installed_file("sklearn", "datasets/data/digits.csv.gz", "pip install scikit-learn")
    rows = np.loadtxt(file, delimiter=",")
    return (rows[:, :64] / 16).reshape(-1, 1, 8, 8).astype("float32"), rows[:, 64].astype(int)


def build(options: argparse.Namespace) -> tuple[nr.Sequential, nr.RecurrentAttention]:
    """Return the agent, from images to [log-probabilities, expected reward], and the attention in it."""
    hidden, pixels = options.hidden, options.depth * options.size**2
    where = nr.Sequential(nr.SelectTable(1), nr.Linear(2, 32), nr.ReLU())
    what = nr.Sequential(
        nr.SpatialGlimpse(options.size, options.depth), nr.Reshape(pixels), nr.Linear(pixels, 64), nr.ReLU()
    )
    look = nr.Sequential(nr.ConcatTable(where, what), nr.JoinTable(), nr.GRU(96, hidden))
    place = nr.Sequential(  # the places' noisy gradient must not disturb the state, hence ZeroGrad
        nr.ZeroGrad(), nr.Linear(hidden, 2), nr.Tanh(), nr.ReinforceNormal(options.deviation), nr.HardTanh()
    )
    attention = nr.RecurrentAttention(look, place, options.looks, hidden)
    name = nr.Sequential(nr.Linear(hidden, 10), nr.LogSoftMax())
    expected_reward = nr.Sequential(nr.ZeroGrad(), nr.Linear(hidden, 1))
    return nr.Sequential(attention, nr.SelectTable(-1), nr.ConcatTable(name, expected_reward)), attention


def accuracy(agent: nr.Module, images: np.ndarray, targets: np.ndarray) -> float:
    agent.evaluate()
    right = agent.forward(images)[0].argmax(axis=1) == targets
    agent.training()
    return float(right.mean())


def train(agent: nr.Module, attention: nr.Module, read: tuple, test: tuple, options: argparse.Namespace) -> dict:
    """Train; return the accuracy on both parts after each epoch."""
    likelihood, reward = nr.ClassNLLCriterion(), nr.VRClassReward(attention)
    optimizer = nr.optim.Adam(agent, options.learning_rate)
    images, targets = read
    random = np.random.default_rng(options.seed)
    history = {"training": [], "test": []}
    with tqdm(range(options.epochs), unit="epoch") as progress:
        for epoch in progress:
            optimizer.learning_rate = options.learning_rate * cosine(epoch / options.epochs)
            right = 0
            for rows in np.array_split(random.permutation(len(targets)), len(targets) // options.batch_size):
                outputs = agent.forward(images[rows])
                likelihood.forward(outputs[0], targets[rows])
                reward.forward(outputs, targets[rows])
                grad_name = likelihood.backward(outputs[0], targets[rows])
                _, grad_expected = reward.backward(outputs, targets[rows])  # and rewards the places
                agent.zero_grad_parameters()
                agent.backward(images[rows], [grad_name, grad_expected])
                nr.optim.clip_grad_norm(agent, 1.0)
                optimizer.step()
                right += np.sum(outputs[0].argmax(axis=1) == targets[rows])
            history["training"].append(right / len(targets))
            history["test"].append(accuracy(agent, *test))
            progress.set_postfix_str(f"training {history['training'][-1]:.1%}, test {history['test'][-1]:.1%}")
    return history


def nearest_mean(read: tuple, test: tuple) -> float:
    means = np.array([read[0][read[1] == digit].mean(axis=0) for digit in range(10)])
    distances = ((test[0][:, np.newaxis] - means) ** 2).sum(axis=(2, 3, 4))
    return float(np.mean(distances.argmin(axis=1) == test[1]))


def draw(history: dict, baseline: float, places: np.ndarray, answers: np.ndarray, test: tuple, options) -> None:
    images, targets = test
    with picture(options.out / "looks.png", 2, 6, figsize=(12, 4.4)) as (figure, axes):
        for digit, ax in enumerate(axes[:, :5].flat):
            sample = np.flatnonzero(targets == digit)[0]
            ax.imshow(images[sample, 0], cmap="gray_r", vmax=1.6)
            y, x = 3.5 + 4 * places[:, sample].T  # -1 and 1 are the edges of the image
            ax.plot(x, y, "-", color=RED, linewidth=1.5)
            ax.scatter(x, y, s=28, c=np.arange(len(x)), cmap="autumn_r", edgecolors=RED, zorder=3)
            half = options.size / 2
            ax.add_patch(_square(x[-1] - half, y[-1] - half, options.size))
            ax.set_title(f"read as {answers[sample]}", color=BLUE if answers[sample] == digit else RED, fontsize=10)
            ax.set(xticks=[], yticks=[], xlim=(-0.8, 7.8), ylim=(7.8, -0.8))
        grid = axes[0, 5].get_gridspec()
        for ax in axes[:, 5]:
            ax.remove()
        ax = figure.add_subplot(grid[:, 5])
        ax.plot(history["training"], color=PALE, label="training")
        ax.plot(history["test"], color=BLUE, label="test")
        ax.axhline(baseline, color=RED, linestyle="--", label="nearest mean")
        ax.set(xlabel="epoch", title="Accuracy", ylim=(None, 1))
        ax.grid(alpha=0.3)
        ax.legend(fontsize=8)


def _square(x: float, y: float, size: float):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), size, size, fill=False, edgecolor=RED, linewidth=1.5)


def main() -> None:
    options = arguments()
    nr.seed(options.seed)
    images, targets = digits(options.file)
    order = np.random.default_rng(options.seed).permutation(len(targets))
    test, read = ((images[rows], targets[rows]) for rows in np.split(order, [len(order) // 5]))
    agent, attention = build(options)
    print(
        f"{agent.get_parameters()[0].size:,} parameters; {options.looks} looks at {options.depth} patches of "
        f"{options.size} x {options.size} numbers"
    )
    history = train(agent, attention, read, test, options)
    baseline = nearest_mean(read, test)
    print(f"test accuracy {history['test'][-1]:.1%}; the nearest mean of whole images: {baseline:.1%}; guessing: 10%")

    answers = agent.evaluate().forward(test[0])[0].argmax(axis=1)
    draw(history, baseline, np.array(attention.actions), answers, test, options)


if __name__ == "__main__":
    main()
