// skynet: a tree of goroutines, ten children each, a million leaves; the sum comes back through unbuffered channels.
package main

import "goco.bench/peers/bench"

func skynet(c chan int64, number, size int64) {
	if size == 1 {
		c <- number
		return
	}
	children := make(chan int64)
	var sum int64
	for i := int64(0); i < 10; i++ {
		go skynet(children, number+i*(size/10), size/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-children
	}
	c <- sum
}

func main() {
	bench.MeasureWhole("skynet", "leaves=1000000", func() {
		c := make(chan int64)
		go skynet(c, 0, 1_000_000)
		bench.Check(<-c == 499999500000, "skynet")
	})
}
