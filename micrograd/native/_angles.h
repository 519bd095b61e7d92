/* The angles that belong to a sine, a cosine or a tangent, and the length of a side: as in _functions.h, without
 * branches or tables, and within 2 units in the last place. */

/* atan(t) where t is at most tan(pi / 8). */
static inline double series_of_arctan(double t, double z) {
    double q = -0.019029290809743138;
    q = q * z + 0.03911053674347613;
    q = q * z - 0.05081236164642543;
    q = q * z + 0.058573396761385246;
    q = q * z - 0.06664417824186955;
    q = q * z + 0.07692176510795928;
    q = q * z - 0.09090904289128517;
    q = q * z + 0.11111111008107874;
    q = q * z - 0.14285714284577217;
    q = q * z + 0.1999999999999509;
    q = q * z - 0.3333333333333333;
    return t * z * q;
}

#define HALF_PI 1.5707963267948966
#define HALF_PI_REST 6.123233995736766e-17

/* The angle of a ratio: small / large, both from 0 on and finite, large above 0. */
static inline double eighth_of_turn(double small, double large) {
    const int far = small > large * 0.41421356237309503; /* then pi / 4 and the angle beyond */
    const double t = (far ? small - large : small) / (far ? small + large : large);
    const double rest = series_of_arctan(t, t * t);
    return (far ? 0.5 * HALF_PI : 0.0) + (t + (rest + (far ? 0.5 * HALF_PI_REST : 0.0)));
}

static inline double quick_arctan(double x) {
    const double y = fabs(x);
    const int steep = y > 1;
    const double angle = eighth_of_turn(steep ? 1.0 : y, steep ? y : 1.0);
    const double found = steep ? (HALF_PI - angle) + HALF_PI_REST : angle;
    return copysign(x == x ? found : x, x);
}

/* Whether the square of the larger of two numbers stays in range. */
static inline int size_fits(double x, double y) {
    const double a = fabs(x), b = fabs(y), larger = a > b ? a : b;
    return (larger > 1e-140) & (larger < 1e140);
}
#define arctan2_fits size_fits
#define hypot_fits size_fits

static inline double arctan2_fitting(double y, double x) {
    const double a = fabs(y), b = fabs(x);
    const int steep = a > b;
    const double angle = eighth_of_turn(steep ? b : a, steep ? a : b);
    const double quarter = steep ? (HALF_PI - angle) + HALF_PI_REST : angle;
    return copysign(x < 0 ? (2 * HALF_PI - quarter) + 2 * HALF_PI_REST : quarter, y);
}

static inline double hypot_fitting(double x, double y) { return sqrt(x * x + y * y); }

/* (arcsin(x) - x) / x, where z, the square of x, is at most 1/4. */
static inline double series_of_arcsin(double z) {
    double q = 0.028187667142318098;
    q = q * z - 0.010773195325585556;
    q = q * z + 0.01604912458494932;
    q = q * z + 0.0077986264075622334;
    q = q * z + 0.011876344296279416;
    q = q * z + 0.013929545950485803;
    q = q * z + 0.01735526856395352;
    q = q * z + 0.022372047201808885;
    q = q * z + 0.030381947379559158;
    q = q * z + 0.04464285710323956;
    q = q * z + 0.07500000000020869;
    q = q * z + 0.1666666666666665;
    return z * q;
}

/* The arcsine of y, from 0 on, in two parts; beyond a half that of the sine of half the angle that is left. */
static inline double first_of_arcsin(double y, int large, double *rest) {
    const double z = large ? 0.5 - 0.5 * y : y * y, root = sqrt(z), s = large ? root : y, first = top(root);
    const double lost = (z - first * first) / (root + first + 1e-300) - (root - first);
    *rest = s * series_of_arcsin(z) + (large ? lost : 0.0);
    return s;
}

static inline double quick_arcsin(double x) {
    const double y = fabs(x);
    const int large = y > 0.5;
    double rest, first = first_of_arcsin(y, large, &rest);
    const double found = large ? HALF_PI - (2 * first - (HALF_PI_REST - 2 * rest)) : first + rest;
    return copysign(found, x);
}

static inline double quick_arccos(double x) {
    const double y = fabs(x);
    const int large = y > 0.5;
    double rest, first = first_of_arcsin(y, large, &rest);
    const double other = HALF_PI - (copysign(first, x) - (HALF_PI_REST - copysign(1.0, x) * rest));
    const double left = 2 * (first + rest), beyond = 2 * (HALF_PI - (first - (HALF_PI_REST - rest)));
    return pick(0.5 - y, other, pick(x, left, beyond));
}

#define acos(x) quick_arccos(x)
#define asin(x) quick_arcsin(x)
#define atan(x) quick_arctan(x)
