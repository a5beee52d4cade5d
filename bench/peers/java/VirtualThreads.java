// Java's virtual threads (JDK 21 on), with the queues and locks of java.util.concurrent for channels and mutexes.
// Usage: java -Djdk.virtualThreadScheduler.parallelism=PROCS -Djdk.virtualThreadScheduler.maxPoolSize=PROCS VirtualThreads QUESTION
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

public class VirtualThreads {
    interface Body {
        void run(int n) throws Exception;
    }

    interface Task {
        void run() throws Exception;
    }

    static void start(Task task) {
        Thread.startVirtualThread(() -> {
            try {
                task.run();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
    }

    static void check(boolean ok, String what) {
        if (!ok) {
            throw new IllegalStateException("wrong answer: " + what);
        }
    }

    static int count(int full) {
        String scale = System.getenv("BENCH_SCALE");
        return Math.max(1, (int) (full * (scale == null ? 1.0 : Double.parseDouble(scale))));
    }

    static void report(String name, String params, String metric, double value, String unit) {
        String procs = System.getenv().getOrDefault("GOCO_PROCS", "1");
        System.out.printf("%s procs=%s%s%s %s %.6g %s%n", name, procs, params.isEmpty() ? "" : ",", params, metric, value, unit);
    }

    // The just-in-time compiler needs a longer warm-up than the others: one whole run.
    static void measure(String name, String params, int n, double unit, String unitName, Body body) throws Exception {
        body.run(n);
        double[] times = new double[3];
        for (int i = 0; i < times.length; i++) {
            long begin = System.nanoTime();
            body.run(n);
            times[i] = (System.nanoTime() - begin) / unit;
        }
        Arrays.sort(times);
        report(name, params, "time", times[1], unitName);
    }

    static void perOp(String name, String params, int n, Body body) throws Exception {
        measure(name, params, n, n, "ns/op", body);
    }

    static void yields(int n) throws Exception {
        CountDownLatch done = new CountDownLatch(16);
        for (int i = 0; i < 16; i++) {
            start(() -> {
                for (int j = 0; j < n / 16; j++) {
                    Thread.yield();
                }
                done.countDown();
            });
        }
        done.await();
    }

    static void spawn(int n, int batch) throws Exception {
        AtomicLong ran = new AtomicLong();
        int rounds = n / batch + 1;
        for (int i = 0; i < rounds; i++) {
            CountDownLatch done = new CountDownLatch(batch);
            for (int j = 0; j < batch; j++) {
                start(() -> {
                    ran.incrementAndGet();
                    done.countDown();
                });
            }
            done.await();
        }
        check(ran.get() == (long) rounds * batch, "spawn");
    }

    static void pingpong(int n) throws Exception {
        SynchronousQueue<Long> ping = new SynchronousQueue<>(), pong = new SynchronousQueue<>();
        start(() -> {
            for (int i = 0; i < n; i++) {
                pong.put(ping.take() + 1);
            }
        });
        long v = 0;
        for (int i = 0; i < n; i++) {
            ping.put(v);
            v = pong.take();
        }
        check(v == n, "pingpong");
    }

    static void transfer(int n, int pairs) throws Exception {
        BlockingQueue<Long> queue = new ArrayBlockingQueue<>(128);
        CountDownLatch done = new CountDownLatch(pairs);
        AtomicLong sum = new AtomicLong();
        long each = n / pairs + 1;
        for (int p = 0; p < pairs; p++) {
            start(() -> {
                for (long i = 1; i <= each; i++) {
                    queue.put(i);
                }
            });
            start(() -> {
                long s = 0;
                for (long i = 0; i < each; i++) {
                    s += queue.take();
                }
                sum.addAndGet(s);
                done.countDown();
            });
        }
        done.await();
        check(sum.get() == pairs * each * (each + 1) / 2, "buffered");
    }

    static void ring(int n) throws Exception {
        final int members = 503;
        @SuppressWarnings("unchecked")
        SynchronousQueue<Long>[] links = new SynchronousQueue[members];
        SynchronousQueue<Integer> last = new SynchronousQueue<>();
        Arrays.setAll(links, i -> new SynchronousQueue<>());
        for (int i = 0; i < members; i++) {
            final int at = i;
            start(() -> {
                SynchronousQueue<Long> in = links[at], out = links[(at + 1) % members];
                long token;
                while ((token = in.take()) > 0) {
                    out.put(token - 1);
                }
                out.put(-1L);
                if (token == 0) {
                    in.take();
                    last.put(at + 1);
                }
            });
        }
        links[0].put((long) n);
        check(last.take() == n % members + 1, "ring");
    }

    static void skynet(SynchronousQueue<Long> up, long number, long size) throws Exception {
        long sum = number;
        if (size > 1) {
            SynchronousQueue<Long> children = new SynchronousQueue<>();
            for (int i = 0; i < 10; i++) {
                final long first = number + i * (size / 10);
                start(() -> skynet(children, first, size / 10));
            }
            sum = 0;
            for (int i = 0; i < 10; i++) {
                sum += children.take();
            }
        }
        up.put(sum);
    }

    static void tree(int n) throws Exception {
        SynchronousQueue<Long> root = new SynchronousQueue<>();
        start(() -> skynet(root, 0, 1_000_000));
        check(root.take() == 499999500000L, "skynet");
    }

    static void lockers(int n, int contenders) throws Exception {
        ReentrantLock lock = new ReentrantLock();
        long[] counter = {0};
        CountDownLatch done = new CountDownLatch(contenders);
        for (int i = 0; i < contenders; i++) {
            start(() -> {
                for (int j = 0; j < n / contenders; j++) {
                    lock.lock();
                    counter[0]++;
                    lock.unlock();
                }
                done.countDown();
            });
        }
        done.await();
        check(counter[0] == n / contenders * contenders, "mutex");
    }

    static double rss() throws Exception {
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps_rollup"))) {
            if (line.startsWith("Rss:")) {
                return Double.parseDouble(line.replaceAll("[^0-9]", "")) * 1024;
            }
        }
        return 0;
    }

    static void parked() throws Exception {
        int n = count(1_000_000);
        CountDownLatch gate = new CountDownLatch(1), done = new CountDownLatch(n);
        AtomicLong arrived = new AtomicLong();
        double before = rss();
        long begin = System.nanoTime();
        for (int i = 0; i < n; i++) {
            start(() -> {
                arrived.incrementAndGet();
                gate.await();
                done.countDown();
            });
        }
        while (arrived.get() < n) {
            Thread.yield();
        }
        double create = (System.nanoTime() - begin) / (double) n, memory = (rss() - before) / n;
        begin = System.nanoTime();
        gate.countDown();
        done.await();
        String params = "goroutines=" + n;
        report("parked", params, "create", create, "ns/goroutine");
        report("parked", params, "release", (System.nanoTime() - begin) / (double) n, "ns/goroutine");
        report("parked", params, "memory", memory, "B/goroutine");
    }

    static void run(String question) throws Exception {
        switch (question) {
            case "yield" -> perOp("yield", "goroutines=16", count(2_000_000), VirtualThreads::yields);
            case "spawn" -> {
                perOp("spawn", "batch=1", count(200_000), n -> spawn(n, 1));
                perOp("spawn", "batch=1000", count(500_000), n -> spawn(n, 1000));
            }
            case "pingpong" -> perOp("pingpong", "", count(200_000), VirtualThreads::pingpong);
            case "buffered" -> {
                perOp("buffered", "1x1,capacity=128", count(2_000_000), n -> transfer(n, 1));
                perOp("buffered", "4x4,capacity=128", count(2_000_000), n -> transfer(n, 4));
            }
            case "ring" -> perOp("ring", "members=503", count(500_000), VirtualThreads::ring);
            case "skynet" -> measure("skynet", "leaves=1000000", 1, 1e6, "ms", VirtualThreads::tree);
            case "mutex" -> {
                perOp("mutex", "contenders=1", count(10_000_000), n -> lockers(n, 1));
                perOp("mutex", "contenders=8", count(2_000_000), n -> lockers(n, 8));
            }
            case "parked" -> parked();
            default -> throw new IllegalArgumentException(question);
        }
    }

    // Virtual itself, because a platform thread that waits is woken by the operating system.
    public static void main(String[] args) throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        boolean[] ok = {false};
        start(() -> {
            try {
                run(args[0]);
                ok[0] = true;
            } finally {
                done.countDown();
            }
        });
        done.await();
        System.exit(ok[0] ? 0 : 1);
    }
}
