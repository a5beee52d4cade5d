/* Names for addresses, and the walk over a stack that nobody runs on. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/gobuf.h"
#include "debug/debug.h"
#include "stack/overflow.h"

static GO__NOINLINE int a_static_function(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x + 1;
}

static void test_static_function_has_its_name(void **state)
{
    (void)state;
    struct go__symbols *symbols = go__symbols_open();
    struct go__symbol found;
    assert_int_equal(a_static_function(1), 2);
    go__symbols_find(symbols, (uintptr_t)a_static_function, &found);
    assert_string_equal(found.name, "a_static_function");
    assert_int_equal(found.offset, 0);
    assert_non_null(strstr(found.object, "test_symbols"));
    go__symbols_find(symbols, (uintptr_t)a_static_function + 3, &found);
    assert_string_equal(found.name, "a_static_function");
    assert_int_equal(found.offset, 3);
    go__symbols_close(symbols);
}

static void test_function_of_a_library_has_a_name_and_its_file(void **state)
{
    (void)state;
    struct go__symbols *symbols = go__symbols_open();
    struct go__symbol found;
    go__symbols_find(symbols, (uintptr_t)getpid + 1, &found);
    assert_non_null(strstr(found.name, "getpid"));
    assert_true(found.object[0] != '\0');
    go__symbols_close(symbols);
}

static void test_address_outside_code_has_no_name(void **state)
{
    (void)state;
    struct go__symbols *symbols = go__symbols_open();
    struct go__symbol found;
    int on_stack;
    go__symbols_find(symbols, (uintptr_t)&on_stack, &found);
    assert_string_equal(found.name, "");
    go__symbols_find(symbols, 0, &found);
    assert_string_equal(found.name, "");
    go__symbols_find(NULL, (uintptr_t)a_static_function, &found); /* no memory for a table */
    assert_string_equal(found.name, "");
    assert_int_equal(found.offset, (uintptr_t)a_static_function);
    go__symbols_close(symbols);
    go__symbols_close(NULL);
}

static void test_symbol_name_is_one_line_of_text(void **state)
{
    (void)state;
    char text[200];
    go__symbol_name((void *)((uintptr_t)a_static_function + 1), text, sizeof text);
    assert_non_null(strstr(text, "a_static_function+0x1 ("));
    go__symbol_name(NULL, text, sizeof text);
    assert_true(strlen(text) > 0);
    char tiny[4];
    go__symbol_name((void *)(uintptr_t)a_static_function, tiny, sizeof tiny);
    assert_true(strlen(tiny) < sizeof tiny);
}

/* The file as it is, then with each of its header and section bytes broken in turn, then cut: never a read outside. The image ends
 * at an unmapped page, so that one would fault. */
static void test_broken_elf_files_are_survived(void **state)
{
    (void)state;
    int fd = open("/proc/self/exe", O_RDONLY);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    size_t size = (size_t)status.st_size;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (size + page - 1) / page * page;
    char *map = (char *)mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + room, page, PROT_NONE), 0);
    assert_int_equal(pread(fd, map, size, 0), (ssize_t)size);
    (void)close(fd);

    uint64_t start = 0, value = 0;
    (void)go__elf_find(map, size, 0x1234, &start);
    unsigned seed = 1;
    for (int round = 0; round < 400; round++) {
        size_t at;
        seed = seed * 1103515245u + 12345u;
        if (round % 2 == 0) {
            at = (seed >> 8) % 64; /* the header */
        } else {
            uint64_t sections; /* e_shoff */
            memcpy(&sections, map + 40, sizeof sections);
            at = (size_t)sections + (seed >> 8) % (size - (size_t)sections);
        }
        char old = map[at];
        map[at] = (char)(seed >> 16);
        value = (seed >> 4) & 0xffff;
        (void)go__elf_find(map, size, value, &start);
        map[at] = old;
    }
    for (size_t cut = 0; cut < size; cut += size / 50 + 1) {
        char *moved = map + room - cut / 8 * 8; /* flush against the unmapped page */
        memmove(moved, map, cut / 8 * 8 < (size_t)(moved - map) ? cut / 8 * 8 : 0);
        (void)go__elf_find(moved, cut / 8 * 8, 0x1234, &start);
    }
    (void)munmap(map, room + page);
}

static struct go__gobuf outside, inside;

static GO__NOINLINE void innermost(int depth)
{
    go__switch(&inside, &outside);
    __asm__ volatile("" : "+r"(depth));
}

static GO__NOINLINE void recursive(int depth) /* NOLINT(misc-no-recursion) */
{
    if (depth == 0) {
        innermost(depth);
    } else {
        recursive(depth - 1);
    }
    __asm__ volatile("" : "+r"(depth)); /* no tail call */
}

static const struct go__gobuf *parked_entry(void *arg)
{
    recursive((int)(intptr_t)arg);
    for (;;) {
        innermost(0);
    }
    return NULL;
}

static void park_at_depth(intptr_t depth, struct go__backtrace *trace)
{
    static GO__ALIGNED(16) char stack[1 << 16];
    go__gobuf_init(&inside, stack + sizeof stack, 0, parked_entry, (void *)depth);
    go__switch(&outside, &inside);
    go__backtrace_parked(trace, &inside);
}

static void assert_frame(const struct go__backtrace *trace, int i, const char *name)
{
    struct go__symbols *symbols = go__symbols_open();
    struct go__symbol found;
    assert_true(i < trace->count);
    go__symbols_find(symbols, trace->pc[i] - 1, &found);
    found.name[strcspn(found.name, ".")] = '\0'; /* the compiler may have cloned it: innermost.constprop.0 */
    assert_string_equal(found.name, name);
    go__symbols_close(symbols);
}

static void test_parked_stack_is_walked_to_its_entry(void **state)
{
    (void)state;
    struct go__backtrace trace;
    park_at_depth(3, &trace);
    assert_frame(&trace, 0, "innermost");
    for (int i = 1; i <= 4; i++) {
        assert_frame(&trace, i, "recursive");
    }
    assert_frame(&trace, 5, "parked_entry");
    assert_int_equal(trace.count, 6);
    assert_false(trace.cut);
}

static void test_deep_stack_is_cut(void **state)
{
    (void)state;
    struct go__backtrace trace;
    park_at_depth(GO__BACKTRACE_MAX + 50, &trace);
    assert_int_equal(trace.count, GO__BACKTRACE_MAX);
    assert_true(trace.cut);
    assert_frame(&trace, trace.count - 1, "recursive");
}

static void test_fresh_stack_has_no_frames_of_ours(void **state)
{
    (void)state;
    static GO__ALIGNED(16) char stack[1 << 16];
    struct go__backtrace trace;
    go__gobuf_init(&inside, stack + sizeof stack, 0, parked_entry, NULL);
    go__backtrace_parked(&trace, &inside);
    assert_int_equal(trace.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_static_function_has_its_name),
        cmocka_unit_test(test_function_of_a_library_has_a_name_and_its_file),
        cmocka_unit_test(test_address_outside_code_has_no_name),
        cmocka_unit_test(test_symbol_name_is_one_line_of_text),
        cmocka_unit_test(test_broken_elf_files_are_survived),
        cmocka_unit_test(test_parked_stack_is_walked_to_its_entry),
        cmocka_unit_test(test_deep_stack_is_cut),
        cmocka_unit_test(test_fresh_stack_has_no_frames_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
