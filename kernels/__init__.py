"""Pixel work: each kernel is a folder with its contract, its definition in NumPy and its implementations."""
