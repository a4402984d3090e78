"""A recurrent network under a Sequencer: `simple_recurrent_network.py` without the loop over the steps.

    python examples/simple_sequencer_network.py                 # 2,000 iterations, a few seconds
    python examples/simple_sequencer_network.py --rho 50        # longer sequences cost little

The network, the sequence 1, 2, ... 10, the readers and the measure are those of `simple_recurrent_network.py`. The
module of one step goes into a `Sequencer`, which is given all steps of a sequence at once; cells and recurrent layers
in it run as fused loops. The criterion is applied to each step by a `SequencerCriterion`.
"""

import argparse

import numpy as np
from simple_recurrent_network import arguments, report
from tqdm import tqdm

import numrnn as nr


def build(n_index: int, hidden: int) -> nr.Module:
    """Return the module of one step: a recurrent layer, then log-probabilities of the next number."""
    recurrent = nr.Recurrent(
        hidden,
        nr.LookupTable(n_index, hidden),  # input
        nr.Linear(hidden, hidden),  # feedback
        nr.Sigmoid(),  # transfer
    )
    return nr.Sequential(recurrent, nr.Linear(hidden, n_index), nr.LogSoftMax())


def train(model: nr.Sequencer, options: argparse.Namespace) -> list[float]:
    """Train; return the error of one step, for each iteration."""
    criterion = nr.SequencerCriterion(nr.ClassNLLCriterion())
    sequence = np.tile(np.arange(options.n_index), 100)
    offsets = np.random.default_rng(options.seed).integers(0, len(sequence), options.batch_size)
    errors = []
    progress = tqdm(range(options.iterations), unit="iteration")
    for _ in progress:
        # 1. the next numbers of each reader: rho steps, and the numbers that follow them, (rho, batch)
        places = (offsets + np.arange(options.rho + 1)[:, np.newaxis]) % len(sequence)
        inputs, targets = sequence[places[:-1]], sequence[places[1:]]
        offsets = places[-1]

        # 2. forward through the sequence
        outputs = model.forward(inputs)
        error = criterion.forward(outputs, targets)

        # 3. backward through the sequence
        model.zero_grad_parameters()
        model.backward(inputs, criterion.backward(outputs, targets))

        # 4. a step down the gradient
        model.update_parameters(options.learning_rate)

        errors.append(error / options.rho)
        progress.set_postfix_str(f"error {errors[-1]:.4f}", refresh=False)
    return errors


def main() -> None:
    options = arguments(__doc__, "simple_sequencer_network")
    nr.seed(options.seed)
    model = nr.Sequencer(build(options.n_index, options.hidden))
    print(model.plan())
    report(model.module, train(model, options), options)


if __name__ == "__main__":
    main()
