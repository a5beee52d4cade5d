/* GOCO_DEBUG: a comma-separated list of name or name=value. Read from the environment at each question (few are asked after the
 * start), so that a program that runs the runtime twice may change it between. */
#include <stdlib.h>
#include <string.h>

#include "debug/debug.h"
#include "sched/hooks.h"

static const char *const known[] = {"schedtrace", "leak", "trace", "seed", "stacks"};

struct item {
    const char *name, *value;
    size_t name_size, value_size;
};

/* The item that starts at *rest; *rest moves behind it. False at the end. */
static bool next_item(const char **rest, struct item *item)
{
    const char *at = *rest;
    while (*at == ',' || *at == ' ') {
        at++;
    }
    if (*at == '\0') {
        return false;
    }
    size_t size = strcspn(at, ",");
    const char *equal = (const char *)memchr(at, '=', size);
    item->name = at;
    item->name_size = equal != NULL ? (size_t)(equal - at) : size;
    item->value = equal != NULL ? equal + 1 : at + size;
    item->value_size = (size_t)(at + size - item->value);
    *rest = at + size;
    return true;
}

static bool is_named(const struct item *item, const char *name)
{
    return strlen(name) == item->name_size && memcmp(item->name, name, item->name_size) == 0;
}

bool go__option(const char *list, const char *name, char *value, size_t size)
{
    bool found = false;
    struct item item;
    while (list != NULL && next_item(&list, &item)) {
        if (is_named(&item, name)) { /* the last one counts, as with flags of commands */
            size_t n = item.value_size < size - 1 ? item.value_size : size - 1;
            memcpy(value, item.value, n);
            value[n] = '\0';
            found = true;
        }
    }
    return found;
}

void go__options_check(const char *list, int fd)
{
    struct go__out out;
    go__out_init(&out, fd);
    struct item item;
    while (list != NULL && next_item(&list, &item)) {
        bool is_known = false;
        for (size_t i = 0; i < go__countof(known); i++) {
            is_known |= is_named(&item, known[i]);
        }
        if (!is_known) {
            char name[64];
            size_t n = item.name_size < sizeof name - 1 ? item.name_size : sizeof name - 1;
            memcpy(name, item.name, n);
            name[n] = '\0';
            go__out_text(&out, "goco: GOCO_DEBUG: unknown setting \"");
            go__out_text(&out, name);
            go__out_text(&out, "\"\n");
        }
    }
    go__out_flush(&out);
}

bool go__debug_flag(const char *name)
{
    return go__debug_value(name, 0) != 0;
}

int64_t go__debug_value(const char *name, int64_t otherwise)
{
    char text[32];
    if (!go__option(getenv("GOCO_DEBUG"), name, text, sizeof text)) {
        return otherwise;
    }
    if (text[0] == '\0') {
        return 1; /* "leak" means leak=1 */
    }
    char *end;
    long long value = strtoll(text, &end, 0);
    return *end == '\0' ? (int64_t)value : otherwise;
}
