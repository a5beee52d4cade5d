// pingpong: round trips over two unbuffered channels.
package main

import "goco.bench/peers/bench"

func main() {
	bench.Measure("pingpong", "", bench.Count(1_000_000), func(n int) {
		ping, pong := make(chan int64), make(chan int64)
		go func() {
			for v := range ping {
				pong <- v + 1
			}
		}()
		var v int64
		for i := 0; i < n; i++ {
			ping <- v
			v = <-pong
		}
		close(ping)
		bench.Check(v == int64(n), "pingpong")
	})
}
