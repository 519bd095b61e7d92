/* Sums of products: see products.py. */

/* Tell whether an object is a Value that is no subclass's, or a float or int. Borrows it. */
static inline int is_ordinary(State *s, PyObject *x) {
    return Py_TYPE(x) == s->type || PyFloat_CheckExact(x) || PyLong_CheckExact(x);
}

/* x * y if one of them is a Value; NULL, without an error, for others. Borrows both; the caller owns the
 * result. */
static inline PyObject *product_of(State *s, PyObject *x, PyObject *y) {
    if (!is_value(x) && !is_value(y)) return NULL;
    /* A subclass may have a product of its own. */
    return is_ordinary(s, x) && is_ordinary(s, y) ? multiply_operator(x, y) : PyNumber_Multiply(x, y);
}

/* x + y. Steals both; the caller owns the result. */
static inline PyObject *sum_of(State *s, PyObject *x, PyObject *y) {
    if (Py_TYPE(x) == s->type && Py_TYPE(y) == s->type) {
        look(s, ((Value *)x)->bound);
        double out = add_value(((Value *)x)->data, ((Value *)y)->data);
        if (isfinite(out)) return record(s, ROW_add, (Value *)x, y, out);
    }
    PyObject *out = PyNumber_Add(x, y);
    Py_DECREF(x);
    Py_DECREF(y);
    return out;
}

/* Add up the products; NULL, without an error, if Python has to. Code that is not ours may change the
 * lists meanwhile. */
static PyObject *add_products(State *s, PyObject *ws, PyObject *xs, PyObject *start) {
    Py_ssize_t n = Py_SIZE(ws);
    PyObject *total = start ? Py_NewRef(start) : PyLong_FromLong(0);
    for (Py_ssize_t i = 0; total && i < n; i++) {
        PyObject *product = NULL;
        if (Py_SIZE(ws) == n && Py_SIZE(xs) == n) {
            PyObject *w = Py_NewRef(PySequence_Fast_GET_ITEM(ws, i));
            PyObject *x = Py_NewRef(PySequence_Fast_GET_ITEM(xs, i));
            product = product_of(s, w, x);
            Py_DECREF(w);
            Py_DECREF(x);
        }
        if (product) total = sum_of(s, total, product);
        else Py_CLEAR(total);
    }
    return total;
}

/* Tell whether an object is a list or a tuple. */
static inline int is_plain_sequence(PyObject *x) { return PyList_CheckExact(x) || PyTuple_CheckExact(x); }

/* dot(ws, xs, start=0). Borrows everything; the caller owns the result. */
static PyObject *engine_dot(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    int named = names && PyTuple_GET_SIZE(names) == 1 && n == 2 &&
                !PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "start");
    if ((named || (!names && (n == 2 || n == 3))) && is_plain_sequence(args[0]) &&
        is_plain_sequence(args[1]) && Py_SIZE(args[0]) == Py_SIZE(args[1])) {
        PyObject *total = add_products(s, args[0], args[1], named || n == 3 ? args[2] : NULL);
        if (total || PyErr_Occurred()) return total;
    }
    return PyObject_Vectorcall(PYTHON(s, products, dot), args, n, names);
}
