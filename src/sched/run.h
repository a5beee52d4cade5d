/* Start and end of a run. */
#ifndef GO_SRC_SCHED_RUN_H
#define GO_SRC_SCHED_RUN_H

#include "sched/rt.h"

struct go__p *go__p_new(int index); /* NULL when memory is out; native stack */

#endif
