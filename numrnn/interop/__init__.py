"""Exchange with other programs: files and weights."""

from numrnn.interop import safetensors

__all__ = ["safetensors"]
