/* Read and write the numbers of many Values at once: see bulk.py. */

/* Take apart arguments that are Values in a list or tuple, and as many float64: fill `view`, which the
 * caller releases, and return 1; 0 for other arguments, for which Python raises the errors, -1 for an
 * error. Getting the buffer may run Python code, which may change the list. */
static int fit(PyObject *const *args, Py_ssize_t n, Py_buffer *view, int flags) {
    if (n != 2 || !(PyList_CheckExact(args[0]) || PyTuple_CheckExact(args[0]))) return 0;
    int fits = take_float64(args[1], Py_SIZE(args[0]), flags, view);
    if (fits <= 0) return fits;
    PyObject **items = PySequence_Fast_ITEMS(args[0]);
    Py_ssize_t size = Py_SIZE(args[0]), i = 0;
    while (i < size && is_value(items[i])) i++;
    if (i == size && view->len == size * 8) return 1;
    PyBuffer_Release(view);
    return 0;
}

/* read_data(values, buffer) and so on. Borrows both. */
#define BULK(name, flags, which, what)                                                      \
    static PyObject *bulk_##name(PyObject *module, PyObject *const *args, Py_ssize_t n) {          \
        Py_buffer view;                                                                            \
        State *s = needed(PyModule_GetState(module));                                              \
        int fits = s ? fit(args, n, &view, flags) : -1;                                            \
        if (fits < 0) return NULL;                                                                 \
        if (!fits) return PyObject_Vectorcall(PYTHON(s, bulk, name), args, n, NULL);               \
        PyObject **items = PySequence_Fast_ITEMS(args[0]);                                         \
        double *x = view.buf;                                                                      \
        flags ? look_at_all(s) : change(s, 1, which);                                              \
        for (Py_ssize_t i = 0; i < view.len / 8; i++) {                                            \
            Value *v = (Value *)items[i];                                                          \
            what;                                                                                  \
        }                                                                                          \
        PyBuffer_Release(&view);                                                                   \
        Py_RETURN_NONE;                                                                            \
    }
BULK(read_data, PyBUF_WRITABLE, DATA, x[i] = v->data)
BULK(write_data, 0, DATA, v->data = x[i])
BULK(read_grads, PyBUF_WRITABLE, GRAD, x[i] = v->grad)
BULK(write_grads, 0, GRAD, v->grad = x[i])
BULK(add_grads, 0, GRAD, v->grad += x[i])
