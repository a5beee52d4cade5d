// chain: 10,000 goroutines, each waits for its right neighbour and hands one more to its left (the daisy chain).
package main

import "goco.bench/peers/bench"

const links = 10_000

func link(left, right chan int) { left <- 1 + <-right }

func main() {
	bench.Measure("chain", "links=10000", bench.Count(40)*links, func(n int) {
		for done := 0; done < n; done += links {
			leftmost := make(chan int)
			right := leftmost
			for i := 0; i < links; i++ {
				left := right
				right = make(chan int)
				go link(left, right)
			}
			right <- 1
			bench.Check(<-leftmost == links+1, "chain")
		}
	})
}
