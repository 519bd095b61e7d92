/* Element by element: rows of the table, and choices by an index, along strided views. */

typedef struct {
    const char *name;
    int operands;
} Row;

static const Row rows[N_ROWS] = {
#define UNARY(name) {#name, 1},
#define BINARY(name) {#name, 2},
#define TERNARY(name) {#name, 3},
    EXECUTED_UNARY(UNARY) EXECUTED_BINARY(BINARY) EXECUTED_TERNARY(TERNARY)
};

/* Add a step along each axis to the pointers, as a car counts its miles; 0 when all have been round. */
static inline int advance(int axes, const int32_t *extents, int32_t *at, int n, number **p, const int32_t *steps,
                          ptrdiff_t width) {
    for (int axis = axes - 1; axis >= 0; axis--) {
        const int more = ++at[axis] < extents[axis];
        const ptrdiff_t times = more ? 1 : 1 - (ptrdiff_t)extents[axis];
        for (int k = 0; k < n; k++) p[k] += times * steps[k * width + axis];
        if (more) return 1;
        at[axis] = 0;
    }
    return 0;
}

/* A whole number within 0 and `count`, as Python's remainder gives it; any for what is no whole number. */
static inline ptrdiff_t within(number x, int32_t count) {
    if (x >= 0 && x < count) return (ptrdiff_t)x;
    if (!(fabs(x) < 1e15)) return 0;
    const ptrdiff_t rest = (ptrdiff_t)((int64_t)x % count);
    return rest < 0 ? rest + count : rest;
}

/* CHOOSE, how many there are to choose from, axes, extents; then the result, the index and the first of those,
 * as in a LOOP, and how far it is from one to the next. */
static const int32_t *run_choose(number *numbers, const int32_t *w) {
    const int axes = w[2], width = axes + 1;
    const int32_t *extents = w + 3, *views = extents + axes, *end = views + 3 * width;
    number *p[3] = {numbers + views[0], numbers + views[width], numbers + views[2 * width]};
    const ptrdiff_t so = views[axes], si = views[width + axes], sx = views[2 * width + axes], step = *end;
    int32_t at[MOST_AXES] = {0};
    do
        for (ptrdiff_t i = 0; i < extents[axes - 1]; i++)
            p[0][i * so] = p[2][i * sx + within(p[1][i * si], w[1]) * step];
    while (advance(axes - 1, extents, at, 3, p, views + 1, width));
    return end + 1;
}

/* CHOSEN, how many there are to choose from, axes, extents; then the result, the index and the place that it may
 * choose, as in a LOOP. */
static const int32_t *run_chosen(number *numbers, const int32_t *w) {
    const number count = w[1];
    const int axes = w[2], width = axes + 1;
    const int32_t *extents = w + 3, *views = extents + axes;
    number *p[3] = {numbers + views[0], numbers + views[width], numbers + views[2 * width]};
    const ptrdiff_t so = views[axes], si = views[width + axes], sx = views[2 * width + axes];
    int32_t at[MOST_AXES] = {0};
    do
        for (ptrdiff_t i = 0; i < extents[axes - 1]; i++) {
            const number x = p[1][i * si];
            p[0][i * so] = (number)((x >= 0 && x < count ? x : mod_value(x, count)) == p[2][i * sx]);
        }
    while (advance(axes - 1, extents, at, 3, p, views + 1, width));
    return views + 3 * width;
}

/* LOOP, row, axes, extents; then for the result and each operand: its place, and its step along each axis. */
static const int32_t *run_loop(number *numbers, const int32_t *w) {
    const Row *row = rows + w[1];
    const int axes = w[2], n = row->operands + 1, width = axes + 1;
    const int32_t *extents = w + 3, *views = extents + axes;
    number *p[4];
    ptrdiff_t inner[4];
    int32_t at[MOST_AXES] = {0};
    for (int k = 0; k < n; k++) {
        p[k] = numbers + views[k * width];
        inner[k] = views[k * width + axes];
    }
    do kernels->loops[w[1]](extents[axes - 1], p, inner);
    while (advance(axes - 1, extents, at, n, p, views + 1, width));
    return views + n * width;
}
