/* Generated from the table in ops.py by tools/ops_header.py: change that. */

#include <math.h>

/* The values of all rows. */
static inline double add_value(double x, double y) { return x + y; }
static inline double subtract_value(double x, double y) { return x - y; }
static inline double multiply_value(double x, double y) { return x * y; }
static inline double divide_value(double x, double y) { return x / y; }
static inline double negative_value(double x) { return -x; }
static inline double less_value(double x, double y) { return (double)(x < y); }
static inline double less_equal_value(double x, double y) { return (double)(x <= y); }
static inline double equal_value(double x, double y) { return (double)(x == y); }
static inline double where_value(double c, double x, double y) { return c != 0.0 ? x : y; }
static inline double stop_gradient_value(double x) { return x; }
static inline double sign_value(double x) { return x != x ? x : (double)(x > 0.0) - (double)(x < 0.0); }
static inline double abs_value(double x) { return fabs(x); }
static inline double maximum_value(double x, double y) { return x > y || x != x ? x : y; }
static inline double minimum_value(double x, double y) { return x < y || x != x ? x : y; }
static inline double relu_value(double x) { return maximum_value(x, 0.0); }
static inline double exp_value(double x) { return exp(x); }
static inline double expm1_value(double x) { return expm1(x); }
static inline double log_value(double x) { return log(x); }
static inline double log1p_value(double x) { return log1p(x); }
static inline double log2_value(double x) { return log2(x); }
static inline double log10_value(double x) { return log10(x); }
static inline double power_value(double x, double y) { return pow(x, y); }
static inline double sqrt_value(double x) { return sqrt(x); }
static inline double cbrt_value(double x) { return cbrt(x); }
static inline double hypot_value(double x, double y) { return hypot(x, y); }
static inline double sin_value(double x) { return sin(x); }
static inline double cos_value(double x) { return cos(x); }
static inline double tan_value(double x) { return tan(x); }
static inline double arcsin_value(double x) { return asin(x); }
static inline double arccos_value(double x) { return acos(x); }
static inline double arctan_value(double x) { return atan(x); }
static inline double arctan2_value(double y, double x) { return atan2(y, x); }
static inline double sinh_value(double x) { return sinh(x); }
static inline double cosh_value(double x) { return cosh(x); }
static inline double tanh_value(double x) { return tanh(x); }
static inline double arcsinh_value(double x) { return asinh(x); }
static inline double arccosh_value(double x) { return acosh(x); }
static inline double arctanh_value(double x) { return atanh(x); }
static inline double sigmoid_value(double x) { return exp(minimum_value(x, 0.0)) / (1.0 + exp(-fabs(x))); }
static inline double softplus_value(double x) { return maximum_value(x, 0.0) + log1p(exp(-fabs(x))); }
static inline double logaddexp_value(double x, double y) { return maximum_value(x, y) + log1p(exp(-fabs(where_value((double)(fabs(x) == INFINITY) * (double)(x == y), 0.0, x - y)))); }
static inline double erf_value(double x) { return erf(x); }
static inline double erfc_value(double x) { return erfc(x); }

/* The local derivatives of the rows that the C core takes over. */
static inline double add_slope_0(double x, double y, double out) { (void)x; (void)y; (void)out; return 1.0; }
static inline double add_slope_1(double x, double y, double out) { (void)x; (void)y; (void)out; return 1.0; }
static inline double subtract_slope_0(double x, double y, double out) { (void)x; (void)y; (void)out; return 1.0; }
static inline double subtract_slope_1(double x, double y, double out) { (void)x; (void)y; (void)out; return -1.0; }
static inline double multiply_slope_0(double x, double y, double out) { (void)x; (void)out; return y; }
static inline double multiply_slope_1(double x, double y, double out) { (void)y; (void)out; return x; }
static inline double divide_slope_0(double x, double y, double out) { (void)x; (void)out; return 1.0 / y; }
static inline double divide_slope_1(double x, double y, double out) { (void)x; return -out / y; }
static inline double negative_slope_0(double x, double out) { (void)x; (void)out; return -1.0; }
static inline double sign_slope_0(double x, double out) { (void)x; (void)out; return 0.0; }
static inline double abs_slope_0(double x, double out) { (void)out; return sign_value(x); }
static inline double maximum_slope_0(double x, double y, double out) { (void)out; return 0.5 + 0.5 * sign_value(where_value((double)(fabs(x) == INFINITY) * (double)(x == y), 0.0, x - y)); }
static inline double maximum_slope_1(double x, double y, double out) { (void)out; return 0.5 + 0.5 * sign_value(where_value((double)(fabs(y) == INFINITY) * (double)(y == x), 0.0, y - x)); }
static inline double minimum_slope_0(double x, double y, double out) { (void)out; return 0.5 - 0.5 * sign_value(where_value((double)(fabs(x) == INFINITY) * (double)(x == y), 0.0, x - y)); }
static inline double minimum_slope_1(double x, double y, double out) { (void)out; return 0.5 - 0.5 * sign_value(where_value((double)(fabs(y) == INFINITY) * (double)(y == x), 0.0, y - x)); }
static inline double relu_slope_0(double x, double out) { (void)x; return sign_value(out); }
static inline double exp_slope_0(double x, double out) { (void)x; return out; }
static inline double expm1_slope_0(double x, double out) { (void)out; return exp(x); }
static inline double log_slope_0(double x, double out) { (void)out; return 1.0 / x; }
static inline double log1p_slope_0(double x, double out) { (void)out; return 1.0 / (1.0 + x); }
static inline double log2_slope_0(double x, double out) { (void)out; return 1.0 / (x * 0.6931471805599453); }
static inline double log10_slope_0(double x, double out) { (void)out; return 1.0 / (x * 2.302585092994046); }
static inline double power_slope_0(double x, double y, double out) { (void)out; return y * power_value(x + (double)(x == 0.0) * (double)(y == 0.0), y - 1.0); }
static inline double power_slope_1(double x, double y, double out) { (void)y; return out * log(where_value((double)(x < 0.0), NAN, x + (double)(x == 0.0))); }
static inline double sqrt_slope_0(double x, double out) { (void)x; return 0.5 / out; }
static inline double sin_slope_0(double x, double out) { (void)out; return cos(x); }
static inline double cos_slope_0(double x, double out) { (void)out; return -sin(x); }
static inline double tan_slope_0(double x, double out) { (void)x; return 1.0 + out * out; }
static inline double arcsin_slope_0(double x, double out) { (void)out; return 1.0 / sqrt((1.0 - x) * (1.0 + x)); }
static inline double arccos_slope_0(double x, double out) { (void)out; return -1.0 / sqrt((1.0 - x) * (1.0 + x)); }
static inline double arctan_slope_0(double x, double out) { (void)out; return 1.0 / (1.0 + x * x); }
static inline double sinh_slope_0(double x, double out) { (void)out; return cosh(x); }
static inline double cosh_slope_0(double x, double out) { (void)out; return sinh(x); }
static inline double tanh_slope_0(double x, double out) { (void)x; return 1.0 - out * out; }
static inline double arccosh_slope_0(double x, double out) { (void)out; return 1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0)); }
static inline double arctanh_slope_0(double x, double out) { (void)out; return 1.0 / ((1.0 - x) * (1.0 + x)); }
static inline double sigmoid_slope_0(double x, double out) { (void)x; return out * (1.0 - out); }
static inline double softplus_slope_0(double x, double out) { (void)out; return sigmoid_value(x); }
static inline double logaddexp_slope_0(double x, double y, double out) { (void)out; return sigmoid_value(where_value((double)(fabs(x) == INFINITY) * (double)(x == y), 0.0, x - y)); }
static inline double logaddexp_slope_1(double x, double y, double out) { (void)out; return sigmoid_value(where_value((double)(fabs(y) == INFINITY) * (double)(y == x), 0.0, y - x)); }
static inline double erf_slope_0(double x, double out) { (void)out; return 1.1283791670955126 * exp(-x * x); }
static inline double erfc_slope_0(double x, double out) { (void)out; return -1.1283791670955126 * exp(-x * x); }

/* These rows, and those of them that are methods of a Value. */
#define UNARY_ROWS(ROW) ROW(negative) ROW(sign) ROW(abs) ROW(relu) ROW(exp) ROW(expm1) ROW(log) ROW(log1p) ROW(log2) ROW(log10) ROW(sqrt) ROW(sin) ROW(cos) ROW(tan) ROW(arcsin) ROW(arccos) ROW(arctan) ROW(sinh) ROW(cosh) ROW(tanh) ROW(arccosh) ROW(arctanh) ROW(sigmoid) ROW(softplus) ROW(erf) ROW(erfc)
#define BINARY_ROWS(ROW) ROW(add) ROW(subtract) ROW(multiply) ROW(divide) ROW(maximum) ROW(minimum) ROW(power) ROW(logaddexp)
#define UNARY_METHODS(ROW) ROW(sign) ROW(relu) ROW(exp) ROW(expm1) ROW(log) ROW(log1p) ROW(log2) ROW(log10) ROW(sqrt) ROW(sin) ROW(cos) ROW(tan) ROW(arcsin) ROW(arccos) ROW(arctan) ROW(sinh) ROW(cosh) ROW(tanh) ROW(arccosh) ROW(arctanh) ROW(sigmoid) ROW(softplus) ROW(erf) ROW(erfc)
#define BINARY_METHODS(ROW) ROW(maximum) ROW(minimum) ROW(logaddexp)

/* What help() says of what C takes over. */
#define DOC_data "The number itself."
#define DOC_grad "The derivative of the last `backward()`'s root with respect to this Value."
#define DOC_parents "The Values among the operands, in order; `a + a` has two."
#define DOC_sign "sign($self)\n--\n\nReturn sign(x); its derivative is 0."
#define DOC_maximum "maximum($self, other)\n--\n\nReturn maximum(x, y).\n\nIts derivatives are 0.5 + 0.5 * sign(x - y) by x and 0.5 + 0.5 * sign(y - x) by y."
#define DOC_minimum "minimum($self, other)\n--\n\nReturn minimum(x, y).\n\nIts derivatives are 0.5 - 0.5 * sign(x - y) by x and 0.5 - 0.5 * sign(y - x) by y."
#define DOC_relu "relu($self)\n--\n\nReturn relu(x); its derivative is sign(out), where out is the result."
#define DOC_exp "exp($self)\n--\n\nReturn exp(x); its derivative is out, where out is the result."
#define DOC_expm1 "expm1($self)\n--\n\nReturn expm1(x); its derivative is exp(x)."
#define DOC_log "log($self)\n--\n\nReturn log(x); its derivative is 1 / x."
#define DOC_log1p "log1p($self)\n--\n\nReturn log1p(x); its derivative is 1 / (1 + x)."
#define DOC_log2 "log2($self)\n--\n\nReturn log2(x); its derivative is 1 / (x * 0.6931)."
#define DOC_log10 "log10($self)\n--\n\nReturn log10(x); its derivative is 1 / (x * 2.303)."
#define DOC_sqrt "sqrt($self)\n--\n\nReturn sqrt(x); its derivative is 0.5 / out, where out is the result."
#define DOC_sin "sin($self)\n--\n\nReturn sin(x); its derivative is cos(x)."
#define DOC_cos "cos($self)\n--\n\nReturn cos(x); its derivative is -sin(x)."
#define DOC_tan "tan($self)\n--\n\nReturn tan(x); its derivative is 1 + out * out, where out is the result."
#define DOC_arcsin "arcsin($self)\n--\n\nReturn arcsin(x); its derivative is 1 / sqrt((1 - x) * (1 + x))."
#define DOC_arccos "arccos($self)\n--\n\nReturn arccos(x); its derivative is -1 / sqrt((1 - x) * (1 + x))."
#define DOC_arctan "arctan($self)\n--\n\nReturn arctan(x); its derivative is 1 / (1 + x * x)."
#define DOC_sinh "sinh($self)\n--\n\nReturn sinh(x); its derivative is cosh(x)."
#define DOC_cosh "cosh($self)\n--\n\nReturn cosh(x); its derivative is sinh(x)."
#define DOC_tanh "tanh($self)\n--\n\nReturn tanh(x); its derivative is 1 - out * out, where out is the result."
#define DOC_arccosh "arccosh($self)\n--\n\nReturn arccosh(x); its derivative is 1 / (sqrt(x - 1) * sqrt(x + 1))."
#define DOC_arctanh "arctanh($self)\n--\n\nReturn arctanh(x); its derivative is 1 / ((1 - x) * (1 + x))."
#define DOC_sigmoid "sigmoid($self)\n--\n\nReturn sigmoid(x); its derivative is out * (1 - out), where out is the result."
#define DOC_softplus "softplus($self)\n--\n\nReturn softplus(x); its derivative is sigmoid(x)."
#define DOC_logaddexp "logaddexp($self, other)\n--\n\nReturn logaddexp(x, y).\n\nIts derivatives are sigmoid(x - y) by x and sigmoid(y - x) by y."
#define DOC_erf "erf($self)\n--\n\nReturn erf(x); its derivative is 1.128 * exp(-x * x)."
#define DOC_erfc "erfc($self)\n--\n\nReturn erfc(x); its derivative is -1.128 * exp(-x * x)."
#define DOC_backward "backward($self)\n--\n\nLeave in every `v.grad` of this graph the derivative of self with respect to v.\n\nA leaf adds it to what its grad holds already, until that is set to 0; the other Values\nstart afresh. When a local derivative cannot be computed, that is raised, and the leaves'\ngrads are as before.\n\n>>> x = Value(3.0)\n>>> (x * x * x).backward()\n>>> x.grad\n27.0"
#define DOC__apply "_apply($self, op, operands)\n--\n\nCompute an operation on the data of its operands, and record the result as a node.\n\nAs in the original, a number among the operands becomes a leaf, but a number exponent stays\na number."
#define DOC_toposort "toposort(*roots)\n--\n\nList every Value that the roots are made of, operands before their consumers.\n\n>>> a, b = Value(2.0, label=\"a\"), Value(3.0, label=\"b\")\n>>> [v.label or v._op for v in toposort(a * b + a)]\n['a', 'b', '*', '+']"
