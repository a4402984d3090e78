"""Series of calls give what the original gave: states, truncation, modes, several passes with updates in between."""

from collections import Counter

import pytest

from tests.golden import recordings
from tests.golden.trace import Trace

NAMES = recordings.names("traces")
REPLAYED_AT_LEAST = 310
COMPARED_AT_LEAST = 2038
"""Calls whose results are compared. Both numbers grow with numrnn."""


@pytest.mark.parametrize("name", NAMES)
def test_trace_gives_what_was_recorded(name):
    trace = Trace(recordings.load("traces", name))
    if not trace.checks:
        pytest.skip("; ".join(sorted({str(reason) for reason in trace.waiting.values()})))
    trace.run()


def test_as_many_traces_as_ever_are_replayed():
    traces = [Trace(recordings.load("traces", name)) for name in NAMES]
    replayed = [trace for trace in traces if trace.checks]
    in_part = sum(bool(trace.waiting) for trace in replayed)
    waiting = Counter(str(reason) for trace in traces for reason in trace.waiting.values())
    print(f"{len(replayed)} of {len(traces)} traces are replayed, {in_part} of them in part.")
    print(
        "What models and criterions wait for:",
        *(f"{count:4d}  {reason}" for reason, count in waiting.most_common()),
        sep="\n",
    )
    assert len(replayed) >= REPLAYED_AT_LEAST
    assert sum(trace.checks for trace in traces) >= COMPARED_AT_LEAST
