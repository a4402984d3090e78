"""The small examples, run as a person runs them, in short form."""

import math
import re
import subprocess
import sys
from pathlib import Path

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
