/* What all files of the C core share: the Value, the state of the module, who is who. */

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
    X(Value, __init__) X(Value, _apply) X(engine, to_float) X(base, compare_traced)               \
    X(base, read_traced) X(hooks, tracers) X(gc_cycles, hung_late) X(name, _apply)                \
    X(name, _backward) X(name, _closure) X(name, _collect) X(name, _modules) X(name, _of_module)     \
    BULK_FUNCTIONS(X)
#define INDEX(source, object) PY_##source##_##object,
enum { OBJECTS(INDEX) N_OBJECTS };

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
} State;

/* One of these objects, borrowed from the state. */
#define PYTHON(s, source, object) ((s)->objects[PY_##source##_##object])

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
