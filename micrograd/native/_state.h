/* The types and the state of the module, which all files of the C core share. */

#define CODE(name) ROW_##name,
enum { NO_ROW, UNARY_ROWS(CODE) N_UNARY, BINARY_ROWS(CODE) POWER_OF_NUMBER, N_CODES };

enum { LEAF, ONE, TWO, MANY };

typedef struct Value {
    PyObject_HEAD
    double data;
    union {
        double grad;
        struct Value *link; /* in a dead node: the next one to free */
    };
    PyObject *first;        /* the first operand; for MANY, the tuple of all operands */
    PyObject *second;       /* the second operand; for MANY, the operation (an Op) or NULL; for LEAF, None if
                             * it was computed within no_grad */
    PyObject *scope;        /* the scope it was recorded in, or NULL; see scopes.py */
    PyObject *dict;         /* label, closure, other attributes; most Values have none */
    PyObject *weakrefs;
    uint64_t seen : 46;     /* number of the last walk that visited it, see SEEN */
    uint64_t past : 1;      /* a derivative has left it behind, see _past.h */
    uint64_t code : 8;      /* the operation, if it has a C form */
    uint64_t shape : 2;     /* layout of the operands: LEAF, ONE, TWO, MANY */
    uint64_t tracked : 1;   /* visible to the cyclic garbage collector */
    uint64_t used : 1;      /* has been an operand */
    uint64_t late : 1;      /* tracked after it was used: not all of its consumers are tracked */
    uint64_t bound : 1;     /* a leaf of a block; see _block.h */
    uint64_t plain : 1;     /* a leaf that was made of a number operand, as the 2 in 2 * x */
    uint64_t variable : 1;  /* a leaf that a derivative is being taken by, see fresh_inputs.py */
    uint64_t hides : 1;     /* its leaves get their gradients through blocks; backward passes skip them */
} Value;

#define SEEN(number) ((uint64_t)(number) & 0x3FFFFFFFFFFF)

/* A list of borrowed Values; owns its memory. */
typedef struct {
    Value **items;
    Py_ssize_t size, room;
} List;

/* A past node, and its `seen` from before a walk that visited it. */
typedef struct {
    Value *node;
    uint64_t seen;
} Kept;

/* The lists of one walk through a graph; owns them. */
typedef struct {
    List order;  /* operands before consumers */
    List leaves; /* kept apart from `order` in a backward pass */
    List path;   /* from the root to the current node: pairs of a node and its remaining operands */
    Kept *past;  /* see _past.h, as for the next four */
    Py_ssize_t n_past, room_past;
    List stops;
    uint64_t below;
    int lists_stops;
    int backward;
    int unruled;         /* the walk met a node without a rule */
    int closures, hidden; /* it met functions assigned to _backward; nodes that may hide their leaves */
    int open;            /* nothing is hidden from those functions, which may look at any grad */
    int bound;           /* the walk met a bound leaf, or may have */
    PyObject *collected; /* gradients to add to blocks at the end; or NULL */
} Walk;

/* The Python objects that C uses: functions for the rare cases, and names. */
#define BULK_FUNCTIONS(X)                                                                         \
    X(bulk, read_data) X(bulk, write_data) X(bulk, read_grads) X(bulk, write_grads)               \
    X(bulk, add_grads)
#define OBJECTS(X)                                                                                \
    X(engine, Value) X(engine, toposort)                                                           \
    X(Value, __init__) X(Value, _apply) X(engine, to_float) X(base, compared)                     \
    X(custom_nodes, refuse_without_rule) X(hooks, _forgetful) X(hooks, _framed) X(hooks, forgets)                                     \
    X(base, read_traced) X(hooks, tracers) X(gc_cycles, hung_late) X(products, dot) X(name, _apply)                \
    X(name, _backward) X(name, _closure) X(name, _given) X(name, _collect) X(name, _modules) X(name, _of_module) X(name, derivatives)     \
    BULK_FUNCTIONS(X)
#define INDEX(source, object) PY_##source##_##object,
enum { OBJECTS(INDEX) N_OBJECTS };

typedef struct Block Block;

typedef struct {
    PyTypeObject *type;         /* Value; all objects in this struct are owned */
    PyObject *apply;            /* Value's own `_apply`; borrowed from the type */
    PyTypeObject *block_type;
    Block *ahead;               /* borrowed: the block with numbers newer than its leaves' */
    uint64_t changes[2];        /* number of changes to data and to grads of bound Values */
    int hung;                   /* a bound Value became a node: stop hiding leaves */
    PyObject *rows[N_CODES];    /* code -> Op */
    PyObject *codes;            /* Op -> code, 0 for operations without a C form */
    char passes[N_CODES];       /* code -> 1 if a derivative by the first operand exists, plus 2 by the second */
    PyObject *objects[N_OBJECTS];
    List kept;                  /* freed nodes, for reuse */
    Value *dying;               /* nodes for a running value_dealloc to free */
    Py_ssize_t n_alive, peak, keep;
    Py_ssize_t n_freed;         /* since memory was last returned to Python, see trim */
    uint64_t walks;             /* the last number of a walk: even, as the odd ones are those of _past.h */
    uint64_t rewired;           /* numbers of past nodes up to this one count no more */
    int walking;                /* number of backward passes and sweeps that run, within each other */
    Walk spare;                 /* memory of the last walk, for the next one */
    Py_ssize_t marking;         /* number of threads within a scope, plus one each for on_new and scope_of */
    int modal;                  /* a mode is on: new Values may have to forget their operands */
    PyObject *on_new;           /* called on each new Value, or NULL */
    PyObject *scope_of;         /* says which scope holds, given that of the thread, or NULL */
    PyObject *before_backward;  /* called on the nodes before each backward pass, or NULL */
    uint64_t thread;            /* the thread whose state is at hand: */
    PyObject *scope;            /* its scope, or NULL */
    PyObject *own;              /* its dict, which keeps the scope while other threads run */
} State;

/* Get one of these objects, borrowed from the state. */
#define PYTHON(s, source, object) ((s)->objects[PY_##source##_##object])

static void value_dealloc(PyObject *self);

/* Tell whether a type is Value itself, not a subclass. Borrows it. */
static inline int is_exact(PyTypeObject *type) { return type->tp_dealloc == value_dealloc; }

/* Return the type Value that a type derives from, borrowed; NULL for foreign types. */
static inline PyTypeObject *value_type(PyTypeObject *type) {
    while (type && !is_exact(type)) type = type->tp_base;
    return type;
}

/* Tell whether an object is a Value or of a subclass. Borrows it. */
static inline int is_value(PyObject *x) { return value_type(Py_TYPE(x)) != NULL; }

/* Return the state of the module that a Value type belongs to; NULL, without an error, during shutdown. */
static inline State *state_of(PyTypeObject *type) {
    PyObject *module = ((PyHeapTypeObject *)value_type(type))->ht_module;
    State *s = module ? (State *)PyModule_GetState(module) : NULL;
    return s && s->type ? s : NULL;
}

/* The data of a Value whose __init__ has not run: a nan that no computation gives. */
static const uint64_t UNSET = 0x7ff8766172677261;

static inline int is_unset(Value *v) {
    uint64_t bits;
    memcpy(&bits, &v->data, sizeof(bits));
    return bits == UNSET;
}

/* Raise the error of Python for an attribute that is not there yet; from 3.13 on it names the module. */
static PyObject *unset_error(PyObject *self, const char *name) {
#if PY_VERSION_HEX >= 0x030D0000
    return PyErr_Format(PyExc_AttributeError, "'%T' object has no attribute '%s'", self, name);
#else
    return PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute '%s'",
                        ((PyHeapTypeObject *)Py_TYPE(self))->ht_type.tp_name, name);
#endif
}

/* Return a state for what cannot do without one; NULL, with an error, during shutdown. */
static inline State *needed(State *s) {
    if (s && s->type) return s;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "Values cannot be used any more: Python is shutting down");
    return NULL;
}

/* Forget the error at hand if it is of this kind, since something else is tried next. Return 0 then, and
 * -1 for any other error, such as KeyboardInterrupt, which stays. */
static inline int forget(PyObject *kind) {
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(kind)) return -1;
    PyErr_Clear();
    return 0;
}
