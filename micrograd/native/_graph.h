/* List a graph in order, and go through it backward. */

/* Begin a walk, in the memory of the one before. The caller owns it. */
static Walk new_walk(State *s, int backward) {
    Walk w = s->spare;
    s->spare = (Walk){.backward = 0};
    w.order.size = w.leaves.size = w.path.size = w.stops.size = w.n_past = 0;
    w.below = w.lists_stops = 0;
    w.backward = backward;
    w.bound = s->hung;
    w.unruled = w.closures = w.hidden = w.open = 0;
    return w;
}

/* Free the memory of a walk. */
static void free_walk(Walk *w) {
    PyMem_Free(w->order.items); PyMem_Free(w->leaves.items); PyMem_Free(w->path.items);
    PyMem_Free(w->past); PyMem_Free(w->stops.items);
}

/* End a walk: keep its memory for the next one, unless it is large compared to the kept nodes. */
static void end_walk(State *s, Walk *w) {
    Walk before = s->spare;
    restore_past(w);
    if (w->order.room > 2 * s->keep + 1024) { free_walk(w); return; }
    s->spare = *w;
    free_walk(&before);
}

/* Tell whether an attribute of a node is set, and not to None. Looks for it without PyDict_GetItem, which
 * may run the __eq__ of a foreign key: nothing may change the graph during a walk. Borrows the node. */
static int has_attribute(Value *v, PyObject *name) {
    PyObject *key, *x;
    Py_ssize_t position = 0;
    while (PyDict_Next(v->dict, &position, &key, &x)) {
        if (key == name || (PyUnicode_CheckExact(key) && !PyUnicode_Compare(key, name)))
            return x != Py_None;
    }
    return 0;
}

/* Tell whether a function was assigned to a node's _backward. Borrows the node. */
static inline int has_closure(State *s, Value *v) {
    return v->dict && has_attribute(v, PYTHON(s, name, _closure));
}

/* Tell whether a type defines a backward step of its own. Borrows it. */
static int steps_by_itself(State *s, PyTypeObject *type) {
    PyObject *step = _PyType_Lookup(type, PYTHON(s, name, _backward));
    return !step || Py_TYPE(step) != &PyProperty_Type ||
           _PyType_Lookup(type, PYTHON(s, name, _closure)) != Py_None;
}

/* Tell whether a node has neither an operation, nor given derivatives, nor a closure. Borrows it. */
static inline int has_no_rule(State *s, Value *v) {
    if (v->code != NO_ROW || v->shape == LEAF || (v->shape == MANY && v->second)) return 0;
    if (v->dict && has_attribute(v, PYTHON(s, name, _given))) return 0;
    if (has_closure(s, v)) return 0;
    return is_exact(Py_TYPE(v)) || !steps_by_itself(s, Py_TYPE(v));
}

/* Return what remains of a node after its first operand, so that it need not be touched again: the
 * second operand, borrowed, or NULL; for MANY, the index of the next operand, times two, plus one. */
static inline Value *rest_of(Value *v) {
    if (v->shape == MANY) return (Value *)1;
    return v->shape == TWO && v->code != POWER_OF_NUMBER ? (Value *)v->second : NULL;
}

/* Tell whether the leaves of a node, all in blocks, get their gradients through these. */
static inline int hides(State *s, Walk *w, Value *v) { return v->hides && !s->hung && !w->open; }

/* List a Value if it is a leaf: return 1 then, 0 for a node, -1 if out of memory. Borrows it. For a
 * backward pass, a leaf with a closure is listed among the nodes too, to be called: return 0. */
static inline int list_leaf(State *s, Walk *w, Value *x) {
    if (x->shape != LEAF) return 0;
    w->bound |= x->bound;
    if (append(w->backward ? &w->leaves : &w->order, x) < 0) return -1;
    if (!w->backward || !has_closure(s, x)) return 1;
    w->closures = 1;
    return 0;
}

/* Return the number of a new walk, by which it knows what it has seen. */
static inline uint64_t next_walk(State *s) { return SEEN(s->walks += 2); }

/* Fetch what lies a little behind a node in memory. A graph is recorded example by example and walked so, but
 * each of them from its end: what comes next is ahead, where the processor does not look by itself. */
static inline void fetch_nearby(Value *x) {
    enum { DISTANCE = 4096, LINE = 64 };
    __builtin_prefetch((void *)((uintptr_t)x + DISTANCE));
    __builtin_prefetch((void *)((uintptr_t)x + DISTANCE + LINE));
}

/* List the graph behind a root depth first, operands in order, but for what this walk has seen or stops at;
 * for a backward pass, set interior grads to 0. Works without recursion and without running Python code.
 * Borrows the root. */
static int walk_on(State *s, Walk *w, Value *x, uint64_t number) {
    const int may_stop = w->below != 0;
    for (int leaf;;) {
        while (x && x->seen != number) {
            if (may_stop && x->past && (leaf = stops_at(s, w, x, number))) {
                if (leaf < 0) return -1;
                break;
            }
            x->seen = number;
            if ((leaf = list_leaf(s, w, x)) < 0) return -1;
            if (leaf) break;
            fetch_nearby(x);
            Value *rest = rest_of(x);
            __builtin_prefetch((char *)(rest + 1) - 8, 1); /* its bits, which the walk looks at next */
            if (append_pair(&w->path, x, rest) < 0) return -1;
            if (w->backward && x->shape != LEAF) {
                x->grad = 0.0;
                w->unruled |= has_no_rule(s, x);
                w->closures |= has_closure(s, x);
                w->hidden |= x->hides;
            }
            x = x->shape == ONE || x->shape == TWO ? (Value *)x->first : NULL;
        }
        if (!w->path.size) return 0;
        Value **top = w->path.items + w->path.size - 2;
        if ((uintptr_t)top[1] & 1) {
            Py_ssize_t i = (uintptr_t)top[1] >> 1, n = PyTuple_GET_SIZE(top[0]->first);
            PyObject **operands = ((PyTupleObject *)top[0]->first)->ob_item;
            if (w->backward && hides(s, w, top[0])) i = n;
            for (x = NULL; i < n && !x; i++) {
                __builtin_prefetch(operands[Py_MIN(i + 8, n - 1)]);
                Value *operand = (Value *)operands[i];
                if (!is_value(operands[i]) || operand->seen == number) continue;
                if (operand->shape != LEAF || operand->dict || operand->past) x = operand;
                else if (operand->seen = number, list_leaf(s, w, operand) < 0) return -1;
            }
            top[1] = i < n ? (Value *)((uintptr_t)i << 1 | 1) : NULL;
        }
        else if ((x = top[1])) {
            top[1] = NULL;
        }
        else {
            w->path.size -= 2;
            if (append(&w->order, top[0]) < 0) return -1;
        }
    }
}

/* List the graph behind one root. */
static int walk(State *s, Walk *w, Value *root) { return walk_on(s, w, root, next_walk(s)); }

/* toposort(*roots). Borrows the roots; the caller owns the list. */
static PyObject *engine_toposort(PyObject *Py_UNUSED(module), PyObject *const *roots, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++) { /* the error is that of engine.py */
        if (!is_value(roots[i])) return PyObject_GetAttrString(roots[i], "parents");
    }
    if (!n) return PyList_New(0);
    State *s = needed(state_of(Py_TYPE(roots[0])));
    if (!s) return NULL;
    Walk w = new_walk(s, 0);
    uint64_t number = next_walk(s);
    int failed = 0;
    for (Py_ssize_t i = 0; i < n && !failed; i++) failed = walk_on(s, &w, (Value *)roots[i], number);
    PyObject *result = failed ? PyErr_NoMemory() : PyList_New(w.order.size);
    for (Py_ssize_t i = 0; result && i < w.order.size; i++)
        PyList_SET_ITEM(result, i, Py_NewRef(w.order.items[i]));
    end_walk(s, &w);
    return result;
}

/* toposort(*roots) as Python calls it. */
static PyObject *engine_toposort_of(PyObject *module, PyObject *const *roots, Py_ssize_t n, PyObject *names) {
    if (!names) return engine_toposort(module, roots, n);
    State *s = needed(PyModule_GetState(module));
    return s ? PyObject_Vectorcall(PYTHON(s, engine, toposort), roots, n, names) : NULL;
}

/* Take the step of a node that hides its leaves: collect pairs of a block and the gradients to add to it,
 * until nothing can fail any more. Borrows the node. */
static int collect(State *s, Walk *w, Value *v) {
    PyObject *pairs = PyObject_CallMethodNoArgs((PyObject *)v, PYTHON(s, name, _collect));
    if (!w->collected) w->collected = PyList_New(0);
    Py_ssize_t end = w->collected ? PyList_GET_SIZE(w->collected) : 0;
    int failed = !pairs || !w->collected || PyList_SetSlice(w->collected, end, end, pairs) < 0;
    Py_XDECREF(pairs);
    return -failed;
}

/* Take the step of a node in Python: call its closure or rules, or raise the error. Borrows the node. */
static int pass_on_in_python(State *s, Walk *w, Value *v) {
    int failed;
    if (hides(s, w, v)) {
        failed = collect(s, w, v);
    }
    else {
        PyObject *step = PyObject_GetAttr((PyObject *)v, PYTHON(s, name, _backward));
        PyObject *done = step ? PyObject_CallNoArgs(step) : NULL;
        failed = done ? 0 : -1;
        Py_XDECREF(step);
        Py_XDECREF(done);
    }
    look(s, w->bound); /* Python code ran, perhaps another backward pass */
    return failed;
}

/* Tell whether a slope of 0 of an operation stops what arrives, even nan. */
static inline int stops(int code) {
    switch (code) {
#define STOP(name) case ROW_##name:
        STOPS(STOP) return 1;
    default:
        return 0;
    }
}

/* Take the step of a node: add to each operand's grad its local derivative times the node's grad.
 * Borrows the node. */
static inline int pass_on(State *s, Walk *w, Value *v) {
    double slope, other = 0.0, out = v->data;
    if (v->code == NO_ROW || has_closure(s, v)) return pass_on_in_python(s, w, v);
    if (v->grad == 0.0) return 0;
    Value *x = (Value *)v->first, *y = (Value *)v->second;
    switch (v->code) {
#define RULE1(name) case ROW_##name: slope = name##_slope_0(x->data, out); break;
        UNARY_ROWS(RULE1)
    case POWER_OF_NUMBER:
        plain_number(v->second, &other);
        slope = power_slope_0(x->data, other, out);
        break;
#define RULE2(name)                                                                                \
    case ROW_##name:                                                                              \
        slope = name##_slope_0(x->data, y->data, out);                                            \
        other = name##_slope_1(x->data, y->data, out);                                            \
        if (!isfinite(slope) || !isfinite(other)) return pass_on_in_python(s, w, v);              \
        if (slope != 0.0 || !stops(ROW_##name)) x->grad += slope * v->grad;                       \
        if (other != 0.0 || !stops(ROW_##name)) y->grad += other * v->grad;                       \
        return 0;
        BINARY_ROWS(RULE2)
    default:
        Py_UNREACHABLE();
    }
    if (!isfinite(slope)) return pass_on_in_python(s, w, v);
    if (slope != 0.0 || !stops(v->code)) x->grad += slope * v->grad;
    return 0;
}

/* Add what was collected to the grads of the blocks. Borrows it. */
static int add_collected(State *s, PyObject *collected) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(collected); i++) {
        PyObject *pair = PyList_GET_ITEM(collected, i);
        if (add_to_block(s, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1)) < 0) return -1;
    }
    return 0;
}

/* Go backward through the nodes that a walk has listed. Saves the grads of the leaves in `before`, and
 * restores them on failure. Borrows everything. */
static int pass_back(State *s, Walk *w, Value *root, double *before) {
    int failed = 0;
    Py_ssize_t n = w->leaves.size;
    change(s, w->bound, GRAD); /* and again at the end: blocks may be used meanwhile */
    for (Py_ssize_t i = 0; i < n; i++) before[i] = w->leaves.items[i]->grad;
    root->grad += 1.0;
    for (Py_ssize_t i = w->order.size - 1; i >= 0 && !failed; i--) {
        if (i >= 8) __builtin_prefetch(&w->order.items[i - 8]->data);
        failed = pass_on(s, w, w->order.items[i]);
    }
    for (Py_ssize_t i = 0; failed && i < n; i++) w->leaves.items[i]->grad = before[i];
    change(s, w->bound, GRAD);
    return failed || !w->collected ? failed : add_collected(s, w->collected);
}

/* Before a backward pass, see to nodes without a rule and call the hook, leaves first. Borrows the
 * root. */
static int check_nodes(State *s, Walk *w, PyObject *root) {
    PyObject *done = NULL;
    if (w->unruled) {
        PyObject *order = engine_toposort(NULL, &root, 1);
        if (order) done = PyObject_CallOneArg(PYTHON(s, custom_nodes, refuse_without_rule), order);
        Py_XDECREF(order);
        if (!done) return -1;
        Py_DECREF(done);
    }
    if (s->before_backward) {
        Py_ssize_t leaves = w->leaves.size;
        PyObject *nodes = PyList_New(leaves + w->order.size);
        for (Py_ssize_t i = 0; nodes && i < PyList_GET_SIZE(nodes); i++)
            PyList_SET_ITEM(nodes, i, Py_NewRef(i < leaves ? w->leaves.items[i]
                                                           : w->order.items[i - leaves]));
        done = nodes ? PyObject_CallOneArg(s->before_backward, nodes) : NULL;
        Py_XDECREF(nodes);
        if (!done) return -1;
        Py_DECREF(done);
    }
    return 0;
}

/* Value.backward(). The caller's reference to the root keeps the graph alive. */
static PyObject *value_backward(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    if (n || names || is_unset((Value *)self))
        return call_as_python(self, "backward", args, n, names);
    State *s = needed(state_of(Py_TYPE(self)));
    if (!s) return NULL;
    look(s, s->hung);
    Walk w = new_walk(s, 1);
    double *before = NULL;
    int failed = walk(s, &w, (Value *)self);
    if (!failed && w.closures && w.hidden) {
        w.order.size = w.leaves.size = w.path.size = 0;
        w.open = 1;
        failed = walk(s, &w, (Value *)self);
    }
    w.unruled |= ((Value *)self)->shape == LEAF && ((Value *)self)->second;
    if (failed || !(before = PyMem_Malloc((w.leaves.size + 1) * sizeof(double)))) {
        PyErr_NoMemory();
        failed = -1;
    }
    else {
        trim(s);
        s->walking++;
        failed = check_nodes(s, &w, self) < 0 ? -1 : pass_back(s, &w, (Value *)self, before);
        s->walking--;
    }
    PyMem_Free(before);
    Py_CLEAR(w.collected);
    end_walk(s, &w);
    if (failed) return NULL;
    Py_RETURN_NONE;
}

/* hide_leaves(node), for good; see blocks.py. Borrows it. */
static PyObject *engine_hide_leaves(PyObject *Py_UNUSED(module), PyObject *node) {
    if (is_value(node)) ((Value *)node)->hides = 1;
    Py_RETURN_NONE;
}
