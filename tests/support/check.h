/* CHECK for the bodies of goroutines. cmocka's assertions jump out through a buffer that belongs to the thread, so only the test
 * function itself may use them: a goroutine records its result for the test function to look at, or uses CHECK, which prints
 * where it stands and ends the process. */
#ifndef GO_TESTS_SUPPORT_CHECK_H
#define GO_TESTS_SUPPORT_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                        \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            (void)fprintf(stderr, "%s:%d: CHECK failed: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                            \
        }                                                                                       \
    } while (0)

/* Two integers that must be equal; prints both. */
#define CHECK_EQUAL(left, right)                                                                                                \
    do {                                                                                                                        \
        const long long check_left = (long long)(left), check_right = (long long)(right);                                       \
        if (check_left != check_right) {                                                                                        \
            (void)fprintf(stderr, "%s:%d: CHECK_EQUAL failed: %s is %lld, %s is %lld\n", __FILE__, __LINE__, #left, check_left, \
                          #right, check_right);                                                                                 \
            abort();                                                                                                            \
        }                                                                                                                       \
    } while (0)

#endif
