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
        while ((high) < 4 && j + 4 * LANES <= z->j) ROWS_TILE(Vector, high, 4);                             \
        while (j + 2 * LANES <= z->j) ROWS_TILE(Vector, high, 2);                                           \
        while (j + LANES <= z->j) ROWS_TILE(Vector, high, 1);                                               \
        while (j + LANES / 2 <= z->j) ROWS_TILE(Half, high, 1);                                             \
        while (j < z->j) ROWS_TILE(One, high, 1);                                                           \
    } while (0)
static TARGET void NAME(rows)(const Sizes *z, number *o, const number *x, const number *y) {
    ptrdiff_t i = 0;
    for (; i + 4 <= z->i; i += 4) ROWS_OF(4);
    for (; i + 2 <= z->i; i += 2) ROWS_OF(2);
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

/* The totals of LANES vectors, side by side: each the same as by itself, in a fourth of the time. */
#define ADDED(v, width) (SHUFFLED((v)[0], (v)[1], PLACES(LOWER, 0, width)) + SHUFFLED((v)[0], (v)[1], PLACES(UPPER, 0, width)))
static inline TARGET Vector NAME(totals)(const Vector *v) {
    Vector s[LANES];
    memcpy(s, v, sizeof s);
    if (LANES > 8) EACH(e, 8) s[e] = ADDED(s + 2 * e, 8);
    if (LANES > 4) EACH(e, 4) s[e] = ADDED(s + 2 * e, 4);
    if (LANES > 2) EACH(e, 2) s[e] = ADDED(s + 2 * e, 2);
    return ADDED(s, 1);
}

/* Both factors lie without gaps along k. Of the last numbers a whole vector is read, without those before them. */
#define DOTS_STEP(high, wide, read)                                                                         \
    EACH(r, high) {                                                                                         \
        const V left = read(a + r * z->xi + k);                                                             \
        EACH(c, wide) sum[r][c] += left * read(b + c * z->yj + k);                                          \
    }
#define ALL_OF(p) LOAD(V, p)
#define LAST_OF(p) ((V)((Mask)LOAD(V, p) & last))
#define TOTALS(high, wide)                                                                                  \
    for (int e = 0; e < (high) * (wide); e += (high) * (wide) % LANES ? 1 : LANES)                          \
        if ((high) * (wide) % LANES) (&total[0][0])[e] = NAME(total)(&sum[0][0] + e);                       \
        else *(Vector *)(&total[0][0] + e) = NAME(totals)(&sum[0][0] + e);
#define NO_TOTALS(high, wide) memcpy(total, sum, sizeof total);
#define DOTS_TILE(high, wide, rest, totals)                                                                 \
    do {                                                                                                    \
        V sum[high][wide];                                                                                  \
        number total[high][wide];                                                                           \
        EACH(r, high) EACH(c, wide) sum[r][c] = (V){0};                                                     \
        for (ptrdiff_t m = 0; m < z->m; m++) {                                                              \
            const number *a = x + i * z->xi + m * z->xm, *b = y + j * z->yj + m * z->ym;                    \
            ptrdiff_t k = 0;                                                                                \
            for (; k + own <= z->k; k += own) DOTS_STEP(high, wide, ALL_OF)                                 \
            rest(high, wide)                                                                                \
        }                                                                                                   \
        totals(high, wide)                                                                                  \
        EACH(r, high) EACH(c, wide) put(o + (i + r) * z->oi + (j + c) * z->oj, total[r][c], z->more);       \
        j += wide;                                                                                          \
    } while (0)
#define REST(high, wide)                                                                                    \
    if (k < z->k) {                                                                                         \
        k = z->k - own;                                                                                     \
        DOTS_STEP(high, wide, LAST_OF)                                                                      \
    }
#define NO_REST(high, wide)
#define DOTS_OF(high, rest, totals)                                                                         \
    do {                                                                                                    \
        ptrdiff_t j = 0;                                                                                    \
        while (sizeof(Vector) == 64 && j + 4 <= z->j) DOTS_TILE(high, 4, rest, totals);                     \
        while (j + 2 <= z->j) DOTS_TILE(high, 2, rest, totals);                                             \
        while (j < z->j) DOTS_TILE(high, 1, rest, totals);                                                  \
    } while (0)
#define DOTS(rest, totals)                                                                                  \
    do {                                                                                                    \
        enum { own = (int)(sizeof(V) / sizeof(number)) };                                                   \
        ptrdiff_t i = 0;                                                                                    \
        for (; i + 4 <= z->i; i += 4) DOTS_OF(4, rest, totals);                                             \
        for (; i + 2 <= z->i; i += 2) DOTS_OF(2, rest, totals);                                             \
        for (; i < z->i; i++) DOTS_OF(1, rest, totals);                                                     \
    } while (0)
static TARGET void NAME(few_dots)(const Sizes *z, number *o, const number *x, const number *y) {
    typedef One V;
    DOTS(NO_REST, NO_TOTALS);
}
static TARGET void NAME(dots)(const Sizes *z, number *o, const number *x, const number *y) {
    typedef Vector V;
    typedef __typeof__((V){0} < (V){0}) Mask;
    if (z->k < LANES) {
        NAME(few_dots)(z, o, x, y);
        return;
    }
    Mask last;
    EACH(e, LANES) last[e] = -(e >= LANES - z->k % LANES);
    DOTS(REST, TOTALS);
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
#undef ALL_OF
#undef LAST_OF
#undef TOTALS
#undef NO_TOTALS
#undef DOTS_TILE
#undef REST
#undef NO_REST
#undef DOTS_OF
#undef DOTS
#undef ADDED
#undef LANES_TILE
#undef LANES_OF
