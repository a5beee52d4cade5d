// parked: a million goroutines waiting on one channel: time to start and to release each, resident bytes of each.
package main

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"goco.bench/peers/bench"
)

var (
	arrived atomic.Int64
	gate    = make(chan byte)
	wg      sync.WaitGroup
)

func parked() {
	arrived.Add(1)
	<-gate
	wg.Done()
}

func main() {
	n := bench.Count(1_000_000)
	params := "goroutines=" + strconv.Itoa(n)
	before := bench.RSS()
	start := time.Now()
	wg.Add(n)
	for i := 0; i < n; i++ {
		go parked()
	}
	for arrived.Load() < int64(n) {
		runtime.Gosched()
	}
	created := time.Since(start)
	after := bench.RSS()
	start = time.Now()
	close(gate)
	wg.Wait()
	released := time.Since(start)
	bench.Report("parked", params, "create", float64(created.Nanoseconds())/float64(n), "ns/goroutine")
	bench.Report("parked", params, "release", float64(released.Nanoseconds())/float64(n), "ns/goroutine")
	bench.Report("parked", params, "memory", (after-before)/float64(n), "B/goroutine")
}
