"""Checks that hold for every module, the library's and a user's own.

    numrnn.testing.check_module(MyCell(4, 6))

They work on copies: the module that is given is not changed. What does not hold is raised as an AssertionError.
"""

from numrnn.testing.conformance import check_module as check_module
from numrnn.testing.gradients import check_gradients as check_gradients
