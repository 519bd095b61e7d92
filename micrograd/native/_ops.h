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
static inline double floor_value(double x) { return floor(x); }
static inline double ceil_value(double x) { return ceil(x); }
static inline double trunc_value(double x) { return trunc(x); }
static inline double round_value(double x) { return rint(x); }
static inline double mod_value(double x, double y) { return fmod(x, y) == 0.0 ? copysign(0.0, y) : (fmod(x, y) < 0.0) == (y < 0.0) ? fmod(x, y) : fmod(x, y) + y; }
static inline double copysign_value(double x, double y) { return copysign(x, y); }
static inline double exp2_value(double x) { return power_value(2.0, x); }
static inline double logit_value(double x) { const double t1 = (double)(fabs(x - 0.5) < 0.2); const double t2 = where_value(t1, x, 0.5); return where_value(t1, log1p((2.0 * t2 - 1.0) / (1.0 - t2)), log(x / (1.0 - x))); }
static inline double sinc_value(double x) { return where_value((double)(x == 0.0), 1.0, sin(3.141592653589793 * x) / (3.141592653589793 * where_value((double)(x == 0.0), 1.0, x))); }
static inline double xlogy_value(double x, double y) { return x * log(where_value((double)(x == 0.0) * (double)(y == y), 1.0, y)); }
static inline double gamma_value(double x) { return tgamma(x); }
static inline double lgamma_value(double x) { return lgamma(x); }
static inline double digamma_value(double x) { const double t1 = (double)(x < 0.5); const double t2 = where_value(t1, 1.0 - x, x); const double t3 = t2 + 10.0; const double t4 = log(t3) - 0.5 / t3 - (((((((-0.4432598039215686 / (t3 * t3) + 0.08333333333333334) / (t3 * t3) + -0.02109279609279609) / (t3 * t3) + 0.007575757575757576) / (t3 * t3) + -0.004166666666666667) / (t3 * t3) + 0.003968253968253968) / (t3 * t3) + -0.008333333333333333) / (t3 * t3) + 0.08333333333333333) / (t3 * t3) - 1.0 / (t2 + 0.0) - 1.0 / (t2 + 1.0) - 1.0 / (t2 + 2.0) - 1.0 / (t2 + 3.0) - 1.0 / (t2 + 4.0) - 1.0 / (t2 + 5.0) - 1.0 / (t2 + 6.0) - 1.0 / (t2 + 7.0) - 1.0 / (t2 + 8.0) - 1.0 / (t2 + 9.0); return where_value(t1, t4 - 3.141592653589793 / tan(where_value(t1, 3.141592653589793 * (x - round_value(x)), 1.0)), t4); }
static inline double polygamma_value(double n, double x) { const double t1 = (double)(0.0 < x); const double t2 = where_value(t1, 1.0, (double)(n < 9.0) * (1.0 - (double)(x == floor_value(x)))); const double t3 = (double)(n == 0.0); const double t4 = where_value(t1, 0.25, where_value(t2, x - round_value(x), 0.25)); const double t5 = (double)(0.25 < fabs(t4)); const double t6 = 3.141592653589793 * where_value(t5, 0.5 - fabs(t4), fabs(t4)); const double t7 = sign_value(t4) * where_value(t5, tan(t6), 1.0 / tan(where_value(t5, 1.0, t6))); const double t8 = where_value(t3, 2.0, n + 1.0); const double t9 = where_value(t1, x, 1.0 - x); const double t10 = t9 + 10.0; const double t11 = power_value(t10, -t8); const double t12 = t11 * t8 / t10; const double t13 = t12 * (t8 + 2.0 - 1.0) * (t8 + 2.0) / (t10 * t10); const double t14 = t13 * (t8 + 4.0 - 1.0) * (t8 + 4.0) / (t10 * t10); const double t15 = t14 * (t8 + 6.0 - 1.0) * (t8 + 6.0) / (t10 * t10); const double t16 = t15 * (t8 + 8.0 - 1.0) * (t8 + 8.0) / (t10 * t10); const double t17 = t16 * (t8 + 10.0 - 1.0) * (t8 + 10.0) / (t10 * t10); const double t18 = t17 * (t8 + 12.0 - 1.0) * (t8 + 12.0) / (t10 * t10); const double t19 = t18 * (t8 + 14.0 - 1.0) * (t8 + 14.0) / (t10 * t10); const double t20 = t19 * (t8 + 16.0 - 1.0) * (t8 + 16.0) / (t10 * t10); const double t21 = t20 * (t8 + 18.0 - 1.0) * (t8 + 18.0) / (t10 * t10); const double t22 = t21 * (t8 + 20.0 - 1.0) * (t8 + 20.0) / (t10 * t10); const double t23 = 2.0 * mod_value(n, 2.0) - 1.0; const double t24 = t23 * gamma_value(t8) * (t10 * t11 / (t8 - 1.0) + 0.5 * t11 + power_value(t9 + 0.0, -t8) + power_value(t9 + 1.0, -t8) + power_value(t9 + 2.0, -t8) + power_value(t9 + 3.0, -t8) + power_value(t9 + 4.0, -t8) + power_value(t9 + 5.0, -t8) + power_value(t9 + 6.0, -t8) + power_value(t9 + 7.0, -t8) + power_value(t9 + 8.0, -t8) + power_value(t9 + 9.0, -t8) + 0.08333333333333333 * t12 + -0.001388888888888889 * t13 + 3.3068783068783064e-05 * t14 + -8.267195767195768e-07 * t15 + 2.08767569878681e-08 * t16 + -5.284190138687493e-10 * t17 + 1.338253653068468e-11 * t18 + -3.3896802963225827e-13 * t19 + 8.586062056277845e-15 * t20 + -2.174868698558062e-16 * t21 + 5.5090028283602295e-18 * t22 + -1.3954464685812525e-19 * (t22 * (t8 + 22.0 - 1.0) * (t8 + 22.0) / (t10 * t10))); const double t25 = where_value(t3, x, 1.0); const double t26 = (double)(t25 < 0.5); const double t27 = where_value(t26, 1.0 - t25, t25); const double t28 = t27 + 10.0; const double t29 = log(t28) - 0.5 / t28 - (((((((-0.4432598039215686 / (t28 * t28) + 0.08333333333333334) / (t28 * t28) + -0.02109279609279609) / (t28 * t28) + 0.007575757575757576) / (t28 * t28) + -0.004166666666666667) / (t28 * t28) + 0.003968253968253968) / (t28 * t28) + -0.008333333333333333) / (t28 * t28) + 0.08333333333333333) / (t28 * t28) - 1.0 / (t27 + 0.0) - 1.0 / (t27 + 1.0) - 1.0 / (t27 + 2.0) - 1.0 / (t27 + 3.0) - 1.0 / (t27 + 4.0) - 1.0 / (t27 + 5.0) - 1.0 / (t27 + 6.0) - 1.0 / (t27 + 7.0) - 1.0 / (t27 + 8.0) - 1.0 / (t27 + 9.0); return where_value(t3, where_value(t26, t29 - 3.141592653589793 / tan(where_value(t26, 3.141592653589793 * (t25 - round_value(t25)), 1.0)), t29), where_value(t1, t24, -t23 * t24 - power_value(3.141592653589793, t8) * (0.0 + (double)(n == 1.0) * ((0.0 * (t7 * t7) + -1.0) * (t7 * t7) + -1.0) + (double)(n == 2.0) * (t7 * ((0.0 * (t7 * t7) + 2.0) * (t7 * t7) + 2.0)) + (double)(n == 3.0) * (((0.0 * (t7 * t7) + -6.0) * (t7 * t7) + -8.0) * (t7 * t7) + -2.0) + (double)(n == 4.0) * (t7 * (((0.0 * (t7 * t7) + 24.0) * (t7 * t7) + 40.0) * (t7 * t7) + 16.0)) + (double)(n == 5.0) * ((((0.0 * (t7 * t7) + -120.0) * (t7 * t7) + -240.0) * (t7 * t7) + -136.0) * (t7 * t7) + -16.0) + (double)(n == 6.0) * (t7 * ((((0.0 * (t7 * t7) + 720.0) * (t7 * t7) + 1680.0) * (t7 * t7) + 1232.0) * (t7 * t7) + 272.0)) + (double)(n == 7.0) * (((((0.0 * (t7 * t7) + -5040.0) * (t7 * t7) + -13440.0) * (t7 * t7) + -12096.0) * (t7 * t7) + -3968.0) * (t7 * t7) + -272.0) + (double)(n == 8.0) * (t7 * (((((0.0 * (t7 * t7) + 40320.0) * (t7 * t7) + 120960.0) * (t7 * t7) + 129024.0) * (t7 * t7) + 56320.0) * (t7 * t7) + 7936.0))))) + sqrt(where_value(where_value(t3, 1.0, (double)(0.0 < n) * (double)(n == floor_value(n)) * t2), 0.0, -1.0)); }
static inline double ndtr_value(double x) { return 0.5 * erfc(-x / 1.4142135623730951); }
static inline double log_ndtr_value(double x) { const double t1 = (double)(0.0 < x); const double t2 = (double)(x < -4.0); const double t3 = where_value(t2, x, -5.0); const double t4 = (double)(t3 < -4.0); const double t5 = where_value(t4, 0.0, t3); const double t6 = where_value(t4, -t3, 4.0); return where_value(t2, -x * x / 2.0 - 0.9189385332046727 - log(where_value(t4, t6 + 1.0 / (t6 + 2.0 / (t6 + 3.0 / (t6 + 4.0 / (t6 + 5.0 / (t6 + 6.0 / (t6 + 7.0 / (t6 + 8.0 / (t6 + 9.0 / (t6 + 10.0 / (t6 + 11.0 / (t6 + 12.0 / (t6 + 13.0 / (t6 + 14.0 / (t6 + 15.0 / (t6 + 16.0 / (t6 + 17.0 / (t6 + 18.0 / (t6 + 19.0 / (t6 + 20.0 / (t6 + 21.0 / (t6 + 22.0 / (t6 + 23.0 / (t6 + 24.0 / (t6 + 25.0 / (t6 + 26.0 / (t6 + 27.0 / (t6 + 28.0 / (t6 + 29.0 / (t6 + 30.0 / (t6 + 31.0 / (t6 + 32.0 / (t6 + 33.0 / (t6 + 34.0 / (t6 + 35.0 / (t6 + 36.0 / (t6 + 37.0 / (t6 + 38.0 / (t6 + 39.0 / (t6 + 40.0 / (t6 + 41.0 / (t6 + 42.0 / (t6 + 43.0 / (t6 + 44.0 / (t6 + 45.0 / (t6 + 46.0 / (t6 + 47.0 / (t6 + 48.0 / (t6 + 49.0 / (t6 + 50.0 / t6))))))))))))))))))))))))))))))))))))))))))))))))), exp(-t5 * t5 / 2.0) / 2.5066282746310002 / ndtr_value(t5))), where_value(t1, log1p(-ndtr_value(where_value(t1, -x, 0.0))), log(ndtr_value(where_value(t2, 0.0, where_value(t1, 0.0, x)))))); }
static inline double ndtri_value(double p) { const double t1 = 2.0 * p - 1.0; const double t2 = fabs(t1); const double t3 = 2.0 * minimum_value(p, 1.0 - p); const double t4 = log(t3 * (1.0 + t2)); const double t5 = 4.330746750799873 + t4 / 2.0; const double t6 = sqrt(-t4 / 0.147 / (sqrt(t5 * t5 - t4 / 0.147) + t5)); const double t7 = (double)(0.5 < t2); const double t8 = where_value(t7, 0.0, t6); const double t9 = -1.4142135623730951 * t6; const double t10 = (double)(t9 < -4.0); const double t11 = where_value(t10, 0.0, t9); const double t12 = where_value(t10, -t9, 4.0); const double t13 = log(t3); const double t14 = where_value(t7, t6 + (0.6931471805599453 + log_ndtr_value(t9) - t13) / (1.4142135623730951 * where_value(t10, t12 + 1.0 / (t12 + 2.0 / (t12 + 3.0 / (t12 + 4.0 / (t12 + 5.0 / (t12 + 6.0 / (t12 + 7.0 / (t12 + 8.0 / (t12 + 9.0 / (t12 + 10.0 / (t12 + 11.0 / (t12 + 12.0 / (t12 + 13.0 / (t12 + 14.0 / (t12 + 15.0 / (t12 + 16.0 / (t12 + 17.0 / (t12 + 18.0 / (t12 + 19.0 / (t12 + 20.0 / (t12 + 21.0 / (t12 + 22.0 / (t12 + 23.0 / (t12 + 24.0 / (t12 + 25.0 / (t12 + 26.0 / (t12 + 27.0 / (t12 + 28.0 / (t12 + 29.0 / (t12 + 30.0 / (t12 + 31.0 / (t12 + 32.0 / (t12 + 33.0 / (t12 + 34.0 / (t12 + 35.0 / (t12 + 36.0 / (t12 + 37.0 / (t12 + 38.0 / (t12 + 39.0 / (t12 + 40.0 / (t12 + 41.0 / (t12 + 42.0 / (t12 + 43.0 / (t12 + 44.0 / (t12 + 45.0 / (t12 + 46.0 / (t12 + 47.0 / (t12 + 48.0 / (t12 + 49.0 / (t12 + 50.0 / t12))))))))))))))))))))))))))))))))))))))))))))))))), exp(-t11 * t11 / 2.0) / 2.5066282746310002 / ndtr_value(t11))), t6 - (erf(t8) - t2) * exp(t8 * t8) / 1.1283791670955126); const double t15 = where_value(t7, 0.0, t14); const double t16 = -1.4142135623730951 * t14; const double t17 = (double)(t16 < -4.0); const double t18 = where_value(t17, 0.0, t16); const double t19 = where_value(t17, -t16, 4.0); const double t20 = where_value(t7, t14 + (0.6931471805599453 + log_ndtr_value(t16) - t13) / (1.4142135623730951 * where_value(t17, t19 + 1.0 / (t19 + 2.0 / (t19 + 3.0 / (t19 + 4.0 / (t19 + 5.0 / (t19 + 6.0 / (t19 + 7.0 / (t19 + 8.0 / (t19 + 9.0 / (t19 + 10.0 / (t19 + 11.0 / (t19 + 12.0 / (t19 + 13.0 / (t19 + 14.0 / (t19 + 15.0 / (t19 + 16.0 / (t19 + 17.0 / (t19 + 18.0 / (t19 + 19.0 / (t19 + 20.0 / (t19 + 21.0 / (t19 + 22.0 / (t19 + 23.0 / (t19 + 24.0 / (t19 + 25.0 / (t19 + 26.0 / (t19 + 27.0 / (t19 + 28.0 / (t19 + 29.0 / (t19 + 30.0 / (t19 + 31.0 / (t19 + 32.0 / (t19 + 33.0 / (t19 + 34.0 / (t19 + 35.0 / (t19 + 36.0 / (t19 + 37.0 / (t19 + 38.0 / (t19 + 39.0 / (t19 + 40.0 / (t19 + 41.0 / (t19 + 42.0 / (t19 + 43.0 / (t19 + 44.0 / (t19 + 45.0 / (t19 + 46.0 / (t19 + 47.0 / (t19 + 48.0 / (t19 + 49.0 / (t19 + 50.0 / t19))))))))))))))))))))))))))))))))))))))))))))))))), exp(-t18 * t18 / 2.0) / 2.5066282746310002 / ndtr_value(t18))), t14 - (erf(t15) - t2) * exp(t15 * t15) / 1.1283791670955126); const double t21 = where_value(t7, 0.0, t20); const double t22 = -1.4142135623730951 * t20; const double t23 = (double)(t22 < -4.0); const double t24 = where_value(t23, 0.0, t22); const double t25 = where_value(t23, -t22, 4.0); const double t26 = where_value(t7, t20 + (0.6931471805599453 + log_ndtr_value(t22) - t13) / (1.4142135623730951 * where_value(t23, t25 + 1.0 / (t25 + 2.0 / (t25 + 3.0 / (t25 + 4.0 / (t25 + 5.0 / (t25 + 6.0 / (t25 + 7.0 / (t25 + 8.0 / (t25 + 9.0 / (t25 + 10.0 / (t25 + 11.0 / (t25 + 12.0 / (t25 + 13.0 / (t25 + 14.0 / (t25 + 15.0 / (t25 + 16.0 / (t25 + 17.0 / (t25 + 18.0 / (t25 + 19.0 / (t25 + 20.0 / (t25 + 21.0 / (t25 + 22.0 / (t25 + 23.0 / (t25 + 24.0 / (t25 + 25.0 / (t25 + 26.0 / (t25 + 27.0 / (t25 + 28.0 / (t25 + 29.0 / (t25 + 30.0 / (t25 + 31.0 / (t25 + 32.0 / (t25 + 33.0 / (t25 + 34.0 / (t25 + 35.0 / (t25 + 36.0 / (t25 + 37.0 / (t25 + 38.0 / (t25 + 39.0 / (t25 + 40.0 / (t25 + 41.0 / (t25 + 42.0 / (t25 + 43.0 / (t25 + 44.0 / (t25 + 45.0 / (t25 + 46.0 / (t25 + 47.0 / (t25 + 48.0 / (t25 + 49.0 / (t25 + 50.0 / t25))))))))))))))))))))))))))))))))))))))))))))))))), exp(-t24 * t24 / 2.0) / 2.5066282746310002 / ndtr_value(t24))), t20 - (erf(t21) - t2) * exp(t21 * t21) / 1.1283791670955126); return 1.4142135623730951 * where_value((double)(t1 < 0.0), -t26, t26); }
static inline double erfinv_value(double x) { const double t1 = fabs(x); const double t2 = 1.0 - fabs(x); const double t3 = log(t2 * (1.0 + t1)); const double t4 = 4.330746750799873 + t3 / 2.0; const double t5 = sqrt(-t3 / 0.147 / (sqrt(t4 * t4 - t3 / 0.147) + t4)); const double t6 = (double)(0.5 < t1); const double t7 = where_value(t6, 0.0, t5); const double t8 = -1.4142135623730951 * t5; const double t9 = (double)(t8 < -4.0); const double t10 = where_value(t9, 0.0, t8); const double t11 = where_value(t9, -t8, 4.0); const double t12 = log(t2); const double t13 = where_value(t6, t5 + (0.6931471805599453 + log_ndtr_value(t8) - t12) / (1.4142135623730951 * where_value(t9, t11 + 1.0 / (t11 + 2.0 / (t11 + 3.0 / (t11 + 4.0 / (t11 + 5.0 / (t11 + 6.0 / (t11 + 7.0 / (t11 + 8.0 / (t11 + 9.0 / (t11 + 10.0 / (t11 + 11.0 / (t11 + 12.0 / (t11 + 13.0 / (t11 + 14.0 / (t11 + 15.0 / (t11 + 16.0 / (t11 + 17.0 / (t11 + 18.0 / (t11 + 19.0 / (t11 + 20.0 / (t11 + 21.0 / (t11 + 22.0 / (t11 + 23.0 / (t11 + 24.0 / (t11 + 25.0 / (t11 + 26.0 / (t11 + 27.0 / (t11 + 28.0 / (t11 + 29.0 / (t11 + 30.0 / (t11 + 31.0 / (t11 + 32.0 / (t11 + 33.0 / (t11 + 34.0 / (t11 + 35.0 / (t11 + 36.0 / (t11 + 37.0 / (t11 + 38.0 / (t11 + 39.0 / (t11 + 40.0 / (t11 + 41.0 / (t11 + 42.0 / (t11 + 43.0 / (t11 + 44.0 / (t11 + 45.0 / (t11 + 46.0 / (t11 + 47.0 / (t11 + 48.0 / (t11 + 49.0 / (t11 + 50.0 / t11))))))))))))))))))))))))))))))))))))))))))))))))), exp(-t10 * t10 / 2.0) / 2.5066282746310002 / ndtr_value(t10))), t5 - (erf(t7) - t1) * exp(t7 * t7) / 1.1283791670955126); const double t14 = where_value(t6, 0.0, t13); const double t15 = -1.4142135623730951 * t13; const double t16 = (double)(t15 < -4.0); const double t17 = where_value(t16, 0.0, t15); const double t18 = where_value(t16, -t15, 4.0); const double t19 = where_value(t6, t13 + (0.6931471805599453 + log_ndtr_value(t15) - t12) / (1.4142135623730951 * where_value(t16, t18 + 1.0 / (t18 + 2.0 / (t18 + 3.0 / (t18 + 4.0 / (t18 + 5.0 / (t18 + 6.0 / (t18 + 7.0 / (t18 + 8.0 / (t18 + 9.0 / (t18 + 10.0 / (t18 + 11.0 / (t18 + 12.0 / (t18 + 13.0 / (t18 + 14.0 / (t18 + 15.0 / (t18 + 16.0 / (t18 + 17.0 / (t18 + 18.0 / (t18 + 19.0 / (t18 + 20.0 / (t18 + 21.0 / (t18 + 22.0 / (t18 + 23.0 / (t18 + 24.0 / (t18 + 25.0 / (t18 + 26.0 / (t18 + 27.0 / (t18 + 28.0 / (t18 + 29.0 / (t18 + 30.0 / (t18 + 31.0 / (t18 + 32.0 / (t18 + 33.0 / (t18 + 34.0 / (t18 + 35.0 / (t18 + 36.0 / (t18 + 37.0 / (t18 + 38.0 / (t18 + 39.0 / (t18 + 40.0 / (t18 + 41.0 / (t18 + 42.0 / (t18 + 43.0 / (t18 + 44.0 / (t18 + 45.0 / (t18 + 46.0 / (t18 + 47.0 / (t18 + 48.0 / (t18 + 49.0 / (t18 + 50.0 / t18))))))))))))))))))))))))))))))))))))))))))))))))), exp(-t17 * t17 / 2.0) / 2.5066282746310002 / ndtr_value(t17))), t13 - (erf(t14) - t1) * exp(t14 * t14) / 1.1283791670955126); const double t20 = where_value(t6, 0.0, t19); const double t21 = -1.4142135623730951 * t19; const double t22 = (double)(t21 < -4.0); const double t23 = where_value(t22, 0.0, t21); const double t24 = where_value(t22, -t21, 4.0); const double t25 = where_value(t6, t19 + (0.6931471805599453 + log_ndtr_value(t21) - t12) / (1.4142135623730951 * where_value(t22, t24 + 1.0 / (t24 + 2.0 / (t24 + 3.0 / (t24 + 4.0 / (t24 + 5.0 / (t24 + 6.0 / (t24 + 7.0 / (t24 + 8.0 / (t24 + 9.0 / (t24 + 10.0 / (t24 + 11.0 / (t24 + 12.0 / (t24 + 13.0 / (t24 + 14.0 / (t24 + 15.0 / (t24 + 16.0 / (t24 + 17.0 / (t24 + 18.0 / (t24 + 19.0 / (t24 + 20.0 / (t24 + 21.0 / (t24 + 22.0 / (t24 + 23.0 / (t24 + 24.0 / (t24 + 25.0 / (t24 + 26.0 / (t24 + 27.0 / (t24 + 28.0 / (t24 + 29.0 / (t24 + 30.0 / (t24 + 31.0 / (t24 + 32.0 / (t24 + 33.0 / (t24 + 34.0 / (t24 + 35.0 / (t24 + 36.0 / (t24 + 37.0 / (t24 + 38.0 / (t24 + 39.0 / (t24 + 40.0 / (t24 + 41.0 / (t24 + 42.0 / (t24 + 43.0 / (t24 + 44.0 / (t24 + 45.0 / (t24 + 46.0 / (t24 + 47.0 / (t24 + 48.0 / (t24 + 49.0 / (t24 + 50.0 / t24))))))))))))))))))))))))))))))))))))))))))))))))), exp(-t23 * t23 / 2.0) / 2.5066282746310002 / ndtr_value(t23))), t19 - (erf(t20) - t1) * exp(t20 * t20) / 1.1283791670955126); return where_value((double)(x < 0.0), -t25, t25); }

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
static inline double floor_slope_0(double x, double out) { (void)x; (void)out; return 0.0; }
static inline double ceil_slope_0(double x, double out) { (void)x; (void)out; return 0.0; }
static inline double trunc_slope_0(double x, double out) { (void)x; (void)out; return 0.0; }
static inline double round_slope_0(double x, double out) { (void)x; (void)out; return 0.0; }
static inline double mod_slope_0(double x, double y, double out) { (void)x; (void)y; (void)out; return 1.0; }
static inline double mod_slope_1(double x, double y, double out) { return round_value((out - x) / y); }
static inline double exp2_slope_0(double x, double out) { (void)x; return out * 0.6931471805599453; }
static inline double logit_slope_0(double x, double out) { (void)out; return 1.0 / (x * (1.0 - x)); }
static inline double sinc_slope_0(double x, double out) { const double t1 = (double)(x * x < 0.4); return where_value(t1, x * (((((((((((((((2.98717191589536e-20 * x * x + -2.996371563190511e-18) * x * x + 2.635212528439635e-16) * x * x + -2.0132015080808862e-14) * x * x + 1.3217901389162304e-12) * x * x + -7.365893777096939e-11) * x * x + 3.433076949964284e-09) * x * x + -1.3148481279991983e-07) * x * x + 4.049947846619241e-06) * x * x + -9.766223126318928e-05) * x * x + 0.001781145516372851) * x * x + -0.023460810354558225) * x * x + 0.20918278254123832) * x * x + -1.144510944732505) * x * x + 3.246969701133414) * x * x + -3.289868133696453), (cos(3.141592653589793 * x) - out) / where_value(t1, 1.0, x)); }
static inline double xlogy_slope_0(double x, double y, double out) { (void)x; (void)out; return log(y); }
static inline double xlogy_slope_1(double x, double y, double out) { (void)out; return x / (y + (double)(x == 0.0) * (double)(y == 0.0)); }
static inline double ndtr_slope_0(double x, double out) { (void)out; return exp(-x * x / 2.0) / 2.5066282746310002; }
static inline double log_ndtr_slope_0(double x, double out) { (void)out; const double t1 = (double)(x < -4.0); const double t2 = where_value(t1, 0.0, x); const double t3 = where_value(t1, -x, 4.0); return where_value(t1, t3 + 1.0 / (t3 + 2.0 / (t3 + 3.0 / (t3 + 4.0 / (t3 + 5.0 / (t3 + 6.0 / (t3 + 7.0 / (t3 + 8.0 / (t3 + 9.0 / (t3 + 10.0 / (t3 + 11.0 / (t3 + 12.0 / (t3 + 13.0 / (t3 + 14.0 / (t3 + 15.0 / (t3 + 16.0 / (t3 + 17.0 / (t3 + 18.0 / (t3 + 19.0 / (t3 + 20.0 / (t3 + 21.0 / (t3 + 22.0 / (t3 + 23.0 / (t3 + 24.0 / (t3 + 25.0 / (t3 + 26.0 / (t3 + 27.0 / (t3 + 28.0 / (t3 + 29.0 / (t3 + 30.0 / (t3 + 31.0 / (t3 + 32.0 / (t3 + 33.0 / (t3 + 34.0 / (t3 + 35.0 / (t3 + 36.0 / (t3 + 37.0 / (t3 + 38.0 / (t3 + 39.0 / (t3 + 40.0 / (t3 + 41.0 / (t3 + 42.0 / (t3 + 43.0 / (t3 + 44.0 / (t3 + 45.0 / (t3 + 46.0 / (t3 + 47.0 / (t3 + 48.0 / (t3 + 49.0 / (t3 + 50.0 / t3))))))))))))))))))))))))))))))))))))))))))))))))), exp(-t2 * t2 / 2.0) / 2.5066282746310002 / ndtr_value(t2)); }
static inline double ndtri_slope_0(double p, double out) { (void)p; return 2.5066282746310002 * exp(out * out / 2.0); }
static inline double erfinv_slope_0(double x, double out) { (void)x; return exp(out * out) / 1.1283791670955126; }

/* These rows, and those of them that are methods of a Value. */
#define UNARY_ROWS(ROW) ROW(negative) ROW(sign) ROW(abs) ROW(relu) ROW(exp) ROW(expm1) ROW(log) ROW(log1p) ROW(log2) ROW(log10) ROW(sqrt) ROW(sin) ROW(cos) ROW(tan) ROW(arcsin) ROW(arccos) ROW(arctan) ROW(sinh) ROW(cosh) ROW(tanh) ROW(arccosh) ROW(arctanh) ROW(sigmoid) ROW(softplus) ROW(erf) ROW(erfc) ROW(floor) ROW(ceil) ROW(trunc) ROW(round) ROW(exp2) ROW(logit) ROW(sinc) ROW(ndtr) ROW(log_ndtr) ROW(ndtri) ROW(erfinv)
#define BINARY_ROWS(ROW) ROW(add) ROW(subtract) ROW(multiply) ROW(divide) ROW(maximum) ROW(minimum) ROW(power) ROW(logaddexp) ROW(mod) ROW(xlogy)
#define UNARY_METHODS(ROW) ROW(sign) ROW(relu) ROW(exp) ROW(expm1) ROW(log) ROW(log1p) ROW(log2) ROW(log10) ROW(sqrt) ROW(sin) ROW(cos) ROW(tan) ROW(arcsin) ROW(arccos) ROW(arctan) ROW(sinh) ROW(cosh) ROW(tanh) ROW(arccosh) ROW(arctanh) ROW(sigmoid) ROW(softplus) ROW(erf) ROW(erfc) ROW(floor) ROW(ceil) ROW(trunc) ROW(round) ROW(exp2) ROW(logit) ROW(sinc) ROW(ndtr) ROW(log_ndtr) ROW(ndtri) ROW(erfinv)
#define BINARY_METHODS(ROW) ROW(maximum) ROW(minimum) ROW(logaddexp) ROW(mod) ROW(xlogy)

/* The rows that the executor of programs takes. */
#define EXECUTED_UNARY(ROW) ROW(negative) ROW(stop_gradient) ROW(sign) ROW(abs) ROW(relu) ROW(exp) ROW(expm1) ROW(log) ROW(log1p) ROW(log2) ROW(log10) ROW(sqrt) ROW(cbrt) ROW(sin) ROW(cos) ROW(tan) ROW(arcsin) ROW(arccos) ROW(arctan) ROW(sinh) ROW(cosh) ROW(tanh) ROW(arcsinh) ROW(arccosh) ROW(arctanh) ROW(sigmoid) ROW(softplus) ROW(erf) ROW(erfc) ROW(floor) ROW(ceil) ROW(trunc) ROW(round) ROW(exp2) ROW(logit) ROW(sinc) ROW(ndtr) ROW(log_ndtr) ROW(ndtri) ROW(erfinv)
#define EXECUTED_BINARY(ROW) ROW(add) ROW(subtract) ROW(multiply) ROW(divide) ROW(less) ROW(less_equal) ROW(equal) ROW(maximum) ROW(minimum) ROW(power) ROW(hypot) ROW(arctan2) ROW(logaddexp) ROW(mod) ROW(copysign) ROW(xlogy)
#define EXECUTED_TERNARY(ROW) ROW(where)
#define PLAIN_UNARY(ROW) ROW(negative) ROW(stop_gradient) ROW(sign) ROW(abs) ROW(relu) ROW(exp) ROW(expm1) ROW(log) ROW(log1p) ROW(log2) ROW(log10) ROW(sqrt) ROW(cbrt) ROW(tan) ROW(arcsin) ROW(arccos) ROW(arctan) ROW(sinh) ROW(cosh) ROW(tanh) ROW(arcsinh) ROW(arccosh) ROW(arctanh) ROW(sigmoid) ROW(softplus) ROW(erf) ROW(erfc) ROW(floor) ROW(ceil) ROW(trunc) ROW(round) ROW(exp2) ROW(logit) ROW(sinc) ROW(ndtr) ROW(log_ndtr) ROW(ndtri) ROW(erfinv)
#define PLAIN_BINARY(ROW) ROW(add) ROW(subtract) ROW(multiply) ROW(divide) ROW(less) ROW(less_equal) ROW(equal) ROW(maximum) ROW(minimum) ROW(logaddexp) ROW(mod) ROW(copysign) ROW(xlogy)
#define PLAIN_TERNARY(ROW) ROW(where)
#define MODERATE_UNARY(ROW) ROW(sin) ROW(cos)
#define MODERATE_BINARY(ROW) ROW(power) ROW(hypot) ROW(arctan2)
#define MODERATE_TERNARY(ROW) 

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
#define DOC_floor "floor($self)\n--\n\nReturn floor(x); its derivative is 0."
#define DOC_ceil "ceil($self)\n--\n\nReturn ceil(x); its derivative is 0."
#define DOC_trunc "trunc($self)\n--\n\nReturn trunc(x); its derivative is 0."
#define DOC_round "round($self)\n--\n\nReturn round(x); its derivative is 0."
#define DOC_mod "mod($self, y)\n--\n\nReturn mod(x, y).\n\nIts derivatives are 1 by x and round((out - x) / y) by y, where out is the result."
#define DOC_exp2 "exp2($self)\n--\n\nReturn exp2(x); its derivative is out * 0.6931, where out is the result."
#define DOC_logit "logit($self)\n--\n\nReturn logit(x); its derivative is 1 / (x * (1 - x))."
#define DOC_sinc "sinc($self)\n--\n\nReturn sinc(x); its derivative is computed in steps."
#define DOC_xlogy "xlogy($self, y)\n--\n\nReturn xlogy(x, y).\n\nIts derivatives are log(y) by x and x / (y + float(x == 0) * float(y == 0)) by y."
#define DOC_ndtr "ndtr($self)\n--\n\nReturn ndtr(x); its derivative is exp(-x * x / 2) / 2.507."
#define DOC_log_ndtr "log_ndtr($self)\n--\n\nReturn log_ndtr(x); its derivative is computed in steps."
#define DOC_ndtri "ndtri($self)\n--\n\nReturn ndtri(p).\n\nIts derivative is 2.507 * exp(out * out / 2), where out is the result."
#define DOC_erfinv "erfinv($self)\n--\n\nReturn erfinv(x); its derivative is exp(out * out) / 1.128, where out is the result."
#define DOC_backward "backward($self)\n--\n\nLeave in every `v.grad` of this graph the derivative of self with respect to v.\n\nA leaf adds it to what its grad holds already, until that is set to 0; the other Values\nstart afresh. When a local derivative cannot be computed, that is raised, and the leaves'\ngrads are as before.\n\n>>> x = Value(3.0)\n>>> (x * x * x).backward()\n>>> x.grad\n27.0"
#define DOC__apply "_apply($self, op, operands)\n--\n\nCompute an operation on the data of its operands, and record the result as a node.\n\nAs in the original, a number among the operands becomes a leaf, but a number exponent stays\na number."
#define DOC_toposort "toposort(*roots)\n--\n\nList every Value that the roots are made of, operands before their consumers.\n\n>>> a, b = Value(2.0, label=\"a\"), Value(3.0, label=\"b\")\n>>> [v.label or v._op for v in toposort(a * b + a)]\n['a', 'b', '*', '+']"
