"""What holds for all tests: hypothesis profiles, and a seed.

`HYPOTHESIS_PROFILE=thorough pytest` draws many more examples, new ones in every run.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

import numrnn as nr

# The first example compiles kernels: no deadline, and no complaint about slow examples.
common = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
phases = [phase for phase in Phase if phase is not Phase.explain]  # which costs more time than it saves
settings.register_profile("ci", max_examples=25, stateful_step_count=30, derandomize=True, phases=phases, **common)
settings.register_profile("thorough", max_examples=500, stateful_step_count=60, **common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _seed():
    nr.seed(0)
