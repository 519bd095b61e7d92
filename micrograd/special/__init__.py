"""The rest of the table: rounding, the gamma functions, the normal distribution, and others.

May import `ops` only. Each file holds rows as ops.py does; begin with elementary.py.
"""

from micrograd.ops import TABLE, Op
from micrograd.special import elementary, gammas, normal, rounding

for _file in (rounding, elementary, gammas, normal):
    TABLE.update({name: row for name, row in vars(_file).items() if isinstance(row, Op)} | TABLE)
