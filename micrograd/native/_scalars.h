/* Steps on single numbers, of which a program without structure has thousands. What one of them computes, the next
 * one often reads: then it takes that from a register, and two such steps may be one instruction. They still write
 * each result where it belongs, so nothing need be known of who reads it later.
 *
 * A row of the table on single numbers is a code, the place of the result and those of the operands. `follow`
 * rewrites them when they are bound; the codes that it makes are never written in Python. */

/* A step that reads the last result: it, and a number x from memory; with what it is the second of, see below. */
#define FOLLOWING(DO, first, value, reads)                                                                  \
    DO(add, add, last, x, first, value, reads) DO(multiply, multiply, last, x, first, value, reads)         \
    DO(subtract, subtract, last, x, first, value, reads)                                                    \
    DO(subtracted, subtract, x, last, first, value, reads)                                                  \
    DO(divide, divide, last, x, first, value, reads) DO(divided, divide, x, last, first, value, reads)

/* What may be the first of two steps: rows as they are, and those that follow themselves; each with how many
 * numbers it reads from memory. */
#define PLAIN(DO)                                                                                           \
    DO(add, add_value(at[w[2]], at[w[3]]), 2) DO(multiply, multiply_value(at[w[2]], at[w[3]]), 2)           \
    DO(subtract, subtract_value(at[w[2]], at[w[3]]), 2) DO(divide, divide_value(at[w[2]], at[w[3]]), 2)     \
    DO(negative, negative_value(at[w[2]]), 1)
#define THEN(DO) /* in the order of FOLLOWING */                                                            \
    DO(then_add, add_value(last, at[w[2]]), 1) DO(then_multiply, multiply_value(last, at[w[2]]), 1)         \
    DO(then_subtract, subtract_value(last, at[w[2]]), 1)                                                    \
    DO(then_subtracted, subtract_value(at[w[2]], last), 1)                                                  \
    DO(then_divide, divide_value(last, at[w[2]]), 1) DO(then_divided, divide_value(at[w[2]], last), 1)      \
    DO(then_negative, negative_value(last), 0)

enum {
#define FIRST_CODE(name, value, reads) FIRST_##name,
    PLAIN(FIRST_CODE) THEN(FIRST_CODE) N_FIRST
};
enum {
#define FOLLOWING_CODE(name, row, x, y, first, value, reads) FOLLOWING_##name,
    FOLLOWING(FOLLOWING_CODE, none, none, none) N_FOLLOWING
};
enum {
    THEN_CODES = N_CODES - FIRST_then_add, /* and the place in FIRST */
    PAIR_CODES = THEN_CODES + N_FIRST,
    N_ALL_CODES = PAIR_CODES + N_FIRST * N_FOLLOWING
};

/* The words that are rewritten, in the place of those that were read. */
typedef struct {
    int32_t *end;
    int32_t last;  /* where the step before put its result; -1 if that was no step on single numbers */
    int32_t *open; /* the step before, if it may be the first of two */
    int first;     /* then its place in FIRST */
} Rewritten;

/* Tell how a step follows the one before, by its row and which operand is the last result; -1 if it does not. */
static int following(int32_t row, int place) {
    switch (row) {
    case ROW_add: return FOLLOWING_add;
    case ROW_multiply: return FOLLOWING_multiply;
    case ROW_subtract: return place ? FOLLOWING_subtracted : FOLLOWING_subtract;
    case ROW_divide: return place ? FOLLOWING_divided : FOLLOWING_divide;
    default: return -1;
    }
}

static int plain(int32_t row) {
    switch (row) {
#define PLAIN_CASE(name, value, reads) case ROW_##name: return FIRST_##name;
        PLAIN(PLAIN_CASE)
    default: return -1;
    }
}

/* Rewrite one instruction of `n` words. */
static void follow(Rewritten *r, const int32_t *w, Py_ssize_t n) {
    const int32_t row = w[0], out = w[1];
    int32_t *to = r->end;
    int kind = -1, first = -1;
    int32_t other = 0;
    if (n == 4 && r->last >= 0 && (w[2] == r->last || w[3] == r->last)) {
        kind = following(row, w[3] == r->last);
        other = w[w[2] == r->last ? 3 : 2];
    }
    if (kind >= 0 && r->open) {
        r->open[0] = PAIR_CODES + r->first * N_FOLLOWING + kind;
        to[0] = out, to[1] = other, r->end = to + 2;
    } else if (kind >= 0) {
        first = FIRST_then_add + kind;
        to[0] = THEN_CODES + first, to[1] = out, to[2] = other, r->end = to + 3;
    } else if (row == ROW_negative && w[2] == r->last) {
        first = FIRST_then_negative;
        to[0] = THEN_CODES + first, to[1] = out, r->end = to + 2;
    } else {
        first = plain(row);
        memmove(to, w, (size_t)n * sizeof *w);
        r->end = to + n;
    }
    r->open = first < 0 ? NULL : to;
    r->first = first;
    r->last = row < N_ROWS ? out : -1;
}

/* Rewrite instructions that were checked, and return how many words they have now. */
static Py_ssize_t follow_all(int32_t *words, Py_ssize_t n, int64_t size) {
    Check c = {words, words + n, size};
    Rewritten r = {words, -1, NULL, -1};
    while (c.w < c.end) {
        const int32_t *w = c.w;
        instruction_fits(&c); /* which goes on to the next */
        follow(&r, w, c.w - w);
    }
    return r.end - words;
}
