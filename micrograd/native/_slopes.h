/* Local derivatives as Values, which are recorded: derivatives/chain_rule.py says what they are for. */

/* A derivative on its way: a Value (owned), or else a number. */
typedef struct {
    Value *value;
    double number;
    int known; /* something has arrived */
} Entry;

/* Where a rule is recorded. It owns the steps. */
typedef struct {
    State *s;
    Value *x, *y, *out;
    PyObject *number; /* the exponent, if that is a number */
    double exponent;
    Value *t[12];
    int n;
} Site;

/* Keep a step of a rule; false, with an error, for NULL. */
static inline int step(Site *a, Value *v) {
    a->t[a->n++] = v;
    return v != NULL;
}

/* End a rule: return the last step, NULL if one failed. */
static inline Value *last(Site *a) {
    Value *result = a->t[--a->n];
    while (a->n) Py_DECREF(a->t[--a->n]);
    return result;
}

/* Make nodes of Values that are no subclass's. They borrow these; the caller owns the result. */
#define NODE1(name)                                                                                \
    static inline Value *name##_node(State *s, Value *x) {                                         \
        double out = name##_value(x->data);                                                        \
        if (isfinite(out))                                                                         \
            return (Value *)record(s, ROW_##name, (Value *)Py_NewRef(x), NULL, out);               \
        return (Value *)apply_in_python(ROW_##name, (PyObject *)x, NULL);                          \
    }
#define NODE2(name)                                                                                \
    static inline Value *name##_node(State *s, Value *x, Value *y) {                               \
        double out = name##_value(x->data, y->data);                                               \
        if (isfinite(out))                                                                         \
            return (Value *)record(s, ROW_##name, (Value *)Py_NewRef(x), Py_NewRef(y), out);       \
        return (Value *)apply_in_python(ROW_##name, (PyObject *)x, (PyObject *)y);                 \
    }
UNARY_ROWS(NODE1)
BINARY_ROWS(NODE2)

static inline Value *new_constant(State *s, double x) {
    Value *v = new_leaf(s, x);
    if (v) v->plain = 1;
    return v;
}

static inline Value *constant(Site *a, double x) { return new_constant(a->s, x); }

/* Make the node of a power whose exponent, a number, stays one, and an int if it was made of one. */
static Value *power_of_number(Site *a, Value *x, double exponent) {
    PyObject *number = PyLong_CheckExact(a->number) ? PyLong_FromDouble(exponent)
                                                    : PyFloat_FromDouble(exponent);
    if (!number) return NULL;
    double out = power_value(x->data, exponent);
    if (isfinite(out))
        return (Value *)record(a->s, POWER_OF_NUMBER, (Value *)Py_NewRef(x), number, out);
    Value *result = (Value *)apply_in_python(ROW_power, (PyObject *)x, number);
    Py_DECREF(number);
    return result;
}

#include "_rules.h"

/* Tell whether the slopes of a node are a choice there. */
static inline int at_kink(Value *v) {
    Value *x = (Value *)v->first, *y = (Value *)v->second;
    switch (v->code) {
#define KINK(name) \
    case ROW_##name: return name##_kink(x->data, v->shape == TWO ? y->data : 0.0) != 0.0;
        KINK_ROWS(KINK)
    }
    return 0;
}

/* The local derivative of a node by an operand, as far as C knows it. Returns 1; 0 where Python has to find
 * it, -1 for an error. The caller owns the entry. */
static int slope_in_c(State *s, Value *v, int position, Entry *slope) {
    if (v->code == NO_ROW || at_kink(v)) return 0;
    *slope = (Entry){.known = 1};
    if (flat[v->code][position]) {
        double slopes[2];
        local_slopes(v, slopes);
        slope->number = slopes[position];
        return isfinite(slope->number);
    }
    Site a = {.s = s, .x = (Value *)v->first, .y = (Value *)v->second, .out = v};
    if (!rules[v->code][position] || !is_exact(Py_TYPE(a.x))) return 0;
    if (v->code == POWER_OF_NUMBER) {
        a.number = v->second;
        if (!plain_number(a.number, &a.exponent) || a.exponent == 0.0) return 0;
    }
    else if (v->shape == TWO && !is_exact(Py_TYPE(a.y))) return 0;
    slope->value = rules[v->code][position](&a);
    if (slope->value) return isfinite(slope->value->data) != 0;
    /* Arithmetic that fails: Python fails likewise, and says where. */
    return forget(PyErr_ExceptionMatches(PyExc_ArithmeticError) ? PyExc_ArithmeticError : PyExc_ValueError);
}

/* The local derivatives of nodes that a pass upward has recorded, for the pass down. Owns everything. */
typedef struct {
    Known *items;
    Py_ssize_t size;
} Slopes;

static void clear_slopes(Slopes *slopes) {
    for (Py_ssize_t i = 0; i < slopes->size; i++) {
        Py_DECREF(slopes->items[i].node);
        Py_XDECREF(slopes->items[i].slopes[0]);
        Py_XDECREF(slopes->items[i].slopes[1]);
    }
    PyMem_Free(slopes->items);
    *slopes = (Slopes){NULL, 0};
}

static void free_slopes(PyObject *capsule) {
    Slopes *slopes = PyCapsule_GetPointer(capsule, NULL);
    clear_slopes(slopes);
    PyMem_Free(slopes);
}

/* new_slopes(): a capsule. */
static PyObject *engine_new_slopes(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    Slopes *slopes = PyMem_Calloc(1, sizeof(Slopes));
    PyObject *capsule = slopes ? PyCapsule_New(slopes, NULL, free_slopes) : PyErr_NoMemory();
    if (!capsule) PyMem_Free(slopes);
    return capsule;
}

/* Make room to keep the slopes of all steps. */
static int open_slopes(Slopes *slopes, Sweep *w) {
    clear_slopes(slopes);
    if (!(slopes->items = PyMem_Malloc((w->n_steps + 1) * sizeof(Known)))) return PyErr_NoMemory(), -1;
    for (; slopes->size < w->n_steps; slopes->size++)
        slopes->items[slopes->size] = (Known){(Value *)Py_NewRef(w->steps[slopes->size].node), {NULL, NULL}};
    return 0;
}
