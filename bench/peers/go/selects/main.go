// select: receive from one of two ready channels among 2 or 8 and send back into it (both buffered); and a select that parks.
package main

import "goco.bench/peers/bench"

func ready2(n int) {
	a, b := make(chan int64, 1), make(chan int64, 1)
	a <- 0
	b <- 0
	var sum int64
	for i := 0; i < n; i++ {
		select {
		case v := <-a:
			sum += v
			a <- 1
		case v := <-b:
			sum += v
			b <- 1
		}
	}
	bench.Check(sum+<-a+<-b == int64(n), "select 2")
}

func ready8(n int) {
	var c [8]chan int64
	for i := range c {
		c[i] = make(chan int64, 1)
	}
	c[2] <- 0
	c[5] <- 0
	var sum int64
	for i := 0; i < n; i++ {
		var v int64
		k := 0
		select {
		case v = <-c[0]:
			k = 0
		case v = <-c[1]:
			k = 1
		case v = <-c[2]:
			k = 2
		case v = <-c[3]:
			k = 3
		case v = <-c[4]:
			k = 4
		case v = <-c[5]:
			k = 5
		case v = <-c[6]:
			k = 6
		case v = <-c[7]:
			k = 7
		}
		sum += v
		c[k] <- 1
	}
	bench.Check(sum+<-c[2]+<-c[5] == int64(n), "select 8")
}

func parking(n int) {
	a, b := make(chan int64), make(chan int64)
	go func() {
		for i := 0; i < n; i += 2 {
			a <- 1
			b <- 1
		}
	}()
	var sum int64
	for i := 0; i < n+n%2; i++ {
		select {
		case v := <-a:
			sum += v
		case v := <-b:
			sum += v
		}
	}
	bench.Check(sum == int64(n+n%2), "select parking")
}

func main() {
	bench.Measure("select", "cases=2", bench.Count(4_000_000), ready2)
	bench.Measure("select", "cases=8", bench.Count(2_000_000), ready8)
	bench.Measure("select", "parking,cases=2", bench.Count(2_000_000), parking)
}
