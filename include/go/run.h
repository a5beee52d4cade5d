/* Goroutines: starting the runtime, starting goroutines, and what a goroutine can do to itself.
 *
 * A goroutine is a function call that runs on its own, on one of the runtime's threads. It starts with 2 KB of stack, which grows
 * without moving: pointers to what lies on it stay valid and may be shared.
 *
 *   #include <go/run.h>
 *   #include <go/sync.h>
 *   #include <stdio.h>
 *
 *   static go_waitgroup done;
 *
 *   static void greet(void *arg)
 *   {
 *       printf("goroutine %llu greets number %d\n", (unsigned long long)go_id(), *(int *)arg);
 *       go_waitgroup_done(&done);
 *   }
 *
 *   static int start(void *arg)
 *   {
 *       (void)arg;
 *       for (int i = 0; i < 3; i++) {
 *           go_waitgroup_add(&done, 1);
 *           go_copy(greet, &i, sizeof i);      // each gets its own i
 *       }
 *       go_waitgroup_wait(&done);
 *       return 0;
 *   }
 *
 *   int main(void) { return go_run(start, NULL); }
 *
 * The bare name `go` disappears with  #define GO_NO_SHORT_NAMES  before the first include; go_spawn(NULL, fn, arg) does the same. */
#ifndef GO_RUN_H
#define GO_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "go/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a goroutine runs. It ends when the function returns. */
typedef void (*go_func)(void *arg);

/* How to start a goroutine; all zero means defaults. */
typedef struct go_attr {
    const char *name;   /* shown in dumps and traces; copied; NULL for none */
    size_t stack_size;  /* bytes of stack reserved; 0: start small and grow */
    size_t arg_size;    /* 0: pass arg itself; n: copy n bytes of *arg into the goroutine and pass the copy's address */
    uint64_t *id;       /* if not NULL, receives the new goroutine's id before it can run */
} go_attr;

/* How to run; all zero means defaults. Environment variables stand in for what is 0 here. */
typedef struct go_config {
    int procs;            /* goroutines that execute at once; 0: GOCO_PROCS, else the CPUs this process may use (affinity, cgroup) */
    size_t stack_reserve; /* bytes reserved for a contiguous stack; 0: GOCO_STACK_RESERVE, else 256 KiB */
    size_t stack_max;     /* bytes a goroutine's stack may grow to in all; 0: GOCO_STACK_MAX, else 64 MiB */
    size_t max_threads;   /* OS threads; 0: GOCO_MAX_THREADS, else 10000 */
    int64_t stop_timeout; /* ns that go_run waits, after main returned, for goroutines that are executing; 0: one second */
} go_config;

/* go_run: run main_fn(arg) as the main goroutine, id 1, with default settings; the calling thread becomes one of the runtime's.
 *   main_fn   when it returns, the run is over: no goroutine is scheduled again, whatever it was doing
 *   arg       passed on as it is
 * Returns main_fn's result once all threads have stopped and everything the runtime owned is freed; -EBUSY if a runtime runs in
 *         this process; -ENOMEM or -EAGAIN if it could not be started; -EINVAL if an environment variable is out of range.
 * Parks:  blocks the calling thread until the run is over. A goroutine that does not reach a goco call within stop_timeout keeps
 *         its stack, and its thread ends at its next goco call.
 * Caller: any thread that is not part of a run. May be called again afterwards.
 * Source: Go spec, "Program execution"; src/sched/run.c. */
GO_API int go_run(int (*main_fn)(void *arg), void *arg);

/* go_run_config: go_run with settings.
 *   config   read before main_fn starts; NULL: defaults
 * Returns as go_run; -EINVAL if a setting is out of range: procs or stop_timeout negative, procs above 1024, a stack_max or
 *         stack_reserve that no stack could have. */
GO_API int go_run_config(const go_config *config, int (*main_fn)(void *arg), void *arg);

#ifndef GO_NO_SHORT_NAMES
/* go: start fn(arg) in a goroutine of its own. Memory out, or no runtime: fatal error.
 *   arg   passed as it is: what it points to must live as long as the goroutine needs it
 * Parks:  no; the new goroutine runs soon, on this thread or another.
 * Caller: any goroutine or, while the runtime runs, any thread.
 * Order:  everything before the call is visible to the goroutine.
 * Source: Go spec, "Go statements". */
GO_API void go(go_func fn, void *arg);
#endif

/* go_copy: the same with a private copy of an argument: go_copy(fn, &job, sizeof job). The cure for loop-variable capture.
 *   arg    size bytes, read before return
 *   size   bytes; the copy is aligned to 16 and lives as long as the goroutine */
GO_API void go_copy(go_func fn, const void *arg, size_t size);

/* go_spawn: start fn(arg) as attr says.
 *   attr   borrowed until return; NULL: defaults
 * Returns 0; -ENOMEM: memory is out and nothing has happened; -ESRCH: no runtime runs; -EINVAL: stack_size beyond stack_max.
 * Parks, Caller, Order: as go. */
GO_API int go_spawn(const go_attr *attr, go_func fn, void *arg);

/* go_yield: let other runnable goroutines run first. In any other thread: sched_yield.
 * Parks:  yes, briefly; never cancelled.     Caller: any goroutine or thread. */
GO_API void go_yield(void);

/* go_exit: end the calling goroutine, as if its function had returned; goroutine-local values are destroyed, the C stack is not
 * unwound (no C++ destructors). In the main goroutine it waits for the others; when none is left that can run, that is a deadlock.
 * Caller: a goroutine; elsewhere a fatal error.
 * Source: Go's runtime.Goexit. */
GO_API void go_exit(void) __attribute__((noreturn));

/* go_id: the calling goroutine's id; 0 outside goroutines; the main goroutine is 1. Ids are never reused within a run. */
GO_API uint64_t go_id(void);

/* go_set_name: what dumps and traces call the calling goroutine.
 *   name   copied, the first 31 bytes count; NULL: none
 * Caller: a goroutine; elsewhere it does nothing. */
GO_API void go_set_name(const char *name);

/* go_count: goroutines that have started and not ended, main included; 0 when no runtime runs. */
GO_API size_t go_count(void);

/* go_procs: how many goroutines execute at once (Go's GOMAXPROCS); 0 when no runtime runs. */
GO_API int go_procs(void);

/* go_set_procs: change it.
 *   procs   1 to 1024
 * Returns the number before, once the new one is in force; -EINVAL: out of range; -ESRCH: no runtime runs; -ENOMEM.
 * Parks:  no, but every goroutine is stopped for some microseconds.     Caller: any goroutine or, while the runtime runs, any
 * thread. */
GO_API int go_set_procs(int procs);

/* go_block_begin, go_block_end: bracket code that blocks the OS thread (a disk read, another library's wait): other goroutines take
 * over this thread's share of the CPUs at once. Not needed for correctness: whoever blocks or computes for 10 ms without a goco call
 * loses its share to waiting goroutines by itself. Pairs nest; goco calls between them are allowed, and end the effect until they
 * return.
 * Parks:  begin no; end may, to get its share back; never cancelled.     Caller: a goroutine; elsewhere they do nothing. */
GO_API void go_block_begin(void);
GO_API void go_block_end(void);

/* go_lock_thread, go_unlock_thread: wire the goroutine to its OS thread, which runs nothing else meanwhile: for libraries that
 * expect one thread. Pairs nest; a goroutine that ends while wired ends its thread. Unlock without lock is a fatal error.
 * Parks:  no.     Caller: a goroutine; elsewhere they do nothing.
 * Source: Go's runtime.LockOSThread. */
GO_API void go_lock_thread(void);
GO_API void go_unlock_thread(void);

/* A goroutine-local variable: a value per goroutine (and per foreign thread), NULL until set, inherited by nobody. */
typedef struct go_key go_key;

/* go_key_new: a new variable.
 *   destroy   called with each value that is not NULL when its goroutine ends, on that goroutine; may be NULL. Not called on
 *             overwrite, nor for goroutines dropped at the end of a run
 * Returns the key, to be freed with go_key_free; NULL when memory is out.
 * Parks:  no.     Caller: any thread, also before a run; the key outlives runs, its values do not. */
GO_API GO_NODISCARD go_key *go_key_new(void (*destroy)(void *value));

/* go_key_free: nobody may use the key any more; values still set are forgotten, not destroyed. NULL is fine. */
GO_API void go_key_free(go_key *key);

/* go_key_get: the caller's value; NULL if it has set none. */
GO_API void *go_key_get(go_key *key);

/* go_key_set: set the caller's value. Returns 0, or -ENOMEM (never for a NULL value).
 * Parks:  no.     Caller: any goroutine or, while the runtime runs, any thread. */
GO_API int go_key_set(go_key *key, void *value);

#ifdef __cplusplus
}
#endif

#endif
