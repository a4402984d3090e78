"""Cells: one file a family, equations only."""

from numrnn.cells.gru import GRU as GRU
from numrnn.cells.lstm import LSTM as LSTM
from numrnn.cells.lstm import FastLSTM as FastLSTM
from numrnn.cells.rnn import RNN as RNN
