"""Cells: one file a family, equations only."""

from numrnn.cells.continuous import CTRNN as CTRNN
from numrnn.cells.continuous import LTC as LTC
from numrnn.cells.gru import GRU as GRU
from numrnn.cells.gru import GRUResetAfter as GRUResetAfter
from numrnn.cells.gru import RecGRU as RecGRU
from numrnn.cells.indrnn import IndRNN as IndRNN
from numrnn.cells.layer_norm import LayerNormGRU as LayerNormGRU
from numrnn.cells.layer_norm import LayerNormLSTM as LayerNormLSTM
from numrnn.cells.linear_rnn import LinearRNN as LinearRNN
from numrnn.cells.lru import LRU as LRU
from numrnn.cells.lstm import LSTM as LSTM
from numrnn.cells.lstm import CoupledLSTM as CoupledLSTM
from numrnn.cells.lstm import FastLSTM as FastLSTM
from numrnn.cells.lstm import RecLSTM as RecLSTM
from numrnn.cells.mgu import MGU as MGU
from numrnn.cells.minimal import MinGRU as MinGRU
from numrnn.cells.minimal import MinLSTM as MinLSTM
from numrnn.cells.mufuru import MuFuRu as MuFuRu
from numrnn.cells.qrnn import QRNN as QRNN
from numrnn.cells.rnn import RNN as RNN
from numrnn.cells.sru import SRU as SRU
from numrnn.cells.steps import StepGRU as StepGRU
from numrnn.cells.steps import StepLSTM as StepLSTM
from numrnn.cells.xlstm import SLSTM as SLSTM
from numrnn.cells.zoneout import ZoneoutGRU as ZoneoutGRU
from numrnn.cells.zoneout import ZoneoutLSTM as ZoneoutLSTM
