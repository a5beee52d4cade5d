/* Going idle and waking up, [idle-race] in src/sched/proc.h. One m runs a goroutine that readies others and then computes for ever;
 * others search, give up and sleep. No goroutine must be left lying while a p is idle and everybody sleeps.
 *
 * The owner's stores wait in its store buffer. It queues goroutines in its own list and looks whether anybody is hungry, without a
 * fence; if so it moves the list to the ring, passes a fence, and wakes a thread unless one searches. Searchers see the ring, and what
 * the list holds once the owner does not move (they claim the p, whose barrier drains the buffer). sysmon looks after hidden goroutines
 * alone, so that this model does not lean on it for the ring.
 *
 * variant: NO_FENCE           the owner looks for searchers before the ring's new goroutine is there to be seen
 * variant: NO_SECOND_LOOK     the idler sleeps without looking again
 * variant: NO_NEXT_SEARCHER   a searcher that finds work does not start the next one
 * variant: NO_SYSMON          a look for hunger that came too early is the owner's last */
#define ITEMS 2
#define THREADS 3 /* one more than ps: while one falls asleep a new one is started */

chan buffer = [2 * ITEMS] of { bit }; /* the owner's stores on their way to memory: 0 into the list, 1 into the ring */
byte in_list;                         /* what the list holds, as others see it */
byte own;                             /* as the owner sees it */
byte ring;
byte taken;
byte idle_ps = 1;
byte spinning = 1; /* the first helper searches already */
bit asleep[THREADS] = 1; /* or not started yet */
bit note[THREADS];
bit submitted;

active proctype memory()
{
end:
    do
    :: atomic { buffer?0 -> in_list++ }
    :: atomic { buffer?1 -> ring++; in_list-- }
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

active proctype owner()
{
    byte i;
    for (i : 1 .. ITEMS) {
        buffer!0;
        own++;
        if
        :: idle_ps > 0 || spinning > 0 ->
            do
            :: own > 0 -> buffer!1; own--
            :: else -> break
            od;
#ifndef NO_FENCE
            empty(buffer);
#endif
            if
            :: idle_ps > 0 && spinning == 0 -> wakep()
            :: else -> skip
            fi
        :: else -> skip
        fi
    }
    submitted = 1
}

active proctype sysmon()
{
end:
#ifndef NO_SYSMON
    do
    :: submitted && in_list > 0 && idle_ps > 0 && spinning == 0 -> wakep()
    od
#endif
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
        :: atomic { ring > 0 -> ring--; taken++; found = 1 }
            if
            :: searching -> searching = 0; spinning--;
#ifndef NO_NEXT_SEARCHER
                if
                :: idle_ps > 0 && ring > 0 -> wakep()
                :: else -> skip
                fi
#endif
            :: else -> skip
            fi;
            break /* its goroutine computes for ever too */
        :: atomic { submitted && empty(buffer) && in_list > 0 -> ring = ring + in_list; in_list = 0; own = 0 } /* the p is claimed */
        :: ring == 0 && !(submitted && in_list > 0) ->
            idle_ps++;
            if
            :: searching -> searching = 0; spinning--
            :: else -> skip
            fi;
#ifndef NO_SECOND_LOOK
            if
            :: atomic { ring + in_list > 0 && idle_ps > 0 -> idle_ps-- }; searching = 1; spinning++
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
        asleep[0] = 0;
        note[0] = 1;
        run helper(0);
        run helper(1);
        run helper(2)
    };
    timeout;
    assert(!submitted || ring + in_list == 0 || taken == ITEMS)
}
