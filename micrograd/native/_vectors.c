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
#define VECTOR(lanes) __attribute__((vector_size(8 * lanes), aligned(8), may_alias)) double
typedef __attribute__((may_alias)) double One;
typedef VECTOR(2) Two;

#define NAME(name) name##_by_two
#define TARGET
#define LANES 2
#define Vector Two
#define Half One
#include "_loops.h"
#include "_tiles.h"
#undef NAME
#undef TARGET
#undef LANES
#undef Vector
#undef Half

#ifdef __x86_64__
typedef VECTOR(4) Four;
typedef VECTOR(8) Eight;

#define NAME(name) name##_by_four
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 4
#define Vector Four
#define Half Two
#include "_loops.h"
#include "_tiles.h"
#undef NAME
#undef TARGET
#undef LANES
#undef Vector
#undef Half

#define NAME(name) name##_by_eight
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")))
#define LANES 8
#define Vector Eight
#define Half Four
#include "_loops.h"
#include "_tiles.h"

const Kernels *micrograd_kernels(int most) {
    __builtin_cpu_init();
    if (most < 4 || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return &kernels_by_two;
    const int eight = most >= 8 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    return eight ? &kernels_by_eight : &kernels_by_four;
}
#else
const Kernels *micrograd_kernels(int most) { return (void)most, &kernels_by_two; }
#endif

#else /* C without vectors */
#define NAME(name) name
#define TARGET
#include "_loops.h"

static const Kernels plain = {loops, NULL, NULL, NULL, NULL, NULL};

const Kernels *micrograd_kernels(int most) { return (void)most, &plain; }
#endif
