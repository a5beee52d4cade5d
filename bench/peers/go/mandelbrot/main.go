// mandelbrot: a goroutine a row: computing alone, to see that all Ps are used and nothing stands in the way.
package main

import (
	"sync"
	"sync/atomic"

	"goco.bench/peers/bench"
)

const (
	width = 1024
	limit = 200
)

func row(y int) int64 {
	var total int64
	ci := 2.0*float64(y)/width - 1.0
	for x := 0; x < width; x++ {
		cr := 3.0*float64(x)/width - 2.0
		var zr, zi float64
		var i int64
		for i = 0; i < limit && zr*zr+zi*zi <= 4; i++ {
			zr, zi = zr*zr-zi*zi+cr, 2*zr*zi+ci
		}
		total += i
	}
	return total
}

func main() {
	var expect int64
	for y := 0; y < width; y++ {
		expect += row(y)
	}
	bench.MeasureWhole("mandelbrot", "width=1024", func() {
		var sum atomic.Int64
		var wg sync.WaitGroup
		wg.Add(width)
		for y := 0; y < width; y++ {
			go func(y int) {
				sum.Add(row(y))
				wg.Done()
			}(y)
		}
		wg.Wait()
		bench.Check(sum.Load() == expect, "mandelbrot")
	})
}
