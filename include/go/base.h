/* Version, attributes and the words for error codes. Every other header of goco includes this one.
 *
 *   #include <go/base.h>
 *   #include <errno.h>
 *   #include <stdio.h>
 *
 *   int main(void)
 *   {
 *       printf("goco %s says: %s\n", go_version(), go_strerror(-ETIMEDOUT));
 *       return 0;
 *   } */
#ifndef GO_BASE_H
#define GO_BASE_H

#define GO_VERSION_MAJOR 0
#define GO_VERSION_MINOR 1
#define GO_VERSION_PATCH 0
#define GO_VERSION       "0.1.0"

/* One number to compare: GO_VERSION_NUMBER >= GO_VERSION_MAKE(0, 2, 0). */
#define GO_VERSION_MAKE(major, minor, patch) ((major)*10000 + (minor)*100 + (patch))
#define GO_VERSION_NUMBER                    GO_VERSION_MAKE(GO_VERSION_MAJOR, GO_VERSION_MINOR, GO_VERSION_PATCH)

/* The archive is compiled with hidden visibility; what is public stays visible when it becomes part of a shared object. */
#define GO_API __attribute__((visibility("default")))

/* On functions whose result must not be dropped: what was made, or whether it was done at all. gcc warns even through a cast to
 * void, so it does not stand where ignoring the result can be right. */
#define GO_NODISCARD __attribute__((warn_unused_result))

#ifdef __cplusplus
extern "C" {
#endif

/* go_strerror: a few words for an error code, without allocation, locale or errno.
 *   code   as returned by goco (negative); a positive errno value is understood too, 0 is "success"
 * Returns a static text, "unknown error" if it has none. Never NULL.
 * Parks:  no.     Caller: any goroutine or thread, signal handlers included; a runtime is not needed. */
GO_API const char *go_strerror(int code);

/* go_version: the version of the library that was linked, "major.minor.patch"; GO_VERSION is that of the headers.
 * Parks:  no.     Caller: any goroutine or thread; a runtime is not needed. */
GO_API const char *go_version(void);

#ifdef __cplusplus
}
#endif

#endif
