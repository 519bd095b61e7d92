/* exp, log, log1p and tanh without branches or tables, so that the compiler computes several at once. They are
 * within 2 units in the last place of the truth, over their whole range: a test holds that. */

static inline double from_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t to_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* What is added to a number of moderate size rounds it to a whole one, which then stands in the last bits. */
#define ROUNDS 6755399441055744.0
#define LOG2_HIGH 0.693147180369123816490 /* the first 33 bits: times a small whole number it is exact */
#define LOG2_LOW 1.90821492927058770002e-10

/* 2 to the power of a whole number to which ROUNDS was added. */
static inline double two_to(double rounded) { return from_bits((to_bits(rounded) + 1023) << 52); }

/* exp(r) - 1 where r is at most log(2) / 2: the series of Taylor, up to the 13th power. */
static inline double series_of_exp(double r) {
    double q = 1 / 6227020800.0;
    q = q * r + 1 / 479001600.0;
    q = q * r + 1 / 39916800.0;
    q = q * r + 1 / 3628800.0;
    q = q * r + 1 / 362880.0;
    q = q * r + 1 / 40320.0;
    q = q * r + 1 / 5040.0;
    q = q * r + 1 / 720.0;
    q = q * r + 1 / 120.0;
    q = q * r + 1 / 24.0;
    q = q * r + 1 / 6.0;
    q = q * r + 1 / 2.0;
    return r + r * r * q;
}

static inline double quick_exp(double x) {
    x = x > 710.0 ? 710.0 : x; /* from there on inf; nan stays */
    x = x < -746.0 ? -746.0 : x;
    const double k = (x * 1.4426950408889634 + ROUNDS) - ROUNDS;
    const double r = (x - k * LOG2_HIGH) - k * LOG2_LOW;
    /* In two steps: 2 to the power of k may be too large or too small for itself. */
    const double half = k * 0.5 + ROUNDS, rest = (k - (half - ROUNDS)) + ROUNDS;
    return (1 + series_of_exp(r)) * two_to(half) * two_to(rest);
}

/* With e for exp(2 x) - 1 it is e / (e + 2). */
static inline double quick_tanh(double x) {
    double y = 2 * fabs(x);
    y = y > 40.0 ? 40.0 : y;
    const double rounded = y * 1.4426950408889634 + ROUNDS, k = rounded - ROUNDS;
    const double r = (y - k * LOG2_HIGH) - k * LOG2_LOW;
    const double power = two_to(rounded);
    const double e = power * series_of_exp(r) + (power - 1);
    const double below = e + 2, lost = e - (below - 2), ratio = e / below;
    return copysign(ratio - ratio * lost / below, x);
}

static inline double quick_log(double x) {
    const int tiny = x < 2.2250738585072014e-308;
    const double large = tiny ? x * 18014398509481984.0 : x; /* 2 to the power of 54 */
    /* x is m times 2 to the power of k, and m from sqrt(1/2) to sqrt(2). */
    const uint64_t root = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000;
    const uint64_t bits = to_bits(large) + (one - root);
    const double m = from_bits((bits & 0x000fffffffffffff) + root);
    const double k = (from_bits((bits >> 52) | 0x4330000000000000) - 4503599627370496.0) - (tiny ? 1077.0 : 1023.0);
    /* log(1 + f) is 2 artanh(s), and f - s f is 2 s: the series begins with its third power. */
    const double f = m - 1, s = f / (2 + f), z = s * s;
    double q = 2 / 25.0;
    q = q * z + 2 / 23.0;
    q = q * z + 2 / 21.0;
    q = q * z + 2 / 19.0;
    q = q * z + 2 / 17.0;
    q = q * z + 2 / 15.0;
    q = q * z + 2 / 13.0;
    q = q * z + 2 / 11.0;
    q = q * z + 2 / 9.0;
    q = q * z + 2 / 7.0;
    q = q * z + 2 / 5.0;
    q = q * z + 2 / 3.0;
    const double half = 0.5 * f * f;
    const double small = s * (half + z * q) + k * LOG2_LOW;
    const double found = k * LOG2_HIGH - ((half - small) - f);
    const double outside = x == 0 ? -INFINITY : x < 0 ? NAN : x; /* inf and nan are their own logarithms */
    return x > 0 && x < INFINITY ? found : outside;
}

static inline double quick_log1p(double x) {
    const double y = 1 + x;
    const double found = quick_log(y) + (x - (y - 1)) / y; /* what was lost when 1 was added */
    return x > -1 && x < INFINITY && x != 0 ? found : x == 0 ? x : quick_log(y);
}

/* The rows of the table are made of these. */
#define exp(x) quick_exp(x)
#define log(x) quick_log(x)
#define log1p(x) quick_log1p(x)
#define tanh(x) quick_tanh(x)
