/* From names to addresses. A look-up runs aside (net/aside.h) for as long as the resolver likes; whoever asked can stop waiting. */
#include <errno.h>

#include "base/mem.h"
#include "go/net.h"
#include "go/time.h"
#include "net/address.h"
#include "net/aside.h"
#include "sched/alloc.h"
#include "sched/park.h"

/* --- looking up --- */

static void drop_lookup(struct go__aside *aside)
{
    struct go__lookup *l = go__container_of(aside, struct go__lookup, aside);
    if (l->found != NULL) {
        go__system_call(go__lookup_free, l->found);
    }
    go__free(l);
}

static void drop_resolution(struct go__aside *aside)
{
    struct go__resolution *r = go__container_of(aside, struct go__resolution, lookup.aside);
    go__free(r->addresses);
    drop_lookup(aside);
}

static void init(struct go__lookup *l, void (*drop)(struct go__aside *aside))
{
    store_rlx(&l->aside.references, 1u); /* rlx: nobody else knows it */
    l->aside.call = go__lookup_call;
    l->aside.drop = drop;
    l->aside.reason = GO__REASON_BLOCKING_CALL;
}

static const char *copy_text(char **at, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t size = go__string_length(text) + 1;
    char *copy = *at;
    go__copy(copy, text, size);
    *at += size;
    return copy;
}

static struct go__lookup *make(const char *host, const char *service, const struct addrinfo *hints)
{
    size_t size = (host != NULL ? go__string_length(host) + 1 : 0) + (service != NULL ? go__string_length(service) + 1 : 0);
    struct go__lookup *l = go__alloc(sizeof *l + size);
    if (l == NULL) {
        return NULL;
    }
    char *at = (char *)(l + 1);
    init(l, drop_lookup);
    l->host = copy_text(&at, host);
    l->service = copy_text(&at, service);
    if (hints != NULL) {
        l->own_hints.ai_flags = hints->ai_flags;
        l->own_hints.ai_family = hints->ai_family;
        l->own_hints.ai_socktype = hints->ai_socktype;
        l->own_hints.ai_protocol = hints->ai_protocol;
        l->hints = &l->own_hints;
    }
    return l;
}

int go_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    if (go__canceled(go__self())) {
        return -ECANCELED;
    }
    struct go__lookup *l = make(host, service, hints);
    if (l == NULL) {
        return -ENOMEM;
    }
    int code = go__aside_start(&l->aside);
    if (code == 0) {
        code = go__aside_wait(&l->aside, GO_FOREVER);
    }
    if (code == 0) {
        code = l->error;
        *result = l->found;
        l->found = NULL;
    }
    go__aside_unref(&l->aside);
    return code;
}

/* --- networks and addresses --- */

static bool equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static int parse_network(const char *text, struct go__network *network)
{
    static const struct {
        const char name[9];
        struct go__network network;
    } known[] = {
        {"tcp", {AF_UNSPEC, SOCK_STREAM}}, {"tcp4", {AF_INET, SOCK_STREAM}},    {"tcp6", {AF_INET6, SOCK_STREAM}},
        {"udp", {AF_UNSPEC, SOCK_DGRAM}},  {"udp4", {AF_INET, SOCK_DGRAM}},     {"udp6", {AF_INET6, SOCK_DGRAM}},
        {"unix", {AF_UNIX, SOCK_STREAM}},  {"unixgram", {AF_UNIX, SOCK_DGRAM}},
    };
    for (size_t i = 0; text != NULL && i < go__countof(known); i++) {
        if (equal(text, known[i].name)) {
            *network = known[i].network;
            return 0;
        }
    }
    return -EINVAL;
}

int go__resolve(const char *network, const char *address, bool passive, struct go__resolution **resolution)
{
    struct go__network parsed;
    int error = parse_network(network, &parsed);
    if (error != 0 || address == NULL) {
        return -EINVAL;
    }
    struct go__resolution *r = go__alloc(sizeof *r);
    if (r == NULL) {
        return -ENOMEM;
    }
    init(&r->lookup, drop_resolution);
    r->lookup.of_address = true;
    r->network = parsed;
    r->text = address;
    r->passive = passive;
    go__system_call(go__address_parse, r);
    error = r->lookup.error;
    if (error == 0 && r->look_up) {
        error = go__aside_start(&r->lookup.aside);
    }
    if (error != 0) {
        go__resolve_end(r);
        return error;
    }
    *resolution = r;
    return 0;
}
