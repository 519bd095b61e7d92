"""Compute a plan elsewhere: with other array libraries, on other machines.

May import trace, lift, lower and run. Begin with functional.py.
"""
