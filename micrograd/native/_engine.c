/* The Value of engine.py in C, faster. engine.py says what everything means. C does what is hot: it makes and
 * frees nodes, lists graphs and goes through them backward. It leaves to Python what is rare (other
 * kinds of numbers, subclasses, errors, results that are not finite, operations without a C form), so that
 * conventions and messages exist once.
 *
 * This is one translation unit, to be read in the order of the includes. A function that "borrows" uses the
 * caller's reference; one that "owns" an object releases it; a struct releases what it owns. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

#ifndef __GNUC__
#define __builtin_prefetch(...)
#endif
#ifdef _MSC_VER
#define THREAD_LOCAL __declspec(thread)
#else
#define THREAD_LOCAL _Thread_local
#endif
#if PY_VERSION_HEX < 0x030D0000
#define PyThreadState_GetUnchecked _PyThreadState_UncheckedGet
#endif

#include "_ops.h"

#include "_state.h"

#include "_block.h"

#include "_nodes.h"

#include "_past.h"

#include "_operators.h"

#include "_attributes.h"

#include "_graph.h"

#include "_steps.h"

#include "_sweeps.h"

#include "_chain.h"

#include "_curvature.h"

#include "_dot.h"

#include "_pattern.h"

#include "_recorded.h"
#include "_tape.h"

#include "_bulk.h"

#include "_scopes.h"

/* The type Value ---------------------------------------------------------------------------- */

#define METHOD(name, function, doc)                                                                \
    {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS, doc},
#define OPERATION(name) METHOD(#name, name##_method, DOC_##name)
static PyMethodDef value_methods[] = {
    METHOD("backward", value_backward, DOC_backward)
    METHOD("_apply", value_apply, DOC__apply)
    {"_set_attribute", value_set_attribute, METH_VARARGS, "Set an attribute."},
    {"_track", value_track, METH_NOARGS, "Make this Value visible to the garbage collector."},
    UNARY_METHODS(OPERATION) BINARY_METHODS(OPERATION)
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef value_getset[] = {
    {"data", get_number, set_number, DOC_data, "data"},
    {"grad", get_number, set_number, DOC_grad, "grad"},
    {"_is_variable", get_variable, set_variable, NULL, NULL},
    {"_number", get_raw, set_number, NULL, "data"},
    {"_grad", get_raw, set_number, NULL, "grad"},
    {"op", get_op, set_making, NULL, "op"},
    {"args", get_operands, set_making, NULL, NULL},
    {"_args", get_operands, set_making, NULL, NULL},
    {"parents", get_operands, refuse_as_python, DOC_parents, "parents"},
    {"_is_plain_number", get_plain, set_plain, NULL, NULL},
    {"_past", get_past, NULL, NULL, NULL},
    {"_forgot", get_forgot, set_forgot, NULL, NULL},
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
    {Py_tp_doc, "Value(data, _children=(), _op='', label='', *, children=(), local_grads=None)\n--\n\n"}, {Py_tp_new, value_new},
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

/* The module -------------------------------------------------------------------------------- */

/* Fill `rows` and `codes` from the table. Borrows it. */
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
        PyObject *rules = PyObject_GetAttrString(op, "derivatives");
        for (Py_ssize_t i = 0; rules && i < Py_MIN(2, PyTuple_GET_SIZE(rules)); i++)
            s->passes[code] |= (PyTuple_GET_ITEM(rules, i) != Py_None) << i;
        Py_XDECREF(rules);
        if (!number || PyDict_SetItem(s->codes, op, number) < 0) Py_CLEAR(s->codes);
        Py_XDECREF(number);
    }
    s->rows[POWER_OF_NUMBER] = Py_XNewRef(s->rows[ROW_power]);
    s->passes[POWER_OF_NUMBER] = 1;
    s->passes[NO_ROW] = 3;
    return s->codes ? 0 : -1;
}

/* Store an attribute of a Python object in the state; without an object, the name itself. */
static int take(State *s, int index, PyObject *source, const char *name) {
    PyObject *x = source ? PyObject_GetAttrString(source, name) : PyUnicode_InternFromString(name);
    s->objects[index] = x;
    return x ? 0 : -1;
}

/* Fill a new module; engine.py has run up to its last line. Borrows the module. */
static int engine_exec(PyObject *module) {
    State *s = PyModule_GetState(module);
    PyObject *name = NULL, *table = NULL, *Value = NULL, *bases = NULL, *in_scope = NULL;
    PyObject *engine = NULL, *gc_cycles = NULL, *bulk = NULL, *products = NULL, *base = NULL;
    PyObject *custom_nodes = NULL;
    PyObject *hooks = NULL, *ops = NULL;
    int failed = !(engine = PyImport_ImportModule("micrograd.engine")) ||
                 !(gc_cycles = PyImport_ImportModule("micrograd.native.gc_cycles")) ||
                 !(bulk = PyImport_ImportModule("micrograd.native.bulk")) ||
                 !(products = PyImport_ImportModule("micrograd.native.products")) ||
                 !(base = PyImport_ImportModule("micrograd.value.base")) ||
                 !(custom_nodes = PyImport_ImportModule("micrograd.value.custom_nodes")) ||
                 !(hooks = PyImport_ImportModule("micrograd.value.hooks")) ||
                 !(ops = PyImport_ImportModule("micrograd.ops")) ||
                 !(Value = PyObject_GetAttrString(engine, "Value")) ||
                 !(bases = PyObject_GetAttrString(Value, "__bases__")) ||
                 !(table = PyObject_GetAttrString(ops, "TABLE")) || find_rows(s, table) < 0;
#define TAKE(source, object) failed = failed || take(s, PY_##source##_##object, source, #object) < 0;
    OBJECTS(TAKE)
    failed = failed || !(s->type = (PyTypeObject *)PyType_FromModuleAndSpec(
                             module, &value_spec, bases));
    failed = failed || !(s->apply = _PyType_Lookup(s->type, PYTHON(s, name, _apply)));
    failed = failed || !(s->block_type = (PyTypeObject *)PyType_FromModuleAndSpec(
                             module, &block_spec, NULL));
    failed = failed || !(in_scope = PyType_FromModuleAndSpec(module, &in_scope_spec, NULL));
    if (!failed) {
        s->type->tp_vectorcall = value_vectorcall;
        failed = PyModule_AddObjectRef(module, "Value", (PyObject *)s->type) < 0 ||
                 PyModule_AddObjectRef(module, "Block", (PyObject *)s->block_type) < 0 ||
                 PyModule_AddObjectRef(module, "in_scope", in_scope) < 0;
    }
    PyObject *borrowed[] = {engine, gc_cycles, bulk, products, base, custom_nodes, hooks, ops, table, Value, bases, in_scope};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(borrowed); i++) Py_XDECREF(borrowed[i]);
    return failed ? -1 : 0;
}

/* Visit what the module owns, for the garbage collector. */
static int engine_traverse(PyObject *module, visitproc visit, void *arg) {
    State *s = PyModule_GetState(module);
    Py_VISIT(s->type); Py_VISIT(s->block_type); Py_VISIT(s->codes);
    for (Py_ssize_t i = 0; i < s->kept.size; i++) Py_VISIT(Py_TYPE(s->kept.items[i]));
    Py_VISIT(s->on_new); Py_VISIT(s->scope_of); Py_VISIT(s->before_backward); Py_VISIT(s->scope); Py_VISIT(s->own);
    for (int i = 0; i < N_CODES; i++) Py_VISIT(s->rows[i]);
    for (int i = 0; i < N_OBJECTS; i++) Py_VISIT(s->objects[i]);
    return 0;
}

/* Release what the module owns. */
static int engine_clear(PyObject *module) {
    State *s = PyModule_GetState(module);
    while (s->kept.size) drop_kept(s);
    Py_CLEAR(s->type); Py_CLEAR(s->block_type); Py_CLEAR(s->codes);
    Py_CLEAR(s->on_new); Py_CLEAR(s->scope_of); Py_CLEAR(s->before_backward); Py_CLEAR(s->scope); Py_CLEAR(s->own);
    for (int i = 0; i < N_CODES; i++) Py_CLEAR(s->rows[i]);
    for (int i = 0; i < N_OBJECTS; i++) Py_CLEAR(s->objects[i]);
    return 0;
}

/* Free the module and the kept nodes. No Value is alive: each keeps its type and module alive. */
static void engine_free(void *module) {
    State *s = PyModule_GetState(module);
    engine_clear(module);
    PyMem_Free(s->kept.items);
    free_walk(&s->spare);
}

#define BULK_METHOD(source, name)                                                                  \
    {#name, (PyCFunction)(void (*)(void))bulk_##name, METH_FASTCALL, "See micrograd/native/bulk.py."},
static PyMethodDef engine_methods[] = {
    METHOD("toposort", engine_toposort_of, DOC_toposort)
    {"adjoints", (PyCFunction)(void (*)(void))engine_adjoints, METH_FASTCALL,
     "See micrograd/derivatives/sweeps.py."},
    {"chain", (PyCFunction)(void (*)(void))engine_chain, METH_FASTCALL,
     "See micrograd/derivatives/chain_rule.py."},
    {"new_slopes", engine_new_slopes, METH_NOARGS, "See micrograd/derivatives/chain_rule.py."},
    {"among", (PyCFunction)(void (*)(void))engine_among, METH_FASTCALL,
     "Tell of each Value whether the roots are made of it."},
    {"hessian_product", (PyCFunction)(void (*)(void))engine_hessian_product, METH_FASTCALL,
     "See micrograd/derivatives/products/curvature.py."},
    {"pattern", (PyCFunction)(void (*)(void))engine_pattern, METH_FASTCALL,
     "See micrograd/derivatives/sparse.py."},
    {"dot", (PyCFunction)(void (*)(void))engine_dot, METH_FASTCALL | METH_KEYWORDS,
     "dot($module, ws, xs, start=0)\n--\n\n"
     "Return `start + ws[0] * xs[0] + ws[1] * xs[1] + ...`, added from left to right."},
    {"new_variables", engine_new_variables, METH_O, "See micrograd/derivatives/fresh_inputs.py."},
    {"tangents", (PyCFunction)(void (*)(void))engine_tangents, METH_FASTCALL,
     "See micrograd/derivatives/sweeps.py."},
    BULK_FUNCTIONS(BULK_METHOD)
    {"sink", (PyCFunction)(void (*)(void))engine_sink, METH_FASTCALL, "See micrograd/graph/past.py."},
    {"rewirings", engine_rewirings, METH_NOARGS, "See micrograd/graph/past.py."},
    {"take_down", engine_take_down, METH_O, "See micrograd/programs/trace/recording.py."},
    {"write_down", (PyCFunction)(void (*)(void))engine_write_down, METH_FASTCALL,
     "See micrograd/programs/trace/tape.py."},
    {"trim", engine_trim, METH_NOARGS, "Return the memory of freed Values to Python."},
    {"hide_leaves", engine_hide_leaves, METH_O, "See micrograd/native/blocks.py."},
    {"swap_scope", engine_swap_scope, METH_O, "Let this thread record in a scope, or in none."},
    {"set_before_backward", engine_set_before_backward, METH_O,
     "Call a function on the nodes of a graph before each backward pass, or none."},
    {"set_modal", engine_set_modal, METH_O, "See micrograd/value/hooks.py."},
    {"set_on_new", engine_set_on_new, METH_O, "Call a function on each new Value, or none."},
    {"set_scope_here", engine_set_scope_here, METH_O, "See micrograd/value/hooks.py."},
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
