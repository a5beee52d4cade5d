/* Select (src/chan/select.c): the glance, all channels at one moment, a record in each, one claim. Two selects receive from two channels
 * without buffer, with the cases in opposite orders; a sender sends on each. A third select only tries, while one element is moved
 * from channel to channel.
 *
 * Holds: nobody waits for ever; every element is received once; a select receives one; nobody touches a record that is gone;
 * the select that tries finds the element, which is always in one of the channels.
 *
 * variant: GLANCE_IS_TRUSTED   what was seen without the lock is not looked at again under it
 * variant: LOCKS_IN_CASE_ORDER the channels are locked in the order of the cases
 * variant: LOOKS_ONE_BY_ONE    each channel is looked at and joined by itself
 * variant: TRIES_ONE_BY_ONE    the select that tries does not hold all channels at once
 * variant: NO_CLAIM            whoever pops a record delivers
 * variant: NO_DEQUEUE          the select leaves its record in the channel that was not the one */
#define NONE 9

bit lock[2];
bit sends[2];           /* a sender waits in the channel; under its lock, as the next */
bit receives[4];        /* [channel * 2 + select]: the select's record is in the channel */
bit alive[2];           /* the selects' records */
bit claimed[2];
byte element[2] = NONE; /* what was delivered to the select */
bit woken[2], taken[2]; /* selects, senders */
byte received[2];       /* times the element of a sender was received */
byte ended;

inline acquire(c) { atomic { !lock[c] -> lock[c] = 1 } }
inline release(c) { lock[c] = 0 }

active [2] proctype sender()
{
    byte c = _pid, s;
    bit done;
    acquire(c);
    do
    :: !done && (receives[c * 2] || receives[c * 2 + 1]) ->
        if
        :: receives[c * 2] -> s = 0
        :: receives[c * 2 + 1] -> s = 1
        fi;
        assert(alive[s]);
        receives[c * 2 + s] = 0;
        atomic {
            if
#ifdef NO_CLAIM
            :: true -> done = 1
#else
            :: !claimed[s] -> claimed[s] = 1; done = 1
            :: else -> skip
#endif
            fi
        }
    :: else -> break
    od;
    if
    :: done -> release(c); assert(element[s] == NONE); element[s] = c; woken[s] = 1
    :: else -> sends[c] = 1; release(c); taken[c]
    fi;
    ended++
}

inline take(c) /* channel locked; dropped */
{
    assert(sends[c]);
    sends[c] = 0;
    release(c);
    received[c]++;
    taken[c] = 1;
    happened = c
}

active [2] proctype selects()
{
    byte s = _pid - 2, first, second, happened = NONE;
    first = s; /* of the cases */
    second = 1 - s;

    /* 1. the glance */
    if
    :: sends[first] ->
        acquire(first);
#ifdef GLANCE_IS_TRUSTED
        take(first)
#else
        if
        :: sends[first] -> take(first)
        :: else -> release(first)
        fi
#endif
    :: else -> skip
    fi;

    /* 2. and 3. */
    if
    :: happened != NONE -> skip
    :: else ->
#ifdef LOOKS_ONE_BY_ONE
        alive[s] = 1;
        acquire(0);
        if
        :: sends[0] -> take(0)
        :: else -> release(0); acquire(1);
            if
            :: sends[1] -> take(1)
            :: else -> release(1)
            fi
        fi;
        if
        :: happened != NONE -> skip
        :: else ->
            acquire(0); receives[s] = 1; release(0);
            acquire(1); receives[2 + s] = 1; release(1)
        fi;
#else
#ifdef LOCKS_IN_CASE_ORDER
        acquire(first);
        acquire(second);
#else
        acquire(0);
        acquire(1);
#endif
        if
        :: sends[0] -> release(1); take(0)
        :: sends[1] -> release(0); take(1)
        :: else ->
            d_step { alive[s] = 1; receives[s] = 1; receives[2 + s] = 1 };
            release(0);
            release(1)
        fi;
#endif
        if
        :: happened != NONE -> skip
        :: else ->
            woken[s];
            happened = element[s];
            received[happened]++;
#ifndef NO_DEQUEUE
            acquire(1 - happened);
            receives[(1 - happened) * 2 + s] = 0;
            release(1 - happened)
#endif
        fi;
        alive[s] = 0
    fi;
    ended++
}

/* Two channels with a buffer each; the element comes into the one before it leaves the other. */
bit held[2];
byte at_first = 1, at_second; /* elements in each */

inline hold(c) { atomic { !held[c] -> held[c] = 1 } }

active proctype mover()
{
    hold(1); at_second++; held[1] = 0;
    hold(0); at_first--; held[0] = 0;
    hold(0); at_first++; held[0] = 0;
    hold(1); at_second--; held[1] = 0;
    ended++
}

active proctype tries()
{
    bit found;
#ifdef TRIES_ONE_BY_ONE
    hold(0); found = at_first > 0; held[0] = 0;
    hold(1); found = found || at_second > 0; held[1] = 0;
#else
    hold(0);
    hold(1);
    found = at_first > 0 || at_second > 0;
    held[0] = 0;
    held[1] = 0;
#endif
    assert(found);
    ended++
}

active proctype judge()
{
    timeout;
    assert(ended == 6 && received[0] == 1 && received[1] == 1)
}
