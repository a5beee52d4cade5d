/* sysmon: the thread that watches the ps and needs none. */
#ifndef GO_SRC_SCHED_SYSMON_H
#define GO_SRC_SCHED_SYSMON_H

int go__sysmon_start(void); /* 0 or -errno */
void go__sysmon_stop(void); /* and joins it */

#endif
