"""Random networks and scalar programs, compared with the eager loop over the rows.

`writer` writes a function's source, out of the steps in `layers`, `weights`, `sequences`,
`scalars` and `endings`; `cases` draws a whole case from two numbers; `runs` draws how it is called;
`comparing` does it, and compares; `failures` makes a failing case smaller and reports it.

Some promises are not held yet; no case asks for them:

- A guard at a tie, such as `z >= 0` where z is 0 but for rounding: a guard may round otherwise than
  its path. Every comparison has a number beside it that nothing computed equals.
- Rows that are left out of a sum because they are NaN.
- Sums whose terms are near the largest float: what is added up in another order may overflow.
"""
