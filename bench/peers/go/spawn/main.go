// spawn: start a goroutine and wait for it, one by one and a thousand at a time.
package main

import (
	"sync"
	"sync/atomic"

	"goco.bench/peers/bench"
)

var ran atomic.Int64

func spawn(n, batch int) {
	ran.Store(0)
	var wg sync.WaitGroup
	rounds := n/batch + 1
	for i := 0; i < rounds; i++ {
		wg.Add(batch)
		for j := 0; j < batch; j++ {
			go func() {
				ran.Add(1)
				wg.Done()
			}()
		}
		wg.Wait()
	}
	bench.Check(ran.Load() == int64(rounds*batch), "spawn")
}

func main() {
	bench.Measure("spawn", "batch=1", bench.Count(1_000_000), func(n int) { spawn(n, 1) })
	bench.Measure("spawn", "batch=1000", bench.Count(1_000_000), func(n int) { spawn(n, 1000) })
}
