//! The same questions in tokio, Rust's runtime of stackless tasks. Unbuffered channels do not exist there: capacity 1 stands for them.
//! Usage: tokio-peer QUESTION [PARAMS]

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

fn procs() -> usize {
    std::env::var("GOCO_PROCS").ok().and_then(|s| s.parse().ok()).unwrap_or(1)
}

fn count(full: u64) -> u64 {
    let scale: f64 = std::env::var("BENCH_SCALE").ok().and_then(|s| s.parse().ok()).unwrap_or(1.0);
    ((full as f64 * scale) as u64).max(1)
}

fn report(name: &str, params: &str, metric: &str, value: f64, unit: &str) {
    let comma = if params.is_empty() { "" } else { "," };
    println!("{name} procs={}{comma}{params} {metric} {value} {unit}", procs());
}

/// Warm up, run several times, report the median per operation (n operations) in nanoseconds, or of the whole in milliseconds.
async fn measure<F: Future<Output = ()>>(name: &str, params: &str, n: u64, unit: f64, unit_name: &str, body: impl Fn(u64) -> F) {
    body(n / 8 + 1).await;
    let mut times = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        body(n).await;
        times.push(start.elapsed().as_nanos() as f64 / unit);
    }
    times.sort_by(|a, b| a.total_cmp(b));
    report(name, params, "time", times[1], unit_name);
}

async fn per_op<F: Future<Output = ()>>(name: &str, params: &str, n: u64, body: impl Fn(u64) -> F) {
    measure(name, params, n, n as f64, "ns/op", body).await;
}

async fn whole<F: Future<Output = ()>>(name: &str, params: &str, body: impl Fn(u64) -> F) {
    measure(name, params, 1, 1e6, "ms", body).await;
}

async fn yields(n: u64) {
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..n / 16 {
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for t in tasks {
        t.await.unwrap();
    }
}

async fn spawn(n: u64, batch: u64) {
    let ran = Arc::new(AtomicU64::new(0));
    let rounds = n / batch + 1;
    let mut tasks = Vec::with_capacity(batch as usize);
    for _ in 0..rounds {
        for _ in 0..batch {
            let ran = ran.clone();
            tasks.push(tokio::spawn(async move {
                ran.fetch_add(1, Relaxed);
            }));
        }
        for t in tasks.drain(..) {
            t.await.unwrap();
        }
    }
    assert_eq!(ran.load(Relaxed), rounds * batch);
}

async fn pingpong(n: u64) {
    let (ping, mut ping_in) = mpsc::channel::<u64>(1);
    let (pong, mut pong_in) = mpsc::channel::<u64>(1);
    tokio::spawn(async move {
        while let Some(v) = ping_in.recv().await {
            pong.send(v + 1).await.unwrap();
        }
    });
    let mut v = 0;
    for _ in 0..n {
        ping.send(v).await.unwrap();
        v = pong_in.recv().await.unwrap();
    }
    assert_eq!(v, n);
}

/// tokio's own channel has one receiver: four of them share it under its mutex.
async fn transfer(n: u64, pairs: u64) {
    let (sender, receiver) = mpsc::channel::<u64>(128);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let each = n / pairs + 1;
    for _ in 0..pairs {
        let sender = sender.clone();
        tokio::spawn(async move {
            for i in 1..=each {
                sender.send(i).await.unwrap();
            }
        });
    }
    drop(sender);
    let receivers: Vec<_> = (0..pairs)
        .map(|_| {
            let receiver = receiver.clone();
            tokio::spawn(async move {
                let mut sum = 0;
                if pairs == 1 {
                    let mut only = receiver.lock().await;
                    while let Some(v) = only.recv().await {
                        sum += v;
                    }
                } else {
                    while let Some(v) = receiver.lock().await.recv().await {
                        sum += v;
                    }
                }
                sum
            })
        })
        .collect();
    let mut sum = 0;
    for r in receivers {
        sum += r.await.unwrap();
    }
    assert_eq!(sum, pairs * each * (each + 1) / 2);
}

async fn ring(n: u64) {
    const MEMBERS: usize = 503;
    let (senders, mut receivers): (Vec<_>, Vec<_>) = (0..MEMBERS).map(|_| mpsc::channel::<i64>(1)).unzip();
    let (last, mut last_in) = mpsc::channel::<usize>(1);
    for at in (0..MEMBERS).rev() {
        let mut input = receivers.pop().unwrap();
        let output = senders[(at + 1) % MEMBERS].clone();
        let last = last.clone();
        tokio::spawn(async move {
            let mut token = input.recv().await.unwrap();
            while token > 0 {
                output.send(token - 1).await.unwrap();
                token = input.recv().await.unwrap();
            }
            output.send(-1).await.unwrap();
            if token == 0 {
                input.recv().await.unwrap();
                last.send(at + 1).await.unwrap();
            }
        });
    }
    senders[0].send(n as i64).await.unwrap();
    assert_eq!(last_in.recv().await.unwrap(), (n as usize) % MEMBERS + 1);
}

async fn chain(n: u64) {
    const LINKS: i64 = 10_000;
    for _ in 0..n / LINKS as u64 + 1 {
        let (leftmost, mut result) = mpsc::channel::<i64>(1);
        let mut left = leftmost;
        for _ in 0..LINKS {
            let (right, mut from_right) = mpsc::channel::<i64>(1);
            tokio::spawn(async move {
                let v = from_right.recv().await.unwrap();
                left.send(v + 1).await.unwrap();
            });
            left = right;
        }
        left.send(1).await.unwrap();
        assert_eq!(result.recv().await.unwrap(), LINKS + 1);
    }
}

fn skynet(up: mpsc::Sender<i64>, number: i64, size: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let mut sum = number;
        if size > 1 {
            let (child, mut children) = mpsc::channel(1);
            for i in 0..10 {
                tokio::spawn(skynet(child.clone(), number + i * (size / 10), size / 10));
            }
            sum = 0;
            for _ in 0..10 {
                sum += children.recv().await.unwrap();
            }
        }
        up.send(sum).await.unwrap();
    })
}

async fn tree(_: u64) {
    let (root, mut result) = mpsc::channel(1);
    tokio::spawn(skynet(root, 0, 1_000_000));
    assert_eq!(result.recv().await.unwrap(), 499999500000);
}

fn fib(n: i64) -> Pin<Box<dyn Future<Output = i64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let left = tokio::spawn(fib(n - 1));
        let right = fib(n - 2).await;
        left.await.unwrap() + right
    })
}

async fn lockers(n: u64, contenders: u64) {
    let counter = Arc::new(tokio::sync::Mutex::new(0u64));
    let each = n / contenders;
    let tasks: Vec<_> = (0..contenders)
        .map(|_| {
            let counter = counter.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    *counter.lock().await += 1;
                }
            })
        })
        .collect();
    for t in tasks {
        t.await.unwrap();
    }
    assert_eq!(*counter.lock().await, each * contenders);
}

fn rss() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find(|l| l.starts_with("Rss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

async fn parked() {
    let n = count(1_000_000);
    let params = format!("goroutines={n}");
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let arrived = Arc::new(AtomicU64::new(0));
    let before = rss();
    let mut start = Instant::now();
    for _ in 0..n {
        let (gate, arrived) = (gate.clone(), arrived.clone());
        tokio::spawn(async move {
            arrived.fetch_add(1, Relaxed);
            let _ = gate.acquire().await;
            arrived.fetch_sub(1, Relaxed);
        });
    }
    while arrived.load(Relaxed) < n {
        tokio::task::yield_now().await;
    }
    let create = start.elapsed().as_nanos() as f64 / n as f64;
    let memory = (rss() - before) / n as f64;
    start = Instant::now();
    gate.close();
    while arrived.load(Relaxed) > 0 {
        tokio::task::yield_now().await;
    }
    let release = start.elapsed().as_nanos() as f64 / n as f64;
    report("parked", &params, "create", create, "ns/goroutine");
    report("parked", &params, "release", release, "ns/goroutine");
    report("parked", &params, "memory", memory, "B/goroutine");
}

fn percentiles(name: &str, params: &str, what: &str, mut ns: Vec<i64>) {
    ns.sort();
    for (suffix, at) in [("p50", (ns.len() - 1) / 2), ("p99", (ns.len() - 1) * 99 / 100), ("max", ns.len() - 1)] {
        report(name, params, &format!("{what}_{suffix}"), ns[at] as f64 / 1e3, "us");
    }
}

fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

async fn storm(n: u64) -> Vec<i64> {
    let tasks: Vec<_> = (0..n)
        .map(|id| {
            tokio::spawn(async move {
                let mut late = [0i64; 10];
                let mut seed = (id as u32).wrapping_mul(2654435761).wrapping_add(1);
                for l in late.iter_mut() {
                    seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
                    let d = Duration::from_millis(1 + u64::from((seed >> 8) % 100));
                    let due = Instant::now() + d;
                    tokio::time::sleep(d).await;
                    *l = Instant::now().duration_since(due).as_nanos() as i64;
                }
                late
            })
        })
        .collect();
    let mut late = Vec::new();
    for t in tasks {
        late.extend(t.await.unwrap());
    }
    late
}

async fn sleepers(n: u64) {
    storm(n).await; // the first use of memory is what parked measures
    let before = cpu();
    let late = storm(n).await;
    let params = format!("sleepers={n}");
    percentiles("sleepers", &params, "overshoot", late);
    report("sleepers", &params, "cpu", cpu() - before, "s");
}

fn mandelbrot_row(y: usize) -> i64 {
    let mut total = 0;
    let ci = 2.0 * y as f64 / 1024.0 - 1.0;
    for x in 0..1024 {
        let (cr, mut zr, mut zi, mut i) = (3.0 * x as f64 / 1024.0 - 2.0, 0.0f64, 0.0f64, 0);
        while i < 200 && zr * zr + zi * zi <= 4.0 {
            let next = zr * zr - zi * zi + cr;
            zi = 2.0 * zr * zi + ci;
            zr = next;
            i += 1;
        }
        total += i;
    }
    total
}

async fn mandelbrot(expected: i64) {
    let sum = Arc::new(AtomicI64::new(0));
    let rows: Vec<_> = (0..1024)
        .map(|y| {
            let sum = sum.clone();
            tokio::spawn(async move {
                sum.fetch_add(mandelbrot_row(y), Relaxed);
            })
        })
        .collect();
    for r in rows {
        r.await.unwrap();
    }
    assert_eq!(sum.load(Relaxed), expected);
}

async fn echo() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    loop {
        let (mut c, _) = listener.accept().await.unwrap();
        c.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let mut buffer = [0u8; 4096];
            while let Ok(n) = c.read(&mut buffer).await {
                if n == 0 || c.write_all(&buffer[..n]).await.is_err() {
                    break;
                }
            }
        });
    }
}

async fn run(question: &str) {
    match question {
        "yield" => per_op("yield", "goroutines=16", count(4_000_000), yields).await,
        "spawn" => {
            per_op("spawn", "batch=1", count(500_000), |n| spawn(n, 1)).await;
            per_op("spawn", "batch=1000", count(1_000_000), |n| spawn(n, 1000)).await;
        }
        "pingpong" => per_op("pingpong", "", count(500_000), pingpong).await,
        "buffered" => {
            per_op("buffered", "1x1,capacity=128", count(4_000_000), |n| transfer(n, 1)).await;
            per_op("buffered", "4x4,capacity=128", count(1_000_000), |n| transfer(n, 4)).await;
        }
        "ring" => per_op("ring", "members=503", count(1_000_000), ring).await,
        "chain" => per_op("chain", "links=10000", count(40) * 10_000, chain).await,
        "skynet" => whole("skynet", "leaves=1000000", tree).await,
        "fib" => whole("fib", "n=30", |_| async { assert_eq!(fib(30).await, 832040) }).await,
        "mutex" => {
            per_op("mutex", "contenders=1", count(10_000_000), |n| lockers(n, 1)).await;
            per_op("mutex", "contenders=8", count(2_000_000), |n| lockers(n, 8)).await;
        }
        "parked" => parked().await,
        "sleepers" => {
            sleepers(1_000).await;
            sleepers(count(100_000)).await;
        }
        "mandelbrot" => {
            let expected = (0..1024).map(mandelbrot_row).sum();
            whole("mandelbrot", "width=1024", |_| mandelbrot(expected)).await;
        }
        "echo" => echo().await,
        other => panic!("unknown question {other}"),
    }
}

fn main() {
    let question = std::env::args().nth(1).expect("usage: tokio-peer QUESTION");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(procs()).enable_all().build().unwrap();
    // Spawned, because the thread that blocks on the runtime is none of its workers.
    runtime.block_on(async move { tokio::spawn(async move { run(&question).await }).await.unwrap() });
}
