/* goco: goroutines for C. This header brings the whole interface; each part stands in a header of its own.
 *
 *   #include <go.h>
 *   #include <stdio.h>
 *
 *   static void square(void *arg)
 *   {
 *       go_chan *out = (go_chan *)arg;
 *       for (int i = 1; i <= 5; i++) {
 *           int n = i * i;
 *           (void)go_chan_send(out, &n);
 *       }
 *       (void)go_chan_close(out);
 *   }
 *
 *   static int start(void *arg)
 *   {
 *       (void)arg;
 *       go_chan *squares = go_chan_new(sizeof(int), 0);
 *       go(square, squares);
 *       for (int n; go_chan_recv(squares, &n) == 0;) printf("%d\n", n);
 *       go_chan_unref(squares);
 *       return 0;
 *   }
 *
 *   int main(void) { return go_run(start, NULL); } */
#ifndef GO_H
#define GO_H

#include "go/base.h"
#include "go/chan.h"
#include "go/context.h"
#include "go/debug.h"
#include "go/group.h"
#include "go/net.h"
#include "go/run.h"
#include "go/sync.h"
#include "go/time.h"

#endif
