// yield: 16 goroutines that do nothing but yield.
package main

import (
	"runtime"
	"sync"

	"goco.bench/peers/bench"
)

const yielders = 16

func main() {
	bench.Measure("yield", "goroutines=16", bench.Count(4_000_000), func(n int) {
		var wg sync.WaitGroup
		wg.Add(yielders)
		for i := 0; i < yielders; i++ {
			go func() {
				defer wg.Done()
				for j := 0; j < n/yielders; j++ {
					runtime.Gosched()
				}
			}()
		}
		wg.Wait()
	})
}
