"""A character language model: an LSTM that reads English, measured on text it has not seen.

    python examples/language_model.py                      # train for a minute on the Python language reference
    python examples/language_model.py --text FILE          # ... on another text
    python examples/language_model.py --sample "for "      # read the saved model back and let it write

The default text is the reference that every CPython carries (`pydoc_data.topics`, 465 kB of English), so nothing is
downloaded. The last tenth is held out. A run leaves `model.safetensors`, `model.json` and `learning_curve.png`
in the folder `--out`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

import numrnn as nr
from numrnn.interop.safetensors import load_safetensors, save_safetensors


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, help="a text file; by default the Python language reference")
    parser.add_argument("--out", type=Path, default=Path("runs/language_model"), help="folder for what the run leaves")
    parser.add_argument("--seconds", type=float, default=60, help="training time")
    parser.add_argument(
        "--sample", metavar="PROMPT", help="do not train: read the model in --out and go on from this text"
    )
    parser.add_argument("--length", type=int, default=400, help="number of characters to write")
    parser.add_argument(
        "--temperature", type=float, default=0.7, help="0.1: only the likeliest characters; 1: as learned"
    )
    parser.add_argument("--embedding-size", type=int, default=64)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32, help="number of places in the text that are read at once")
    parser.add_argument("--steps", type=int, default=64, help="number of characters between two updates")
    parser.add_argument(
        "--learning-rate", type=float, default=1e-2, help="at the start; it falls to zero along a cosine"
    )
    parser.add_argument("--clip", type=float, default=1.0, help="largest norm of the gradient")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def default_text() -> str:
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def build(description: dict) -> nr.Sequencer:
    """Return the model for {"alphabet", "embedding_size", "hidden_size"}."""
    characters, embedding, hidden = (
        len(description["alphabet"]),
        description["embedding_size"],
        description["hidden_size"],
    )
    step = nr.Sequential(
        nr.LookupTable(characters, embedding),
        nr.FastLSTM(embedding, hidden),
        nr.Linear(hidden, characters),
        nr.LogSoftMax(),
    )
    return nr.Sequencer(step).remember("both")


def streams(codes: np.ndarray, count: int) -> np.ndarray:
    """Cut a text into `count` pieces that are read side by side: (time, count)."""
    return np.ascontiguousarray(codes[: len(codes) // count * count].reshape(count, -1).T)


def bits_per_character(model: nr.Sequencer, codes: np.ndarray) -> float:
    """Measure the model on one stream of text, read from beginning to end with the state kept."""
    model.evaluate()
    loss = nr.SequencerCriterion(nr.ClassNLLCriterion())
    inputs, targets = codes[:-1, np.newaxis], codes[1:, np.newaxis]
    total = sum(
        loss(model(inputs[first : first + 1024]), targets[first : first + 1024])
        for first in range(0, len(inputs), 1024)
    )
    model.training()
    return total / len(inputs) / math.log(2)


def train(model: nr.Sequencer, read: np.ndarray, held_out: np.ndarray, options: argparse.Namespace) -> dict[str, list]:
    """Train for the given time; return the history."""
    loss = nr.SequencerCriterion(nr.ClassNLLCriterion(), size_average=True)
    optimizer = nr.optim.Adam(model, options.learning_rate)
    text = streams(read, options.batch_size)
    history = {"seconds": [], "bits": [], "held_out_seconds": [], "held_out_bits": []}
    position, spent, pauses = 0, 0.0, 6
    with tqdm(
        total=round(options.seconds), unit="s", bar_format="{l_bar}{bar}| {n:.0f}/{total} s {postfix}"
    ) as progress:
        while spent < options.seconds:
            start = time.perf_counter()
            if position + options.steps >= len(text):
                position = 0
                model.forget()
            inputs = text[position : position + options.steps]
            targets = text[position + 1 : position + 1 + len(inputs)]
            position += len(inputs)

            outputs = model(inputs)
            error = loss(outputs, targets)
            model.zero_grad_parameters()
            model.backward(inputs, loss.backward(outputs, targets))
            nr.optim.clip_grad_norm(model, options.clip)
            optimizer.learning_rate = options.learning_rate * 0.5 * (1 + math.cos(math.pi * spent / options.seconds))
            optimizer.step()

            spent += time.perf_counter() - start
            history["seconds"].append(spent)
            history["bits"].append(error / math.log(2))
            if spent >= len(history["held_out_bits"]) * options.seconds / pauses or spent >= options.seconds:
                history["held_out_seconds"].append(spent)
                history["held_out_bits"].append(bits_per_character(model, held_out))
            progress.set_postfix_str(
                f"{len(history['bits'])} updates, {np.mean(history['bits'][-20:]):.2f} bits, "
                f"held out {history['held_out_bits'][-1]:.2f}",
                refresh=False,
            )
            progress.update(min(spent, options.seconds) - progress.n)
    return history


def write(model: nr.Sequencer, alphabet: str, prompt: str, length: int, temperature: float, seed: int) -> str:
    """Let the model go on from `prompt`, one character a step."""
    step, draw = model.module.evaluate(), np.random.default_rng(seed)
    step.forget()
    text = prompt
    unknown = sorted(set(prompt) - set(alphabet))
    if unknown or not prompt:
        raise SystemExit(f"--sample: the prompt must be of characters that the model knows; it does not know {unknown}")
    for character in prompt:
        log_probabilities = step.forward(np.array([alphabet.index(character)]))
    for _ in range(length):
        weights = np.exp(log_probabilities[0].astype("float64") / temperature)
        code = draw.choice(len(alphabet), p=weights / weights.sum())
        text += alphabet[code]
        log_probabilities = step.forward(np.array([code]))
    return text


def draw(history: dict[str, list], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(history["seconds"], history["bits"], color="#9ab8d8", linewidth=1, label="training, each update")
    axes.plot(history["held_out_seconds"], history["held_out_bits"], "o-", color="#b3441e", label="held-out tenth")
    axes.annotate(
        f"{history['held_out_bits'][-1]:.2f}",
        (history["held_out_seconds"][-1], history["held_out_bits"][-1]),
        textcoords="offset points",
        xytext=(0, 10),
        ha="right",
        color="#b3441e",
    )
    axes.set(xlabel="training time (s)", ylabel="bits per character", ylim=(1, None), title="Character LSTM")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> None:
    options = arguments()
    weights, description_file = options.out / "model.safetensors", options.out / "model.json"
    if options.sample is not None:
        if not weights.exists():
            raise SystemExit(f"--sample: there is no model in {options.out}; train one first")
        description = json.loads(description_file.read_text())
        model = build(description)
        model.load_state_dict(load_safetensors(weights)[0])
        print(write(model, description["alphabet"], options.sample, options.length, options.temperature, options.seed))
        return

    nr.seed(options.seed)
    text = options.text.read_text() if options.text else default_text()
    alphabet = "".join(sorted(set(text)))
    codes = np.searchsorted(np.array(list(alphabet)), np.array(list(text)))
    read, held_out = np.split(codes, [len(codes) - len(codes) // 10])
    if len(read) < options.batch_size * (options.steps + 1):
        raise SystemExit(f"--text: {len(text)} characters are too few for --batch-size {options.batch_size}")
    description = {
        "alphabet": alphabet,
        "embedding_size": options.embedding_size,
        "hidden_size": options.hidden_size,
    }
    model = build(description)
    forget_gate = slice(2 * options.hidden_size, 3 * options.hidden_size)
    model.module[1].gates_bias[forget_gate] = 1  # remember at first, and learn what to forget
    print(f"{len(text):,} characters, {len(alphabet)} different; {model.get_parameters()[0].size:,} parameters")
    print(model.plan())

    start = time.perf_counter()
    trial = model.clone()
    outputs = trial(streams(read, options.batch_size)[: options.steps])
    trial.backward(streams(read, options.batch_size)[: options.steps], np.zeros_like(outputs))
    print(f"kernels ready after {time.perf_counter() - start:.1f} s (compiled once, then read from a cache)")

    history = train(model, read, held_out, options)
    print(
        f"held-out tenth: {history['held_out_bits'][-1]:.3f} bits per character after {len(history['bits'])} updates "
        f"in {history['seconds'][-1]:.0f} s"
    )
    options.out.mkdir(parents=True, exist_ok=True)
    save_safetensors(weights, model)
    description_file.write_text(json.dumps(description | {"held_out_bits": history["held_out_bits"][-1]}, indent=1))
    draw(history, options.out / "learning_curve.png")
    print(f"wrote {weights}, {description_file.name} and learning_curve.png; a sample:\n")
    prompt = text[len(read) : len(read) + 40]
    print(write(model, alphabet, prompt, options.length, options.temperature, options.seed))


if __name__ == "__main__":
    main()
