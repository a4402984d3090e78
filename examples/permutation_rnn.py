"""The tutorial's first program: a plain recurrent network that learns to predict a random sequence by heart.

    python examples/permutation_rnn.py                    # the sizes of the tutorial; about a minute
    python examples/permutation_rnn.py --n-index 100      # a hundred numbers only; 15 seconds
    python examples/permutation_rnn.py --span 10000       # read all of the permutation, as the tutorial does

The numbers 0 .. n_index-1 in random order are read in a circle of `span` numbers, by ten readers that begin at chance
places within the first ten. An iteration reads the next `rho` numbers; the target at each step is the one that follows.

The error is that of one step. It begins near ln(n_index), which is 9.210 for 10,000 numbers: nothing is known yet.
After 1,000 iterations it is 3.5, after 5,000 0.22, after 10,000 0.07. Over the full span 10,000 iterations are five
rounds only, too few for ten hidden features at this learning rate: the error stays at 9.2. The LSTM does learn it.
"""

import argparse

import numpy as np

import numrnn as nr


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-index", type=int, default=10000, help="how many different numbers there are")
    parser.add_argument("--span", type=int, default=100, help="read the first SPAN numbers, in a circle")
    parser.add_argument("--hidden", type=int, default=10, help="number of hidden features")
    parser.add_argument("--rho", type=int, default=5, help="steps of a sequence")
    parser.add_argument("--batch-size", type=int, default=10, help="sequences that are read at once")
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--iterations", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def build(n_index: int, hidden: int, rho: int) -> nr.Sequential:
    """Return the network: h_t = sigmoid(row of number t + W h_{t-1} + b), then log-probabilities of the next number."""
    rnn = nr.Recurrent(
        hidden,
        nr.LookupTable(n_index, hidden),  # input
        nr.Linear(hidden, hidden),  # feedback
        nr.Sigmoid(),  # transfer
        rho,
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
    count = sum(parameter.size for parameter in model.parameters()[0])
    print(f"{count:,} parameters; ln({options.n_index}) = {np.log(options.n_index):.3f}")

    # the data: predict the next number, given those before it
    length = min(options.span, options.n_index)
    sequence = random.permutation(options.n_index)[:length]
    offsets = random.integers(0, min(10, length), options.batch_size)

    for iteration in range(1, options.iterations + 1):
        # 1. a sequence of rho steps: a table of inputs, and a table of the numbers that follow them
        inputs, targets = [], []
        for _ in range(options.rho):
            inputs.append(sequence[offsets])
            offsets = (offsets + 1) % length
            targets.append(sequence[offsets])

        # 2. forward through the sequence
        outputs = model.forward(inputs)
        error = criterion.forward(outputs, targets)
        if iteration == 1 or iteration % 100 == 0:
            print(f"iteration {iteration:6d}: error {error / options.rho:.4f}", flush=True)

        # 3. backward through the sequence
        model.zero_grad_parameters()
        model.backward(inputs, criterion.backward(outputs, targets))

        # 4. a step down the gradient
        model.update_parameters(options.learning_rate)


if __name__ == "__main__":
    main()
