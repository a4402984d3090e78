"""Compiled kernels, one room per kind of machine."""
