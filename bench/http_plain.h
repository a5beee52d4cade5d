/* http_plain.h: the request handling that goco's HTTP benchmark server and the bare epoll loop share, so that the two differ in nothing
 * but how they wait: finds the complete requests of a keep-alive connection (pipelined ones too) and writes an answer for each. */
#ifndef GOCO_BENCH_HTTP_PLAIN_H
#define GOCO_BENCH_HTTP_PLAIN_H

#include <stddef.h>
#include <string.h>

enum { HTTP_BUFFER = 4096 };

static const char http_answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
static const char http_not_found[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

struct http_conn {
    size_t have;          /* bytes of in that are filled */
    char in[HTTP_BUFFER]; /* requests, the last perhaps incomplete */
    char out[2 * HTTP_BUFFER + 128];
};

/* Answer every complete request in c->in into c->out and keep the rest. Returns the bytes to send, from
 * HTTP_BUFFER on there may be more to answer; -1: the head does not fit. */
static inline long http_answer_all(struct http_conn *c)
{
    size_t at = 0, out = 0;

    while (out < HTTP_BUFFER) {
        const char *head = c->in + at;
        const char *end = memmem(head, c->have - at, "\r\n\r\n", 4);
        const char *text = http_not_found;
        size_t size = sizeof http_not_found - 1;

        if (end == NULL) {
            break;
        }
        if ((size_t)(end - head) > 15 && memcmp(head, "GET /plaintext ", 15) == 0) {
            text = http_answer;
            size = sizeof http_answer - 1;
        }
        memcpy(c->out + out, text, size);
        out += size;
        at = (size_t)(end + 4 - c->in);
    }
    c->have -= at;
    memmove(c->in, c->in + at, c->have);
    return out == 0 && c->have == HTTP_BUFFER ? -1 : (long)out;
}

#endif
