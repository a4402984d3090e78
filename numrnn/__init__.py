"""numrnn: recurrent networks for NumPy people.

Modules with a `forward` and a `backward`, cells written as equations and compiled by Numba, and a `Sequencer` that
runs a module of one step over whole sequences.

    import numpy as np
    import numrnn as nr

    model = nr.Sequencer(nr.Sequential(nr.LookupTable(100, 64), nr.LSTM(64, 128), nr.Linear(128, 100), nr.LogSoftMax()))
    log_probabilities = model(np.zeros((50, 32), int))  # (time, batch) -> (time, batch, 100)
"""

__version__ = "0.1.0"

from numrnn import interop as interop
from numrnn import optim as optim
from numrnn import testing as testing
from numrnn.cells import CTRNN as CTRNN
from numrnn.cells import GRU as GRU
from numrnn.cells import LRU as LRU
from numrnn.cells import LSTM as LSTM
from numrnn.cells import LTC as LTC
from numrnn.cells import MGU as MGU
from numrnn.cells import MLSTM as MLSTM
from numrnn.cells import QRNN as QRNN
from numrnn.cells import RNN as RNN
from numrnn.cells import SLSTM as SLSTM
from numrnn.cells import SRU as SRU
from numrnn.cells import AntisymmetricRNN as AntisymmetricRNN
from numrnn.cells import CoupledLSTM as CoupledLSTM
from numrnn.cells import FastLSTM as FastLSTM
from numrnn.cells import GRUResetAfter as GRUResetAfter
from numrnn.cells import IndRNN as IndRNN
from numrnn.cells import LayerNormGRU as LayerNormGRU
from numrnn.cells import LayerNormLSTM as LayerNormLSTM
from numrnn.cells import LinearRNN as LinearRNN
from numrnn.cells import MinGRU as MinGRU
from numrnn.cells import MinLSTM as MinLSTM
from numrnn.cells import MuFuRu as MuFuRu
from numrnn.cells import PlainLSTM as PlainLSTM
from numrnn.cells import RecGRU as RecGRU
from numrnn.cells import RecLSTM as RecLSTM
from numrnn.cells import StepGRU as StepGRU
from numrnn.cells import StepLSTM as StepLSTM
from numrnn.cells import ZoneoutGRU as ZoneoutGRU
from numrnn.cells import ZoneoutLSTM as ZoneoutLSTM
from numrnn.containers import Concat as Concat
from numrnn.containers import ConcatTable as ConcatTable
from numrnn.containers import Container as Container
from numrnn.containers import MapTable as MapTable
from numrnn.containers import ParallelTable as ParallelTable
from numrnn.containers import Sequential as Sequential
from numrnn.criterion import AbsCriterion as AbsCriterion
from numrnn.criterion import BCECriterion as BCECriterion
from numrnn.criterion import BinaryClassReward as BinaryClassReward
from numrnn.criterion import BinaryLogisticRegression as BinaryLogisticRegression
from numrnn.criterion import ClassNLLCriterion as ClassNLLCriterion
from numrnn.criterion import Criterion as Criterion
from numrnn.criterion import CrossEntropyCriterion as CrossEntropyCriterion
from numrnn.criterion import DistKLDivCriterion as DistKLDivCriterion
from numrnn.criterion import MarginCriterion as MarginCriterion
from numrnn.criterion import MaskZeroCriterion as MaskZeroCriterion
from numrnn.criterion import ModuleCriterion as ModuleCriterion
from numrnn.criterion import MSECriterion as MSECriterion
from numrnn.criterion import MultiCriterion as MultiCriterion
from numrnn.criterion import MultiMarginCriterion as MultiMarginCriterion
from numrnn.criterion import NCECriterion as NCECriterion
from numrnn.criterion import ParallelCriterion as ParallelCriterion
from numrnn.criterion import RepeaterCriterion as RepeaterCriterion
from numrnn.criterion import SequencerCriterion as SequencerCriterion
from numrnn.criterion import SmoothL1Criterion as SmoothL1Criterion
from numrnn.criterion import SoftMarginCriterion as SoftMarginCriterion
from numrnn.criterion import VRClassReward as VRClassReward
from numrnn.graph import Graph as Graph
from numrnn.graph import Input as Input
from numrnn.graph import Node as Node
from numrnn.kernels.cpu.threads import get_num_threads as get_num_threads
from numrnn.kernels.cpu.threads import set_num_threads as set_num_threads
from numrnn.layers import *  # noqa: F403  (its __all__ is the list of layers)
from numrnn.mask_zero import MaskZero as MaskZero
from numrnn.mask_zero import TrimZero as TrimZero
from numrnn.module import Module as Module
from numrnn.random import seed as seed
from numrnn.recurrent import AbstractRecurrent as AbstractRecurrent
from numrnn.recurrent import BatchNormalizedLSTM as BatchNormalizedLSTM
from numrnn.recurrent import Cell as Cell
from numrnn.recurrent import LookupRNN as LookupRNN
from numrnn.recurrent import NormStabilizer as NormStabilizer
from numrnn.recurrent import Recurrence as Recurrence
from numrnn.recurrent import Recurrent as Recurrent
from numrnn.recurrent import Recursor as Recursor
from numrnn.recurrent import StepModule as StepModule
from numrnn.sequencer import AbstractSequencer as AbstractSequencer
from numrnn.sequencer import BiSequencer as BiSequencer
from numrnn.sequencer import BiSequencerLM as BiSequencerLM
from numrnn.sequencer import RecurrentAttention as RecurrentAttention
from numrnn.sequencer import Repeater as Repeater
from numrnn.sequencer import ReverseSequence as ReverseSequence
from numrnn.sequencer import ReverseUnreverse as ReverseUnreverse
from numrnn.sequencer import SeqBGRU as SeqBGRU
from numrnn.sequencer import SeqBLSTM as SeqBLSTM
from numrnn.sequencer import SeqBRNN as SeqBRNN
from numrnn.sequencer import SeqGRU as SeqGRU
from numrnn.sequencer import SeqLSTM as SeqLSTM
from numrnn.sequencer import SeqLSTMP as SeqLSTMP
from numrnn.sequencer import SeqReverseSequence as SeqReverseSequence
from numrnn.sequencer import Sequencer as Sequencer
from numrnn.sequencer import StackedGRU as StackedGRU
from numrnn.sequencer import StackedLSTM as StackedLSTM
from numrnn.sequencer import StackedRNN as StackedRNN
from numrnn.sequencer import TruncatedSequencer as TruncatedSequencer
from numrnn.sequencer import VariableLength as VariableLength
from numrnn.warm_up import warm_up as warm_up
