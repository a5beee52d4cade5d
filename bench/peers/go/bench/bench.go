// Package bench is the Go twin of bench/bench.h: warm-up, repeats, and one line `name params metric value unit` a result.
package bench

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const repeats = 3

// Count scales a full-size operation count by BENCH_SCALE.
func Count(full int) int {
	scale, err := strconv.ParseFloat(os.Getenv("BENCH_SCALE"), 64)
	if err != nil || scale <= 0 {
		scale = 1
	}
	n := int(float64(full) * scale)
	if n < 1 {
		n = 1
	}
	return n
}

// Check ends the program when an answer is wrong.
func Check(ok bool, what string) {
	if !ok {
		fmt.Fprintln(os.Stderr, "bench: wrong answer:", what)
		os.Exit(1)
	}
}

// Report prints one result.
func Report(name, params, metric string, value float64, unit string) {
	p := "procs=" + strconv.Itoa(runtime.GOMAXPROCS(0))
	if params != "" {
		p += "," + params
	}
	fmt.Printf("%s %s %s %.6g %s\n", name, p, metric, value, unit)
}

// Measure warms up, runs body(n) several times and reports the median in ns per operation.
func Measure(name, params string, n int, body func(n int)) {
	if !wanted(params) {
		return
	}
	body(n/8 + 1)
	var times []float64
	for i := 0; i < repeats; i++ {
		start := time.Now()
		body(n)
		times = append(times, float64(time.Since(start).Nanoseconds())/float64(n))
	}
	sort.Float64s(times)
	Report(name, params, "time", times[repeats/2], "ns/op")
}

// MeasureWhole is Measure for a body that is one operation of milliseconds.
func MeasureWhole(name, params string, body func()) {
	if !wanted(params) {
		return
	}
	body()
	var times []float64
	for i := 0; i < repeats; i++ {
		start := time.Now()
		body()
		times = append(times, float64(time.Since(start).Nanoseconds())/1e6)
	}
	sort.Float64s(times)
	Report(name, params, "time", times[repeats/2], "ms")
}

// wanted tells whether the program's first argument, if there is one, selects these parameters.
func wanted(params string) bool {
	return len(os.Args) < 2 || strings.HasPrefix(params, os.Args[1])
}

// CPU is the process's user and system time so far, in seconds.
func CPU() float64 {
	var ru syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}

// RSS is the resident set in bytes.
func RSS() float64 {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	Check(err == nil, "smaps_rollup")
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Rss:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb * 1024
		}
	}
	return 0
}

// Percentile sorts ns in place and reports p50, p99 and the largest, in microseconds.
func Percentiles(name, params, what string, ns []int64) {
	sort.Slice(ns, func(i, j int) bool { return ns[i] < ns[j] })
	last := len(ns) - 1
	Report(name, params, what+"_p50", float64(ns[last/2])/1e3, "us")
	Report(name, params, what+"_p99", float64(ns[last*99/100])/1e3, "us")
	Report(name, params, what+"_max", float64(ns[last])/1e3, "us")
}
