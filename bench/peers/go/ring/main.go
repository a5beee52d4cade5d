// ring: a token goes round 503 goroutines linked by unbuffered channels.
package main

import "goco.bench/peers/bench"

const members = 503

func member(id int, in <-chan int64, out chan<- int64, last chan<- int) {
	for {
		token := <-in
		switch {
		case token > 0:
			out <- token - 1
		case token == 0:
			out <- -1 // end the others, and wait for the one before us
			<-in
			last <- id
			return
		default:
			out <- -1
			return
		}
	}
}

func main() {
	bench.Measure("ring", "members=503", bench.Count(2_000_000), func(n int) {
		first, last := make(chan int64), make(chan int)
		in := first
		for id := 1; id <= members; id++ {
			out := first
			if id < members {
				out = make(chan int64)
			}
			go member(id, in, out, last)
			in = out
		}
		first <- int64(n)
		bench.Check(<-last == n%members+1, "ring")
	})
}
