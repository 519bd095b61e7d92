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

#define NAME(name) name##_short
#define TARGET
#define Vector Short
#define Half One
#include "_loops.h"
#include "_tiles.h"
#undef NAME
#undef TARGET
#undef Vector
#undef Half

#ifdef __x86_64__
typedef VECTOR(32) Middle;
typedef VECTOR(64) Long;

#define NAME(name) name##_middle
#define TARGET __attribute__((target("avx2,fma")))
#define Vector Middle
#define Half Short
#include "_loops.h"
#include "_tiles.h"
#undef NAME
#undef TARGET
#undef Vector
#undef Half

#define NAME(name) name##_long
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")))
#define Vector Long
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
