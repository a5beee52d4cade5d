/* Addresses from and to text, with libc's help: on native stacks only. */
#include "net/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "go/net.h"

/* --- from text --- */

static struct go__addresses *make_list(int count)
{
    struct go__addresses *addresses = calloc(1, sizeof *addresses + (size_t)count * sizeof addresses->list[0]);
    if (addresses != NULL) {
        addresses->count = 0;
    }
    return addresses;
}

static void add_in4(struct go__addresses *to, struct in_addr host, uint16_t port)
{
    struct go__address *a = &to->list[to->count++];
    a->size = sizeof a->at.in4;
    a->at.in4.sin_family = AF_INET;
    a->at.in4.sin_port = htons(port);
    a->at.in4.sin_addr = host;
}

static void add_in6(struct go__addresses *to, struct in6_addr host, uint32_t zone, uint16_t port)
{
    struct go__address *a = &to->list[to->count++];
    a->size = sizeof a->at.in6;
    a->at.in6.sin6_family = AF_INET6;
    a->at.in6.sin6_port = htons(port);
    a->at.in6.sin6_addr = host;
    a->at.in6.sin6_scope_id = zone;
}

/* Go's rule: '@' stands for the zero byte of an abstract name. */
static int parse_path(struct go__resolution *r)
{
    size_t length = strlen(r->text);
    bool abstract = r->text[0] == '@';
    struct sockaddr_un *at;
    if (length == 0 || length >= sizeof at->sun_path) {
        return -EINVAL;
    }
    r->addresses = make_list(1);
    if (r->addresses == NULL) {
        return -ENOMEM;
    }
    r->addresses->count = 1;
    at = &r->addresses->list[0].at.path;
    at->sun_family = AF_UNIX;
    memcpy(at->sun_path, r->text, length);
    if (abstract) {
        at->sun_path[0] = '\0';
    }
    r->addresses->list[0].size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract);
    return 0;
}

static int copy_part(char *to, size_t most, const char *from, size_t length)
{
    if (length > most || memchr(from, '[', length) != NULL || memchr(from, ']', length) != NULL) {
        return -EINVAL;
    }
    memcpy(to, from, length);
    to[length] = '\0';
    return 0;
}

/* "host:port" or "[host]:port" into request.host and .service. */
static int split(struct go__resolution *r)
{
    const char *host = r->text, *end, *colon = strrchr(r->text, ':');
    if (colon == NULL) {
        return -EINVAL;
    }
    end = colon;
    if (*host == '[') {
        host++;
        end = colon - 1;
        if (end < host || *end != ']') {
            return -EINVAL;
        }
    } else if (memchr(host, ':', (size_t)(end - host)) != NULL) {
        return -EINVAL; /* an IPv6 address wants brackets */
    }
    int error = copy_part(r->host, GO__HOST_MOST, host, (size_t)(end - host));
    return error != 0 ? error : copy_part(r->service, GO__SERVICE_MOST, colon + 1, strlen(colon + 1));
}

/* Otherwise getaddrinfo might take it for a number, with a sign or a space before it, of which it keeps 16 bits. */
static bool is_name(const char *text)
{
    const char *letter = text;
    while (*letter != '\0' && !isalpha((unsigned char)*letter)) {
        letter++;
    }
    return *letter != '\0' && isalnum((unsigned char)*text);
}

/* 0..65535; -1: a name; -EINVAL. An empty one is 0. */
static int port_number(const char *text)
{
    int port = 0;
    if (text[strspn(text, "0123456789")] != '\0') {
        return is_name(text) ? -1 : -EINVAL;
    }
    for (; *text != '\0'; text++) {
        port = port * 10 + (*text - '0');
        if (port > 65535) {
            return -EINVAL;
        }
    }
    return port;
}

/* With "%eth0" or "%2" behind it. */
static bool literal_in6(const char *text, struct in6_addr *host, uint32_t *zone)
{
    char digits[INET6_ADDRSTRLEN];
    size_t length = strcspn(text, "%");
    *zone = 0;
    if (length >= sizeof digits) {
        return false;
    }
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (inet_pton(AF_INET6, digits, host) != 1) {
        return false;
    }
    if (text[length] == '%') {
        const char *name = text + length + 1;
        *zone = if_nametoindex(name);
        if (*zone == 0 && *name != '\0' && name[strspn(name, "0123456789")] == '\0') {
            *zone = (uint32_t)strtoul(name, NULL, 10);
        }
    }
    return text[length] == '\0' || *zone != 0;
}

static bool wants(const struct go__resolution *r, int family)
{
    return r->network.family == AF_UNSPEC || r->network.family == family;
}

/* An empty host: any address to listen on, this machine to dial. */
static int empty_host(struct go__resolution *r, uint16_t port)
{
    r->addresses = make_list(2);
    if (r->addresses == NULL) {
        return -ENOMEM;
    }
    if (r->passive) { /* [::] takes IPv4 too unless tcp6 was asked for; 0.0.0.0 is for machines without IPv6 */
        if (wants(r, AF_INET6)) {
            add_in6(r->addresses, in6addr_any, 0, port);
        }
        if (wants(r, AF_INET)) {
            add_in4(r->addresses, (struct in_addr){htonl(INADDR_ANY)}, port);
        }
        return 0;
    }
    if (wants(r, AF_INET)) {
        add_in4(r->addresses, (struct in_addr){htonl(INADDR_LOOPBACK)}, port);
    }
    if (wants(r, AF_INET6)) {
        add_in6(r->addresses, in6addr_loopback, 0, port);
    }
    return 0;
}

/* A host that is no name makes the addresses, *known. */
static int known_host(struct go__resolution *r, uint16_t port, bool *known)
{
    struct in_addr in4;
    struct in6_addr in6;
    uint32_t zone = 0;
    *known = true;
    if (r->host[0] == '\0') {
        return empty_host(r, port);
    }
    bool is4 = inet_pton(AF_INET, r->host, &in4) == 1;
    *known = is4 || literal_in6(r->host, &in6, &zone);
    if (!*known) {
        return strpbrk(r->host, ":%") != NULL ? -EINVAL : 0; /* no name has these: an IPv6 address that is none */
    }
    if (!wants(r, is4 ? AF_INET : AF_INET6)) {
        return -EINVAL;
    }
    r->addresses = make_list(1);
    if (r->addresses == NULL) {
        return -ENOMEM;
    }
    if (is4) {
        add_in4(r->addresses, in4, port);
    } else {
        add_in6(r->addresses, in6, zone, port);
    }
    return 0;
}

static int parse(struct go__resolution *r)
{
    if (r->network.family == AF_UNIX) {
        return parse_path(r);
    }
    int error = split(r);
    int port = error == 0 ? port_number(r->service) : 0;
    if (error != 0 || port < -1) {
        return error != 0 ? error : port;
    }
    bool known;
    error = known_host(r, (uint16_t)(port > 0 ? port : 0), &known);
    if (error != 0 || (known && port >= 0)) {
        return error;
    }
    r->look_up = true; /* of a known host only the service, so that its addresses are the same as with a number */
    r->lookup.own_hints.ai_family = known ? AF_UNSPEC : r->network.family;
    r->lookup.own_hints.ai_socktype = r->network.type;
    r->lookup.own_hints.ai_flags = r->passive ? AI_PASSIVE : 0;
    r->lookup.hints = &r->lookup.own_hints;
    r->lookup.host = known ? NULL : r->host;
    r->lookup.service = r->service[0] != '\0' ? r->service : NULL;
    return 0;
}

void go__address_parse(void *resolution)
{
    struct go__resolution *r = resolution;
    r->lookup.error = parse(r);
}

/* Whatever the family: the port is at the same place. */
static void set_ports(struct go__addresses *addresses, const struct addrinfo *found)
{
    for (int i = 0; i < addresses->count; i++) {
        addresses->list[i].at.in4.sin_port = ((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_port;
    }
}

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port), "see set_ports");

static void copy_found(struct go__resolution *r)
{
    int count = 0;
    for (const struct addrinfo *a = r->lookup.found; a != NULL; a = a->ai_next) {
        count++;
    }
    r->addresses = make_list(count);
    if (r->addresses == NULL) {
        r->lookup.error = -ENOMEM;
    }
    /* To listen, IPv4 first: of a name's addresses one is taken, and it should be the one most can reach. */
    for (int pass = r->passive ? 0 : 1; r->addresses != NULL && pass < 2; pass++) {
        for (const struct addrinfo *a = r->lookup.found; a != NULL; a = a->ai_next) {
            bool in4 = a->ai_family == AF_INET;
            if ((in4 || a->ai_family == AF_INET6) && (!r->passive || in4 == (pass == 0))) {
                struct go__address *to = &r->addresses->list[r->addresses->count++];
                to->size = a->ai_addrlen;
                memcpy(&to->at, a->ai_addr, a->ai_addrlen);
            }
        }
    }
    if (r->lookup.error == 0 && r->addresses->count == 0) {
        r->lookup.error = -ENOENT;
    }
}

void go__address_collect(void *resolution)
{
    struct go__resolution *r = resolution;
    if (r->addresses == NULL) {
        copy_found(r);
    } else if (r->lookup.found != NULL) {
        set_ports(r->addresses, r->lookup.found);
    }
    freeaddrinfo(r->lookup.found);
    r->lookup.found = NULL;
}

/* --- names --- */

static int lookup_error(int code, bool of_address)
{
    switch (code) {
    case 0: return 0;
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
        return -ENOENT;
    case EAI_SERVICE:
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
        return of_address ? -ENOENT : -EIO;
    case EAI_AGAIN: return -EAGAIN;
    case EAI_MEMORY: return -ENOMEM;
    default: return -EIO;
    }
}

void go__lookup_call(struct go__aside *aside)
{
    struct go__lookup *l = go__container_of(aside, struct go__lookup, aside);
    l->error = lookup_error(getaddrinfo(l->host, l->service, l->hints, &l->found), l->of_address);
}

void go__lookup_free(void *found)
{
    freeaddrinfo(found);
}

/* --- to text --- */

static int text_in6(const struct sockaddr_in6 *at, char *to, size_t size)
{
    char host[INET6_ADDRSTRLEN], name[IF_NAMESIZE];
    if (IN6_IS_ADDR_V4MAPPED(&at->sin6_addr)) { /* an IPv4 peer of a socket that takes both */
        inet_ntop(AF_INET, &at->sin6_addr.s6_addr[12], host, sizeof host);
        return snprintf(to, size, "%s:%u", host, ntohs(at->sin6_port));
    }
    inet_ntop(AF_INET6, &at->sin6_addr, host, sizeof host);
    if (at->sin6_scope_id == 0) {
        return snprintf(to, size, "[%s]:%u", host, ntohs(at->sin6_port));
    }
    if (if_indextoname(at->sin6_scope_id, name) == NULL) {
        (void)snprintf(name, sizeof name, "%u", at->sin6_scope_id);
    }
    return snprintf(to, size, "[%s%%%s]:%u", host, name, ntohs(at->sin6_port));
}

static int text_path(const struct go__address *a, char *to, size_t size)
{
    size_t length = a->size - offsetof(struct sockaddr_un, sun_path);
    const char *path = a->at.path.sun_path;
    if (a->size <= offsetof(struct sockaddr_un, sun_path)) {
        return snprintf(to, size, "%s", ""); /* the unnamed end of a connection */
    }
    if (path[0] == '\0') {
        return snprintf(to, size, "@%.*s", (int)length - 1, path + 1);
    }
    return snprintf(to, size, "%.*s", (int)strnlen(path, length), path);
}

void go__address_format(void *text)
{
    struct go__address_text *t = text;
    const struct go__address *a = t->address;
    int length;
    if (a->at.any.sa_family == AF_INET) {
        char host[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &a->at.in4.sin_addr, host, sizeof host);
        length = snprintf(t->buffer, t->size, "%s:%u", host, ntohs(a->at.in4.sin_port));
    } else if (a->at.any.sa_family == AF_INET6) {
        length = text_in6(&a->at.in6, t->buffer, t->size);
    } else if (a->at.any.sa_family == AF_UNIX) {
        length = text_path(a, t->buffer, t->size);
    } else {
        t->result = -EAFNOSUPPORT;
        return;
    }
    t->result = (size_t)length < t->size ? length : -ENOSPC;
}
