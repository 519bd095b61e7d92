"""What derivatives predict beside what really happens when numbers move.

Begin with nudging.py.
"""
