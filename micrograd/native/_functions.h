/* exp, log, tanh, sin, erf and their like without branches or tables, so that the compiler computes several at once.
 * They are within 2 units in the last place of the truth, over their whole range: a test holds that. */

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

/* The first number where the sign of `which` is plus, else the second. Where one of them is a constant, compilers
 * make paths of `?`, on which more is known, and then no vectors. */
static inline double pick(double which, double first, double second) {
    const uint64_t is_second = 0 - (to_bits(which) >> 63);
    return from_bits((to_bits(first) & ~is_second) | (to_bits(second) & is_second));
}

/* What is added to a number of moderate size rounds it to a whole one, which then stands in the last bits. */
#define ROUNDS 6755399441055744.0
#define LOG2_HIGH 0.693147180369123816490 /* the first 33 bits: times a small whole number it is exact */
#define LOG2_LOW 1.90821492927058770002e-10

/* 2 to the power of a whole number to which ROUNDS was added. */
static inline double two_to(double rounded) { return from_bits((to_bits(rounded) + 1023) << 52); }

/* exp(r) - 1 - r where r is at most log(2) / 2: the series of Taylor, up to the 13th power. */
static inline double squares_of_exp(double r) {
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
    return r * r * q;
}

static inline double series_of_exp(double r) { return r + squares_of_exp(r); }

static inline double quick_exp(double x) {
    const double below = pick(710.0 - x, x, 710.0), y = pick(below + 746.0, below, -746.0); /* inf, 0 beyond */
    const double k = (y * 1.4426950408889634 + ROUNDS) - ROUNDS;
    const double r = (y - k * LOG2_HIGH) - k * LOG2_LOW;
    /* In two steps: 2 to the power of k may be too large or too small for itself. */
    const double half = k * 0.5 + ROUNDS, rest = (k - (half - ROUNDS)) + ROUNDS;
    const double found = (1 + series_of_exp(r)) * two_to(half) * two_to(rest);
    return x != x ? x : found;
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
    const double lost = (x - (y - 1)) / y; /* when 1 was added */
    const double found = quick_log(y) + ((x > -1) & (x < INFINITY) ? lost : 0.0);
    return fabs(x) < 1e-17 ? x : found;
}

/* exp(x) - 1, as half of 2 to the power of k times exp(r), less a half, and twice that. */
static inline double quick_expm1(double x) {
    double y = x > 710.0 ? 710.0 : x;
    y = y < -40.0 ? -40.0 : y;
    const double rounded = y * 1.4426950408889634 + ROUNDS, k = rounded - ROUNDS;
    const double r = (y - k * LOG2_HIGH) - k * LOG2_LOW;
    const double half = two_to(rounded - 1);
    const double found = 2 * (half * series_of_exp(r) + (half - 0.5));
    return fabs(x) < 1e-17 ? x : found;
}

/* erf(x) - x where |x| is below 1. */
static inline double rest_of_erf(double x) {
    const double z = x * x;
    double q = -7.798543850549947e-10;
    q = q * z + 1.3721520406351094e-08;
    q = q * z - 1.6208829856810202e-07;
    q = q * z + 1.6447471190594618e-06;
    q = q * z - 1.4924740785377576e-05;
    q = q * z + 0.00012055295112667001;
    q = q * z - 0.0008548325982543225;
    q = q * z + 0.005223977607269946;
    q = q * z - 0.026866170643256995;
    q = q * z + 0.1128379167094513;
    q = q * z - 0.37612638903183543;
    q = q * z + 0.12837916709551256;
    return x * q;
}

/* A polynomial from 1 to 6. */
static inline double log_of_erfc(double x) {
    double q = 7.083796234423757e-14;
    q = q * x - 3.984045619916794e-12;
    q = q * x + 1.045913982022737e-10;
    q = q * x - 1.7029183665173152e-09;
    q = q * x + 1.9257670639699227e-08;
    q = q * x - 1.6033715619659783e-07;
    q = q * x + 1.0142194866844174e-06;
    q = q * x - 4.9361819243616165e-06;
    q = q * x + 1.8330688468838345e-05;
    q = q * x - 4.94281924840644e-05;
    q = q * x + 7.902365667152562e-05;
    q = q * x + 3.086601237401512e-05;
    q = q * x - 0.0006228176751644874;
    q = q * x + 0.0017494603420754578;
    q = q * x - 0.00026389462275627334;
    q = q * x - 0.019089131016556408;
    q = q * x + 0.10275269520727869;
    q = q * x + 0.6366265881563128;
    q = q * x + 1.1283777452205788;
    q = q * x + 1.3680061294897363e-07;
    return -q;
}

static inline double quick_erf(double x) {
    double y = fabs(x);
    y = y > 5.95 ? 5.95 : y; /* from there on 1 */
    const double large = copysign(1 - quick_exp(log_of_erfc(y)), x);
    return fabs(x) < 1 ? x + rest_of_erf(x) : large;
}

/* sin and cos below a million: beyond, what is left of x when turns are taken away needs more digits. */
static inline int sin_fits(double x) { return fabs(x) < 1e6; }
#define cos_fits sin_fits

/* `quarters` of a turn, from 0 to 3, are added to the angle. */
static inline double sine_of(double x, uint64_t quarters) {
    /* pi / 2 in three parts; the first two have 33 bits, so that times k they are exact. */
    const double first = 0x1.921fb544p+0, second = 0x1.0b4611a6p-34, third = 0x1.3198a2e037073p-69;
    const double rounded = x * 0.6366197723675814 + ROUNDS, k = rounded - ROUNDS;
    const double rest = x - k * first, taken = k * second, r = rest - taken;
    const double lost = ((rest - r) - taken) - k * third;
    const double z = r * r;
    double s = 1 / 355687428096000.0;
    s = s * z - 1 / 1307674368000.0;
    s = s * z + 1 / 6227020800.0;
    s = s * z - 1 / 39916800.0;
    s = s * z + 1 / 362880.0;
    s = s * z - 1 / 5040.0;
    s = s * z + 1 / 120.0;
    s = s * z - 1 / 6.0;
    double c = 1 / 20922789888000.0;
    c = c * z - 1 / 87178291200.0;
    c = c * z + 1 / 479001600.0;
    c = c * z - 1 / 3628800.0;
    c = c * z + 1 / 40320.0;
    c = c * z - 1 / 720.0;
    c = c * z + 1 / 24.0;
    const double half = 0.5 * z, above = 1 - half;
    const double sine = r + (r * z * s + lost * above);
    const double cosine = above + (((1 - above) - half) + (z * z * c - r * lost));
    const uint64_t turned = to_bits(rounded) + quarters;
    return from_bits(to_bits(turned & 1 ? cosine : sine) ^ ((turned & 2) << 62));
}

static inline double sin_fitting(double x) { return fabs(x) < 1e-8 ? x : sine_of(x, 0); }
static inline double cos_fitting(double x) { return sine_of(x, 1); }

/* A number's first 26 digits: products of two such are exact. What is a product and is not exact never stands in
 * a sum that is to be exact, since the compiler may add it before it is rounded. */
static inline double top(double x) { return from_bits(to_bits(x) & 0xfffffffff8000000); }

/* Whether neither x nor the result is 0, infinite, missing, or smaller than numbers of all digits. */
static inline int power_fits(double x, double y) {
    const double size = fabs(x);
    const double k = from_bits((to_bits(size) >> 52) | 0x4330000000000000) - (4503599627370496.0 + 1023);
    return size >= 2.2250738585072014e-308 && size <= 1.7976931348623157e308 && fabs(y) * (fabs(k) + 1) < 1020;
}

/* exp(y log(|x|)), the logarithm in two parts, to 70 digits. For what the letters are see quick_log. */
static inline double power_fitting(double x, double y) {
    const uint64_t root = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000;
    const uint64_t bits = to_bits(fabs(x)) + (one - root);
    const double f = from_bits((bits & 0x000fffffffffffff) + root) - 1;
    const double k = from_bits((bits >> 52) | 0x4330000000000000) - (4503599627370496.0 + 1023);
    const double d = 2 + f, d_lost = f - (d - 2);
    const double s = top(f / d), s_rest = (fma(-s, d, f) - s * d_lost) / d;
    const double z = s * s, z_rest = (2 * s + s_rest) * s_rest;
    const double cube = top(s * z), cube_rest = fma(s, z, -cube) + (s * z_rest + s_rest * (z + z_rest));
    const double third = cube * 0x1.555555p-1, third_rest = cube * 0x1.5555555555555p-27 + cube_rest * (2 / 3.0);
    const double about = s + s_rest, square = about * about;
    double q = 2 / 25.0;
    q = q * square + 2 / 23.0;
    q = q * square + 2 / 21.0;
    q = q * square + 2 / 19.0;
    q = q * square + 2 / 17.0;
    q = q * square + 2 / 15.0;
    q = q * square + 2 / 13.0;
    q = q * square + 2 / 11.0;
    q = q * square + 2 / 9.0;
    q = q * square + 2 / 7.0;
    q = q * square + 2 / 5.0;
    const double whole = k * LOG2_HIGH, first = whole + 2 * s, second = first + third;
    const double rest = ((whole - first) + 2 * s) + ((first - second) + third) +
                        (2 * s_rest + third_rest + (about * square * square * q + k * LOG2_LOW));
    const double log = top(second), log_rest = (second - log) + rest;
    const double to = top(y * log), to_rest = fma(y, log, -to) + y * log_rest;
    const double rounded = (to + to_rest) * 1.4426950408889634 + ROUNDS, times = rounded - ROUNDS;
    const double r = (to - times * LOG2_HIGH) + (to_rest - times * LOG2_LOW);
    const double size = (1 + series_of_exp(r)) * two_to(rounded);
    const double wholes = y + ROUNDS; /* y itself where it is a whole number, and whether it is odd */
    const double signed_size = from_bits(to_bits(size) | (to_bits(wholes) << 63));
    return x > 0 ? size : wholes - ROUNDS == y ? signed_size : NAN;
}

/* exp(y^2) erfc(y) in two parts, from 0.5 to 28. */
static inline double ratio_of_erfc(double y, double *rest) {
    const double q = (y - 4) / (y + 4);
    double p = -1.0843100442047919e-08;
    p = p * q - 1.239129679809904e-08;
    p = p * q + 1.0673888604657486e-07;
    p = p * q + 6.747393283609862e-08;
    p = p * q - 8.238720008442623e-07;
    p = p * q + 2.990460036384219e-07;
    p = p * q + 5.709554599737636e-06;
    p = p * q - 1.1224410359390617e-05;
    p = p * q - 2.4399372731347043e-05;
    p = p * q + 0.00015062237320982762;
    p = p * q - 0.00019925660853895014;
    p = p * q - 0.0007577734202057846;
    p = p * q + 0.0050319699578461954;
    p = p * q - 0.016197734042296196;
    p = p * q + 0.037167515540001035;
    p = p * q - 0.06633036581328106;
    p = p * q + 0.09373283499818572;
    p = p * q - 0.10103906603626707;
    p = p * q + 0.06809705425469742;
    p = p * q + 0.015379652102619235;
    p = p * q - 0.13962111684056255;
    const double above = 1.2329951186255526 + p * q, above_rest = (1.2329951186255526 - above) + p * q;
    const double below = 1 + 2 * y, below_rest = 1 - (below - 2 * y);
    const double ratio = above / below, first = top(ratio), d = top(below);
    const double product_lost = ((above - first * d) - first * (below - d)) - (ratio - first) * below;
    *rest = (product_lost + (above_rest - ratio * below_rest)) / below;
    return ratio;
}

/* Where |x| is below 0.6, 1 - x less what erf(x) is more than x; else this ratio times exp(-x^2), each with more
 * digits than a number has, since their errors add up. */
static inline double quick_erfc(double x) {
    double y = fabs(x), ratio_rest;
    y = y > 27.5 ? 27.5 : y; /* from there on 0 */
    const double ratio = ratio_of_erfc(y, &ratio_rest);
    const double z = top(y), rounded = z * z * -1.4426950408889634 + ROUNDS, k = rounded - ROUNDS;
    const double whole = -(z * z) - k * LOG2_HIGH, less = (y - z) * (y + z) + k * LOG2_LOW;
    const double r = whole - less, r_rest = (whole - r) - less;
    const double tail = ratio + (ratio * r + (ratio * (squares_of_exp(r) + r_rest) + ratio_rest));
    const double half = k * 0.5 + ROUNDS, rest = (k - (half - ROUNDS)) + ROUNDS;
    const double scaled = tail * two_to(half) * two_to(rest), large = x < 0 ? 2 - scaled : scaled;
    const double one = 1 - x, small = one + (((1 - one) - x) - rest_of_erf(x));
    return fabs(x) < 0.6 ? small : large;
}

/* The rows of the table are made of these. */
#define exp(x) quick_exp(x)
#define expm1(x) quick_expm1(x)
#define erf(x) quick_erf(x)
#define erfc(x) quick_erfc(x)
#define log(x) quick_log(x)
#define log1p(x) quick_log1p(x)
#define tanh(x) quick_tanh(x)
