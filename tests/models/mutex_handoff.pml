/* The mutex (src/sync/mutex.c): its word, its queue, the woken waiter on its way, handing over, giving up, and freeing it as early as
 * a program may: whoever is the last to unlock frees it.
 *
 * Holds: one owner at a time; everybody gets it in the end; nobody touches it when it is freed.
 *
 * variant: NO_SECOND_LOOK     a waiter asks to be woken without looking whether the mutex has become free
 * variant: TAKEN_UNDER_WAKE   a newcomer takes the mutex while the unlocker is choosing whom to wake
 * variant: WOKEN_FORGETS      a woken waiter that gets the mutex does not see to it that the next one is woken
 * variant: LOSER_FORGETS      a woken waiter that does not get it waits again as if somebody else were on his way
 * variant: QUEUE_DROPPED_LAST the unlocker that finds nobody frees the mutex and then drops the queue's lock
 * variant: HANDED_OVER_FREE   the mutex is free on its way to the one to whom it is handed over
 * variant: WAKES_UNCLAIMED    the unlocker wakes a waiter that has given up */
#define USERS  3
#define ROUNDS 2
#define TIMED  2 /* this user's first wait may be cut short */

/* the word */
bit locked, wake, queue;
/* under queue */
bit woken;
byte ring[USERS];
byte count;
bit starving[USERS];

bit claimed[USERS];
byte code[USERS]; /* what a waiter is woken with */
#define WOKEN  1
#define HANDED 2

byte owners;
byte refs = USERS;
bit freed;

#define touch() assert(!freed)

inline lock_queue() { atomic { !queue -> touch(); queue = 1 } }
inline unlock_queue() { atomic { touch(); queue = 0 } }

inline push(who, front)
{
    d_step {
        if
        :: front -> i = count; do :: i > 0 -> ring[i] = ring[i - 1]; i-- :: else -> break od; ring[0] = who
        :: else -> ring[count] = who
        fi;
        count++; i = 0
    }
}

inline remove_at(at)
{
    d_step {
        i = at; count--;
        do :: i < count -> ring[i] = ring[i + 1]; i++ :: else -> break od;
        ring[count] = 0; i = 0
    }
}

/* Queue locked, the mutex ours: drops the queue's lock. */
inline settle()
{
    atomic { touch(); wake = (count > 0 && !woken); queue = 0 }
}

inline attempt()
{
    if
#ifdef TAKEN_UNDER_WAKE
    :: atomic { !is_woken && !locked -> touch(); locked = 1; got = 1 }
    :: atomic { locked || (is_woken && wake) -> touch() }
#else
    :: atomic { !is_woken && !locked && !wake -> touch(); locked = 1; got = 1 }
    :: atomic { locked || wake -> touch() }
#endif
    :: atomic { is_woken && !locked && !wake && !queue -> touch(); locked = 1; queue = 1; got = 1 };
#ifdef WOKEN_FORGETS
        atomic { woken = 0; queue = 0 }
#else
        woken = 0; settle()
#endif
    fi
}

inline wait_once()
{
    lock_queue();
#ifndef LOSER_FORGETS
    if
    :: is_woken -> woken = 0
    :: else -> skip
    fi;
#endif
#ifdef NO_SECOND_LOOK
    atomic { wake = (wake || !woken) };
#else
    if
    :: atomic { !locked && !wake -> locked = 1; got = 1 }; settle()
    :: atomic { wake || (locked && woken) -> skip }
    :: atomic { locked && !wake && !woken -> wake = 1 }
    fi;
#endif
    if
    :: got -> skip
    :: else ->
        claimed[me] = 0; code[me] = 0;
        if
        :: is_woken -> starving[me] = 1
        :: is_woken -> starving[me] = 0
        :: else -> starving[me] = 0
        fi;
        push(me, is_woken);
        unlock_queue();
        if
        :: code[me] != 0
        :: atomic { me == TIMED && may_give_up && !claimed[me] -> claimed[me] = 1; may_give_up = 0 };
            lock_queue();
            d_step {
                at = 0;
                do :: at < count && ring[at] != me -> at++ :: else -> break od
            }
            if
            :: at < count -> remove_at(at)
            :: else -> skip
            fi;
            at = 0;
            unlock_queue()
        fi;
        got = (code[me] == HANDED);
        is_woken = (code[me] == WOKEN);
        code[me] = 0
    fi
}

inline lock()
{
    is_woken = 0;
    do
    :: attempt();
        if
        :: got -> break
        :: else -> wait_once()
        fi;
        if
        :: got -> break
        :: else -> skip
        fi
    od;
    got = 0
}

inline unlock()
{
    atomic { touch(); owners--; locked = 0; in_charge = wake };
    if
    :: !in_charge -> skip
    :: else ->
        in_charge = 0;
        lock_queue();
        found = 0;
        do
        :: count > 0 && !found ->
            chosen = ring[0];
            remove_at(0);
#ifdef WAKES_UNCLAIMED
            claimed[chosen] = 1; found = 1
#else
            atomic { found = !claimed[chosen]; claimed[chosen] = 1 }
#endif
        :: else -> break
        od;
        if
        :: !found -> /* those who waited have given up */
#ifdef QUEUE_DROPPED_LAST
            atomic { touch(); wake = 0 };
            unlock_queue()
#else
            atomic { touch(); wake = 0; queue = 0 }
#endif
        :: found && starving[chosen] ->
#ifdef HANDED_OVER_FREE
            atomic { touch(); wake = (count > 0); queue = 0 };
            locked = 1;
#else
            atomic { touch(); locked = 1; wake = (count > 0 && !woken); queue = 0 };
#endif
            code[chosen] = HANDED
        :: found && !starving[chosen] ->
            woken = 1;
            atomic { touch(); wake = 0; queue = 0 };
            code[chosen] = WOKEN
        fi;
        found = 0; chosen = 0
    fi
}

active [USERS] proctype user()
{
    byte me = _pid, round, i, at, chosen;
    bit got, is_woken, in_charge, found, last, may_give_up = 1;
    do
    :: round < ROUNDS ->
        round++;
        lock();
        atomic { owners++; assert(owners == 1) };
        if
        :: round == ROUNDS -> refs--; last = (refs == 0)
        :: else -> skip
        fi;
        unlock()
    :: else -> break
    od;
    if
    :: last -> freed = 1
    :: else -> skip
    fi
}
