/* Make and free Values. */

/* Grow an array of `*room` items by half; the caller keeps owning it. Sets no error. */
static int grow(void **items, Py_ssize_t *room, size_t size) {
    Py_ssize_t larger = *room ? *room + *room / 2 : 64;
    void *moved = PyMem_Realloc(*items, larger * size);
    if (!moved) return 1;
    *items = moved;
    *room = larger;
    return 0;
}

/* Append a borrowed Value. Sets no error. */
static inline int append(List *list, Value *v) {
    int failed = list->size == list->room && grow((void **)&list->items, &list->room, sizeof(v));
    if (!failed) list->items[list->size++] = v;
    return -failed;
}

/* Append two borrowed Values. Sets no error. */
static inline int append_pair(List *list, Value *v, Value *w) {
    if (list->size + 2 > list->room && grow((void **)&list->items, &list->room, sizeof(v))) return -1;
    list->items[list->size++] = v;
    list->items[list->size++] = w;
    return 0;
}

/* Switch the state to the running thread: save the other thread's scope, load this one's. */
static int change_thread(State *s) {
    PyObject *key = (PyObject *)s->type, *own = PyThreadState_GetDict();
    if (s->own && PyDict_SetItem(s->own, key, s->scope ? s->scope : Py_None) < 0) return -1;
    PyObject *scope = own ? PyDict_GetItemWithError(own, key) : NULL;
    if (!scope && PyErr_Occurred()) return -1;
    Py_XSETREF(s->own, Py_XNewRef(own));
    Py_XSETREF(s->scope, scope == Py_None ? NULL : Py_XNewRef(scope));
    s->thread = PyThreadState_GetUnchecked()->id;
    return 0;
}

/* Get the scope that this thread records in, borrowed; NULL for none. */
static inline int scope_here(State *s, PyObject **scope) {
    if (s->thread != PyThreadState_GetUnchecked()->id && change_thread(s) < 0) return -1;
    *scope = s->scope;
    return 0;
}

/* Get the scope that holds here, given that of the thread, borrowed; the caller owns it. NULL for none. */
static int scope_in_force(State *s, PyObject *scope, PyObject **result) {
    if (s->scope_of) {
        PyObject *found = PyObject_CallOneArg(s->scope_of, scope ? scope : Py_None);
        if (!found) return -1;
        if (found == Py_None) Py_CLEAR(found);
        *result = found;
    }
    else *result = Py_XNewRef(scope);
    return 0;
}

/* Store the scope in a new Value and call on_new. Borrows the Value. */
static inline int mark(State *s, Value *v) {
    PyObject *scope;
    if (scope_here(s, &scope) < 0 || scope_in_force(s, scope, &v->scope) < 0) return -1;
    if (!s->on_new) return 0;
    PyObject *done = PyObject_CallOneArg(s->on_new, (PyObject *)v);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Ask the modes that are on whether new Values forget their operands, see hooks.py; -1 for an error. */
static int is_forgetful(State *s) {
    if (PyList_GET_SIZE(PYTHON(s, hooks, _framed))) {
        PyObject *answer = PyObject_CallNoArgs(PYTHON(s, hooks, forgets));
        int forget = answer ? answer == Py_True : -1;
        Py_XDECREF(answer);
        return forget;
    }
    PyObject *thread = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
    int found = thread ? PySet_Contains(PYTHON(s, hooks, _forgetful), thread) : -1;
    Py_XDECREF(thread);
    return found;
}

/* Tell whether new Values forget their operands here; -1 for an error. */
static inline int forgets(State *s) {
    return s->modal && is_forgetful(s);
}

enum { SOON = 8 }; /* so many nodes from now, what is fetched from memory has come */

/* Fetch a node that is about to be written. */
static inline void fetch(Value *v) {
    __builtin_prefetch(v, 1);
    __builtin_prefetch((char *)v + 64, 1);
}

/* Make an untracked leaf, reusing a freed node if possible. The caller owns it. */
static inline Value *new_leaf(State *s, double data) {
    Value *v;
    if (s->kept.size) {
        v = s->kept.items[--s->kept.size];
        if (s->kept.size >= SOON) fetch(s->kept.items[s->kept.size - SOON]);
        _Py_NewReference((PyObject *)v); /* its type it has kept */
    }
    else if (!(v = PyObject_GC_New(Value, s->type))) return NULL;
    if (++s->n_alive > s->peak) s->peak = s->n_alive;
    memset((char *)v + offsetof(Value, data), 0, sizeof(Value) - offsetof(Value, data));
    v->data = data;
    if (s->marking && mark(s, v) < 0) Py_CLEAR(v);
    return v;
}

/* Release the operands and attributes of a node. */
static int value_clear(PyObject *self) {
    Value *v = (Value *)self;
    v->code = NO_ROW;
    v->shape = LEAF;
    Py_CLEAR(v->first); Py_CLEAR(v->second); Py_CLEAR(v->scope); Py_CLEAR(v->dict);
    return 0;
}

/* Release an operand; if that was the last reference, queue it in `dying`, without recursion. What it will release
 * in its turn is fetched from memory meanwhile. */
static inline void release(State *s, PyObject *x) {
    if (x && Py_REFCNT(x) == 1 && s && is_exact(Py_TYPE(x)) && !((Value *)x)->tracked) {
        Py_SET_REFCNT(x, 0);
        ((Value *)x)->link = s->dying;
        s->dying = (Value *)x;
        __builtin_prefetch(((Value *)x)->first, 1);
        __builtin_prefetch(((Value *)x)->second, 1);
    }
    else {
        Py_XDECREF(x);
    }
}

/* Release all that a dead node owns; keep its memory for reuse, unless it is of a subclass. */
static void destroy(State *s, Value *v) {
    PyTypeObject *type = Py_TYPE(v);
    if (v->weakrefs) PyObject_ClearWeakRefs((PyObject *)v);
    release(s, v->first);
    release(s, v->second);
    Py_XDECREF(v->scope);
    Py_XDECREF(v->dict);
    if (s && is_exact(type)) s->n_alive--;
    if (s && is_exact(type) && append(&s->kept, v) == 0) return; /* with its type */
    type->tp_free(v);
    Py_DECREF(type);
}

/* Free the last of the kept nodes, with its reference to the type. */
static void drop_kept(State *s) {
    PyObject *dead = (PyObject *)s->kept.items[--s->kept.size];
    PyTypeObject *type = Py_TYPE(dead);
    PyObject_GC_Del(dead);
    Py_DECREF(type);
}

/* Sort borrowed nodes by falling address, so that they are reused in memory order from the end.
 * A radix sort on 64-byte units: no two nodes share one. */
static void sort_by_address(Value **items, Py_ssize_t n) {
    Value **from = items, **to = PyMem_Malloc(n * sizeof(Value *)), **spare = to;
    uintptr_t low = UINTPTR_MAX, high = 0;
    Py_ssize_t rises = 0; /* few, if the graph was freed in the order it was made */
    for (Py_ssize_t i = 0; i < n; i++) {
        rises += i && items[i] > items[i - 1];
        low = Py_MIN(low, (uintptr_t)items[i]);
        high = Py_MAX(high, (uintptr_t)items[i]);
    }
    int bits = 8 * sizeof(uintptr_t);
    for (int shift = 6; to && rises > n / 8 && shift < bits && (high - low) >> shift; shift += 11) {
        Py_ssize_t place[2049] = {0};
        for (Py_ssize_t i = 0; i < n; i++)
            place[1 + ((high - (uintptr_t)from[i]) >> shift & 2047)]++;
        for (int digit = 0; digit < 2047; digit++) place[digit + 1] += place[digit];
        for (Py_ssize_t i = 0; i < n; i++)
            to[place[(high - (uintptr_t)from[i]) >> shift & 2047]++] = from[i];
        Value **swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, n * sizeof(Value *));
    PyMem_Free(spare);
}

/* Return kept memory to Python. The bound on nodes, alive and kept, is the peak since the last call
 * or seven eighths of the bound before, whichever is more. */
static void trim(State *s) {
    s->keep -= s->keep / 8;
    if (s->keep < s->peak) s->keep = s->peak;
    s->peak = s->n_alive;
    s->n_freed = 0;
    while (s->kept.size && s->n_alive + s->kept.size > s->keep) drop_kept(s);
}

enum { SMALL = 1 << 15 };

/* trim(): return the memory that is kept, but for that of a small graph, for gc_cycles.py. */
static PyObject *engine_trim(PyObject *module, PyObject *Py_UNUSED(ignored)) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    s->keep = 0;
    s->peak = s->n_alive + SMALL;
    trim(s);
    s->peak = s->n_alive;
    Py_RETURN_NONE;
}

/* The state whose nodes this thread frees, in a value_dealloc further down its stack. While a thread waits
 * in a callback of a weak reference, others go on with the nodes that are left. */
static THREAD_LOCAL State *freeing;

/* Free a node and all that dies with it, without recursion. Owns `self`. */
static void value_dealloc(PyObject *self) {
    Value *v = (Value *)self;
    State *s = state_of(Py_TYPE(self));
    if (v->tracked) PyObject_GC_UnTrack(self);
    if (!s) { destroy(NULL, v); return; }
    v->link = s->dying;
    s->dying = v;
    if (freeing == s) return;
    State *outer = freeing;
    freeing = s;
    Py_ssize_t before = s->kept.size;
    while ((v = s->dying)) {
        s->dying = v->link;
        destroy(s, v);
    }
    freeing = outer;
    Py_ssize_t n = s->kept.size - before;
    if (n > 256) sort_by_address(s->kept.items + before, n);
    s->n_freed += n;
    if (s->n_freed > 2 * s->keep + 4096) trim(s); /* graphs come and go, but backward() is not called */
}

/* Make a node visible to the garbage collector, with the tuple it may own. Borrows it. */
static void track(Value *v) {
    if (!v->tracked) {
        v->tracked = 1;
        v->late = v->used;
        PyObject_GC_Track(v);
        if (v->shape == MANY && Py_SIZE(v->first) && !PyObject_GC_IsTracked(v->first))
            PyObject_GC_Track(v->first);
    }
}

/* v._track(), for gc_cycles.py. */
static PyObject *value_track(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    track((Value *)self);
    Py_RETURN_NONE;
}

/* Tell whether a reference to `x` can be part of a cycle. Borrows it. */
static int can_cycle(PyObject *x) {
    if (!PyObject_IS_GC(x)) return 0;
    if (PyWeakref_CheckRefExact(x)) return ((PyWeakReference *)x)->wr_callback != NULL;
    if (PyTuple_CheckExact(x)) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(x); i++) {
            if (PyObject_IS_GC(PyTuple_GET_ITEM(x, i))) return 1;
        }
        return 0;
    }
    return 1;
}

/* Prepare a node to hold a reference that may form a cycle: track it. Later consumers are tracked with
 * it; the existing ones are not known here, see gc_cycles.py. Borrows it. */
static int hang(State *s, Value *v) {
    if (v->tracked && !v->late) return 0;
    if (v->used) {
        PyObject *done = PyObject_CallOneArg(PYTHON(s, gc_cycles, hung_late), (PyObject *)v);
        if (!done) return -1;
        Py_DECREF(done);
    }
    track(v);
    return 0;
}

/* Visit what a node owns, for the garbage collector. */
static int value_traverse(PyObject *self, visitproc visit, void *arg) {
    Value *v = (Value *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(v->first); Py_VISIT(v->second); Py_VISIT(v->scope); Py_VISIT(v->dict);
    return 0;
}

/* Convert a float, or an int that a float holds exactly; false for anything else. Borrows it. */
static inline int plain_number(PyObject *x, double *result) {
    if (PyFloat_CheckExact(x)) {
        *result = PyFloat_AS_DOUBLE(x);
        return 1;
    }
    if (!PyLong_CheckExact(x)) return 0;
    *result = PyLong_AsDouble(x);
    if (*result == -1.0 && PyErr_Occurred()) return forget(PyExc_OverflowError), 0;
    return fabs(*result) < 9007199254740992.0; /* 2**53 */
}

/* Convert `x` to a double; `what` names it in error messages. Borrows both. */
static int as_double(State *s, PyObject *x, const char *what, double *result) {
    if (plain_number(x, result)) return 0;
    PyObject *number = PyObject_CallFunction(PYTHON(s, engine, to_float), "Os", x, what);
    if (!number) return -1;
    *result = PyFloat_AsDouble(number);
    Py_DECREF(number);
    return *result == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* Value.__new__. Leaves the arguments to __init__. The caller owns the result. */
static PyObject *value_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kw)) {
    State *s = needed(state_of(type));
    if (!s) return NULL;
    double unset;
    memcpy(&unset, &UNSET, sizeof(unset));
    if (is_exact(type)) return (PyObject *)new_leaf(s, unset);
    Value *v = (Value *)type->tp_alloc(type, 0); /* tracks it */
    if (!v) return NULL;
    v->tracked = 1;
    v->data = unset;
    if (s->marking && mark(s, v) < 0) Py_CLEAR(v);
    return (PyObject *)v;
}

/* Value.__init__. With more than one argument, call the Python function. Borrows everything. */
static int value_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    Value *v = (Value *)self;
    State *s = needed(state_of(Py_TYPE(self)));
    if (!s) return -1;
    if (PyTuple_GET_SIZE(args) == 1 && !kwargs && v->shape == LEAF) {
        double data;
        if (as_double(s, PyTuple_GET_ITEM(args, 0), "data", &data) < 0) return -1;
        change(s, v->bound, DATA);
        change(s, v->bound, GRAD);
        v->data = data;
        v->grad = 0.0;
        return 0;
    }
    PyObject *bound = PyMethod_New(PYTHON(s, Value, __init__), self);
    if (!bound) return -1;
    PyObject *done = PyObject_Call(bound, args, kwargs);
    Py_DECREF(bound);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Value(number) without an argument tuple; other calls go through type.__call__. Borrows everything; the
 * caller owns the result. */
static PyObject *value_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf,
                                  PyObject *names) {
    PyTypeObject *type = (PyTypeObject *)callable;
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    double data;
    if (n == 1 && !names && type->tp_init == value_init && type->tp_new == value_new) {
        State *s = needed(state_of(type));
        if (!s) return NULL;
        return as_double(s, args[0], "data", &data) < 0 ? NULL : (PyObject *)new_leaf(s, data);
    }
    PyObject *call = PyObject_GetAttrString((PyObject *)&PyType_Type, "__call__");
    PyObject *usual = call ? PyWrapper_New(call, callable) : NULL;
    PyObject *result = usual ? PyObject_Vectorcall(usual, args, nargsf, names) : NULL;
    Py_XDECREF(call);
    Py_XDECREF(usual);
    return result;
}

/* Make the node of an operation on one or two operands. Steals their references. */
static inline PyObject *record(State *s, int code, Value *x, PyObject *y, double data) {
    Value *v = new_leaf(s, data);
    if (!v) {
        Py_DECREF(x);
        Py_XDECREF(y);
        return NULL;
    }
    int forgetting = forgets(s);
    if (forgetting) {
        Py_DECREF(x);
        Py_XDECREF(y);
        if (forgetting < 0) Py_CLEAR(v);
        else v->second = Py_NewRef(Py_None);
        return (PyObject *)v;
    }
    v->code = code;
    v->first = (PyObject *)x;
    v->second = y;
    v->shape = y ? TWO : ONE;
    x->used = 1;
    int tracked = x->tracked;
    if (y && code != POWER_OF_NUMBER) {
        ((Value *)y)->used = 1;
        tracked |= ((Value *)y)->tracked;
    }
    if (tracked) track(v);
    return (PyObject *)v;
}
