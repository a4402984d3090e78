"""A text generator: a network reads the standard library of Python, and then writes Python, in several ways.

    python examples/text_generator.py                              # read for a minute, then write
    python examples/text_generator.py --way nucleus --amount 0.8   # how to write
    python examples/text_generator.py --text FILE --prompt "It was "

The network is that of `language_model.py`; it reads the modules of the standard library that lie beside `os.py` (4.7
MB; the last tenth of them is held out). The measure is bits per character of the held-out tenth. The baseline is what
the compressors bz2 and xz need for it after the same text.

Each way turns the log-probabilities of the next character into a choice: `greedy` takes the likeliest, `temperature`
draws from all, made sharper by an amount below 1, `top` draws from the AMOUNT likeliest, `nucleus` from the likeliest
that have a probability of AMOUNT together, and `beam` goes on from the AMOUNT best beginnings at once and ends with the
best text.

Measured after 990 updates: 2.38 bits per character; bz2 needs 1.58 and xz 1.48, which look words up in all of the text.
"""

import argparse
import bz2
import lzma
import sysconfig
from pathlib import Path

import numpy as np
from common import picture
from language_model import bits_per_character, build, streams, train

import numrnn as nr

WAYS = {"greedy": 1, "temperature": 0.7, "top": 5, "nucleus": 0.9, "beam": 8}
"""How to write, and the usual amount of it."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, help="a text file; by default the standard library")
    parser.add_argument("--prompt", default="def read_", help="what to go on from")
    parser.add_argument("--way", choices=WAYS, help="how to write; by default in all ways")
    parser.add_argument("--amount", type=float, help="how much of it, see above")
    parser.add_argument("--length", type=int, default=300, help="characters to write")
    parser.add_argument("--seconds", type=float, default=60, help="training time")
    parser.add_argument("--embedding-size", type=int, default=48)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-2)
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/text_generator"), help="folder of the picture")
    return parser.parse_args()


def standard_library() -> str:
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def compressed(read: str, held_out: str) -> dict[str, float]:
    """Return the bits per character that compressors need for a text after another one."""
    before, after = read.encode(), (read + held_out).encode()
    return {
        tool.__name__: 8 * (len(tool.compress(after)) - len(tool.compress(before))) / len(held_out)
        for tool in (bz2, lzma)
    }


def likeliest(log_probabilities: np.ndarray, way: str, amount: float) -> np.ndarray:
    """Return the probabilities that a way of writing draws from."""
    sharper = amount if way == "temperature" else 1
    weights = np.exp((log_probabilities - log_probabilities.max()).astype("float64") / sharper)
    weights /= weights.sum()
    order = np.argsort(-weights)
    if way in ("greedy", "top"):
        weights[order[1 if way == "greedy" else int(amount) :]] = 0
    elif way == "nucleus":
        before = np.cumsum(weights[order]) - weights[order]
        weights[order[before >= amount]] = 0
    return weights / weights.sum()


def write(step: nr.Module, start: np.ndarray, length: int, way: str, amount: float, seed: int):
    """Go on from a text, one character a step; return the codes and how surprising each was, in bits."""
    random = np.random.default_rng(seed)
    step.forget()
    for code in start:
        log_probabilities = step.forward(np.array([code]))[0]
    codes, bits = [], []
    for _ in range(length):
        weights = likeliest(log_probabilities, way, amount)
        codes.append(int(random.choice(len(weights), p=weights)))
        bits.append(-log_probabilities[codes[-1]] / np.log(2))
        log_probabilities = step.forward(np.array(codes[-1:]))[0]
    return codes, bits


def beam_search(step: nr.Module, start: np.ndarray, length: int, width: int) -> tuple[list[int], list[float]]:
    """Go on from the best `width` beginnings at once; return the best text and how surprising its characters were."""
    step.forget()
    for code in start:
        log_probabilities = step.forward(np.array([code]))
    codes, bits, totals = np.zeros((1, 0), int), np.zeros((1, 0)), np.zeros(1)
    for _ in range(length):
        scores = totals[:, np.newaxis] + log_probabilities
        best = np.argsort(-scores, axis=None)[:width]
        rows, chosen = np.unravel_index(best, scores.shape)
        totals = scores[rows, chosen]
        codes = np.c_[codes[rows], chosen]
        bits = np.c_[bits[rows], -log_probabilities[rows, chosen] / np.log(2)]
        step.take_rows(rows)  # row k goes on from what row rows[k] was
        log_probabilities = step.forward(chosen)
    return codes[0].tolist(), bits[0].tolist()


def draw(texts: dict[str, tuple[str, list[float]]], prompt: str, path: Path, width: int = 76) -> None:
    """Draw texts whose characters are the redder, the more surprising they were."""
    from matplotlib import colormaps

    lines_of = {name: [] for name in texts}
    for name, (text, bits) in texts.items():
        row = column = 0
        for letter, surprise in zip(prompt + text, [0.0] * len(prompt) + bits, strict=True):
            if letter == "\n" or column == width:
                row, column = row + 1, 0
            if letter != "\n":
                lines_of[name].append((row, column, letter, surprise))
                column += 1
    heights = [2 + max(row for row, *_ in letters) for letters in lines_of.values()]
    with picture(path, len(texts), 1, figsize=(8, 0.16 * sum(heights) + 0.4), height_ratios=heights, squeeze=False) as (
        _,
        axes,
    ):
        for ax, (name, letters), height in zip(axes[:, 0], lines_of.items(), heights, strict=True):
            mean = np.mean(texts[name][1])
            ax.set_title(f"{name}: {mean:.2f} bits a character", fontsize=9, loc="left")
            ax.set(xlim=(0, width), ylim=(height - 0.5, -0.5))
            ax.axis("off")
            for row, column, letter, surprise in letters:
                color = colormaps["Reds"](min(surprise / 14, 0.6))
                ax.text(
                    column,
                    row,
                    letter.replace("$", r"\$"),
                    family="monospace",
                    fontsize=8,
                    va="center",
                    bbox={"facecolor": color, "edgecolor": "none", "pad": 0.6} if surprise > 1 else None,
                )


def main() -> None:
    options = arguments()
    nr.seed(options.seed)
    text = options.text.read_text(encoding="utf-8") if options.text else standard_library()
    alphabet = "".join(sorted(set(text)))
    unknown = sorted(set(options.prompt) - set(alphabet))
    if unknown or not options.prompt:
        raise SystemExit(f"--prompt: it must be of characters of the text; these are not in it: {unknown}")
    codes = np.searchsorted(np.array(list(alphabet)), np.array(list(text)))
    last = len(codes) - len(codes) // 10
    sizes = {"embedding_size": options.embedding_size, "hidden_size": options.hidden_size}
    model = build({"alphabet": alphabet, **sizes})
    print(f"{len(text):,} characters, {len(alphabet)} different; {model.get_parameters()[0].size:,} parameters")
    model.clone().forward(streams(codes, options.batch_size)[: options.steps])  # compiles
    train(model, codes[:last], codes[last : last + 8000], options)

    held_out = codes[last : last + 50000]
    tools = compressed(text[:last], text[last : last + len(held_out)])
    print(
        f"held out, bits per character: {bits_per_character(model, held_out):.2f}; "
        + ", ".join(f"{tool}: {bits:.2f}" for tool, bits in tools.items())
    )
    step, start = model.module.evaluate(), np.array([alphabet.index(letter) for letter in options.prompt])
    texts = {}
    for way in [options.way] if options.way else WAYS:
        amount = WAYS[way] if options.amount is None or not options.way else options.amount
        if way == "beam":
            written, bits = beam_search(step, start, options.length, int(amount))
        else:
            written, bits = write(step, start, options.length, way, amount, options.seed)
        name = way if way == "greedy" else f"{way} {amount:g}"
        texts[name] = "".join(alphabet[code] for code in written), [float(value) for value in bits]
        print(f"\n---- {name} ({np.mean(bits):.2f} bits a character)\n{options.prompt}{texts[name][0]}")
    draw(texts, options.prompt, options.out / "text.png")


if __name__ == "__main__":
    main()
