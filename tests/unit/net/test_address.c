/* The text of addresses: what is taken, what is refused, what comes back. */
#include "unit/net/net_support.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"

struct expectation {
    const char *network, *address;
    int result;        /* of go_listen; 0: a descriptor */
    const char *local; /* what go_local_address says, up to the last ':'; NULL: not looked at */
};

static bool has_in6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd >= 0) {
        int listener = go_listen("tcp6", "[::1]:0");
        close(fd);
        if (listener >= 0) {
            go_close(listener);
            return true;
        }
    }
    return false;
}

static void check_listen(const struct expectation *e)
{
    char text[128], own[64];
    bool abstract = e->address != NULL && e->address[0] == '@';
    int fd = go_listen(e->network, abstract ? own_name(e->address, own, sizeof own) : e->address);
    if (e->result != 0 ? fd != e->result : fd < 0) {
        fprintf(stderr, "go_listen(%s, %s) is %d (%s)\n", e->network, e->address, fd, fd < 0 ? go_strerror(fd) : "a descriptor");
        abort();
    }
    if (fd >= 0) {
        int n = go_local_address(fd, text, sizeof text);
        CHECK(n > 0 && (size_t)n == strlen(text));
        if (e->local != NULL && strncmp(text, e->local, strlen(e->local)) != 0) {
            fprintf(stderr, "%s %s: the local address is %s\n", e->network, e->address, text);
            abort();
        }
        CHECK_EQUAL(go_local_address(fd, text, (size_t)n), -ENOSPC);
        CHECK_EQUAL(go_local_address(fd, text, (size_t)n + 1), n);
        CHECK_EQUAL(go_close(fd), 0);
    }
}

NET_TEST(listening_addresses)
{
    static const struct expectation table[] = {
        {"tcp", "127.0.0.1:0", 0, "127.0.0.1:"},
        {"tcp4", "127.0.0.1:0", 0, "127.0.0.1:"},
        {"tcp4", ":0", 0, "0.0.0.0:"},
        {"udp4", ":0", 0, "0.0.0.0:"},
        {"udp", "127.0.0.1:0", 0, "127.0.0.1:"},
        {"tcp", "0.0.0.0:0", 0, "0.0.0.0:"},
        {"tcp", "localhost:0", 0, "127.0.0.1:"},
        {"tcp", "127.0.0.1:", 0, "127.0.0.1:"},
        {"tcp", "127.0.0.1:00000", 0, "127.0.0.1:"},
        {"tcp", ":0", 0, NULL},
        /* malformed */
        {"tcp", "", -EINVAL, NULL},
        {"tcp", "127.0.0.1", -EINVAL, NULL},
        {"tcp", "::1:80", -EINVAL, NULL},
        {"tcp", "[::1]", -EINVAL, NULL},
        {"tcp", "[::1]80", -EINVAL, NULL},
        {"tcp", "[::1]x:80", -EINVAL, NULL},
        {"tcp", "::1]:80", -EINVAL, NULL},
        {"tcp", "[::1:80", -EINVAL, NULL},
        {"tcp", "[[::1]]:80", -EINVAL, NULL},
        {"tcp", "[::g]:80", -EINVAL, NULL},
        {"tcp", "[]:0", 0, NULL},
        {"tcp", "127.0.0.1:65536", -EINVAL, NULL},
        {"tcp", "127.0.0.1:99999999999999999999", -EINVAL, NULL},
        {"tcp", "127.0.0.1:0:0", -EINVAL, NULL},
        {"tcp", "127.0.0.1:+99999", -EINVAL, NULL},
        {"tcp", "127.0.0.1:+80", -EINVAL, NULL},
        {"tcp", "127.0.0.1:-1", -EINVAL, NULL},
        {"tcp", "127.0.0.1: 80", -EINVAL, NULL},
        {"tcp", "127.0.0.1:80 ", -EINVAL, NULL},
        {"tcp", "127.0.0.1:\t80", -EINVAL, NULL},
        {"tcp", "127.0.0.1: http", -EINVAL, NULL},
        {"tcp", ":-1", -EINVAL, NULL},
        {"tcp", "localhost:-1", -EINVAL, NULL},
        {"tcp4", "[::1]:http", -EINVAL, NULL},
        {"tcp", "[::g]:http", -EINVAL, NULL},
        {"tcp6", "127.0.0.1:0", -EINVAL, NULL},
        {"tcp4", "[::1]:0", -EINVAL, NULL},
        {"", "127.0.0.1:0", -EINVAL, NULL},
        {"tcp5", "127.0.0.1:0", -EINVAL, NULL},
        {"TCP", "127.0.0.1:0", -EINVAL, NULL},
        {"unixpacket", "/tmp/x", -EINVAL, NULL},
        {NULL, "127.0.0.1:0", -EINVAL, NULL},
        {"tcp", NULL, -EINVAL, NULL},
        /* unknown, and not ours */
        {"tcp", "host.invalid:0", -ENOENT, NULL},
        {"tcp", "127.0.0.1:no-such-service", -ENOENT, NULL},
        {"tcp", ":no-such-service", -ENOENT, NULL},
        {"tcp", "localhost:0x10", -ENOENT, NULL},
        {"tcp", "203.0.113.7:0", -EADDRNOTAVAIL, NULL},
        /* paths */
        {"unix", "", -EINVAL, NULL},
        {"unix", "@goco-test-address", 0, "@goco-test-address-"},
        {"unixgram", "@goco-test-address", 0, "@goco-test-address-"},
        {"unix", "/nonexistent/directory/socket", -ENOENT, NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].result == -ENOENT && getenv("GOCO_TEST_NO_RESOLVER") != NULL) {
            continue;
        }
        check_listen(&table[i]);
    }
    if (has_in6()) {
        static const struct expectation in6[] = {
            {"tcp", "[::1]:0", 0, "[::1]:"},
            {"tcp6", "[::1]:0", 0, "[::1]:"},
            {"tcp6", ":0", 0, "[::]:"},
            {"udp6", "[::1]:0", 0, "[::1]:"},
            {"tcp", ":0", 0, "[::]:"},
            {"tcp", "[::1%1]:0", 0, "[::1"},
            {"tcp", "[::1%nosuchzone]:0", -EINVAL, NULL},
        };
        for (size_t i = 0; i < sizeof in6 / sizeof in6[0]; i++) {
            check_listen(&in6[i]);
        }
    }
    return 0;
}

/* Everything but the system calls of a listen (passive) or a dial, in one thread. The caller frees the addresses. */
static void resolve(struct go__resolution *r, int family, bool passive, const char *address)
{
    memset(r, 0, sizeof *r);
    r->network.family = family;
    r->network.type = SOCK_STREAM;
    r->passive = passive;
    r->text = address;
    go__address_parse(r);
    if (r->lookup.error == 0 && r->look_up) {
        go__lookup_call(&r->lookup.aside);
        go__address_collect(r);
    }
    assert_int_equal(r->lookup.error, 0);
}

/* Not listened on, for others may have the port. */
static void a_service_by_name_or_number_is_the_same(void **state)
{
    static const char *const hosts[] = {"", "127.0.0.1", "[::1]", "localhost"};
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};
    struct go__resolution named, numbered;
    const struct servent *service = getservbyname("http", "tcp");
    char address[64];
    (void)state;
    if (service == NULL) {
        skip();
    }
    for (unsigned i = 0; i < 24; i++) {
        const char *host = hosts[i / 6];
        int family = families[i / 2 % 3];
        if ((host[0] == '1' && family == AF_INET6) || (host[0] == '[' && family == AF_INET) ||
            (host[0] == 'l' && family == AF_INET6)) {
            continue; /* no such address, or none that every machine has */
        }
        snprintf(address, sizeof address, "%s:http", host);
        resolve(&named, family, i % 2 == 0, address);
        snprintf(address, sizeof address, "%s:%d", host, ntohs((uint16_t)service->s_port));
        resolve(&numbered, family, i % 2 == 0, address);
        assert_int_equal(named.addresses->count, numbered.addresses->count);
        for (int j = 0; j < named.addresses->count; j++) {
            assert_int_equal(named.addresses->list[j].size, numbered.addresses->list[j].size);
            assert_memory_equal(&named.addresses->list[j].at, &numbered.addresses->list[j].at, named.addresses->list[j].size);
        }
        free(named.addresses);
        free(numbered.addresses);
    }
}

NET_TEST(a_long_path_is_refused)
{
    char path[200];
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    CHECK_EQUAL(go_listen("unix", path), -EINVAL);
    CHECK_EQUAL(go_dial("unix", path), -EINVAL);
    char host[400];
    memset(host, 'a', sizeof host);
    memcpy(host + 390, ":80", 4);
    CHECK_EQUAL(go_dial("tcp", host), -EINVAL);
    return 0;
}

/* A socket that listens for both families says of an IPv4 peer what it is. */
NET_TEST(both_families_through_one_listener)
{
    char text[64], at[80], port[16];
    int listener = go_listen("tcp", ":0");
    CHECK(listener >= 0 && go_local_address(listener, text, sizeof text) > 0);
    snprintf(port, sizeof port, "%s", strrchr(text, ':'));
    snprintf(at, sizeof at, "127.0.0.1%s", port);
    int client = go_dial("tcp", at), server = go_accept(listener);
    CHECK(client >= 0 && server >= 0);
    CHECK(go_peer_address(server, text, sizeof text) > 0 && strncmp(text, "127.0.0.1:", 10) == 0);
    CHECK(go_peer_address(client, text, sizeof text) > 0 && strcmp(text, at) == 0);
    CHECK(go_close(client) == 0 && go_close(server) == 0);
    if (has_in6()) {
        snprintf(at, sizeof at, "[::1]%s", port);
        client = go_dial("tcp", at);
        CHECK(client >= 0);
        server = go_accept(listener);
        CHECK(server >= 0);
        CHECK(go_peer_address(server, text, sizeof text) > 0 && strncmp(text, "[::1]:", 6) == 0);
        CHECK(go_close(client) == 0 && go_close(server) == 0);
    }
    snprintf(at, sizeof at, "%s", port); /* an empty host is this machine */
    client = go_dial("tcp", at);
    CHECK(client >= 0 && go_close(client) == 0);
    CHECK_EQUAL(go_peer_address(listener, text, sizeof text), -ENOTCONN);
    CHECK(go_close(listener) == 0);
    CHECK_EQUAL(go_local_address(0x7fff, text, sizeof text), -EBADF);
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_EQUAL(go_local_address(ends[0], text, sizeof text), -ENOTSOCK);
    CHECK(go_close(ends[0]) == 0 && go_close(ends[1]) == 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listening_addresses),
        cmocka_unit_test(a_service_by_name_or_number_is_the_same),
        cmocka_unit_test(a_long_path_is_refused),
        cmocka_unit_test(both_families_through_one_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
