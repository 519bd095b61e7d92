/* The operators and methods of Value: the operations that have a C form. */

/* Tell whether C may compute on an operand: it is a Value, or a subclass's that has no `_apply` of its own. */
static inline int is_operand(State *s, PyObject *x) {
    return Py_TYPE(x) == s->type ||
           (value_type(Py_TYPE(x)) == s->type && _PyType_Lookup(Py_TYPE(x), PYTHON(s, name, _apply)) == s->apply);
}

/* Apply an operation in Python. Borrows the operands (`y` may be NULL); the caller owns the result. */
static PyObject *apply_in_python(int code, PyObject *x, PyObject *y) {
    PyObject *owner = is_value(x) ? x : y;
    State *s = needed(state_of(Py_TYPE(owner)));
    if (!s || PyErr_Occurred()) return NULL; /* an error of C comes first */
    PyObject *operands = y ? PyTuple_Pack(2, x, y) : PyTuple_Pack(1, x);
    if (!operands) return NULL;
    PyObject *op = s->rows[code], *result;
    if (is_operand(s, owner))
        result = PyObject_CallFunctionObjArgs(PYTHON(s, Value, _apply), owner, op, operands, NULL);
    else result = PyObject_CallMethodObjArgs(owner, PYTHON(s, name, _apply), op, operands, NULL);
    Py_DECREF(operands);
    return result;
}

/* Make a leaf of a plain number; NULL for anything else, and with an error for one that occurred, in
 * on_new perhaps. The caller owns it. */
static inline Value *leaf_of_number(State *s, PyObject *x) {
    double data;
    Value *v = plain_number(x, &data) ? new_leaf(s, data) : NULL;
    if (v) v->plain = 1;
    return v;
}

/* Return the state if C may compute on this operand alone; else NULL. */
static inline State *take_one(PyObject *x) {
    State *s = state_of(Py_TYPE(x));
    return s && is_operand(s, x) ? s : NULL;
}

/* Get an operand as a Value, a new reference; NULL if C has none. */
static inline Value *take_operand(State *s, PyObject *x) {
    return is_operand(s, x) ? (Value *)Py_NewRef(x) : leaf_of_number(s, x);
}

/* take_pair for operands of which the first is no Value, or of a subclass. */
static State *take_other_pair(PyObject *left, PyObject *right, Value **x, Value **y) {
    State *s = is_value(left) ? take_one(left) : take_one(right);
    *x = s ? take_operand(s, left) : NULL;
    *y = *x ? take_operand(s, right) : NULL;
    if (*x && !*y) Py_CLEAR(*x);
    return *y ? s : NULL;
}

/* Get two operands as Values, new references, and return the state; NULL if the operation is left to
 * Python, which an error keeps from it. Borrows both. */
static inline State *take_pair(PyObject *left, PyObject *right, Value **x, Value **y) {
    if (!is_exact(Py_TYPE(left))) return take_other_pair(left, right, x, y);
    State *s = state_of(Py_TYPE(left));
    if (!s) return NULL;
    *y = take_operand(s, right);
    *x = *y ? (Value *)Py_NewRef(left) : NULL;
    return *y ? s : NULL;
}

/* x + y and so on: an operator for each operation on two operands. */
#define BINARY(name)                                                                              \
    static PyObject *name##_operator(PyObject *left, PyObject *right) { \
        Value *x, *y;                                                                             \
        State *s = take_pair(left, right, &x, &y);                                                \
        if (s) {                                                                                  \
            look(s, x->bound | y->bound);                                                         \
            double out = name##_value(x->data, y->data);                                          \
            if (isfinite(out)) return record(s, ROW_##name, x, (PyObject *)y, out);               \
            Py_DECREF(x);                                                                         \
            Py_DECREF(y);                                                                         \
        }                                                                                         \
        return apply_in_python(ROW_##name, left, right);                                          \
    }
BINARY_ROWS(BINARY)

/* -x, abs(x), x.tanh() and so on: each operation on one operand. */
#define UNARY(name)                                                                               \
    static PyObject *name##_operator(PyObject *self) { \
        Value *x = (Value *)self;                                                                 \
        State *s = take_one(self);                                                                \
        if (s) {                                                                                  \
            look(s, x->bound);                                                                    \
            double out = name##_value(x->data);                                                   \
            if (isfinite(out)) return record(s, ROW_##name, (Value *)Py_NewRef(x), NULL, out);    \
        }                                                                                         \
        return apply_in_python(ROW_##name, self, NULL);                                           \
    }
UNARY_ROWS(UNARY)

/* Call a method of the Value in Python, for a call that C does not take: the error is Python's. Borrows
 * everything; the caller owns the result. */
static PyObject *call_as_python(PyObject *self, const char *name, PyObject *const *args, Py_ssize_t n,
                                PyObject *names) {
    State *s = needed(state_of(Py_TYPE(self)));
    PyObject *method = s ? PyObject_GetAttrString(PYTHON(s, engine, Value), name) : NULL;
    Py_ssize_t size = n + (names ? PyTuple_GET_SIZE(names) : 0);
    PyObject **all = method ? PyMem_Malloc((size + 1) * sizeof(PyObject *)) : NULL, *result = NULL;
    if (all) {
        all[0] = self;
        memcpy(all + 1, args, size * sizeof(PyObject *));
        result = PyObject_Vectorcall(method, all, n + 1, names);
    }
    else if (method) PyErr_NoMemory();
    PyMem_Free(all);
    Py_XDECREF(method);
    return result;
}

/* The same as methods. */
#define UNARY_METHOD(name)                                                                        \
    static PyObject *name##_method(PyObject *self, PyObject *const *args, Py_ssize_t n,           \
                                   PyObject *names) {                                             \
        return n || names ? call_as_python(self, #name, args, n, names) : name##_operator(self);  \
    }
UNARY_METHODS(UNARY_METHOD)

/* x.maximum(y) and so on: call the Op where an operator would return NotImplemented. */
#define BINARY_METHOD(name)                                                                       \
    static PyObject *name##_method(PyObject *self, PyObject *const *args, Py_ssize_t n,           \
                                   PyObject *names) {                                             \
        PyObject *out = n == 1 && !names ? name##_operator(self, args[0]) : NULL;                 \
        if (out ? out != Py_NotImplemented : n == 1 && !names) return out;                        \
        Py_XDECREF(out);                                                                          \
        return call_as_python(self, #name, args, n, names);                                       \
    }
BINARY_METHODS(BINARY_METHOD)

/* x ** y: a number exponent stays a number. Borrows everything; the caller owns the result. */
static PyObject *value_power(PyObject *left, PyObject *right, PyObject *modulus) {
    double exponent;
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    State *s = is_value(left) ? take_one(left) : NULL;
    if (s && plain_number(right, &exponent)) {
        Value *x = (Value *)left;
        look(s, x->bound);
        double out = power_value(x->data, exponent);
        if (isfinite(out))
            return record(s, POWER_OF_NUMBER, (Value *)Py_NewRef(x), Py_NewRef(right), out);
    }
    else if (s && !is_value(right)) {
        return apply_in_python(ROW_power, left, right);
    }
    return power_operator(left, right);
}

/* Value._apply(op, operands): what an Op calls when it gets Values. Borrows everything. */
static PyObject *value_apply(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    if (n != 2 || names || !PyTuple_Check(args[1]))
        return call_as_python(self, "_apply", args, n, names);
    State *s = needed(state_of(Py_TYPE(self)));
    if (!s) return NULL;
    PyObject *known = PyDict_GetItemWithError(s->codes, args[0]);
    Py_ssize_t size = PyTuple_GET_SIZE(args[1]);
    PyObject *x = size ? PyTuple_GET_ITEM(args[1], 0) : NULL;
    PyObject *y = size == 2 ? PyTuple_GET_ITEM(args[1], 1) : NULL;
    if (known && x && is_operand(s, x) && (!y || is_operand(s, y))) {
        long code = PyLong_AsLong(known);
        if (size != (code < N_UNARY ? 1 : 2)) code = NO_ROW;
        switch (code) {
#define CALL1(name) case ROW_##name: return name##_operator(x);
#define CALL2(name) case ROW_##name: return name##_operator(x, y);
            UNARY_ROWS(CALL1)
            BINARY_ROWS(CALL2)
        }
    }
    if (PyErr_Occurred()) return NULL;
    return PyObject_CallFunctionObjArgs(PYTHON(s, Value, _apply), self, args[0], args[1], NULL);
}
