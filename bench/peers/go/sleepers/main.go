// sleepers: many goroutines sleep 1..100 ms ten times: how late do they wake, and what does it cost.
package main

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"goco.bench/peers/bench"
)

const rounds = 10

func sleeper(id int, late []int64, wg *sync.WaitGroup) {
	seed := uint32(id)*2654435761 + 1
	for r := range late {
		seed = seed*1664525 + 1013904223
		d := time.Duration(1+(seed>>8)%100) * time.Millisecond
		due := time.Now().Add(d)
		time.Sleep(d)
		late[r] = time.Since(due).Nanoseconds()
	}
	wg.Done()
}

func storm(n int, late []int64) {
	var wg sync.WaitGroup
	wg.Add(n)
	for i := 0; i < n; i++ {
		go sleeper(i, late[i*rounds:(i+1)*rounds], &wg)
	}
	wg.Wait()
	for _, l := range late {
		bench.Check(l >= 0, "woke early")
	}
}

func measure(n int) {
	params := "sleepers=" + strconv.Itoa(n)
	if len(os.Args) > 1 && !strings.HasPrefix(params, os.Args[1]) {
		return
	}
	late := make([]int64, n*rounds)
	storm(n, late) // the first use of memory is what parked measures
	cpu := bench.CPU()
	storm(n, late)
	cpu = bench.CPU() - cpu
	bench.Percentiles("sleepers", params, "overshoot", late)
	bench.Report("sleepers", params, "cpu", cpu, "s")
}

func main() {
	measure(1_000)
	measure(bench.Count(100_000))
}
