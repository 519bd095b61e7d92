/* Nodes that a derivative has left behind: graph/past.py says what it means. `seen` of a past node is the odd number
 * by which it became past. Walks that know nothing of this put an even number there; then it is not known any more
 * since when it is past, and no walk stops there. */

/* Return the next number for nodes that become past: higher than those of the walks before. */
static inline uint64_t next_past(State *s) {
    s->walks += 2;
    return SEEN(s->walks - 1);
}

/* Keep `seen` of a past node that a walk is about to visit. Sets no error. */
static int keep_past(Walk *w, Value *x) {
    if (w->n_past == w->room_past && grow((void **)&w->past, &w->room_past, sizeof(Kept))) return -1;
    w->past[w->n_past++] = (Kept){x, x->seen};
    return 0;
}

/* Let the past nodes that a walk has visited be as they were. */
static void restore_past(Walk *w) {
    while (w->n_past) {
        Kept kept = w->past[--w->n_past];
        kept.node->seen = kept.seen;
    }
}

/* Tell whether a walk stops at a past node that it has not visited; -1 if out of memory. */
static int stops_at(State *s, Walk *w, Value *x, uint64_t number) {
    if (!(x->seen & 1)) return 0;
    int stops = x->seen < w->below && x->seen > s->rewired;
    if (stops && !w->lists_stops) return 1;
    if (keep_past(w, x) < 0) return -1;
    if (!stops) return 0;
    x->seen = number;
    return append(&w->stops, x) < 0 ? -1 : 1;
}

/* Return the number below which past nodes cannot depend on a Value: it is not past itself, or since then. */
static inline uint64_t past_below(State *s, Value *v) {
    return !v->past ? s->walks : v->seen & 1 ? v->seen : 0;
}

/* Tell whether all operands of a node are past. */
static int is_made_of_past(Value *v) {
    PyObject *inlined[2] = {v->first, v->second}, **operands = inlined;
    Py_ssize_t n = v->shape;
    if (v->shape == MANY) {
        operands = ((PyTupleObject *)v->first)->ob_item;
        n = Py_SIZE(v->first);
    }
    for (Py_ssize_t i = 0; i < n; i++)
        if (is_value(operands[i]) && !((Value *)operands[i])->past) return 0;
    return 1;
}

/* Leave a node behind that a derivative has met, which has none of its variables among its operands. */
static inline void leave(Value *v, uint64_t number) {
    if (v->past || !is_made_of_past(v)) return;
    v->past = 1;
    v->seen = number;
}

/* Tell whether operands are past by the number of a past node or by lower ones. */
static int are_as_past(PyObject *operands, Value *v) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(operands); i++) {
        Value *x = (Value *)PyTuple_GET_ITEM(operands, i);
        if (is_value((PyObject *)x) && !(v->seen & 1 && x->past && x->seen & 1 && x->seen <= v->seen)) return 0;
    }
    return 1;
}

/* sink(original, leaf): let what a past leaf is about to be made of be past since the leaf is, or before. Where
 * a number is not known, nothing is done beyond: setting the operands then lets no number count any more. */
static PyObject *engine_sink(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    if (n != 2 || !is_value(args[0]) || !is_value(args[1])) return PyErr_Format(PyExc_TypeError, "sink takes two Values");
    Value *leaf = (Value *)args[1];
    List todo = {NULL, 0, 0};
    int failed = leaf->past && leaf->seen & 1 ? append(&todo, (Value *)args[0]) : 0;
    while (!failed && todo.size) {
        Value *v = todo.items[--todo.size];
        if (v->past && (!(v->seen & 1) || v->seen <= leaf->seen)) continue;
        v->past = 1;
        v->seen = leaf->seen;
        PyObject *inlined[2] = {v->first, v->second}, **operands = inlined;
        Py_ssize_t size = v->shape;
        if (v->shape == MANY) {
            operands = ((PyTupleObject *)v->first)->ob_item;
            size = Py_SIZE(v->first);
        }
        for (Py_ssize_t i = 0; i < size && !failed; i++)
            if (is_value(operands[i])) failed = append(&todo, (Value *)operands[i]);
    }
    PyMem_Free(todo.items);
    if (failed) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Get _past, which is not there if it is not known. */
static PyObject *get_past(PyObject *self, void *Py_UNUSED(closure)) {
    Value *v = (Value *)self;
    return v->past && v->seen & 1 ? PyLong_FromUnsignedLongLong(v->seen) : unset_error(self, "_past");
}

/* rewirings(): a number that changes when operands of a past node are set. */
static PyObject *engine_rewirings(PyObject *module, PyObject *Py_UNUSED(ignored)) {
    State *s = needed(PyModule_GetState(module));
    return s ? PyLong_FromUnsignedLongLong(s->rewired) : NULL;
}
