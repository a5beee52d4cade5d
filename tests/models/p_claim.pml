/* The claim of a p (src/sched/blocking.h): a goroutine enters the runtime by a plain store and a load; whoever takes its p pays for
 * the order with a heavy barrier. Stores of the owner wait in its store buffer until they drain; a read-modify-write (the lock) and
 * the claimer's heavy barrier drain it.
 *
 * Holds: the p is used by one party at a time, and the owner always comes through.
 * variant: NO_HEAVY_BARRIER    the claimer reads `inside` while the owner's store is still on its way
 * variant: NO_SECOND_LOOK      the owner that met ASKED goes on without asking again
 * variant: UNCLAIM_UNLOCKED    a p is given back without the lock under which the owner notices */
#define NONE  0
#define ASKED 1
#define TAKEN 2

chan buffer = [3] of { bit }; /* the owner's stores to `inside` on their way to memory */
bit inside;                   /* memory */
byte claim = NONE;
bit lock;
bit owned = 1;                /* pp->m is the owner */
bit idle;                     /* the p is in the idle list */
byte users;                   /* who touches p-local data right now */
bit owner_done;

inline acquire() { atomic { lock == 0 -> lock = 1 } }
inline release() { lock = 0 }
inline use() { users++; assert(users == 1); users-- }

active proctype memory()
{
    bit value;
end:
    do
    :: atomic { buffer?value -> inside = value }
    od
}

inline drain() { empty(buffer) } /* waits: memory() delivers */

active proctype owner()
{
    byte round = 0, seen;
    do
    :: round < 2 ->
        round++;
        buffer!1;           /* go__enter */
again:
        seen = claim;
        if
        :: seen == NONE -> skip
        :: else -> /* go__enter_slow */
            buffer!0;
            drain();
            acquire();
            seen = claim;
            if
            :: seen == TAKEN ->
                do
                :: idle -> idle = 0; break
                :: else -> release(); (idle == 1 || claim == NONE) -> acquire();
                    if
                    :: claim == NONE -> break /* given back by the claimer */
                    :: else -> skip
                    fi
                od;
                owned = 1;
                inside = 1; /* under the lock, which drains */
                claim = NONE;
                release()
            :: else ->
                release();
                buffer!1;
#ifndef NO_SECOND_LOOK
                goto again
#endif
            fi
        fi;
        use();
        buffer!0            /* go__leave */
    :: else -> break
    od;
    owner_done = 1
}

/* sysmon: takes the p and hands it on; here it becomes idle. */
active proctype taker()
{
    acquire();
    if
    :: owned && claim == NONE ->
        claim = ASKED;
#ifndef NO_HEAVY_BARRIER
        drain();
#endif
        if
        :: inside -> claim = NONE; release()
        :: else ->
            claim = TAKEN;
            owned = 0;
            release();
            use();
            acquire();
            idle = 1;
            release()
        fi
    :: else -> release()
    fi
}

/* A thief of runnext: borrows the p for a moment and gives it back under the same lock. */
active proctype borrower()
{
    acquire();
    if
    :: owned && claim == NONE ->
        claim = ASKED;
#ifndef NO_HEAVY_BARRIER
        drain();
#endif
        if
        :: inside -> claim = NONE; release()
        :: else ->
            claim = TAKEN;
            owned = 0;
#ifdef UNCLAIM_UNLOCKED
            release();
            use();
            if
            :: claim == TAKEN -> owned = 1; claim = NONE; use()
            :: else -> skip
            fi
#else
            use();
            owned = 1;
            claim = NONE;
            release()
#endif
        fi
    :: else -> release()
    fi
}
