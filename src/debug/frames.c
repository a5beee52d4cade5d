/* A backtrace in words, as the reader thinks of it: from the goco function that he called outwards to the goroutine's own entry.
 *
 * How the library parks, in static functions and those named go__, is not what he looks for. Walking outwards, a frame whose callee was
 * the library's is the library's too, until one is found that called a public function: which one, the call instruction before its
 * return address tells, even if that function's own frame is gone because it ended in a jump. */
#include <string.h>

#include "debug/debug.h"
#include "os/fatal.h"

#define OUTER_FRAMES 4 /* of the library, between a goroutine's first frame and its entry */

static const char *file_name(const char *path)
{
    const char *name = path;
    for (; *path != '\0'; path++) {
        if (*path == '/') {
            name = path + 1;
        }
    }
    return name;
}

static bool is_public(const char *name)
{
    return strncmp(name, "go_", 3) == 0 && name[3] != '_';
}

static bool is_internal(const char *name)
{
    return strncmp(name, "go__", 4) == 0;
}

static bool is_growth(const char *name)
{
    return strcmp(name, "__morestack") == 0 || strcmp(name, "__morestack_non_split") == 0;
}

/* What the call before the return address pc called, or 0: not a direct call. */
static uintptr_t called_address(uintptr_t pc)
{
#if defined(__x86_64__)
    unsigned char code[5]; /* call rel32 */
    int32_t distance;
    memcpy(code, (const void *)(pc - sizeof code), sizeof code);
    memcpy(&distance, code + 1, sizeof distance);
    return code[0] == 0xe8 ? pc + (uintptr_t)(intptr_t)distance : 0;
#elif defined(__aarch64__)
    uint32_t code; /* bl imm26 */
    memcpy(&code, (const void *)(pc - sizeof code), sizeof code);
    int32_t distance = (int32_t)(code << 6) >> 4;
    return code >> 26 == 0x25 ? pc - sizeof code + (uintptr_t)(intptr_t)distance : 0;
#else
    (void)pc;
    return 0;
#endif
}

/* What public functions whose beginning is compiled into the program go on with. */
static const struct {
    const char *inside, *name;
} inline_calls[] = {
    {"go__mutex_lock_slow", "go_mutex_lock"},
    {"go__mutex_unlock_slow", "go_mutex_unlock"},
    {"go__once_do_slow", "go_once_do"},
};

/* The function that was called at the return address pc, by the name that the program calls it; false: not known. */
static bool find_called(struct go__symbols *symbols, uintptr_t pc, struct go__symbol *found)
{
    uintptr_t address = called_address(pc);
    if (address == 0) {
        return false;
    }
    go__symbols_find(symbols, address, found);
    for (size_t i = 0; i < go__countof(inline_calls); i++) {
        if (strcmp(found->name, inline_calls[i].inside) == 0) {
            (void)go__format(found->name, sizeof found->name, "%s", inline_calls[i].name);
        }
    }
    return found->name[0] != '\0' && found->offset == 0; /* else the bytes were not a call */
}

/* How a fatal error got here: the trace begins with the caller of go__fatal. */
static int skip_fatal(struct go__symbols *symbols, const struct go__backtrace *trace)
{
    for (int i = 0; i < trace->count; i++) {
        struct go__symbol found;
        go__symbols_find(symbols, trace->pc[i] - 1, &found);
        if (strcmp(found.name, "go__fatal") == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* The first frame to show. *called is the public function it called if that has no frame of its own, else its name is "". */
static int first_frame(struct go__symbols *symbols, const struct go__backtrace *trace, struct go__symbol *called)
{
    int start = skip_fatal(symbols, trace);
    bool was_public = false; /* the frame before this one: what it was called by may be public too, and then is what to show */
    for (int i = start; i < trace->count; i++) {
        struct go__symbol own;
        go__symbols_find(symbols, trace->pc[i] - 1, &own);
        bool direct = own.object[0] != '\0' && find_called(symbols, trace->pc[i], called);
        bool is_own_public = is_public(own.name);
        if (direct && is_public(called->name) && !is_own_public) {
            return i;
        }
        called->name[0] = '\0';
        if (was_public && !is_own_public) {
            return i - 1;
        }
        if (is_growth(own.name) || (!direct && !is_internal(own.name) && !is_own_public)) {
            return i;
        }
        was_public = is_own_public;
    }
    return start;
}

/* One past the last frame to show: what the library does before it calls the entry is left out. */
static int end_frame(struct go__symbols *symbols, const struct go__backtrace *trace, go_func entry)
{
    if (trace->cut) {
        return trace->count;
    }
    for (int i = trace->count; i > 0 && i > trace->count - OUTER_FRAMES; i--) {
        struct go__symbol found;
        go__symbols_find(symbols, trace->pc[i - 1] - 1, &found);
        if (found.name[0] != '\0' && trace->pc[i - 1] - 1 - found.offset == (uintptr_t)entry) {
            return i;
        }
    }
    return trace->count;
}

static void out_place(struct go__out *out, const struct go__symbol *found, uintptr_t offset)
{
    if (found->name[0] != '\0') {
        go__out_text(out, found->name);
        go__out_text(out, "+");
    }
    go__out_hex(out, offset);
    if (found->object[0] != '\0') {
        go__out_text(out, " ");
        go__out_text(out, file_name(found->object));
    }
    go__out_text(out, "\n");
}

void go__out_address(struct go__out *out, struct go__symbols *symbols, const char *before, uintptr_t address, unsigned past)
{
    struct go__symbol found;
    go__symbols_find(symbols, address - past, &found);
    if (!is_internal(found.name) && !is_growth(found.name)) {
        go__out_text(out, before);
        out_place(out, &found, found.offset + past);
    }
}

void go__out_trace(struct go__out *out, struct go__symbols *symbols, const struct go__backtrace *trace, go_func entry)
{
    struct go__symbol called = {0};
    int end = end_frame(symbols, trace, entry);
    int first = first_frame(symbols, trace, &called);
    if (first < end && called.name[0] != '\0') {
        struct go__symbol inner = {0};
        if (first > 0) {
            go__symbols_find(symbols, trace->pc[first - 1] - 1, &inner);
        }
        go__out_text(out, "    ");
        /* Its own frame, if it has one, says where in it; else it has jumped on. */
        out_place(out, &called, strcmp(inner.name, called.name) == 0 ? inner.offset + 1 : 0);
    }
    for (int i = first; i < end; i++) {
        go__out_address(out, symbols, "    ", trace->pc[i], 1);
    }
    if (trace->cut) {
        go__out_text(out, "    ... more frames\n");
    }
}
