/* Goroutine-local values. A key is an index into the table that each goroutine has once it sets a value; the table hangs in
 * g.locals. Indices of keys that were freed are used again, so a slot notes for which key, and which life of it, its value is.
 *
 * Keys are never given back to the heap: a goroutine that ends looks at keys that another one may free at the same time. It reads
 * the serial number, the destructor, and the serial number again: destructors change only between two lives.
 *
 * A foreign thread's values hang at its stand-in and go with the thread. */
#include "go/run.h"

#include <errno.h>

#include "base/mem.h"
#include "base/spinlock.h"
#include "sched/alloc.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "stack/stack.h"
#include "sync/locals.h"

#define FIRST_SLOTS 4u
#define ROUNDS      4 /* destructors may set values anew: how often they are asked again */

typedef void (*destroy_fn)(void *value);

struct go_key {
    uint32_t index;              /* constant */
    go__atomic(uint64_t) serial; /* of this life, 0 between lives; store_rel pairs with destructor_of */
    go__atomic(destroy_fn) destroy;
    go_key *next_free; /* under registry.lock */
};

static struct {
    go__spinlock lock;
    /* Under lock. */
    go_key *free;
    uint32_t indices;
    uint64_t serials;
} registry;

struct slot {
    uint64_t serial; /* 0: never used */
    go_key *key;
    void *value;
};

struct table {
    struct go__local local;
    uint32_t count;
    struct slot slots[];
};

static go__atomic(uint64_t) table_run; /* the last run in which a goroutine got a table; a hint */

/* --- keys --- */

static go_key *key_recycled(void)
{
    go__spin_lock(&registry.lock);
    go_key *key = registry.free;
    if (key != NULL) {
        registry.free = key->next_free;
    }
    go__spin_unlock(&registry.lock);
    return key;
}

go_key *go_key_new(void (*destroy)(void *value))
{
    go_key *key = key_recycled();
    bool fresh = key == NULL;
    if (fresh) {
        key = go__alloc(sizeof *key);
        if (key == NULL) {
            return NULL;
        }
    }
    go__spin_lock(&registry.lock);
    if (fresh) {
        key->index = registry.indices++;
    }
    uint64_t serial = ++registry.serials;
    go__spin_unlock(&registry.lock);
    store_rel(&key->destroy, destroy); /* rel: after the end of the last life; both pair with destructor_of */
    store_rel(&key->serial, serial);
    return key;
}

void go_key_free(go_key *key)
{
    if (key == NULL) {
        return;
    }
    if (xchg_acqrel(&key->serial, 0u) == 0) { /* acqrel: between two lives, see destructor_of */
        go__throw("go_key_free: the key is free already");
    }
    go__spin_lock(&registry.lock);
    key->next_free = registry.free;
    registry.free = key;
    go__spin_unlock(&registry.lock);
}

/* NULL if the slot's key is gone, or has none. */
static destroy_fn destructor_of(const struct slot *slot)
{
    if (load_acq(&slot->key->serial) != slot->serial) { /* acq pairs with the store that begins a life */
        return NULL;
    }
    destroy_fn destroy = load_acq(&slot->key->destroy); /* acq: one of a later life comes after the end of this one */
    return load_rlx(&slot->key->serial) == slot->serial ? destroy : NULL; /* rlx: ordered by the line above */
}

/* --- a goroutine's table --- */

static void drop_table(struct go__g *gp, struct go__local *local);

static struct table *table_of(const struct go__g *gp)
{
    for (struct go__local *local = gp->locals; local != NULL; local = local->next) {
        if (local->drop == drop_table) {
            return go__container_of(local, struct table, local);
        }
    }
    return NULL;
}

/* The first value that has a destructor to be called with it. */
static struct slot *next_value(struct table *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->slots[i].value != NULL && destructor_of(&t->slots[i]) != NULL) {
            return &t->slots[i];
        }
    }
    return NULL;
}

static void drop_table(struct go__g *gp, struct go__local *local)
{
    struct table *t = go__container_of(local, struct table, local);
    uint32_t calls = 0;
    /* The destructors see the other values, and may set some: then the table may be another one. */
    for (struct slot *slot = next_value(t); slot != NULL && calls < ROUNDS * t->count; slot = next_value(t)) {
        void *value = slot->value;
        destroy_fn destroy = destructor_of(slot);
        slot->value = NULL;
        if (destroy != NULL) {
            go__call_user(destroy, value);
        }
        calls++;
        t = table_of(gp);
    }
    go__local_remove(gp, &t->local);
    go__free(t);
}

void go__locals_drop(struct go__g *gp)
{
    while (gp->locals != NULL) {
        struct go__local *first = gp->locals;
        first->drop(gp, first);
    }
}

static void drop_left(struct go__g *gp, void *arg)
{
    (void)arg;
    /* rlx: its thread has ended, or is left behind with it: then its memory stays, and its values with it. */
    if (gp->locals != NULL && load_rlx(&gp->status) != GO__G_RUNNING) {
        go__free(table_of(gp));
        gp->locals = NULL;
    }
}

void go__locals_drop_all(void)
{
    /* rlx: the run's threads have ended. Or orphans of another one have. */
    if (load_rlx(&table_run) == go__sched.run_number || go__stacks_kept()) {
        go__slots_each(drop_left, NULL);
    }
}

/* gp's table with room for index; NULL when memory is out. */
static struct table *table_with(struct go__g *gp, uint32_t index)
{
    struct table *t = table_of(gp);
    if (t != NULL && index < t->count) {
        return t;
    }
    uint32_t count = FIRST_SLOTS;
    while (count <= index) {
        count *= 2;
    }
    struct table *bigger = go__alloc(sizeof *bigger + count * sizeof bigger->slots[0]);
    if (bigger == NULL) {
        return NULL;
    }
    if (t != NULL) {
        go__copy_bytes(bigger->slots, t->slots, t->count * sizeof t->slots[0]);
        go__local_remove(gp, &t->local);
        go__free(t);
    }
    bigger->count = count;
    bigger->local.drop = drop_table;
    go__local_push(gp, &bigger->local);
    if (load_rlx(&table_run) != go__sched.run_number) { /* rlx: read again when the run's threads have ended */
        store_rlx(&table_run, go__sched.run_number);
    }
    return bigger;
}

void *go_key_get(go_key *key)
{
    struct table *t = table_of(go__self());
    if (t == NULL || key->index >= t->count) {
        return NULL;
    }
    struct slot *slot = &t->slots[key->index];
    return slot->serial == load_rlx(&key->serial) ? slot->value : NULL; /* rlx: constant while the caller may use the key */
}

int go_key_set(go_key *key, void *value)
{
    struct table *t = table_with(go__self(), key->index);
    if (t == NULL) {
        return -ENOMEM;
    }
    struct slot *slot = &t->slots[key->index];
    slot->serial = load_rlx(&key->serial); /* rlx: as in go_key_get */
    slot->key = key;
    slot->value = value;
    return 0;
}

void go__call_user(void (*fn)(void *arg), void *arg)
{
    struct go__g *gp = go__self();
    if (gp->thread == NULL && gp->slot_kind == GO__SLOT_SMALL && !go__entry_is_split(fn)) {
        go__call_roomy(fn, arg);
    } else {
        fn(arg);
    }
}
