/* The ring of a p and stealing from it (src/sched/runq.c). One owner queues goroutines and runs some; thieves, each with a ring of his
 * own, steal half of what a victim has, from the owner and from one another.
 *
 * Holds: every goroutine runs exactly once.
 *
 * variant: CAS_BEFORE_COPY  the thief moves head and copies the slots then: the owner may have used them anew
 * variant: GET_WITHOUT_CAS  the owner takes from its ring without asking whether a thief was faster
 * variant: NO_ROOM_CHECK    the owner queues into a ring that is full
 * variant: TAIL_FIRST       tail is moved before the slot is filled
 * variant: TAIL_OF_ALL      the thief publishes the goroutine that it is about to run as well */
#define PS    3
#define RING  4
#define ITEMS 6

byte head[PS], tail[PS]; /* they only grow */
byte ring[PS * RING];    /* of p: from p * RING */
byte ran[ITEMS + 1];
byte over;

#define slot(p, at) ring[(p) * RING + (at) % RING]

inline runs(item)
{
    d_step { assert(item != 0 && ran[item] == 0); ran[item]++; over++; item = 0 }
}

/* Owner of p. */
inline put(p, item, ok)
{
    h = head[p];
#ifdef NO_ROOM_CHECK
    ok = 1;
#else
    ok = (tail[p] - h < RING);
#endif
    if
    :: ok ->
#ifdef TAIL_FIRST
        tail[p] = tail[p] + 1;
        slot(p, tail[p] - 1) = item
#else
        slot(p, tail[p]) = item;
        tail[p] = tail[p] + 1
#endif
    :: else -> skip
    fi;
    h = 0
}

/* Owner of p. */
inline get(p, item)
{
    item = 0;
    h = head[p];
    do
    :: h == tail[p] -> break
    :: else ->
        item = slot(p, h);
#ifdef GET_WITHOUT_CAS
        head[p] = h + 1; break
#else
        if
        :: atomic { head[p] == h -> head[p] = h + 1 }; break
        :: atomic { else -> h = head[p]; item = 0 }
        fi
#endif
    od;
    h = 0
}

/* The thief's ring is empty. */
inline steal(me, victim, item)
{
    item = 0;
    h = head[victim];
    do
    :: n = tail[victim] - h;
        n = n - n / 2;
        if
        :: n == 0 -> break
        :: n > 0 && n > RING / 2 -> h = head[victim]
        :: else ->
#ifdef CAS_BEFORE_COPY
            if
            :: atomic { head[victim] == h -> head[victim] = h + n }; stolen = 1
            :: atomic { else -> h = head[victim] }
            fi;
            if
            :: stolen ->
                for (i : 0 .. n - 1) { slot(me, tail[me] + i) = slot(victim, h + i) }
            :: else -> skip
            fi;
#else
            for (i : 0 .. n - 1) { slot(me, tail[me] + i) = slot(victim, h + i) };
            if
            :: atomic { head[victim] == h -> head[victim] = h + n }; stolen = 1
            :: atomic { else -> h = head[victim] }
            fi;
#endif
            if
            :: stolen ->
                item = slot(me, tail[me] + n - 1);
#ifdef TAIL_OF_ALL
                tail[me] = tail[me] + n;
#else
                tail[me] = tail[me] + n - 1;
#endif
                break
            :: else -> skip
            fi
        fi
    od;
    h = 0; n = 0; i = 0; stolen = 0
}

active proctype owner()
{
    byte next = 1, item, h;
    bit ok;
    do
    :: next <= ITEMS ->
        put(0, next, ok);
        if
        :: ok -> next++
        :: else -> skip
        fi;
        if /* it runs one when there is no room, and may do so at any time */
        :: ok -> skip
        :: get(0, item);
            if
            :: item != 0 -> runs(item)
            :: else -> skip
            fi
        fi
    :: else -> break
    od;
    do
    :: get(0, item);
        if
        :: item != 0 -> runs(item)
        :: else -> break
        fi
    od
}

proctype thief(byte me; byte victim)
{
    byte item, h, n, i;
    bit stolen;
end:
    do
    :: tail[victim] != head[victim] ->
        steal(me, victim, item);
        if
        :: item == 0 -> skip
        :: else ->
            runs(item);
            do
            :: get(me, item);
                if
                :: item != 0 -> runs(item)
                :: else -> break
                fi
            od
        fi
    od
}

/* What is left when nothing moves any more. */
active proctype judge()
{
    atomic { run thief(1, 0); run thief(2, 1) };
    timeout;
    assert(over == ITEMS)
}
