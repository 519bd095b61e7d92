/* Sums of products: matrix products, outer products over the examples, and any other. Each adds in an order
 * that follows from the sizes alone. */

/* One matrix of a sum: along i, j and k, for the result and the two factors. A sum of single numbers has a
 * second factor that is never read. */
typedef struct {
    ptrdiff_t i, j, k;
    ptrdiff_t oi, oj, xi, xj, xk, yi, yj, yk;
    int more; /* whether the result holds a part of the sum already */
} Sizes;

enum { HIGH = 4, WIDE = 8 }; /* numbers of a tile that stays in the registers */

static inline void put(double *o, double sum, int more) { *o = more ? *o + sum : sum; }

static inline double total(const double *s) {
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* The first factor is shared along j, the second and the result lie without gaps. */
#define ROWS_TILE(high, wide)                                                                               \
    do {                                                                                                    \
        double sum[high][wide] = {{0}};                                                                     \
        for (ptrdiff_t k = 0; k < z->k; k++) {                                                              \
            const double *row = y + k * z->yk + j;                                                          \
            for (int r = 0; r < high; r++) {                                                                \
                const double factor = x[(i + r) * z->xi + k * z->xk];                                       \
                for (int c = 0; c < wide; c++) sum[r][c] += factor * row[c];                                \
            }                                                                                               \
        }                                                                                                   \
        for (int r = 0; r < high; r++)                                                                      \
            for (int c = 0; c < wide; c++) put(o + (i + r) * z->oi + j + c, sum[r][c], z->more);            \
    } while (0)
#define ROWS_OF(high)                                                                                       \
    do {                                                                                                    \
        ptrdiff_t j = 0;                                                                                    \
        for (; j + WIDE <= z->j; j += WIDE) ROWS_TILE(high, WIDE);                                          \
        for (; j + 4 <= z->j; j += 4) ROWS_TILE(high, 4);                                                   \
        for (; j < z->j; j++) ROWS_TILE(high, 1);                                                           \
    } while (0)
static WIDEST void sum_rows(const Sizes *z, double *o, const double *x, const double *y) {
    ptrdiff_t i = 0;
    for (; i + HIGH <= z->i; i += HIGH) ROWS_OF(HIGH);
    for (; i < z->i; i++) ROWS_OF(1);
}

/* Both factors lie without gaps along k. */
#define DOTS_TILE(high, wide)                                                                               \
    do {                                                                                                    \
        double sum[high][wide][WIDE] = {{{0}}}, rest[high][wide] = {{0}};                                   \
        ptrdiff_t k = 0;                                                                                    \
        for (; k + WIDE <= z->k; k += WIDE)                                                                 \
            for (int r = 0; r < high; r++)                                                                  \
                for (int c = 0; c < wide; c++)                                                              \
                    for (int e = 0; e < WIDE; e++)                                                          \
                        sum[r][c][e] += x[(i + r) * z->xi + k + e] * y[(j + c) * z->yj + k + e];            \
        for (; k < z->k; k++)                                                                               \
            for (int r = 0; r < high; r++)                                                                  \
                for (int c = 0; c < wide; c++) rest[r][c] += x[(i + r) * z->xi + k] * y[(j + c) * z->yj + k]; \
        for (int r = 0; r < high; r++)                                                                      \
            for (int c = 0; c < wide; c++)                                                                  \
                put(o + (i + r) * z->oi + (j + c) * z->oj, total(sum[r][c]) + rest[r][c], z->more);         \
    } while (0)
static WIDEST void sum_dots(const Sizes *z, double *o, const double *x, const double *y) {
    ptrdiff_t i = 0;
    for (; i + 2 <= z->i; i += 2) {
        ptrdiff_t j = 0;
        for (; j + 2 <= z->j; j += 2) DOTS_TILE(2, 2);
        for (; j < z->j; j++) DOTS_TILE(2, 1);
    }
    for (; i < z->i; i++) {
        ptrdiff_t j = 0;
        for (; j + 2 <= z->j; j += 2) DOTS_TILE(1, 2);
        for (; j < z->j; j++) DOTS_TILE(1, 1);
    }
}

/* Each number along j has a sum of its own, and all lie without gaps. */
#define LANES(wide, term)                                                                                   \
    do {                                                                                                    \
        double sum[wide] = {0};                                                                             \
        for (ptrdiff_t k = 0; k < z->k; k++)                                                                \
            for (int c = 0; c < wide; c++) sum[c] += term;                                                  \
        for (int c = 0; c < wide; c++) put(o + i * z->oi + j + c, sum[c], z->more);                         \
    } while (0)
#define LANES_OF(term)                                                                                      \
    for (ptrdiff_t i = 0; i < z->i; i++) {                                                                  \
        ptrdiff_t j = 0;                                                                                    \
        for (; j + 2 * WIDE <= z->j; j += 2 * WIDE) LANES(2 * WIDE, term);                                  \
        for (; j + 4 <= z->j; j += 4) LANES(4, term);                                                       \
        for (; j < z->j; j++) LANES(1, term);                                                               \
    }
#define FIRST x[i * z->xi + k * z->xk + j + c]
#define SECOND y[i * z->yi + k * z->yk + j + c]
static WIDEST void sum_lanes(const Sizes *z, double *o, const double *x, const double *y) {
    LANES_OF(FIRST * SECOND)
}
static WIDEST void sum_lanes_alone(const Sizes *z, double *o, const double *x) { LANES_OF(FIRST) }

/* Without gaps along k, one factor. */
static WIDEST void sum_along(const Sizes *z, double *o, const double *x) {
    for (ptrdiff_t i = 0; i < z->i; i++)
        for (ptrdiff_t j = 0; j < z->j; j++) {
            const double *row = x + i * z->xi + j * z->xj;
            double sum[WIDE] = {0}, rest = 0;
            ptrdiff_t k = 0;
            for (; k + WIDE <= z->k; k += WIDE)
                for (int e = 0; e < WIDE; e++) sum[e] += row[k + e];
            for (; k < z->k; k++) rest += row[k];
            put(o + i * z->oi + j * z->oj, total(sum) + rest, z->more);
        }
}

#define ANYHOW(begin, term)                                                                                 \
    for (ptrdiff_t i = 0; i < z->i; i++)                                                                    \
        for (ptrdiff_t j = 0; j < z->j; j++) {                                                              \
            const double *a = x + i * z->xi + j * z->xj, *b = y + i * z->yi + j * z->yj;                    \
            double *to = o + i * z->oi + j * z->oj, sum = begin;                                            \
            (void)b;                                                                                        \
            for (ptrdiff_t k = 0; k < z->k; k++) sum = term;                                                \
            *to = sum;                                                                                      \
        }
#define BEGIN (z->more ? *to : 0.0)
/* The extremes start with a number of their own: twice the same one changes nothing. */
#define BEGIN_EXTREME (z->more ? *to : *a)

enum { SUM_OF_PRODUCTS, SUM_OF_NUMBERS, LARGEST, SMALLEST };

static void sum_of(int kind, const Sizes *z, double *o, const double *x, const double *y) {
    if (kind == LARGEST) {
        ANYHOW(BEGIN_EXTREME, maximum_value(sum, a[k * z->xk]))
    } else if (kind == SMALLEST) {
        ANYHOW(BEGIN_EXTREME, minimum_value(sum, a[k * z->xk]))
    } else if (kind == SUM_OF_NUMBERS) {
        if (z->oj == 1 && z->xj == 1) sum_lanes_alone(z, o, x);
        else if (z->xk == 1) sum_along(z, o, x);
        else ANYHOW(BEGIN, sum + a[k * z->xk])
    } else if (z->oj == 1 && z->xj == 0 && z->yi == 0 && z->yj == 1) sum_rows(z, o, x, y);
    else if (z->oj == 1 && z->xj == 1 && z->yj == 1) sum_lanes(z, o, x, y);
    else if (z->xj == 0 && z->yi == 0 && z->xk == 1 && z->yk == 1) sum_dots(z, o, x, y);
    else ANYHOW(BEGIN, sum + a[k * z->xk] * b[k * z->yk])
}

/* SUM, kind, axes before i, axes before k; the extents: of those axes, then i, j, and then those axes, k; then
 * the result: its place, and its step along each of the first axes, i and j; then each factor: its place, and its
 * step along all of them, in the same order. */
static const int32_t *run_sum(double *numbers, const int32_t *w) {
    const int kind = w[1], outer = w[2], inner = w[3], axes = outer + inner + 3;
    const int n = kind == SUM_OF_PRODUCTS ? 3 : 2;
    const int32_t *extents = w + 4, *terms = extents + outer + 2;
    const int32_t *o = extents + axes, *x = o + outer + 3, *y = n == 3 ? x + axes + 1 : x;
    Sizes z = {
        .i = terms[-2], .j = terms[-1], .k = terms[inner],
        .oi = o[outer + 1], .oj = o[outer + 2],
        .xi = x[outer + 1], .xj = x[outer + 2], .xk = x[axes],
        .yi = y[outer + 1], .yj = y[outer + 2], .yk = y[axes],
    };
    /* The result does not move along the axes before k, but takes the steps of both factors' rows. */
    double *p[3] = {numbers + o[0], numbers + x[0], numbers + y[0]};
    int32_t at[MOST_AXES] = {0}, along[MOST_AXES] = {0};
    for (;;) {
        double *q[2] = {p[1], p[2]};
        z.more = 0;
        do {
            sum_of(kind, &z, p[0], q[0], q[1]);
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
