// fib: fib(30), every call starts a goroutine for one half, does the other itself and waits.
package main

import (
	"sync"

	"goco.bench/peers/bench"
)

func fib(n int) int64 {
	if n < 2 {
		return int64(n)
	}
	var left int64
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		left = fib(n - 1)
		wg.Done()
	}()
	right := fib(n - 2)
	wg.Wait()
	return left + right
}

func main() {
	bench.MeasureWhole("fib", "n=30", func() { bench.Check(fib(30) == 832040, "fib") })
}
