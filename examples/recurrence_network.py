"""A Recurrence: any module of an input and its own last output is a recurrent network.

    python examples/recurrence_network.py                 # 2,000 iterations, a few seconds

`Recurrent` has a place for the input, the feedback and the transfer function. `Recurrence` has one for a module that
turns a table [input, last output] into the output, whatever is in it. Here it is made of the parts of
`simple_sequencer_network.py`, which it learns to count like; the plan shows that it runs as a fused loop, too.
"""

from simple_recurrent_network import arguments, report
from simple_sequencer_network import train

import numrnn as nr


def build(n_index: int, hidden: int) -> nr.Module:
    """Return the module of one step: a recurrence, then log-probabilities of the next number."""
    both = nr.ParallelTable(nr.LookupTable(n_index, hidden), nr.Linear(hidden, hidden))
    recurrence = nr.Recurrence(
        nr.Sequential(both, nr.CAddTable(), nr.Sigmoid()),
        hidden,  # size of the output
        0,  # axes of an input: it is an index
    )
    return nr.Sequential(recurrence, nr.Linear(hidden, n_index), nr.LogSoftMax())


def main() -> None:
    options = arguments(__doc__, "recurrence_network")
    nr.seed(options.seed)
    model = nr.Sequencer(build(options.n_index, options.hidden))
    print(model.plan())
    report(model.module, train(model, options), options)


if __name__ == "__main__":
    main()
