/* What the executor's two files share: the rows that it takes, and the innermost loops, of which there are several,
 * each for a kind of processor. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Another module, for float32, is made of the same files with SINGLE set: there a `number` is a float. */
#ifdef SINGLE
#define EXECUTOR _executor32
#define micrograd_kernels micrograd_kernels32
#else
#define EXECUTOR _executor
#endif

#include "_ops.h"

#define ALL_ROWS(ROW) EXECUTED_UNARY(ROW) EXECUTED_BINARY(ROW) EXECUTED_TERNARY(ROW)

enum {
#define CODE(name) ROW_##name,
    ALL_ROWS(CODE)
#undef CODE
    N_ROWS
};

/* One row of the table along an axis: `p` are the result and the operands, `s` the step of each. */
typedef void Loop(ptrdiff_t n, number *const *p, const ptrdiff_t *s);

/* One matrix of a sum: along i and j, and summed along k and m, for the result and the two factors. A sum of
 * single numbers has a second factor that is never read. */
typedef struct {
    ptrdiff_t i, j, k, m;
    ptrdiff_t oi, oj, xi, xj, xk, xm, yi, yj, yk, ym;
    int more; /* whether the result holds a part of the sum already */
} Sizes;

static inline void put(number *o, number sum, int more) { *o = more ? *o + sum : sum; }

typedef void Sum(const Sizes *z, number *o, const number *x, const number *y);

typedef struct {
    Loop *const *loops; /* by the codes of the rows */
    Sum *rows, *dots, *lanes, *lanes_alone, *along; /* NULL where C has no vectors */
} Kernels;

/* Return the loops for the processor at hand, whose vectors are of at most so many doubles. */
extern const Kernels *micrograd_kernels(int most);
