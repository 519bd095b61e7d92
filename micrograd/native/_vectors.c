/* The executor's innermost loops, compiled for several kinds of processor: see _kernels.h. Rows are computed with
 * the functions of _functions.h here, many numbers at once; for single numbers those of math.h are quicker. */
#include <math.h>
#include <stdint.h>
#include <string.h>

/* What is called instead is computed number by number. */
#ifdef __GNUC__
#define inline inline __attribute__((always_inline))
#endif

#include "_functions.h"
#ifdef SINGLE
#include "_functions32.h"
#endif

#include "_angles.h"

#include "_kernels.h"

/* Long functions are compiled once, and called for each number. */
#ifdef __GNUC__
#define CALLED(name) static __attribute__((noinline)) number name##_called(number x) { return name##_value(x); }
#else
#define CALLED(name) static number name##_called(number x) { return name##_value(x); }
#endif
LONG_UNARY(CALLED)

/* Operands may be the result itself, number by number, and otherwise do not overlap it: see `overlap`
 * in programs/run/axes.py. So the numbers of one loop do not depend on each other. */
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT
#endif

#ifdef __GNUC__
#define VECTOR(bytes) __attribute__((vector_size(bytes), aligned(sizeof(number)), may_alias)) number
typedef __attribute__((may_alias)) number One;
typedef VECTOR(16) Short;
#define LANES ((int)(sizeof(Vector) / sizeof(number)))

/* A vector of these places of two others, which are counted through both. */
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLED(a, b, ...) __builtin_shuffle(a, b, (__typeof__((a) < (b))){__VA_ARGS__})
#endif
/* The first so many numbers of every twice as many, and those behind them. */
#define LOWER(e, width) ((e) / (width)*2 * (width) + (e) % (width)) % (2 * LANES)
#define UPPER(e, width) (LOWER(e, width) + (width)) % (2 * LANES)
#define TWO(of, e, width) of(e, width), of(e + 1, width)
#define FOUR(of, e, width) TWO(of, e, width), TWO(of, e + 2, width)
#define EIGHT(of, e, width) FOUR(of, e, width), FOUR(of, e + 4, width)
#define SIXTEEN(of, e, width) EIGHT(of, e, width), EIGHT(of, e + 8, width)
#ifdef SINGLE
#define PLACES_SHORT FOUR
#define PLACES_MIDDLE EIGHT
#define PLACES_LONG SIXTEEN
#else
#define PLACES_SHORT TWO
#define PLACES_MIDDLE FOUR
#define PLACES_LONG EIGHT
#endif

#define NAME(name) name##_short
#define TARGET
#define Vector Short
#define PLACES PLACES_SHORT
#define Half One
#include "_loops.h"
#include "_tiles.h"
#undef NAME
#undef TARGET
#undef Vector
#undef PLACES
#undef Half

#ifdef __x86_64__
typedef VECTOR(32) Middle;
typedef VECTOR(64) Long;

#define NAME(name) name##_middle
#define TARGET __attribute__((target("avx2,fma")))
#define Vector Middle
#define PLACES PLACES_MIDDLE
#define Half Short
#include "_loops.h"
#include "_tiles.h"
#undef NAME
#undef TARGET
#undef Vector
#undef PLACES
#undef Half

#define NAME(name) name##_long
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")))
#define Vector Long
#define PLACES PLACES_LONG
#define Half Middle
#include "_loops.h"
#include "_tiles.h"

const Kernels *micrograd_kernels(int most) {
    __builtin_cpu_init();
    if (most < 4 || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return &kernels_short;
    const int is_long = most >= 8 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    return is_long ? &kernels_long : &kernels_middle;
}
#else
const Kernels *micrograd_kernels(int most) { return (void)most, &kernels_short; }
#endif

#else /* C without vectors */
#define NAME(name) name
#define TARGET
#include "_loops.h"

static const Kernels plain = {loops, NULL, NULL, NULL, NULL, NULL};

const Kernels *micrograd_kernels(int most) { return (void)most, &plain; }
#endif
