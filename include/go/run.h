/* Goroutines: starting the runtime, starting goroutines, and what a goroutine can say about itself.
 *
 *   #include <go.h>
 *   #include <stdio.h>
 *
 *   static void hello(void *arg)
 *   {
 *       printf("hello from goroutine %d\n", *(int *)arg);
 *   }
 *
 *   static int start(void *arg)
 *   {
 *       (void)arg;
 *       for (int i = 0; i < 3; i++) {
 *           go_copy(hello, &i, sizeof i);
 *       }
 *       go_sleep(GO_MILLISECOND);
 *       return 0;
 *   }
 *
 *   int main(void) { return go_run(start, NULL); }
 *
 * A goroutine changes its OS thread only inside a call documented as "Parks: yes", in go_yield and in what yields (go/net.h says
 * where). Preemption never moves it, so errno, thread_local variables and pthread locks keep their meaning between two such calls. */
#ifndef GO_RUN_H
#define GO_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "go/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*go_func)(void *arg);

/* How a goroutine is started; all zero means what go() does. */
typedef struct go_attr {
    const char *name;  /* shown in dumps and traces; copied; NULL for none */
    size_t stack_size; /* bytes of stack reserved; 0: start small and grow */
    size_t arg_size;   /* 0: pass arg itself; n: copy n bytes of *arg into the goroutine and pass the copy's address */
    uint64_t *id;      /* if not NULL, receives the new goroutine's id */
} go_attr;

/* How a runtime is set up; all zero means the defaults. Sizes in the environment may end in K, M or G; a variable that is no number is a
 * fatal error. */
typedef struct go_config {
    int procs;            /* Ps; 0: GOCO_PROCS, else the CPUs this process may use (affinity mask and cgroup quota); at most 1024 */
    size_t stack_reserve; /* bytes reserved for a contiguous stack, 16 KiB to 1 GiB; 0: GOCO_STACK_RESERVE, else 256 KiB */
    size_t stack_max;     /* bytes a goroutine's stack may grow to in all, at least stack_reserve; 0: GOCO_STACK_MAX, else 64 MiB */
    size_t
        max_threads; /* OS threads that run goroutines; 0: GOCO_MAX_THREADS, else 10000. At the limit goroutines wait, which is said
                             once; when nothing at all could run for a second it is a fatal error */
    int64_t stop_timeout; /* ns that go_run waits, after main returned, for goroutines that are executing; 0: one second */
} go_config;

/* go_run: start the runtime on the calling thread and run main_fn(arg) as the main goroutine.
 * When main_fn returns, the program part is over, as in Go: no goroutine is scheduled again, whatever its state. go_run waits up to
 * stop_timeout for those that are executing to reach a goco call, ends its threads, frees what it owns and returns. It can be called
 * again. A goroutine still executing then keeps its stack, and its thread ends at its next goco call; until then later
 * runs have the stack sizes of this one. Other threads blocked in goco calls get -ECANCELED; one blocked in a call that returns void is
 * a fatal error: join your threads before main_fn returns.
 * Returns main_fn's result; -EBUSY while a runtime runs; -EINVAL (main_fn NULL, bad config); -ENOMEM, -EMFILE or another code of the
 *         system when the runtime cannot start.
 * Parks:  blocks the calling thread.     Caller: any thread.
 * Source: Go spec, "Program execution". */
GO_API int go_run(int (*main_fn)(void *arg), void *arg);

/* go_run_config: the same with settings; config may be NULL. */
GO_API int go_run_config(const go_config *config, int (*main_fn)(void *arg), void *arg);

/* go: start fn(arg) in a new goroutine. Its stack starts at 2 KB and grows if fn was compiled with -fsplit-stack, otherwise it is a
 * reserved range that fills page by page.
 *   arg   passed as it is; what it points to must live long enough (go_copy does not need that)
 * Fatal:  when memory is out, no runtime runs, or fn is NULL.
 * Parks:  no.     Caller: any goroutine or, while the runtime runs, any thread.
 * Order:  everything before go() is visible to the goroutine.
 * Source: Go spec, "Go statements". Define GO_NO_SHORT_NAMES before including to keep the name go free: go_spawn(NULL, fn, arg) does it then. */
#ifndef GO_NO_SHORT_NAMES
GO_API void go(go_func fn, void *arg);
#endif

/* go_copy: the same with a private copy of size bytes of *arg, 16-byte aligned, which lives as long as the goroutine. */
GO_API void go_copy(go_func fn, const void *arg, size_t size);

/* go_spawn: the same with attributes (NULL: none).
 * Returns 0; -ENOMEM, -EINVAL (fn NULL) or -ESRCH (no runtime runs): nothing has happened then. */
GO_API int go_spawn(const go_attr *attr, go_func fn, void *arg);

/* go_yield: let the other runnable goroutines of this P run first.
 * Parks:  may switch, and may change the thread.     Caller: any thread (outside goroutines it is sched_yield). */
GO_API void go_yield(void);

/* go_exit: end the calling goroutine. In the main goroutine it waits for the others; when none is left that can run, that is a deadlock.
 * Caller: goroutines only (fatal elsewhere).     Source: runtime.Goexit. */
GO_API GO_NORETURN void go_exit(void);

/* go_id: the calling goroutine's id: main is 1, ids are never reused, 0 outside goroutines. */
GO_API uint64_t go_id(void);

/* go_set_name: what dumps and traces call this goroutine; copied; NULL for none. Without memory the old name stays. */
GO_API void go_set_name(const char *name);

/* go_count: live goroutines, main included; 0 while no runtime runs. A snapshot. */
GO_API size_t go_count(void);

/* go_procs: Ps now, 0 while no runtime runs.
 * go_set_procs: change it; effective on return. Returns the previous value; -EINVAL below 1 or above 1024; -ESRCH; -ENOMEM. Memory
 * out while the timers of a P that goes are moved is a fatal error. */
GO_API int go_procs(void);
GO_API int go_set_procs(int procs);

/* go_block_begin, go_block_end: bracket code that blocks the OS thread (a disk read, a library's own wait): the P is handed over at once.
 * They nest and need not be used: undeclared blocking loses the P to waiting work after 0.4 to 11 ms. The thread stays the same
 * across both.
 * Parks:  go_block_end may wait for a P, on its own thread.     Caller: goroutines (elsewhere they do nothing). */
GO_API void go_block_begin(void);
GO_API void go_block_end(void);

/* go_lock_thread, go_unlock_thread: wire the goroutine to its OS thread (nests), for libraries with thread affinity. The end of the
 * goroutine unlocks.     Source: runtime.LockOSThread. */
GO_API void go_lock_thread(void);
GO_API void go_unlock_thread(void);

/* Goroutine-local values, inherited by nobody. */
typedef struct go_key go_key;

/* go_key_new: a key; destroy (may be NULL) runs with the value, if it is not NULL, when a goroutine that has one ends; not on overwrite,
 * nor for goroutines dropped at the end of a run. It runs on the goroutine, may park and may use keys: values that it sets anew are
 * destroyed in their turn, a few times. Returns NULL when memory is out. */
GO_API GO_NODISCARD go_key *go_key_new(void (*destroy)(void *value));

/* go_key_free: the key is not used any more; values left are dropped without destroy. */
GO_API void go_key_free(go_key *key);

/* go_key_get: the caller's value, NULL if it has none.     go_key_set: 0 or -ENOMEM.
 * Caller: any goroutine or thread; a thread's values outlive runs and are destroyed when the thread ends. */
GO_API void *go_key_get(go_key *key);
GO_API int go_key_set(go_key *key, void *value);

#ifdef __cplusplus
}
#endif
#endif
