// Boost.Fiber's answers to the same questions. One worker: its default round robin; more: its work stealing, one scheduler a thread.
// Usage: fiber QUESTION [PARAMS]
#include <atomic>
#include <boost/fiber/all.hpp>
#include <malloc.h>
#include <memory>
#include <thread>
#include <vector>

#include "../../bench.h"

namespace fibers = boost::fibers;

using message = int64_t;
using unbuffered = fibers::unbuffered_channel<message>;
using buffered_channel = fibers::buffered_channel<message>;

// The smallest stack that its own examples use; the default of 128 KiB would only cost the million-fiber runs.
enum { STACK_BYTES = 16 * 1024 };

// From malloc, because the library's pools know no lock and stolen fibers end on other threads; main() stops malloc from giving the
// memory back between rounds.
template <typename F> static fibers::fiber start(F &&f)
{
    return fibers::fiber(fibers::launch::post, std::allocator_arg, fibers::fixedsize_stack(STACK_BYTES), std::forward<F>(f));
}

// What a waitgroup is elsewhere.
class group {
  public:
    void add(int n) { left += n; }
    void done()
    {
        std::unique_lock<fibers::mutex> lock(mutex);
        if (--left == 0) {
            zero.notify_all();
        }
    }
    void wait()
    {
        std::unique_lock<fibers::mutex> lock(mutex);
        zero.wait(lock, [this] { return left == 0; });
    }

  private:
    fibers::mutex mutex;
    fibers::condition_variable zero;
    int left = 0;
};

static void yield(uint64_t n)
{
    group g;
    g.add(16);
    for (int i = 0; i < 16; i++) {
        start([&] {
            for (uint64_t j = 0; j < n / 16; j++) {
                boost::this_fiber::yield();
            }
            g.done();
        }).detach();
    }
    g.wait();
}

static void spawn(uint64_t n, int batch)
{
    std::atomic<int64_t> ran{0};
    uint64_t rounds = n / (uint64_t)batch + 1;
    for (uint64_t i = 0; i < rounds; i++) {
        group g;
        g.add(batch);
        for (int j = 0; j < batch; j++) {
            start([&] {
                ran.fetch_add(1, std::memory_order_relaxed);
                g.done();
            }).detach();
        }
        g.wait();
    }
    BENCH_CHECK(ran == (int64_t)rounds * batch);
}

static void pingpong(uint64_t n)
{
    unbuffered ping, pong;
    auto other = start([&] {
        message v;
        while (ping.pop(v) == fibers::channel_op_status::success) {
            pong.push(v + 1);
        }
    });
    message v = 0;
    for (uint64_t i = 0; i < n; i++) {
        ping.push(v);
        pong.pop(v);
    }
    BENCH_CHECK(v == (int64_t)n);
    ping.close();
    other.join();
}

static void transfer(uint64_t n, int pairs)
{
    buffered_channel c(128);
    group senders, receivers;
    int64_t each = (int64_t)n / pairs + 1;
    std::atomic<int64_t> sum{0};
    senders.add(pairs);
    receivers.add(pairs);
    for (int p = 0; p < pairs; p++) {
        start([&] {
            for (int64_t i = 1; i <= each; i++) {
                c.push(i);
            }
            senders.done();
        }).detach();
        start([&] {
            int64_t s = 0;
            message v;
            while (c.pop(v) == fibers::channel_op_status::success) {
                s += v;
            }
            sum += s;
            receivers.done();
        }).detach();
    }
    senders.wait();
    c.close();
    receivers.wait();
    BENCH_CHECK(sum == pairs * each * (each + 1) / 2);
}

static void ring(uint64_t n)
{
    const int members = 503;
    std::vector<std::unique_ptr<unbuffered>> links;
    std::vector<fibers::fiber> all;
    message last = 0;
    for (int i = 0; i < members; i++) {
        links.push_back(std::make_unique<unbuffered>());
    }
    for (int i = 0; i < members; i++) {
        all.push_back(start([&, i] {
            unbuffered &in = *links[(size_t)i], &out = *links[(size_t)((i + 1) % members)];
            message token;
            for (in.pop(token); token > 0; in.pop(token)) {
                out.push(token - 1);
            }
            out.push(-1);
            if (token == 0) {
                in.pop(token);
                last = i + 1;
            }
        }));
    }
    links[0]->push((message)n);
    for (auto &f : all) {
        f.join();
    }
    BENCH_CHECK(last == (int64_t)(n % members) + 1);
}

static void skynet(unbuffered &up, int64_t number, int64_t size)
{
    int64_t sum = number;
    if (size > 1) {
        unbuffered children;
        std::vector<fibers::fiber> all;
        for (int64_t i = 0; i < 10; i++) {
            all.push_back(start([&children, number, size, i] { skynet(children, number + i * (size / 10), size / 10); }));
        }
        sum = 0;
        for (int i = 0; i < 10; i++) {
            message part;
            children.pop(part);
            sum += part;
        }
        for (auto &f : all) {
            f.join();
        }
    }
    up.push(sum);
}

static void tree()
{
    unbuffered c;
    message sum;
    auto root = start([&] { skynet(c, 0, 1000000); });
    c.pop(sum);
    root.join();
    BENCH_CHECK(sum == 499999500000);
}

static int64_t fib(int64_t n)
{
    if (n < 2) {
        return n;
    }
    int64_t left = 0;
    auto half = start([&left, n] { left = fib(n - 1); });
    int64_t right = fib(n - 2);
    half.join();
    return left + right;
}

static void lockers(uint64_t n, int contenders)
{
    fibers::mutex m;
    group g;
    uint64_t counter = 0, each = n / (uint64_t)contenders;
    g.add(contenders);
    for (int i = 0; i < contenders; i++) {
        start([&] {
            for (uint64_t j = 0; j < each; j++) {
                m.lock();
                counter++;
                m.unlock();
            }
            g.done();
        }).detach();
    }
    g.wait();
    BENCH_CHECK(counter == each * (uint64_t)contenders);
}

// 16 KiB of stack a fiber allows no million of them beside the other processes of a small machine.
static void parked()
{
    uint64_t n = bench_count(100000), arrived = 0;
    unbuffered gate;
    group g;
    double rss = bench_rss();
    int64_t begin = bench_now();
    g.add((int)n);
    for (uint64_t i = 0; i < n; i++) {
        start([&] {
            message v;
            __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
            gate.pop(v);
            g.done();
        }).detach();
    }
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) < n) {
        boost::this_fiber::yield();
    }
    double create = (double)(bench_now() - begin) / (double)n;
    rss = bench_rss() - rss;
    begin = bench_now();
    gate.close();
    g.wait();
    bench_report("parked", "goroutines=100000", "create", create, "ns/goroutine");
    bench_report("parked", "goroutines=100000", "release", (double)(bench_now() - begin) / (double)n, "ns/goroutine");
    bench_report("parked", "goroutines=100000", "memory", rss / (double)n, "B/goroutine");
}

// Once, without a warm-up: each of these takes seconds.
template <typename F> static void measure_once(const char *name, const char *params, F &&body)
{
    int64_t begin = bench_now();
    body();
    bench_report(name, params, "time", (double)(bench_now() - begin) / 1e6, "ms");
}

static void run(const char *question)
{
    auto is = [question](const char *name) { return strcmp(question, name) == 0; };
    if (is("yield")) {
        bench_measure("yield", "goroutines=16", bench_count(4000000), yield);
    } else if (is("spawn")) {
        bench_measure("spawn", "batch=1", bench_count(200000), [](uint64_t n) { spawn(n, 1); });
        bench_measure("spawn", "batch=1000", bench_count(200000), [](uint64_t n) { spawn(n, 1000); });
    } else if (is("pingpong")) {
        bench_measure("pingpong", "", bench_count(500000), pingpong);
    } else if (is("buffered")) {
        bench_measure("buffered", "1x1,capacity=128", bench_count(4000000), [](uint64_t n) { transfer(n, 1); });
        bench_measure("buffered", "4x4,capacity=128", bench_count(4000000), [](uint64_t n) { transfer(n, 4); });
    } else if (is("ring")) {
        bench_measure("ring", "members=503", bench_count(500000), ring);
    } else if (is("skynet")) {
        measure_once("skynet", "leaves=1000000", tree);
    } else if (is("fib")) {
        measure_once("fib", "n=30", [] { BENCH_CHECK(fib(30) == 832040); });
    } else if (is("mutex")) {
        bench_measure("mutex", "contenders=1", bench_count(20000000), [](uint64_t n) { lockers(n, 1); });
        bench_measure("mutex", "contenders=8", bench_count(2000000), [](uint64_t n) { lockers(n, 8); });
    } else if (is("parked")) {
        parked();
    } else {
        fprintf(stderr, "fiber: unknown question %s\n", question);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    int procs = bench_procs();
    std::vector<std::thread> threads;
    fibers::mutex end_mutex;
    fibers::condition_variable end;
    bool ended = false;

    if (argc < 2) {
        return 2;
    }
    bench_init(argc - 1, argv + 1);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_TOP_PAD, 16 << 20);
    // The algorithm counts its threads at the start: each must have one before any fiber is started.
    for (int i = 1; i < procs; i++) {
        threads.emplace_back([&] {
            fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(procs, true);
            std::unique_lock<fibers::mutex> lock(end_mutex);
            end.wait(lock, [&] { return ended; });
        });
    }
    if (procs > 1) {
        fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(procs, true);
    }
    run(argv[1]);
    {
        std::unique_lock<fibers::mutex> lock(end_mutex);
        ended = true;
    }
    end.notify_all();
    for (auto &t : threads) {
        t.join();
    }
    return 0;
}
