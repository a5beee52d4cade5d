#include "sched/crowd.h"

#define AVERAGE 8       /* of about so many conflicts */
#define OVER_NS 4000000 /* nobody met for so long: it begins anew. Longer than a thief holds back */

bool go__conflict(int64_t now)
{
    struct go__m *mp = go__m();
    if (mp == NULL) {
        return false; /* a foreign thread has no queue from which anybody steals */
    }
    int64_t gap = now - mp->conflict_at;
    int64_t weight = gap < GO__CROWD_MAX ? GO__CROWD_MAX - gap : 0;
    int64_t before = gap < OVER_NS ? mp->crowding : 0;
    mp->conflict_at = now;
    mp->crowding = before + (weight - before) / AVERAGE;
    mp->met_at = now;
    if (mp->p != NULL) {
        store_rlx(&mp->p->met_at, now); /* rlx: a hint; outside, the p may be another m's already */
    }
    return mp->crowding > GO__CROWD_MANY;
}
