/* Scopes, and the hook for new Values: see graph/scopes.py and value/hooks.py. */

/* Record in a scope from now on in this thread, or in none (NULL). Steals the reference, unless it fails;
 * the caller owns the scope before. */
static inline int swap_scope(State *s, PyObject *scope, PyObject **before) {
    if (scope_here(s, before) < 0) return -1;
    s->marking += (scope != NULL) - (*before != NULL);
    s->scope = scope;
    return 0;
}

/* swap_scope(scope), None for none. Borrows it; the caller owns the scope before. */
static PyObject *engine_swap_scope(PyObject *module, PyObject *scope) {
    State *s = needed(PyModule_GetState(module));
    PyObject *before, *next = scope == Py_None ? NULL : scope;
    if (!s || swap_scope(s, next, &before) < 0) return NULL;
    Py_XINCREF(next);
    return before ? before : Py_NewRef(Py_None);
}

/* set_on_new(function): call it on each new Value; None ends that. The state owns it. */
static PyObject *engine_set_on_new(PyObject *module, PyObject *function) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    s->marking += (function != Py_None) - (s->on_new != NULL);
    Py_XSETREF(s->on_new, function == Py_None ? NULL : Py_NewRef(function));
    Py_RETURN_NONE;
}

/* set_scope_here(function): ask it which scope holds, given that of the thread; None ends that. */
static PyObject *engine_set_scope_here(PyObject *module, PyObject *function) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    s->marking += (function != Py_None) - (s->scope_of != NULL);
    Py_XSETREF(s->scope_of, function == Py_None ? NULL : Py_NewRef(function));
    Py_RETURN_NONE;
}

/* set_before_backward(function): call it before each backward pass; None ends that. */
static PyObject *engine_set_before_backward(PyObject *module, PyObject *function) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    Py_XSETREF(s->before_backward, function == Py_None ? NULL : Py_NewRef(function));
    Py_RETURN_NONE;
}

/* set_modal(modal): whether any mode is on, see hooks.py. */
static PyObject *engine_set_modal(PyObject *module, PyObject *value) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    s->modal = value == Py_True;
    Py_RETURN_NONE;
}

/* A method that is called in the scope of its module: in_scope of graph/scopes.py. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *call;     /* the method; owned, like the others */
    PyObject *outside;  /* the scope that holds the outermost ones */
    PyObject *dict;
    Py_ssize_t scopes;  /* where a Scope keeps the dict of its modules' scopes */
} InScope;

/* Return the scope of a module's calls within `around`. Borrows both; the caller owns the scope. */
static PyObject *scope_of_calls(State *s, InScope *method, PyObject *around, PyObject *module) {
    PyObject *scopes = *(PyObject **)((char *)around + method->scopes);
    PyObject *key = PyLong_FromVoidPtr(module);
    PyObject *scope = key ? Py_XNewRef(PyDict_GetItemWithError(scopes, key)) : NULL;
    if (key && !scope && !PyErr_Occurred())
        scope = PyObject_CallMethodOneArg(around, PYTHON(s, name, _of_module), module);
    Py_XDECREF(key);
    return scope;
}

/* Call the method in the scope of its module. Borrows everything; the caller owns the result. */
static PyObject *in_scope_call(PyObject *self, PyObject *const *args, size_t n, PyObject *names) {
    InScope *method = (InScope *)self;
    State *s = needed(PyType_GetModuleState(Py_TYPE(self)));
    PyObject *around, *before, *last;
    if (!PyVectorcall_NARGS(n)) return PyObject_Vectorcall(method->call, args, n, names); /* raises */
    if (!s || scope_here(s, &around) < 0 || scope_in_force(s, around, &around) < 0) return NULL;
    PyObject *scope = scope_of_calls(s, method, around ? around : method->outside, args[0]);
    Py_XDECREF(around);
    if (!scope) return NULL;
    if (swap_scope(s, scope, &before) < 0) {
        Py_DECREF(scope);
        return NULL;
    }
    PyObject *result = PyObject_Vectorcall(method->call, args, n, names);
    if (swap_scope(s, before, &last) < 0) {
        Py_XDECREF(before);
        Py_CLEAR(result);
    }
    else Py_XDECREF(last);
    return result;
}

/* in_scope(call, outside), of which `_modules` is in a slot. The caller owns the result. */
static PyObject *in_scope_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs)) {
    PyObject *call, *outside;
    State *s = PyType_GetModuleState(type);
    if (!PyArg_ParseTuple(args, "OO", &call, &outside)) return NULL;
    PyObject *slot = PyObject_GetAttr((PyObject *)Py_TYPE(outside), PYTHON(s, name, _modules));
    if (!slot || !Py_IS_TYPE(slot, &PyMemberDescr_Type)) {
        Py_XDECREF(slot);
        return PyErr_Format(PyExc_TypeError, "in_scope takes a function and a Scope");
    }
    InScope *method = (InScope *)type->tp_alloc(type, 0);
    if (method) method->scopes = ((PyMemberDescrObject *)slot)->d_member->offset;
    Py_DECREF(slot);
    if (!method) return NULL;
    method->vectorcall = in_scope_call;
    method->call = Py_NewRef(call);
    method->outside = Py_NewRef(outside);
    return (PyObject *)method;
}

/* Bind the method to a module, as Python's functions do. */
static PyObject *in_scope_bind(PyObject *self, PyObject *module, PyObject *Py_UNUSED(type)) {
    return module ? PyMethod_New(self, module) : Py_NewRef(self);
}

/* Visit what a method owns, for the garbage collector. */
static int in_scope_traverse(PyObject *self, visitproc visit, void *arg) {
    InScope *method = (InScope *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(method->call); Py_VISIT(method->outside); Py_VISIT(method->dict);
    return 0;
}

/* Release what a method owns. */
static int in_scope_clear(PyObject *self) {
    InScope *method = (InScope *)self;
    Py_CLEAR(method->call); Py_CLEAR(method->outside); Py_CLEAR(method->dict);
    return 0;
}

/* Free a method. */
static void in_scope_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    in_scope_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyGetSetDef in_scope_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef in_scope_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(InScope, dict), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(InScope, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot in_scope_slots[] = {
    {Py_tp_doc, "See micrograd/graph/scopes.py."}, {Py_tp_new, in_scope_new},
    {Py_tp_call, PyVectorcall_Call}, {Py_tp_descr_get, in_scope_bind},
    {Py_tp_traverse, in_scope_traverse}, {Py_tp_clear, in_scope_clear},
    {Py_tp_dealloc, in_scope_dealloc}, {Py_tp_getset, in_scope_getset},
    {Py_tp_members, in_scope_members}, {0, NULL},
};

static PyType_Spec in_scope_spec = {
    .name = "micrograd.scopes.in_scope", .basicsize = sizeof(InScope),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_METHOD_DESCRIPTOR,
    .slots = in_scope_slots,
};
