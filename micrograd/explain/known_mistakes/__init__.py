"""Well-known wrong backward passes, and the grading of a student's Value.

Begin with wrong_passes.py.
"""
