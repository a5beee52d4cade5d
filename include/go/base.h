/* What every header of goco needs: version, attributes, names of error codes. */
#ifndef GO_BASE_H
#define GO_BASE_H

#define GO_VERSION_MAJOR 0
#define GO_VERSION_MINOR 1
#define GO_VERSION_PATCH 0
#define GO_VERSION       "0.1.0"

#if defined(__GNUC__)
#define GO_API       __attribute__((visibility("default")))
#define GO_NODISCARD __attribute__((warn_unused_result))
#define GO_NORETURN  __attribute__((noreturn))
#else
#define GO_API
#define GO_NODISCARD
#define GO_NORETURN
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* go_strerror: the words for a result: go_strerror(-ETIMEDOUT) is "timed out"; positive codes name the same. The
 * words are goco's, not strerror's.
 * Returns a constant string, "unknown error" for a code that Linux does not have.
 * Parks:  no.     Caller: any thread, a runtime is not needed; allocates nothing. */
GO_API const char *go_strerror(int code);

/* go_version: the library's version, "major.minor.patch"; GO_VERSION is the headers'. */
GO_API const char *go_version(void);

#ifdef __cplusplus
}
#endif
#endif
