// blocking: 64 goroutines block their threads for 50 ms each, in a system call. Go's runtime is told of it, as of every one of Go's.
package main

import (
	"sync"
	"sync/atomic"
	"syscall"

	"goco.bench/peers/bench"
)

const naps = 64

func main() {
	bench.MeasureWhole("blocking", "naps=64", func() {
		var wg sync.WaitGroup
		var ran atomic.Int64
		wg.Add(naps)
		for i := 0; i < naps; i++ {
			go func() {
				time := syscall.Timespec{Nsec: 50_000_000}
				for syscall.Nanosleep(&time, &time) == syscall.EINTR { // Go sends its threads signals
				}
				ran.Add(1)
				wg.Done()
			}()
		}
		wg.Wait()
		bench.Check(ran.Load() == naps, "blocking")
	})
}
