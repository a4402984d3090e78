"""RecurrentAttention: a recurrent module that chooses at every step what it looks at."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.containers import check_not_shared
from numrnn.errors import complaint, describe
from numrnn.layers.arrays import is_index, is_size
from numrnn.layers.reinforce import Reinforce
from numrnn.module import Module
from numrnn.recurrent import AbstractRecurrent, Recursor
from numrnn.sequencer.abstract_sequencer import CompositeSequencer, remembering
from numrnn.table import add_tables, copy_table, is_table, leaves, zero_gradient


class RecurrentAttention(CompositeSequencer):
    """Look at the same input at several steps, and choose at every step where to look.

    With input x, states h and actions a (locations in an image, say):

        h_0 = 0
        a_t = action(h_{t-1})
        h_t = rnn([x, a_t])

    Parameters
    ----------
    rnn : Module
        A module from tables `[x, a]` to h of shape (batch, hidden_size), usually a recurrent one.
    action : Module
        A module from h to a. To learn, it draws its actions with a `Reinforce` module.
    n_step : int
        Number of steps.
    hidden_size : int or sequence of int
        Number of features of h, or its shape without the batch.

    Attributes
    ----------
    actions : list
        The actions of the last forward, one for each step.

    Notes
    -----
    The input is an array with a batch axis, or a table of such; the output is a table (list) of `n_step` states h, and
    so is its gradient. Every call begins a new sequence, whatever `remember` says. The gradient of the input is the
    sum over the steps. `rnn` passes no gradient on to the actions: a `Reinforce` module in `action` makes one from the
    reward that `reinforce` hands it, which goes on to the state that the action was chosen from.

    Raises
    ------
    TypeError, ValueError
        If an argument is of another kind; in forward, if the input has no batch axis or a module refuses it.
    RuntimeError
        In backward, after an earlier backward of the same forward, without a reward, or in evaluate mode with
        recurrent modules inside.

    References
    ----------
    Mnih, Heess, Graves and Kavukcuoglu (2014), Recurrent models of visual attention, section 3.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> look = nr.Sequential(nr.ParallelTable(nr.Linear(5, 4), nr.Linear(2, 4)), nr.CAddTable())
    >>> rnn = nr.Recurrent(4, look, nr.Linear(4, 4))
    >>> action = nr.Sequential(nr.Linear(4, 2), nr.Tanh(), nr.ReinforceNormal(0.1))
    >>> attention, x = nr.RecurrentAttention(rnn, action, 3, 4), np.zeros((2, 5), "float32")
    >>> [h.shape for h in attention(x)]
    [(2, 4), (2, 4), (2, 4)]
    >>> attention.reinforce(np.array([1.0, -1.0]))
    >>> attention.backward(x, [np.ones((2, 4), "float32")] * 3).shape
    (2, 5)
    """

    memory = ("_hidden", "_actions")
    takes_sequences = False

    def __init__(self, rnn: Module, action: Module, n_step: int, hidden_size: Any) -> None:
        super().__init__()
        if not is_size(n_step):
            raise ValueError(complaint("RecurrentAttention", f"n_step={n_step!r}", "a whole number, at least 1"))
        sizes = tuple(hidden_size) if is_table(hidden_size) else (hidden_size,)
        if not all(map(is_size, sizes)):
            got = f"hidden_size={hidden_size!r}"
            raise ValueError(complaint("RecurrentAttention", got, "a size of at least 1, or several"))
        self.n_step, self.hidden_size = int(n_step), tuple(map(int, sizes))
        check_not_shared("RecurrentAttention", [rnn, action])
        for name, module in (("rnn", rnn), ("action", action)):
            self.add_child(name, module if isinstance(module, AbstractRecurrent) else Recursor(module))
        self._hidden: list[Any] = []  # before each step
        self._actions: list[Any] = []

    @property
    def actions(self) -> list[Any]:
        """Copies of the actions of the last forward."""
        return copy_table(self._actions)

    def check_input(self, input: Any) -> None:
        """Expect an array with a batch axis, or a table of such."""
        super().check_input(input)
        arrays = leaves(input)
        if not arrays or arrays[0].ndim == 0 or len(arrays[0]) == 0:
            raise ValueError(complaint(self, describe(input), "an array (batch, ...), or a table of such"))

    def run(self, input: Any) -> list[Any]:
        """Return the states of all steps."""
        rnn, action = self.children()
        rnn.forget()
        action.forget()
        hidden = np.zeros((len(leaves(input)[0]), *self.hidden_size), self._type_of_states(input))
        self._hidden, self._actions, outputs = [], [], []
        with remembering(self.n_step, rnn, action):
            for _ in range(self.n_step):
                self._hidden.append(hidden)
                self._actions.append(action.forward(hidden))
                outputs.append(rnn.forward([input, self._actions[-1]]))
                self._check_state(outputs[-1])
                hidden = np.array(outputs[-1])
        return outputs

    def _type_of_states(self, input: Any) -> np.dtype:
        floats = [leaf.dtype for leaf in leaves(input) if not is_index(leaf)]
        return self.dtype if self._has_parameters() or not floats else floats[0]

    def _has_parameters(self) -> bool:
        return any(True for _ in self.named_parameters())

    def _check_state(self, hidden: Any) -> None:
        if not isinstance(hidden, np.ndarray) or hidden.shape != self._hidden[0].shape:
            got = f"{describe(hidden)} from the rnn"
            raise ValueError(complaint(self, got, f"a state of shape {self._hidden[0].shape}, as hidden_size says"))

    def check_backward(self, steps: int = 1) -> None:
        """Raise an error if there is no forward left to go back through, or no reward for what was drawn."""
        super().check_backward()
        for part in self._children["action"].modules():
            if isinstance(part, Reinforce):
                part.check_backward()

    def go_back(self, input: Any, grad_output: Any) -> Any:
        """Return the sum of the gradients of all steps."""
        rnn, action = self.children()
        total = grad_hidden = None
        for t in reversed(range(self.n_step)):
            grad_hidden = add_tables(grad_output[t], grad_hidden)
            grad_input, _ = rnn.update_grad_input([input, self._actions[t]], grad_hidden)
            grad_hidden = action.update_grad_input(self._hidden[t], zero_gradient(self._actions[t]))
            total = add_tables(grad_input, total)
        return total

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Add the parameters' gradients of all steps."""
        rnn, action = self.children()
        for t in reversed(range(self.n_step)):
            rnn.acc_grad_parameters([input, self._actions[t]], grad_output[t], scale)
            action.acc_grad_parameters(self._hidden[t], zero_gradient(self._actions[t]), scale)

    def check_grad_output(self, input: Any, grad_output: Any) -> None:
        """Expect the input of the last forward, and a table of gradients, one for each step."""
        if is_table(grad_output) and len(grad_output) != self.n_step:
            got = f"a table of {len(grad_output)} gradients"
            raise ValueError(complaint(self, got, f"one for each of {self.n_step} steps"))
        super().check_grad_output(input, grad_output)

    def _with_states(self) -> Any:
        return self._children["rnn"]

    def describe_arguments(self) -> str:
        """Return the modules and sizes."""
        rnn, action = self.children()
        sizes = self.hidden_size if len(self.hidden_size) > 1 else self.hidden_size[0]
        return f"{rnn!r}, {action!r}, n_step={self.n_step}, hidden_size={sizes}"
