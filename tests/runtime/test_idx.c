/* IDX datasets: files that mean harm, files that are not what was declared, raw and gzipped ones that are. */
#include "child.h"
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

TestSuite(idx, .init = make_folder, .fini = remove_folder);

static const nn_loc here = {"net.nn", 7, 5};
static const int64_t two_by_three[] = {2, 3};

/* One column u8[2, 3] from `d.idx`; prints the samples. */
static void open_images(nn_rt *rt, const nn_arg *args) {
    const char *paths[] = {"d.idx"};
    nn_tensor column = {.dims = two_by_three, .dtype = NN_U8, .rank = 2};
    nn_data *data = nn_data_open(rt, &here, "idx", 1, paths, 1, &column);
    uint8_t samples[6 * 16];
    int64_t count = nn_data_len(rt, data);
    (void)args;
    nn_data_read(rt, &here, data, 0, count, (void *[]){samples});
    int64_t dims[] = {count, 2, 3};
    nn_tensor all = {.dims = dims, .data = samples, .dtype = NN_U8, .rank = 3};
    nn_print(rt, "{}", 1, &all);
}

static void expect_refused(const char *message) {
    char line[512];
    snprintf(line, sizeof line, "error: net.nn:7:5: cannot read the dataset: `d.idx` %s\n", message);
    expect(open_images, 1, "", line);
}

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})
#define U32(n) 0, 0, 0, n
static const uint8_t good[] = {0, 0, 8, 3, U32(2), U32(2), U32(3), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const char good_text[] = "[[[ 1  2  3]\n  [ 4  5  6]]\n\n [[ 7  8  9]\n  [10 11 12]]]\n";

static const struct {
    const uint8_t *bytes;
    size_t count;
    const char *message;
} bad[] = {
    {NULL, 0, "is too short for the header of an IDX file"},
    {BYTES(0, 0, 8), "is too short for the header of an IDX file"},
    {BYTES(0, 0, 8, 3, 0, 0, 0, 1), "is too short for the header of an IDX file"},
    {BYTES('P', 'K', 3, 4, 0),
     "is no IDX file: it starts with the bytes 50 4b 03 04 (a zip archive: unpack it first)"},
    {BYTES('a', 'b', 'c', 'd'), "is no IDX file: it starts with the bytes 61 62 63 64"},
    {BYTES(0, 0, 7, 1, U32(0)), "is no IDX file: there is no element type 0x07"},
    {BYTES(0, 0, 8, 0), "holds no samples: its rank is 0"},
    {BYTES(0, 0, 8, 1, U32(0)), "holds samples of type u8, the program declares u8[2, 3]"},
    {BYTES(0, 0, 9, 3, U32(0), U32(2), U32(3)),
     "holds samples of type i8[2, 3], the program declares u8[2, 3]"},
    {BYTES(0, 0, 8, 3, U32(0), U32(3), U32(2)),
     "holds samples of type u8[3, 2], the program declares u8[2, 3]"},
    {BYTES(0, 0, 8, 3, 255, 255, 255, 255, U32(2), U32(3), 1),
     "is too short: its header declares 4294967295 samples, more than its 17 bytes can hold"},
    {BYTES(0, 0, 8, 3, U32(1), U32(2), U32(3), 1, 2, 3, 4, 5),
     "is too short: its header declares 6 bytes of samples, it holds 5"},
    {BYTES(0, 0, 8, 3, U32(1), U32(2), U32(3), 1, 2, 3, 4, 5, 6, 7),
     "is too long: its header declares 6 bytes of samples, it holds more"},
};

Test(idx, bad_files) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file("d.idx", bad[i].bytes, bad[i].count);
        expect_refused(bad[i].message);
    }
}

/* One column u8[2^31, 2^31] from `d.idx`. */
static void open_huge(nn_rt *rt, const nn_arg *args) {
    static const int64_t dims[] = {INT64_C(1) << 31, INT64_C(1) << 31};
    const char *paths[] = {"d.idx"};
    nn_tensor column = {.dims = dims, .dtype = NN_U8, .rank = 2};
    (void)args;
    nn_data_open(rt, &here, "idx", 1, paths, 1, &column);
}

/* Four samples as declared are 2^64 bytes, which must not become none. */
Test(idx, sizes_that_wrap) {
    static const uint8_t header[] = {0, 0, 8, 3, U32(4), 128, 0, 0, 0, 128, 0, 0, 0};
    write_file("d.idx", header, sizeof header);
    expect(open_huge, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `d.idx` is too short: its header declares 4 samples, "
           "more than its 16 bytes can hold\n");
}

static size_t compress_to(uint8_t *out, size_t capacity, const void *bytes, size_t count) {
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes,
                       .avail_in = (uInt)count,
                       .next_out = out,
                       .avail_out = (uInt)capacity};
    deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return capacity - stream.avail_out;
}

Test(idx, good_files) {
    uint8_t packed[256];
    write_file("d.idx", good, sizeof good);
    expect(open_images, 0, good_text, "");
    /* gzipped, with a name that doesn't say so; then with one that does */
    size_t count = compress_to(packed, sizeof packed, good, sizeof good);
    write_file("d.idx", packed, count);
    expect(open_images, 0, good_text, "");
    unlink("d.idx");
    write_file("d.idx.gz", packed, count);
    expect(open_images, 0, good_text, "");
    /* two members, cut in the middle of the header */
    size_t first = compress_to(packed, sizeof packed, good, 6);
    count = first + compress_to(packed + first, sizeof packed - first, good + 6, sizeof good - 6);
    write_file("d.idx.gz", packed, count);
    expect(open_images, 0, good_text, "");
}

Test(idx, damaged_gzip) {
    uint8_t packed[256];
    size_t count = compress_to(packed, sizeof packed, good, sizeof good);
    for (size_t cut = 2; cut < count; cut++) {
        write_file("d.idx", packed, cut);
        expect_refused("is cut off: its gzip data has no end");
    }
    packed[count - 8] ^= 1;
    write_file("d.idx", packed, count);
    expect_refused("is damaged: its gzip data is corrupt (incorrect data check)");
    packed[count - 8] ^= 1;
    packed[count] = 'x';
    write_file("d.idx", packed, count + 1);
    expect_refused("has bytes after the end of its gzip data");
    uint8_t twice[256];
    write_file("d.idx", twice, compress_to(twice, sizeof twice, packed, count));
    expect_refused(
        "is no IDX file: it starts with the bytes 1f 8b 08 00 (gzip data inside gzip data: unpack it once)");
}

/* A megabyte of zeros in a kilobyte, behind a header that declares two samples; and a header that declares
 * what no gzip file of this size can hold. */
Test(idx, gzip_bomb) {
    size_t size = 1 << 20;
    uint8_t *zeros = calloc(size, 1), packed[4096];
    memcpy(zeros, good, 16);
    write_file("d.idx", packed, compress_to(packed, sizeof packed, zeros, size));
    expect_refused("is too long: its header declares 12 bytes of samples, it holds more");
    memset(zeros + 4, 0xff, 4);
    size_t count = compress_to(packed, sizeof packed, zeros, 64);
    write_file("d.idx", packed, count);
    char message[256];
    snprintf(message, sizeof message,
             "is too short: its header declares 4294967295 samples, more than its %zu bytes can hold", count);
    expect_refused(message);
    free(zeros);
}

/* A damaged byte anywhere in a gzip file is an error or changes nothing. */
Test(idx, flipped_gzip_bytes) {
    uint8_t packed[256];
    size_t count = compress_to(packed, sizeof packed, good, sizeof good);
    for (size_t i = 0; i < count; i++) {
        packed[i] ^= 0x55;
        write_file("d.idx", packed, count);
        Outcome outcome = run_body(open_images, NULL);
        bool same = outcome.status == 0 && strcmp(outcome.out, good_text) == 0;
        cr_expect(same || (outcome.status == 1 && strncmp(outcome.err, "error: net.nn:7:5: ", 19) == 0),
                  "byte %zu: %s", i, outcome.err);
        outcome_free(&outcome);
        packed[i] ^= 0x55;
    }
}

Test(idx, no_regular_file) {
    expect(open_images, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `d.idx`: No such file or directory\n"
           "help: give the folder or file that holds the data; `PATH.gz` is found too\n");
    mkdir("d.idx", 0777);
    expect(open_images, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `d.idx`: is a directory, not a file\n");
    rmdir("d.idx");
    mkfifo("d.idx", 0666);
    expect(open_images, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `d.idx`: nothing came through this pipe\n");
    unlink("d.idx");
    cr_assert_eq(symlink("/proc/self/status", "d.idx"), 0);
    expect(
        open_images, 1, "",
        "error: net.nn:7:5: cannot read the dataset: `d.idx`: does not say how long it is: copy it and give "
        "the copy\n");
}

static void open_pairs(nn_rt *rt, const nn_arg *args) {
    const char *paths[] = {"d.idx", "l.idx"};
    nn_tensor columns[] = {{.dims = two_by_three, .dtype = NN_U8, .rank = 2}, {.dtype = NN_U8}};
    (void)args;
    nn_data_open(rt, &here, "idx", 2, paths, 2, columns);
}

Test(idx, unequal_counts) {
    static const uint8_t labels[] = {0, 0, 8, 1, U32(3), 7, 8, 9};
    write_file("d.idx", good, sizeof good);
    write_file("l.idx", labels, sizeof labels);
    expect(open_pairs, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `d.idx` holds 2 samples, but `l.idx` holds 3\n");
}

/* Wider elements are big-endian in the file. */
static void open_wide(nn_rt *rt, const nn_arg *args) {
    const char *paths[] = {"i.idx", "f.idx"};
    nn_tensor columns[] = {{.dtype = NN_I16}, {.dtype = NN_F32}};
    nn_data *data = nn_data_open(rt, &here, "idx", 2, paths, 2, columns);
    int64_t dims[] = {2};
    int16_t ints[2];
    float floats[2];
    (void)args;
    nn_data_read(rt, &here, data, 0, 2, (void *[]){ints, floats});
    nn_tensor out[] = {{.dims = dims, .data = ints, .dtype = NN_I16, .rank = 1},
                       {.dims = dims, .data = floats, .dtype = NN_F32, .rank = 1}};
    nn_print(rt, "{} {}", 2, out);
}

Test(idx, byte_order) {
    static const uint8_t ints[] = {0, 0, 0x0b, 1, U32(2), 0x01, 0x02, 0xff, 0xfe};
    static const uint8_t floats[] = {0, 0, 0x0d, 1, U32(2), 0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0};
    write_file("i.idx", ints, sizeof ints);
    write_file("f.idx", floats, sizeof floats);
    expect(open_wide, 0, "[258  -2] [ 1.  -2.5]\n", "");
}
