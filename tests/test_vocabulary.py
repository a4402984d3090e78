"""The tables of the original's names: what they name is there, what they miss is not, and nothing is left out."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any, NamedTuple

import numrnn as nr

PAGE = Path(__file__).parents[1] / "docs" / "vocabulary.md"
NODE = nr.Tanh()(nr.Input())
STANDS_FOR = {
    "cell": nr.LSTM(2, 3),
    "container": nr.Sequential(nr.Linear(2, 3)),
    "criterion": nr.MSECriterion(),
    "graph": nr.Graph(NODE.source, NODE),
    "module": nr.Linear(2, 3),
    "node": NODE,
    "nr": nr,
    "rnn": nr.Recursor(nr.Linear(2, 3)),
    "sequencer": nr.Sequencer(nr.Linear(2, 3)),
}
"""What the words in the second column mean."""

OWN = {
    "AntisymmetricRNN",
    "CTRNN",
    "Cell",
    "CoupledLSTM",
    "GRUResetAfter",
    "IndRNN",
    "LRU",
    "LTC",
    "LayerNormGRU",
    "LayerNormLSTM",
    "MGU",
    "MLSTM",
    "MinGRU",
    "MinLSTM",
    "Node",
    "PlainLSTM",
    "QRNN",
    "RNN",
    "SLSTM",
    "SRU",
    "StackedGRU",
    "StackedLSTM",
    "StackedRNN",
    "StepModule",
    "TruncatedSequencer",
    "ZoneoutGRU",
    "ZoneoutLSTM",
    "get_num_threads",
    "set_num_threads",
    "warm_up",
}
"""Public names for which the original has nothing; the tables may mention them."""


class Row(NamedTuple):
    """A row: the code in its first two columns, and the text of the last two."""

    line: int
    theirs: list[str]
    ours: list[str]
    place: str
    remark: str

    @property
    def classes(self) -> set[str]:
        """Names of the original's classes that the row is about."""
        matches = [re.fullmatch(r"nn\.(\w+)(\([^()]*\))?", code) for code in self.theirs]
        return {match[1] for match in matches if match}


def rows() -> list[Row]:
    """Return the rows of all tables, without their heads."""
    found = []
    for number, line in enumerate(PAGE.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("|") and not line.startswith(("| Torch7 |", "| --- |")):
            theirs, ours, remark = (column.strip() for column in line.strip("|").split("|"))
            found.append(Row(number, code_in(theirs), code_in(ours), ours, remark))
    return found


def code_in(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def resolve(code: ast.expr) -> Any:
    """Return what an expression such as `nr.optim.SGD`, or the call of it, names; check the arguments of the call."""
    match code:
        case ast.Name():
            return STANDS_FOR[code.id]
        case ast.Subscript():
            return resolve(code.value)[0]
        case ast.Attribute():
            return getattr(resolve(code.value), code.attr)
        case ast.Call(func=ast.Name(id="len")):
            return len(resolve(code.args[0]))
        case ast.Call():
            named = resolve(code.func)
            values = [argument for argument in code.args if not isinstance(argument, ast.Starred)]
            inspect.signature(named).bind(*values, **{keyword.arg: None for keyword in code.keywords})
            return named
    raise ValueError(ast.dump(code))


ROWS = rows()


def test_every_row_says_what_became_of_something():
    assert len(ROWS) > 150
    for row in ROWS:
        assert row.ours or row.place in ("not needed", "not here"), row
        assert row.theirs or row.remark.startswith("numrnn's own"), row


def test_no_class_of_the_original_comes_twice():
    classes = [name for row in ROWS for name in row.classes]
    assert sorted(classes) == sorted(set(classes))


def test_what_is_named_is_there_and_takes_these_arguments():
    wrong = []
    for row in ROWS:
        for code in row.ours + [code for code in code_in(row.remark) if code.partition(".")[0] in STANDS_FOR]:
            try:
                resolve(ast.parse(code, mode="eval").body)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                wrong.append(f"line {row.line}: {code}: {error!r}")
    assert wrong == []


def test_a_class_that_has_the_same_name_here_is_not_said_to_be_elsewhere_or_missing():
    for row in ROWS:
        for name in row.classes & set(vars(nr)):
            assert any(re.match(rf"nr\.{name}\b", code) for code in row.ours), row


def test_nothing_that_came_from_the_original_is_left_out():
    public = {name for name, value in vars(nr).items() if not name.startswith("_") and not inspect.ismodule(value)}
    public |= {f"optim.{name}" for name in nr.optim.__all__}
    named = {name for row in ROWS for code in row.ours for name in re.findall(r"\bnr\.((?:optim\.)?\w+)", code)}
    assert public - OWN <= named
    assert public >= OWN
