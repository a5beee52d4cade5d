/* Going idle and waking up, [idle-race] in src/sched/proc.h. One m runs a goroutine that makes work visible and then computes for
 * ever; others search, give up and sleep. Work must not be left lying while a p is idle and everybody sleeps.
 *
 * The submitter's stores wait in its store buffer (light barrier: only the compiler); the idler's heavy barrier drains it. A
 * searcher that finds work looks for more without one: a store still on its way then is left to sysmon, which looks every 20 us to
 * 10 ms while any p is busy (`late`).
 *
 * variant: NO_HEAVY_BARRIER   the idler looks again before the submitter's store has arrived
 * variant: NO_SECOND_LOOK     the idler sleeps without looking again
 * variant: NO_NEXT_SEARCHER   a searcher that finds work does not start the next one */
#define ITEMS 2
#define THREADS 3 /* one more than ps: while one falls asleep a new one is started */

chan buffer = [ITEMS] of { bit }; /* pieces of work on their way to memory */
byte work;                        /* what lies in the ring */
byte taken;
byte idle_ps = 2;
byte spinning;
bit asleep[THREADS] = 1;          /* or not started yet */
bit note[THREADS];
bit submitted;
bit late;

active proctype memory()
{
end:
    do
    :: atomic { buffer?_ -> work++ }
    od
}

/* One wake-up at a time: spinning goes from 0 to 1, an idle p goes with the thread. */
inline wakep()
{
    atomic {
        if
        :: idle_ps > 0 && spinning == 0 ->
            spinning = 1;
            if
            :: asleep[0] -> asleep[0] = 0; idle_ps--; note[0] = 1
            :: !asleep[0] && asleep[1] -> asleep[1] = 0; idle_ps--; note[1] = 1
            :: !asleep[0] && !asleep[1] && asleep[2] -> asleep[2] = 0; idle_ps--; note[2] = 1
            :: else -> spinning = 0
            fi
        :: else -> skip
        fi
    }
}

active proctype submitter()
{
    byte i;
    for (i : 1 .. ITEMS) {
        buffer!1;
        if
        :: idle_ps > 0 && spinning == 0 -> wakep()
        :: else -> skip
        fi
    }
    submitted = 1
}

proctype helper(byte me)
{
    bit found, searching;
end:
    do
    :: note[me] ->
        note[me] = 0;
        searching = 1;
        do
        :: atomic { work > 0 -> work--; taken++; found = 1 }
            if
            :: searching -> searching = 0; spinning--;
#ifndef NO_NEXT_SEARCHER
                if
                :: atomic { idle_ps > 0 && work > 0 -> skip }; wakep()
                :: atomic { else -> late = late || nempty(buffer) }
                fi
#endif
            :: else -> skip
            fi;
            break /* its goroutine computes for ever too */
        :: work == 0 ->
            idle_ps++;
            if
            :: searching -> searching = 0; spinning--
            :: else -> skip
            fi;
#ifndef NO_HEAVY_BARRIER
            empty(buffer);
#endif
#ifndef NO_SECOND_LOOK
            if
            :: atomic { work > 0 && idle_ps > 0 -> idle_ps-- }; searching = 1; spinning++
            :: else -> atomic { asleep[me] = 1; break }
            fi
#else
            atomic { asleep[me] = 1; break }
#endif
        od;
        if
        :: found -> break
        :: else -> skip
        fi
    od
}

/* What is left when nothing moves any more. */
active proctype judge()
{
    atomic {
        run helper(0);
        run helper(1);
        run helper(2)
    };
    timeout;
    assert(late || !submitted || work == 0 || taken == ITEMS)
}
