/* GOCO_DEBUG's list, and the words and durations of reports. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "debug/debug.h"
#include "sched/hooks.h"

static void test_option_is_found_anywhere_in_the_list(void **state)
{
    (void)state;
    char value[16];
    assert_true(go__option("leak=1,trace=out.json,seed=7", "trace", value, sizeof value));
    assert_string_equal(value, "out.json");
    assert_true(go__option("leak=1, seed=7", "seed", value, sizeof value));
    assert_string_equal(value, "7");
    assert_true(go__option("leak", "leak", value, sizeof value));
    assert_string_equal(value, "");
    assert_true(go__option("seed=1,seed=2", "seed", value, sizeof value));
    assert_string_equal(value, "2");
}

static void test_option_needs_its_whole_name(void **state)
{
    (void)state;
    char value[16];
    assert_false(go__option("leaks=1,xleak=1", "leak", value, sizeof value));
    assert_false(go__option("", "leak", value, sizeof value));
    assert_false(go__option(NULL, "leak", value, sizeof value));
    assert_false(go__option(",,,", "leak", value, sizeof value));
    assert_false(go__option("trace=leak", "leak", value, sizeof value));
}

static void test_option_value_is_cut_to_fit(void **state)
{
    (void)state;
    char value[4];
    assert_true(go__option("trace=abcdef", "trace", value, sizeof value));
    assert_string_equal(value, "abc");
}

static void test_flags_and_numbers_come_from_the_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("GOCO_DEBUG", "leak,schedtrace=250,seed=0x10,trace=x", 1), 0);
    assert_true(go__debug_flag("leak"));
    assert_false(go__debug_flag("trace"));
    assert_false(go__debug_flag("other"));
    assert_int_equal(go__debug_value("schedtrace", 0), 250);
    assert_int_equal(go__debug_value("seed", 0), 16);
    assert_int_equal(go__debug_value("trace", -5), -5);
    assert_int_equal(go__debug_value("other", 9), 9);
    assert_int_equal(setenv("GOCO_DEBUG", "leak=0", 1), 0);
    assert_false(go__debug_flag("leak"));
    assert_int_equal(unsetenv("GOCO_DEBUG"), 0);
    assert_false(go__debug_flag("leak"));
}

/* What `write` puts out, as a string. */
static const char *written(int fd)
{
    static char text[1 << 16];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    (void)close(fd);
    return text;
}

static void test_each_unknown_setting_gets_one_line(void **state)
{
    (void)state;
    int fd = memfd_create("text", 0);
    go__options_check("leak=1,colour=red,trace=a,wat,schedtrace=1,seed=1", fd);
    assert_string_equal(written(fd), "goco: GOCO_DEBUG: unknown setting \"colour\"\n"
                                     "goco: GOCO_DEBUG: unknown setting \"wat\"\n");
}

static void assert_duration(int64_t ns, const char *expected)
{
    int fd = memfd_create("text", 0);
    struct go__out out;
    go__out_init(&out, fd);
    go__out_duration(&out, ns);
    go__out_flush(&out);
    assert_string_equal(written(fd), expected);
}

static void test_durations_have_two_or_three_digits(void **state)
{
    (void)state;
    assert_duration(0, "0ns");
    assert_duration(-4, "0ns");
    assert_duration(999, "999ns");
    assert_duration(1500, "1.5us");
    assert_duration(3200000000, "3.2s");
    assert_duration(250000000, "250ms");
    assert_duration(90 * INT64_C(1000000000), "1.5m");
    assert_duration(7200 * INT64_C(1000000000), "2.0h");
}

static void test_long_text_is_written_whole(void **state)
{
    (void)state;
    static char text[10000];
    memset(text, 'x', sizeof text - 1);
    int fd = memfd_create("text", 0);
    struct go__out out;
    go__out_init(&out, fd);
    go__out_hex(&out, UINT64_MAX);
    go__out_number(&out, UINT64_MAX);
    go__out_text(&out, text);
    go__out_flush(&out);
    const char *all = written(fd);
    assert_memory_equal(all, "0xffffffffffffffff18446744073709551615x", 39);
    assert_int_equal(strlen(all), 38 + sizeof text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_option_is_found_anywhere_in_the_list),
        cmocka_unit_test(test_option_needs_its_whole_name),
        cmocka_unit_test(test_option_value_is_cut_to_fit),
        cmocka_unit_test(test_flags_and_numbers_come_from_the_environment),
        cmocka_unit_test(test_each_unknown_setting_gets_one_line),
        cmocka_unit_test(test_durations_have_two_or_three_digits),
        cmocka_unit_test(test_long_text_is_written_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
