/* Parking and being made ready (src/sched/park.h, src/time/wait.c): the claim word, its rendezvous with the goroutine that leaves its
 * stack, and what both sides may touch. A goroutine receives from a queue, waiting under a ticket; a sender and a
 * canceller may end each wait, and it may find the cancellation itself.
 *
 * Holds: it is made ready once a wait, and only when it has left its stack; every wait ends; every element is received or still
 * there; nobody touches a record that is gone.
 *
 * A ticket that is open may be claimed at once by the canceller, which knows the goroutine and needs no lock. So it is opened under the
 * record's lock, as the last step before the record is queued, when nothing is left that could make the wait unnecessary (here an
 * element; a descriptor that has moved, was closed, or cannot be registered). From then on the goroutine gives up in one way
 * only: it claims the ticket itself.
 *
 * variant: NO_RENDEZVOUS      the winner makes it ready without asking whether it has left its stack
 * variant: BLIND_COMMIT       the goroutine parks without asking whether the wait is over
 * variant: NO_EXCLUSION       a claim succeeds although somebody else has claimed
 * variant: LOOKS_TOO_EARLY    the goroutine looks for the cancellation before it opens its ticket
 * variant: CANCELS_TOO_LATE   the canceller looks for a ticket before it says that it cancels
 * variant: NO_UNLINK          a goroutine that was woken otherwise leaves its record in the queue
 * variant: CLAIMS_UNLOCKED    the sender claims, and reads the record, after it has dropped the queue's lock
 * variant: OPENS_TOO_EARLY    the ticket is opened before it is sure that there is something to wait for, and closed unused
 * variant: OPENS_UNDER_LOCK   the same, but under the lock of the record, which the canceller does not take
 * variant: GIVES_UP_UNASKED   the goroutine that finds the cancellation closes its ticket without claiming it */
#define ELEMENTS 2
#define WAITS    3 /* one more: the last is ended by the cancellation */

#define CLAIMED 1 /* the states of the claim word, 0: open */
#define PARKED  2
#define BOTH    3
#define DONE    4

#define DELIVERED 1
#define CANCELED  2

byte ticket, state = DONE; /* the claim word, always changed in one step */
bit left_stack;
bit runnable;
byte code;

bit lock;
byte elements;             /* under lock, as the next */
bit queued;
bit alive;                 /* the record's memory */
byte record_ticket;

bit err;
byte received;
byte ended;                /* processes */

#if defined(OPENS_TOO_EARLY) || defined(OPENS_UNDER_LOCK)
#define OPENS_EARLY
#endif

/* go__wait_begin. */
inline open()
{
    atomic { ticket++; state = 0 }
}

/* Made ready by the one who won. */
inline ready()
{
    atomic { assert(left_stack && !runnable); runnable = 1 }
}

inline claim(number, won)
{
    atomic {
        if
#ifdef NO_EXCLUSION
        :: ticket == number && state != DONE -> state = state | CLAIMED; won = 1
        :: else -> won = 0
#else
        :: ticket == number && (state == 0 || state == PARKED) -> state = state | CLAIMED; won = 1
        :: else -> won = 0
#endif
        fi
    }
}

/* go__wake: the code, then the rendezvous. */
inline wake(number, what)
{
    code = what;
#ifdef NO_RENDEZVOUS
    ready();
#else
    if
    :: atomic { ticket == number && state == CLAIMED -> state = DONE }
    :: atomic { !(ticket == number && state == CLAIMED) -> skip }; ready()
    fi;
#endif
}

active proctype goroutine()
{
    byte i;
    bit won, over, away;
    for (i : 1 .. WAITS) {
        over = 0;
        code = 0;
        if
        :: err -> break
        :: else
        fi;
#ifdef OPENS_TOO_EARLY
        open();
#endif
        atomic { !lock -> lock = 1 };
#ifdef OPENS_UNDER_LOCK
        open();
#endif
        if
        :: elements > 0 -> elements--; received++; over = 1
        :: else -> skip
        fi;
        if
        :: over ->
            lock = 0;
#ifdef OPENS_EARLY
            state = DONE /* go__wait_end: whoever has claimed it does not look again */
#endif
        :: else ->
#ifdef LOOKS_TOO_EARLY
            won = err;
#endif
#ifndef OPENS_EARLY
            open();
#endif
            d_step { record_ticket = ticket; alive = 1; queued = 1 };
            lock = 0;
            /* end_early */
            away = 1;
            if
#ifdef LOOKS_TOO_EARLY
            :: won ->
#else
            :: err ->
#endif
#ifdef GIVES_UP_UNASKED
                code = CANCELED;
                away = 0
#else
                claim(ticket, won);
                if
                :: won -> code = CANCELED; away = 0
                :: else -> skip
                fi
#endif
            :: else -> skip
            fi;
            if
            :: away ->
                left_stack = 1;
                /* the commit, on the other side */
#ifdef BLIND_COMMIT
                atomic { state = state | PARKED };
                away = 1;
#else
                if
                :: atomic { state == 0 -> state = PARKED }
                :: atomic { state == CLAIMED -> state = BOTH }
                :: atomic { state == DONE -> away = 0 }
                fi;
#endif
                if
                :: away -> atomic { runnable -> runnable = 0; left_stack = 0 }
                :: else -> left_stack = 0
                fi
            :: else -> skip
            fi;
            if
            :: code == DELIVERED -> received++
            :: else ->
                assert(code == CANCELED);
#ifndef NO_UNLINK
                atomic { !lock -> lock = 1 };
                queued = 0;
                lock = 0
#endif
            fi;
            d_step { state = DONE; alive = 0 }
        fi
    }
    ended++
}

active proctype sender()
{
    byte i, number;
    bit won;
    for (i : 1 .. ELEMENTS) {
        won = 0;
        atomic { !lock -> lock = 1 };
        if
        :: queued ->
            assert(alive);
            queued = 0;
#ifdef CLAIMS_UNLOCKED
            lock = 0;
            assert(alive);
#endif
            number = record_ticket;
            claim(number, won);
#ifdef CLAIMS_UNLOCKED
            atomic { !lock -> lock = 1 };
#endif
        :: else -> skip
        fi;
        if
        :: won -> assert(alive) /* the copy */; lock = 0; wake(number, DELIVERED)
        :: else -> elements++; lock = 0
        fi
    }
    ended++
}

active proctype canceller()
{
    byte number;
    bit won;
#ifdef CANCELS_TOO_LATE
    atomic { number = (state == 0 || state == PARKED -> ticket : 0) };
    err = 1;
#else
    err = 1;
    atomic { number = (state == 0 || state == PARKED -> ticket : 0) };
#endif
    if
    :: number != 0 ->
        claim(number, won);
        if
        :: won -> wake(number, CANCELED)
        :: else -> skip
        fi
    :: else -> skip
    fi;
    ended++
}

active proctype judge()
{
    timeout;
    assert(ended == 3 && received + elements == ELEMENTS && !lock)
}
