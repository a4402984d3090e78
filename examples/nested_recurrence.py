"""A nested recurrence: an LSTM inside the step of another recurrent network.

    python examples/nested_recurrence.py                 # 2,000 iterations, ten seconds

The outer network is fed with its own last output, which comes from an LSTM that has a memory of its own. Both run at
the same pace; the state of the whole is the table of their states, and the gradient goes back through both. It learns
to count as `simple_sequencer_network.py` does.
"""

from simple_recurrent_network import arguments, report
from simple_sequencer_network import train

import numrnn as nr


def build(n_index: int, hidden: int) -> nr.Module:
    """Return the module of one step: a recurrence with an LSTM in it, then log-probabilities of the next number."""
    step = nr.Sequential(
        nr.ParallelTable(nr.LookupTable(n_index, hidden), nr.Linear(hidden, hidden)),  # [input, last output]
        nr.CAddTable(),
        nr.Sigmoid(),
        nr.FastLSTM(hidden, hidden),
        nr.Linear(hidden, hidden),
        nr.Sigmoid(),
    )
    return nr.Sequential(nr.Recurrence(step, hidden, 0), nr.Linear(hidden, n_index), nr.LogSoftMax())


def main() -> None:
    options = arguments(__doc__, "nested_recurrence", hidden=16)
    nr.seed(options.seed)
    model = nr.Sequencer(build(options.n_index, options.hidden))
    print(model.plan())
    report(model.module, train(model, options), options)


if __name__ == "__main__":
    main()
