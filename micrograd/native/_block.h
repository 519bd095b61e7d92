/* Blocks, see blocks.py. In C, pushing a block does not write to its leaves: the block is marked as ahead
 * of them, and they get its numbers when something looks at one of them. Until then optimisers and
 * programs work on the arrays alone. At most one block is ahead at a time. Code that touches the
 * numbers of a bound Value (a leaf of some block) calls `look` or `change` first. */

enum { DATA, GRAD };

struct Block {
    PyObject_HEAD
    PyObject *leaves;    /* a tuple of bound Values; owned, like the others */
    Py_buffer numbers[2]; /* data and grads, float64 */
    uint64_t seen[2];    /* the count of changes for which they are up to date */
    int ahead[2];        /* newer than the leaves' numbers */
    PyObject *weakrefs;
};

/* Return DATA or GRAD for the name that getters and setters get. */
static inline int which_of(const char *name) { return name[0] == 'd' ? DATA : GRAD; }

/* Fill `view` if an object is a one-dimensional buffer of `n` aligned float64, and return 1; 0 for other
 * objects, -1 for an error. May run Python code. */
static int take_float64(PyObject *x, Py_ssize_t n, int flags, Py_buffer *view) {
    if (PyObject_GetBuffer(x, view, flags | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) {
        view->obj = NULL;
        return forget(PyErr_ExceptionMatches(PyExc_BufferError) ? PyExc_BufferError : PyExc_TypeError);
    }
    if (view->format && strcmp(view->format, "d") == 0 && view->ndim == 1 && view->len == n * 8 &&
        (!n || (uintptr_t)view->buf % sizeof(double) == 0)) return 1;
    PyBuffer_Release(view);
    return 0;
}

/* Return the address of a Value's data or grad. */
static inline double *number_of(PyObject *v, int which) {
    return which == DATA ? &((Value *)v)->data : &((Value *)v)->grad;
}

/* Write the numbers of the block that is ahead to its leaves. Runs no Python code. */
static void settle(State *s) {
    Block *b = s->ahead;
    PyObject **leaves = ((PyTupleObject *)b->leaves)->ob_item;
    Py_ssize_t n = PyTuple_GET_SIZE(b->leaves);
    s->ahead = NULL;
    for (int which = DATA; which <= GRAD; which++) {
        double *x = b->numbers[which].buf;
        for (Py_ssize_t i = 0; b->ahead[which] && i < n; i++) *number_of(leaves[i], which) = x[i];
        b->ahead[which] = 0;
    }
}

/* Prepare for reading the numbers of any Values. */
static inline void look_at_all(State *s) {
    if (s && s->ahead) settle(s);
}

/* Prepare for reading a number of a Value; `bound` is its bit, or those of two Values together. While no
 * block is ahead, as nearly always, the bits are not even looked at. */
#define look(s, bound) ((s)->ahead && (bound) ? settle(s) : (void)0)

/* Prepare for changing a number of a Value: if it is bound, other blocks are out of date then. */
static inline void change(State *s, int bound, int which) {
    if (bound) look_at_all(s);
    if (bound && s) s->changes[which]++;
}

/* Bring an array of a block up to date. Borrows the block. */
static void pull(State *s, Block *b, int which) {
    if (s->ahead != b) look_at_all(s);
    if (b->seen[which] == s->changes[which]) return;
    double *x = b->numbers[which].buf;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(b->leaves); i++)
        x[i] = *number_of(PyTuple_GET_ITEM(b->leaves, i), which);
    b->seen[which] = s->changes[which];
}

/* Declare an array of a block the newest: its leaves and other blocks are out of date. Borrows the block. */
static void push(State *s, Block *b, int which) {
    if (s->ahead != b) look_at_all(s);
    b->seen[which] = ++s->changes[which];
    b->ahead[which] = 1;
    s->ahead = b;
}

/* Add to the grads of a block. Borrows both. */
static int add_to_block(State *s, PyObject *block, PyObject *gradients) {
    Py_buffer view;
    Block *b = (Block *)block;
    Py_ssize_t n = Py_IS_TYPE(block, s->block_type) ? PyTuple_GET_SIZE(b->leaves) : -1;
    int fits = n < 0 ? 0 : take_float64(gradients, n, 0, &view);
    if (fits < 0) return -1;
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "a block of Values adds as many float64 as it has leaves");
        return -1;
    }
    pull(s, b, GRAD);
    double *grads = b->numbers[GRAD].buf, *x = view.buf;
    for (Py_ssize_t i = 0; i < n; i++) grads[i] += x[i];
    push(s, b, GRAD);
    PyBuffer_Release(&view);
    return 0;
}

/* Block(leaves, data, grad): a tuple, and two buffers of as many float64, to be overwritten. */
static PyObject *block_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs)) {
    PyObject *leaves, *numbers[2];
    State *s = needed(PyType_GetModuleState(type));
    if (!s || !PyArg_ParseTuple(args, "O!OO", &PyTuple_Type, &leaves, numbers, numbers + 1)) return NULL;
    Block *b = (Block *)type->tp_alloc(type, 0);
    if (!b) return NULL;
    b->leaves = Py_NewRef(leaves);
    Py_ssize_t n = PyTuple_GET_SIZE(leaves);
    int fits = 1;
    for (Py_ssize_t i = 0; i < n; i++) fits = fits && is_value(PyTuple_GET_ITEM(leaves, i));
    for (int which = DATA; which <= GRAD; which++) {
        b->seen[which] = s->changes[which] - 1;
        if (fits > 0) fits = take_float64(numbers[which], n, PyBUF_WRITABLE, &b->numbers[which]);
    }
    if (fits <= 0) {
        Py_DECREF(b);
        return fits < 0 ? NULL : PyErr_Format(PyExc_ValueError, "a block needs Values, and as many float64 twice");
    }
    for (Py_ssize_t i = 0; i < n; i++) ((Value *)PyTuple_GET_ITEM(leaves, i))->bound = 1;
    return (PyObject *)b;
}

/* Free a block, after writing its numbers to its leaves. */
static void block_dealloc(PyObject *self) {
    Block *b = (Block *)self;
    PyTypeObject *type = Py_TYPE(self);
    State *s = PyType_GetModuleState(type);
    PyObject_GC_UnTrack(self);
    if (b->weakrefs) PyObject_ClearWeakRefs(self);
    if (s && s->ahead == b) settle(s);
    for (int which = DATA; which <= GRAD; which++) PyBuffer_Release(&b->numbers[which]);
    Py_CLEAR(b->leaves);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Visit what a block owns. There is no clear: leaves do not refer to blocks. */
static int block_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Block *)self)->leaves);
    return 0;
}

/* block.pull_data(): returns the count of changes. */
static PyObject *block_pull_data(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    State *s = needed(PyType_GetModuleState(Py_TYPE(self)));
    if (!s) return NULL;
    pull(s, (Block *)self, DATA);
    return PyLong_FromUnsignedLongLong(s->changes[DATA]);
}

/* block.pull_grads() and so on. */
#define BLOCK_METHOD(name, what, which)                                                            \
    static PyObject *block_##name(PyObject *self, PyObject *Py_UNUSED(ignored)) {                  \
        State *s = needed(PyType_GetModuleState(Py_TYPE(self)));                                   \
        if (!s) return NULL;                                                                       \
        what(s, (Block *)self, which);                                                             \
        Py_RETURN_NONE;                                                                            \
    }
BLOCK_METHOD(pull_grads, pull, GRAD)
BLOCK_METHOD(push_data, push, DATA)
BLOCK_METHOD(push_grads, push, GRAD)

/* block.zero_grads(). */
static PyObject *block_zero_grads(PyObject *self, PyObject *unused) {
    memset(((Block *)self)->numbers[GRAD].buf, 0, ((Block *)self)->numbers[GRAD].len);
    return block_push_grads(self, unused);
}

/* block.add(gradients). Borrows them. */
static PyObject *block_add(PyObject *self, PyObject *gradients) {
    State *s = needed(PyType_GetModuleState(Py_TYPE(self)));
    if (!s || add_to_block(s, self, gradients) < 0) return NULL;
    Py_RETURN_NONE;
}

/* block.has(values): tell whether a list or tuple holds just these leaves, in order. Borrows it. */
static PyObject *block_has(PyObject *self, PyObject *values) {
    PyObject *leaves = ((Block *)self)->leaves;
    Py_ssize_t n = PyTuple_GET_SIZE(leaves);
    int same = (PyList_Check(values) || PyTuple_Check(values)) && Py_SIZE(values) == n &&
               (!n || !memcmp(PySequence_Fast_ITEMS(values), ((PyTupleObject *)leaves)->ob_item,
                              n * sizeof(PyObject *)));
    return PyBool_FromLong(same);
}

/* block.data and block.grad. */
static PyObject *get_numbers(PyObject *self, void *name) {
    return Py_NewRef(((Block *)self)->numbers[which_of(name)].obj);
}

#include "_descent.h"

static PyMethodDef block_methods[] = {
    {"pull_data", block_pull_data, METH_NOARGS, NULL},
    {"pull_grads", block_pull_grads, METH_NOARGS, NULL},
    {"push_data", block_push_data, METH_NOARGS, NULL},
    {"push_grads", block_push_grads, METH_NOARGS, NULL},
    {"zero_grads", block_zero_grads, METH_NOARGS, NULL},
    {"add", block_add, METH_O, NULL},
    {"has", block_has, METH_O, NULL},
    {"descend", block_descend, METH_VARARGS, NULL},
    {"adapt", block_adapt, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef block_getset[] = {
    {"data", get_numbers, NULL, NULL, "data"}, {"grad", get_numbers, NULL, NULL, "grad"},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef block_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Block, weakrefs), READONLY, NULL},
    {"leaves", T_OBJECT, offsetof(Block, leaves), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot block_slots[] = {
    {Py_tp_doc, "See micrograd/native/blocks.py."}, {Py_tp_new, block_new}, {Py_tp_dealloc, block_dealloc},
    {Py_tp_traverse, block_traverse}, {Py_tp_methods, block_methods}, {Py_tp_getset, block_getset},
    {Py_tp_members, block_members}, {0, NULL},
};

static PyType_Spec block_spec = {
    .name = "micrograd.blocks.Block", .basicsize = sizeof(Block),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .slots = block_slots,
};
