"""Kernels for the CPU, compiled by Numba's njit. See README.md here."""
