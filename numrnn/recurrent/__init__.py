"""Recurrent modules: the base class, cells from equations, and recurrences made of other modules."""

from numrnn.recurrent.abstract_recurrent import AbstractRecurrent as AbstractRecurrent
from numrnn.recurrent.cell import Cell as Cell
from numrnn.recurrent.recurrent import Recurrent as Recurrent
from numrnn.recurrent.recursor import Recursor as Recursor
