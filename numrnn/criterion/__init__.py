"""Criterions: losses, and losses over sequences."""

from numrnn.criterion.class_nll import ClassNLLCriterion
from numrnn.criterion.criterion import Criterion
from numrnn.criterion.mse import MSECriterion
from numrnn.criterion.sequencer_criterion import SequencerCriterion

__all__ = ["ClassNLLCriterion", "Criterion", "MSECriterion", "SequencerCriterion"]
