/* Read and write the numbers of many Values at once: see bulk.py. */

/* Take apart arguments that are a list or tuple and as many float64: fill `view`, which the caller
 * releases, and return the items, borrowed. NULL, without an error, for other arguments. */
static PyObject **fit(PyObject *const *args, Py_ssize_t n, Py_buffer *view, int flags) {
    if (n != 2 || !(PyList_CheckExact(args[0]) || PyTuple_CheckExact(args[0]))) return NULL;
    return take_float64(args[1], Py_SIZE(args[0]), flags, view) ? PySequence_Fast_ITEMS(args[0]) : NULL;
}

/* read_data(values, buffer) and so on, in one pass over memory. Writers save the old numbers, to restore
 * them if an item is no Value. Python raises the errors. Borrows both. */
#define BULK(name, flags, which, field, what)                                                      \
    static PyObject *bulk_##name(PyObject *module, PyObject *const *args, Py_ssize_t n) {          \
        Py_buffer view;                                                                            \
        PyObject **items = fit(args, n, &view, flags);                                             \
        State *s = PyModule_GetState(module);                                                      \
        PyObject *python = PYTHON(s, bulk, name);                                                    \
        if (!items) return PyObject_Vectorcall(python, args, n, NULL);                             \
        double *x = view.buf, *before = flags ? NULL : PyMem_Malloc(view.len + 1);                 \
        Py_ssize_t i = 0, size = flags || before ? view.len / 8 : 0;                               \
        flags ? look_at_all(s) : change(s, 1, which);                                              \
        for (; i < size && is_value(items[i]); i++) {                                              \
            Value *v = (Value *)items[i];                                                          \
            if (before) before[i] = v->field;                                                      \
            what;                                                                                  \
        }                                                                                          \
        int done = i == view.len / 8;                                                              \
        while (!done && before && i--) ((Value *)items[i])->field = before[i];                     \
        PyMem_Free(before);                                                                        \
        PyBuffer_Release(&view);                                                                   \
        if (!done) return PyObject_Vectorcall(python, args, n, NULL);                              \
        Py_RETURN_NONE;                                                                            \
    }
BULK(read_data, PyBUF_WRITABLE, DATA, data, x[i] = v->data)
BULK(write_data, 0, DATA, data, v->data = x[i])
BULK(read_grads, PyBUF_WRITABLE, GRAD, grad, x[i] = v->grad)
BULK(write_grads, 0, GRAD, grad, v->grad = x[i])
BULK(add_grads, 0, GRAD, grad, v->grad += x[i])
