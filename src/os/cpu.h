/* How many CPUs this process may use: affinity mask, cgroup v2 and v1 quota. System stack only. */
#ifndef GO_SRC_OS_CPU_H
#define GO_SRC_OS_CPU_H

int go__cpu_count(void); /* at least 1 */

#endif
