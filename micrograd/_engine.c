/* The Value of engine.py, faster. engine.py is complete and says what everything means; this file
 * takes over what is hot: making nodes, listing a graph, the backward pass, freeing. What is rare
 * (numbers that are not floats, subclasses, errors, results that are not finite, rows without a C
 * form) goes to the Python functions, so that conventions and messages exist once.
 *
 * "Borrows" below: uses the caller's reference. "Owns": the struct or the caller must release it.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

#include "_ops.h"

/* Types ------------------------------------------------------------------------------------- */

#define CODE(name) ROW_##name,
enum { NO_ROW, UNARY_ROWS(CODE) BINARY_ROWS(CODE) POWER_OF_NUMBER, N_CODES };
#undef CODE

enum { LEAF, ONE, TWO, MANY };

typedef struct Value {
    PyObject_HEAD
    double data, grad;
    PyObject *first;        /* operand; of MANY, the tuple of all of them */
    PyObject *second;       /* operand; of MANY, the row (an Op) or NULL */
    PyObject *dict;         /* label, closure, attributes; most Values never have one */
    PyObject *weakrefs;
    struct Value *link;     /* the next one in a list of free, dying or walked nodes */
    uint64_t seen : 48;     /* the number of the walk that saw it last */
    uint64_t code : 8;      /* the row, where C has it */
    uint64_t shape : 2;     /* how the operands are stored */
    uint64_t step : 2;      /* the next operand in a walk */
    uint64_t tracked : 1;   /* the cyclic collector looks at it */
    uint64_t used : 1;      /* it has been an operand */
} Value;

typedef struct {
    PyTypeObject *type;
    PyObject *rows[N_CODES];    /* code -> Op */
    PyObject *codes;            /* every Op of the table -> code, 0 where C has none */
    PyObject *no_operands;      /* the empty tuple */
    PyObject *init, *apply_mixed, *to_float, *read_data, *add_grads, *hung_late; /* in Python */
    PyObject *str_apply, *str_backward, *str_closure;
    Value *free;                /* nodes kept for reuse */
    Value *dying;               /* nodes to be freed by the value_dealloc that runs already */
    int freeing;
    Py_ssize_t n_free, n_alive, peak, keep;
    uint64_t walks;
} State;

static void value_dealloc(PyObject *self);

/* Whether a type is Value itself: only then is a node in the shape that C works on. */
static inline int is_exact(PyTypeObject *type)
{
    return type->tp_dealloc == value_dealloc;
}

/* The type Value behind a type, or NULL if it is foreign. Borrowed. */
static inline PyTypeObject *value_type(PyTypeObject *type)
{
    while (type && !is_exact(type)) {
        type = type->tp_base;
    }
    return type;
}

static inline int is_value(PyObject *x)
{
    return value_type(Py_TYPE(x)) != NULL;
}

/* The state of the module that a Value type belongs to; NULL while an interpreter shuts down. */
static inline State *state_of(PyTypeObject *type)
{
    PyObject *module = ((PyHeapTypeObject *)value_type(type))->ht_module;
    return module ? (State *)PyModule_GetState(module) : NULL;
}

/* Making and freeing ------------------------------------------------------------------------ */

/* Makes a leaf, untracked, out of the kept nodes if there are any. The caller owns it. */
static inline Value *new_leaf(State *s, double data)
{
    Value *v = s->free;
    if (v) {
        s->free = v->link;
        s->n_free--;
        PyObject_Init((PyObject *)v, s->type);
    }
    else if (!(v = PyObject_GC_New(Value, s->type))) {
        return NULL;
    }
    if (++s->n_alive > s->peak) {
        s->peak = s->n_alive;
    }
    memset((char *)v + offsetof(Value, data), 0, sizeof(Value) - offsetof(Value, data));
    v->data = data;
    return v;
}

/* Releases what a dead node owns, and keeps its memory for reuse (unless it is a subclass's). */
static void destroy(State *s, Value *v)
{
    PyTypeObject *type = Py_TYPE(v);
    if (v->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)v);
    }
    Py_XDECREF(v->first);
    Py_XDECREF(v->second);
    Py_XDECREF(v->dict);
    if (s && is_exact(type)) {
        s->n_alive--;
        s->n_free++;
        v->link = s->free;
        s->free = v;
    }
    else {
        type->tp_free(v);
    }
    Py_DECREF(type);
}

/* Frees a node, and those that die with it one after the other: a graph may be deeper than the
 * C stack. Owns `self`. */
static void value_dealloc(PyObject *self)
{
    Value *v = (Value *)self;
    State *s = state_of(Py_TYPE(self));
    PyObject_GC_UnTrack(self);
    if (!s) {
        destroy(NULL, v);
        return;
    }
    v->link = s->dying;
    s->dying = v;
    if (s->freeing) {
        return;
    }
    s->freeing = 1;
    while ((v = s->dying)) {
        s->dying = v->link;
        destroy(s, v);
    }
    s->freeing = 0;
}

/* Gives kept memory back, as the policy says: at most as many nodes are kept as were alive at
 * once since the last call, or seven eighths of the bound before, if that is more. */
static void trim(State *s)
{
    s->keep -= s->keep / 8;
    if (s->keep < s->peak) {
        s->keep = s->peak;
    }
    s->peak = s->n_alive;
    while (s->free && s->n_alive + s->n_free > s->keep) {
        Value *v = s->free;
        s->free = v->link;
        s->n_free--;
        PyObject_GC_Del(v);
    }
}

/* The cyclic collector ---------------------------------------------------------------------- */

/* Lets the collector see a node, and the tuple it may own. Borrows it. */
static void track(Value *v)
{
    if (!v->tracked) {
        v->tracked = 1;
        PyObject_GC_Track(v);
        if (v->shape == MANY && !PyObject_GC_IsTracked(v->first)) {
            PyObject_GC_Track(v->first);
        }
    }
}

/* Whether a reference to `x` can be part of a cycle. Borrows it. */
static int can_cycle(PyObject *x)
{
    if (!PyObject_IS_GC(x)) {
        return 0;
    }
    if (PyWeakref_CheckRefExact(x)) {
        return ((PyWeakReference *)x)->wr_callback != NULL;
    }
    if (PyTuple_CheckExact(x)) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(x); i++) {
            if (PyObject_IS_GC(PyTuple_GET_ITEM(x, i))) {
                return 1;
            }
        }
        return 0;
    }
    return 1;
}

/* Prepares for something that may form a cycle to be hung on a node. Consumers to come are
 * tracked like it; those that exist already cannot be known here, see _cycles.py. Borrows it. */
static int hang(State *s, Value *v)
{
    if (v->tracked && is_exact(Py_TYPE(v))) {
        return 0;
    }
    if (v->used && is_exact(Py_TYPE(v))) {
        PyObject *done = PyObject_CallOneArg(s->hung_late, (PyObject *)v);
        if (!done) {
            return -1;
        }
        Py_DECREF(done);
    }
    track(v);
    return 0;
}

/* Visits what a node owns. */
static int value_traverse(PyObject *self, visitproc visit, void *arg)
{
    Value *v = (Value *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(v->first);
    Py_VISIT(v->second);
    Py_VISIT(v->dict);
    return 0;
}

/* Releases what a node in a dead cycle owns. */
static int value_clear(PyObject *self)
{
    Value *v = (Value *)self;
    v->code = NO_ROW;
    v->shape = LEAF;
    Py_CLEAR(v->first);
    Py_CLEAR(v->second);
    Py_CLEAR(v->dict);
    return 0;
}

/* Making a Value of a number ---------------------------------------------------------------- */

/* Stores the float that `x` stands for, in `result`; `what` is for the message. Borrows both. */
static int as_double(State *s, PyObject *x, const char *what, double *result)
{
    if (PyFloat_CheckExact(x)) {
        *result = PyFloat_AS_DOUBLE(x);
        return 0;
    }
    PyObject *number = PyObject_CallFunction(s->to_float, "Os", x, what);
    if (!number) {
        return -1;
    }
    *result = PyFloat_AsDouble(number);
    Py_DECREF(number);
    return *result == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* Value.__new__: the caller owns the result. Arguments are for __init__, a subclass's perhaps. */
static PyObject *value_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kw))
{
    if (is_exact(type)) {
        State *s = state_of(type);
        return (PyObject *)new_leaf(s, 0.0);
    }
    Value *v = (Value *)type->tp_alloc(type, 0); /* tracks it */
    if (v) {
        v->tracked = 1;
    }
    return (PyObject *)v;
}

/* Value.__init__; more than one argument goes to the function in Python. Borrows everything. */
static int value_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    Value *v = (Value *)self;
    State *s = state_of(Py_TYPE(self));
    if (PyTuple_GET_SIZE(args) == 1 && !kwargs && v->shape == LEAF) {
        if (as_double(s, PyTuple_GET_ITEM(args, 0), "data", &v->data) < 0) {
            return -1;
        }
        v->grad = 0.0;
        return 0;
    }
    PyObject *bound = PyMethod_New(s->init, self);
    if (!bound) {
        return -1;
    }
    PyObject *done = PyObject_Call(bound, args, kwargs);
    Py_DECREF(bound);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Value(number), without a tuple of arguments; anything else takes the usual way. */
static PyObject *value_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf,
                                  PyObject *names)
{
    PyTypeObject *type = (PyTypeObject *)callable;
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    if (n == 1 && !names && type->tp_init == value_init && type->tp_new == value_new) {
        State *s = state_of(type);
        double data;
        if (as_double(s, args[0], "data", &data) < 0) {
            return NULL;
        }
        return (PyObject *)new_leaf(s, data);
    }
    PyObject *positional = PyTuple_New(n), *named = NULL, *result = NULL;
    if (!positional || (names && !(named = PyDict_New()))) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyTuple_SET_ITEM(positional, i, Py_NewRef(args[i]));
    }
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++) {
        if (PyDict_SetItem(named, PyTuple_GET_ITEM(names, i), args[n + i]) < 0) {
            goto done;
        }
    }
    result = PyType_Type.tp_call(callable, positional, named);
done:
    Py_XDECREF(positional);
    Py_XDECREF(named);
    return result;
}

/* Recording --------------------------------------------------------------------------------- */

/* Makes a node of a row from one or two operands, whose references it steals. */
static inline PyObject *record(State *s, int code, Value *x, PyObject *y, double data)
{
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
    if (tracked) {
        track(v);
    }
    return (PyObject *)v;
}

/* Applies a row in Python: as a method of an operand whose class has a way of its own, else by
 * engine._apply_mixed. Borrows the operands (`y` may be NULL); the caller owns the result. */
static PyObject *apply_in_python(int code, PyObject *x, PyObject *y)
{
    PyObject *owner = is_value(x) ? x : y;
    State *s = state_of(Py_TYPE(owner));
    PyObject *operands = y ? PyTuple_Pack(2, x, y) : PyTuple_Pack(1, x);
    if (!operands) {
        return NULL;
    }
    PyObject *op = s->rows[code], *result;
    if (is_exact(Py_TYPE(owner))) {
        result = PyObject_CallFunctionObjArgs(s->apply_mixed, op, operands, NULL);
    }
    else {
        result = PyObject_CallMethodObjArgs(owner, s->str_apply, op, operands, NULL);
    }
    Py_DECREF(operands);
    return result;
}

/* A float or int as a leaf, as in the original; NULL, without an error, if it is anything else
 * or memory is short: then Python decides. Borrows it; the caller owns the result. */
static inline Value *leaf_of_number(State *s, PyObject *x)
{
    double data;
    if (PyFloat_CheckExact(x)) {
        data = PyFloat_AS_DOUBLE(x);
    }
    else if (PyLong_CheckExact(x)) {
        data = PyLong_AsDouble(x);
        if (data == -1.0 && PyErr_Occurred()) {
            PyErr_Clear();
            return NULL;
        }
    }
    else {
        return NULL;
    }
    Value *v = new_leaf(s, data);
    if (!v) {
        PyErr_Clear();
    }
    return v;
}

/* Takes two operands, one a Value, the other a Value, float or int: stores new references and
 * returns the state; NULL, without an error, if Python has to see to them. Borrows both. */
static inline State *take_pair(PyObject *left, PyObject *right, Value **x, Value **y)
{
    PyTypeObject *type = Py_TYPE(left);
    State *s;
    if (is_exact(type)) {
        s = state_of(type);
        *y = Py_TYPE(right) == type ? (Value *)Py_NewRef(right) : leaf_of_number(s, right);
        if (*y) {
            *x = (Value *)Py_NewRef(left);
            return s;
        }
    }
    else if (is_exact(Py_TYPE(right))) {
        s = state_of(Py_TYPE(right));
        if ((*x = leaf_of_number(s, left))) {
            *y = (Value *)Py_NewRef(right);
            return s;
        }
    }
    return NULL;
}

/* x + y and the like: an operator for each row of two operands. */
#define BINARY(name)                                                                              \
    static PyObject *name##_operator(PyObject *left, PyObject *right)                             \
    {                                                                                             \
        Value *x, *y;                                                                             \
        State *s = take_pair(left, right, &x, &y);                                                \
        if (s) {                                                                                  \
            double out = name##_value(x->data, y->data);                                          \
            if (isfinite(out)) {                                                                  \
                return record(s, ROW_##name, x, (PyObject *)y, out);                              \
            }                                                                                     \
            Py_DECREF(x);                                                                         \
            Py_DECREF(y);                                                                         \
        }                                                                                         \
        return apply_in_python(ROW_##name, left, right);                                          \
    }
BINARY_ROWS(BINARY)

/* -x, abs(x), x.tanh() and the like: for each row of one operand. */
#define UNARY(name)                                                                               \
    static PyObject *name##_operator(PyObject *self)                                              \
    {                                                                                             \
        Value *x = (Value *)self;                                                                 \
        if (is_exact(Py_TYPE(self))) {                                                            \
            double out = name##_value(x->data);                                                   \
            if (isfinite(out)) {                                                                  \
                return record(state_of(Py_TYPE(self)), ROW_##name, (Value *)Py_NewRef(x), NULL,   \
                              out);                                                               \
            }                                                                                     \
        }                                                                                         \
        return apply_in_python(ROW_##name, self, NULL);                                           \
    }
UNARY_ROWS(UNARY)

/* Stores a number exponent, as it was written, in `result`; false if Python has to see to it.
 * Borrows it. */
static inline int exponent_of(PyObject *x, double *result)
{
    if (PyFloat_CheckExact(x)) {
        *result = PyFloat_AS_DOUBLE(x);
        return 1;
    }
    if (!PyLong_CheckExact(x)) {
        return 0;
    }
    *result = PyLong_AsDouble(x);
    PyErr_Clear();
    return fabs(*result) < 9007199254740992.0; /* 2**53: beyond, int and float differ */
}

/* x ** y: a number exponent stays a number. */
static PyObject *value_power(PyObject *left, PyObject *right, PyObject *modulus)
{
    double exponent;
    if (modulus != Py_None) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    if (is_exact(Py_TYPE(left)) && exponent_of(right, &exponent)) {
        Value *x = (Value *)left;
        double out = power_value(x->data, exponent);
        if (isfinite(out)) {
            return record(state_of(Py_TYPE(left)), POWER_OF_NUMBER, (Value *)Py_NewRef(x),
                          Py_NewRef(right), out);
        }
    }
    else if (is_exact(Py_TYPE(left)) && !is_value(right)) {
        return apply_in_python(ROW_power, left, right);
    }
    return power_operator(left, right);
}

/* Value._apply(op, operands): what calling a row on Values comes to. Borrows everything. */
static PyObject *value_apply(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    if (n != 2 || !PyTuple_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "_apply takes a row and the tuple of its operands");
        return NULL;
    }
    State *s = state_of(Py_TYPE(self));
    PyObject *known = PyDict_GetItemWithError(s->codes, args[0]);
    Py_ssize_t size = PyTuple_GET_SIZE(args[1]);
    PyObject *x = size ? PyTuple_GET_ITEM(args[1], 0) : NULL;
    PyObject *y = size == 2 ? PyTuple_GET_ITEM(args[1], 1) : NULL;
    if (known && x && is_exact(Py_TYPE(x)) && (!y || is_exact(Py_TYPE(y)))) {
        switch (size == 1 || y ? PyLong_AsLong(known) : NO_ROW) {
#define CALL(name) case ROW_##name: return name##_operator(x);
            UNARY_ROWS(CALL)
#undef CALL
#define CALL(name) case ROW_##name: return name##_operator(x, y);
            BINARY_ROWS(CALL)
#undef CALL
        }
    }
    return PyErr_Occurred() ? NULL
                            : PyObject_CallFunctionObjArgs(s->apply_mixed, args[0], args[1], NULL);
}

/* Operands from and to Python --------------------------------------------------------------- */

/* The number of operands that a row in C takes. */
static int arity_of(int code)
{
#define ARITY(name) case ROW_##name: return 1;
    switch (code) {
        UNARY_ROWS(ARITY)
    }
#undef ARITY
    return 2;
}

/* Gives a node without operands its row (NULL or None for none) and operands; borrows them. */
static int set_operands(State *s, Value *v, PyObject *op, PyObject *operands)
{
    Py_ssize_t n = PyTuple_GET_SIZE(operands);
    PyObject *known = op ? PyDict_GetItemWithError(s->codes, op) : NULL;
    if ((!known && PyErr_Occurred()) || ((v->used || (op && !known)) && hang(s, v) < 0)) {
        return -1;
    }
    int code = known && is_exact(Py_TYPE(v)) ? (int)PyLong_AsLong(known) : NO_ROW;
    int values = 0, tracked = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *x = PyTuple_GET_ITEM(operands, i);
        if (is_value(x)) {
            values++;
            ((Value *)x)->used = 1;
            tracked |= ((Value *)x)->tracked;
        }
        else if (PyObject_IS_GC(x)) {
            tracked = 1;
        }
    }
    double exponent;
    if (code == ROW_power && values == 1 && is_value(PyTuple_GET_ITEM(operands, 0)) &&
        exponent_of(PyTuple_GET_ITEM(operands, 1), &exponent)) {
        code = POWER_OF_NUMBER;
    }
    else if (values < n || (code && arity_of(code) != n)) {
        code = NO_ROW;
    }
    if (code || (!op && values == n && n <= 2)) {
        v->code = code;
        v->shape = n == 0 ? LEAF : n == 1 ? ONE : TWO;
        v->first = n > 0 ? Py_NewRef(PyTuple_GET_ITEM(operands, 0)) : NULL;
        v->second = n > 1 ? Py_NewRef(PyTuple_GET_ITEM(operands, 1)) : NULL;
    }
    else {
        PyObject *own = PyTuple_New(n); /* nobody else's, so that it can be left untracked */
        if (!own) {
            return -1;
        }
        for (Py_ssize_t i = 0; i < n; i++) {
            PyTuple_SET_ITEM(own, i, Py_NewRef(PyTuple_GET_ITEM(operands, i)));
        }
        if (n && !v->tracked) {
            PyObject_GC_UnTrack(own);
        }
        v->shape = MANY;
        v->first = own;
        v->second = Py_XNewRef(op);
    }
    if (tracked) {
        track(v);
    }
    return 0;
}

/* The operands of a node, or only the Values among them, as a new tuple. */
static PyObject *operands_of(Value *v, int only_values)
{
    Py_ssize_t n = v->shape == MANY ? PyTuple_GET_SIZE(v->first) : v->shape;
    PyObject *inlined[2] = {v->first, v->second};
    PyObject **all = v->shape == MANY ? ((PyTupleObject *)v->first)->ob_item : inlined;
    Py_ssize_t size = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        size += !only_values || is_value(all[i]);
    }
    PyObject *result = PyTuple_New(size);
    for (Py_ssize_t i = 0, j = 0; result && i < n; i++) {
        if (!only_values || is_value(all[i])) {
            PyTuple_SET_ITEM(result, j++, Py_NewRef(all[i]));
        }
    }
    return result;
}

static PyObject *get_args(PyObject *self, void *Py_UNUSED(closure))
{
    return operands_of((Value *)self, 0);
}

static PyObject *get_parents(PyObject *self, void *Py_UNUSED(closure))
{
    return operands_of((Value *)self, 1);
}

/* The row that made a node, borrowed; NULL for none. */
static PyObject *row_of(Value *v)
{
    if (v->shape == MANY) {
        return v->second;
    }
    return v->code ? state_of(Py_TYPE(v))->rows[v->code] : NULL;
}

static PyObject *get_op(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *op = row_of((Value *)self);
    return Py_NewRef(op ? op : Py_None);
}

/* Whether a node still waits for its operands: they are set once, by __init__, _record or a copy
 * (a row in waiting is stored as MANY with no operands). Raises if they are there. */
static int awaits_operands(Value *v, PyObject *value)
{
    if (value && (v->shape == LEAF || (v->shape == MANY && !PyTuple_GET_SIZE(v->first)))) {
        return 1;
    }
    PyErr_SetString(PyExc_AttributeError,
                    "op, args and parents of a Value are set once, when it is made");
    return 0;
}

static int set_op(PyObject *self, PyObject *op, void *Py_UNUSED(closure))
{
    Value *v = (Value *)self;
    if (!awaits_operands(v, op)) {
        return -1;
    }
    Py_CLEAR(v->first);
    Py_CLEAR(v->second);
    v->shape = LEAF;
    if (op == Py_None) {
        return 0;
    }
    v->first = Py_NewRef(state_of(Py_TYPE(self))->no_operands);
    v->second = Py_NewRef(op);
    v->shape = MANY;
    return 0;
}

static int set_args(PyObject *self, PyObject *args, void *Py_UNUSED(closure))
{
    Value *v = (Value *)self;
    if (!awaits_operands(v, args)) {
        return -1;
    }
    if (!PyTuple_Check(args)) {
        PyErr_SetString(PyExc_TypeError, "args is a tuple");
        return -1;
    }
    PyObject *nothing = v->first, *op = v->second;
    v->first = v->second = NULL;
    v->shape = LEAF;
    int failed = set_operands(state_of(Py_TYPE(self)), v, op, args);
    Py_XDECREF(nothing);
    Py_XDECREF(op);
    return failed;
}

/* The parents follow from args; setting them to what they are is what engine.py does. */
static int set_parents(PyObject *self, PyObject *parents, void *Py_UNUSED(closure))
{
    PyObject *own = operands_of((Value *)self, 1);
    int same = !own ? -1 : parents ? PyObject_RichCompareBool(own, parents, Py_EQ) : 0;
    Py_XDECREF(own);
    if (same == 0) {
        PyErr_SetString(PyExc_AttributeError, "the parents of a Value are the Values in its args");
    }
    return same == 1 ? 0 : -1;
}

/* Attributes -------------------------------------------------------------------------------- */

static PyObject *get_data(PyObject *self, void *Py_UNUSED(closure))
{
    return PyFloat_FromDouble(((Value *)self)->data);
}

static PyObject *get_grad(PyObject *self, void *Py_UNUSED(closure))
{
    return PyFloat_FromDouble(((Value *)self)->grad);
}

/* Sets data or grad, whose name is `what`, to a number. Borrows it. */
static int set_number(PyObject *self, PyObject *number, void *what)
{
    Value *v = (Value *)self;
    double *place = strcmp(what, "data") == 0 ? &v->data : &v->grad;
    if (!number) {
        PyErr_Format(PyExc_AttributeError, "the %s of a Value cannot be deleted", what);
        return -1;
    }
    return as_double(state_of(Py_TYPE(self)), number, what, place);
}

/* The dict of attributes itself: what will be put into it is not known, so the node is tracked. */
static PyObject *get_dict(PyObject *self, void *closure)
{
    if (hang(state_of(Py_TYPE(self)), (Value *)self) < 0) {
        return NULL;
    }
    return PyObject_GenericGetDict(self, closure);
}

static int set_dict(PyObject *self, PyObject *dict, void *closure)
{
    if (hang(state_of(Py_TYPE(self)), (Value *)self) < 0) {
        return -1;
    }
    return PyObject_GenericSetDict(self, dict, closure);
}

/* A copy of the dict of attributes, which leaves the node untracked. */
static PyObject *get_attributes(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *dict = ((Value *)self)->dict;
    return dict ? PyDict_Copy(dict) : PyDict_New();
}

/* v.name = x, for any name. */
static int value_setattro(PyObject *self, PyObject *name, PyObject *x)
{
    if (x && can_cycle(x) && hang(state_of(Py_TYPE(self)), (Value *)self) < 0) {
        return -1;
    }
    return PyObject_GenericSetAttr(self, name, x);
}

/* Comparisons look at the data; == is identity. Borrows both. */
static PyObject *value_richcompare(PyObject *self, PyObject *other, int op)
{
    if (op == Py_EQ || op == Py_NE) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    double x = ((Value *)self)->data;
    if (is_value(other)) {
        double y = ((Value *)other)->data;
        Py_RETURN_RICHCOMPARE(x, y, op);
    }
    PyObject *number = PyFloat_FromDouble(x), *result = NULL;
    if (number) {
        result = PyObject_RichCompare(number, other, op);
        Py_DECREF(number);
    }
    return result;
}

static Py_hash_t value_hash(PyObject *self)
{
    return PyBaseObject_Type.tp_hash(self);
}

/* The graph --------------------------------------------------------------------------------- */

/* A list of Values, borrowed: the root of a walk keeps them alive. Owns its memory. */
typedef struct {
    Value **items;
    Py_ssize_t size, room;
} List;

typedef struct {
    List order;         /* operands before consumers */
    List leaves;        /* apart from the order, in a backward pass */
    int backward;
    Py_ssize_t *counts; /* for the MANY nodes on the path, the next operand. Owned */
    Py_ssize_t depth, room;
} Walk;

static inline int append(List *list, Value *v)
{
    if (list->size == list->room) {
        Py_ssize_t room = list->room ? list->room + list->room / 2 : 64;
        Value **items = PyMem_Realloc(list->items, room * sizeof(Value *));
        if (!items) {
            PyErr_NoMemory();
            return -1;
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->size++] = v;
    return 0;
}

static void free_walk(Walk *w)
{
    PyMem_Free(w->order.items);
    PyMem_Free(w->leaves.items);
    PyMem_Free(w->counts);
}

/* The function assigned to a node's _backward, borrowed; NULL for none, or after an error. */
static PyObject *closure_of(State *s, Value *v)
{
    PyObject *closure = v->dict ? PyDict_GetItemWithError(v->dict, s->str_closure) : NULL;
    return closure == Py_None ? NULL : closure;
}

/* Lists a node whose operands are listed. A backward pass sets interior grads to 0. */
static inline int list_node(State *s, Walk *w, Value *v)
{
    if (!w->backward) {
        return append(&w->order, v);
    }
    if (v->shape == LEAF && !(v->dict && closure_of(s, v))) {
        return append(&w->leaves, v);
    }
    v->grad = 0.0;
    return append(&w->order, v);
}

/* Starts on the operands of a node. */
static inline int enter(Walk *w, Value *v)
{
    v->step = 0;
    if (v->shape != MANY) {
        return 0;
    }
    if (w->depth == w->room) {
        Py_ssize_t room = w->room ? 2 * w->room : 16;
        Py_ssize_t *counts = PyMem_Realloc(w->counts, room * sizeof(Py_ssize_t));
        if (!counts) {
            PyErr_NoMemory();
            return -1;
        }
        w->counts = counts;
        w->room = room;
    }
    w->counts[w->depth++] = 0;
    return 0;
}

/* The next operand of a node that is a Value, borrowed; NULL when there are no more. */
static inline Value *next_operand(Walk *w, Value *v)
{
    if (v->shape == MANY) {
        Py_ssize_t *count = &w->counts[w->depth - 1];
        while (*count < PyTuple_GET_SIZE(v->first)) {
            PyObject *x = PyTuple_GET_ITEM(v->first, (*count)++);
            if (is_value(x)) {
                return (Value *)x;
            }
        }
        w->depth--;
        return NULL;
    }
    if (v->step == v->shape) {
        return NULL;
    }
    if (v->step++ == 0) {
        return (Value *)v->first;
    }
    return v->code == POWER_OF_NUMBER ? NULL : (Value *)v->second;
}

/* Lists the graph behind `root`, in depth, operands in order. The way back leads over `link`, so
 * a deep graph needs no stack; no Python code runs meanwhile. Borrows the root. */
static int walk(State *s, Walk *w, Value *root)
{
    uint64_t number = ++s->walks & 0xFFFFFFFFFFFF;
    Value *v = root;
    v->seen = number;
    v->link = NULL;
    if (enter(w, v) < 0) {
        return -1;
    }
    while (v) {
        Value *x = next_operand(w, v);
        if (!x) {
            if (list_node(s, w, v) < 0) {
                return -1;
            }
            v = v->link;
        }
        else if (x->seen != number) {
            x->seen = number;
            if (x->shape == LEAF) {
                if (list_node(s, w, x) < 0) {
                    return -1;
                }
            }
            else {
                if (enter(w, x) < 0) {
                    return -1;
                }
                x->link = v;
                v = x;
            }
        }
    }
    return 0;
}

/* toposort(root): a new list. */
static PyObject *engine_toposort(PyObject *Py_UNUSED(module), PyObject *root)
{
    if (!is_value(root)) {
        return PyObject_GetAttrString(root, "parents"); /* raises what engine.py raises */
    }
    Walk w = {.backward = 0};
    PyObject *result = NULL;
    if (walk(state_of(Py_TYPE(root)), &w, (Value *)root) == 0 &&
        (result = PyList_New(w.order.size))) {
        for (Py_ssize_t i = 0; i < w.order.size; i++) {
            PyList_SET_ITEM(result, i, Py_NewRef(w.order.items[i]));
        }
    }
    free_walk(&w);
    return result;
}

/* Backward ---------------------------------------------------------------------------------- */

/* Takes the step of a node in Python: its closure, its rules where C has none, or the error. */
static int pass_on_in_python(State *s, Value *v)
{
    PyObject *done, *closure = is_exact(Py_TYPE(v)) ? closure_of(s, v) : NULL;
    if (closure) {
        Py_INCREF(closure); /* the call may assign another */
        done = PyObject_CallNoArgs(closure);
        Py_DECREF(closure);
    }
    else {
        done = PyErr_Occurred() ? NULL : PyObject_CallMethodNoArgs((PyObject *)v, s->str_backward);
    }
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Takes the step of a node: gives each operand its local derivative times what arrived here. */
static inline int pass_on(State *s, Value *v)
{
    double slope, other = 0.0;
    double out = v->data;
    if (v->code == NO_ROW || (v->dict && (closure_of(s, v) || PyErr_Occurred()))) {
        return pass_on_in_python(s, v);
    }
    Value *x = (Value *)v->first, *y = (Value *)v->second;
    switch (v->code) {
#define RULE(name)                                                                                \
    case ROW_##name:                                                                              \
        slope = name##_slope_0(x->data, out);                                                     \
        break;
        UNARY_ROWS(RULE)
#undef RULE
    case POWER_OF_NUMBER:
        exponent_of(v->second, &other);
        slope = power_slope_0(x->data, other, out);
        break;
#define RULE(name)                                                                                \
    case ROW_##name:                                                                              \
        slope = name##_slope_0(x->data, y->data, out);                                            \
        other = name##_slope_1(x->data, y->data, out);                                            \
        if (!isfinite(slope) || !isfinite(other)) {                                               \
            return pass_on_in_python(s, v);                                                       \
        }                                                                                         \
        x->grad += slope * v->grad;                                                               \
        y->grad += other * v->grad;                                                               \
        return 0;
        BINARY_ROWS(RULE)
#undef RULE
    default:
        Py_UNREACHABLE();
    }
    if (!isfinite(slope)) {
        return pass_on_in_python(s, v);
    }
    x->grad += slope * v->grad;
    return 0;
}

/* Value.backward(): the caller's reference to the root keeps the graph alive. */
static PyObject *value_backward(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    State *s = state_of(Py_TYPE(self));
    Walk w = {.backward = 1};
    double *before = NULL;
    int failed = walk(s, &w, (Value *)self);
    Py_ssize_t n = w.leaves.size;
    if (!failed && !(before = PyMem_Malloc((n + 1) * sizeof(double)))) {
        PyErr_NoMemory();
        failed = -1;
    }
    if (!failed) {
        trim(s);
        for (Py_ssize_t i = 0; i < n; i++) {
            before[i] = w.leaves.items[i]->grad;
        }
        ((Value *)self)->grad = 1.0;
        for (Py_ssize_t i = w.order.size - 1; i >= 0 && !failed; i--) {
            failed = pass_on(s, w.order.items[i]);
        }
        for (Py_ssize_t i = 0; failed && i < n; i++) {
            w.leaves.items[i]->grad = before[i];
        }
    }
    PyMem_Free(before);
    free_walk(&w);
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Bulk access ------------------------------------------------------------------------------- */

/* Whether `values` is a list or tuple of Values and `buffer` as many float64; then `view` is to
 * be released. Borrows both. */
static int fits(PyObject *values, PyObject *buffer, Py_buffer *view, int flags)
{
    if (!PyList_CheckExact(values) && !PyTuple_CheckExact(values)) {
        return 0;
    }
    Py_ssize_t n = PySequence_Fast_GET_SIZE(values);
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!is_value(PySequence_Fast_GET_ITEM(values, i))) {
            return 0;
        }
    }
    if (PyObject_GetBuffer(buffer, view, flags) < 0) {
        PyErr_Clear();
        return 0;
    }
    if (view->format && strcmp(view->format, "d") == 0 && view->len == n * 8) {
        return 1;
    }
    PyBuffer_Release(view);
    return 0;
}

/* read_data(values, buffer): what does not fit, Python explains. */
static PyObject *engine_read_data(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    State *s = PyModule_GetState(module);
    Py_buffer view;
    if (n != 2 || !fits(args[0], args[1], &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | PyBUF_WRITABLE)) {
        return PyObject_Vectorcall(s->read_data, args, n, NULL);
    }
    PyObject **values = PySequence_Fast_ITEMS(args[0]);
    for (Py_ssize_t i = 0; i < view.len / 8; i++) {
        ((double *)view.buf)[i] = ((Value *)values[i])->data;
    }
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

/* add_grads(values, buffer): what does not fit, Python explains. */
static PyObject *engine_add_grads(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    State *s = PyModule_GetState(module);
    Py_buffer view;
    if (n != 2 || !fits(args[0], args[1], &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) {
        return PyObject_Vectorcall(s->add_grads, args, n, NULL);
    }
    PyObject **values = PySequence_Fast_ITEMS(args[0]);
    for (Py_ssize_t i = 0; i < view.len / 8; i++) {
        ((Value *)values[i])->grad += ((double *)view.buf)[i];
    }
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

/* _track(values): lets the collector see each Value of a list; for _cycles.py. */
static PyObject *engine_track(PyObject *Py_UNUSED(module), PyObject *values)
{
    if (!PyList_Check(values)) {
        PyErr_SetString(PyExc_TypeError, "_track takes a list of Values");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(values); i++) {
        if (is_value(PyList_GET_ITEM(values, i))) {
            track((Value *)PyList_GET_ITEM(values, i));
        }
    }
    Py_RETURN_NONE;
}

/* The type ---------------------------------------------------------------------------------- */

#define METHOD1(name) {#name, (PyCFunction)(void (*)(void))name##_operator, METH_NOARGS, "This row, on self."},
#define METHOD2(name) {#name, name##_operator, METH_O, "This row, on self and x."},
static PyMethodDef value_methods[] = {
    {"backward", value_backward, METH_NOARGS,
     "Leave in every `v.grad` of this graph the derivative of self with respect to v."},
    {"_apply", (PyCFunction)(void (*)(void))value_apply, METH_FASTCALL,
     "Compute a row on the data of its operands, and record the result as a node."},
    UNARY_METHODS(METHOD1) BINARY_METHODS(METHOD2)
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef value_getset[] = {
    {"data", get_data, set_number, "The number itself.", "data"},
    {"_data", get_data, set_number, NULL, "data"},
    {"grad", get_grad, set_number,
     "The derivative of the last `backward()`'s root with respect to this Value.", "grad"},
    {"_grad", get_grad, set_number, NULL, "grad"},
    {"op", get_op, set_op, "The row of the table that made this node; None for a leaf.", NULL},
    {"args", get_args, set_args, "All its operands, in order.", NULL},
    {"parents", get_parents, set_parents, "The Values among the operands; a + a has two.", NULL},
    {"_attributes", get_attributes, NULL, NULL, NULL},
    {"__dict__", get_dict, set_dict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef value_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Value, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Value, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot value_slots[] = {
    {Py_tp_doc, "Value(data, _children=(), _op='', label='')\n--\n\n"},
    {Py_tp_new, value_new},
    {Py_tp_init, value_init},
    {Py_tp_dealloc, value_dealloc},
    {Py_tp_traverse, value_traverse},
    {Py_tp_clear, value_clear},
    {Py_tp_setattro, value_setattro},
    {Py_tp_richcompare, value_richcompare},
    {Py_tp_hash, value_hash},
    {Py_tp_methods, value_methods},
    {Py_tp_getset, value_getset},
    {Py_tp_members, value_members},
    {Py_nb_add, add_operator},
    {Py_nb_subtract, subtract_operator},
    {Py_nb_multiply, multiply_operator},
    {Py_nb_true_divide, divide_operator},
    {Py_nb_power, value_power},
    {Py_nb_negative, negative_operator},
    {Py_nb_absolute, abs_operator},
    {0, NULL},
};

static PyType_Spec value_spec = {
    .name = "micrograd.engine.Value",
    .basicsize = sizeof(Value),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = value_slots,
};

/* The module -------------------------------------------------------------------------------- */

/* Stores the rows, by code, and the code of every row of the table. */
static int find_rows(State *s, PyObject *table)
{
    PyObject *name, *op;
    Py_ssize_t position = 0;
    if (!(s->codes = PyDict_New())) {
        return -1;
    }
    while (PyDict_Next(table, &position, &name, &op)) {
        int code = NO_ROW;
#define FIND(row)                                                                                 \
    if (PyUnicode_CompareWithASCIIString(name, #row) == 0) {                                      \
        code = ROW_##row;                                                                         \
    }
        UNARY_ROWS(FIND)
        BINARY_ROWS(FIND)
#undef FIND
        PyObject *number = PyLong_FromLong(code);
        if (!number || PyDict_SetItem(s->codes, op, number) < 0) {
            Py_XDECREF(number);
            return -1;
        }
        Py_DECREF(number);
        Py_XSETREF(s->rows[code], Py_NewRef(op));
    }
    Py_CLEAR(s->rows[NO_ROW]);
    s->rows[POWER_OF_NUMBER] = Py_XNewRef(s->rows[ROW_power]);
    return 0;
}

/* Stores an attribute of a Python object in `place`, which then owns it. */
static int take(PyObject *from, const char *name, PyObject **place)
{
    *place = PyObject_GetAttrString(from, name);
    return *place ? 0 : -1;
}

/* Fills a new module: engine.py has run up to the line that imports it. */
static int engine_exec(PyObject *module)
{
    State *s = PyModule_GetState(module);
    PyObject *engine = PyImport_ImportModule("micrograd.engine");
    PyObject *cycles = PyImport_ImportModule("micrograd._cycles");
    PyObject *ops = NULL, *table = NULL, *value = NULL, *operators = NULL, *bases = NULL;
    int failed = -1;
    if (!engine || !cycles || take(engine, "ops", &ops) < 0 || take(ops, "TABLE", &table) < 0 ||
        find_rows(s, table) < 0 || take(engine, "Value", &value) < 0 ||
        take(value, "__init__", &s->init) < 0 || take(engine, "Operators", &operators) < 0 ||
        take(engine, "_apply_mixed", &s->apply_mixed) < 0 ||
        take(engine, "to_float", &s->to_float) < 0 ||
        take(engine, "read_data", &s->read_data) < 0 ||
        take(engine, "add_grads", &s->add_grads) < 0 ||
        take(cycles, "hung_late", &s->hung_late) < 0 ||
        !(s->no_operands = PyTuple_New(0)) ||
        !(s->str_apply = PyUnicode_InternFromString("_apply")) ||
        !(s->str_backward = PyUnicode_InternFromString("_backward")) ||
        !(s->str_closure = PyUnicode_InternFromString("_closure")) ||
        !(bases = PyTuple_Pack(1, operators))) {
        goto done;
    }
    s->type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &value_spec, bases);
    if (s->type) {
        s->type->tp_vectorcall = value_vectorcall;
        failed = PyModule_AddObjectRef(module, "Value", (PyObject *)s->type);
    }
done:
    Py_XDECREF(engine);
    Py_XDECREF(cycles);
    Py_XDECREF(ops);
    Py_XDECREF(table);
    Py_XDECREF(value);
    Py_XDECREF(operators);
    Py_XDECREF(bases);
    return failed;
}

#define OWNED(X)                                                                                  \
    X(s->type) X(s->codes) X(s->no_operands) X(s->init) X(s->apply_mixed) X(s->to_float)          \
    X(s->read_data) X(s->add_grads) X(s->hung_late) X(s->str_apply) X(s->str_backward)            \
    X(s->str_closure)

static int engine_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *s = PyModule_GetState(module);
#define VISIT(x) Py_VISIT(x);
    OWNED(VISIT)
#undef VISIT
    for (int i = 0; i < N_CODES; i++) {
        Py_VISIT(s->rows[i]);
    }
    return 0;
}

static int engine_clear(PyObject *module)
{
    State *s = PyModule_GetState(module);
#define CLEAR(x) Py_CLEAR(x);
    OWNED(CLEAR)
#undef CLEAR
    for (int i = 0; i < N_CODES; i++) {
        Py_CLEAR(s->rows[i]);
    }
    return 0;
}

/* Releases the kept nodes; no Value is alive any more, since each keeps its type and module. */
static void engine_free(void *module)
{
    State *s = PyModule_GetState(module);
    engine_clear(module);
    while (s && s->free) {
        Value *v = s->free;
        s->free = v->link;
        PyObject_GC_Del(v);
    }
}

static PyMethodDef engine_methods[] = {
    {"toposort", engine_toposort, METH_O,
     "List every Value that `root` is made of, operands before their consumers, root last."},
    {"read_data", (PyCFunction)(void (*)(void))engine_read_data, METH_FASTCALL,
     "Copy the data of a list of Values into a buffer of float64."},
    {"add_grads", (PyCFunction)(void (*)(void))engine_add_grads, METH_FASTCALL,
     "Add a buffer of float64 to the grads of a list of Values."},
    {"_track", engine_track, METH_O, NULL},
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
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "micrograd._engine",
    .m_doc = "The C core: see engine.py, which says what everything here means.",
    .m_size = sizeof(State),
    .m_methods = engine_methods,
    .m_slots = engine_slots,
    .m_traverse = engine_traverse,
    .m_clear = engine_clear,
    .m_free = engine_free,
};

PyMODINIT_FUNC PyInit__engine(void)
{
    return PyModuleDef_Init(&engine_module);
}
