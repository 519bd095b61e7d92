"""Compute a program on Dask arrays, chunk by chunk, on the workers of a cluster.

May import trace, lift, lower and run. Begin with chunks.py.
"""
