/* Sums of products: matrix products, outer products over the examples, and any other. Each adds in an order
 * that follows from the sizes alone. */

#define ANYHOW(begin, term)                                                                                 \
    for (ptrdiff_t i = 0; i < z->i; i++)                                                                    \
        for (ptrdiff_t j = 0; j < z->j; j++) {                                                              \
            const number *a = x + i * z->xi + j * z->xj, *b = y + i * z->yi + j * z->yj;                    \
            number *to = o + i * z->oi + j * z->oj, sum = begin;                                            \
            for (ptrdiff_t m = 0; m < z->m; m++, a += z->xm, b += z->ym)                                    \
                for (ptrdiff_t k = 0; k < z->k; k++) sum = term;                                            \
            *to = sum;                                                                                      \
        }
#define BEGIN (z->more ? *to : 0.0)
/* The extremes start with a number of their own: twice the same one changes nothing. */
#define BEGIN_EXTREME (z->more ? *to : *a)

enum { SUM_OF_PRODUCTS, SUM_OF_NUMBERS, LARGEST, SMALLEST, ADDS };

/* Return the loops that read without gaps what a sum reads, if there are any. */
static Sum *quick_loops(int kind, const Sizes *z) {
    if (kind == LARGEST || kind == SMALLEST) return NULL;
    if (kind == SUM_OF_NUMBERS) return z->oj == 1 && z->xj == 1 ? kernels->lanes_alone : z->xk == 1 ? kernels->along : NULL;
    if (z->oj == 1 && z->xj == 0 && z->yi == 0 && z->yj == 1) return kernels->rows;
    if (z->oj == 1 && z->xj == 1 && z->yj == 1) return kernels->lanes;
    return z->xj == 0 && z->yi == 0 && z->xk == 1 && z->yk == 1 ? kernels->dots : NULL;
}

static void sum_anyhow(int kind, const Sizes *z, number *o, const number *x, const number *y) {
    if (kind == LARGEST) {
        ANYHOW(BEGIN_EXTREME, maximum_value(sum, a[k * z->xk]))
    } else if (kind == SMALLEST) {
        ANYHOW(BEGIN_EXTREME, minimum_value(sum, a[k * z->xk]))
    } else if (kind == SUM_OF_NUMBERS) {
        ANYHOW(BEGIN, sum + a[k * z->xk])
    } else {
        ANYHOW(BEGIN, sum + a[k * z->xk] * b[k * z->yk])
    }
}

/* SUM, kind (with ADDS, what is there stays in the sum), axes before i, axes before m; the extents: of those axes,
 * then i, j, and then those axes, m, k; then the result: its place, and its step along each of the first axes, i and
 * j; then each factor: its place, and its step along all of them, in the same order. */
static const int32_t *run_sum(number *numbers, const int32_t *w) {
    const int kind = w[1] % ADDS, adds = w[1] >= ADDS, outer = w[2], inner = w[3], axes = outer + inner + 4;
    const int n = kind == SUM_OF_PRODUCTS ? 3 : 2;
    const int32_t *extents = w + 4, *terms = extents + outer + 2;
    const int32_t *o = extents + axes, *x = o + outer + 3, *y = n == 3 ? x + axes + 1 : x;
    Sizes z = {
        .i = terms[-2], .j = terms[-1], .m = terms[inner], .k = terms[inner + 1],
        .oi = o[outer + 1], .oj = o[outer + 2],
        .xi = x[outer + 1], .xj = x[outer + 2], .xm = x[axes - 1], .xk = x[axes],
        .yi = y[outer + 1], .yj = y[outer + 2], .ym = y[axes - 1], .yk = y[axes],
    };
    /* The result does not move along the axes before k, but takes the steps of both factors' rows. */
    number *p[3] = {numbers + o[0], numbers + x[0], numbers + y[0]};
    int32_t at[MOST_AXES] = {0}, along[MOST_AXES] = {0};
    Sum *quick = quick_loops(kind, &z);
    for (;;) {
        number *q[2] = {p[1], p[2]};
        z.more = adds;
        do {
            if (quick) quick(&z, p[0], q[0], q[1]);
            else sum_anyhow(kind, &z, p[0], q[0], q[1]);
            z.more = 1;
        } while (advance(inner, terms, along, 2, q, x + outer + 3, y - x));
        int axis = outer - 1;
        for (; axis >= 0; axis--) {
            const int again = ++at[axis] < extents[axis];
            const ptrdiff_t times = again ? 1 : 1 - (ptrdiff_t)extents[axis];
            p[0] += times * o[axis + 1];
            p[1] += times * x[axis + 1];
            p[2] += times * y[axis + 1];
            if (again) break;
            at[axis] = 0;
        }
        if (axis < 0) break;
    }
    return n == 3 ? y + axes + 1 : x + axes + 1;
}
