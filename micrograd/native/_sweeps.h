/* Differentiate in numbers, in storage of its own: derivatives/sweeps.py says what it means. */

enum { NOWHERE = -1 };

/* A node that a variable reaches, with its place in the storage and those of its two operands
 * (NOWHERE where no variable reaches one); of MANY, its first link and the number of links. */
typedef struct {
    Value *node;
    Py_ssize_t place, first, second;
} Step;

/* An operand of MANY that a variable reaches. */
typedef struct {
    Py_ssize_t position, place;
} Link;

/* What lies between variables and outputs. Owns everything but the nodes, which the outputs keep. */
typedef struct {
    PyObject *outputs, *variables; /* sequences from PySequence_Fast */
    PyObject *slopes_at;           /* for local derivatives that C does not have; borrowed */
    Step *steps;
    Link *links;
    Py_ssize_t *places; /* of the outputs, then of the variables */
    Py_ssize_t n_outputs, n_variables, n_steps, n_links, n_places;
    double *numbers; /* `width` for each place */
    Py_ssize_t width;
    int bound; /* leaves of blocks are among the nodes */
    int rare;  /* a node may have a function assigned to `_backward` */
} Sweep;

static void free_sweep(Sweep *w) {
    PyMem_Free(w->steps); PyMem_Free(w->links); PyMem_Free(w->places); PyMem_Free(w->numbers);
    Py_XDECREF(w->outputs); Py_XDECREF(w->variables);
}

/* Return the place of a Value, counted from the first walk number that stands for one. */
static inline Py_ssize_t place_of(PyObject *x, uint64_t base, Py_ssize_t n_places) {
    uint64_t place = SEEN(((Value *)x)->seen - base);
    return place < (uint64_t)n_places ? (Py_ssize_t)place : NOWHERE;
}

/* Return the rules of a node of MANY operands, a tuple; NULL, without an error, if they are not known. */
static PyObject *rules_of(State *s, Value *v) {
    if (!v->second || !Py_IS_TYPE(v->second, Py_TYPE(s->rows[ROW_add]))) return NULL;
    PyObject *rules = PyObject_GetAttr(v->second, PYTHON(s, name, derivatives)); /* from a slot */
    if (rules && PyTuple_Check(rules) && PyTuple_GET_SIZE(rules) == PyTuple_GET_SIZE(v->first)) return rules;
    if (!rules) forget(PyExc_AttributeError);
    Py_XDECREF(rules);
    return NULL;
}

/* Link a node of MANY operands to those that a variable reaches, and by which a derivative exists. Return
 * their number, or -1. */
static Py_ssize_t link_operands(State *s, Sweep *w, Value *v, uint64_t base, Py_ssize_t *room) {
    Py_ssize_t n = PyTuple_GET_SIZE(v->first), found = 0;
    PyObject *rules = rules_of(s, v);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *x = PyTuple_GET_ITEM(v->first, i);
        Py_ssize_t place = is_value(x) ? place_of(x, base, w->n_places) : NOWHERE;
        if (place == NOWHERE || (rules && PyTuple_GET_ITEM(rules, i) == Py_None)) continue;
        if (w->n_links == *room && grow((void **)&w->links, room, sizeof(Link))) {
            found = -1;
            break;
        }
        w->links[w->n_links++] = (Link){i, place};
        found++;
    }
    Py_XDECREF(rules);
    return found;
}

/* Give the variables, and all nodes that they reach, their places. No Python code runs meanwhile,
 * since the places are kept in `seen`. Return 1 for another call's variable if `own`, -1 for an error. */
static int find_steps(State *s, Sweep *w, List *order, int own) {
    uint64_t base = SEEN(s->walks + 1);
    PyObject **variables = PySequence_Fast_ITEMS(w->variables);
    PyObject **outputs = PySequence_Fast_ITEMS(w->outputs);
    Py_ssize_t room = 0;
    s->walks += w->n_variables + order->size + 1;
    for (Py_ssize_t i = 0; i < w->n_variables; i++) {
        Py_ssize_t place = place_of(variables[i], base, w->n_places);
        if (place == NOWHERE) {
            place = w->n_places++;
            ((Value *)variables[i])->seen = base + place;
        }
        w->places[w->n_outputs + i] = place;
    }
    for (Py_ssize_t i = 0; i < order->size; i++) {
        Value *v = order->items[i];
        Step step = {v, NOWHERE, NOWHERE, NOWHERE};
        if (i + 8 < order->size) __builtin_prefetch(&order->items[i + 8]->first);
        if (v->shape == LEAF) {
            if (own && v->variable && place_of((PyObject *)v, base, w->n_places) == NOWHERE) return 1;
            continue;
        }
        if (v->shape == MANY) {
            step.first = w->n_links;
            step.second = link_operands(s, w, v, base, &room);
            if (step.second < 0) return -1;
            if (!step.second) continue;
        }
        else {
            if (s->passes[v->code] & 1) step.first = place_of(v->first, base, w->n_places);
            if (v->shape == TWO && s->passes[v->code] & 2)
                step.second = place_of(v->second, base, w->n_places);
            if (step.first == NOWHERE && step.second == NOWHERE) continue;
        }
        step.place = place_of((PyObject *)v, base, w->n_places);
        if (step.place == NOWHERE) {
            step.place = w->n_places++;
            v->seen = SEEN(base + step.place);
        }
        w->rare |= !v->code || v->dict;
        w->steps[w->n_steps++] = step;
    }
    for (Py_ssize_t i = 0; i < w->n_outputs; i++)
        w->places[i] = is_value(outputs[i]) ? place_of(outputs[i], base, w->n_places) : NOWHERE;
    return 0;
}

/* Walk the graph behind the outputs and find the steps. Returns as find_steps does. */
static int prepare(State *s, Sweep *w, int own) {
    PyObject **outputs = PySequence_Fast_ITEMS(w->outputs);
    PyObject **variables = PySequence_Fast_ITEMS(w->variables);
    w->n_outputs = PySequence_Fast_GET_SIZE(w->outputs);
    w->n_variables = PySequence_Fast_GET_SIZE(w->variables);
    for (Py_ssize_t i = 0; i < w->n_variables; i++) {
        if (is_value(variables[i])) continue;
        PyErr_Format(PyExc_TypeError, "a variable is a Value, got %R", variables[i]);
        return -1;
    }
    Walk walked = new_walk(s, 0);
    uint64_t number = next_walk(s);
    int failed = 0;
    for (Py_ssize_t i = 0; i < w->n_outputs && !failed; i++) {
        if (is_value(outputs[i])) failed = walk_on(s, &walked, (Value *)outputs[i], number);
    }
    w->bound = walked.bound;
    w->steps = PyMem_Malloc((walked.order.size + 1) * sizeof(Step));
    w->places = PyMem_Malloc((w->n_outputs + w->n_variables + 1) * sizeof(Py_ssize_t));
    failed = failed || !w->steps || !w->places ? -1 : find_steps(s, w, &walked.order, own);
    end_walk(s, &walked);
    if (failed < 0) PyErr_NoMemory();
    return failed;
}

/* Tell whether a function assigned to `_backward` is on the way; -1 for an error. */
static int has_closures(State *s, Sweep *w) {
    for (Py_ssize_t i = 0; w->rare && i < w->n_steps; i++) {
        Value *v = w->steps[i].node;
        if (v->code && !v->dict) continue;
        PyObject *closure = PyObject_GetAttr((PyObject *)v, PYTHON(s, name, _closure));
        if (!closure) return -1;
        Py_DECREF(closure);
        if (closure != Py_None) return 1;
    }
    return 0;
}

/* Compute the local derivatives of an operation that C has. */
static inline void local_slopes(Value *v, double *slopes) {
    double out = v->data, other = 0.0;
    Value *x = (Value *)v->first, *y = (Value *)v->second;
    switch (v->code) {
#define SLOPE1(name) case ROW_##name: slopes[0] = name##_slope_0(x->data, out); break;
        UNARY_ROWS(SLOPE1)
    case POWER_OF_NUMBER:
        plain_number(v->second, &other);
        slopes[0] = power_slope_0(x->data, other, out);
        break;
#define SLOPE2(name)                                                                               \
    case ROW_##name:                                                                              \
        slopes[0] = name##_slope_0(x->data, y->data, out);                                        \
        slopes[1] = name##_slope_1(x->data, y->data, out);                                        \
        break;
        BINARY_ROWS(SLOPE2)
    default:
        Py_UNREACHABLE();
    }
}

/* Tell whether all numbers at a place are zero. */
static inline int is_zero(Sweep *w, Py_ssize_t place) {
    if (w->width == 1) return w->numbers[place] == 0.0;
    double *x = w->numbers + place * w->width;
    for (Py_ssize_t k = 0; k < w->width; k++) {
        if (x[k] != 0.0) return 0;
    }
    return 1;
}

/* Add the numbers at one place, times a slope, to those at another; what is zero adds nothing. */
static inline void add_times(Sweep *w, Py_ssize_t to, Py_ssize_t from, double slope) {
    double *x = w->numbers + from * w->width, *sum = w->numbers + to * w->width;
    if (w->width == 1) { /* and is not zero, see take_step */
        *sum += slope * *x;
    }
    else if (isfinite(slope)) {
        for (Py_ssize_t k = 0; k < w->width; k++) sum[k] += slope * x[k];
    }
    else {
        for (Py_ssize_t k = 0; k < w->width; k++) sum[k] += x[k] != 0.0 ? slope * x[k] : 0.0;
    }
}

/* Pass on between a node and one of its operands: down to the operand, or up from it. */
static inline void pass(Sweep *w, Step *step, Py_ssize_t operand, double slope, int up) {
    up ? add_times(w, step->place, operand, slope) : add_times(w, operand, step->place, slope);
}

/* Take a step with local derivatives that Python computes, for the operands that need one. */
static int step_in_python(State *s, Sweep *w, Step *step, int up) {
    int many = step->node->shape == MANY;
    Link own[2] = {{0, step->first}, {1, step->second}}, *links = many ? w->links + step->first : own;
    Py_ssize_t n = many ? step->second : 2, size = 0;
    PyObject *positions = PyList_New(0), *slopes = NULL;
    int failed = !positions;
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        if (links[i].place == NOWHERE || (up && is_zero(w, links[i].place))) continue;
        PyObject *position = PyLong_FromSsize_t(links[i].position);
        failed = !position || PyList_Append(positions, position) < 0;
        Py_XDECREF(position);
    }
    if (!failed && (size = PyList_GET_SIZE(positions))) {
        slopes = PyObject_CallFunctionObjArgs(w->slopes_at, step->node, positions, NULL);
        failed = !slopes || !PyList_Check(slopes) || PyList_GET_SIZE(slopes) != size;
        look(s, w->bound);
    }
    for (Py_ssize_t i = 0, j = 0; i < n && j < size && !failed; i++) {
        if (PyLong_AsSsize_t(PyList_GET_ITEM(positions, j)) != links[i].position) continue;
        double slope = PyFloat_AsDouble(PyList_GET_ITEM(slopes, j++));
        pass(w, step, links[i].place, slope, up);
    }
    Py_XDECREF(positions);
    Py_XDECREF(slopes);
    return -failed;
}

/* Take a step, down or up. */
static inline int take_step(State *s, Sweep *w, Step *step, int up) {
    double slopes[2] = {0.0, 0.0};
    if (!up && is_zero(w, step->place)) return 0;
    if (step->node->code == NO_ROW) return step_in_python(s, w, step, up);
    int first = step->first != NOWHERE && !(up && is_zero(w, step->first));
    int second = step->second != NOWHERE && !(up && is_zero(w, step->second));
    if (first || second) local_slopes(step->node, slopes);
    if ((first && !isfinite(slopes[0])) || (second && !isfinite(slopes[1])))
        return step_in_python(s, w, step, up);
    if (first) pass(w, step, step->first, slopes[0], up);
    if (second) pass(w, step, step->second, slopes[1], up);
    return 0;
}

/* Sweep once, from `starts` to `ends`, for `width` of the starts; append a row for each. */
static int sweep(State *s, Sweep *w, Py_ssize_t start, PyObject *rows, PyObject *directions) {
    int up = directions != NULL;
    Py_ssize_t *outputs = w->places, *variables = w->places + w->n_outputs;
    memset(w->numbers, 0, (size_t)(w->n_places * w->width) * sizeof(double));
    for (Py_ssize_t k = 0; k < w->width; k++) {
        PyObject *direction = up && directions != Py_None
                                  ? PyList_GET_ITEM(directions, start + k) : NULL;
        for (Py_ssize_t i = 0; direction && i < w->n_variables; i++)
            w->numbers[variables[i] * w->width + k] +=
                PyFloat_AS_DOUBLE(PyList_GET_ITEM(direction, i));
        if (direction) continue;
        Py_ssize_t place = up ? variables[start + k] : outputs[start + k];
        if (place != NOWHERE) w->numbers[place * w->width + k] += 1.0;
    }
    look(s, w->bound);
    for (Py_ssize_t i = 0; i < w->n_steps; i++) {
        Py_ssize_t at = up ? i : w->n_steps - 1 - i, ahead = up ? at + 8 : at - 8;
        if (ahead >= 0 && ahead < w->n_steps) __builtin_prefetch(&w->steps[ahead].node->data);
        if (take_step(s, w, &w->steps[at], up) < 0) return -1;
    }
    Py_ssize_t n = up ? w->n_outputs : w->n_variables, *ends = up ? outputs : variables;
    for (Py_ssize_t k = 0; k < w->width; k++) {
        PyObject *row = PyList_New(n);
        for (Py_ssize_t i = 0; row && i < n; i++) {
            double x = ends[i] == NOWHERE ? 0.0 : w->numbers[ends[i] * w->width + k];
            PyObject *number = PyFloat_FromDouble(x);
            if (number) PyList_SET_ITEM(row, i, number);
            else Py_CLEAR(row);
        }
        int failed = !row || PyList_Append(rows, row) < 0;
        Py_XDECREF(row);
        if (failed) return -1;
    }
    return 0;
}

/* Check that the directions are lists of a float per variable: sweeps.py sees to it. */
static int fit_directions(PyObject *directions, Py_ssize_t n) {
    if (directions == Py_None) return 1;
    if (!PyList_Check(directions)) return 0;
    for (Py_ssize_t k = 0; k < PyList_GET_SIZE(directions); k++) {
        PyObject *direction = PyList_GET_ITEM(directions, k);
        if (!PyList_Check(direction) || PyList_GET_SIZE(direction) != n) return 0;
        for (Py_ssize_t i = 0; i < n; i++)
            if (!PyFloat_CheckExact(PyList_GET_ITEM(direction, i))) return 0;
    }
    return 1;
}

enum { LARGEST = 1 << 18 }; /* numbers in the storage of one sweep: they fit the cache; more are taken in turns */

/* Sweep for all outputs, or for all directions (None: the variables) if there are any. Return the
 * rows, None for a variable of another call, or NotImplemented where Python has to do it. */
static PyObject *run_sweeps(State *s, Sweep *w, int own, PyObject *directions) {
    int found = prepare(s, w, own);
    if (found < 0) return NULL;
    if (found) Py_RETURN_NONE;
    trim(s);
    found = has_closures(s, w);
    if (found < 0) return NULL;
    if (found || (directions && !fit_directions(directions, w->n_variables)))
        Py_RETURN_NOTIMPLEMENTED;
    Py_ssize_t n = !directions ? w->n_outputs
                   : directions == Py_None ? w->n_variables : PyList_GET_SIZE(directions);
    Py_ssize_t most = Py_MAX(8, LARGEST / (w->n_places + 1));
    w->numbers = PyMem_Malloc((size_t)(w->n_places * Py_MIN(n, most) + 1) * sizeof(double));
    if (!w->numbers) return PyErr_NoMemory();
    PyObject *rows = PyList_New(0);
    for (Py_ssize_t start = 0; rows && start < n; start += w->width) {
        w->width = Py_MIN(n - start, most);
        if (sweep(s, w, start, rows, directions) < 0) Py_CLEAR(rows);
    }
    return rows;
}

/* adjoints(outputs, variables, own, slopes_at), and tangents(..., directions): see sweeps.py. */
static PyObject *engine_sweep(PyObject *module, PyObject *const *args, PyObject *directions) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    Sweep w = {.slopes_at = args[3]};
    PyObject *rows = NULL;
    w.outputs = PySequence_Tuple(args[0]);
    w.variables = PySequence_Tuple(args[1]);
    s->walking++;
    if (w.outputs && w.variables) rows = run_sweeps(s, &w, args[2] == Py_True, directions);
    s->walking--;
    free_sweep(&w);
    return rows;
}

static PyObject *engine_adjoints(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    if (n == 4) return engine_sweep(module, args, NULL);
    return PyErr_Format(PyExc_TypeError, "adjoints takes 4 arguments, got %zd", n);
}

static PyObject *engine_tangents(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    if (n == 5) return engine_sweep(module, args, args[4]);
    return PyErr_Format(PyExc_TypeError, "tangents takes 5 arguments, got %zd", n);
}

/* new_variables(numbers): a list of new leaves, marked as variables, of a list of floats. */
static PyObject *engine_new_variables(PyObject *module, PyObject *numbers) {
    State *s = needed(PyModule_GetState(module));
    if (!s) return NULL;
    if (!PyList_Check(numbers)) return PyErr_Format(PyExc_TypeError, "a list of floats is needed");
    PyObject *variables = PyList_New(0);
    for (Py_ssize_t i = 0; variables && i < PyList_GET_SIZE(numbers); i++) {
        PyObject *x = PyList_GET_ITEM(numbers, i);
        Value *v = PyFloat_CheckExact(x) ? new_leaf(s, PyFloat_AS_DOUBLE(x)) : NULL;
        if (v) v->variable = 1;
        else if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a list of floats is needed");
        if (!v || PyList_Append(variables, (PyObject *)v) < 0) Py_CLEAR(variables);
        Py_XDECREF(v);
    }
    return variables;
}
