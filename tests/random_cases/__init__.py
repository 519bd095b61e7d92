"""Random networks and scalar programs, compared with the eager loop over the rows.

`writer` writes a function's source, out of the steps in `layers`, `weights`, `sequences`,
`scalars` and `endings`; `cases` draws a whole case from two numbers; `runs` draws how it is called;
`comparing` does it, and compares; `failures` makes a failing case smaller and reports it.

One promise is not held, and no case asks for it: sums whose terms are near the largest float may
overflow where they are added up in another order.

Comparisons have a number beside them that nothing computed equals, but those of `ties`, whose
operands are exact: where rounding decides, a program may go another way than the loop.
"""
