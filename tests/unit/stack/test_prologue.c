/* What the decoder says of prologues as compilers and linkers write them, and of functions that have none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "stack/stack.h"

static int start(void **state)
{
    (void)state;
    struct go__stacks_config config = {.reserve = (size_t)256 << 10, .max = (size_t)64 << 20};
    return go__stacks_init(&config);
}

static int stop(void **state)
{
    (void)state;
    go__stacks_destroy();
    return 0;
}

typedef void (*entry)(void *arg);

static bool is_split(const char *bytes, size_t size)
{
    /* Every call at an address of its own: answers are cached by address. */
    static unsigned char code[64][64];
    static unsigned used;
    unsigned char *at = code[used++ % 64];
    memset(at, 0x90, sizeof code[0]);
    memcpy(at, bytes, size);
    union {
        unsigned char *data;
        entry fn;
    } address = {at};
    return go__entry_is_split(address.fn);
}

#define SPLIT(bytes)     assert_true(is_split(bytes, sizeof bytes - 1))
#define NOT_SPLIT(bytes) assert_false(is_split(bytes, sizeof bytes - 1))

static void test_prologues_with_the_check_are_recognised(void **state)
{
    (void)state;
    if (!go__stacks_small_on()) {
        skip();
    }
    SPLIT("\x64\x48\x3b\x24\x25\x70\x00\x00\x00\x72\x10");                             /* cmp, gcc */
    SPLIT("\x64\x48\x3b\x24\x25\x70\x00\x00\x00\x76\x10");                             /* cmp, clang */
    SPLIT("\x4c\x8d\x9c\x24\x58\xf0\xff\xff\x64\x4c\x3b\x1c\x25\x70\x00\x00\x00\x72"); /* lea r11 */
    SPLIT("\x4c\x8d\x94\x24\x58\xf0\xff\xff\x64\x4c\x3b\x14\x25\x70\x00\x00\x00\x72"); /* lea r10 */
    SPLIT("\x49\xbb\xf8\xa1\x2f\x4d\xff\xff\xff\xff\x49\x01\xe3\x64\x4c\x3b\x1c\x25\x70\x00\x00\x00\x72");
    SPLIT("\xf9\x0f\x1f\x84\x00\x00\x00\x00\x00\x72\x10"); /* rewritten by gold and lld */
}

static void test_prologues_without_the_check_are_refused(void **state)
{
    (void)state;
    NOT_SPLIT("\x55\x48\x89\xe5");                                     /* push rbp */
    NOT_SPLIT("\xf3\x0f\x1e\xfa\x64\x48\x3b\x24\x25\x70\x00\x00\x00"); /* endbr64: the linkers cannot rewrite it */
    NOT_SPLIT("\x64\x48\x3b\x24\x25\x78\x00\x00\x00");                 /* another word of the thread block */
    NOT_SPLIT("\x64\x48\x8b\x04\x25\x28\x00\x00\x00");                 /* stack protector */
    NOT_SPLIT("\x4c\x8d\x9c\x24\x58\xf0\xff\xff\x90\x90\x90\x90\x90\x90\x90\x90\x90");
    NOT_SPLIT("\xf9\xc3");
    NOT_SPLIT("\xc3");
}

static void without_check(void *arg) GO__NO_SPLIT;
static void without_check(void *arg)
{
    *(int *)arg = 1;
}

static void with_check_if_compiled_so(void *arg)
{
    volatile char frame[64];
    frame[*(int *)arg & 63] = 1;
    *(int *)arg = frame[0];
}

static void test_this_file_is_recognised_as_compiled(void **state)
{
    (void)state;
    assert_false(go__entry_is_split(without_check));
#ifdef __SPLIT_STACK__
    assert_int_equal(go__entry_is_split(with_check_if_compiled_so), go__stacks_small_on());
#else
    (void)go__entry_is_split(with_check_if_compiled_so);
#endif
    for (int i = 0; i < 3; i++) { /* the cached answer is the same */
        assert_false(go__entry_is_split(without_check));
    }
}

static void test_small_stacks_can_be_turned_off(void **state)
{
    (void)state;
    struct go__stacks_config config = {.reserve = (size_t)256 << 10, .max = (size_t)64 << 20, .no_small = true};
    assert_int_equal(go__stacks_init(&config), 0);
    assert_false(go__stacks_small_on());
    assert_false(go__entry_is_split(with_check_if_compiled_so));
    go__stacks_destroy();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_prologues_with_the_check_are_recognised),
        TEST(test_prologues_without_the_check_are_refused),
        TEST(test_this_file_is_recognised_as_compiled),
        cmocka_unit_test(test_small_stacks_can_be_turned_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
