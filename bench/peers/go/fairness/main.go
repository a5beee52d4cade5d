// fairness: a 1 ms ticker beside one hog a P: by how much does each gap between ticks exceed the period.
package main

import (
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"goco.bench/peers/bench"
)

var (
	stop atomic.Bool
	sink atomic.Int64
)

//go:noinline
func step(x int64) int64 { return x*6364136223846793005 + 1442695040888963407 }

func hogCalls() {
	var x int64
	for !stop.Load() {
		for i := 0; i < 1000; i++ {
			x = step(x)
		}
	}
	sink.Add(x)
}

func hogLoop() {
	var x int64
	for !stop.Load() {
		x = x*6364136223846793005 + 1442695040888963407
	}
	sink.Add(x)
}

func main() {
	for _, mode := range []string{"calls", "loop"} {
		if len(os.Args) > 1 && !strings.HasPrefix(mode, os.Args[1]) {
			continue
		}
		stop.Store(false)
		for i := 0; i < runtime.GOMAXPROCS(0); i++ {
			if mode == "calls" {
				go hogCalls()
			} else {
				go hogLoop()
			}
		}
		var late []int64
		ticker := time.NewTicker(time.Millisecond)
		end := time.Now().Add(time.Duration(bench.Count(2000)) * time.Millisecond)
		last := time.Now()
		for last.Before(end) {
			<-ticker.C
			now := time.Now()
			gap := now.Sub(last).Nanoseconds() - 1_000_000
			if gap < 0 {
				gap = 0
			}
			late = append(late, gap)
			last = now
		}
		ticker.Stop()
		stop.Store(true)
		bench.Percentiles("fairness", mode, "lateness", late)
	}
}
