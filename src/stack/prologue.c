/* What a function's first bytes say about how it was compiled and linked.
 *
 *   gcc, clang   64 48 3B 24 25 70 00 00 00      cmp %fs:0x70, %rsp          frame below 256 bytes
 *                4C 8D 94/9C 24 disp32           lea -N(%rsp), %r10/%r11     then 64 4C 3B 14/1C 25 70 00 00 00
 *                49 BA/BB imm64                  mov $-N, %r10/%r11          then add %rsp, and the compare
 *   gold, lld    F9 then nops, 9 bytes           stc                         the compare of a caller of unchecked code
 *
 * A function that begins with endbr64 is refused: with -fcf-protection the linkers' rewriting does not work. */
#include "base/atomic.h"
#include "stack/stack.h"

#if GO__STACK_SPLIT

int go__split_probe(void); /* probe.c */

static bool bytes_are(const unsigned char *code, const char *pattern, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (code[i] != (unsigned char)pattern[i]) {
            return false;
        }
    }
    return true;
}

static bool is_compare_large(const unsigned char *code)
{
    return bytes_are(code, "\x64\x4C\x3B", 3) && (code[3] == 0x14 || code[3] == 0x1C) && bytes_are(code + 4, "\x25\x70\0\0\0", 5);
}

/* Both linkers overwrite the nine bytes of the compare with stc and nops: 0F 1F 84 00 then disp32. */
static bool is_rewritten_small(const unsigned char *code)
{
    return bytes_are(code, "\xF9\x0F\x1F\x84\0\0\0\0\0", 9);
}

static bool decode(const unsigned char *code)
{
    if (bytes_are(code, "\x64\x48\x3B\x24\x25\x70\0\0\0", 9) || is_rewritten_small(code)) {
        return true;
    }
    if (code[0] == 0x4C && code[1] == 0x8D && (code[2] == 0x94 || code[2] == 0x9C) && code[3] == 0x24) {
        return is_compare_large(code + 8);
    }
    if (code[0] == 0x49 && (code[1] == 0xBA || code[1] == 0xBB)) {
        return is_compare_large(code + 13);
    }
    return false;
}

/* Entries seen before, by address: entry and answer in one word. Relaxed: a lost or torn-free stale slot only costs a decode. */
#define CACHE_SLOTS 64u
static go__atomic(uintptr_t) cache[CACHE_SLOTS];
#define ANSWER_SPLIT (UINTPTR_MAX ^ (UINTPTR_MAX >> 1)) /* code addresses do not have the top bit */

bool go__entry_is_split(void (*entry)(void *arg))
{
    if (!go__stacks_small_on()) {
        return false;
    }
    uintptr_t address = (uintptr_t)entry;
    go__atomic(uintptr_t) *slot = &cache[(address >> 4) % CACHE_SLOTS];
    uintptr_t seen = load_rlx(slot);
    if ((seen & ~ANSWER_SPLIT) == address) {
        return (seen & ANSWER_SPLIT) != 0;
    }
    bool split = decode((const unsigned char *)address);
    store_rlx(slot, address | (split ? ANSWER_SPLIT : 0));
    return split;
}

bool go__link_is_split(void)
{
    return is_rewritten_small((const unsigned char *)(uintptr_t)go__split_probe);
}

#else

bool go__entry_is_split(void (*entry)(void *arg))
{
    (void)entry;
    return false;
}

bool go__link_is_split(void)
{
    return false;
}

#endif
