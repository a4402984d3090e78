"""Exchange with other programs: files and weights."""

from numrnn.interop import safetensors, torch
from numrnn.interop.torch7 import load_torch7

__all__ = ["load_torch7", "safetensors", "torch"]
