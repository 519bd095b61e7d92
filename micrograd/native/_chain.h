/* The chain rule with Values as derivatives: derivatives/chain_rule.py says what it means. */

#include "_slopes.h"

/* The passes between variables and outputs. Owns the entries and the sweep. */
typedef struct {
    Sweep sweep;
    Entry *entries; /* one for each place */
    PyObject *products; /* chain_rule._products for what C does not have; borrowed, as the next */
    Slopes *slopes; /* to keep; or NULL */
} Chain;

/* Store a Python float or Value in an entry, which owns it. Borrows it. */
static int take_entry(PyObject *x, Entry *entry) {
    *entry = (Entry){.known = 1};
    if (is_value(x)) entry->value = (Value *)Py_NewRef(x);
    else entry->number = PyFloat_AsDouble(x);
    return entry->value || entry->number != -1.0 || !PyErr_Occurred() ? 0 : -1;
}

/* Return an entry as a Python object, which the caller owns. */
static PyObject *entry_object(Entry *entry) {
    return entry->value ? Py_NewRef(entry->value) : PyFloat_FromDouble(entry->number);
}

/* x + y and x * y for entries of which one at least is a Value. Borrows them; the caller owns the result. */
#define COMBINE(name, operator)                                                                    \
    static Value *name##_entries(State *s, Entry *x, Entry *y) {                                   \
        if ((!x->value || is_exact(Py_TYPE(x->value))) && (!y->value || is_exact(Py_TYPE(y->value)))) { \
            Value *left = x->value ? (Value *)Py_NewRef(x->value) : new_constant(s, x->number);    \
            Value *right = !left ? NULL : y->value ? (Value *)Py_NewRef(y->value)                  \
                                                   : new_constant(s, y->number);                   \
            Value *out = right ? name##_node(s, left, right) : NULL;                               \
            Py_XDECREF(left);                                                                      \
            Py_XDECREF(right);                                                                     \
            return out;                                                                            \
        }                                                                                          \
        PyObject *left = entry_object(x), *right = left ? entry_object(y) : NULL;                  \
        PyObject *out = right ? operator(left, right) : NULL;                                      \
        Py_XDECREF(left);                                                                          \
        Py_XDECREF(right);                                                                         \
        return (Value *)out;                                                                       \
    }
COMBINE(add, PyNumber_Add)
COMBINE(multiply, PyNumber_Multiply)

/* slope * entry, without Values for what is known beforehand: _times of chain_rule.py. Borrows both; the caller owns
 * the term, which is not known where it adds nothing. */
static int times(State *s, Entry slope, Entry entry, Entry *term) {
    *term = (Entry){.known = 0};
    if (!slope.value) {
        Entry swap = slope;
        slope = entry;
        entry = swap;
    }
    if (!entry.value && (entry.number == 0.0 || (!slope.value && slope.number == 0.0))) return 0;
    term->known = 1;
    if (entry.value) term->value = multiply_entries(s, &slope, &entry);
    else if (entry.number == 1.0) {
        *term = slope;
        term->known = 1;
        Py_XINCREF(term->value);
    }
    else if (!slope.value) term->number = slope.number * entry.number;
    else if (entry.number != -1.0) term->value = multiply_entries(s, &slope, &entry);
    else if (is_exact(Py_TYPE(slope.value))) term->value = negative_node(s, slope.value);
    else term->value = (Value *)PyNumber_Negative((PyObject *)slope.value);
    return PyErr_Occurred() ? -1 : 0;
}

/* total += term. Steals the term; owns the total. */
static int add_term(State *s, Entry *total, Entry term) {
    if (!term.known) return 0;
    if (!total->known) *total = term;
    else if (!total->value && !term.value) total->number += term.number;
    else {
        Value *sum = add_entries(s, total, &term);
        Py_XDECREF(term.value);
        if (!sum) return -1;
        Py_XSETREF(total->value, sum);
    }
    return 0;
}

/* total += slope * entry. Borrows both. */
static inline int add_product(State *s, Entry *total, Entry slope, Entry entry) {
    Entry term;
    return times(s, slope, entry, &term) < 0 ? -1 : add_term(s, total, term);
}

/* Add a product that Python found, a tuple of a position, a slope and an entry. Borrows it. */
static int add_from_python(State *s, Chain *c, Step *at, int up, PyObject *triple, Link *links, Py_ssize_t n) {
    Entry slope = {.value = NULL}, entry = {.value = NULL};
    Py_ssize_t position = 0, i = 0;
    if (!PyTuple_Check(triple) || PyTuple_GET_SIZE(triple) != 3) return PyErr_BadArgument(), -1;
    position = PyLong_AsSsize_t(PyTuple_GET_ITEM(triple, 0));
    while (i < n && links[i].position != position) i++;
    if (i == n) return PyErr_Occurred() ? -1 : (PyErr_BadArgument(), -1);
    int failed = take_entry(PyTuple_GET_ITEM(triple, 1), &slope) < 0 ||
                 take_entry(PyTuple_GET_ITEM(triple, 2), &entry) < 0 ||
                 add_product(s, &c->entries[up ? at->place : links[i].place], slope, entry) < 0;
    Py_XDECREF(slope.value);
    Py_XDECREF(entry.value);
    return -failed;
}

/* Take a step in Python, for the operands at these links. */
static int chain_step_in_python(State *s, Chain *c, Step *at, int up, Link *links, Py_ssize_t n) {
    PyObject *positions = PyTuple_New(n), *entries = positions ? PyTuple_New(n) : NULL, *found = NULL;
    int failed = !entries;
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        PyObject *position = PyLong_FromSsize_t(links[i].position);
        PyObject *entry = entry_object(&c->entries[up ? links[i].place : at->place]);
        failed = !position || !entry;
        PyTuple_SET_ITEM(positions, i, position);
        PyTuple_SET_ITEM(entries, i, entry);
    }
    if (!failed) found = PyObject_CallFunctionObjArgs(c->products, at->node, positions, entries, NULL);
    failed = !found || !PyList_Check(found);
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(found); i++)
        failed = add_from_python(s, c, at, up, PyList_GET_ITEM(found, i), links, n);
    Py_XDECREF(positions);
    Py_XDECREF(entries);
    Py_XDECREF(found);
    look(s, c->sweep.bound);
    return -!!failed;
}

/* Find the slopes of a node by the operands at these links as far as C has them, those that are kept first, and keep
 * the others that are Values. The caller owns them. Returns how many are known, -1 for an error. */
static inline int slopes_in_c(State *s, Chain *c, Step *at, int up, Link *links, Py_ssize_t n, Entry *slopes) {
    Py_ssize_t index = !c->slopes ? NOWHERE : up ? at - c->sweep.steps : c->sweep.sought_at[at->place];
    int n_known = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        Value **kept = index == NOWHERE ? NULL : &c->slopes->items[index].slopes[links[i].position];
        int known = 1;
        if (kept && *kept) slopes[i].value = (Value *)Py_NewRef(*kept);
        else known = slope_in_c(s, at->node, (int)links[i].position, &slopes[i]);
        if (known < 0) return -1;
        slopes[i].known = known;
        if (known && kept && !*kept) *kept = (Value *)Py_XNewRef(slopes[i].value);
        n_known += known;
    }
    return n_known;
}

/* Make two equal products once, as those of `x * x`: see _products of chain_rule.py. */
static int merge(State *s, Entry *slopes, Entry **from) {
    static Entry one = {NULL, 1.0, 1};
    Entry term;
    if (!slopes[0].value || slopes[0].value != slopes[1].value || from[0]->value != from[1]->value ||
        (!from[0]->value && from[0]->number != from[1]->number)) return 0;
    if (times(s, slopes[0], *from[0], &term) < 0) return -1;
    if (!term.known) return 0;
    for (int i = 0; i < 2; i++) {
        Py_SETREF(slopes[i].value, (Value *)Py_NewRef(term.value));
        from[i] = &one;
    }
    Py_DECREF(term.value);
    return 0;
}

/* Take a step: down from a node of one or two operands to these, or up. Returns 1; 0 where Python has to take it,
 * -1 for an error. */
static inline int chain_step_in_c(State *s, Chain *c, Step *at, int up, Link *links, Py_ssize_t n) {
    Entry slopes[2] = {{.value = NULL}}, *from[2];
    for (Py_ssize_t i = 0; i < n; i++) from[i] = &c->entries[up ? links[i].place : at->place];
    int known = slopes_in_c(s, c, at, up, links, n, slopes), done = known;
    if (known == 2) done = merge(s, slopes, from) < 0 ? -1 : 1;
    for (Py_ssize_t i = 0; i < n && done > 0; i++) {
        if (slopes[i].known) {
            if (add_product(s, &c->entries[up ? at->place : links[i].place], slopes[i], *from[i]) < 0) done = -1;
        }
        else if (chain_step_in_python(s, c, at, up, links + i, 1) < 0) done = -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) Py_XDECREF(slopes[i].value);
    return done;
}

/* Take a step: down from a node to its operands, or up from these. */
static int take_chain_step(State *s, Chain *c, Step *at, int up) {
    int many = at->node->shape == MANY, done = 0;
    Link own[2], *links = own;
    Py_ssize_t n = 0, found = many ? at->second : 2;
    if (!up && !c->entries[at->place].known) return 0;
    if (many && !(links = PyMem_Malloc((found + 1) * sizeof(Link)))) return PyErr_NoMemory(), -1;
    for (Py_ssize_t i = 0; i < found; i++) {
        Link link = many ? c->sweep.links[at->first + i] : (Link){i, i ? at->second : at->first};
        if (link.place != NOWHERE && (!up || c->entries[link.place].known)) links[n++] = link;
    }
    if (!many) done = chain_step_in_c(s, c, at, up, links, n);
    if (!done && n) done = chain_step_in_python(s, c, at, up, links, n);
    if (many) PyMem_Free(links);
    return done < 0 ? -1 : 0;
}

/* Go through all steps, from what is known at the starts to the ends: return their entries. */
static PyObject *run_chain(State *s, Chain *c, PyObject *starts, int up) {
    Sweep *w = &c->sweep;
    if (c->slopes && !up) {
        w->sought = c->slopes->items;
        w->n_sought = c->slopes->size;
    }
    int found = prepare(s, w, Py_False);
    if (!found) found = has_closures(s, w);
    if (found < 0) return NULL;
    if (found) Py_RETURN_NOTIMPLEMENTED; /* Python refuses them */
    if (c->slopes && up && open_slopes(c->slopes, w) < 0) return NULL;
    if (!(c->entries = PyMem_Calloc(w->n_places + 1, sizeof(Entry)))) return PyErr_NoMemory();
    Py_ssize_t *outputs = w->places, *variables = w->places + w->n_outputs;
    Py_ssize_t *from = up ? variables : outputs, *to = up ? outputs : variables;
    Py_ssize_t n_from = up ? w->n_variables : w->n_outputs, n_to = up ? w->n_outputs : w->n_variables;
    if (PyTuple_GET_SIZE(starts) != n_from)
        return PyErr_Format(PyExc_ValueError, "%zd derivatives for %zd Values", PyTuple_GET_SIZE(starts), n_from);
    Entry one = {.number = 1.0, .known = 1};
    look(s, w->bound);
    for (Py_ssize_t i = 0; i < n_from; i++) {
        Entry start;
        if (take_entry(PyTuple_GET_ITEM(starts, i), &start) < 0) return NULL;
        int failed = from[i] == NOWHERE ? 0
                     : up ? add_product(s, &c->entries[from[i]], one, start)
                     : (c->entries[from[i]] = start, Py_XINCREF(start.value), 0);
        Py_XDECREF(start.value);
        if (failed) return NULL;
    }
    for (Py_ssize_t i = 0; i < w->n_steps; i++) {
        Py_ssize_t at = up ? i : w->n_steps - 1 - i, ahead = up ? at + 8 : at - 8;
        if (ahead >= 0 && ahead < w->n_steps) __builtin_prefetch(&w->steps[ahead].node->data);
        if (take_chain_step(s, c, &w->steps[at], up) < 0) return NULL;
    }
    PyObject *result = PyList_New(n_to);
    for (Py_ssize_t i = 0; result && i < n_to; i++) {
        PyObject *x = to[i] == NOWHERE ? PyFloat_FromDouble(0.0) : entry_object(&c->entries[to[i]]);
        if (x) PyList_SET_ITEM(result, i, x);
        else Py_CLEAR(result);
    }
    return result;
}

/* chain(outputs, variables, starts, up, products, slopes): see chain_rule.py. `starts` are floats and Values: one for
 * each output, or for each variable if `up`. `slopes` are to be kept upward and used downward; or None. */
static PyObject *engine_chain(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    if (n != 6) return PyErr_Format(PyExc_TypeError, "chain takes 6 arguments, got %zd", n);
    Chain c = {.products = args[4]};
    if (args[5] != Py_None && !(c.slopes = PyCapsule_GetPointer(args[5], NULL))) return NULL;
    PyObject *starts = PySequence_Tuple(args[2]), *result = NULL;
    c.sweep.outputs = starts ? PySequence_Tuple(args[0]) : NULL;
    c.sweep.variables = c.sweep.outputs ? PySequence_Tuple(args[1]) : NULL;
    int collects = PyGC_Disable(); /* new nodes are no reason to look for garbage */
    if (c.sweep.variables) result = run_chain(s, &c, starts, args[3] == Py_True);
    if (collects) PyGC_Enable();
    for (Py_ssize_t i = 0; c.entries && i < c.sweep.n_places; i++) Py_XDECREF(c.entries[i].value);
    PyMem_Free(c.entries);
    free_sweep(&c.sweep);
    Py_XDECREF(starts);
    return result;
}

/* among(values, roots): a list that tells of each value whether the roots are made of it. */
static PyObject *engine_among(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    if (n != 2) return PyErr_Format(PyExc_TypeError, "among takes 2 arguments, got %zd", n);
    PyObject *values = PySequence_Tuple(args[0]), *roots = values ? PySequence_Tuple(args[1]) : NULL;
    PyObject *result = roots ? PyList_New(PyTuple_GET_SIZE(values)) : NULL;
    if (result) {
        Walk w = new_walk(s, 0);
        w.below = s->walks;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values); i++) {
            PyObject *v = PyTuple_GET_ITEM(values, i);
            if (is_value(v)) w.below = Py_MIN(w.below, past_below(s, (Value *)v));
        }
        uint64_t number = next_walk(s);
        int failed = 0;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(roots) && !failed; i++) {
            PyObject *root = PyTuple_GET_ITEM(roots, i);
            if (is_value(root)) failed = walk_on(s, &w, (Value *)root, number);
        }
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values); i++) {
            PyObject *v = PyTuple_GET_ITEM(values, i);
            PyList_SET_ITEM(result, i, PyBool_FromLong(is_value(v) && ((Value *)v)->seen == number));
        }
        end_walk(s, &w);
        if (failed) Py_SETREF(result, PyErr_NoMemory());
    }
    Py_XDECREF(values);
    Py_XDECREF(roots);
    return result;
}
