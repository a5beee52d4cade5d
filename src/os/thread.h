/* OS threads as the scheduler needs them. System stack only. */
#ifndef GO_SRC_OS_THREAD_H
#define GO_SRC_OS_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/* Starts fn(arg) on a new thread with every asynchronous signal blocked from its first instruction. 0 or -errno. */
int go__thread_start(pthread_t *thread, void *(*fn)(void *), void *arg);

/* Blocks every asynchronous signal on the calling thread; faults stay deliverable. The old mask goes to *old. */
void go__thread_block_signals(sigset_t *old);
void go__thread_restore_signals(const sigset_t *old);
void go__thread_get_signals(sigset_t *now);

/* Undoes that in the child of a fork, which is about to run another program: the thread's mask is *mask again. Handlers go first, as exec
 * would have it: they would run on what may be a small stack, and keep the signal from the new program. */
void go__thread_free_signals(const sigset_t *mask);

int go__thread_id(void);

/* 1 if thread `tid` of this process runs or would if there were a CPU for it, 0 if it sleeps in the kernel. Opens a file of /proc;
 * -errno if it cannot. */
int go__thread_computes(int tid);
void go__thread_yield(void);
int go__thread_cpu(void); /* where it runs at the moment; -1 if that is not known */

#endif
