/* The attributes of Value, and its comparisons. */

/* Make a tuple of objects, or of the Values among them. Borrows them. */
static PyObject *new_tuple(PyObject **items, Py_ssize_t n, int only_values) {
    Py_ssize_t size = 0;
    for (Py_ssize_t i = 0; i < n; i++) size += !only_values || is_value(items[i]);
    PyObject *result = PyTuple_New(size);
    for (Py_ssize_t i = 0, j = 0; result && i < n; i++) {
        if (!only_values || is_value(items[i])) PyTuple_SET_ITEM(result, j++, Py_NewRef(items[i]));
    }
    return result;
}

/* Make a leaf a node: store its operation (NULL for none) and its operands. Borrows them. */
static int set_operands(State *s, Value *v, PyObject *op, PyObject *operands) {
    Py_ssize_t n = PyTuple_GET_SIZE(operands);
    int forgetting = forgets(s);
    if (forgetting > 0 && n) v->second = Py_NewRef(Py_None);
    if (forgetting) return forgetting < 0 ? -1 : 0;
    s->hung |= v->bound;
    if (v->past && !are_as_past(operands, v)) s->rewired = next_past(s);
    PyObject *known = op ? PyDict_GetItemWithError(s->codes, op) : NULL;
    if (!known && PyErr_Occurred()) return -1;
    int code = known && is_exact(Py_TYPE(v)) ? (int)PyLong_AsLong(known) : NO_ROW;
    int values = 0, tracked = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *x = PyTuple_GET_ITEM(operands, i);
        if (!is_value(x)) {
            tracked |= PyObject_IS_GC(x);
            continue;
        }
        values++;
        ((Value *)x)->used = 1;
        tracked |= ((Value *)x)->tracked;
    }
    if ((v->used || (op && !known)) && hang(s, v) < 0) return -1;
    double exponent;
    if (code == ROW_power && n == 2 && values == 1 && is_value(PyTuple_GET_ITEM(operands, 0)) &&
        plain_number(PyTuple_GET_ITEM(operands, 1), &exponent)) {
        code = POWER_OF_NUMBER;
    }
    else if (values < n || (code && n != (code < N_UNARY ? 1 : 2))) code = NO_ROW;
    if (code || (!op && values == n && n <= 2)) {
        v->code = code;
        v->shape = n == 0 ? LEAF : n == 1 ? ONE : TWO;
        v->first = n > 0 ? Py_NewRef(PyTuple_GET_ITEM(operands, 0)) : NULL;
        v->second = n > 1 ? Py_NewRef(PyTuple_GET_ITEM(operands, 1)) : NULL;
    }
    else {
        /* A copy of the tuple, so that it can be untracked. */
        PyObject *own = new_tuple(((PyTupleObject *)operands)->ob_item, n, 0);
        if (!own) return -1;
        if (n && !v->tracked) PyObject_GC_UnTrack(own);
        v->shape = MANY;
        v->first = own;
        v->second = Py_XNewRef(op);
    }
    if (tracked) track(v);
    return 0;
}

/* Get args, or parents if `only_values` is set. The caller owns the tuple. */
static PyObject *get_operands(PyObject *self, void *only_values) {
    Value *v = (Value *)self;
    if (is_unset(v)) return unset_error(self, "_args");
    PyObject *inlined[2] = {v->first, v->second};
    if (v->shape != MANY) return new_tuple(inlined, v->shape, only_values != NULL);
    return new_tuple(((PyTupleObject *)v->first)->ob_item, Py_SIZE(v->first), only_values != NULL);
}

/* Get op. The caller owns the result. */
static PyObject *get_op(PyObject *self, void *Py_UNUSED(closure)) {
    Value *v = (Value *)self;
    if (is_unset(v)) return unset_error(self, "op");
    int named = v->shape == MANY || v->shape == LEAF;
    State *s = needed(state_of(Py_TYPE(self)));
    if (!s) return NULL;
    PyObject *op = named ? v->second : s->rows[v->code];
    return Py_NewRef(op ? op : Py_None);
}

/* Refuse to set or delete an attribute: the error is that of the property in Python. */
static int refuse_as_python(PyObject *self, PyObject *x, void *name) {
    State *s = needed(state_of(Py_TYPE(self)));
    PyObject *property = s ? PyObject_GetAttrString(PYTHON(s, engine, Value), name) : NULL;
    if (property) Py_TYPE(property)->tp_descr_set(property, self, x);
    Py_XDECREF(property);
    return -1;
}

/* Set op (if `is_op` is set) or args of a node that has operands already. Borrows what is set. */
static int change_making(State *s, Value *v, PyObject *x, int is_op) {
    if (s->walking || v->hides) {
        PyErr_SetString(PyExc_RuntimeError,
                        "op and args of a node cannot be changed while derivatives are taken");
        return -1;
    }
    PyObject *op = is_op ? Py_NewRef(x) : get_op((PyObject *)v, NULL);
    PyObject *args = is_op ? get_operands((PyObject *)v, NULL) : Py_NewRef(x);
    PyObject *first = v->first, *second = v->second;
    int failed = !op || !args || hang(s, v) < 0;
    if (!failed) {
        v->code = NO_ROW;
        v->shape = LEAF;
        v->first = v->second = NULL;
        failed = set_operands(s, v, op == Py_None ? NULL : op, args) < 0;
        Py_XDECREF(first);
        Py_XDECREF(second);
    }
    Py_XDECREF(op);
    Py_XDECREF(args);
    return -failed;
}

/* Set op (if `is_op` is set) or args. To make a node of a leaf, op is set first, and waits in the place of
 * the second operand. Borrows what is set. */
static int set_making(PyObject *self, PyObject *x, void *is_op) {
    Value *v = (Value *)self;
    if (!x || (!is_op && !PyTuple_Check(x))) {
        PyErr_SetString(PyExc_AttributeError, "op is an operation and args a tuple; they stay");
        return -1;
    }
    State *s = needed(state_of(Py_TYPE(self)));
    if (!s) return -1;
    if (v->shape != LEAF) return change_making(s, v, x, is_op != NULL);
    if (is_op) {
        int known = can_cycle(x) ? PyDict_Contains(s->codes, x) : 1;
        if (known < 0 && forget(PyExc_TypeError) < 0) return -1; /* not even hashable */
        if (known <= 0 && hang(s, v) < 0) return -1;
        Py_XSETREF(v->second, x == Py_None ? NULL : Py_NewRef(x));
        return 0;
    }
    PyObject *op = v->second;
    v->second = NULL;
    int failed = set_operands(s, v, op == Py_None ? NULL : op, x);
    Py_XDECREF(op);
    return failed;
}

/* Return the state if any thread traces a program, so that Python must be asked; else NULL. */
static inline State *tracing(PyObject *self) {
    State *s = state_of(Py_TYPE(self));
    return s && PyDict_GET_SIZE(PYTHON(s, hooks, tracers)) ? s : NULL;
}

/* Get _number or _grad. The caller owns the result. */
static PyObject *get_raw(PyObject *self, void *name) {
    Value *v = (Value *)self;
    if (is_unset(v)) return unset_error(self, which_of(name) == DATA ? "_number" : "_grad");
    if (v->bound) look_at_all(state_of(Py_TYPE(self)));
    return PyFloat_FromDouble(*number_of(self, which_of(name)));
}

/* Get data or grad. The caller owns the result. */
static PyObject *get_number(PyObject *self, void *name) {
    State *s = tracing(self);
    if (s) return PyObject_CallFunction(PYTHON(s, base, read_traced), "Os", self, name);
    return get_raw(self, name);
}

/* Set any of these four. Borrows the number. */
static int set_number(PyObject *self, PyObject *number, void *name) {
    State *s = needed(state_of(Py_TYPE(self)));
    double x;
    if (!s) return -1;
    if (!number) {
        refuse_as_python(self, NULL, name);
        return -1;
    }
    if (as_double(s, number, name, &x) < 0) return -1;
    change(s, ((Value *)self)->bound, which_of(name));
    *number_of(self, which_of(name)) = x;
    return 0;
}

/* Get _is_plain_number. The caller owns the result. */
static PyObject *get_plain(PyObject *self, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(((Value *)self)->plain);
}

/* Set _is_plain_number. Borrows the truth. */
static int set_plain(PyObject *self, PyObject *x, void *Py_UNUSED(closure)) {
    int truth = x ? PyObject_IsTrue(x) : 0;
    if (truth >= 0) ((Value *)self)->plain = truth;
    return truth < 0 ? -1 : 0;
}

/* The getter and setter of _forgot, which is for leaves. */
static PyObject *get_forgot(PyObject *self, void *Py_UNUSED(closure)) {
    Value *v = (Value *)self;
    return PyBool_FromLong(v->shape == LEAF && v->second == Py_None);
}

static int set_forgot(PyObject *self, PyObject *x, void *Py_UNUSED(closure)) {
    Value *v = (Value *)self;
    if (v->shape == LEAF) Py_XSETREF(v->second, x == Py_True ? Py_NewRef(Py_None) : NULL);
    return 0;
}

/* The getter and setter of _is_variable. */
static PyObject *get_variable(PyObject *self, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(((Value *)self)->variable);
}

static int set_variable(PyObject *self, PyObject *x, void *Py_UNUSED(closure)) {
    ((Value *)self)->variable = x == Py_True;
    return 0;
}

/* Get the dict of attributes. The caller may put anything into it, so track the node. */
static PyObject *get_dict(PyObject *self, void *closure) {
    State *s = needed(state_of(Py_TYPE(self)));
    if (!s || hang(s, (Value *)self) < 0) return NULL;
    return PyObject_GenericGetDict(self, closure);
}

/* Set the dict of attributes. Borrows it. */
static int set_dict(PyObject *self, PyObject *dict, void *closure) {
    State *s = needed(state_of(Py_TYPE(self)));
    if (!s) return -1;
    s->hung |= ((Value *)self)->bound;
    if (hang(s, (Value *)self) < 0) return -1;
    return PyObject_GenericSetDict(self, dict, closure);
}

/* Get a copy of the dict of attributes, without tracking the node. The caller owns it. */
static PyObject *get_attributes(PyObject *self, void *Py_UNUSED(closure)) {
    PyObject *dict = ((Value *)self)->dict;
    return dict ? PyDict_Copy(dict) : PyDict_New();
}

/* v.name = x. Tracks the node where x may form a cycle, unless a descriptor of Value takes x. Borrows both. */
static int value_setattro(PyObject *self, PyObject *name, PyObject *x) {
    if (x && can_cycle(x)) {
        State *s = needed(state_of(Py_TYPE(self)));
        PyObject *own = s ? PyDict_GetItemWithError(s->type->tp_dict, name) : NULL;
        if (!s || (!own && PyErr_Occurred())) return -1;
        if (((Value *)self)->bound && !PyUnicode_Compare(name, PYTHON(s, name, _closure))) s->hung = 1;
        if (!(own && Py_TYPE(own)->tp_descr_set) && hang(s, (Value *)self) < 0) return -1;
    }
    return PyObject_GenericSetAttr(self, name, x);
}

/* v._set_attribute(name, x), in strict mode, which puts a method of its own before the above. */
static PyObject *value_set_attribute(PyObject *self, PyObject *args) {
    PyObject *name, *x;
    if (!PyArg_ParseTuple(args, "UO", &name, &x) || value_setattro(self, name, x) < 0) return NULL;
    Py_RETURN_NONE;
}

/* Compare the data; but == and != between Values are identity (nan is not equal to itself). Borrows
 * both. */
static PyObject *value_richcompare(PyObject *self, PyObject *other, int op) {
    State *s = state_of(Py_TYPE(self));
    int of_values = is_value(other);
    double y = 0.0;
    int unset = is_unset((Value *)self) || (of_values && is_unset((Value *)other));
    if (tracing(self) || unset || !(of_values || plain_number(other, &y))) {
        if (!s || !s->type) Py_RETURN_NOTIMPLEMENTED; /* Python shuts down */
        return PyObject_CallFunction(PYTHON(s, base, compared), "OOi", self, other, op);
    }
    if (of_values && self != other && (op == Py_EQ || op == Py_NE)) Py_RETURN_NOTIMPLEMENTED;
    if (s) look(s, ((Value *)self)->bound | (of_values && ((Value *)other)->bound));
    double x = ((Value *)self)->data;
    if (of_values) y = ((Value *)other)->data;
    Py_RETURN_RICHCOMPARE(x, y, op);
}

/* Hash by identity: a type with comparisons does not inherit that. */
static Py_hash_t value_hash(PyObject *self) { return PyBaseObject_Type.tp_hash(self); }
