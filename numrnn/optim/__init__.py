"""Optimisers: update rules for the parameters, and what is done to gradients and parameters before and after."""

from numrnn.optim.adam import Adam
from numrnn.optim.clip import clip_grad_norm
from numrnn.optim.helpers import max_param_norm, update_grad_parameters, weight_decay
from numrnn.optim.optimizer import Optimizer
from numrnn.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "Optimizer",
    "clip_grad_norm",
    "max_param_norm",
    "update_grad_parameters",
    "weight_decay",
]
