/* exp, log, tanh and their like for floats, as in _functions.h, which says what the letters are: within 2 units in
 * the last place. What is not here is computed in doubles and rounded, as sin. */

static inline float from_bits32(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t to_bits32(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float pick32(float which, float first, float second) {
    const uint32_t is_second = 0 - (to_bits32(which) >> 31);
    return from_bits32((to_bits32(first) & ~is_second) | (to_bits32(second) & is_second));
}

#define ROUNDS32 12582912.0f
#define LOG2_HIGH32 0.693359375f /* 9 bits */
#define LOG2_LOW32 -2.12194440054690583e-4f

static inline float two_to32(float rounded) { return from_bits32((to_bits32(rounded) + 127) << 23); }

/* exp(r) - 1 where r is at most log(2) / 2: the series of Taylor, up to the 7th power. */
static inline float series_of_exp32(float r) {
    float q = 1 / 5040.0f;
    q = q * r + 1 / 720.0f;
    q = q * r + 1 / 120.0f;
    q = q * r + 1 / 24.0f;
    q = q * r + 1 / 6.0f;
    q = q * r + 1 / 2.0f;
    return r + r * r * q;
}

static inline float quick_exp32(float x) {
    const float below = pick32(89.0f - x, x, 89.0f), y = pick32(below + 104.0f, below, -104.0f);
    const float k = (y * 1.44269504f + ROUNDS32) - ROUNDS32;
    const float r = (y - k * LOG2_HIGH32) - k * LOG2_LOW32;
    const float half = k * 0.5f + ROUNDS32, rest = (k - (half - ROUNDS32)) + ROUNDS32;
    const float found = (1 + series_of_exp32(r)) * two_to32(half) * two_to32(rest);
    return x != x ? x : found;
}

static inline float quick_tanh32(float x) {
    float y = 2 * fabsf(x);
    y = y > 20.0f ? 20.0f : y;
    const float rounded = y * 1.44269504f + ROUNDS32, k = rounded - ROUNDS32;
    const float r = (y - k * LOG2_HIGH32) - k * LOG2_LOW32;
    const float power = two_to32(rounded);
    const float e = power * series_of_exp32(r) + (power - 1);
    const float below = e + 2, lost = e - (below - 2), ratio = e / below;
    return copysignf(ratio - ratio * lost / below, x);
}

static inline float quick_log32(float x) {
    const int tiny = x < 1.17549435e-38f;
    const float large = tiny ? x * 33554432.0f : x; /* 2 to the power of 25 */
    const uint32_t root = 0x3f3504f3, one = 0x3f800000;
    const uint32_t bits = to_bits32(large) + (one - root);
    const float m = from_bits32((bits & 0x007fffff) + root);
    const float k = (from_bits32((bits >> 23) | 0x4b000000) - 8388608.0f) - (tiny ? 152.0f : 127.0f);
    const float f = m - 1, s = f / (2 + f), z = s * s;
    float q = 2 / 11.0f;
    q = q * z + 2 / 9.0f;
    q = q * z + 2 / 7.0f;
    q = q * z + 2 / 5.0f;
    q = q * z + 2 / 3.0f;
    const float half = 0.5f * f * f;
    const float small = s * (half + z * q) + k * LOG2_LOW32;
    const float found = k * LOG2_HIGH32 - ((half - small) - f);
    const float outside = x == 0 ? -INFINITY : x < 0 ? NAN : x;
    return (x > 0) & (x < INFINITY) ? found : outside;
}

static inline float quick_log1p32(float x) {
    const float y = 1 + x;
    const float lost = (x - (y - 1)) / y;
    const float found = quick_log32(y) + ((x > -1) & (x < INFINITY) ? lost : 0.0f);
    return fabsf(x) < 1e-8f ? x : found;
}

static inline float quick_expm132(float x) {
    float y = x > 89.0f ? 89.0f : x;
    y = y < -20.0f ? -20.0f : y;
    const float rounded = y * 1.44269504f + ROUNDS32, k = rounded - ROUNDS32;
    const float r = (y - k * LOG2_HIGH32) - k * LOG2_LOW32;
    const float half = two_to32(rounded - 1);
    const float found = 2 * (half * series_of_exp32(r) + (half - 0.5f));
    return fabsf(x) < 1e-8f ? x : found;
}

#undef exp
#undef expm1
#undef log
#undef log1p
#undef tanh
#define exp(x) quick_exp32(x)
#define expm1(x) quick_expm132(x)
#define log(x) quick_log32(x)
#define log1p(x) quick_log1p32(x)
#define tanh(x) quick_tanh32(x)
