/* Scopes, and the function that is called on new Values: see graph/scopes.py and value/hooks.py. */

/* Lets this thread record in a scope, or in none (NULL), whose reference it steals; the caller owns
 * the one before. */
static inline PyObject *swap_scope(State *s, PyObject *scope) {
    PyObject *before = scope_here(s);
    s->marking += (scope != NULL) - (before != NULL);
    s->scope = scope;
    return before;
}

/* swap_scope(scope), None for none: as above, but borrows it. */
static PyObject *engine_swap_scope(PyObject *module, PyObject *scope) {
    State *s = PyModule_GetState(module);
    PyObject *before = swap_scope(s, scope == Py_None ? NULL : Py_NewRef(scope));
    return before ? before : Py_NewRef(Py_None);
}

/* set_on_new(function): calls it on each new Value; None ends that. The state owns it. */
static PyObject *engine_set_on_new(PyObject *module, PyObject *function) {
    State *s = PyModule_GetState(module);
    s->marking += (function != Py_None) - (s->on_new != NULL);
    Py_XSETREF(s->on_new, function == Py_None ? NULL : Py_NewRef(function));
    Py_RETURN_NONE;
}
