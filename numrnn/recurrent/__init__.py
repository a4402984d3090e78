"""Recurrent modules: the base class, cells from equations, and recurrences made of other modules."""

from numrnn.recurrent.abstract_recurrent import AbstractRecurrent as AbstractRecurrent
from numrnn.recurrent.cell import Cell as Cell
from numrnn.recurrent.norm_stabilizer import NormStabilizer as NormStabilizer
from numrnn.recurrent.recurrence import BatchNormalizedLSTM as BatchNormalizedLSTM
from numrnn.recurrent.recurrence import LookupRNN as LookupRNN
from numrnn.recurrent.recurrence import Recurrence as Recurrence
from numrnn.recurrent.recurrent import Recurrent as Recurrent
from numrnn.recurrent.recursor import Recursor as Recursor
from numrnn.recurrent.step_module import StepModule as StepModule
