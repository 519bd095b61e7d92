/* What lies between variables and outputs: the nodes on the way, in order, and their local derivatives. */

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

/* A node, and those of its local derivatives that are Values. */
typedef struct {
    Value *node, *slopes[2];
} Known;

/* What lies between variables and outputs. Owns everything but the nodes, which the outputs keep. */
typedef struct {
    PyObject *outputs, *variables; /* sequences from PySequence_Fast */
    PyObject *slopes_at;           /* for local derivatives that C does not have; borrowed */
    Step *steps;
    Link *links;
    Py_ssize_t *places; /* of the outputs, then of the variables */
    Py_ssize_t n_outputs, n_variables, n_steps, n_links, n_places;
    /* The numbers: `width` in each slot. A place has one from when something arrives there until all that
     * need it have had it, so that few are in use at a time, and stay in the cache. */
    double *numbers;
    Py_ssize_t width, stride; /* the stride is a multiple of 4, which compilers like */
    int fixed;          /* there is a slot for each place, as there are few numbers */
    Py_ssize_t *slots;  /* of the places, or NOWHERE */
    Py_ssize_t *spare;  /* slots that are free again */
    Py_ssize_t *needed; /* how many ends, and upward steps, still need a place */
    Py_ssize_t n_slots, n_spare, room;
    Known *sought;      /* nodes to find among the steps, borrowed; */
    Py_ssize_t n_sought;
    Py_ssize_t *sought_at; /* for each place, which of these is there, or NOWHERE; owned */
    int bound; /* leaves of blocks are among the nodes */
    int rare;  /* a node may have a function assigned to `_backward` */
} Sweep;

static void free_sweep(Sweep *w) {
    PyMem_Free(w->steps); PyMem_Free(w->links); PyMem_Free(w->places); PyMem_Free(w->numbers);
    PyMem_Free(w->slots); PyMem_Free(w->spare); PyMem_Free(w->needed); PyMem_Free(w->sought_at);
    Py_XDECREF(w->outputs); Py_XDECREF(w->variables);
}

/* Return the place of a Value, counted from the first of the even numbers that stand for one. */
static inline Py_ssize_t place_of(PyObject *x, uint64_t base, Py_ssize_t n_places) {
    uint64_t place = SEEN(((Value *)x)->seen - base) / 2;
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

/* Find at which places the nodes are that are sought. */
static int find_sought(Sweep *w, uint64_t base) {
    if (!(w->sought_at = PyMem_Malloc((w->n_places + 1) * sizeof(Py_ssize_t)))) return -1;
    for (Py_ssize_t i = 0; i < w->n_places; i++) w->sought_at[i] = NOWHERE;
    for (Py_ssize_t i = 0; i < w->n_sought; i++) {
        Py_ssize_t place = place_of((PyObject *)w->sought[i].node, base, w->n_places);
        if (place != NOWHERE) w->sought_at[place] = i;
    }
    return 0;
}

/* Give the variables, and all nodes that they reach, their places; leave the others behind. No Python code runs
 * meanwhile, since the places are kept in `seen`. Return 1 for another call's variable if these are `own`, -1
 * for an error. */
static int find_steps(State *s, Sweep *w, Walk *walked, int own) {
    List *order = &walked->order;
    uint64_t base = SEEN(s->walks + 2);
    PyObject **variables = PySequence_Fast_ITEMS(w->variables);
    PyObject **outputs = PySequence_Fast_ITEMS(w->outputs);
    Py_ssize_t room = 0;
    s->walks += 2 * (w->n_variables + order->size + 1);
    uint64_t number = next_past(s);
    for (Py_ssize_t i = 0; i < w->n_variables; i++) {
        Value *v = (Value *)variables[i];
        Py_ssize_t place = place_of(variables[i], base, w->n_places);
        if (place == NOWHERE) {
            if (v->past && v->seen & 1 && keep_past(walked, v) < 0) return -1;
            place = w->n_places++;
            v->seen = SEEN(base + 2 * place);
        }
        w->places[w->n_outputs + i] = place;
    }
    for (Py_ssize_t i = 0; i < order->size; i++) {
        Value *v = order->items[i];
        Step step = {v, NOWHERE, NOWHERE, NOWHERE};
        if (i + 8 < order->size) __builtin_prefetch(&order->items[i + 8]->first);
        if (v->shape == LEAF) {
            if (place_of((PyObject *)v, base, w->n_places) != NOWHERE) continue;
            if (own && v->variable) return 1;
            leave(v, number);
            continue;
        }
        if (v->shape == MANY) {
            step.first = w->n_links;
            step.second = link_operands(s, w, v, base, &room);
            if (step.second < 0) return -1;
        }
        else {
            if (s->passes[v->code] & 1) step.first = place_of(v->first, base, w->n_places);
            if (v->shape == TWO && s->passes[v->code] & 2)
                step.second = place_of(v->second, base, w->n_places);
        }
        step.place = place_of((PyObject *)v, base, w->n_places);
        if (v->shape == MANY ? !step.second : step.first == NOWHERE && step.second == NOWHERE) {
            if (step.place == NOWHERE) leave(v, number);
            continue;
        }
        if (step.place == NOWHERE) {
            step.place = w->n_places++;
            v->seen = SEEN(base + 2 * step.place);
        }
        w->rare |= !v->code || v->dict;
        w->steps[w->n_steps++] = step;
    }
    for (Py_ssize_t i = 0; i < w->n_outputs; i++)
        w->places[i] = is_value(outputs[i]) ? place_of(outputs[i], base, w->n_places) : NOWHERE;
    return w->sought ? find_sought(w, base) : 0;
}

/* Ask a function whether other calls' variables are behind the nodes that a walk has stopped at; -1 for an
 * error. */
static int has_others_behind(List *stops, PyObject *function) {
    PyObject *nodes = PyList_New(stops->size);
    for (Py_ssize_t i = 0; nodes && i < stops->size; i++)
        PyList_SET_ITEM(nodes, i, Py_NewRef(stops->items[i]));
    PyObject *answer = nodes ? PyObject_CallOneArg(function, nodes) : NULL;
    int found = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(nodes);
    Py_XDECREF(answer);
    return found;
}

/* Walk the graph behind the outputs and find the steps. Returns as find_steps does. `own` is False or, if the
 * variables are the own ones of a call, True or a function to ask of what is behind the past. */
static int prepare(State *s, Sweep *w, PyObject *own) {
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
    walked.below = own == Py_True ? 0 : s->walks;
    walked.lists_stops = own != Py_False;
    for (Py_ssize_t i = 0; i < w->n_variables; i++)
        walked.below = Py_MIN(walked.below, past_below(s, (Value *)variables[i]));
    uint64_t number = next_walk(s);
    int failed = 0;
    for (Py_ssize_t i = 0; i < w->n_outputs && !failed; i++) {
        if (is_value(outputs[i])) failed = walk_on(s, &walked, (Value *)outputs[i], number);
    }
    w->bound = walked.bound;
    w->steps = PyMem_Malloc((walked.order.size + 1) * sizeof(Step));
    w->places = PyMem_Malloc((w->n_outputs + w->n_variables + 1) * sizeof(Py_ssize_t));
    failed = failed || !w->steps || !w->places ? -1 : find_steps(s, w, &walked, own != Py_False);
    if (failed < 0) PyErr_NoMemory();
    restore_past(&walked);
    if (!failed && walked.stops.size) failed = has_others_behind(&walked.stops, own);
    end_walk(s, &walked);
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
