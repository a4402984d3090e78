"""Modules over whole sequences."""

from numrnn.sequencer.sequencer import AbstractSequencer as AbstractSequencer
from numrnn.sequencer.sequencer import Sequencer as Sequencer
