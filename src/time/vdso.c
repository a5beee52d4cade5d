/* Finds the kernel's clock_gettime in the vDSO, the page of code it maps into every process. libc has it too, but libc may not
 * be called on a goroutine's stack; the vDSO's function needs about a hundred bytes of it (a test measures that). */
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "time/timer.h"

#if defined(__x86_64__)
#define CLOCK_NAME "__vdso_clock_gettime"
#elif defined(__aarch64__)
#define CLOCK_NAME "__kernel_clock_gettime"
#endif

go__atomic(go__clock_fn) go__vdso_clock;

struct image {
    uintptr_t bias; /* run-time address minus address in the file */
    const ElfW(Sym) * symbols;
    const char *strings;
    size_t strings_size;
};

static bool read_dynamic(struct image *im, const ElfW(Dyn) * dyn)
{
    for (; dyn->d_tag != DT_NULL; dyn++) {
        switch (dyn->d_tag) {
        case DT_SYMTAB: im->symbols = (const ElfW(Sym) *)(im->bias + dyn->d_un.d_ptr); break;
        case DT_STRTAB: im->strings = (const char *)(im->bias + dyn->d_un.d_ptr); break;
        case DT_STRSZ: im->strings_size = dyn->d_un.d_val; break;
        default: break;
        }
    }
    return im->symbols != NULL && im->strings != NULL && im->strings > (const char *)im->symbols;
}

static bool open_image(struct image *im)
{
    uintptr_t base = getauxval(AT_SYSINFO_EHDR);
    if (base == 0) {
        return false; /* no vDSO here: an emulator, Valgrind */
    }
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)base;
    const ElfW(Phdr) *segment = (const ElfW(Phdr) *)(base + header->e_phoff);
    const ElfW(Dyn) *dyn = NULL;
    bool loaded = false;
    for (int i = 0; i < header->e_phnum; i++, segment++) {
        if (segment->p_type == PT_LOAD && !loaded) {
            im->bias = base + segment->p_offset - segment->p_vaddr;
            loaded = true;
        } else if (segment->p_type == PT_DYNAMIC) {
            dyn = (const ElfW(Dyn) *)(base + segment->p_offset);
        }
    }
    return loaded && dyn != NULL && read_dynamic(im, dyn);
}

void go__vdso_init(void)
{
    struct image im = {0};
    if (load_rlx(&go__vdso_clock) != NULL || !open_image(&im)) {
        return;
    }
    /* The string table follows the symbol table, which tells how many symbols there are whichever hash the kernel kept. */
    size_t count = (size_t)(im.strings - (const char *)im.symbols) / sizeof *im.symbols;
    for (size_t i = 0; i < count; i++) {
        const ElfW(Sym) *s = &im.symbols[i];
        if (s->st_shndx != SHN_UNDEF && s->st_name < im.strings_size && strcmp(im.strings + s->st_name, CLOCK_NAME) == 0) {
            /* rlx: the code it points at has always been there. */
            store_rlx(&go__vdso_clock, (go__clock_fn)(im.bias + s->st_value));
            return;
        }
    }
}
