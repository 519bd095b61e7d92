/* Each row of the table along views. _vectors.c includes this once for each kind of processor, with NAME and TARGET
 * set for it. Where there are no gaps, the compiler makes vectors. */

#define UNARY_LOOP(name)                                                                                    \
    static TARGET void NAME(name##_loop)(ptrdiff_t n, double *const *p, const ptrdiff_t *s) {               \
        double *o = p[0];                                                                                   \
        const double *x = p[1];                                                                             \
        const ptrdiff_t so = s[0], sx = s[1];                                                               \
        if (so == 1 && sx == 1) {                                                                           \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) o[i] = name##_value(x[i]);                                    \
        } else                                                                                              \
            for (ptrdiff_t i = 0; i < n; i++) o[i * so] = name##_value(x[i * sx]);                          \
    }
#define BINARY_LOOP(name)                                                                                   \
    static TARGET void NAME(name##_loop)(ptrdiff_t n, double *const *p, const ptrdiff_t *s) {               \
        double *o = p[0];                                                                                   \
        const double *x = p[1], *y = p[2];                                                                  \
        const ptrdiff_t so = s[0], sx = s[1], sy = s[2];                                                    \
        if (so == 1 && sx == 1 && sy == 1) {                                                                \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) o[i] = name##_value(x[i], y[i]);                              \
        } else if (so == 1 && sx == 1 && sy == 0) {                                                         \
            const double shared = *y;                                                                       \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) o[i] = name##_value(x[i], shared);                            \
        } else if (so == 1 && sx == 0 && sy == 1) {                                                         \
            const double shared = *x;                                                                       \
            INDEPENDENT                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) o[i] = name##_value(shared, y[i]);                            \
        } else                                                                                              \
            for (ptrdiff_t i = 0; i < n; i++) o[i * so] = name##_value(x[i * sx], y[i * sy]);               \
    }
#define TERNARY_LOOP(name)                                                                                  \
    static TARGET void NAME(name##_loop)(ptrdiff_t n, double *const *p, const ptrdiff_t *s) {               \
        double *o = p[0];                                                                                   \
        const double *x = p[1], *y = p[2], *z = p[3];                                                       \
        for (ptrdiff_t i = 0; i < n; i++) o[i * s[0]] = name##_value(x[i * s[1]], y[i * s[2]], z[i * s[3]]); \
    }
EXECUTED_UNARY(UNARY_LOOP)
EXECUTED_BINARY(BINARY_LOOP)
EXECUTED_TERNARY(TERNARY_LOOP)

static Loop *const NAME(loops)[N_ROWS] = {
#define POINTER(name) NAME(name##_loop),
    ALL_ROWS(POINTER)
#undef POINTER
};

#undef UNARY_LOOP
#undef BINARY_LOOP
#undef TERNARY_LOOP
