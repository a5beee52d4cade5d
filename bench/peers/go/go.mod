module goco.bench/peers

go 1.21
