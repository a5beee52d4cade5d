/* The part of cmocka that goco's tests use, for targets where cmocka is not installed (cross builds): the same names and results,
 * assertions leave the test by longjmp, a group's result is the number of failed tests. */
#ifndef GO_TESTS_SUPPORT_CMOCKA_H
#define GO_TESTS_SUPPORT_CMOCKA_H

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void (*CMUnitTestFunction)(void **state);
typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    CMUnitTestFunction test_func;
    CMFixtureFunction setup_func;
    CMFixtureFunction teardown_func;
    void *initial_state;
};

static jmp_buf cmocka_leave;
enum { CMOCKA_FAILED = 1, CMOCKA_SKIPPED = 2 };

__attribute__((unused, noreturn)) static void cmocka_fail(const char *file, int line, const char *text)
{
    (void)fprintf(stderr, "%s:%d: error: %s\n", file, line, text);
    longjmp(cmocka_leave, CMOCKA_FAILED);
}

__attribute__((unused)) static void cmocka_compare(int equal, uintmax_t left, uintmax_t right, const char *text, const char *file,
                                                   int line)
{
    if ((left == right) != equal) {
        (void)fprintf(stderr, "%#llx, %#llx\n", (unsigned long long)left, (unsigned long long)right);
        cmocka_fail(file, line, text);
    }
}

__attribute__((unused)) static void cmocka_range(uintmax_t value, uintmax_t low, uintmax_t high, const char *text, const char *file,
                                                 int line)
{
    if (value < low || value > high) {
        (void)fprintf(stderr, "%llu is not from %llu to %llu\n", (unsigned long long)value, (unsigned long long)low,
                      (unsigned long long)high);
        cmocka_fail(file, line, text);
    }
}

/* Each argument is evaluated once. */
#define cmocka_numbers(equal, a, b, text) cmocka_compare(equal, (uintmax_t)(a), (uintmax_t)(b), text, __FILE__, __LINE__)
#define cmocka_pointers(equal, a, b, text) \
    cmocka_compare(equal, (uintptr_t)(const void *)(a), (uintptr_t)(const void *)(b), text, __FILE__, __LINE__)
#define cmocka_claim(claim, text) ((claim) ? (void)0 : cmocka_fail(__FILE__, __LINE__, text))

#define assert_true(c)                    cmocka_claim(c, "not true: " #c)
#define assert_false(c)                   cmocka_claim(!(c), "not false: " #c)
#define assert_int_equal(a, b)            cmocka_numbers(1, a, b, #a " == " #b)
#define assert_int_not_equal(a, b)        cmocka_numbers(0, a, b, #a " != " #b)
#define assert_in_range(value, low, high) cmocka_range((uintmax_t)(value), low, high, "not in range: " #value, __FILE__, __LINE__)
#define assert_return_code(code, error)   cmocka_claim((long long)(code) >= 0, "failed: " #code)
#define assert_null(p)                    cmocka_pointers(1, p, NULL, "not null: " #p)
#define assert_non_null(p)                cmocka_pointers(0, p, NULL, "null: " #p)
#define assert_ptr_equal(a, b)            cmocka_pointers(1, a, b, #a " == " #b)
#define assert_ptr_not_equal(a, b)        cmocka_pointers(0, a, b, #a " != " #b)
#define assert_string_equal(a, b)         cmocka_claim(strcmp((a), (b)) == 0, "strings differ: " #a ", " #b)
#define assert_string_not_equal(a, b)     cmocka_claim(strcmp((a), (b)) != 0, "strings are equal: " #a ", " #b)
#define assert_memory_equal(a, b, size)   cmocka_claim(memcmp((a), (b), (size)) == 0, "memory differs: " #a ", " #b)
#define assert_memory_not_equal(a, b, s)  cmocka_claim(memcmp((a), (b), (s)) != 0, "memory is equal: " #a ", " #b)
#define fail()                            cmocka_fail(__FILE__, __LINE__, "fail()")
#define fail_msg(...)                     ((void)fprintf(stderr, __VA_ARGS__), cmocka_fail(__FILE__, __LINE__, "fail_msg()"))
#define skip()                            longjmp(cmocka_leave, CMOCKA_SKIPPED)
#define print_message(...)                ((void)printf(__VA_ARGS__))
#define print_error(...)                  ((void)fprintf(stderr, __VA_ARGS__))

#define cmocka_unit_test(f)     \
    {                           \
#f, f, NULL, NULL, NULL \
    }
#define cmocka_unit_test_setup(f, setup) \
    {                                    \
#f, f, setup, NULL, NULL         \
    }
#define cmocka_unit_test_teardown(f, teardown) \
    {                                          \
#f, f, NULL, teardown, NULL            \
    }
#define cmocka_unit_test_setup_teardown(f, setup, teardown) \
    {                                                       \
#f, f, setup, teardown, NULL                        \
    }
#define cmocka_unit_test_prestate(f, state) \
    {                                       \
#f, f, NULL, NULL, state            \
    }
#define cmocka_run_group_tests(tests, setup, teardown) \
    cmocka_run(#tests, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
    cmocka_run(name, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

/* One test: 0, CMOCKA_FAILED or CMOCKA_SKIPPED. */
__attribute__((unused)) static int cmocka_run_one(const struct CMUnitTest *test, void *group_state)
{
    void *state = test->initial_state != NULL ? test->initial_state : group_state;
    void **volatile where = &state;
    volatile int result = 0;
    if (test->setup_func != NULL && test->setup_func(where) != 0) {
        return CMOCKA_FAILED;
    }
    int left = setjmp(cmocka_leave);
    if (left == 0) {
        test->test_func(where);
    } else {
        result = left;
    }
    if (test->teardown_func != NULL && test->teardown_func(where) != 0) {
        result = CMOCKA_FAILED;
    }
    return result;
}

__attribute__((unused)) static int cmocka_run(const char *name, const struct CMUnitTest *tests, size_t count,
                                              CMFixtureFunction setup, CMFixtureFunction teardown)
{
    static const char *const words[] = {"      OK", "  FAILED", " SKIPPED"};
    void *state = NULL;
    int failed = 0;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)printf("[==========] %s: Running %zu test(s).\n", name, count);
    if (setup != NULL && setup(&state) != 0) {
        (void)printf("[  FAILED  ] GROUP SETUP\n");
        return (int)count;
    }
    for (size_t i = 0; i < count; i++) {
        (void)printf("[ RUN      ] %s\n", tests[i].name);
        int result = cmocka_run_one(&tests[i], state);
        failed += result == CMOCKA_FAILED;
        (void)printf("[ %s ] %s\n", words[result], tests[i].name);
    }
    if (teardown != NULL && teardown(&state) != 0) {
        (void)printf("[  FAILED  ] GROUP TEARDOWN\n");
        failed++;
    }
    (void)printf("[==========] %zu test(s) run, %d failed.\n", count, failed);
    return failed;
}

#endif
