/* Differentiate in numbers, in storage of its own: derivatives/sweeps.py says what it means. */

/* Return the numbers at a place; NULL if nothing has arrived there. */
static inline double *numbers_at(Sweep *w, Py_ssize_t place) {
    Py_ssize_t slot = w->fixed ? place : w->slots[place];
    return slot == NOWHERE ? NULL : w->numbers + slot * w->stride;
}

/* Tell, without a search, whether nothing but zeros has arrived at a place. */
static inline int is_idle(Sweep *w, Py_ssize_t place) {
    if (w->fixed) return w->width == 1 && w->numbers[place] == 0.0;
    return w->slots[place] == NOWHERE;
}

/* Return the numbers at a place, zeros if it had none; NULL, with an error, without memory. */
static inline double *open_place(Sweep *w, Py_ssize_t place) {
    if (w->fixed || w->slots[place] != NOWHERE) return numbers_at(w, place);
    if (!w->n_spare && w->n_slots == w->room &&
        grow((void **)&w->numbers, &w->room, w->stride * sizeof(double))) return (double *)PyErr_NoMemory();
    w->slots[place] = w->n_spare ? w->spare[--w->n_spare] : w->n_slots++;
    return memset(numbers_at(w, place), 0, w->stride * sizeof(double));
}

/* Give back the slot of a place that nothing needs any more; -1 in `needed` keeps it for the end. */
static inline void close_place(Sweep *w, Py_ssize_t place) {
    if (w->slots[place] == NOWHERE) return;
    w->spare[w->n_spare++] = w->slots[place];
    w->slots[place] = NOWHERE;
}

/* Tell whether all numbers at a place are zero. */
static inline int is_zero(Sweep *w, Py_ssize_t place) {
    double *x = numbers_at(w, place);
    for (Py_ssize_t k = 0; x && k < w->width; k++) {
        if (x[k] != 0.0) return 0;
    }
    return 1;
}

/* sum += slope * x, four at a time, as compilers make vectors of them. */
static void add_row(double *restrict sum, const double *restrict x, double slope, Py_ssize_t n) {
    for (Py_ssize_t k = 0; k < n; k += 4) {
        double a = slope * x[k], b = slope * x[k + 1], c = slope * x[k + 2], d = slope * x[k + 3];
        sum[k] += a;
        sum[k + 1] += b;
        sum[k + 2] += c;
        sum[k + 3] += d;
    }
}

/* Add the numbers at one place, times a slope, to those at another; what is zero adds nothing. */
static inline int add_times(Sweep *w, Py_ssize_t to, Py_ssize_t from, double slope) {
    double *sum = open_place(w, to), *x = numbers_at(w, from);
    if (!sum) return -1;
    if (w->width == 1) { /* and is not zero, see take_step */
        *sum += slope * *x;
    }
    else if (isfinite(slope)) {
        add_row(sum, x, slope, w->stride);
    }
    else {
        for (Py_ssize_t k = 0; k < w->width; k++) sum[k] += x[k] != 0.0 ? slope * x[k] : 0.0;
    }
    return 0;
}

/* Pass on between a node and one of its operands: down to the operand, or up from it. */
static inline int pass(Sweep *w, Step *step, Py_ssize_t operand, double slope, int up) {
    return up ? add_times(w, step->place, operand, slope) : add_times(w, operand, step->place, slope);
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
        PyObject *slope = PyList_GET_ITEM(slopes, j++);
        failed = slope != Py_None && pass(w, step, links[i].place, PyFloat_AsDouble(slope), up);
    }
    Py_XDECREF(positions);
    Py_XDECREF(slopes);
    return -failed;
}

/* Take a step, down or up. Whether all that passes is zero, which is searched for, matters only where a
 * slope is not finite. */
static inline int take_step(State *s, Sweep *w, Step *step, int up) {
    double slopes[2] = {0.0, 0.0};
    if (!up && is_idle(w, step->place)) return 0;
    if (step->node->code == NO_ROW) return !up && is_zero(w, step->place) ? 0 : step_in_python(s, w, step, up);
    int first = step->first != NOWHERE && !(up && is_idle(w, step->first));
    int second = step->second != NOWHERE && !(up && is_idle(w, step->second));
    if (first || second) local_slopes(step->node, slopes);
    if (stops(step->node->code)) {
        first = first && slopes[0] != 0.0;
        second = second && slopes[1] != 0.0;
    }
    if ((first && !isfinite(slopes[0])) || (second && !isfinite(slopes[1]))) {
        if (!up && is_zero(w, step->place)) return 0;
        first = first && !(up && is_zero(w, step->first));
        second = second && !(up && is_zero(w, step->second));
        if ((first && !isfinite(slopes[0])) || (second && !isfinite(slopes[1])))
            return step_in_python(s, w, step, up);
    }
    if (first && pass(w, step, step->first, slopes[0], up) < 0) return -1;
    return second ? pass(w, step, step->second, slopes[1], up) : 0;
}

/* After a step, give back the slots that nothing needs any more: upward those of operands, downward that of
 * the node itself, unless they are kept for the end. */
static inline void close_step(Sweep *w, Step *step, int up) {
    if (!up) {
        if (!w->needed[step->place]) close_place(w, step->place);
        return;
    }
    int many = step->node->shape == MANY;
    Py_ssize_t n = many ? step->second : 2;
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_ssize_t place = many ? w->links[step->first + i].place : i ? step->second : step->first;
        if (place != NOWHERE && !--w->needed[place]) close_place(w, place);
    }
}

/* Count who needs the places: the ends, and upward each step that a place goes into. */
static void count_needs(Sweep *w, int up) {
    Py_ssize_t *ends = up ? w->places : w->places + w->n_outputs;
    memset(w->needed, 0, w->n_places * sizeof(Py_ssize_t));
    for (Py_ssize_t i = 0; i < (up ? w->n_outputs : w->n_variables); i++)
        if (ends[i] != NOWHERE) w->needed[ends[i]]++;
    for (Py_ssize_t k = 0; up && k < w->n_steps; k++) {
        Step *step = &w->steps[k];
        int many = step->node->shape == MANY;
        for (Py_ssize_t i = 0; i < (many ? step->second : 2); i++) {
            Py_ssize_t place = many ? w->links[step->first + i].place : i ? step->second : step->first;
            if (place != NOWHERE) w->needed[place]++;
        }
    }
}

/* Put what a sweep starts with into its places: `width` of the starts. */
static int open_starts(Sweep *w, Py_ssize_t start, PyObject *directions) {
    Py_ssize_t *outputs = w->places, *variables = w->places + w->n_outputs;
    if (w->fixed) memset(w->numbers, 0, w->n_places * w->stride * sizeof(double));
    for (Py_ssize_t i = 0; !w->fixed && i < w->n_places; i++) w->slots[i] = NOWHERE;
    w->n_slots = w->n_spare = 0;
    for (Py_ssize_t k = 0; k < w->width; k++) {
        if (!directions || directions == Py_None) {
            Py_ssize_t place = directions ? variables[start + k] : outputs[start + k];
            double *x = place == NOWHERE ? NULL : open_place(w, place);
            if (place != NOWHERE && !x) return -1;
            if (x) x[k] += 1.0;
            continue;
        }
        PyObject *direction = PyList_GET_ITEM(directions, start + k);
        for (Py_ssize_t i = 0; i < w->n_variables; i++) {
            double rate = PyFloat_AS_DOUBLE(PyList_GET_ITEM(direction, i));
            double *x = rate == 0.0 ? NULL : open_place(w, variables[i]);
            if (rate != 0.0 && !x) return -1;
            if (x) x[k] += rate;
        }
    }
    return 0;
}

/* Append a row for each of the starts, of what has arrived at the ends. */
static int append_rows(Sweep *w, PyObject *rows, int up) {
    Py_ssize_t n = up ? w->n_outputs : w->n_variables;
    Py_ssize_t *ends = up ? w->places : w->places + w->n_outputs;
    for (Py_ssize_t k = 0; k < w->width; k++) {
        PyObject *row = PyList_New(n);
        for (Py_ssize_t i = 0; row && i < n; i++) {
            double *x = ends[i] == NOWHERE ? NULL : numbers_at(w, ends[i]);
            PyObject *number = PyFloat_FromDouble(x ? x[k] : 0.0);
            if (number) PyList_SET_ITEM(row, i, number);
            else Py_CLEAR(row);
        }
        int failed = !row || PyList_Append(rows, row) < 0;
        Py_XDECREF(row);
        if (failed) return -1;
    }
    return 0;
}

/* Sweep once, from `starts` to `ends`, for `width` of the starts; append a row for each. */
static int sweep(State *s, Sweep *w, Py_ssize_t start, PyObject *rows, PyObject *directions) {
    int up = directions != NULL;
    if (!w->fixed) count_needs(w, up);
    if (open_starts(w, start, directions) < 0) return -1;
    look(s, w->bound);
    for (Py_ssize_t i = 0; i < w->n_steps; i++) {
        Py_ssize_t at = up ? i : w->n_steps - 1 - i, ahead = up ? at + 8 : at - 8;
        if (ahead >= 0 && ahead < w->n_steps) __builtin_prefetch(&w->steps[ahead].node->data);
        if (take_step(s, w, &w->steps[at], up) < 0) return -1;
        if (!w->fixed) close_step(w, &w->steps[at], up);
    }
    return append_rows(w, rows, up);
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

enum { WIDEST = 256, FEW = 1 << 15 }; /* numbers in a slot, of which more are taken in turns; in all slots */

/* Provide the storage for sweeps for `n` starts: a slot for each place if these are few numbers, or if there
 * is one start; else slots that are taken in turns. */
static int make_room(Sweep *w, Py_ssize_t n) {
    w->width = Py_MIN(n, WIDEST);
    w->stride = w->width == 1 ? 1 : (w->width + 3) / 4 * 4;
    w->fixed = w->width == 1 || (w->width == n && w->n_places * w->stride <= FEW);
    if (w->fixed) {
        w->room = w->n_places;
        w->numbers = PyMem_Malloc((w->n_places * w->stride + 1) * sizeof(double));
        return w->numbers ? 0 : -1;
    }
    w->slots = PyMem_Malloc((w->n_places + 1) * sizeof(Py_ssize_t));
    w->spare = PyMem_Malloc((w->n_places + 1) * sizeof(Py_ssize_t));
    w->needed = PyMem_Malloc((w->n_places + 1) * sizeof(Py_ssize_t));
    return w->slots && w->spare && w->needed ? 0 : -1;
}

/* Sweep for all outputs, or for all directions (None: the variables) if there are any. Return the
 * rows, None for a variable of another call, or NotImplemented where Python has to do it. */
static PyObject *run_sweeps(State *s, Sweep *w, PyObject *own, PyObject *directions) {
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
    if (make_room(w, n) < 0) return PyErr_NoMemory();
    PyObject *rows = PyList_New(0);
    for (Py_ssize_t start = 0; rows && start < n; start += w->width) {
        w->width = Py_MIN(n - start, w->width); /* of the stride that was chosen */
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
    if (w.outputs && w.variables) rows = run_sweeps(s, &w, args[2], directions);
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
