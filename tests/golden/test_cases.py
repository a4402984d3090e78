"""Single modules, cells, criterions and small training runs give what the original gave."""

from collections import Counter

import pytest

from tests.golden import recordings
from tests.golden.build import Missing
from tests.golden.case import Case
from tests.golden.differences import DIFFERENCES

NAMES = recordings.names("cases")
REPLAYED_AT_LEAST = 418
"""It grows with numrnn."""


def ready(recording):
    try:
        return Case(recording)
    except Missing as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DIFFERENCES])
def test_case_gives_what_was_recorded(name):
    ready(recordings.load("cases", name)).run()


@pytest.mark.parametrize("name", DIFFERENCES)
def test_case_differs_from_what_was_recorded_exactly_as_intended(name):
    recording = recordings.load("cases", name)
    case = ready(recording)
    with pytest.raises(AssertionError, match=DIFFERENCES[name].where):
        case.run()
    ready(DIFFERENCES[name].corrected(recording)).run()


def test_as_many_cases_as_ever_are_replayed():
    waiting = Counter()
    for name in NAMES:
        try:
            Case(recordings.load("cases", name))
        except Missing as reason:
            waiting[str(reason)] += 1
    replayed = len(NAMES) - waiting.total()
    print(f"{replayed} of {len(NAMES)} cases are replayed.")
    print("What the others wait for:", *(f"{count:4d}  {reason}" for reason, count in waiting.most_common()), sep="\n")
    assert replayed >= REPLAYED_AT_LEAST
