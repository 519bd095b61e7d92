"""Random networks and scalar programs, compared with the eager loop over the rows.

`writer` writes a function's source, out of the steps in `layers`, `weights`, `sequences`,
`scalars` and `endings`; `cases` draws a whole case from two numbers; `runs` draws how it is called;
`comparing` does it, and compares; `failures` makes a failing case smaller and reports it.

Two promises are not held yet, so no case asks for them: `mg.grad(y, h)` by a value h that the
function computed, where another node is equal to h (equal nodes are made one), and guards exactly
at a tie (`z >= 0` where z is 0 but for rounding; a guard rounds otherwise than its path).
"""
