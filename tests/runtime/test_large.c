/* Files that are too large to be held in memory: samples are read where they lie; a file that shrinks
 * meanwhile is an error. The files are sparse: they take no room on the disk. */
#include "child.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(large, .init = make_folder, .fini = remove_folder);

static const nn_loc here = {"net.nn", 7, 5};
enum { SIZE = 600 << 20 };

/* A file of zeros. */
static int create(const char *path) {
    int file = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
    cr_assert_eq(ftruncate(file, SIZE), 0);
    return file;
}

static void put(int file, const void *bytes, size_t count, int64_t at) {
    cr_assert_eq(pwrite(file, bytes, count, at), (ssize_t)count);
}

/* No more than 200 MB of memory: the files don't fit. (Not under the sanitizer, which needs terabytes.) */
static void limit_memory(void) {
#ifndef __SANITIZE_ADDRESS__
    struct rlimit limit = {200 << 20, 200 << 20};
    setrlimit(RLIMIT_DATA, &limit);
#endif
}

/* --- bytes and windows of them */
static void read_bytes(nn_rt *rt, const nn_arg *args) {
    (void)args;
    limit_memory();
    nn_data *all =
        nn_data_open(rt, &here, "bytes", 1, (const char *const[]){"big"}, 1, &(nn_tensor){.dtype = NN_U8});
    uint8_t bytes[16] = {0};
    int64_t wrong = nn_data_len(rt, all) != SIZE;
    nn_data_read(rt, &here, all, SIZE - 5, 5, (void *[]){bytes});
    wrong += memcmp(bytes, "world", 5) != 0;
    nn_data_read(rt, &here, nn_data_windows(rt, all, 5), 500 << 20, 2, (void *[]){bytes});
    wrong += memcmp(bytes, "helloello\0", 10) != 0;
    nn_data *part = nn_data_windows(rt, nn_data_take(rt, all, (500 << 20) + 1, 20), 3);
    nn_data_read(rt, &here, part, 0, 3, (void *[]){bytes});
    wrong += memcmp(bytes, "ellllolo\0", 9) != 0;
    part = nn_data_repeat(rt, nn_data_take(rt, part, 1, 2), 2);
    nn_data_read(rt, &here, part, 1, 2, (void *[]){bytes});
    wrong += memcmp(bytes, "lo\0llo", 6) != 0;
    nn_print(rt, "{} wrong", 1, &(nn_tensor){.data = &wrong, .dtype = NN_I64});
}

Test(large, bytes) {
    int file = create("big");
    put(file, "hello", 5, 500 << 20);
    put(file, "world", 5, SIZE - 5);
    close(file);
    expect(read_bytes, 0, "0 wrong\n", "");
}

/* --- arrays in both formats, wide elements in either byte order; batches that are copied ahead */
enum { WIDTH = 4096, ROWS = (SIZE - 128) / (WIDTH * 4) };

static void read_array(nn_rt *rt, const char *format) {
    static const int64_t dims[] = {WIDTH};
    limit_memory();
    nn_data *data = nn_data_open(rt, &here, format, 1, (const char *const[]){"big"}, 1,
                                 &(nn_tensor){.dims = dims, .dtype = NN_F32, .rank = 1});
    enum { BATCH = 64 };
    float *batch = malloc(BATCH * WIDTH * sizeof *batch);
    int64_t wrong = nn_data_len(rt, data) != ROWS, marks = 0;
    for (int shuffled = 0; shuffled < 2; shuffled++) {
        nn_data *some = nn_data_take(rt, data, ROWS - 1000, 1000);
        if (shuffled) some = nn_data_shuffle(rt, some, 1, 2);
        for (int64_t first = 0; first < 1000; first += BATCH) {
            int64_t count = first + BATCH > 1000 ? 1000 - first : BATCH;
            nn_data_read(rt, &here, some, first, count, (void *[]){batch});
            for (int64_t i = 0; i < count; i++)
                for (int64_t k = 0; k < WIDTH; k++) {
                    marks += batch[i * WIDTH + k] == 2.5f;
                    wrong += batch[i * WIDTH + k] != 0 && batch[i * WIDTH + k] != 2.5f;
                }
        }
        float last;
        nn_data_read(rt, &here, data, ROWS - 1, 1, (void *[]){batch});
        last = batch[WIDTH - 1];
        wrong += last != 2.5f;
    }
    free(batch);
    nn_tensor out[] = {{.data = &wrong, .dtype = NN_I64}, {.data = &marks, .dtype = NN_I64}};
    nn_print(rt, "{} wrong, {} marks", 2, out);
}

static void read_npy(nn_rt *rt, const nn_arg *args) {
    (void)args;
    read_array(rt, "npy");
}

static void read_idx(nn_rt *rt, const nn_arg *args) {
    (void)args;
    read_array(rt, "idx");
}

static void expect_marks(Body *body) {
    static const char *const threads[] = {"1", "3"};
    for (int i = 0; i < 2; i++) {
        Outcome outcome = run_body(body, (const char *const[]){"--threads", threads[i], NULL});
        cr_expect_str_eq(outcome.out, "0 wrong, 6 marks\n");
        cr_expect_eq(outcome.status, 0, "%s", outcome.err);
        outcome_free(&outcome);
    }
}

/* 2.5 at three places, the last element among them. */
static void put_marks(int file, int64_t begin, const void *mark) {
    static const int64_t rows[] = {ROWS - 1, ROWS - 500, ROWS - 999};
    for (int i = 0; i < 3; i++) put(file, mark, 4, begin + (rows[i] * WIDTH + WIDTH - 1) * 4);
}

Test(large, npy) {
    char header[129];
    int file = create("big");
    snprintf(header, sizeof header,
             "\x93NUMPY%c%cv%c{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d)}", 1, 0, 0, ROWS,
             WIDTH);
    size_t length = 10 + strlen(header + 10);
    memset(header + length, ' ', 128 - length);

    put(file, header, 128, 0);
    float mark = 2.5f;
    put_marks(file, 128, &mark);
    cr_assert_eq(ftruncate(file, 128 + (int64_t)ROWS * WIDTH * 4), 0);
    close(file);
    expect_marks(read_npy);
}

Test(large, idx) {
    int file = create("big");
    const uint8_t header[] = {0, 0, 0x0d, 2, 0, 0, ROWS >> 8, ROWS & 255, 0, 0, WIDTH >> 8, WIDTH & 255};
    put(file, header, sizeof header, 0);
    put_marks(file, sizeof header, (const uint8_t[]){0x40, 0x20, 0, 0});
    cr_assert_eq(ftruncate(file, (int64_t)sizeof header + (int64_t)ROWS * WIDTH * 4), 0);
    close(file);
    expect_marks(read_idx);
}

/* --- a file that shrinks */
static void read_shrinking(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_data *all = nn_data_windows(
        rt,
        nn_data_open(rt, &here, "bytes", 1, (const char *const[]){"big"}, 1, &(nn_tensor){.dtype = NN_U8}),
        4096);
    uint8_t *batch = malloc(4096 * 100);
    nn_data_read(rt, &here, all, 300 << 20, 100, (void *[]){batch});
    cr_assert_eq(truncate("big", (300 << 20) + 4096 + 50), 0);
    /* these may have been read ahead */
    nn_data_read(rt, &here, all, (300 << 20) + 100, 100, (void *[]){batch});
    nn_data_read(rt, &here, all, (300 << 20) + 200, 100, (void *[]){batch});
}

Test(large, shrinks) {
    static const char *const threads[] = {"1", "3"};
    for (int i = 0; i < 2; i++) {
        close(create("big"));
        Outcome outcome = run_body(read_shrinking, (const char *const[]){"--threads", threads[i], NULL});
        cr_expect_str_eq(outcome.err,
                         "error: net.nn:7:5: cannot read the dataset: `big`: became shorter while it "
                         "was read\n");
        cr_expect_eq(outcome.status, 1);
        outcome_free(&outcome);
    }
}
