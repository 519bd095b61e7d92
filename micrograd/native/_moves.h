/* Rows that are moved, added up along a storage, or cleared: `count` numbers each, a row after another. */

/* A view of rows: its place, the step from row to row, the step within a row. */
typedef struct {
    number *p;
    ptrdiff_t row, step;
} Rows;

static inline Rows rows_of(number *numbers, const int32_t *view) {
    return (Rows){numbers + view[0], view[1], view[2]};
}

static inline void copy_row(ptrdiff_t n, number *o, ptrdiff_t so, const number *x, ptrdiff_t sx) {
    if (so == 1 && sx == 1) memcpy(o, x, (size_t)n * sizeof(number));
    else
        for (ptrdiff_t i = 0; i < n; i++) o[i * so] = x[i * sx];
}

static inline void add_row(ptrdiff_t n, number *o, ptrdiff_t so, const number *x, ptrdiff_t sx) {
    for (ptrdiff_t i = 0; i < n; i++) o[i * so] += x[i * sx];
}

/* TAKE or PUT, rows, numbers in a row, result, source, then which row of the one goes to or from each of the
 * other. */
static const int32_t *run_take(number *numbers, const int32_t *w) {
    const Rows o = rows_of(numbers, w + 3), x = rows_of(numbers, w + 6);
    const int32_t *index = w + 9;
    if (w[2] == 1)
        for (ptrdiff_t r = 0; r < w[1]; r++) o.p[r * o.row] = x.p[index[r] * x.row];
    else
        for (ptrdiff_t r = 0; r < w[1]; r++) copy_row(w[2], o.p + r * o.row, o.step, x.p + index[r] * x.row, x.step);
    return index + w[1];
}

static const int32_t *run_put(number *numbers, const int32_t *w) {
    const Rows o = rows_of(numbers, w + 3), x = rows_of(numbers, w + 6);
    const int32_t *index = w + 9;
    for (ptrdiff_t r = 0; r < w[1]; r++) copy_row(w[2], o.p + index[r] * o.row, o.step, x.p + r * x.row, x.step);
    return index + w[1];
}

/* SEGMENTS, segments, numbers in a row, result, source, then where each segment of the source ends. */
static const int32_t *run_segments(number *numbers, const int32_t *w) {
    const Rows o = rows_of(numbers, w + 3), x = rows_of(numbers, w + 6);
    const int32_t *ends = w + 9;
    for (ptrdiff_t s = 0, r = 0; s < w[1]; s++) {
        number *to = o.p + s * o.row;
        copy_row(w[2], to, o.step, x.p + r++ * x.row, x.step);
        for (; r < ends[s]; r++) add_row(w[2], to, o.step, x.p + r * x.row, x.step);
    }
    return ends + w[1];
}

/* RUNNING, rows, numbers in a row, result, source: each row is the sum of the source's rows up to there. */
static const int32_t *run_running(number *numbers, const int32_t *w) {
    const Rows o = rows_of(numbers, w + 3), x = rows_of(numbers, w + 6);
    copy_row(w[2], o.p, o.step, x.p, x.step);
    for (ptrdiff_t r = 1; r < w[1]; r++) {
        number *to = o.p + r * o.row;
        copy_row(w[2], to, o.step, to - o.row, o.step);
        add_row(w[2], to, o.step, x.p + r * x.row, x.step);
    }
    return w + 9;
}

/* CLEAR, rows, numbers in a row, result, then which of its rows become 0. */
static const int32_t *run_clear(number *numbers, const int32_t *w) {
    const Rows o = rows_of(numbers, w + 3);
    const int32_t *index = w + 6;
    for (ptrdiff_t r = 0; r < w[1]; r++) {
        number *to = o.p + index[r] * o.row;
        if (o.step == 1) memset(to, 0, (size_t)w[2] * sizeof *to);
        else
            for (ptrdiff_t i = 0; i < w[2]; i++) to[i * o.step] = 0.0;
    }
    return index + w[1];
}
