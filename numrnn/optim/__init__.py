"""Optimisers: update rules for the parameters, and clipping of the gradients."""

from numrnn.optim.adam import Adam
from numrnn.optim.clip import clip_grad_norm
from numrnn.optim.optimizer import Optimizer
from numrnn.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "clip_grad_norm"]
