/* Which variables each output depends on: derivatives/sparse.py says what it means. */

/* A sorted set of variables, shared by the places that depend on the same ones. */
typedef struct {
    Py_ssize_t users, size;
    int32_t items[];
} Set;

static Set *new_set(Py_ssize_t room) {
    Set *set = PyMem_Malloc(sizeof(Set) + room * sizeof(int32_t));
    if (set) set->users = 1, set->size = 0;
    return set;
}

static void drop_set(Set *set) {
    if (set && !--set->users) PyMem_Free(set);
}

/* Add a set to the one at a place, which owns it. Sets no error. */
static int add_set(Set **at, Set *more) {
    Set *old = *at;
    if (!more || old == more) return 0;
    if (!old) {
        more->users++;
        *at = more;
        return 0;
    }
    Set *both = new_set(old->size + more->size);
    if (!both) return -1;
    Py_ssize_t i = 0, j = 0;
    while (i < old->size || j < more->size) {
        int32_t x = i < old->size ? old->items[i] : INT32_MAX, y = j < more->size ? more->items[j] : INT32_MAX;
        both->items[both->size++] = Py_MIN(x, y);
        i += x <= y;
        j += y <= x;
    }
    Set *same = both->size == old->size ? old : both->size == more->size ? more : NULL;
    if (same) {
        same->users++;
        drop_set(both);
        both = same;
    }
    drop_set(old);
    *at = both;
    return 0;
}

/* Collect the sets of all places, each as long as a later step or an output needs it. Sets no error. */
static int spread_sets(Sweep *w, Set **sets, int32_t *uses) {
    for (Py_ssize_t k = 0; k < 2 * w->n_steps; k++) { /* count the uses, then use them up */
        Step *step = &w->steps[k % w->n_steps];
        int many = step->node->shape == MANY, using = k >= w->n_steps;
        Py_ssize_t n = many ? step->second : 2;
        for (Py_ssize_t i = 0; i < n; i++) {
            Py_ssize_t from = many ? w->links[step->first + i].place : i ? step->second : step->first;
            if (from == NOWHERE) continue;
            if (using && add_set(&sets[step->place], sets[from]) < 0) return -1;
            uses[from] += using ? -1 : 1;
            if (using && !uses[from]) {
                drop_set(sets[from]);
                sets[from] = NULL;
            }
        }
    }
    return 0;
}

/* List the sets of the outputs, as lists. The caller owns the list. */
static PyObject *list_sets(Sweep *w, Set **sets) {
    PyObject *rows = PyList_New(w->n_outputs);
    for (Py_ssize_t i = 0; rows && i < w->n_outputs; i++) {
        Set *set = w->places[i] == NOWHERE ? NULL : sets[w->places[i]];
        PyObject *row = PyList_New(set ? set->size : 0);
        for (Py_ssize_t j = 0; row && j < PyList_GET_SIZE(row); j++) {
            PyObject *item = PyLong_FromLong(set->items[j]);
            if (item) PyList_SET_ITEM(row, j, item);
            else Py_CLEAR(row);
        }
        if (row) PyList_SET_ITEM(rows, i, row);
        else Py_CLEAR(rows);
    }
    return rows;
}

/* Find the sets and list them. Each variable's is itself; they are distinct. */
static PyObject *find_pattern(State *s, Sweep *w) {
    if (prepare(s, w, Py_False) < 0) return NULL;
    Set **sets = PyMem_Calloc(w->n_places + 1, sizeof(Set *));
    int32_t *uses = PyMem_Calloc(w->n_places + 1, sizeof(int32_t));
    int failed = !sets || !uses;
    for (Py_ssize_t i = 0; i < w->n_outputs && !failed; i++) uses[Py_MAX(w->places[i], 0)]++;
    for (Py_ssize_t i = 0; i < w->n_variables && !failed; i++) {
        Set **set = &sets[w->places[w->n_outputs + i]];
        if (*set) continue;
        failed = !(*set = new_set(1));
        if (!failed) (*set)->items[(*set)->size++] = (int32_t)i;
    }
    if (!failed) failed = spread_sets(w, sets, uses);
    PyObject *rows = failed ? PyErr_NoMemory() : list_sets(w, sets);
    for (Py_ssize_t i = 0; sets && i < w->n_places; i++) drop_set(sets[i]);
    PyMem_Free(sets);
    PyMem_Free(uses);
    return rows;
}

/* pattern(outputs, variables): for each output the positions of the variables that it depends on. */
static PyObject *engine_pattern(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    if (n != 2) return PyErr_Format(PyExc_TypeError, "pattern takes 2 arguments, got %zd", n);
    Sweep w = {.outputs = PySequence_Tuple(args[0])};
    w.variables = w.outputs ? PySequence_Tuple(args[1]) : NULL;
    PyObject *rows = w.variables ? find_pattern(s, &w) : NULL;
    free_sweep(&w);
    return rows;
}
