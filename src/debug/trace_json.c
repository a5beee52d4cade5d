/* A recording as Chrome trace-event JSON: the tracks are merged by time, runs become slices, wake-ups arrows.
 *
 * A slice begins with START and ends with STOP, PARK or EXIT. One that was already running when the recording began starts with it; one
 * whose goroutine lost its P to another thread ends where the next begins. An arrow goes from the slice that made a goroutine
 * runnable to the start of its next slice, and takes the goroutine's id: it has one wake-up under way at a time. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debug/debug.h"
#include "debug/trace_record.h"

struct cursor { /* place in one track, and what runs there */
    const struct go__trace_chunk *chunk;
    uint32_t at;
    bool running;
    uint64_t since;                       /* ticks: start of the slice, or the end of the last one */
    const struct go__trace_entry *runner; /* the event that began the slice */
};

struct arrows { /* goroutines with an arrow under way: open addressing, power of two, id 0 is empty */
    struct arrow {
        uint64_t id;
        bool open;
    } * slots;
    size_t size, used;
};

struct writer {
    const struct go__recording *recording;
    FILE *file;
    bool failed; /* no memory for arrows */
    struct go__symbols *symbols;
    struct arrows arrows;
    struct cursor tracks[GO__TRACE_TRACKS];
};

static struct arrow *probe(struct arrow *slots, size_t size, uint64_t id)
{
    size_t i = (size_t)(id * 0x9e3779b97f4a7c15u) & (size - 1);
    while (slots[i].id != id && slots[i].id != 0) {
        i = (i + 1) & (size - 1);
    }
    return &slots[i];
}

static bool grow(struct arrows *arrows)
{
    size_t size = arrows->size == 0 ? 1024 : arrows->size * 2;
    struct arrow *slots = (struct arrow *)calloc(size, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < arrows->size; i++) {
        if (arrows->slots[i].id != 0) {
            *probe(slots, size, arrows->slots[i].id) = arrows->slots[i];
        }
    }
    free(arrows->slots);
    arrows->slots = slots;
    arrows->size = size;
    return true;
}

/* The goroutine's slot, made if it has none; NULL: no memory. */
static struct arrow *arrow_of(struct arrows *arrows, uint64_t id)
{
    if (arrows->used * 2 >= arrows->size && !grow(arrows)) {
        return NULL;
    }
    struct arrow *arrow = probe(arrows->slots, arrows->size, id);
    if (arrow->id == 0) {
        arrow->id = id;
        arrows->used++;
    }
    return arrow;
}

/* Length of the well-formed UTF-8 sequence at s, 0 if it is none. Overlong forms need no refusal: readers do not decode paths from it. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                                             : 0;
    for (size_t i = 1; i < n; i++) {
        if (i >= left || (s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

static void put_text(FILE *file, const char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)text;
    while (size > 0 && *s != '\0') {
        size_t n = utf8_length(s, size);
        if (n == 0) {
            (void)fputs("\\ufffd", file); /* a name is bytes, JSON is text */
            n = 1;
        } else if (*s == '"' || *s == '\\' || *s < 0x20) {
            (void)fprintf(file, "\\u%04x", *s);
        } else {
            (void)fwrite(s, 1, n, file);
        }
        s += n;
        size -= n;
    }
}

static void put_label(struct writer *writer, const struct go__trace_entry *entry)
{
    if (entry->name[0] != '\0') {
        put_text(writer->file, entry->name, sizeof entry->name);
    } else {
        struct go__symbol found;
        go__symbols_find(writer->symbols, (uintptr_t)entry->entry, &found);
        put_text(writer->file, found.name[0] != '\0' ? found.name : "goroutine", sizeof found.name);
    }
    (void)fprintf(writer->file, " #%" PRIu64, entry->id);
}

/* Microseconds since the start; no %f, whose decimal point depends on the locale. */
static void put_time(FILE *file, const char *key, int64_t ns)
{
    ns = ns > 0 ? ns : 0;
    (void)fprintf(file, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, (int)(ns % 1000));
}

static int64_t to_ns(const struct go__recording *recording, uint64_t ticks)
{
    double span = (double)(recording->ticks_end - recording->ticks_start);
    double scale = span > 0 ? (double)(recording->ns_end - recording->ns_start) / span : 1;
    return (int64_t)((double)(int64_t)(ticks - recording->ticks_start) * scale);
}

static void begin_event(struct writer *writer, const char *phase, unsigned track, uint64_t ticks)
{
    (void)fprintf(writer->file, ",\n{\"ph\":\"%s\",\"pid\":1,\"tid\":%u", phase, track);
    put_time(writer->file, "ts", to_ns(writer->recording, ticks));
}

static void put_slice(struct writer *writer, unsigned track, const struct go__trace_entry *runner, uint64_t end, const char *why)
{
    struct cursor *cursor = &writer->tracks[track];
    begin_event(writer, "X", track, cursor->since);
    put_time(writer->file, "dur", to_ns(writer->recording, end) - to_ns(writer->recording, cursor->since));
    (void)fputs(",\"cat\":\"goroutine\",\"name\":\"", writer->file);
    put_label(writer, runner);
    (void)fprintf(writer->file, "\",\"args\":{\"goroutine\":%" PRIu64 ",\"end\":\"%s\"}}", runner->id, why);
    cursor->running = false;
    cursor->since = end;
}

static void on_start(struct writer *writer, const struct go__trace_entry *entry)
{
    struct cursor *cursor = &writer->tracks[entry->track];
    if (cursor->running) {
        put_slice(writer, entry->track, cursor->runner, entry->ticks, "lost its P");
    }
    cursor->running = true;
    cursor->since = entry->ticks;
    cursor->runner = entry;
    struct arrow *arrow = arrow_of(&writer->arrows, entry->id);
    if (arrow != NULL && arrow->open) {
        arrow->open = false;
        begin_event(writer, "f", entry->track, entry->ticks);
        (void)fprintf(writer->file, ",\"bp\":\"e\",\"cat\":\"wake\",\"name\":\"wake\",\"id\":%" PRIu64 "}", entry->id);
    }
}

static void on_end(struct writer *writer, const struct go__trace_entry *entry, const char *why)
{
    const struct cursor *cursor = &writer->tracks[entry->track];
    put_slice(writer, entry->track, cursor->running ? cursor->runner : entry, entry->ticks, why);
}

/* Who wakes outside a slice (timer, network, another thread) leaves a mark: arrows are tied to slices. */
static void on_wake(struct writer *writer, const struct go__trace_entry *entry)
{
    struct arrow *arrow = arrow_of(&writer->arrows, entry->id);
    if (arrow == NULL) {
        writer->failed = true;
        return;
    }
    if (writer->tracks[entry->track].running && !arrow->open) {
        arrow->open = true;
        begin_event(writer, "s", entry->track, entry->ticks);
        (void)fprintf(writer->file, ",\"cat\":\"wake\",\"name\":\"wake\",\"id\":%" PRIu64 "}", entry->id);
    } else {
        begin_event(writer, "i", entry->track, entry->ticks);
        (void)fprintf(writer->file, ",\"s\":\"t\",\"name\":\"%s ", entry->event == GO__TRACE_SPAWN ? "start" : "wake");
        put_label(writer, entry);
        (void)fputs("\"}", writer->file);
    }
}

static void put_entry(struct writer *writer, const struct go__trace_entry *entry)
{
    const char *reason = entry->reason < GO__REASON_COUNT ? go__reason_text[entry->reason] : NULL;
    switch ((enum go__trace_event)entry->event) {
    case GO__TRACE_START: on_start(writer, entry); break;
    case GO__TRACE_STOP: on_end(writer, entry, "runnable"); break;
    case GO__TRACE_PARK: on_end(writer, entry, reason != NULL ? reason : "waiting"); break;
    case GO__TRACE_EXIT: on_end(writer, entry, "exit"); break;
    case GO__TRACE_READY:
    case GO__TRACE_SPAWN: on_wake(writer, entry); break;
    }
}

static const struct go__trace_entry *peek(const struct cursor *cursor)
{
    return cursor->chunk != NULL && cursor->at < cursor->chunk->count ? &cursor->chunk->entries[cursor->at] : NULL;
}

/* The earliest event of all tracks; each track is in order already. */
static const struct go__trace_entry *next_entry(struct writer *writer, unsigned track_count)
{
    struct cursor *first = NULL;
    for (unsigned i = 0; i <= track_count; i++) {
        struct cursor *cursor = &writer->tracks[i == track_count ? GO__TRACE_SHARED : i];
        if (peek(cursor) != NULL && (first == NULL || peek(cursor)->ticks < peek(first)->ticks)) {
            first = cursor;
        }
    }
    if (first == NULL) {
        return NULL;
    }
    const struct go__trace_entry *entry = peek(first);
    if (++first->at == first->chunk->count) {
        first->chunk = first->chunk->next;
        first->at = 0;
    }
    return entry;
}

static void put_head(struct writer *writer, unsigned track_count)
{
    (void)fprintf(writer->file,
                  "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"producer\":\"goco\",\"dropped_events\":%" PRIu64
                  "},\n\"traceEvents\":[\n"
                  "{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":\"goco %d\"}}",
                  writer->recording->dropped, (int)getpid());
    for (unsigned i = 0; i < track_count; i++) {
        (void)fprintf(writer->file, ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\",\"args\":{\"name\":\"P %u\"}}",
                      i, i);
    }
    if (writer->tracks[GO__TRACE_SHARED].chunk != NULL) {
        (void)fprintf(writer->file,
                      ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\",\"args\":{\"name\":\"without P\"}}",
                      GO__TRACE_SHARED);
    }
}

static void put_all(struct writer *writer)
{
    unsigned track_count = 0;
    for (unsigned i = 0; i < GO__TRACE_TRACKS; i++) {
        writer->tracks[i].chunk = writer->recording->chunks[i];
        writer->tracks[i].since = writer->recording->ticks_start;
        if (writer->tracks[i].chunk != NULL && i != GO__TRACE_SHARED) {
            track_count = i + 1;
        }
    }
    put_head(writer, track_count);
    for (const struct go__trace_entry *entry; (entry = next_entry(writer, track_count)) != NULL;) {
        put_entry(writer, entry);
    }
    for (unsigned i = 0; i < track_count; i++) {
        if (writer->tracks[i].running) {
            put_slice(writer, i, writer->tracks[i].runner, writer->recording->ticks_end, "end of trace");
        }
    }
    (void)fputs("\n]}\n", writer->file);
}

int go__trace_write(const struct go__recording *recording, int fd)
{
    int own = dup(fd); /* fclose closes it; the caller keeps its own */
    struct writer *writer = (struct writer *)calloc(1, sizeof *writer);
    FILE *file = own >= 0 && writer != NULL ? fdopen(own, "w") : NULL;
    if (file == NULL) {
        int error = writer != NULL ? -errno : -ENOMEM;
        if (own >= 0) {
            (void)close(own);
        }
        free(writer);
        return error;
    }
    writer->recording = recording;
    writer->file = file;
    writer->symbols = go__symbols_open();
    put_all(writer);
    int error = ferror(file) != 0 ? -EIO : writer->failed ? -ENOMEM : 0;
    if (fclose(file) != 0 && error == 0) {
        error = -errno;
    }
    go__symbols_close(writer->symbols);
    free(writer->arrows.slots);
    free(writer);
    return error;
}
