/* Each row of the table along views. _vectors.c includes this once for each kind of processor, with NAME and TARGET
 * set for it. Where there are no gaps, the compiler makes vectors. */

#define UNARY_LOOP(name)                                                                                    \
    static TARGET void NAME(name##_loop)(ptrdiff_t n, number *const *p, const ptrdiff_t *s) {               \
        number *o = p[0];                                                                                   \
        const number *x = p[1];                                                                             \
        const ptrdiff_t so = s[0], sx = s[1];                                                               \
        if (so == 1 && sx == 1) {                                                                           \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) o[i] = name##_value(x[i]);                                    \
        } else                                                                                              \
            for (ptrdiff_t i = 0; i < n; i++) o[i * so] = name##_value(x[i * sx]);                          \
    }
#define LONG_LOOP(name)                                                                                     \
    static TARGET void NAME(name##_loop)(ptrdiff_t n, number *const *p, const ptrdiff_t *s) {               \
        for (ptrdiff_t i = 0; i < n; i++) p[0][i * s[0]] = name##_called(p[1][i * s[1]]);                   \
    }
#define BINARY_LOOP(name)                                                                                   \
    static TARGET void NAME(name##_loop)(ptrdiff_t n, number *const *p, const ptrdiff_t *s) {               \
        number *o = p[0];                                                                                   \
        const number *x = p[1], *y = p[2];                                                                  \
        const ptrdiff_t so = s[0], sx = s[1], sy = s[2];                                                    \
        if (so == 1 && sx == 1 && sy == 1) {                                                                \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) o[i] = name##_value(x[i], y[i]);                              \
        } else if (so == 1 && sx == 1 && sy == 0) {                                                         \
            const number shared = *y;                                                                       \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) o[i] = name##_value(x[i], shared);                            \
        } else if (so == 1 && sx == 0 && sy == 1) {                                                         \
            const number shared = *x;                                                                       \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) o[i] = name##_value(shared, y[i]);                            \
        } else                                                                                              \
            for (ptrdiff_t i = 0; i < n; i++) o[i * so] = name##_value(x[i * sx], y[i * sy]);               \
    }
#define TERNARY_LOOP(name)                                                                                  \
    static TARGET void NAME(name##_loop)(ptrdiff_t n, number *const *p, const ptrdiff_t *s) {               \
        number *o = p[0];                                                                                   \
        const number *x = p[1], *y = p[2], *z = p[3];                                                       \
        if (s[0] == 1 && s[1] == 1 && s[2] == 1 && s[3] == 1) {                                             \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) o[i] = name##_value(x[i], y[i], z[i]);                        \
        } else if (s[0] == 1 && s[1] == 1 && s[2] == 0 && s[3] == 0) {                                      \
            const number here = *y, there = *z;                                                             \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) o[i] = name##_value(x[i], here, there);                       \
        } else                                                                                              \
            for (ptrdiff_t i = 0; i < n; i++) o[i * s[0]] = name##_value(x[i * s[1]], y[i * s[2]], z[i * s[3]]); \
    }
PLAIN_UNARY(UNARY_LOOP)
LONG_UNARY(LONG_LOOP)
PLAIN_BINARY(BINARY_LOOP)
PLAIN_TERNARY(TERNARY_LOOP)

/* Of these the vectors are for operands of moderate size; a block in which there are others is left to math.h. */
#define MODERATE_BLOCKS(fits, fitting, value)                                                               \
    for (ptrdiff_t from = 0, to; from < n; from = to) {                                                     \
        int64_t others = 0;                                                                                 \
        to = n < from + 64 ? n : from + 64;                                                                 \
        INDEPENDENT                                                                                         \
        for (ptrdiff_t i = from; i < to; i++) others += !(fits);                                            \
        if (others)                                                                                         \
            for (ptrdiff_t i = from; i < to; i++) o[i] = value;                                             \
        else {                                                                                              \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = from; i < to; i++) o[i] = fitting;                                           \
        }                                                                                                   \
    }
#define MODERATE_UNARY_LOOP(name)                                                                           \
    static TARGET void NAME(name##_loop)(ptrdiff_t n, number *const *p, const ptrdiff_t *s) {               \
        number *o = p[0];                                                                                   \
        const number *x = p[1];                                                                             \
        if (s[0] == 1 && s[1] == 1) {                                                                       \
            MODERATE_BLOCKS(name##_fits(x[i]), name##_fitting(x[i]), name##_value(x[i]))                    \
        } else                                                                                              \
            for (ptrdiff_t i = 0; i < n; i++) o[i * s[0]] = name##_value(x[i * s[1]]);                      \
    }
#define MODERATE_BINARY_LOOP(name)                                                                          \
    static TARGET void NAME(name##_loop)(ptrdiff_t n, number *const *p, const ptrdiff_t *s) {               \
        number *o = p[0];                                                                                   \
        const number *x = p[1], *y = p[2];                                                                  \
        if (s[0] == 1 && s[1] == 1 && s[2] == 1) {                                                          \
            MODERATE_BLOCKS(name##_fits(x[i], y[i]), name##_fitting(x[i], y[i]), name##_value(x[i], y[i]))  \
        } else if (s[0] == 1 && s[1] == 1 && s[2] == 0) {                                                   \
            const number z = *y;                                                                            \
            MODERATE_BLOCKS(name##_fits(x[i], z), name##_fitting(x[i], z), name##_value(x[i], z))           \
        } else if (s[0] == 1 && s[1] == 0 && s[2] == 1) {                                                   \
            const number z = *x;                                                                            \
            MODERATE_BLOCKS(name##_fits(z, y[i]), name##_fitting(z, y[i]), name##_value(z, y[i]))           \
        } else                                                                                              \
            for (ptrdiff_t i = 0; i < n; i++) o[i * s[0]] = name##_value(x[i * s[1]], y[i * s[2]]);         \
    }
MODERATE_UNARY(MODERATE_UNARY_LOOP)
MODERATE_BINARY(MODERATE_BINARY_LOOP)

static Loop *const NAME(loops)[N_ROWS] = {
#define POINTER(name) NAME(name##_loop),
    ALL_ROWS(POINTER)
#undef POINTER
};

#undef MODERATE_BLOCKS
#undef MODERATE_UNARY_LOOP
#undef MODERATE_BINARY_LOOP
#undef UNARY_LOOP
#undef LONG_LOOP
#undef BINARY_LOOP
#undef TERNARY_LOOP
