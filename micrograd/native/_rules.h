/* Generated from the table in ops.py by tools/ops_header.py: change that. */

/* The rules on Values: each records what it computes. */
static Value *multiply_rule_0(Site *a) {
    return (Value *)Py_NewRef(a->y);
}

static Value *multiply_rule_1(Site *a) {
    return (Value *)Py_NewRef(a->x);
}

static Value *divide_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, divide_node(a->s, a->t[0], a->y)));
    return last(a);
}

static Value *divide_rule_1(Site *a) {
    (void)(
        step(a, negative_node(a->s, a->out)) &&
        step(a, divide_node(a->s, a->t[0], a->y)));
    return last(a);
}

static Value *exp_rule_0(Site *a) {
    return (Value *)Py_NewRef(a->out);
}

static Value *expm1_rule_0(Site *a) {
    (void)(
        step(a, exp_node(a->s, a->x)));
    return last(a);
}

static Value *log_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, divide_node(a->s, a->t[0], a->x)));
    return last(a);
}

static Value *log1p_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, constant(a, 1.0)) &&
        step(a, add_node(a->s, a->t[1], a->x)) &&
        step(a, divide_node(a->s, a->t[0], a->t[2])));
    return last(a);
}

static Value *log2_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, constant(a, 0.6931471805599453)) &&
        step(a, multiply_node(a->s, a->x, a->t[1])) &&
        step(a, divide_node(a->s, a->t[0], a->t[2])));
    return last(a);
}

static Value *log10_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, constant(a, 2.302585092994046)) &&
        step(a, multiply_node(a->s, a->x, a->t[1])) &&
        step(a, divide_node(a->s, a->t[0], a->t[2])));
    return last(a);
}

static Value *sqrt_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 0.5)) &&
        step(a, divide_node(a->s, a->t[0], a->out)));
    return last(a);
}

static Value *sin_rule_0(Site *a) {
    (void)(
        step(a, cos_node(a->s, a->x)));
    return last(a);
}

static Value *cos_rule_0(Site *a) {
    (void)(
        step(a, sin_node(a->s, a->x)) &&
        step(a, negative_node(a->s, a->t[0])));
    return last(a);
}

static Value *tan_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, multiply_node(a->s, a->out, a->out)) &&
        step(a, add_node(a->s, a->t[0], a->t[1])));
    return last(a);
}

static Value *arcsin_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, constant(a, 1.0)) &&
        step(a, subtract_node(a->s, a->t[1], a->x)) &&
        step(a, constant(a, 1.0)) &&
        step(a, add_node(a->s, a->t[3], a->x)) &&
        step(a, multiply_node(a->s, a->t[2], a->t[4])) &&
        step(a, sqrt_node(a->s, a->t[5])) &&
        step(a, divide_node(a->s, a->t[0], a->t[6])));
    return last(a);
}

static Value *arccos_rule_0(Site *a) {
    (void)(
        step(a, constant(a, -1.0)) &&
        step(a, constant(a, 1.0)) &&
        step(a, subtract_node(a->s, a->t[1], a->x)) &&
        step(a, constant(a, 1.0)) &&
        step(a, add_node(a->s, a->t[3], a->x)) &&
        step(a, multiply_node(a->s, a->t[2], a->t[4])) &&
        step(a, sqrt_node(a->s, a->t[5])) &&
        step(a, divide_node(a->s, a->t[0], a->t[6])));
    return last(a);
}

static Value *arctan_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, constant(a, 1.0)) &&
        step(a, multiply_node(a->s, a->x, a->x)) &&
        step(a, add_node(a->s, a->t[1], a->t[2])) &&
        step(a, divide_node(a->s, a->t[0], a->t[3])));
    return last(a);
}

static Value *sinh_rule_0(Site *a) {
    (void)(
        step(a, cosh_node(a->s, a->x)));
    return last(a);
}

static Value *cosh_rule_0(Site *a) {
    (void)(
        step(a, sinh_node(a->s, a->x)));
    return last(a);
}

static Value *tanh_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, multiply_node(a->s, a->out, a->out)) &&
        step(a, subtract_node(a->s, a->t[0], a->t[1])));
    return last(a);
}

static Value *arccosh_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, constant(a, 1.0)) &&
        step(a, subtract_node(a->s, a->x, a->t[1])) &&
        step(a, sqrt_node(a->s, a->t[2])) &&
        step(a, constant(a, 1.0)) &&
        step(a, add_node(a->s, a->x, a->t[4])) &&
        step(a, sqrt_node(a->s, a->t[5])) &&
        step(a, multiply_node(a->s, a->t[3], a->t[6])) &&
        step(a, divide_node(a->s, a->t[0], a->t[7])));
    return last(a);
}

static Value *arctanh_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, constant(a, 1.0)) &&
        step(a, subtract_node(a->s, a->t[1], a->x)) &&
        step(a, constant(a, 1.0)) &&
        step(a, add_node(a->s, a->t[3], a->x)) &&
        step(a, multiply_node(a->s, a->t[2], a->t[4])) &&
        step(a, divide_node(a->s, a->t[0], a->t[5])));
    return last(a);
}

static Value *sigmoid_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, subtract_node(a->s, a->t[0], a->out)) &&
        step(a, multiply_node(a->s, a->out, a->t[1])));
    return last(a);
}

static Value *softplus_rule_0(Site *a) {
    (void)(
        step(a, sigmoid_node(a->s, a->x)));
    return last(a);
}

static Value *erf_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.1283791670955126)) &&
        step(a, negative_node(a->s, a->x)) &&
        step(a, multiply_node(a->s, a->t[1], a->x)) &&
        step(a, exp_node(a->s, a->t[2])) &&
        step(a, multiply_node(a->s, a->t[0], a->t[3])));
    return last(a);
}

static Value *erfc_rule_0(Site *a) {
    (void)(
        step(a, constant(a, -1.1283791670955126)) &&
        step(a, negative_node(a->s, a->x)) &&
        step(a, multiply_node(a->s, a->t[1], a->x)) &&
        step(a, exp_node(a->s, a->t[2])) &&
        step(a, multiply_node(a->s, a->t[0], a->t[3])));
    return last(a);
}

static Value *exp2_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 0.6931471805599453)) &&
        step(a, multiply_node(a->s, a->out, a->t[0])));
    return last(a);
}

static Value *logit_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 1.0)) &&
        step(a, constant(a, 1.0)) &&
        step(a, subtract_node(a->s, a->t[1], a->x)) &&
        step(a, multiply_node(a->s, a->x, a->t[2])) &&
        step(a, divide_node(a->s, a->t[0], a->t[3])));
    return last(a);
}

static Value *xlogy_rule_0(Site *a) {
    (void)(
        step(a, log_node(a->s, a->y)));
    return last(a);
}

static Value *ndtr_rule_0(Site *a) {
    (void)(
        step(a, negative_node(a->s, a->x)) &&
        step(a, multiply_node(a->s, a->t[0], a->x)) &&
        step(a, constant(a, 2.0)) &&
        step(a, divide_node(a->s, a->t[1], a->t[2])) &&
        step(a, exp_node(a->s, a->t[3])) &&
        step(a, constant(a, 2.5066282746310002)) &&
        step(a, divide_node(a->s, a->t[4], a->t[5])));
    return last(a);
}

static Value *ndtri_rule_0(Site *a) {
    (void)(
        step(a, constant(a, 2.5066282746310002)) &&
        step(a, multiply_node(a->s, a->out, a->out)) &&
        step(a, constant(a, 2.0)) &&
        step(a, divide_node(a->s, a->t[1], a->t[2])) &&
        step(a, exp_node(a->s, a->t[3])) &&
        step(a, multiply_node(a->s, a->t[0], a->t[4])));
    return last(a);
}

static Value *erfinv_rule_0(Site *a) {
    (void)(
        step(a, multiply_node(a->s, a->out, a->out)) &&
        step(a, exp_node(a->s, a->t[0])) &&
        step(a, constant(a, 1.1283791670955126)) &&
        step(a, divide_node(a->s, a->t[1], a->t[2])));
    return last(a);
}

static Value *power_of_number_rule_0(Site *a) {
    (void)(
        step(a, constant(a, a->exponent)) &&
        step(a, power_of_number(a, a->x, a->exponent - 1.0)) &&
        step(a, multiply_node(a->s, a->t[0], a->t[1])));
    return last(a);
}

static Value *(*const rules[N_CODES][2])(Site *) = {
    [ROW_multiply][0] = multiply_rule_0,
    [ROW_multiply][1] = multiply_rule_1,
    [ROW_divide][0] = divide_rule_0,
    [ROW_divide][1] = divide_rule_1,
    [ROW_exp][0] = exp_rule_0,
    [ROW_expm1][0] = expm1_rule_0,
    [ROW_log][0] = log_rule_0,
    [ROW_log1p][0] = log1p_rule_0,
    [ROW_log2][0] = log2_rule_0,
    [ROW_log10][0] = log10_rule_0,
    [ROW_sqrt][0] = sqrt_rule_0,
    [ROW_sin][0] = sin_rule_0,
    [ROW_cos][0] = cos_rule_0,
    [ROW_tan][0] = tan_rule_0,
    [ROW_arcsin][0] = arcsin_rule_0,
    [ROW_arccos][0] = arccos_rule_0,
    [ROW_arctan][0] = arctan_rule_0,
    [ROW_sinh][0] = sinh_rule_0,
    [ROW_cosh][0] = cosh_rule_0,
    [ROW_tanh][0] = tanh_rule_0,
    [ROW_arccosh][0] = arccosh_rule_0,
    [ROW_arctanh][0] = arctanh_rule_0,
    [ROW_sigmoid][0] = sigmoid_rule_0,
    [ROW_softplus][0] = softplus_rule_0,
    [ROW_erf][0] = erf_rule_0,
    [ROW_erfc][0] = erfc_rule_0,
    [ROW_exp2][0] = exp2_rule_0,
    [ROW_logit][0] = logit_rule_0,
    [ROW_xlogy][0] = xlogy_rule_0,
    [ROW_ndtr][0] = ndtr_rule_0,
    [ROW_ndtri][0] = ndtri_rule_0,
    [ROW_erfinv][0] = erfinv_rule_0,
    [POWER_OF_NUMBER][0] = power_of_number_rule_0,
};

/* Rules that stay the same around almost every point: their numbers are enough. */
static const char flat[N_CODES][2] = {
    [ROW_add][0] = 1,
    [ROW_add][1] = 1,
    [ROW_subtract][0] = 1,
    [ROW_subtract][1] = 1,
    [ROW_negative][0] = 1,
    [ROW_sign][0] = 1,
    [ROW_abs][0] = 1,
    [ROW_maximum][0] = 1,
    [ROW_maximum][1] = 1,
    [ROW_minimum][0] = 1,
    [ROW_minimum][1] = 1,
    [ROW_relu][0] = 1,
    [ROW_floor][0] = 1,
    [ROW_ceil][0] = 1,
    [ROW_trunc][0] = 1,
    [ROW_round][0] = 1,
    [ROW_mod][0] = 1,
    [ROW_mod][1] = 1,
};

/* Where a slope is a choice. */
static inline double sign_kink(double x, double none) { (void)none; return (double)(x == 0.0) != 0.0; }
static inline double abs_kink(double x, double none) { (void)none; return (double)(x == 0.0) != 0.0; }
static inline double maximum_kink(double x, double y) { return (double)(x == y) != 0.0; }
static inline double minimum_kink(double x, double y) { return (double)(x == y) != 0.0; }
static inline double power_kink(double x, double y) { return (double)(x == 0.0) * ((double)(y == 0.0) + (double)(y == 1.0)) != 0.0 || (double)(x == 0.0) * (double)(y == 0.0) != 0.0; }
static inline double floor_kink(double x, double none) { (void)none; return (double)(x == floor_value(x)) != 0.0; }
static inline double ceil_kink(double x, double none) { (void)none; return (double)(x == floor_value(x)) != 0.0; }
static inline double trunc_kink(double x, double none) { (void)none; return (double)(x == floor_value(x)) * (1.0 - (double)(x == 0.0)) != 0.0; }
static inline double round_kink(double x, double none) { (void)none; return (double)(x - floor_value(x) == 0.5) != 0.0; }
static inline double mod_kink(double x, double y) { return (double)(mod_value(x, y) == 0.0) != 0.0; }
static inline double xlogy_kink(double x, double y) { return (double)(x == 0.0) * (double)(y == 0.0) != 0.0; }

#define KINK_ROWS(ROW) ROW(sign) ROW(abs) ROW(maximum) ROW(minimum) ROW(power) ROW(floor) ROW(ceil) ROW(trunc) ROW(round) ROW(mod) ROW(xlogy)
