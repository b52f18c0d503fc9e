/* nn_parallel: every chunk once, whatever the number of threads; nested calls; scratch areas that nobody
 * shares. */
#include "child.h"
#include "runtime/rt.h"
#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { CHUNKS = 1000 };

static void count_chunk(nn_rt *rt, void *const *args, int64_t chunk) {
    (void)rt;
    atomic_fetch_add(&((_Atomic int *)args[0])[chunk], 1);
}

static void nested(nn_rt *rt, void *const *args, int64_t chunk) {
    void *inner[] = {(_Atomic int *)args[0] + chunk * 10};
    nn_parallel(rt, count_chunk, inner, 10);
}

/* Fills its scratch area, gives the others time to disturb it, and looks. */
static void use_scratch(nn_rt *rt, void *const *args, int64_t chunk) {
    size_t bytes = 1000 + 500 * (size_t)(chunk % 7);
    unsigned char *area = nn_scratch(rt, (int64_t)bytes);
    memset(area, (int)chunk, bytes);
    for (size_t i = 0; i < bytes; i++)
        if (area[i] != (unsigned char)chunk) atomic_fetch_add((_Atomic int *)args[0], 1000);
    if ((uintptr_t)area % 64) atomic_fetch_add((_Atomic int *)args[0], 1000);
    atomic_fetch_add((_Atomic int *)args[0], 1);
}

static void run_kernels(nn_rt *rt, const nn_arg *args) {
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 64, CHUNKS};
    int64_t wrong = 0;
    (void)args;
    for (int round = 0; round < 300; round++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            _Atomic int seen[CHUNKS] = {0};
            void *arguments[] = {seen};
            nn_parallel(rt, count_chunk, arguments, sizes[s]);
            for (int64_t i = 0; i < CHUNKS; i++) wrong += seen[i] != (i < sizes[s]);
        }
    }
    _Atomic int seen[CHUNKS] = {0};
    nn_parallel(rt, nested, (void *[]){seen}, CHUNKS / 10);
    for (int64_t i = 0; i < CHUNKS; i++) wrong += seen[i] != 1;
    _Atomic int total = 0;
    nn_parallel(rt, use_scratch, (void *[]){&total}, 200);
    wrong += total != 200;
    nn_tensor result = {.data = &wrong, .dtype = NN_I64};
    nn_print(rt, "{} wrong, {} threads", 2,
             (nn_tensor[]){result, {.data = &(int32_t){rt_threads(rt)}, .dtype = NN_I32}});
}

Test(pool, every_chunk_once) {
    static const char *const threads[] = {"1", "2", "3", "8"};
    for (int i = 0; i < 4; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "0 wrong, %s threads\n", threads[i]);
        Outcome outcome = run_body(run_kernels, (const char *const[]){"--threads", threads[i], NULL});
        cr_expect_str_eq(outcome.out, expected);
        cr_expect_eq(outcome.status, 0, "%s", outcome.err);
        outcome_free(&outcome);
    }
}

static void fail_inside(nn_rt *rt, void *const *args, int64_t chunk) {
    (void)args;
    if (chunk == 17) nn_fail(rt, NULL, "no more", 0, NULL);
}

static void run_failing(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_print(rt, "before", 0, NULL);
    nn_parallel(rt, fail_inside, NULL, 100);
}

Test(pool, failure_inside_a_kernel) {
    for (int i = 0; i < 20; i++) expect(run_failing, 1, "before\n", "error: no more\n");
}

static void use_frames(nn_rt *rt, const nn_arg *args) {
    (void)args;
    char *third = nn_frame(rt, 2, 100), *first = nn_frame(rt, 0, 1 << 23);
    memset(third, 1, 100);
    memset(first, 2, 1 << 23);
    bool kept = nn_frame(rt, 2, 50) == (void *)third && nn_frame(rt, 0, 1 << 20) == (void *)first;
    bool aligned = (uintptr_t)third % 64 == 0 && (uintptr_t)first % 64 == 0;
    nn_print(rt, "{} {}", 2,
             (nn_tensor[]){{.data = &kept, .dtype = NN_BOOL}, {.data = &aligned, .dtype = NN_BOOL}});
    nn_frame(rt, 1, -8);
}

Test(pool, frames) {
    expect(use_frames, 1, "true true\n", "error: out of memory: 18446744073709551608 bytes were asked for\n");
}

enum { SHARE = 2, TRIES = 20 }; /* chunks 0 and 1 are the caller's, 2 and 3 the worker's */

typedef struct {
    _Atomic int begun; /* a bit for each chunk */
    double end[2 * SHARE], begin[2 * SHARE];
} Shares;

static void wait_for(_Atomic int *bits, int chunk) {
    while (!(atomic_load(bits) >> chunk & 1)) sched_yield();
}

/* The worker is kept from its last chunk until somebody has taken that. */
static void run_share(nn_rt *rt, void *const *args, int64_t chunk) {
    (void)rt;
    Shares *shares = args[0];
    shares->begin[chunk] = rt_now();
    atomic_fetch_or(&shares->begun, 1 << chunk);
    if (chunk < SHARE) wait_for(&shares->begun, SHARE);
    if (chunk == SHARE) wait_for(&shares->begun, SHARE + 1);
    shares->end[chunk] = rt_now();
}

static void run_shares(nn_rt *rt, const nn_arg *args) {
    bool left = true;
    (void)args;
    for (int i = 0; i < TRIES; i++) {
        Shares shares = {.begun = 0};
        nn_parallel(rt, run_share, (void *[]){&shares}, 2 * SHARE);
        left = left && shares.begin[SHARE + 1] - shares.end[SHARE - 1] > 15e-6;
    }
    left = left || rt_cpus() < 2; /* whoever shares a CPU with the owner doesn't wait for it */
    nn_print(rt, "{}", 1, (nn_tensor[]){{.data = &left, .dtype = NN_BOOL}});
}

/* A share's last chunk is left to its owner for a while, but not for ever. */
Test(pool, last_chunk) {
    Outcome outcome = run_body(run_shares, (const char *const[]){"--threads", "2", NULL});
    cr_expect_str_eq(outcome.out, "true\n");
    outcome_free(&outcome);
}

Test(pool, default_threads) { cr_expect(rt_cpus() >= 1); }
