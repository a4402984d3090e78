"""Modules without a memory of earlier steps."""

from numrnn.layers.activation import ReLU, Sigmoid, Tanh
from numrnn.layers.add import Add
from numrnn.layers.dropout import Dropout
from numrnn.layers.identity import Identity
from numrnn.layers.linear import Linear
from numrnn.layers.log_softmax import LogSoftMax
from numrnn.layers.lookup_table import LookupTable
from numrnn.layers.table_arithmetic import CAddTable, CMulTable, CSubTable
from numrnn.layers.table_layers import FlattenTable, JoinTable, SelectTable

__all__ = [
    "Add",
    "CAddTable",
    "CMulTable",
    "CSubTable",
    "Dropout",
    "FlattenTable",
    "Identity",
    "JoinTable",
    "Linear",
    "LogSoftMax",
    "LookupTable",
    "ReLU",
    "SelectTable",
    "Sigmoid",
    "Tanh",
]
