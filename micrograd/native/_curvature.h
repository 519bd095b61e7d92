/* The Hessian of an output times a vector, in numbers: derivatives/products/curvature.py says what it means. */

#include "_turns.h"

/* At a place: how fast it moves, its adjoint, and how fast that changes. */
typedef struct {
    double rate, adjoint, change;
} Curve;

/* A local derivative, and how fast it changes. */
typedef struct {
    double slope, turn;
} Bend;

/* The passes up and down. Owns the sweep and the arrays; the bends are two for each step, and one for each link. */
typedef struct {
    Sweep sweep;
    Curve *at;
    Bend *bends, *of_links;
    PyObject *bends_at; /* for what C does not have; borrowed */
} Curvature;

/* Compute how fast the local derivatives of an operation change that C has. */
static inline void local_turns(Value *v, double dx, double dy, double dout, Bend *bends) {
    double out = v->data, other = 0.0;
    Value *x = (Value *)v->first, *y = (Value *)v->second;
    switch (v->code) {
#define TURN1(name) case ROW_##name: bends[0].turn = name##_turn_0(x->data, out, dx, dout); break;
        UNARY_ROWS(TURN1)
    case POWER_OF_NUMBER:
        plain_number(v->second, &other);
        bends[0].turn = power_of_number_turn_0(x->data, other, out, dx, dout);
        break;
#define TURN2(name)                                                                                \
    case ROW_##name:                                                                              \
        bends[0].turn = name##_turn_0(x->data, y->data, out, dx, dy, dout);                       \
        bends[1].turn = name##_turn_1(x->data, y->data, out, dx, dy, dout);                       \
        break;
        BINARY_ROWS(TURN2)
    default:
        Py_UNREACHABLE();
    }
}

/* Go up a step of an operation that C has. Returns 0 where numbers do not tell. */
static inline int rise_in_c(Curvature *c, Step *step, Bend *bends) {
    Value *v = step->node;
    int first = step->first != NOWHERE, second = step->second != NOWHERE;
    double slopes[2] = {0.0, 0.0}, *rate = &c->at[step->place].rate;
    double dx = first ? c->at[step->first].rate : 0.0, dy = second ? c->at[step->second].rate : 0.0;
    if (v->code == NO_ROW || at_kink(v)) return 0;
    local_slopes(v, slopes);
    if (first) *rate += slopes[0] * dx;
    if (second) *rate += slopes[1] * dy;
    local_turns(v, dx, dy, *rate, bends);
    bends[0].slope = slopes[0];
    bends[1].slope = slopes[1];
    return (!first || (isfinite(slopes[0]) && isfinite(bends[0].turn))) &&
           (!second || (isfinite(slopes[1]) && isfinite(bends[1].turn)));
}

/* Go up a step in Python, by these links. Returns 1; 0 where numbers do not tell, -1 for an error. */
static int rise_in_python(State *s, Curvature *c, Step *step, Link *links, Py_ssize_t n, Bend *bends) {
    PyObject *positions = PyTuple_New(n), *rates = PyTuple_New(n), *start = PyFloat_FromDouble(c->at[step->place].rate);
    PyObject *found = NULL;
    int told = positions && rates && start ? 1 : -1;
    for (Py_ssize_t i = 0; told > 0 && i < n; i++) {
        PyObject *position = PyLong_FromSsize_t(links[i].position);
        PyObject *rate = PyFloat_FromDouble(c->at[links[i].place].rate);
        if (!position || !rate) told = -1;
        PyTuple_SET_ITEM(positions, i, position);
        PyTuple_SET_ITEM(rates, i, rate);
    }
    if (told > 0) found = PyObject_CallFunctionObjArgs(c->bends_at, step->node, positions, rates, start, NULL);
    if (!found) told = -1;
    else if (!PyList_Check(found) || PyList_GET_SIZE(found) != 1 + 2 * n) told = 0;
    look(s, c->sweep.bound);
    for (Py_ssize_t i = 0; told > 0 && i < n; i++) {
        bends[i].slope = PyFloat_AsDouble(PyList_GET_ITEM(found, 1 + i));
        bends[i].turn = PyFloat_AsDouble(PyList_GET_ITEM(found, 1 + n + i));
    }
    if (told > 0) c->at[step->place].rate = PyFloat_AsDouble(PyList_GET_ITEM(found, 0));
    Py_XDECREF(positions);
    Py_XDECREF(rates);
    Py_XDECREF(start);
    Py_XDECREF(found);
    return PyErr_Occurred() ? -1 : told;
}

/* Go down from a place to one of its operands. */
static inline void fall(Curvature *c, Curve *from, Py_ssize_t to, Bend *bend) {
    c->at[to].adjoint += bend->slope * from->adjoint;
    c->at[to].change += bend->slope * from->change + bend->turn * from->adjoint;
}

/* Go up all steps, and down again. Returns 1; 0 where numbers do not tell, -1 for an error. */
static int rise_and_fall(State *s, Curvature *c) {
    Sweep *w = &c->sweep;
    int told = 1;
    look(s, w->bound);
    for (Py_ssize_t k = 0; told > 0 && k < w->n_steps; k++) {
        Step *step = &w->steps[k];
        if (k + 8 < w->n_steps) __builtin_prefetch(&w->steps[k + 8].node->data);
        if (step->node->shape == MANY)
            told = rise_in_python(s, c, step, w->links + step->first, step->second, c->of_links + step->first);
        else told = rise_in_c(c, step, c->bends + 2 * k);
    }
    if (told > 0 && w->places[0] != NOWHERE) c->at[w->places[0]].adjoint = 1.0;
    for (Py_ssize_t k = w->n_steps; told > 0 && k--;) {
        Step *step = &w->steps[k];
        Curve *from = &c->at[step->place];
        if (from->adjoint == 0.0 && from->change == 0.0) continue;
        for (Py_ssize_t i = 0; step->node->shape == MANY && i < step->second; i++)
            fall(c, from, w->links[step->first + i].place, &c->of_links[step->first + i]);
        if (step->node->shape == MANY) continue;
        if (step->first != NOWHERE) fall(c, from, step->first, &c->bends[2 * k]);
        if (step->second != NOWHERE) fall(c, from, step->second, &c->bends[2 * k + 1]);
    }
    return told;
}

/* Let the variables move along a vector, and return how their adjoints change; None where numbers do not tell. */
static PyObject *run_curvature(State *s, Curvature *c, PyObject *own, PyObject *vector) {
    Sweep *w = &c->sweep;
    int found = prepare(s, w, own);
    if (!found) found = has_closures(s, w);
    if (found < 0) return NULL;
    if (found) Py_RETURN_NONE;
    trim(s);
    c->at = PyMem_Calloc(w->n_places + 1, sizeof(Curve));
    c->bends = PyMem_Malloc((2 * w->n_steps + 1) * sizeof(Bend));
    c->of_links = PyMem_Malloc((w->n_links + 1) * sizeof(Bend));
    if (!c->at || !c->bends || !c->of_links) return PyErr_NoMemory();
    Py_ssize_t *variables = w->places + w->n_outputs;
    for (Py_ssize_t i = 0; i < w->n_variables; i++)
        c->at[variables[i]].rate += PyFloat_AS_DOUBLE(PyList_GET_ITEM(vector, i));
    int told = rise_and_fall(s, c);
    if (told < 0) return NULL;
    for (Py_ssize_t i = 0; i < w->n_variables; i++) told = told && isfinite(c->at[variables[i]].change);
    if (!told) Py_RETURN_NONE;
    PyObject *product = PyList_New(w->n_variables);
    for (Py_ssize_t i = 0; product && i < w->n_variables; i++) {
        PyObject *number = PyFloat_FromDouble(c->at[variables[i]].change);
        if (number) PyList_SET_ITEM(product, i, number);
        else Py_CLEAR(product);
    }
    return product;
}

/* hessian_product(output, variables, own, bends_at, vector): see curvature.py. The vector is a list of floats. */
static PyObject *engine_hessian_product(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    if (n != 5) return PyErr_Format(PyExc_TypeError, "hessian_product takes 5 arguments, got %zd", n);
    Curvature c = {.bends_at = args[3]};
    PyObject *product = NULL, *vectors = PyList_New(1);
    if (vectors) PyList_SET_ITEM(vectors, 0, Py_NewRef(args[4]));
    c.sweep.outputs = vectors ? PyTuple_Pack(1, args[0]) : NULL;
    c.sweep.variables = c.sweep.outputs ? PySequence_Tuple(args[1]) : NULL;
    s->walking++;
    if (c.sweep.variables && fit_directions(vectors, PyTuple_GET_SIZE(c.sweep.variables)))
        product = run_curvature(s, &c, args[2], args[4]);
    else if (c.sweep.variables) PyErr_SetString(PyExc_TypeError, "the vector is a list of a float per variable");
    s->walking--;
    PyMem_Free(c.at);
    PyMem_Free(c.bends);
    PyMem_Free(c.of_links);
    free_sweep(&c.sweep);
    Py_XDECREF(vectors);
    return product;
}
