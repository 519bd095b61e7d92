/* The Value of engine.py, faster. engine.py is complete and says what everything means; here is
 * what is hot: making nodes, listing a graph, the backward pass, freeing. What is rare (other numbers,
 * subclasses, errors, results that are not finite, rows without a C form) goes to the functions in
 * Python, so that conventions and messages exist once. "Borrows": uses the caller's reference.
 * "Owns": releases it, or the struct does. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

#include "_ops.h"

#ifndef __GNUC__
#define __builtin_prefetch(address)
#endif
#if PY_VERSION_HEX < 0x030D0000
#define PyThreadState_GetUnchecked _PyThreadState_UncheckedGet
#endif

/* Types ------------------------------------------------------------------------------------- */

#define CODE(name) ROW_##name,
enum { NO_ROW, UNARY_ROWS(CODE) N_UNARY, BINARY_ROWS(CODE) POWER_OF_NUMBER, N_CODES };

enum { LEAF, ONE, TWO, MANY };

typedef struct Value {
    PyObject_HEAD
    double data;
    union {
        double grad;
        struct Value *link; /* of a dead node: the next one to be freed */
    };
    PyObject *first;        /* operand; of MANY, the tuple of all of them */
    PyObject *second;       /* operand; of MANY, the row (an Op) or NULL */
    PyObject *scope;        /* where it was recorded, see scopes.py; or NULL */
    PyObject *dict;         /* label, closure, attributes; most Values never have one */
    PyObject *weakrefs;
    uint64_t seen : 48;     /* the number of the walk that saw it last */
    uint64_t code : 8;      /* the row, where C has it */
    uint64_t shape : 2;     /* how the operands are stored */
    uint64_t tracked : 1;   /* the cyclic collector looks at it */
    uint64_t used : 1;      /* it has been an operand */
    uint64_t bound : 1;     /* a leaf of a block, see _block.h */
    uint64_t hides : 1;     /* what it gives its leaves goes to blocks: a backward pass skips them */
} Value;

/* A list of borrowed Values. Owns its memory. */
typedef struct {
    Value **items;
    Py_ssize_t size, room;
} List;

/* The lists of a walk through a graph. Owns them. */
typedef struct {
    List order;  /* operands before consumers */
    List leaves; /* apart from the order, in a backward pass */
    List path;   /* from the root to where the walk is: each node, and what is left of it */
    int backward;
    int bound;           /* a bound leaf has been listed, or may be among the nodes */
    PyObject *collected; /* what goes to blocks when all is done; or NULL */
} Walk;

/* What C needs from Python: the functions for rare cases, and names. */
#define BULK_FUNCTIONS(X)                                                                         \
    X(bulk, read_data) X(bulk, write_data) X(bulk, read_grads) X(bulk, write_grads)               \
    X(bulk, add_grads)
#define OBJECTS(X)                                                                                \
    X(engine, _apply_mixed) X(engine, to_float) X(gc_cycles, hung_late) X(Value, __init__)          \
    X(name, _apply) X(name, _backward) X(name, _closure) X(name, _of_module)                      \
    X(base, _traces) X(base, _compare) X(base, _read) X(name, _collect)                  \
    BULK_FUNCTIONS(X)
#define INDEX(source, object) object##_,
enum { OBJECTS(INDEX) N_OBJECTS };

/* The scope of a module's calls within the one around. Owns it, and by it the one around. */
typedef struct {
    PyObject *around, *called, *scope;
} Found;

typedef struct Block Block;

typedef struct {
    PyTypeObject *type;         /* Value. All objects in here are owned */
    PyTypeObject *block_type;
    Block *ahead;               /* the block, borrowed, whose leaves have yet to get its numbers */
    uint64_t changes[2];        /* how often data, and grads, of bound Values were changed */
    int hung;                   /* a bound Value was made a node: none is hidden any more */
    PyObject *rows[N_CODES];    /* code -> Op */
    PyObject *codes;            /* every Op of the table -> code, 0 where C has none */
    PyObject *objects[N_OBJECTS];
    List kept;                  /* dead nodes, for reuse */
    Value *dying;               /* nodes to be freed by the value_dealloc that runs already */
    int freeing;
    Py_ssize_t n_alive, peak, keep;
    uint64_t walks;
    Walk spare;                 /* the memory of a walk that has ended, for the next one */
    Py_ssize_t marking;         /* in how many threads there is a scope, and whether on_new is set */
    PyObject *on_new;           /* called on each new Value, or NULL */
    uint64_t thread;            /* the thread that asked for its scope last, */
    PyObject *scope;            /* that scope, or NULL, */
    PyObject *own;              /* and its dict, where the scope waits while another one asks */
    Found found[1024];          /* by addresses */
} State;

static void value_dealloc(PyObject *self);

/* Whether a type, borrowed, is Value itself: only then is a node in the shape C works on. */
static inline int is_exact(PyTypeObject *type) { return type->tp_dealloc == value_dealloc; }

/* The type Value behind a type, or NULL if it is foreign. Borrowed. */
static inline PyTypeObject *value_type(PyTypeObject *type) {
    while (type && !is_exact(type)) type = type->tp_base;
    return type;
}

/* Whether an object is a Value, or of a subclass. Borrows it. */
static inline int is_value(PyObject *x) { return value_type(Py_TYPE(x)) != NULL; }

/* The state of the module that a Value type belongs to; NULL while an interpreter shuts down. */
static inline State *state_of(PyTypeObject *type) {
    PyObject *module = ((PyHeapTypeObject *)value_type(type))->ht_module;
    return module ? (State *)PyModule_GetState(module) : NULL;
}

#include "_block.h"

/* Making and freeing ------------------------------------------------------------------------ */

/* Makes an array of `*room` things larger by half; it stays the caller's. Sets no error. */
static int grow(void **items, Py_ssize_t *room, size_t size) {
    Py_ssize_t larger = *room ? *room + *room / 2 : 64;
    void *moved = PyMem_Realloc(*items, larger * size);
    if (!moved) return 1;
    *items = moved;
    *room = larger;
    return 0;
}

/* Appends a Value, borrowed. Sets no error. */
static inline int append(List *list, Value *v) {
    int failed = list->size == list->room && grow((void **)&list->items, &list->room, sizeof(v));
    if (!failed) list->items[list->size++] = v;
    return -failed;
}

/* Finds the scope of a thread that did not ask last; the state owns it, and the thread's dict. */
static void change_thread(State *s) {
    PyObject *key = (PyObject *)s->type, *own = PyThreadState_GetDict();
    if (s->own && PyDict_SetItem(s->own, key, s->scope ? s->scope : Py_None) < 0) PyErr_Clear();
    PyObject *scope = own ? PyDict_GetItem(own, key) : NULL;
    Py_XSETREF(s->own, Py_XNewRef(own));
    Py_XSETREF(s->scope, scope == Py_None ? NULL : Py_XNewRef(scope));
    s->thread = PyThreadState_GetUnchecked()->id;
}

/* The scope that this thread records in, borrowed; NULL if there is none. */
static inline PyObject *scope_here(State *s) {
    if (s->thread != PyThreadState_GetUnchecked()->id) change_thread(s);
    return s->scope;
}

/* Tells a new Value, borrowed, its scope, and on_new of the Value. */
static inline int mark(State *s, Value *v) {
    v->scope = Py_XNewRef(scope_here(s));
    if (!s->on_new) return 0;
    PyObject *done = PyObject_CallOneArg(s->on_new, (PyObject *)v);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Makes a leaf, untracked, out of the kept nodes if there are any. The caller owns it. */
static inline Value *new_leaf(State *s, double data) {
    Value *v;
    if (s->kept.size) {
        v = s->kept.items[--s->kept.size];
        PyObject_Init((PyObject *)v, s->type);
    }
    else if (!(v = PyObject_GC_New(Value, s->type))) return NULL;
    if (++s->n_alive > s->peak) s->peak = s->n_alive;
    memset((char *)v + offsetof(Value, data), 0, sizeof(Value) - offsetof(Value, data));
    v->data = data;
    if (s->marking && mark(s, v) < 0) Py_CLEAR(v);
    return v;
}

/* Releases what a node owns: its operands and attributes. */
static int value_clear(PyObject *self) {
    Value *v = (Value *)self;
    v->code = NO_ROW;
    v->shape = LEAF;
    Py_CLEAR(v->first); Py_CLEAR(v->second); Py_CLEAR(v->scope); Py_CLEAR(v->dict);
    return 0;
}

/* Gives up a reference to an operand; one that dies is put in line, without a call of its own. */
static inline void release(State *s, PyObject *x) {
    if (x && Py_REFCNT(x) == 1 && s && is_exact(Py_TYPE(x)) && !((Value *)x)->tracked) {
        Py_SET_REFCNT(x, 0);
        ((Value *)x)->link = s->dying;
        s->dying = (Value *)x;
    }
    else {
        Py_XDECREF(x);
    }
}

/* Releases what a dead node owns, and keeps its memory for reuse (unless it is a subclass's). */
static void destroy(State *s, Value *v) {
    PyTypeObject *type = Py_TYPE(v);
    if (v->weakrefs) PyObject_ClearWeakRefs((PyObject *)v);
    release(s, v->first);
    release(s, v->second);
    Py_XDECREF(v->scope);
    Py_XDECREF(v->dict);
    if (s && is_exact(type)) s->n_alive--;
    if (!s || !is_exact(type) || append(&s->kept, v) < 0) type->tp_free(v);
    Py_DECREF(type);
}

/* Sorts nodes, borrowed, by falling address (radix sort; none lies within 64 bytes of another):
 * taken from the end, they follow in memory order. */
static void sort_by_address(Value **items, Py_ssize_t n) {
    Value **from = items, **to = PyMem_Malloc(n * sizeof(Value *)), **spare = to;
    uintptr_t low = UINTPTR_MAX, high = 0;
    Py_ssize_t rises = 0; /* few, if the graph was freed as it was made */
    for (Py_ssize_t i = 0; i < n; i++) {
        rises += i && items[i] > items[i - 1];
        low = Py_MIN(low, (uintptr_t)items[i]);
        high = Py_MAX(high, (uintptr_t)items[i]);
    }
    for (int shift = 6; to && rises > n / 8 && shift < 64 && (high - low) >> shift; shift += 11) {
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

/* Frees a node, and those that die with it, without recursion. Owns `self`. */
static void value_dealloc(PyObject *self) {
    Value *v = (Value *)self;
    State *s = state_of(Py_TYPE(self));
    if (v->tracked) PyObject_GC_UnTrack(self);
    if (!s) { destroy(NULL, v); return; }
    v->link = s->dying;
    s->dying = v;
    if (s->freeing) return;
    s->freeing = 1;
    Py_ssize_t before = s->kept.size;
    while ((v = s->dying)) {
        s->dying = v->link;
        destroy(s, v);
    }
    s->freeing = 0;
    if (s->kept.size - before > 256)
        sort_by_address(s->kept.items + before, s->kept.size - before);
}

/* Gives kept memory, which the state owns, back, as the policy says: at most as many nodes are
 * kept as were alive at once since the last call, or seven eighths of the bound before, if that is more. */
static void trim(State *s) {
    s->keep -= s->keep / 8;
    if (s->keep < s->peak) s->keep = s->peak;
    s->peak = s->n_alive;
    while (s->kept.size && s->n_alive + s->kept.size > s->keep)
        PyObject_GC_Del(s->kept.items[--s->kept.size]);
}

/* Lets the collector see a node, and the tuple it may own. Borrows it. */
static void track(Value *v) {
    if (!v->tracked) {
        v->tracked = 1;
        PyObject_GC_Track(v);
        if (v->shape == MANY && !PyObject_GC_IsTracked(v->first)) PyObject_GC_Track(v->first);
    }
}

/* v._track(): for gc_cycles.py. Borrows it. */
static PyObject *value_track(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    track((Value *)self);
    Py_RETURN_NONE;
}

/* Whether a reference to `x` can be part of a cycle. Borrows it. */
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

/* Prepares for something that may form a cycle to be hung on a node. Consumers to come are
 * tracked like it; those that exist already cannot be known here, see gc_cycles.py. Borrows it. */
static int hang(State *s, Value *v) {
    if (v->tracked && is_exact(Py_TYPE(v))) return 0;
    if (v->used && is_exact(Py_TYPE(v))) {
        PyObject *done = PyObject_CallOneArg(s->objects[hung_late_], (PyObject *)v);
        if (!done) return -1;
        Py_DECREF(done);
    }
    track(v);
    return 0;
}

/* Visits what a node owns. */
static int value_traverse(PyObject *self, visitproc visit, void *arg) {
    Value *v = (Value *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(v->first); Py_VISIT(v->second); Py_VISIT(v->scope); Py_VISIT(v->dict);
    return 0;
}

/* Stores the float that `x` stands for, in `result`; `what` is for the message. Borrows both. */
static int as_double(State *s, PyObject *x, const char *what, double *result) {
    if (PyFloat_CheckExact(x)) {
        *result = PyFloat_AS_DOUBLE(x);
        return 0;
    }
    PyObject *number = PyObject_CallFunction(s->objects[to_float_], "Os", x, what);
    if (!number) return -1;
    *result = PyFloat_AsDouble(number);
    Py_DECREF(number);
    return *result == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* Value.__new__: the caller owns the result. Arguments are for __init__, a subclass's perhaps. */
static PyObject *value_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kw)) {
    if (is_exact(type)) return (PyObject *)new_leaf(state_of(type), 0.0);
    Value *v = (Value *)type->tp_alloc(type, 0); /* tracks it */
    if (!v) return NULL;
    v->tracked = 1;
    State *s = state_of(type);
    if (s->marking && mark(s, v) < 0) Py_CLEAR(v);
    return (PyObject *)v;
}

/* Value.__init__; more than one argument goes to the function in Python. Borrows everything. */
static int value_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    Value *v = (Value *)self;
    State *s = state_of(Py_TYPE(self));
    if (PyTuple_GET_SIZE(args) == 1 && !kwargs && v->shape == LEAF) {
        double data;
        if (as_double(s, PyTuple_GET_ITEM(args, 0), "data", &data) < 0) return -1;
        change(s, v->bound, DATA);
        change(s, v->bound, GRAD);
        v->data = data;
        v->grad = 0.0;
        return 0;
    }
    PyObject *bound = PyMethod_New(s->objects[__init___], self);
    if (!bound) return -1;
    PyObject *done = PyObject_Call(bound, args, kwargs);
    Py_DECREF(bound);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Value(number), without a tuple of arguments; anything else takes the usual way. Borrows all; the
 * caller owns the result. */
static PyObject *value_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf,
                                  PyObject *names) {
    PyTypeObject *type = (PyTypeObject *)callable;
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    double data;
    if (n == 1 && !names && type->tp_init == value_init && type->tp_new == value_new) {
        State *s = state_of(type);
        return as_double(s, args[0], "data", &data) < 0 ? NULL : (PyObject *)new_leaf(s, data);
    }
    PyObject *call = PyObject_GetAttrString((PyObject *)&PyType_Type, "__call__");
    PyObject *usual = call ? PyWrapper_New(call, callable) : NULL;
    PyObject *result = usual ? PyObject_Vectorcall(usual, args, nargsf, names) : NULL;
    Py_XDECREF(call);
    Py_XDECREF(usual);
    return result;
}

/* Makes a node of a row from one or two operands, whose references it steals. */
static inline PyObject *record(State *s, int code, Value *x, PyObject *y, double data) {
    Value *v = new_leaf(s, data);
    if (!v) {
        Py_DECREF(x);
        Py_XDECREF(y);
        return NULL;
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

/* Applies a row in Python. Borrows the operands (`y` may be NULL); the caller owns the result. */
static PyObject *apply_in_python(int code, PyObject *x, PyObject *y) {
    PyObject *owner = is_value(x) ? x : y;
    State *s = state_of(Py_TYPE(owner));
    PyObject *operands = y ? PyTuple_Pack(2, x, y) : PyTuple_Pack(1, x);
    if (!operands) return NULL;
    PyObject *op = s->rows[code], *result;
    if (is_exact(Py_TYPE(owner)))
        result = PyObject_CallFunctionObjArgs(s->objects[_apply_mixed_], op, operands, NULL);
    else result = PyObject_CallMethodObjArgs(owner, s->objects[_apply_], op, operands, NULL);
    Py_DECREF(operands);
    return result;
}

/* Stores a float, or an int that a float holds exactly, in `result`; else false. Borrows it. */
static inline int plain_number(PyObject *x, double *result) {
    if (PyFloat_CheckExact(x)) {
        *result = PyFloat_AS_DOUBLE(x);
        return 1;
    }
    if (!PyLong_CheckExact(x)) return 0;
    *result = PyLong_AsDouble(x);
    if (*result == -1.0 && PyErr_Occurred()) PyErr_Clear(), *result = HUGE_VAL;
    return fabs(*result) < 9007199254740992.0; /* 2**53 */
}

/* A number operand as a leaf, which the caller owns; NULL, without an error, if it is not plain. */
static inline Value *leaf_of_number(State *s, PyObject *x) {
    double data;
    Value *v = plain_number(x, &data) ? new_leaf(s, data) : NULL;
    if (!v) PyErr_Clear(); /* short of memory: Python will be, too */
    return v;
}

/* Stores new references to two operands as Values and returns the state; NULL, without an error,
 * if Python has to see to them. Borrows both. */
static inline State *take_pair(PyObject *left, PyObject *right, Value **x, Value **y) {
    if (is_exact(Py_TYPE(left))) {
        State *s = state_of(Py_TYPE(left));
        *y = Py_TYPE(right) == s->type ? (Value *)Py_NewRef(right) : leaf_of_number(s, right);
        *x = *y ? (Value *)Py_NewRef(left) : NULL;
        return *y ? s : NULL;
    }
    if (!is_exact(Py_TYPE(right))) return NULL;
    State *s = state_of(Py_TYPE(right));
    *x = leaf_of_number(s, left);
    *y = *x ? (Value *)Py_NewRef(right) : NULL;
    return *x ? s : NULL;
}

/* x + y and the like: an operator for each row of two operands. */
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

/* -x, abs(x), x.tanh() and the like: for each row of one operand. */
#define UNARY(name)                                                                               \
    static PyObject *name##_operator(PyObject *self) { \
        Value *x = (Value *)self;                                                                 \
        if (is_exact(Py_TYPE(self))) {                                                            \
            State *s = state_of(Py_TYPE(self));                                                   \
            look(s, x->bound);                                                                    \
            double out = name##_value(x->data);                                                   \
            if (isfinite(out)) return record(s, ROW_##name, (Value *)Py_NewRef(x), NULL, out);    \
        }                                                                                         \
        return apply_in_python(ROW_##name, self, NULL);                                           \
    }
UNARY_ROWS(UNARY)

/* x.maximum(y) and the like: calls the row itself where an operator would leave it to `y`. */
#define BINARY_METHOD(name)                                                                       \
    static PyObject *name##_method(PyObject *self, PyObject *y) {                                 \
        PyObject *out = name##_operator(self, y);                                                 \
        if (out != Py_NotImplemented) return out;                                                 \
        Py_DECREF(out);                                                                           \
        PyObject *op = state_of(Py_TYPE(self))->rows[ROW_##name];                                 \
        return PyObject_CallFunctionObjArgs(op, self, y, NULL);                                   \
    }
BINARY_METHODS(BINARY_METHOD)

/* x ** y: a number exponent stays a number. Borrows all; the caller owns the result. */
static PyObject *value_power(PyObject *left, PyObject *right, PyObject *modulus) {
    double exponent;
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    if (is_exact(Py_TYPE(left)) && plain_number(right, &exponent)) {
        Value *x = (Value *)left;
        State *s = state_of(Py_TYPE(left));
        look(s, x->bound);
        double out = power_value(x->data, exponent);
        if (isfinite(out))
            return record(s, POWER_OF_NUMBER, (Value *)Py_NewRef(x), Py_NewRef(right), out);
    }
    else if (is_exact(Py_TYPE(left)) && !is_value(right)) {
        return apply_in_python(ROW_power, left, right);
    }
    return power_operator(left, right);
}

/* Value._apply(op, operands): what calling a row on Values comes to. Borrows everything. */
static PyObject *value_apply(PyObject *self, PyObject *const *args, Py_ssize_t n) {
    if (n != 2 || !PyTuple_Check(args[1]))
        return PyErr_Format(PyExc_TypeError, "_apply takes a row and the tuple of its operands");
    State *s = state_of(Py_TYPE(self));
    PyObject *known = PyDict_GetItemWithError(s->codes, args[0]);
    Py_ssize_t size = PyTuple_GET_SIZE(args[1]);
    PyObject *x = size ? PyTuple_GET_ITEM(args[1], 0) : NULL;
    PyObject *y = size == 2 ? PyTuple_GET_ITEM(args[1], 1) : NULL;
    if (known && x && is_exact(Py_TYPE(x)) && (!y || is_exact(Py_TYPE(y)))) {
        switch (size == 1 || y ? PyLong_AsLong(known) : NO_ROW) {
#define CALL1(name) case ROW_##name: return name##_operator(x);
#define CALL2(name) case ROW_##name: return name##_operator(x, y);
            UNARY_ROWS(CALL1)
            BINARY_ROWS(CALL2)
        }
    }
    if (PyErr_Occurred()) return NULL;
    return PyObject_CallFunctionObjArgs(s->objects[_apply_mixed_], args[0], args[1], NULL);
}

/* A new tuple of some objects, or only of the Values among them. Borrows them. */
static PyObject *new_tuple(PyObject **items, Py_ssize_t n, int only_values) {
    Py_ssize_t size = 0;
    for (Py_ssize_t i = 0; i < n; i++) size += !only_values || is_value(items[i]);
    PyObject *result = PyTuple_New(size);
    for (Py_ssize_t i = 0, j = 0; result && i < n; i++) {
        if (!only_values || is_value(items[i])) PyTuple_SET_ITEM(result, j++, Py_NewRef(items[i]));
    }
    return result;
}

/* Gives a node without operands its row (NULL or None for none) and operands; borrows them. */
static int set_operands(State *s, Value *v, PyObject *op, PyObject *operands) {
    Py_ssize_t n = PyTuple_GET_SIZE(operands);
    s->hung |= v->bound;
    PyObject *known = op ? PyDict_GetItemWithError(s->codes, op) : NULL;
    if ((!known && PyErr_Occurred()) || ((v->used || (op && !known)) && hang(s, v) < 0)) return -1;
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
    double exponent;
    if (code == ROW_power && values == 1 && is_value(PyTuple_GET_ITEM(operands, 0)) &&
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
        /* A tuple of its own, so that it can be left untracked. */
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

/* The getter of args, or of parents if `only_values` is set. The caller owns the tuple. */
static PyObject *get_operands(PyObject *self, void *only_values) {
    Value *v = (Value *)self;
    PyObject *inlined[2] = {v->first, v->second};
    if (v->shape != MANY) return new_tuple(inlined, v->shape, only_values != NULL);
    return new_tuple(((PyTupleObject *)v->first)->ob_item, Py_SIZE(v->first), only_values != NULL);
}

/* The getter of op: the row that made a node, or None. The caller owns the result. */
static PyObject *get_op(PyObject *self, void *Py_UNUSED(closure)) {
    Value *v = (Value *)self;
    int named = v->shape == MANY || v->shape == LEAF;
    PyObject *op = named ? v->second : state_of(Py_TYPE(self))->rows[v->code];
    return Py_NewRef(op ? op : Py_None);
}

/* The setter of op, if `is_op` is set, which waits in the place of an operand for those of args; or
 * of args. Only a leaf is made a node. Borrows what is set. */
static int set_making(PyObject *self, PyObject *x, void *is_op) {
    Value *v = (Value *)self;
    if (!x || v->shape != LEAF || (!is_op && !PyTuple_Check(x))) {
        PyErr_SetString(PyExc_AttributeError, "op, then args, a tuple, are set to make a node");
        return -1;
    }
    if (is_op) {
        Py_XSETREF(v->second, x == Py_None ? NULL : Py_NewRef(x));
        return 0;
    }
    PyObject *op = v->second;
    v->second = NULL;
    int failed = set_operands(state_of(Py_TYPE(self)), v, op, x);
    Py_XDECREF(op);
    return failed;
}

/* The state, if any thread traces a program: then Python sees to who asks for a number; or NULL. */
static inline State *tracing(PyObject *self) {
    State *s = state_of(Py_TYPE(self));
    return s && s->objects[_traces_] && PyDict_GET_SIZE(s->objects[_traces_]) ? s : NULL;
}

/* The getter of _data and _grad. The caller owns the result. */
static PyObject *get_raw(PyObject *self, void *name) {
    Value *v = (Value *)self;
    if (v->bound) look_at_all(state_of(Py_TYPE(self)));
    return PyFloat_FromDouble(*number_of(self, which_of(name)));
}

/* The getter of data and grad. The caller owns the result. */
static PyObject *get_number(PyObject *self, void *name) {
    State *s = tracing(self);
    if (s) return PyObject_CallFunction(s->objects[_read_], "Os", self, name);
    return get_raw(self, name);
}

/* The setter of all four. Borrows the number. */
static int set_number(PyObject *self, PyObject *number, void *name) {
    State *s = state_of(Py_TYPE(self));
    double x;
    if (!number) {
        PyErr_Format(PyExc_AttributeError, "the %s of a Value cannot be deleted", name);
        return -1;
    }
    if (as_double(s, number, name, &x) < 0) return -1;
    change(s, ((Value *)self)->bound, which_of(name));
    *number_of(self, which_of(name)) = x;
    return 0;
}

/* The dict of attributes itself: what will be put into it is not known, so the node is tracked. */
static PyObject *get_dict(PyObject *self, void *closure) {
    if (hang(state_of(Py_TYPE(self)), (Value *)self) < 0) return NULL;
    return PyObject_GenericGetDict(self, closure);
}

/* The setter of the dict. Borrows it. */
static int set_dict(PyObject *self, PyObject *dict, void *closure) {
    state_of(Py_TYPE(self))->hung |= ((Value *)self)->bound;
    if (hang(state_of(Py_TYPE(self)), (Value *)self) < 0) return -1;
    return PyObject_GenericSetDict(self, dict, closure);
}

/* A copy of the dict of attributes, which leaves the node untracked. The caller owns it. */
static PyObject *get_attributes(PyObject *self, void *Py_UNUSED(closure)) {
    PyObject *dict = ((Value *)self)->dict;
    return dict ? PyDict_Copy(dict) : PyDict_New();
}

/* v.name = x, for any name; Value's own descriptors (args, op ...) see to themselves. Borrows. */
static int value_setattro(PyObject *self, PyObject *name, PyObject *x) {
    if (x && can_cycle(x)) {
        State *s = state_of(Py_TYPE(self));
        PyObject *own = PyDict_GetItem(s->type->tp_dict, name);
        if (((Value *)self)->bound && !PyUnicode_Compare(name, s->objects[_closure_])) s->hung = 1;
        if (!(own && Py_TYPE(own)->tp_descr_set) && hang(s, (Value *)self) < 0) return -1;
    }
    return PyObject_GenericSetAttr(self, name, x);
}

/* Comparisons look at the data; == is identity. Borrows both. */
static PyObject *value_richcompare(PyObject *self, PyObject *other, int op) {
    if (op == Py_EQ || op == Py_NE) Py_RETURN_NOTIMPLEMENTED;
    State *s = tracing(self);
    if (s) return PyObject_CallFunction(s->objects[_compare_], "OOi", self, other, op);
    s = state_of(Py_TYPE(self));
    if (s) look(s, ((Value *)self)->bound | (is_value(other) && ((Value *)other)->bound));
    double x = ((Value *)self)->data, y = is_value(other) ? ((Value *)other)->data : 0.0;
    if (is_value(other) || plain_number(other, &y)) Py_RETURN_RICHCOMPARE(x, y, op);
    PyObject *number = PyFloat_FromDouble(x);
    PyObject *result = number ? PyObject_RichCompare(number, other, op) : NULL;
    Py_XDECREF(number);
    return result;
}

/* By identity; a type with comparisons does not inherit it. Borrows. */
static Py_hash_t value_hash(PyObject *self) { return PyBaseObject_Type.tp_hash(self); }

/* The graph --------------------------------------------------------------------------------- */

/* A walk in the memory of the one before; the caller owns it. */
static Walk new_walk(State *s, int backward) {
    Walk w = s->spare;
    s->spare = (Walk){.backward = 0};
    w.order.size = w.leaves.size = w.path.size = 0;
    w.backward = backward;
    w.bound = s->hung;
    return w;
}

/* Releases the memory of a walk. */
static void free_walk(Walk *w) {
    PyMem_Free(w->order.items); PyMem_Free(w->leaves.items); PyMem_Free(w->path.items);
}

/* Keeps the memory of a walk; releases it if it is out of proportion to the nodes that are kept. */
static void end_walk(State *s, Walk *w) {
    Walk before = s->spare;
    if (w->order.room > 2 * s->keep + 1024) { free_walk(w); return; }
    s->spare = *w;
    free_walk(&before);
}

/* Whether a function was assigned to a node's _backward. Borrows the node. */
static inline int has_closure(State *s, Value *v) {
    PyObject *closure = v->dict ? PyDict_GetItem(v->dict, s->objects[_closure_]) : NULL;
    return closure && closure != Py_None;
}

/* What will be left of a node after its first operand, so that it needn't be touched again: the
 * second one, borrowed, or NULL; of MANY, the index of the next, times two, plus one. */
static inline Value *rest_of(Value *v) {
    if (v->shape == MANY) return (Value *)1;
    return v->shape == TWO && v->code != POWER_OF_NUMBER ? (Value *)v->second : NULL;
}

/* Whether the leaves of a node, which all are leaves of blocks, get theirs from these. */
static inline int hides(State *s, Value *v) { return v->hides && !s->hung; }

/* Lists a Value, borrowed, if it is a leaf: 1 then, 0 if it is none, -1 if memory is short. */
static inline int list_leaf(State *s, Walk *w, Value *x) {
    if (x->shape != LEAF || has_closure(s, x)) return 0;
    w->bound |= x->bound;
    return append(w->backward ? &w->leaves : &w->order, x) < 0 ? -1 : 1;
}

/* Lists the graph behind a root, in depth, operands in order; a backward pass sets interior grads
 * to 0. A deep graph needs no stack of C's, and no Python code runs meanwhile. Borrows the root. */
static int walk(State *s, Walk *w, Value *x) {
    uint64_t number = ++s->walks & 0xFFFFFFFFFFFF;
    for (int leaf;;) {
        while (x && x->seen != number) {
            x->seen = number;
            if ((leaf = list_leaf(s, w, x)) < 0) return -1;
            if (leaf) break;
            if (append(&w->path, x) < 0 || append(&w->path, rest_of(x)) < 0) return -1;
            if (w->backward) x->grad = 0.0;
            x = x->shape == ONE || x->shape == TWO ? (Value *)x->first : NULL;
        }
        if (!w->path.size) return 0;
        Value **top = w->path.items + w->path.size - 2;
        if ((uintptr_t)top[1] & 1) {
            Py_ssize_t i = (uintptr_t)top[1] >> 1, n = PyTuple_GET_SIZE(top[0]->first);
            PyObject **operands = ((PyTupleObject *)top[0]->first)->ob_item;
            if (w->backward && hides(s, top[0])) i = n;
            for (x = NULL; i < n && !x; i++) {
                __builtin_prefetch(operands[Py_MIN(i + 8, n - 1)]);
                if (!is_value(operands[i]) || ((Value *)operands[i])->seen == number) continue;
                if ((leaf = list_leaf(s, w, (Value *)operands[i])) < 0) return -1;
                if (leaf) ((Value *)operands[i])->seen = number;
                else x = (Value *)operands[i];
            }
            top[1] = i < n ? (Value *)((uintptr_t)i << 1 | 1) : NULL;
        }
        else if ((x = top[1])) {
            top[1] = NULL;
        }
        else {
            w->path.size -= 2;
            if (append(&w->order, top[0]) < 0) return -1;
        }
    }
}

/* toposort(root): a new list, which the caller owns. Borrows the root. */
static PyObject *engine_toposort(PyObject *Py_UNUSED(module), PyObject *root) {
    if (!is_value(root)) {
        return PyObject_GetAttrString(root, "parents"); /* raises what engine.py raises */
    }
    State *s = state_of(Py_TYPE(root));
    Walk w = new_walk(s, 0);
    int failed = walk(s, &w, (Value *)root);
    PyObject *result = failed ? PyErr_NoMemory() : PyList_New(w.order.size);
    for (Py_ssize_t i = 0; result && i < w.order.size; i++)
        PyList_SET_ITEM(result, i, Py_NewRef(w.order.items[i]));
    end_walk(s, &w);
    return result;
}

/* Takes the step of a node that hides its leaves: what they and their blocks will get is kept, as
 * pairs of a block and an array, until nothing can fail any more. Borrows it. */
static int collect(State *s, Walk *w, Value *v) {
    PyObject *pairs = PyObject_CallMethodNoArgs((PyObject *)v, s->objects[_collect_]);
    if (!w->collected) w->collected = PyList_New(0);
    Py_ssize_t end = w->collected ? PyList_GET_SIZE(w->collected) : 0;
    int failed = !pairs || !w->collected || PyList_SetSlice(w->collected, end, end, pairs) < 0;
    Py_XDECREF(pairs);
    return -failed;
}

/* Takes the step of a node, borrowed, in Python: its closure, its rules where C has none, or the
 * error. */
static int pass_on_in_python(State *s, Walk *w, Value *v) {
    int failed;
    if (hides(s, v)) {
        failed = collect(s, w, v);
    }
    else {
        PyObject *step = PyObject_GetAttr((PyObject *)v, s->objects[_backward_]);
        PyObject *done = step ? PyObject_CallNoArgs(step) : NULL;
        failed = done ? 0 : -1;
        Py_XDECREF(step);
        Py_XDECREF(done);
    }
    look(s, w->bound); /* Python ran, perhaps a backward pass within this one */
    return failed;
}

/* Takes the step of a node: gives each operand its local derivative times what arrived here.
 * Borrows the node. */
static inline int pass_on(State *s, Walk *w, Value *v) {
    double slope, other = 0.0, out = v->data;
    if (v->code == NO_ROW || has_closure(s, v)) return pass_on_in_python(s, w, v);
    Value *x = (Value *)v->first, *y = (Value *)v->second;
    switch (v->code) {
#define RULE1(name) case ROW_##name: slope = name##_slope_0(x->data, out); break;
        UNARY_ROWS(RULE1)
    case POWER_OF_NUMBER:
        plain_number(v->second, &other);
        slope = power_slope_0(x->data, other, out);
        break;
#define RULE2(name)                                                                                \
    case ROW_##name:                                                                              \
        slope = name##_slope_0(x->data, y->data, out);                                            \
        other = name##_slope_1(x->data, y->data, out);                                            \
        if (!isfinite(slope) || !isfinite(other)) return pass_on_in_python(s, w, v);              \
        x->grad += slope * v->grad;                                                               \
        y->grad += other * v->grad;                                                               \
        return 0;
        BINARY_ROWS(RULE2)
    default:
        Py_UNREACHABLE();
    }
    if (!isfinite(slope)) return pass_on_in_python(s, w, v);
    x->grad += slope * v->grad;
    return 0;
}

/* Adds what was collected to the grads of the blocks. Borrows it. */
static int add_collected(State *s, PyObject *collected) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(collected); i++) {
        PyObject *pair = PyList_GET_ITEM(collected, i);
        if (add_to_block(s, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1)) < 0) return -1;
    }
    return 0;
}

/* The backward pass of what a walk has listed, `before` of it are the grads of the leaves, and these
 * are so again where it fails. Borrows everything. */
static int pass_back(State *s, Walk *w, Value *root, double *before) {
    int failed = 0;
    Py_ssize_t n = w->leaves.size;
    change(s, w->bound, GRAD); /* and again at the end: blocks may be used meanwhile */
    for (Py_ssize_t i = 0; i < n; i++) before[i] = w->leaves.items[i]->grad;
    root->grad = 1.0;
    for (Py_ssize_t i = w->order.size - 1; i >= 0 && !failed; i--) {
        if (i >= 8) __builtin_prefetch(&w->order.items[i - 8]->data);
        failed = pass_on(s, w, w->order.items[i]);
    }
    for (Py_ssize_t i = 0; failed && i < n; i++) w->leaves.items[i]->grad = before[i];
    change(s, w->bound, GRAD);
    return failed || !w->collected ? failed : add_collected(s, w->collected);
}

/* Value.backward(): the caller's reference to the root keeps the graph alive. */
static PyObject *value_backward(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    State *s = state_of(Py_TYPE(self));
    look(s, s->hung);
    Walk w = new_walk(s, 1);
    double *before = NULL;
    int failed = walk(s, &w, (Value *)self);
    if (failed || !(before = PyMem_Malloc((w.leaves.size + 1) * sizeof(double)))) {
        PyErr_NoMemory();
        failed = -1;
    }
    else {
        trim(s);
        failed = pass_back(s, &w, (Value *)self, before);
    }
    PyMem_Free(before);
    Py_CLEAR(w.collected);
    end_walk(s, &w);
    if (failed) return NULL;
    Py_RETURN_NONE;
}

/* hide_leaves(node): see above; there is no way back. Borrows it. */
static PyObject *engine_hide_leaves(PyObject *Py_UNUSED(module), PyObject *node) {
    if (is_value(node)) ((Value *)node)->hides = 1;
    Py_RETURN_NONE;
}

/* If the arguments are a list or tuple and as many float64, owns `view` and gives the items,
 * borrowed; else NULL, without an error. */
static PyObject **fit(PyObject *const *args, Py_ssize_t n, Py_buffer *view, int flags) {
    if (n != 2 || !(PyList_CheckExact(args[0]) || PyTuple_CheckExact(args[0]))) return NULL;
    return take_float64(args[1], Py_SIZE(args[0]), flags, view) ? PySequence_Fast_ITEMS(args[0]) : NULL;
}

/* read_data(values, buffer) and the like, in one pass over memory: what changes Values remembers
 * them, in case one of the items is none. What does not fit, Python explains. Borrows both. */
#define BULK(name, flags, which, field, what)                                                      \
    static PyObject *bulk_##name(PyObject *module, PyObject *const *args, Py_ssize_t n) {          \
        Py_buffer view;                                                                            \
        PyObject **items = fit(args, n, &view, flags);                                             \
        State *s = PyModule_GetState(module);                                                      \
        PyObject *python = s->objects[name##_];                                                    \
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

#define METHOD1(name) {#name, (PyCFunction)(void (*)(void))name##_operator, METH_NOARGS, ROW_DOC},
#define METHOD2(name) {#name, name##_method, METH_O, ROW_DOC},
#define ROW_DOC "This row of the table, on self."
static PyMethodDef value_methods[] = {
    {"backward", value_backward, METH_NOARGS,
     "Leave in every `v.grad` of this graph the derivative of self with respect to v."},
    {"_apply", (PyCFunction)(void (*)(void))value_apply, METH_FASTCALL,
     "Compute a row on the data of its operands, and record the result as a node."},
    {"_track", value_track, METH_NOARGS, "Let the cyclic collector look at this Value."},
    UNARY_METHODS(METHOD1) BINARY_METHODS(METHOD2)
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef value_getset[] = {
    {"data", get_number, set_number, "The number itself.", "data"},
    {"grad", get_number, set_number,
     "The derivative of the last `backward()`'s root with respect to this Value.", "grad"},
    {"_data", get_raw, set_number, NULL, "data"},
    {"_grad", get_raw, set_number, NULL, "grad"},
    {"op", get_op, set_making, "The row of the table that made this node; None for a leaf.", "op"},
    {"args", get_operands, set_making,
     "All operands in order, a number that stayed one (the 3 of `x**3`) among them.", NULL},
    {"parents", get_operands, NULL,
     "The Values among the operands, in order; `a + a` has two.", "values"},
    {"_attributes", get_attributes, NULL, NULL, NULL},
    {"__dict__", get_dict, set_dict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef value_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Value, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Value, weakrefs), READONLY, NULL},
    {"_scope", T_OBJECT, offsetof(Value, scope), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot value_slots[] = {
    {Py_tp_doc, "Value(data, _children=(), _op='', label='')\n--\n\n"}, {Py_tp_new, value_new},
    {Py_tp_init, value_init}, {Py_tp_dealloc, value_dealloc}, {Py_tp_traverse, value_traverse},
    {Py_tp_clear, value_clear}, {Py_tp_setattro, value_setattro},
    {Py_tp_richcompare, value_richcompare}, {Py_tp_hash, value_hash},
    {Py_tp_methods, value_methods}, {Py_tp_getset, value_getset},
    {Py_tp_members, value_members}, {Py_nb_add, add_operator},
    {Py_nb_subtract, subtract_operator}, {Py_nb_multiply, multiply_operator},
    {Py_nb_true_divide, divide_operator}, {Py_nb_power, value_power},
    {Py_nb_negative, negative_operator}, {Py_nb_absolute, abs_operator}, {0, NULL},
};

static PyType_Spec value_spec = {
    .name = "micrograd.engine.Value",
    .basicsize = sizeof(Value),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = value_slots,
};

/* Scopes ------------------------------------------------------------------------------------ */

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

/* call_on_new(function): calls it on each new Value; None ends that. The state owns it. */
static PyObject *engine_call_on_new(PyObject *module, PyObject *function) {
    State *s = PyModule_GetState(module);
    s->marking += (function != Py_None) - (s->on_new != NULL);
    Py_XSETREF(s->on_new, function == Py_None ? NULL : Py_NewRef(function));
    Py_RETURN_NONE;
}

/* Forgets what was found of modules' calls: when one has died, so that its scopes may, too. */
static void forget(State *s) {
    for (int i = 0; i < 1024; i++) {
        s->found[i].called = NULL;
        Py_CLEAR(s->found[i].scope);
    }
}

/* forget_calls(): as above. */
static PyObject *engine_forget_calls(PyObject *module, PyObject *Py_UNUSED(ignored)) {
    forget(PyModule_GetState(module));
    Py_RETURN_NONE;
}

/* The scope of a module's calls within the one around, which the caller owns. Borrows both. */
static PyObject *scope_of_call(State *s, PyObject *around, PyObject *called) {
    uint64_t mixed = ((uintptr_t)around ^ (uintptr_t)called) * 0x9E3779B97F4A7C15;
    Found *found = &s->found[mixed >> 54];
    if (found->called == called && found->around == around) return Py_NewRef(found->scope);
    PyObject *scope = PyObject_CallMethodOneArg(around, s->objects[_of_module_], called);
    if (scope) {
        PyObject *before = found->scope;
        *found = (Found){around, called, Py_NewRef(scope)};
        Py_XDECREF(before); /* which may run Python */
    }
    return scope;
}

/* Does what the Python function `within` of scopes.py does; its closure has call, a function, and
 * outside. Borrows all; the caller owns the result. */
static PyObject *call_within(PyObject *self, PyObject *const *args, size_t n, PyObject *names) {
    PyObject *closure = PyFunction_GET_CLOSURE(self);
    PyObject *call = PyCell_GET(PyTuple_GET_ITEM(closure, 0));
    PyObject *outside = PyCell_GET(PyTuple_GET_ITEM(closure, 1));
    State *s = PyModule_GetState(((PyHeapTypeObject *)Py_TYPE(outside))->ht_module);
    vectorcallfunc run = ((PyFunctionObject *)call)->vectorcall;
    if (!PyVectorcall_NARGS(n)) return run(call, args, n, names); /* raises */
    PyObject *around = scope_here(s);
    PyObject *scope = scope_of_call(s, around ? around : outside, args[0]);
    if (!scope) return NULL;
    PyObject *before = swap_scope(s, scope);
    PyObject *result = run(call, args, n, names);
    Py_XDECREF(swap_scope(s, before));
    return result;
}

/* hasten(function, type of Scope): calls of this `within` go to the one above. Borrows both. */
static PyObject *engine_hasten(PyObject *module, PyObject *args) {
    PyObject *within;
    PyHeapTypeObject *kind;
    if (!PyArg_ParseTuple(args, "O!O!", &PyFunction_Type, &within, &PyType_Type, &kind)) return NULL;
    Py_XSETREF(kind->ht_module, Py_NewRef(module)); /* how a Scope leads to the state */
    ((PyFunctionObject *)within)->vectorcall = call_within;
    Py_RETURN_NONE;
}

/* The module -------------------------------------------------------------------------------- */

/* Stores the rows of the table by code, and the code of every row. Borrows the table. */
static int find_rows(State *s, PyObject *table) {
    static const char *const names[N_CODES] = {
#define NAME(row) [ROW_##row] = #row,
        UNARY_ROWS(NAME) BINARY_ROWS(NAME)
    };
    PyObject *name, *op;
    Py_ssize_t position = 0;
    s->codes = PyDict_New();
    while (s->codes && PyDict_Next(table, &position, &name, &op)) {
        int code = N_CODES;
        do code--;
        while (code && (!names[code] || PyUnicode_CompareWithASCIIString(name, names[code])));
        PyObject *number = PyLong_FromLong(code);
        if (code) s->rows[code] = Py_NewRef(op);
        if (!number || PyDict_SetItem(s->codes, op, number) < 0) Py_CLEAR(s->codes);
        Py_XDECREF(number);
    }
    s->rows[POWER_OF_NUMBER] = Py_XNewRef(s->rows[ROW_power]);
    return s->codes ? 0 : -1;
}

/* Stores an attribute of a Python object, or its own name if there is none, in the state. */
static int take(State *s, int index, PyObject *source, const char *name) {
    PyObject *x = source ? PyObject_GetAttrString(source, name) : PyUnicode_InternFromString(name);
    s->objects[index] = x;
    return x ? 0 : -1;
}

/* Fills a new module: engine.py has run up to the line that imports it. Borrows the module. */
static int engine_exec(PyObject *module) {
    State *s = PyModule_GetState(module);
    PyObject *name = NULL, *table = NULL, *Value = NULL, *bases = NULL;
    PyObject *engine = PyImport_ImportModule("micrograd.engine");
    PyObject *gc_cycles = PyImport_ImportModule("micrograd.native.gc_cycles");
    PyObject *bulk = PyImport_ImportModule("micrograd.native.bulk");
    PyObject *base = PyImport_ImportModule("micrograd.value.base");
    PyObject *ops = PyImport_ImportModule("micrograd.ops");
    int failed = !engine || !gc_cycles || !bulk || !base || !ops ||
                 !(Value = PyObject_GetAttrString(engine, "Value")) ||
                 !(bases = PyObject_GetAttrString(Value, "__bases__")) ||
                 !(table = PyObject_GetAttrString(ops, "TABLE")) || find_rows(s, table) < 0;
#define TAKE(source, object) failed = failed || take(s, object##_, source, #object) < 0;
    OBJECTS(TAKE)
    failed = failed || !(s->type = (PyTypeObject *)PyType_FromModuleAndSpec(
                             module, &value_spec, bases));
    failed = failed || !(s->block_type = (PyTypeObject *)PyType_FromModuleAndSpec(
                             module, &block_spec, NULL));
    if (!failed) {
        s->type->tp_vectorcall = value_vectorcall;
        failed = PyModule_AddObjectRef(module, "Value", (PyObject *)s->type) < 0 ||
                 PyModule_AddObjectRef(module, "Block", (PyObject *)s->block_type) < 0;
    }
    PyObject *borrowed[] = {engine, gc_cycles, bulk, base, ops, table, Value, bases};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(borrowed); i++) Py_XDECREF(borrowed[i]);
    return failed ? -1 : 0;
}

/* Visits what the module owns. */
static int engine_traverse(PyObject *module, visitproc visit, void *arg) {
    State *s = PyModule_GetState(module);
    Py_VISIT(s->type); Py_VISIT(s->block_type); Py_VISIT(s->codes);
    Py_VISIT(s->on_new); Py_VISIT(s->scope); Py_VISIT(s->own);
    for (int i = 0; i < N_CODES; i++) Py_VISIT(s->rows[i]);
    for (int i = 0; i < N_OBJECTS; i++) Py_VISIT(s->objects[i]);
    for (int i = 0; i < 1024; i++) Py_VISIT(s->found[i].scope);
    return 0;
}

/* Releases what the module owns. */
static int engine_clear(PyObject *module) {
    State *s = PyModule_GetState(module);
    Py_CLEAR(s->type); Py_CLEAR(s->block_type); Py_CLEAR(s->codes);
    Py_CLEAR(s->on_new); Py_CLEAR(s->scope); Py_CLEAR(s->own);
    for (int i = 0; i < N_CODES; i++) Py_CLEAR(s->rows[i]);
    for (int i = 0; i < N_OBJECTS; i++) Py_CLEAR(s->objects[i]);
    forget(s);
    return 0;
}

/* Releases the kept nodes; no Value is alive any more, since each keeps its type and module. */
static void engine_free(void *module) {
    State *s = PyModule_GetState(module);
    engine_clear(module);
    while (s->kept.size) {
        PyObject *dead = (PyObject *)s->kept.items[--s->kept.size];
        Py_SET_TYPE(dead, &PyList_Type); /* Value is gone; any type with a collector's header */
        PyObject_GC_Del(dead);
    }
    PyMem_Free(s->kept.items);
    free_walk(&s->spare);
}

#define BULK_METHOD(source, name)                                                                  \
    {#name, (PyCFunction)(void (*)(void))bulk_##name, METH_FASTCALL, "See micrograd/native/bulk.py."},
static PyMethodDef engine_methods[] = {
    {"toposort", engine_toposort, METH_O,
     "List every Value that `root` is made of, operands before their consumers, root last."},
    BULK_FUNCTIONS(BULK_METHOD)
    {"hide_leaves", engine_hide_leaves, METH_O, "See micrograd/native/blocks.py."},
    {"swap_scope", engine_swap_scope, METH_O, "Let this thread record in a scope, or in none."},
    {"hasten", engine_hasten, METH_VARARGS, "Call a function like `within` of scopes.py in C."},
    {"forget_calls", engine_forget_calls, METH_NOARGS, "Forget the scopes of modules' calls."},
    {"call_on_new", engine_call_on_new, METH_O, "Call a function on each new Value, or none."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot engine_slots[] = {
    {Py_mod_exec, engine_exec},
#ifdef Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef engine_module = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "micrograd.native._engine",
    .m_doc = "The C core: see engine.py, which says what everything here means.",
    .m_size = sizeof(State), .m_methods = engine_methods, .m_slots = engine_slots,
    .m_traverse = engine_traverse, .m_clear = engine_clear, .m_free = engine_free,
};

PyMODINIT_FUNC PyInit__engine(void) {
    return PyModuleDef_Init(&engine_module);
}
