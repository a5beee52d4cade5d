// timers: eight goroutines reset an armed timer, or make and stop one, with 10,000 others armed.
package main

import (
	"sync"
	"time"

	"goco.bench/peers/bench"
)

const workers = 8

func churn(n int, body func(n int)) {
	var wg sync.WaitGroup
	wg.Add(workers)
	for w := 0; w < workers; w++ {
		go func() {
			body(n / workers)
			wg.Done()
		}()
	}
	wg.Wait()
}

func main() {
	armed := make([]*time.Timer, 10_000)
	for i := range armed {
		armed[i] = time.NewTimer(time.Hour + time.Duration(i)*time.Millisecond)
	}
	bench.Measure("timers", "reset", bench.Count(4_000_000), func(n int) {
		churn(n, func(n int) {
			t := time.NewTimer(time.Hour)
			for i := 0; i < n; i++ {
				bench.Check(t.Reset(time.Hour+time.Duration(i&1023)*time.Millisecond), "reset")
			}
			t.Stop()
		})
	})
	bench.Measure("timers", "new+stop", bench.Count(4_000_000), func(n int) {
		churn(n, func(n int) {
			for i := 0; i < n; i++ {
				bench.Check(time.NewTimer(time.Hour).Stop(), "stop")
			}
		})
	})
	for _, t := range armed {
		t.Stop()
	}
}
