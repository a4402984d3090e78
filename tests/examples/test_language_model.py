"""The language model, trained for a moment on a text it can learn by heart."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "examples" / "language_model.py"


def run(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=250)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("language_model")
    text = folder / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog. " * 400)
    sizes = ("--hidden-size", 32, "--embedding-size", 8, "--batch-size", 8, "--steps", 32)
    done = run("--text", text, "--out", folder / "run", "--seconds", 4, "--length", 60, *sizes)
    assert done.returncode == 0, done.stderr
    return folder / "run", done.stdout


def test_a_repeated_sentence_is_learned_by_heart(trained):
    folder, _ = trained
    assert json.loads((folder / "model.json").read_text())["held_out_bits"] < 0.3


def test_the_run_leaves_a_picture_and_prints_a_sample(trained):
    folder, printed = trained
    assert (folder / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert "one fused loop" in printed
    assert "held-out tenth" in printed


def test_the_saved_model_is_read_back_and_goes_on_from_a_prompt(trained):
    folder, _ = trained
    done = run("--out", folder, "--sample", "the quick", "--length", 20, "--temperature", 0.1)
    assert done.stdout.startswith("the quick brown fox jumps")


def test_a_prompt_of_unknown_characters_is_refused(trained):
    folder, _ = trained
    done = run("--out", folder, "--sample", "Ж")
    assert done.returncode != 0
    assert "does not know ['Ж']" in done.stderr


def test_a_missing_model_is_named(tmp_path):
    done = run("--out", tmp_path / "nothing", "--sample", "a")
    assert done.returncode != 0
    assert "there is no model" in done.stderr


def test_a_text_that_is_too_short_is_refused(tmp_path):
    text = tmp_path / "short.txt"
    text.write_text("too short")
    done = run("--text", text, "--out", tmp_path)
    assert done.returncode != 0
    assert "too few" in done.stderr
