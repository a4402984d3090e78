"""Modules over whole sequences."""

from numrnn.sequencer.abstract_sequencer import AbstractSequencer as AbstractSequencer
from numrnn.sequencer.bisequencer import BiSequencer as BiSequencer
from numrnn.sequencer.bisequencer import BiSequencerLM as BiSequencerLM
from numrnn.sequencer.cell_sequencer import CellSequencer as CellSequencer
from numrnn.sequencer.cell_sequencer import SeqGRU as SeqGRU
from numrnn.sequencer.cell_sequencer import SeqLSTM as SeqLSTM
from numrnn.sequencer.cell_sequencer import SeqLSTMP as SeqLSTMP
from numrnn.sequencer.recurrent_attention import RecurrentAttention as RecurrentAttention
from numrnn.sequencer.repeater import Repeater as Repeater
from numrnn.sequencer.reverse import ReverseSequence as ReverseSequence
from numrnn.sequencer.reverse import ReverseUnreverse as ReverseUnreverse
from numrnn.sequencer.reverse import SeqReverseSequence as SeqReverseSequence
from numrnn.sequencer.seq_brnn import SeqBGRU as SeqBGRU
from numrnn.sequencer.seq_brnn import SeqBLSTM as SeqBLSTM
from numrnn.sequencer.seq_brnn import SeqBRNN as SeqBRNN
from numrnn.sequencer.sequencer import Sequencer as Sequencer
from numrnn.sequencer.stacked import StackedGRU as StackedGRU
from numrnn.sequencer.stacked import StackedLSTM as StackedLSTM
from numrnn.sequencer.stacked import StackedRNN as StackedRNN
from numrnn.sequencer.truncated import TruncatedSequencer as TruncatedSequencer
from numrnn.sequencer.variable_length import VariableLength as VariableLength
