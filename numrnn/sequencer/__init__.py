"""Modules over whole sequences."""

from numrnn.sequencer.cell_sequencer import CellSequencer as CellSequencer
from numrnn.sequencer.cell_sequencer import SeqGRU as SeqGRU
from numrnn.sequencer.cell_sequencer import SeqLSTM as SeqLSTM
from numrnn.sequencer.cell_sequencer import SeqLSTMP as SeqLSTMP
from numrnn.sequencer.abstract_sequencer import AbstractSequencer as AbstractSequencer
from numrnn.sequencer.sequencer import Sequencer as Sequencer
