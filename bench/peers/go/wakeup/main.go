// wakeup: a process that idles reads the time at which another process wrote it into a pipe (descriptor 3, from bench/wake_writer).
package main

import (
	"encoding/binary"
	"os"
	"syscall"
	"unsafe"

	"goco.bench/peers/bench"
)

// monotonic is CLOCK_MONOTONIC, which all processes share; time.Now() does not give its zero point.
func monotonic() int64 {
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

func main() {
	syscall.SetNonblock(3, true)
	in := os.NewFile(3, "pipe")
	var late []int64
	var buffer [8]byte
	for {
		n, err := in.Read(buffer[:])
		if n == 0 || err != nil {
			break
		}
		bench.Check(n == 8, "wakeup")
		late = append(late, monotonic()-int64(binary.LittleEndian.Uint64(buffer[:])))
	}
	bench.Check(len(late) > 0, "wakeup: nothing came")
	bench.Percentiles("wakeup", "pipe", "latency", late)
}
