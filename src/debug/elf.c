/* Reading function names out of an ELF image: the full table (.symtab) where the file has one, else the dynamic one. Pure: bytes
 * in, name out. Nothing in the image is believed before it is checked against its size. */
#include <elf.h>
#include <string.h>

#include "debug/debug.h"

struct image {
    const unsigned char *bytes;
    size_t size;
    const Elf64_Shdr *sections;
    size_t section_count;
};

/* A range of the image, or NULL if it does not lie in it whole. */
static const void *range(const struct image *image, uint64_t offset, uint64_t size, size_t align)
{
    if (offset > image->size || size > image->size - offset || ((uintptr_t)image->bytes + offset) % align != 0) {
        return NULL;
    }
    return image->bytes + offset;
}

static bool open_image(struct image *image)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)range(image, 0, sizeof *header, _Alignof(Elf64_Ehdr));
    if (header == NULL || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_shentsize != sizeof(Elf64_Shdr)) {
        return false;
    }
    image->section_count = header->e_shnum;
    image->sections =
        (const Elf64_Shdr *)range(image, header->e_shoff, (uint64_t)header->e_shnum * sizeof(Elf64_Shdr), _Alignof(Elf64_Shdr));
    return image->sections != NULL;
}

/* Functions first; an address in no function's range may lie in hand-written code without type or size, then the nearest label
 * before it counts. Mapping symbols ($x, $d) and local labels name nothing. */
static bool is_code(const Elf64_Sym *symbol)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS &&
           (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

static const char *name_at(const struct image *image, const Elf64_Shdr *table, uint32_t at)
{
    if (table->sh_link >= image->section_count) {
        return NULL;
    }
    const Elf64_Shdr *strings = &image->sections[table->sh_link];
    const char *text = (const char *)range(image, strings->sh_offset, strings->sh_size, 1);
    if (text == NULL || at >= strings->sh_size || memchr(text + at, '\0', strings->sh_size - at) == NULL) {
        return NULL;
    }
    return text[at] == '\0' || text[at] == '$' ? NULL : text + at;
}

static bool is_executable(const struct image *image, const Elf64_Sym *symbol)
{
    return symbol->st_shndx < image->section_count && (image->sections[symbol->st_shndx].sh_flags & SHF_EXECINSTR) != 0;
}

/* True if `a` names the address better than `b`: the later start wins, then a global over a local alias. */
static bool better(const Elf64_Sym *a, const Elf64_Sym *b)
{
    if (b == NULL || a->st_value != b->st_value) {
        return b == NULL || a->st_value > b->st_value;
    }
    if ((a->st_size != 0) != (b->st_size != 0)) {
        return a->st_size != 0;
    }
    return ELF64_ST_BIND(a->st_info) == STB_GLOBAL && ELF64_ST_BIND(b->st_info) != STB_GLOBAL;
}

static const char *find_in(const struct image *image, const Elf64_Shdr *table, uint64_t value, uint64_t *start)
{
    const Elf64_Sym *symbols = (const Elf64_Sym *)range(image, table->sh_offset, table->sh_size, _Alignof(Elf64_Sym));
    if (symbols == NULL || table->sh_entsize != sizeof(Elf64_Sym)) {
        return NULL;
    }
    const Elf64_Sym *covering = NULL, *label = NULL;
    for (uint64_t i = 0; i < table->sh_size / sizeof *symbols; i++) {
        const Elf64_Sym *symbol = &symbols[i];
        if (symbol->st_value > value || !is_code(symbol)) {
            continue;
        }
        if (value - symbol->st_value < symbol->st_size) {
            if (better(symbol, covering)) {
                covering = symbol;
            }
        } else if (symbol->st_size == 0 && better(symbol, label) && is_executable(image, symbol) &&
                   name_at(image, table, symbol->st_name) != NULL) {
            label = symbol;
        }
    }
    const Elf64_Sym *found = covering != NULL ? covering : label;
    if (found == NULL) {
        return NULL;
    }
    *start = found->st_value;
    return name_at(image, table, found->st_name);
}

const char *go__elf_find(const void *bytes, size_t size, uint64_t value, uint64_t *start)
{
    struct image image = {.bytes = (const unsigned char *)bytes, .size = size};
    if (!open_image(&image)) {
        return NULL;
    }
    static const uint32_t kinds[] = {SHT_SYMTAB, SHT_DYNSYM};
    for (size_t k = 0; k < go__countof(kinds); k++) {
        for (size_t i = 0; i < image.section_count; i++) {
            if (image.sections[i].sh_type == kinds[k]) {
                const char *name = find_in(&image, &image.sections[i], value, start);
                if (name != NULL) {
                    return name;
                }
            }
        }
    }
    return NULL;
}
