/* Instructions are checked once, when they are bound to numbers: nothing that they read or write lies outside.
 * Then they run unchecked. */

typedef struct {
    const int32_t *w, *end; /* the words that are left */
    int64_t size;           /* of the numbers */
} Check;

/* Return the next `n` words, or NULL if there are not as many. */
static const int32_t *words(Check *c, int64_t n) {
    if (n < 0 || c->end - c->w < n) return NULL;
    const int32_t *found = c->w;
    c->w += n;
    return found;
}

/* Read `n` extents: each is 1 or more. */
static const int32_t *extents_of(Check *c, int64_t n) {
    const int32_t *found = words(c, n);
    for (int64_t axis = 0; found && axis < n; axis++)
        if (found[axis] < 1) return NULL;
    return found;
}

/* Tell whether all places from `low` to `high` are inside. */
static int is_inside(const Check *c, int64_t low, int64_t high) { return low >= 0 && high < c->size; }

/* Read a view: a place, and a step along each axis. */
static int fits(Check *c, int64_t axes, const int32_t *extents) {
    const int32_t *view = words(c, axes + 1);
    if (!view) return 0;
    int64_t low = view[0], high = view[0];
    for (int64_t axis = 0; axis < axes; axis++) {
        const int64_t reach = (int64_t)(extents[axis] - 1) * view[axis + 1];
        *(reach < 0 ? &low : &high) += reach;
        if (!is_inside(c, low, high)) return 0;
    }
    return is_inside(c, low, high);
}

static int loop_fits(Check *c) {
    const int32_t *head = words(c, 2);
    if (!head || head[0] < 0 || head[0] >= N_ROWS || head[1] < 1 || head[1] > MOST_AXES) return 0;
    const int32_t *extents = extents_of(c, head[1]);
    for (int k = 0; extents && k <= rows[head[0]].operands; k++)
        if (!fits(c, head[1], extents)) return 0;
    return extents != NULL;
}

static int choose_fits(Check *c, int with_table) {
    const int32_t *head = words(c, 2);
    if (!head || head[0] < 1 || head[1] < 1 || head[1] > MOST_AXES) return 0;
    const int32_t *extents = extents_of(c, head[1]);
    if (!extents || !fits(c, head[1], extents) || !fits(c, head[1], extents)) return 0;
    if (!with_table) return fits(c, head[1], extents);
    /* What is chosen from is a view with an axis more, of which the step stands behind the others. */
    int32_t longer[MOST_AXES + 1];
    memcpy(longer, extents, (size_t)head[1] * sizeof *extents);
    longer[head[1]] = head[0];
    return fits(c, head[1] + 1, longer);
}

static int sum_fits(Check *c) {
    const int32_t *head = words(c, 3);
    if (!head || head[0] < 0 || head[0] >= 2 * ADDS || head[1] < 0 || head[2] < 0) return 0;
    if (head[1] > MOST_AXES || head[2] > MOST_AXES) return 0;
    const int64_t axes = (int64_t)head[1] + head[2] + 4;
    const int32_t *extents = extents_of(c, axes);
    if (!extents || !fits(c, head[1] + 2, extents)) return 0;
    return fits(c, axes, extents) && (head[0] % ADDS != SUM_OF_PRODUCTS || fits(c, axes, extents));
}

/* Read a view of rows of which number `most` is the last that is used. */
static int rows_fit(Check *c, int32_t most, int32_t numbers) {
    return fits(c, 2, (const int32_t[]){most + 1, numbers});
}

/* A list of rows, behind `views` views; these are of as many rows as there are words in the list, but for the one
 * number `listed`, of which the list names rows. */
static int move_fits(Check *c, int views, int listed) {
    const int32_t *head = extents_of(c, 2);
    if (!head || c->end - c->w < 3 * views + (int64_t)head[0]) return 0;
    const int32_t *list = c->w + 3 * views;
    int32_t most = 0;
    for (int32_t r = 0; r < head[0]; r++) {
        if (list[r] < 0 || list[r] == INT32_MAX) return 0;
        if (list[r] > most) most = list[r];
    }
    for (int k = 0; k < views; k++)
        if (!rows_fit(c, k == listed ? most : head[0] - 1, head[1])) return 0;
    return words(c, head[0]) != NULL;
}

static int segments_fit(Check *c) {
    const int32_t *head = extents_of(c, 2);
    if (!head || c->end - c->w < 6 + (int64_t)head[0]) return 0;
    const int32_t *ends = c->w + 6;
    for (int32_t s = 0; s < head[0]; s++)
        if (ends[s] <= (s ? ends[s - 1] : 0)) return 0;
    return rows_fit(c, head[0] - 1, head[1]) && rows_fit(c, ends[head[0] - 1] - 1, head[1]) &&
           words(c, head[0]) != NULL;
}

static int running_fits(Check *c) {
    const int32_t *head = extents_of(c, 2);
    return head && rows_fit(c, head[0] - 1, head[1]) && rows_fit(c, head[0] - 1, head[1]);
}

static int row_fits(Check *c, const Row *row) {
    const int32_t *places = words(c, row->operands + 1);
    for (int k = 0; places && k <= row->operands; k++)
        if (!is_inside(c, places[k], places[k])) return 0;
    return places != NULL;
}

static int instruction_fits(Check *c) {
    const int32_t code = *words(c, 1);
    if (code >= 0 && code < N_ROWS) return row_fits(c, rows + code);
    switch (code) {
    case LOOP: return loop_fits(c);
    case CHOOSE: return choose_fits(c, 1);
    case CHOSEN: return choose_fits(c, 0);
    case SUM: return sum_fits(c);
    case TAKE: return move_fits(c, 2, 1);
    case PUT: return move_fits(c, 2, 0);
    case SEGMENTS: return segments_fit(c);
    case RUNNING: return running_fits(c);
    case CLEAR: return move_fits(c, 1, 0);
    default: return 0;
    }
}
