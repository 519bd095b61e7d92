/* The executor of programs: the steps of a plan as a list of instructions, run in one call and without the GIL.
 *
 * An instruction is a few 32-bit words: what is done, then where. All numbers lie in one array, and places are
 * counted in it. programs/run/instructions.py writes the words, and says for each step what executor.py does
 * with NumPy; that is the specification. Kernels of rows are generated from the table: see _ops.h.
 *
 * The headers are to be read in the order of the includes; the innermost loops are in _vectors.c. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_kernels.h"

/* The module's name in Python, and what Python calls to make it. */
#define TEXT(name) #name
#define NAMED(name) "micrograd.native." TEXT(name)
#define MODULE NAMED(EXECUTOR)
#define JOINED(name) PyInit_##name
#define INIT(name) JOINED(name)

static const Kernels *kernels; /* for this processor */

enum { MOST_AXES = 12 };

#include "_elements.h"

#include "_sums.h"

#include "_moves.h"

/* What else there is, and what runs it. */
#define OTHERS(DO)                                                                                          \
    DO(LOOP, run_loop) DO(CHOOSE, run_choose) DO(CHOSEN, run_chosen) DO(SUM, run_sum) DO(TAKE, run_take)    \
    DO(PUT, run_put) DO(SEGMENTS, run_segments) DO(RUNNING, run_running) DO(CLEAR, run_clear)

enum {
    LAST_ROW = N_ROWS - 1,
#define CODE(name, function) name,
    OTHERS(CODE)
#undef CODE
    N_CODES
};

#include "_checks.h"

#include "_scalars.h"

/* Where C allows it, each instruction jumps to the next from a place of its own: the processor then foresees
 * better which one follows. */
#ifdef __GNUC__
#define STEP(code, name) name##_step
#define NEXT                                                                                                \
    if (w >= end) return;                                                                                   \
    goto *steps[*w];
#else
#define STEP(code, name) case code
#define NEXT break;
#endif
#define UNARY_STEP(name)                                                                                    \
    STEP(ROW_##name, name) : at[w[1]] = last = name##_value(at[w[2]]);                                      \
    w += 3;                                                                                                 \
    NEXT
#define BINARY_STEP(name)                                                                                   \
    STEP(ROW_##name, name) : at[w[1]] = last = name##_value(at[w[2]], at[w[3]]);                            \
    w += 4;                                                                                                 \
    NEXT
#define TERNARY_STEP(name)                                                                                  \
    STEP(ROW_##name, name) : at[w[1]] = last = name##_value(at[w[2]], at[w[3]], at[w[4]]);                  \
    w += 5;                                                                                                 \
    NEXT
#define OTHER_STEP(name, function)                                                                          \
    STEP(name, name) : w = function(at, w);                                                                 \
    NEXT
#define THEN_STEP(name, value, reads)                                                                       \
    STEP(THEN_CODES + FIRST_##name, name) : at[w[1]] = last = value;                                        \
    w += 2 + reads;                                                                                         \
    NEXT
#define PAIR_STEP(name, row, a, b, first, value, reads)                                                     \
    STEP(PAIR_CODES + FIRST_##first * N_FOLLOWING + FOLLOWING_##name, first##_##name) : {                   \
        at[w[1]] = last = value;                                                                            \
        const number x = at[w[reads + 3]];                                                                  \
        at[w[reads + 2]] = last = row##_value(a, b);                                                        \
        w += reads + 4;                                                                                     \
        NEXT                                                                                                \
    }
#define PAIRS_OF(first, value, reads) FOLLOWING(PAIR_STEP, first, value, reads)

static void run(number *at, const int32_t *w, const int32_t *end) {
    number last = 0.0; /* the result of the step before, if that was one on single numbers */
#ifdef __GNUC__
#define PLACE(name) &&name##_step,
#define OTHER_PLACE(name, function) &&name##_step,
#define THEN_PLACE(name, value, reads) &&name##_step,
#define PAIR_PLACE(name, row, a, b, first, value, reads) &&first##_##name##_step,
#define PAIR_PLACES(first, value, reads) FOLLOWING(PAIR_PLACE, first, value, reads)
    static const void *const steps[N_ALL_CODES] = {
        ALL_ROWS(PLACE) OTHERS(OTHER_PLACE) THEN(THEN_PLACE) PLAIN(PAIR_PLACES) THEN(PAIR_PLACES)
    };
    NEXT
#else
    while (w < end) switch (*w) {
#endif
    EXECUTED_UNARY(UNARY_STEP)
    EXECUTED_BINARY(BINARY_STEP)
    EXECUTED_TERNARY(TERNARY_STEP)
    OTHERS(OTHER_STEP)
    THEN(THEN_STEP)
    PLAIN(PAIRS_OF)
    THEN(PAIRS_OF)
#ifndef __GNUC__
    }
#endif
}

/* The type Instructions ------------------------------------------------------------------------------------ */

typedef struct {
    PyObject_HEAD
    Py_buffer numbers; /* held as long as this lives */
    int32_t *words;    /* a copy of our own, which nobody changes after the check; then how far each moves */
    Py_ssize_t n;
    int32_t times; /* how often they are run, and moved in between */
} Instructions;

static void instructions_dealloc(Instructions *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyBuffer_Release(&self->numbers);
    PyMem_Free(self->words);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Move each word once. */
static void move_on(int32_t *words, const int32_t *moves, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++) words[i] = (int32_t)((uint32_t)words[i] + (uint32_t)moves[i]);
}

/* Check each instruction, at the first time and where it has moved to at each other. -1 with an error if one does
 * not fit. */
static int check(const Instructions *self) {
    int32_t *words = self->words + 2 * self->n;
    memcpy(words, self->words, (size_t)self->n * sizeof *words);
    for (int32_t time = 0; time < self->times; time++) {
        if (time) move_on(words, self->words + self->n, self->n);
        Check c = {words, words + self->n, self->numbers.len / (Py_ssize_t)sizeof(number)};
        while (c.w < c.end) {
            const Py_ssize_t at = c.w - words;
            if (instruction_fits(&c)) continue;
            PyErr_Format(PyExc_ValueError, "the instruction at word %zd does not fit the numbers", at);
            return -1;
        }
    }
    return 0;
}

/* Copy the words, and how each of them moves; leave room for words that have moved. */
static int bind(Instructions *self, const Py_buffer *words, const Py_buffer *moves) {
    const size_t length = (size_t)words->len;
    if (strcmp(self->numbers.format, sizeof(number) == 4 ? "f" : "d") || words->itemsize != 4 ||
        strcmp(words->format, "i") || moves->itemsize != 4 || strcmp(moves->format, "i")) {
        PyErr_Format(PyExc_TypeError, "instructions are bound to float%d, and written in int32",
                     (int)(8 * sizeof(number)));
        return -1;
    }
    if (moves->len != words->len || self->times < 1) {
        PyErr_SetString(PyExc_ValueError, "each word moves, and all are done once or more");
        return -1;
    }
    self->words = PyMem_Malloc(3 * length + 1);
    if (!self->words) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(self->words, words->buf, length);
    memcpy((char *)self->words + length, moves->buf, length);
    self->n = words->len / 4;
    if (check(self) < 0) return -1;
    /* Words that move must stand where their moves do. */
    const Py_ssize_t size = self->numbers.len / (Py_ssize_t)sizeof(number);
    if (self->times == 1) self->n = follow_all(self->words, self->n, size);
    return 0;
}

static PyObject *instructions_new(PyTypeObject *type, PyObject *args, PyObject *names) {
    PyObject *numbers, *list, *ways = NULL;
    int times = 1;
    static char *keywords[] = {"numbers", "words", "moves", "times", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, names, "OO|Oi", keywords, &numbers, &list, &ways, &times)) return NULL;
    Py_buffer words, moves;
    if (PyObject_GetBuffer(list, &words, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) return NULL;
    if (PyObject_GetBuffer(ways ? ways : list, &moves, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) {
        PyBuffer_Release(&words);
        return NULL;
    }
    Instructions *self = (Instructions *)type->tp_alloc(type, 0);
    if (self) self->times = ways ? times : 1;
    if (self && (PyObject_GetBuffer(numbers, &self->numbers,
                                    PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | PyBUF_WRITABLE) < 0 ||
                 bind(self, &words, &moves) < 0))
        Py_CLEAR(self);
    PyBuffer_Release(&words);
    PyBuffer_Release(&moves);
    return (PyObject *)self;
}

static PyObject *instructions_run(Instructions *self, PyObject *Py_UNUSED(none)) {
    const Py_ssize_t n = self->n;
    int32_t *words = self->words; /* those that move are of this call alone: others may run at once */
    if (self->times > 1) {
        words = PyMem_Malloc((size_t)n * sizeof *words);
        if (!words) return PyErr_NoMemory();
        memcpy(words, self->words, (size_t)n * sizeof *words);
    }
    Py_BEGIN_ALLOW_THREADS
    for (int32_t time = 0; time < self->times; time++) {
        if (time) move_on(words, self->words + n, n);
        run(self->numbers.buf, words, words + n);
    }
    Py_END_ALLOW_THREADS
    if (self->times > 1) PyMem_Free(words);
    Py_RETURN_NONE;
}

static PyMethodDef instructions_methods[] = {
    {"run", (PyCFunction)instructions_run, METH_NOARGS, "run($self)\n--\n\nDo what they say, in their order."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot instructions_slots[] = {
    {Py_tp_doc, "Instructions(numbers, words, moves, times=1)\n--\n\nA list of instructions, checked, on an array of numbers.\n\n"
                "They are run so many times; each time the words are larger by `moves`, which only places are.\n\n"
                "Raises TypeError for arrays of other kinds, ValueError for an instruction that would read or\n"
                "write outside of the numbers."},
    {Py_tp_new, instructions_new},
    {Py_tp_dealloc, instructions_dealloc},
    {Py_tp_methods, instructions_methods},
    {0, NULL},
};

static PyType_Spec instructions_spec = {
    .name = MODULE ".Instructions",
    .basicsize = sizeof(Instructions),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = instructions_slots,
};

/* The module ----------------------------------------------------------------------------------------------- */

static int executor_exec(PyObject *module) {
    kernels = micrograd_kernels(8);
    PyObject *type = PyType_FromModuleAndSpec(module, &instructions_spec, NULL);
    if (!type || PyModule_AddObjectRef(module, "Instructions", type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    Py_DECREF(type);
    PyObject *codes = PyDict_New();
    if (!codes || PyModule_AddObjectRef(module, "codes", codes) < 0) {
        Py_XDECREF(codes);
        return -1;
    }
    Py_DECREF(codes); /* the module has it */
#define NAME(name, function) #name,
    static const char *const others[] = {OTHERS(NAME)};
    for (int code = 0; code < N_CODES; code++) {
        PyObject *number = PyLong_FromLong(code);
        const char *name = code < N_ROWS ? rows[code].name : others[code - N_ROWS];
        if (!number || PyDict_SetItemString(codes, name, number) < 0) {
            Py_XDECREF(number);
            return -1;
        }
        Py_DECREF(number);
    }
    return 0;
}

static PyObject *limit_vectors(PyObject *Py_UNUSED(module), PyObject *most) {
    const long n = PyLong_AsLong(most);
    if (n == -1 && PyErr_Occurred()) return NULL;
    kernels = micrograd_kernels((int)n);
    Py_RETURN_NONE;
}

static PyMethodDef executor_functions[] = {
    {"limit_vectors", limit_vectors, METH_O,
     "limit_vectors($module, most)\n--\n\nUse vectors of at most so many doubles, as older processors have."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot executor_slots[] = {
    {Py_mod_exec, executor_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static PyModuleDef executor_module = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = MODULE,
    .m_doc = "The executor of programs: instructions that run without Python.",
    .m_methods = executor_functions,
    .m_slots = executor_slots,
};

PyMODINIT_FUNC INIT(EXECUTOR)(void) { return PyModuleDef_Init(&executor_module); }
