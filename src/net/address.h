/* Names and addresses: "tcp", "[::1]:80" and what the system calls want instead. address.c runs on native stacks. */
#ifndef GO_SRC_NET_ADDRESS_H
#define GO_SRC_NET_ADDRESS_H

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/aside.h"

struct go__network {
    int family; /* AF_UNSPEC: both internet families */
    int type;   /* SOCK_STREAM or SOCK_DGRAM */
};

struct go__address {
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un path;
    } at;
};

struct go__addresses { /* from go__alloc */
    int count;
    struct go__address list[];
};

enum { GO__HOST_MOST = 255, GO__SERVICE_MOST = 31 };

/* One getaddrinfo, aside; from go__alloc. */
struct go__lookup {
    struct go__aside aside;
    const char *host, *service;
    const struct addrinfo *hints;
    bool of_address; /* for go_listen, go_dial: without service or family there is no such address, -ENOENT */
    int error;       /* as go_getaddrinfo returns it, or they do */
    struct addrinfo *found;
    struct addrinfo own_hints;
};
void go__lookup_call(struct go__aside *aside);
void go__lookup_free(void *found);

/* One resolution; from go__alloc. */
struct go__resolution {
    struct go__lookup lookup; /* first: it is freed with it. error: of the resolution */
    struct go__network network;
    const char *text; /* while it is parsed */
    bool passive;     /* to listen: an empty host is any address, and of a name's addresses IPv4 comes first */
    bool look_up;     /* host or service is a name */
    char host[GO__HOST_MOST + 1], service[GO__SERVICE_MOST + 1];
    struct go__addresses *addresses;
};

void go__address_parse(void *resolution);   /* error, look_up or addresses, or both: then their port is looked up */
void go__address_collect(void *resolution); /* addresses of found, or their port; found is freed; error */

/* As text, "127.0.0.1:80" or "[::1]:80" or a path. */
struct go__address_text {
    const struct go__address *address;
    char *buffer;
    size_t size;
    int result; /* length, or -ENOSPC */
};
void go__address_format(void *text);

/* --- on goroutines' stacks (resolve.c) --- */

/* -EINVAL, -ENOMEM, or 0 and a resolution that may be waited for. */
int go__resolve(const char *network, const char *address, bool passive, struct go__resolution **resolution);

/* Then: 0, and addresses are there; -ENOENT, -ENOMEM, -EAGAIN, -EIO; -ETIMEDOUT, -ECANCELED. Inline, because there is little stack. */
GO__INLINE int go__resolve_wait(struct go__resolution *r, int64_t deadline)
{
    if (!r->look_up) {
        return r->lookup.error;
    }
    int code = go__aside_wait(&r->lookup.aside, deadline);
    if (code == 0) {
        go__system_call(go__address_collect, r);
        code = r->lookup.error;
    }
    return code;
}

GO__INLINE void go__resolve_end(struct go__resolution *r)
{
    go__aside_unref(&r->lookup.aside);
}

#endif
