/* Take down a recorded graph as lists, see programs/trace/recording.py. */

/* Return the operands of a node by their places; numbers are appended to a list, and have negative places.
 * The caller owns the tuple. */
static PyObject *places_of_operands(Value *v, uint64_t base, Py_ssize_t n, PyObject *numbers) {
    PyObject *inlined[2] = {v->first, v->second}, **operands = inlined;
    Py_ssize_t size = v->shape;
    if (v->shape == MANY) {
        operands = ((PyTupleObject *)v->first)->ob_item;
        size = Py_SIZE(v->first);
    }
    PyObject *found = PyTuple_New(size);
    for (Py_ssize_t i = 0; found && i < size; i++) {
        Py_ssize_t place = is_value(operands[i]) ? place_of(operands[i], base, n) : NOWHERE;
        int failed = place == NOWHERE && PyList_Append(numbers, operands[i]) < 0;
        if (place == NOWHERE) place = -PyList_GET_SIZE(numbers);
        PyObject *x = failed ? NULL : PyLong_FromSsize_t(place);
        if (x) PyTuple_SET_ITEM(found, i, x);
        else Py_CLEAR(found);
    }
    return found;
}

/* take_down(values): see programs/trace/recording.py. Borrows the list; the caller owns the tuple. */
static PyObject *engine_take_down(PyObject *module, PyObject *values) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    if (!PyList_CheckExact(values)) return PyErr_Format(PyExc_TypeError, "take_down takes a list");
    Py_ssize_t n = PyList_GET_SIZE(values);
    uint64_t base = SEEN(s->walks + 2);
    s->walks += 2 * (n + 1);
    PyObject *ops = PyList_New(n), *operands = PyList_New(n), *rare = PyList_New(0), *numbers = PyList_New(0);
    int failed = !ops || !operands || !rare || !numbers;
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        PyObject *v = PyList_GET_ITEM(values, i);
        if (!is_value(v)) failed = !PyErr_Format(PyExc_TypeError, "take_down takes Values");
        else ((Value *)v)->seen = SEEN(base + 2 * i);
    }
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        Value *v = (Value *)PyList_GET_ITEM(values, i);
        PyObject *op = get_op((PyObject *)v, NULL);
        PyObject *found = op ? places_of_operands(v, base, n, numbers) : NULL;
        failed = !found;
        PyList_SET_ITEM(ops, i, op);
        PyList_SET_ITEM(operands, i, found);
        if (!failed && (v->dict || !is_exact(Py_TYPE(v)) || op == Py_None)) {
            PyObject *place = PyLong_FromSsize_t(i);
            failed = !place || PyList_Append(rare, place) < 0;
            Py_XDECREF(place);
        }
    }
    PyObject *result = failed ? NULL : PyTuple_Pack(4, ops, operands, numbers, rare);
    Py_XDECREF(ops); Py_XDECREF(operands); Py_XDECREF(numbers); Py_XDECREF(rare);
    return result;
}
