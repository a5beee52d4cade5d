/* Names for code addresses, static functions included: the symbol tables of the mapped files are read from disk, because what is
 * loaded into memory has only the exported names. Found files and names are kept for the length of one dump, in pages of our own: ten
 * thousand goroutines park at the same few addresses, and the heap may be what broke. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* dl_iterate_phdr */
#endif
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "debug/debug.h"
#include "os/fatal.h"
#include "os/sanitize.h"
#include "stack/overflow.h"

#define OBJECTS_MAX 64u
#define CACHE_SIZE  256u

struct object {
    uintptr_t base;    /* what to subtract to get the file's own addresses */
    const void *image; /* the mapped file, NULL when it could not be read */
    size_t size;
    char path[256];
};

struct go__symbols {
    unsigned object_count;
    struct object objects[OBJECTS_MAX];
    struct {
        uintptr_t address; /* 0: empty */
        struct go__symbol symbol;
    } cache[CACHE_SIZE];
};

struct go__symbols *go__symbols_open(void)
{
    void *memory = mmap(NULL, sizeof(struct go__symbols), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    go__san_mapped(memory, sizeof(struct go__symbols));
    return (struct go__symbols *)memory;
}

void go__symbols_close(struct go__symbols *symbols)
{
    if (symbols == NULL) {
        return;
    }
    for (unsigned i = 0; i < symbols->object_count; i++) {
        if (symbols->objects[i].image != NULL) {
            (void)munmap((void *)(uintptr_t)symbols->objects[i].image, symbols->objects[i].size);
        }
    }
    (void)munmap(symbols, sizeof *symbols);
}

static void map_file(struct object *object, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &status) == 0 && status.st_size > 0) {
        void *image = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (image != MAP_FAILED) {
            go__san_mapped(image, (size_t)status.st_size);
            object->image = image;
            object->size = (size_t)status.st_size;
        }
    }
    (void)close(fd);
}

struct search {
    uintptr_t address;
    uintptr_t base;
    bool main_program;
    char path[256];
};

static int match_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = (struct search *)arg;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && search->address - (info->dlpi_addr + segment->p_vaddr) < segment->p_memsz) {
            search->base = info->dlpi_addr;
            search->main_program = info->dlpi_name == NULL || info->dlpi_name[0] == '\0';
            if (!search->main_program) {
                (void)go__format(search->path, sizeof search->path, "%s", info->dlpi_name);
            }
            return 1;
        }
    }
    return 0;
}

/* The executable is opened by its magic link, which holds even when the file was replaced or deleted, and shown by its name. */
static void open_object(struct object *object, const struct search *search)
{
    object->base = search->base;
    if (!search->main_program) {
        memcpy(object->path, search->path, sizeof object->path);
        map_file(object, object->path);
        return;
    }
    map_file(object, "/proc/self/exe");
    ssize_t n = readlink("/proc/self/exe", object->path, sizeof object->path - 1);
    object->path[n > 0 ? n : 0] = '\0';
}

/* The object that holds the address, opened on first use; NULL: none does, or the table is full. */
static const struct object *find_object(struct go__symbols *symbols, uintptr_t address)
{
    struct search search = {.address = address};
    if (symbols == NULL || dl_iterate_phdr(match_object, &search) == 0) {
        return NULL;
    }
    for (unsigned i = 0; i < symbols->object_count; i++) {
        if (symbols->objects[i].base == search.base) {
            return &symbols->objects[i];
        }
    }
    if (symbols->object_count == OBJECTS_MAX) {
        return NULL;
    }
    struct object *object = &symbols->objects[symbols->object_count++];
    open_object(object, &search);
    return object;
}

static void look_up(struct go__symbols *symbols, uintptr_t address, struct go__symbol *found)
{
    found->name[0] = '\0';
    found->object = "";
    found->offset = address;
    const struct object *object = find_object(symbols, address);
    if (object == NULL) {
        return;
    }
    found->object = object->path;
    found->offset = address - object->base;
    uint64_t start = 0;
    const char *name = object->image != NULL ? go__elf_find(object->image, object->size, address - object->base, &start) : NULL;
    if (name != NULL) {
        (void)go__format(found->name, sizeof found->name, "%s", name);
        found->offset = address - object->base - start;
    }
}

void go__symbols_find(struct go__symbols *symbols, uintptr_t address, struct go__symbol *found)
{
    if (symbols == NULL) {
        look_up(NULL, address, found);
        return;
    }
    unsigned slot = (unsigned)((address * 0x9e3779b97f4a7c15u) >> 32) % CACHE_SIZE;
    if (symbols->cache[slot].address != address) {
        look_up(symbols, address, &symbols->cache[slot].symbol);
        symbols->cache[slot].address = address;
    }
    *found = symbols->cache[slot].symbol;
}

void go__symbol_name(void *address, char *buffer, size_t size)
{
    struct go__symbols *symbols = go__symbols_open();
    struct go__symbol found;
    go__symbols_find(symbols, (uintptr_t)address, &found);
    if (found.name[0] == '\0') {
        (void)go__format(buffer, size, "%p", address);
    } else {
        (void)go__format(buffer, size, "%s+0x%lx (%s)", found.name, (unsigned long)found.offset, found.object);
    }
    go__symbols_close(symbols);
}
