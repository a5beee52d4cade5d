// buffered: messages through a channel of capacity 128, one to one and four to four.
package main

import (
	"sync"
	"sync/atomic"

	"goco.bench/peers/bench"
)

func transfer(n, pairs int) {
	c := make(chan int64, 128)
	var senders, receivers sync.WaitGroup
	var sum atomic.Int64
	each := n/pairs + 1
	senders.Add(pairs)
	receivers.Add(pairs)
	for p := 0; p < pairs; p++ {
		go func() {
			defer senders.Done()
			for i := 1; i <= each; i++ {
				c <- int64(i)
			}
		}()
		go func() {
			defer receivers.Done()
			var s int64
			for v := range c {
				s += v
			}
			sum.Add(s)
		}()
	}
	senders.Wait()
	close(c)
	receivers.Wait()
	bench.Check(sum.Load() == int64(pairs)*int64(each)*int64(each+1)/2, "buffered")
}

func main() {
	bench.Measure("buffered", "1x1,capacity=128", bench.Count(8_000_000), func(n int) { transfer(n, 1) })
	bench.Measure("buffered", "4x4,capacity=128", bench.Count(8_000_000), func(n int) { transfer(n, 4) })
}
