/* mandelbrot: a picture, a goroutine a row.
 *
 * Lesson: goroutines are cheap enough to start one for every piece of work there is; as many run at once as there are cores, and none
 * needs to know how many that are. The rows land in one buffer: each goroutine owns its row until the waitgroup says that all are done.
 *
 *     $ mandelbrot [WIDTH] > picture.ppm */
#include <go.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIMIT = 500 };

static int width = 900, height = 600;
static unsigned char *pixels;
static go_waitgroup rows;

static int escape_time(double cr, double ci)
{
    double zr = 0, zi = 0;
    int i = 0;

    for (; i < LIMIT && zr * zr + zi * zi <= 4; i++) {
        double next = zr * zr - zi * zi + cr;
        zi = 2 * zr * zi + ci;
        zr = next;
    }
    return i;
}

static void draw_row(void *arg)
{
    int y = *(int *)arg;
    unsigned char *p = pixels + (size_t)y * (size_t)width * 3;

    for (int x = 0; x < width; x++) {
        int i = escape_time(3.0 * x / width - 2.0, 2.0 * y / height - 1.0);
        *p++ = (unsigned char)(i == LIMIT ? 0 : i * 5);
        *p++ = (unsigned char)(i == LIMIT ? 0 : i * 7);
        *p++ = (unsigned char)(i == LIMIT ? 0 : 80 + i * 11);
    }
    go_waitgroup_done(&rows);
}

static int picture_main(void *arg)
{
    size_t size = (size_t)width * (size_t)height * 3;

    (void)arg;
    pixels = malloc(size);
    if (pixels == NULL) {
        return 1;
    }
    go_waitgroup_add(&rows, height);
    for (int y = 0; y < height; y++) {
        go_copy(draw_row, &y, sizeof y);
    }
    go_waitgroup_wait(&rows);
    printf("P6\n%d %d\n255\n", width, height);
    size_t written = fwrite(pixels, 1, size, stdout);
    free(pixels);
    return written == size ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc > 1 && atoi(argv[1]) > 0) {
        width = atoi(argv[1]);
        height = width * 2 / 3;
    }
    return go_run(picture_main, NULL);
}
