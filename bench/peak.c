/* What the machine can do at most: multiply-adds of f32, or reading of memory. Prints lines as programs do
 * that report: `peak multiply THREADS` counts a step for each billion of floating-point operations, `peak
 * read THREADS BYTES` for each billion of bytes read, of an area of that size. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* The widest vector that the machine has: of two the chains wouldn't fit into its registers. */
#if defined __AVX512F__
enum { LANES = 16 };
#elif defined __AVX__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { CHAINS = 12, MAX_THREADS = 256 };
typedef float Lanes __attribute__((vector_size(4 * LANES)));

typedef struct {
    const char *area; /* NULL: multiply */
    size_t bytes;     /* this thread's share */
    long rounds;
    float result;
} Work;

static void *multiply(void *argument) {
    Work *work = argument;
    Lanes sum[CHAINS], factor = {0}, one = {0};
    volatile float half =
        0.5F; /* unknown to the compiler: of one chain it would see that it stays the same */
    for (int c = 0; c < CHAINS; c++) sum[c] = one + (float)c;
    factor += half, one += 1.0F;
    for (long i = 0; i < work->rounds; i++)
        for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * factor + one;
    for (int c = 1; c < CHAINS; c++) sum[0] += sum[c];
    work->result = sum[0][0];
    return NULL;
}

static void *read_all(void *argument) {
    Work *work = argument;
    Lanes sum[4] = {{0}};
    for (long i = 0; i < work->rounds; i++)
        for (size_t at = 0; at + sizeof sum <= work->bytes; at += sizeof sum) {
            const Lanes *from = (const Lanes *)(work->area + at);
            for (int c = 0; c < 4; c++) sum[c] += from[c];
        }
    work->result = sum[0][0] + sum[1][0] + sum[2][0] + sum[3][0];
    return NULL;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static char *area_of(size_t bytes) {
    char *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) exit(1);
    madvise(area, bytes, MADV_HUGEPAGE);
    memset(area, 1, bytes);
    return area;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    int threads = atoi(argv[2]);
    size_t bytes = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    if (threads < 1 || threads > MAX_THREADS) return 2;
    size_t share = bytes / (size_t)threads / 4096 * 4096;
    char *area = bytes ? area_of(bytes) : NULL;
    Work work[MAX_THREADS];
    for (int t = 0; t < threads; t++)
        work[t] = (Work){.area = area ? area + (size_t)t * share : NULL, .bytes = share};
    double steps = 0; /* billions */
    double started = now();
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (long line = 1;; line++) {
        pthread_t thread[MAX_THREADS];
        for (int t = 0; t < threads; t++) {
            work[t].rounds = area ? (long)(1e9 / (double)bytes) + 1 : 5000000 / threads;
            if (t > 0) pthread_create(&thread[t], NULL, area ? read_all : multiply, &work[t]);
        }
        (area ? read_all : multiply)(&work[0]);
        for (int t = 1; t < threads; t++) pthread_join(thread[t], NULL);
        steps += area ? 1e-9 * (double)work[0].rounds * (double)share * threads
                      : 1e-9 * (double)work[0].rounds * threads * CHAINS * LANES * 2;
        printf("{\"step\":%.9f,\"time\":%.6f}\n", steps, now() - started);
    }
}
