/* The inside of the debug room: what its files share. Everything here runs on a native or reserved stack, allocates nothing
 * from the heap (a dying process may have lost it), and takes no lock but the world's. */
#ifndef GO_SRC_DEBUG_DEBUG_H
#define GO_SRC_DEBUG_DEBUG_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "sched/rt.h"

/* out.c: text to a descriptor through one buffer; whoever made it owns it. */
struct go__out {
    int fd;
    size_t used;
    char buffer[2048];
};
void go__out_init(struct go__out *out, int fd);
void go__out_text(struct go__out *out, const char *text);
void go__out_number(struct go__out *out, uint64_t value);
void go__out_hex(struct go__out *out, uint64_t value);  /* with 0x */
void go__out_duration(struct go__out *out, int64_t ns); /* 1.5us, 3.2s: two or three digits */
void go__out_flush(struct go__out *out);

/* symbols.c: names for code addresses. A table is a cache of opened object files and found names, for one dump. */
struct go__symbols;
struct go__symbols *go__symbols_open(void); /* NULL: no memory; the other two take that */
void go__symbols_close(struct go__symbols *symbols);

struct go__symbol {
    char name[128];     /* cut at the end when longer; "" when none is known */
    const char *object; /* file the address lies in, "" unknown; valid while the table is open */
    uintptr_t offset;   /* from name, or from the start of the object if there is no name */
};
void go__symbols_find(struct go__symbols *symbols, uintptr_t address, struct go__symbol *found);

/* The function that covers `value` (an address as the file counts them) in the ELF file of `size` bytes at `bytes`: its name and start,
 * or NULL. Trusts nothing in the image. */
const char *go__elf_find(const void *bytes, size_t size, uint64_t value, uint64_t *start);

/* backtrace.c: return addresses, innermost first. */
#define GO__BACKTRACE_MAX 100
struct go__backtrace {
    int count;
    bool cut;                            /* there are more */
    uintptr_t pc[GO__BACKTRACE_MAX + 2]; /* while it is made, the walker's own two come first */
};
void go__backtrace_parked(struct go__backtrace *trace, const struct go__gobuf *buf); /* a stack nobody runs on */
void go__backtrace_here(struct go__backtrace *trace);                                /* the caller's own */

/* frames.c. `address` is `past` bytes behind the code it stands for: 1 for a return address, which may be the next function's.
 * Writes nothing, not even `before`, if that code is the library's inside. */
void go__out_address(struct go__out *out, struct go__symbols *symbols, const char *before, uintptr_t address, unsigned past);
void go__out_trace(struct go__out *out, struct go__symbols *symbols, const struct go__backtrace *trace, go_func entry);

/* dump.c */
void go__dump_goroutine(struct go__out *out, struct go__symbols *symbols, struct go__g *gp);

/* options.c: GOCO_DEBUG. Finds `name` in the list; false if it is not there. The value is what follows '=', "" without one. */
bool go__option(const char *list, const char *name, char *value, size_t size);
void go__options_check(const char *list, int fd); /* a line for each key that means nothing */

/* gdb.c */
void go__gdb_publish(void);

/* sigquit.c */
void go__sigquit_start(void);
void go__sigquit_stop(void);

/* schedtrace.c */
void go__schedtrace_start(int64_t period_ms); /* 0: off */

#endif
