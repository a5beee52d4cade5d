/* mandelbrot_row.h: the work of the compute benchmark, one row of the picture, the same for goco and for the C peers. */
#ifndef GOCO_BENCH_MANDELBROT_ROW_H
#define GOCO_BENCH_MANDELBROT_ROW_H

#include <stdint.h>

enum { MANDELBROT_WIDTH = 1024, MANDELBROT_LIMIT = 200 };

static inline int64_t mandelbrot_row(int y)
{
    int64_t total = 0;
    double ci = 2.0 * y / MANDELBROT_WIDTH - 1.0;

    for (int x = 0; x < MANDELBROT_WIDTH; x++) {
        double cr = 3.0 * x / MANDELBROT_WIDTH - 2.0, zr = 0, zi = 0;
        int i = 0;

        for (; i < MANDELBROT_LIMIT && zr * zr + zi * zi <= 4; i++) {
            double next = zr * zr - zi * zi + cr;
            zi = 2 * zr * zi + ci;
            zr = next;
        }
        total += i;
    }
    return total;
}

#endif
