"""The tutorial's first program: a plain recurrent network that learns a random permutation by heart.

    python examples/permutation_rnn.py                                    # 10,000 numbers, as in the tutorial
    python examples/permutation_rnn.py --n-index 100 --iterations 30000   # a sequence it can learn completely

The data are the numbers 0 .. n_index-1 in random order, read in a circle. Every sequence of a batch starts at one of the
first ten positions and is `rho` numbers long; the target at each step is the number that comes next. A network that
knows nothing has an error of ln(n_index) a step: 9.2 for 10,000 numbers, 4.6 for 100.
"""

import argparse

import numpy as np

import numrnn as nr


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-index", type=int, default=10000, help="how many different numbers there are")
    parser.add_argument("--hidden", type=int, default=10, help="number of hidden features")
    parser.add_argument("--rho", type=int, default=5, help="steps of a sequence")
    parser.add_argument("--batch-size", type=int, default=10, help="sequences that are read at once")
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--iterations", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def build(n_index: int, hidden: int, rho: int) -> nr.Sequential:
    """Return the network: h_t = sigmoid(row of the number + W h_{t-1} + b), then scores for the next number."""
    rnn = nr.Recurrent(
        start=hidden,
        input=nr.LookupTable(n_index, hidden),
        feedback=nr.Linear(hidden, hidden),
        transfer=nr.Sigmoid(),
        rho=rho,
    )
    return nr.Sequential(
        nr.Sequencer(rnn),
        nr.Sequencer(nr.Linear(hidden, n_index)),
        nr.Sequencer(nr.LogSoftMax()),
    )


def main() -> None:
    options = arguments()
    nr.seed(options.seed)
    random = np.random.default_rng(options.seed)
    model = build(options.n_index, options.hidden, options.rho)
    criterion = nr.SequencerCriterion(nr.ClassNLLCriterion())
    print(model)
    print(f"{model.get_parameters()[0].size:,} parameters; ln({options.n_index}) = {np.log(options.n_index):.3f}")

    sequence = random.permutation(options.n_index)
    offsets = random.integers(0, min(10, options.n_index), options.batch_size)
    for iteration in range(1, options.iterations + 1):
        # 1. a sequence of rho steps: a table of inputs, and a table of the numbers that follow
        inputs, targets = [], []
        for _ in range(options.rho):
            inputs.append(sequence[offsets])
            offsets = (offsets + 1) % options.n_index
            targets.append(sequence[offsets])
        offsets = random.integers(0, min(10, options.n_index), options.batch_size)

        # 2. forward through time
        outputs = model.forward(inputs)
        error = criterion.forward(outputs, targets)
        if iteration == 1 or iteration % 100 == 0:
            print(f"iteration {iteration:6d}: error per step {error / options.rho:.4f}", flush=True)

        # 3. backward through time
        model.zero_grad_parameters()
        model.backward(inputs, criterion.backward(outputs, targets))

        # 4. a step down the gradient
        model.update_parameters(options.learning_rate)


if __name__ == "__main__":
    main()
