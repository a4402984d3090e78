"""Criterions: losses, and losses over sequences."""

from numrnn.criterion.absolute import AbsCriterion, SmoothL1Criterion
from numrnn.criterion.class_nll import ClassNLLCriterion
from numrnn.criterion.criterion import Criterion
from numrnn.criterion.cross_entropy import CrossEntropyCriterion
from numrnn.criterion.margin import BinaryLogisticRegression, MarginCriterion, SoftMarginCriterion
from numrnn.criterion.mask_zero import MaskZeroCriterion
from numrnn.criterion.module_criterion import ModuleCriterion
from numrnn.criterion.mse import MSECriterion
from numrnn.criterion.multi_margin import MultiMarginCriterion
from numrnn.criterion.nce import NCECriterion
from numrnn.criterion.probability import BCECriterion, DistKLDivCriterion
from numrnn.criterion.reward import BinaryClassReward, VRClassReward
from numrnn.criterion.sequencer_criterion import RepeaterCriterion, SequencerCriterion
from numrnn.criterion.weighted import MultiCriterion, ParallelCriterion

__all__ = [
    "AbsCriterion",
    "BCECriterion",
    "BinaryClassReward",
    "BinaryLogisticRegression",
    "ClassNLLCriterion",
    "Criterion",
    "CrossEntropyCriterion",
    "DistKLDivCriterion",
    "MSECriterion",
    "MarginCriterion",
    "MaskZeroCriterion",
    "ModuleCriterion",
    "MultiCriterion",
    "MultiMarginCriterion",
    "NCECriterion",
    "ParallelCriterion",
    "RepeaterCriterion",
    "SequencerCriterion",
    "SmoothL1Criterion",
    "SoftMarginCriterion",
    "VRClassReward",
]
