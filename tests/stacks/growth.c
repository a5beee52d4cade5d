/* Split code on 2 KB: everything C can do to a stack. Compiled with -fsplit-stack and linked by a linker that knows it; also
 * run without either, where the same functions run on reserved slots (GROWTH_SLOT). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>
#include <unwind.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "stacks/harness.h"

#ifdef GROWTH_RESERVED
#define SLOT      HARNESS_RESERVED
#define LAST_SLOT HARNESS_RESERVED /* 100 KiB would not do */
#define SPLIT     0
#else
#define SLOT      HARNESS_SMALL
#define LAST_SLOT HARNESS_CUSTOM
#define SPLIT     1
#endif

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone, noipa))
#endif

static void prints_a_double(void *arg)
{
    char text[64];
    CHECK(!harness_on_small() || harness_segments() == 1); /* this function calls libc */
    int n = snprintf(text, sizeof text, "%.3f|%d", 3.14159, 42);
    CHECK(n == 8 && strcmp(text, "3.142|42") == 0);
    (void)arg;
}

static NOINLINE void print_in_helper(void)
{
    char text[64];
    CHECK(snprintf(text, sizeof text, "%g", 0.5) == 3);
}

static void parks_at_2k_when_libc_is_in_a_helper(void *arg)
{
    (void)arg;
    print_in_helper();
    CHECK(harness_on_slot());
    harness_park();
    print_in_helper();
    CHECK(!harness_on_small() || harness_segments() == 0);
    CHECK(harness_limit_is_true());
}

static int compare_and_park(const void *a, const void *b)
{
    harness_park();
    return *(const int *)a - *(const int *)b;
}

static void sorts_with_a_parking_comparator(void *arg)
{
    int v[50];
    (void)arg;
    for (int i = 0; i < 50; i++) {
        v[i] = (i * 37) % 50;
    }
    qsort(v, 50, sizeof v[0], compare_and_park);
    for (int i = 0; i < 50; i++) {
        CHECK(v[i] == i);
    }
}

static NOINLINE int touch(volatile char *block, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i += 64) {
        block[i] = (char)(i >> 6);
    }
    for (int i = 0; i < n; i += 64) {
        sum += block[i] == (char)(i >> 6);
    }
    return sum;
}

static NOINLINE int vla(int n)
{
    char block[n];
    int sum = touch(block, n);
    harness_park();
    return sum + touch(block, n);
}

static NOINLINE int allocas(int n)
{
    char *a = __builtin_alloca((size_t)n);
    char *b = __builtin_alloca((size_t)n);
    touch(a, n);
    int sum = touch(b, n);
    for (int i = 0; i < n; i += 64) {
        sum += a[i] == (char)(i >> 6);
    }
    return sum;
}

static NOINLINE int vla_in_a_loop(int n, int turns)
{
    int sum = 0;
    for (int i = 0; i < turns; i++) {
        char block[n + i % 64];
        sum += touch(block, n);
        CHECK(harness_segments() <= 2);
    }
    return sum;
}

static void allocates_on_the_stack(void *arg)
{
    (void)arg;
    for (int n = 64; n <= 100 * 1024; n = n * 3 / 64 * 64 + 64) {
        CHECK(vla(n) == 2 * ((n + 63) / 64));
        CHECK(allocas(n) == 2 * ((n + 63) / 64));
    }
    CHECK(vla(100 * 1024) == 3200);
    CHECK(vla_in_a_loop(100 * 1024, 300) == 300 * 1600);
    CHECK(vla_in_a_loop(1500, 300) == 300 * 24);
    print_in_helper();
    CHECK(!harness_on_small() || harness_segments() == 0);
    CHECK(harness_limit_is_true());
}

struct big {
    long v[40];
};

static NOINLINE long twenty(int a, double b, long c, float d, char e, struct big f, short g, unsigned h, double i, long double j,
                            int k, int l, double m, float n, long o, struct big p, char q, int r, double s, long t)
{
    volatile char frame[1500];
    touch(frame, 1500);
    return (long)(a + b + (double)c + (double)d + e + (double)f.v[7] + g + h + i + (double)j + k + l + m + (double)n + (double)o +
                  (double)p.v[39] + q + r + s + (double)t);
}

static NOINLINE struct big make(long first)
{
    struct big b;
    char text[32];
    snprintf(text, sizeof text, "%ld", first);
    for (int i = 0; i < 40; i++) {
        b.v[i] = atol(text) + i;
    }
    return b;
}

struct pair {
    double d;
    long l;
};

static NOINLINE struct pair pair(double d, long l)
{
    volatile char frame[1400];
    touch(frame, 1400);
    return (struct pair){d * 2, l * 3};
}

static NOINLINE long double widened(long double x)
{
    volatile char frame[1400];
    touch(frame, 1400);
    return x * 2;
}

#if defined(__x86_64__)
typedef double wide __attribute__((vector_size(32), aligned(32)));
struct on_stack {
    _Alignas(64) int v[16];
};
static NOINLINE int aligned_argument(int a, struct on_stack s)
{
    volatile char frame[1400];
    touch(frame, 1400);
    return (((uintptr_t)&s & 63) == 0) + s.v[3] + a;
}
#endif

static void passes_arguments_through_growth(void *arg)
{
    (void)arg;
    struct big b = make(100);
    CHECK(b.v[39] == 139);
    CHECK(twenty(1, 2, 3, 4, 5, b, 6, 7, 8, 9, 10, 11, 12, 13, 14, b, 15, 16, 17, 18) ==
          1 + 2 + 3 + 4 + 5 + 107 + 6 + 7 + 8 + 9 + 10 + 11 + 12 + 13 + 14 + 139 + 15 + 16 + 17 + 18);
    struct pair p = pair(1.5, 7);
    CHECK(p.d == 3.0 && p.l == 21);
    CHECK(widened(1.25L) == 2.5L);
#if defined(__x86_64__)
    struct on_stack s = {.v = {0, 0, 0, 41}};
    CHECK(aligned_argument(1, s) == 43);
#endif
}

#ifndef __clang__ /* clang 14 cannot compile variadic definitions with -fsplit-stack */
static NOINLINE int sum_all(int count, ...)
{
    va_list list;
    va_start(list, count);
    int sum = 0;
    for (int i = 0; i < count; i++) {
        sum += i % 2 == 0 ? va_arg(list, int) : (int)va_arg(list, double);
    }
    va_end(list);
    return sum;
}

static NOINLINE int sum_big(int a, int b, int c, int d, int e, int f, int g, int count, ...)
{
    volatile char frame[1400];
    va_list list;
    va_start(list, count);
    int sum = touch(frame, 1400) + a + b + c + d + e + f + g;
    for (int i = 0; i < count; i++) {
        sum += va_arg(list, int);
    }
    va_end(list);
    return sum;
}

static NOINLINE int format_all(char *to, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(to, size, format, list);
    va_end(list);
    return n;
}

static NOINLINE void variadic_round(void)
{
    CHECK(sum_all(12, 1, 2.0, 3, 4.0, 5, 6.0, 7, 8.0, 9, 10.0, 11, 12.0) == 78);
    CHECK(sum_big(1, 2, 3, 4, 5, 6, 7, 3, 8, 9, 10) == 22 + 55);
    char text[100];
    CHECK(format_all(text, sizeof text, "%d %s %.1f %d %d %d %d %d", 1, "two", 3.0, 4, 5, 6, 7, 8) == 19);
    CHECK(strcmp(text, "1 two 3.0 4 5 6 7 8") == 0);
}

static void calls_variadic_functions(void *arg)
{
    (void)arg;
    variadic_round();
    harness_poison();
    variadic_round();
}

static void nested_functions_keep_their_chain(void *arg)
{
    (void)arg;
    int total = 0;
    __attribute__((noinline)) int add(int n)
    {
        volatile char frame[1400];
        total += touch(frame, 1400);
        char text[20];
        snprintf(text, sizeof text, "%d", n);
        total += n;
        return n > 0 ? add(n - 1) : total;
    }
    CHECK(add(4) == 5 * 22 + 10);
}
#endif

static NOINLINE long recurse(long depth, long *shared)
{
    volatile long here = depth;
    if (depth == 0) {
        *shared = 4711; /* the first frame's variable, far below */
        return 0;
    }
    long r = recurse(depth - 1, shared) + 1;
    return r + (here - depth);
}

static void recurses_100000_deep(void *arg)
{
    (void)arg;
    long shared = 0;
    CHECK(recurse(100000, &shared) == 100000);
    CHECK(shared == 4711);
    CHECK(harness_segments() == 0);
    CHECK(recurse(20, &shared) == 20);
}

/* Called when a function has crossed before: the way that was taken then is short. */
static void preemption_takes_nobody_to_a_segment(void *arg)
{
    (void)arg;
    long shared = 0;
    bool small = harness_on_small();
    CHECK(recurse(1000, &shared) == 1000);
    harness_poison();
    CHECK(!small || harness_segments() == 0);
}

static NOINLINE long recurse_printing(long depth)
{
    char text[200];
    int n = snprintf(text, sizeof text, "%ld", depth);
    return depth == 0 ? n : recurse_printing(depth - 1) + (text[0] != '\0');
}

static void recurses_with_libc_calls(void *arg)
{
    (void)arg;
    CHECK(recurse_printing(5000) == 5001);
}

static jmp_buf place;

static NOINLINE int jump_from(int depth)
{
    volatile char frame[1000];
    touch(frame, 1000);
    if (depth == 0) {
        longjmp(place, 1);
    }
    return jump_from(depth - 1) + frame[0];
}

static NOINLINE int deep_but_bounded(int n)
{
    volatile char frame[150];
    frame[0] = (char)n;
    return n == 0 ? 0 : deep_but_bounded(n - 1) + 1 + (frame[0] != (char)n);
}

static NOINLINE int jump_and_land(int depth)
{
    if (setjmp(place) == 0) {
        jump_from(depth);
        return 0;
    }
    return 1;
}

static jmp_buf small_place;
static NOINLINE void jump_to_small(int depth)
{
    volatile char frame[1000];
    touch(frame, 1000);
    if (depth == 0) {
        __builtin_longjmp(small_place, 1);
    }
    jump_to_small(depth - 1);
    frame[1] = 0;
}

/* The builtins call nothing, so this function's frame stays on the small stack. */
static NOINLINE int land_on_small(int depth)
{
    if (__builtin_setjmp(small_place) == 0) {
        jump_to_small(depth);
        return 0;
    }
    return deep_but_bounded(40);
}

static void longjmp_leaves_segments_behind(void *arg)
{
    (void)arg;
    for (int depth = 0; depth < 3000; depth = depth * 5 + 1) {
        CHECK(jump_and_land(depth) == 1);
        CHECK(deep_but_bounded(200) == 200);
        CHECK(land_on_small(depth) == 40);
        CHECK(deep_but_bounded(200) == 200);
        CHECK(harness_segments() == 0);
        CHECK(harness_limit_is_true());
        harness_park();
    }
}

static NOINLINE double vector_arguments(double a, double b, double c, double d, double e, double f, double g, double h, int i,
                                        int j, int k, int l, int m, int n, long on_stack)
{
    volatile int used[20]; /* clang leaves the check out of functions without a frame */
    used[3] = i;
    return used[3] - i + a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + i + j + k + l + m + n + (double)on_stack;
}

#if defined(__x86_64__)
__attribute__((target("avx"))) static NOINLINE double wide_argument(wide w)
{
    return w[0] + w[1] + w[2] + w[3];
}

__attribute__((target("avx"))) static NOINLINE double call_wide(void)
{
    wide w = {1, 2, 3, 4};
    __asm__ volatile("" : "+x"(w));
    harness_poison();
    return wide_argument(w);
}
#endif

static NOINLINE double poisoned_call(void)
{
    harness_poison();
    return vector_arguments(1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7);
}

static NOINLINE int poisoned_vla(int n)
{
    harness_poison(); /* after the prologue: the VLA's own check meets it */
    char block[n];
    return touch(block, n);
}

static void preemption_keeps_registers(void *arg)
{
    (void)arg;
    int before = harness_preempts();
    for (int i = 0; i < 20; i++) {
        CHECK(poisoned_call() == 204 + 28);
        CHECK(harness_segments() == 0);
    }
    CHECK(!SPLIT || before < 0 || harness_preempts() == before + 20);
    harness_poison();
    print_in_helper();
    harness_poison();
    harness_park(); /* the poison is saved and comes back */
    CHECK(deep_but_bounded(3) == 3);
    CHECK(!SPLIT || harness_limit_is_true());
    harness_poison();
    CHECK(vla(50000) == 2 * 782);
    CHECK(poisoned_vla(50000) == 782);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx")) {
        CHECK(call_wide() == 10);
    }
#endif
    CHECK(recurse(1000, &(long){0}) == 1000);
}

static void preemption_may_park(void *arg)
{
    (void)arg;
    harness_preempt_hook = harness_park;
    CHECK(poisoned_call() == 204 + 28);
    print_in_helper();
    harness_poison();
    CHECK(recurse(30000, &(long){0}) == 30000);
    harness_preempt_hook = NULL;
}

struct walk {
    int frames;
    bool reached;
};
static void walk_from_here(void *arg);

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    walk->frames++;
    uintptr_t start = _Unwind_GetRegionStart(context);
    walk->reached = walk->reached || start == (uintptr_t)walk_from_here;
    return _URC_NO_REASON;
}

static NOINLINE int walk_deep(int depth, struct walk *walk)
{
    if (depth == 0) {
        _Unwind_Backtrace(count_frame, walk);
        return 0;
    }
    volatile int one = 1; /* keeps the recursion from becoming a loop */
    return walk_deep(depth - 1, walk) + one;
}

static void walk_from_here(void *arg)
{
    (void)arg;
    struct walk walk = {0, false};
    CHECK(walk_deep(100, &walk) == 100);
    CHECK(walk.reached && walk.frames > 100);
}

static void exits_on_a_segment(void *arg)
{
    (void)arg;
    char text[20];
    snprintf(text, sizeof text, "%d", 5);
    harness_exit();
}

static volatile int signals_seen;
static volatile bool signal_on_goroutine;

static NOINLINE int handler_depth(int n)
{
    volatile char frame[300];
    frame[n] = 1;
    return n == 0 ? 0 : handler_depth(n - 1) + frame[n];
}

static void on_signal(int signo)
{
    (void)signo;
    handler_depth(5); /* split code, on a stack that the limit word says nothing about */
    signals_seen++;
    signal_on_goroutine = signal_on_goroutine || harness_on_slot();
}

static void signals_run_elsewhere(void *arg)
{
    (void)arg;
    int before = signals_seen;
    for (volatile int i = 0; i < 500000000 && signals_seen < before + 5; i = i + 1) {
        if (i % 1000 == 0) {
            deep_but_bounded(30);
        }
    }
}

static const struct {
    const char *name;
    void (*fn)(void *arg);
} cases[] = {
#define CASE(fn) \
    {            \
#fn, fn  \
    }
    CASE(prints_a_double),
#if SPLIT
    CASE(parks_at_2k_when_libc_is_in_a_helper),
#endif
    CASE(sorts_with_a_parking_comparator),
    CASE(allocates_on_the_stack),
    CASE(passes_arguments_through_growth),
#ifndef __clang__
    CASE(calls_variadic_functions),
    CASE(nested_functions_keep_their_chain),
#endif
#if SPLIT
    CASE(recurses_100000_deep),
    CASE(preemption_takes_nobody_to_a_segment),
    CASE(recurses_with_libc_calls),
#endif
    CASE(longjmp_leaves_segments_behind),
    CASE(preemption_keeps_registers),
    CASE(preemption_may_park),
    CASE(walk_from_here),
    CASE(exits_on_a_segment),
    CASE(signals_run_elsewhere),
};

int main(int argc, char **argv)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGVTALRM, &action, NULL);
    struct itimerval every_ms = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_VIRTUAL, &every_ms, NULL); /* all along: handlers interrupt morestack too */
    for (int round = 0; round < 3; round++) {
        harness_start(SPLIT ? 0 : (size_t)8 << 20, 0);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            if (argc > 1 && strcmp(argv[1], cases[i].name) != 0) {
                continue;
            }
            if (round == 0) {
                printf("%s\n", cases[i].name);
                fflush(stdout);
            }
            for (enum harness_slot slot = SLOT; slot <= LAST_SLOT; slot++) {
                harness_run(slot, cases[i].fn, NULL);
            }
        }
        harness_stop();
    }
    CHECK(signals_seen > 0 && !signal_on_goroutine);
    puts("all passed");
    return 0;
}
