"""Cells: one file a family, equations only."""

from numrnn.cells.gru import GRU as GRU
from numrnn.cells.gru import RecGRU as RecGRU
from numrnn.cells.linear_rnn import LinearRNN as LinearRNN
from numrnn.cells.lstm import LSTM as LSTM
from numrnn.cells.lstm import FastLSTM as FastLSTM
from numrnn.cells.lstm import RecLSTM as RecLSTM
from numrnn.cells.mufuru import MuFuRu as MuFuRu
from numrnn.cells.rnn import RNN as RNN
from numrnn.cells.steps import StepGRU as StepGRU
from numrnn.cells.steps import StepLSTM as StepLSTM
