/* The sums whose inner loops read without gaps, on vectors of LANES numbers. _vectors.c includes this once for each
 * kind of processor, with NAME, TARGET, Vector and Half set for it. Tiles stay in the registers. */

#define LOAD(V, p) (*(const V *)(p))
#define EACH(i, n) for (int i = 0; i < (n); i++)

/* The first factor is shared along j; the second, and the result, lie without gaps. */
#define ROWS_TILE(V, high, wide)                                                                            \
    do {                                                                                                    \
        enum { own = (int)(sizeof(V) / sizeof(number)) };                                                   \
        V sum[high][wide];                                                                                  \
        memset(sum, 0, sizeof sum);                                                                         \
        for (ptrdiff_t m = 0; m < z->m; m++) {                                                              \
            const number *a = x + i * z->xi + m * z->xm, *b = y + j + m * z->ym;                            \
            for (ptrdiff_t k = 0; k < z->k; k++, a += z->xk, b += z->yk) EACH(r, high) {                    \
                const number factor = a[r * z->xi];                                                         \
                EACH(c, wide) sum[r][c] += factor * LOAD(V, b + c * own);                                   \
            }                                                                                               \
        }                                                                                                   \
        EACH(r, high) EACH(c, wide) {                                                                       \
            V *to = (V *)(o + (i + r) * z->oi + j + c * own);                                               \
            if (z->more) sum[r][c] += *to;                                                                  \
            *to = sum[r][c];                                                                                \
        }                                                                                                   \
        j += own * (wide);                                                                                  \
    } while (0)
#define ROWS_OF(high)                                                                                       \
    do {                                                                                                    \
        ptrdiff_t j = 0;                                                                                    \
        while (j + 2 * LANES <= z->j) ROWS_TILE(Vector, high, 2);                                           \
        while (j + LANES <= z->j) ROWS_TILE(Vector, high, 1);                                               \
        while (j + LANES / 2 <= z->j) ROWS_TILE(Half, high, 1);                                             \
        while (j < z->j) ROWS_TILE(One, high, 1);                                                           \
    } while (0)
static TARGET void NAME(rows)(const Sizes *z, number *o, const number *x, const number *y) {
    ptrdiff_t i = 0;
    for (; i + 4 <= z->i; i += 4) ROWS_OF(4);
    for (; i < z->i; i++) ROWS_OF(1);
}

/* The sum of a vector: of its parts of 16 bytes, and then of their numbers. */
static inline TARGET number NAME(total)(const Vector *v) {
    enum { own = 16 / sizeof(number) };
    const Short *parts = (const Short *)v;
    Short sum = parts[0];
    for (int part = 1; part < (int)(sizeof(Vector) / 16); part++) sum += parts[part];
    number s[own];
    memcpy(s, &sum, sizeof s);
    return own == 4 ? (s[0] + s[own / 2]) + (s[1] + s[own - 1]) : s[0] + s[1];
}

/* Both factors lie without gaps along k. */
#define DOTS_STEP(V, high, wide, sum)                                                                       \
    EACH(r, high) {                                                                                         \
        const V left = LOAD(V, a + r * z->xi + k);                                                          \
        EACH(c, wide) sum[r][c] += left * LOAD(V, b + c * z->yj + k);                                       \
    }
#define DOTS_TILE(high, wide)                                                                               \
    do {                                                                                                    \
        Vector sum[high][wide];                                                                             \
        number rest[high][wide];                                                                            \
        EACH(r, high) EACH(c, wide) sum[r][c] = (Vector){0}, rest[r][c] = 0;                                \
        for (ptrdiff_t m = 0; m < z->m; m++) {                                                              \
            const number *a = x + i * z->xi + m * z->xm, *b = y + j * z->yj + m * z->ym;                    \
            ptrdiff_t k = 0;                                                                                \
            for (; k + LANES <= z->k; k += LANES) DOTS_STEP(Vector, high, wide, sum)                        \
            for (; k < z->k; k++) DOTS_STEP(One, high, wide, rest)                                          \
        }                                                                                                   \
        EACH(r, high) EACH(c, wide) rest[r][c] += NAME(total)(&sum[r][c]);                                  \
        EACH(r, high) EACH(c, wide) put(o + (i + r) * z->oi + (j + c) * z->oj, rest[r][c], z->more);        \
        j += wide;                                                                                          \
    } while (0)
#define DOTS_OF(high)                                                                                       \
    do {                                                                                                    \
        ptrdiff_t j = 0;                                                                                    \
        while (sizeof(Vector) == 64 && j + 4 <= z->j) DOTS_TILE(high, 4);                                   \
        while (j + 2 <= z->j) DOTS_TILE(high, 2);                                                           \
        while (j < z->j) DOTS_TILE(high, 1);                                                                \
    } while (0)
static TARGET void NAME(dots)(const Sizes *z, number *o, const number *x, const number *y) {
    ptrdiff_t i = 0;
    for (; i + 4 <= z->i; i += 4) DOTS_OF(4);
    for (; i < z->i; i++) DOTS_OF(1);
}

/* Each number along j has a sum of its own, and all lie without gaps. */
#define LANES_TILE(V, wide, term)                                                                           \
    do {                                                                                                    \
        enum { own = (int)(sizeof(V) / sizeof(number)) };                                                   \
        typedef V T;                                                                                        \
        V sum[wide];                                                                                        \
        memset(sum, 0, sizeof sum);                                                                         \
        for (ptrdiff_t m = 0; m < z->m; m++) {                                                              \
            const number *a = x + i * z->xi + j + m * z->xm, *b = y + i * z->yi + j + m * z->ym;            \
            for (ptrdiff_t k = 0; k < z->k; k++, a += z->xk, b += z->yk) EACH(c, wide) sum[c] += term;      \
        }                                                                                                   \
        EACH(c, wide) {                                                                                     \
            V *to = (V *)(o + i * z->oi + j + c * own);                                                     \
            if (z->more) sum[c] += *to;                                                                     \
            *to = sum[c];                                                                                   \
        }                                                                                                   \
        j += own * (wide);                                                                                  \
    } while (0)
#define LANES_OF(term)                                                                                      \
    for (ptrdiff_t i = 0; i < z->i; i++) {                                                                  \
        ptrdiff_t j = 0;                                                                                    \
        while (j + 4 * LANES <= z->j) LANES_TILE(Vector, 4, term);                                          \
        while (j + LANES <= z->j) LANES_TILE(Vector, 1, term);                                              \
        while (j + LANES / 2 <= z->j) LANES_TILE(Half, 1, term);                                            \
        while (j < z->j) LANES_TILE(One, 1, term);                                                          \
    }
static TARGET void NAME(lanes)(const Sizes *z, number *o, const number *x, const number *y) {
    LANES_OF(LOAD(T, a + c * own) * LOAD(T, b + c * own))
}
static TARGET void NAME(lanes_alone)(const Sizes *z, number *o, const number *x, const number *y) {
    LANES_OF(LOAD(T, a + c * own))
}

/* One factor, without gaps along k. */
static TARGET void NAME(along)(const Sizes *z, number *o, const number *x, const number *y) {
    (void)y;
    for (ptrdiff_t i = 0; i < z->i; i++)
        for (ptrdiff_t j = 0; j < z->j; j++) {
            Vector sum[4] = {{0}};
            number rest = 0;
            for (ptrdiff_t m = 0; m < z->m; m++) {
                const number *row = x + i * z->xi + j * z->xj + m * z->xm;
                ptrdiff_t k = 0;
                for (; k + 4 * LANES <= z->k; k += 4 * LANES) EACH(c, 4) sum[c] += LOAD(Vector, row + k + c * LANES);
                for (; k + LANES <= z->k; k += LANES) sum[0] += LOAD(Vector, row + k);
                for (; k < z->k; k++) rest += row[k];
            }
            sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
            put(o + i * z->oi + j * z->oj, NAME(total)(&sum[0]) + rest, z->more);
        }
}

static const Kernels NAME(kernels) = {NAME(loops), NAME(rows), NAME(dots), NAME(lanes), NAME(lanes_alone), NAME(along)};

#undef LOAD
#undef EACH
#undef ROWS_TILE
#undef ROWS_OF
#undef DOTS_STEP
#undef DOTS_TILE
#undef DOTS_OF
#undef LANES_TILE
#undef LANES_OF
