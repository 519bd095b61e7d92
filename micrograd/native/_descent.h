/* Steps of optimisers on a block, in one pass over its numbers. optim.py says what they do, number by number, and does
 * it itself where these return False: for memories of another kind, and where a number would raise. */

/* Fill `memory` with the float64 that an optimiser remembers of each leaf, as take_float64 does. */
static int take_memory(Block *b, PyObject *x, Py_buffer *memory) {
    return take_float64(x, PyTuple_GET_SIZE(b->leaves), PyBUF_WRITABLE, memory);
}

static void descend(Py_ssize_t n, double *restrict data, const double *restrict grads, double *restrict velocity,
                    double lr, double momentum) {
    if (!momentum) /* then the velocity is the gradient, and nothing is remembered */
        for (Py_ssize_t i = 0; i < n; i++) data[i] -= lr * grads[i];
    else
        for (Py_ssize_t i = 0; i < n; i++) {
            velocity[i] = momentum * velocity[i] + grads[i];
            data[i] -= lr * velocity[i];
        }
}

/* block.descend(lr, momentum, velocity): a step of SGD. */
static PyObject *block_descend(PyObject *self, PyObject *args) {
    Block *b = (Block *)self;
    State *s = needed(PyType_GetModuleState(Py_TYPE(self)));
    double lr, momentum;
    PyObject *velocity;
    if (!s || !PyArg_ParseTuple(args, "ddO", &lr, &momentum, &velocity)) return NULL;
    Py_buffer memory;
    const int fits = take_memory(b, velocity, &memory);
    if (fits <= 0) return fits < 0 ? NULL : Py_NewRef(Py_False);
    pull(s, b, DATA);
    pull(s, b, GRAD);
    descend(PyTuple_GET_SIZE(b->leaves), b->numbers[DATA].buf, b->numbers[GRAD].buf, memory.buf, lr, momentum);
    push(s, b, DATA);
    PyBuffer_Release(&memory);
    Py_RETURN_TRUE;
}

typedef struct {
    double lr, beta1, beta2, new1, new2, weight1, weight2, eps, decay;
} Adam;

static void adapt(Py_ssize_t n, double *restrict data, const double *restrict grads, double *restrict means,
                  double *restrict squares, const Adam a) {
    for (Py_ssize_t i = 0; i < n; i++) {
        means[i] = a.beta1 * means[i] + a.new1 * grads[i];
        squares[i] = a.beta2 * squares[i] + a.new2 * grads[i] * grads[i];
        const double slope = means[i] / a.weight1 / (sqrt(squares[i] / a.weight2) + a.eps);
        data[i] -= a.lr * (slope + a.decay * data[i]);
    }
}

/* Tell whether no root of a negative number is taken, and nothing is divided by 0. */
static int adapts_quietly(Py_ssize_t n, const double *squares, const Adam *a) {
    int quietly = a->beta2 >= 0.0 && a->new2 >= 0.0 && a->weight1 != 0.0 && a->weight2 > 0.0 && a->eps > 0.0;
    for (Py_ssize_t i = 0; i < n; i++) quietly &= !(squares[i] < 0.0);
    return quietly;
}

/* block.adapt(lr, beta1, beta2, new1, new2, weight1, weight2, eps, decay, means, squares): a step of AdamW. */
static PyObject *block_adapt(PyObject *self, PyObject *args) {
    Block *b = (Block *)self;
    State *s = needed(PyType_GetModuleState(Py_TYPE(self)));
    Adam a;
    PyObject *means, *squares;
    if (!s || !PyArg_ParseTuple(args, "dddddddddOO", &a.lr, &a.beta1, &a.beta2, &a.new1, &a.new2, &a.weight1,
                                &a.weight2, &a.eps, &a.decay, &means, &squares)) return NULL;
    const Py_ssize_t n = PyTuple_GET_SIZE(b->leaves);
    Py_buffer first, second;
    int fits = take_memory(b, means, &first);
    if (fits <= 0) return fits < 0 ? NULL : Py_NewRef(Py_False);
    fits = take_memory(b, squares, &second);
    if (fits > 0) {
        fits = adapts_quietly(n, second.buf, &a);
        if (fits) {
            pull(s, b, DATA);
            pull(s, b, GRAD);
            adapt(n, b->numbers[DATA].buf, b->numbers[GRAD].buf, first.buf, second.buf, a);
            push(s, b, DATA);
        }
        PyBuffer_Release(&second);
    }
    PyBuffer_Release(&first);
    return fits < 0 ? NULL : PyBool_FromLong(fits);
}
