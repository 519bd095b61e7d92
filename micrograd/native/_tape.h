/* Write a graph on the tape of a program: programs/trace/tape.py says what it means. */

/* The attributes of a tape: four lists with an entry per node, and what finds nodes that are there. */
typedef struct {
    PyObject *ops, *operands, *varies, *active;
    PyObject *constants, *written, *constant, *known, *passing;
} Tape;

/* Return item `i` of a list, borrowed; a negative one counts from the end. Sets IndexError. */
static PyObject *item_of(PyObject *list, PyObject *i) {
    Py_ssize_t at = PyLong_AsSsize_t(i);
    if (at == -1 && PyErr_Occurred()) return NULL;
    if (at < 0) at += PyList_GET_SIZE(list);
    return PyList_GetItem(list, at);
}

/* Return where the operands stand on the tape; the caller owns the tuple. */
static PyObject *places_found(PyObject *operands, PyObject *at) {
    Py_ssize_t n = PyTuple_GET_SIZE(operands);
    PyObject *found = PyTuple_New(n);
    for (Py_ssize_t i = 0; found && i < n; i++) {
        PyObject *place = item_of(at, PyTuple_GET_ITEM(operands, i));
        if (place) PyTuple_SET_ITEM(found, i, Py_NewRef(place));
        else Py_CLEAR(found);
    }
    return found;
}

/* Append a node, and return its place, which the caller owns. Borrows all. */
static PyObject *new_on_tape(State *s, Tape *tape, PyObject *op, PyObject *found) {
    PyObject *rules = PyObject_GetAttr(op, PYTHON(s, name, derivatives));
    int varies = 0, active = 0, failed = !rules || !PyTuple_Check(rules);
    for (Py_ssize_t i = 0; !failed && i < PyTuple_GET_SIZE(found); i++) {
        PyObject *x = PyTuple_GET_ITEM(found, i);
        PyObject *one_varies = item_of(tape->varies, x), *one_active = item_of(tape->active, x);
        failed = !one_varies || !one_active;
        varies |= one_varies == Py_True;
        active |= one_active == Py_True && i < PyTuple_GET_SIZE(rules) && PyTuple_GET_ITEM(rules, i) != Py_None;
    }
    Py_XDECREF(rules);
    failed = failed || PyList_Append(tape->ops, op) < 0 || PyList_Append(tape->operands, found) < 0 ||
             PyList_Append(tape->varies, varies ? Py_True : Py_False) < 0 ||
             PyList_Append(tape->active, active ? Py_True : Py_False) < 0;
    return failed ? NULL : PyLong_FromSsize_t(PyList_GET_SIZE(tape->ops) - 1);
}

/* Tell whether one of the places is in a dict; -1 for an error. Borrows both. */
static int any_in(PyObject *found, PyObject *places) {
    int is_in = 0;
    for (Py_ssize_t i = 0; !is_in && i < PyTuple_GET_SIZE(found); i++)
        is_in = PyDict_Contains(places, PyTuple_GET_ITEM(found, i));
    return is_in;
}

/* Find or write an operation on these places, and return where it is, which the caller owns. */
static PyObject *on_tape(State *s, Tape *tape, PyObject *op, PyObject *found, PyObject *numbers, Py_ssize_t place) {
    PyObject *written = PyObject_GetItem(tape->written, op);
    if (!written || !PyDict_Check(written)) {
        Py_XDECREF(written);
        return NULL;
    }
    PyObject *index = Py_XNewRef(PyDict_GetItemWithError(written, found));
    if (!index && !PyErr_Occurred()) {
        int rare = any_in(found, tape->constants);
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tape->passing) && !rare; i++)
            rare = PyTuple_GET_ITEM(tape->passing, i) == op;
        if (rare > 0) {
            PyObject *number = PySequence_GetItem(numbers, place);
            if (number) index = PyObject_CallFunctionObjArgs(tape->known, op, found, number, NULL);
            Py_XDECREF(number);
        } else if (!rare) index = Py_NewRef(Py_None);
        if (index == Py_None) Py_SETREF(index, new_on_tape(s, tape, op, found));
        if (index && PyDict_SetItem(written, found, index) < 0) Py_CLEAR(index);
    }
    Py_DECREF(written);
    return index;
}

/* Write one node of a graph, unless that was done or is not wanted. Borrows all. */
static int write_node(State *s, Tape *tape, PyObject *const *graph, Py_ssize_t place) {
    PyObject *op = PyList_GetItem(graph[0], place), *operands = PyList_GetItem(graph[1], place);
    PyObject *wanted = PyList_GetItem(graph[3], place), *before = PyList_GetItem(graph[4], place);
    if (!op || !operands || !wanted || !before) return -1;
    Py_ssize_t at = PyLong_AsSsize_t(before);
    if (at == -1 && PyErr_Occurred()) return -1;
    if (at >= 0 || wanted != Py_True) return 0;
    PyObject *index = NULL, *found = PyTuple_Check(operands) ? places_found(operands, graph[4]) : NULL;
    Py_INCREF(op); /* Python code runs, which may change the lists */
    if (found && op == Py_None) {
        PyObject *number = PySequence_GetItem(graph[2], place);
        if (number) index = PyObject_CallOneArg(tape->constant, number);
        Py_XDECREF(number);
    } else if (found) index = on_tape(s, tape, op, found, graph[2], place);
    Py_DECREF(op);
    Py_XDECREF(found);
    return index ? PyList_SetItem(graph[4], place, index) : -1;
}

/* write_down(tape, ops, operands, numbers, wanted, at): see programs/trace/tape.py. Borrows all. */
static PyObject *engine_write_down(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    if (n != 6 || !PyList_Check(args[1]) || !PyList_Check(args[2]) || !PyList_Check(args[4]) || !PyList_Check(args[5]))
        return PyErr_Format(PyExc_TypeError, "write_down takes a tape, and a graph in lists");
    static const char *const names[] = {"ops", "operands", "varies", "active", "constants", "_written",
                                        "constant", "_known", "passing"};
    Tape tape;
    PyObject **parts = (PyObject **)&tape;
    int size = sizeof(names) / sizeof(*names), have = 0;
    while (have < size && (parts[have] = PyObject_GetAttrString(args[0], names[have]))) have++;
    int failed = have < size;
    for (int i = 0; !failed && i < 4; i++)
        if (!PyList_Check(parts[i])) failed = !PyErr_Format(PyExc_TypeError, "the %s of a tape are a list", names[i]);
    if (!failed && !(PyDict_Check(tape.constants) && PyTuple_Check(tape.passing)))
        failed = !PyErr_Format(PyExc_TypeError, "a tape has a dict of constants, and a tuple of what passes");
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(args[1]); i++)
        failed = write_node(s, &tape, args + 1, i) < 0;
    while (have) Py_DECREF(parts[--have]);
    if (failed) return NULL;
    Py_RETURN_NONE;
}
