// mutex: lock, add one, unlock; alone and with eight goroutines at it.
package main

import (
	"sync"

	"goco.bench/peers/bench"
)

var (
	mu      sync.Mutex
	counter int
)

func lockers(n, contenders int) {
	counter = 0
	var wg sync.WaitGroup
	wg.Add(contenders)
	for i := 0; i < contenders; i++ {
		go func() {
			for j := 0; j < n/contenders; j++ {
				mu.Lock()
				counter++
				mu.Unlock()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	bench.Check(counter == n/contenders*contenders, "mutex")
}

func main() {
	bench.Measure("mutex", "contenders=1", bench.Count(20_000_000), func(n int) { lockers(n, 1) })
	bench.Measure("mutex", "contenders=8", bench.Count(8_000_000), func(n int) { lockers(n, 8) })
}
