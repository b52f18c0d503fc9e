/* Views of datasets: shuffles are permutations that only seed and stream decide, takes are clamped, reads
 * give the same samples whatever was read before and however many threads there are. */
#include "child.h"
#include "runtime/rt_random.h"
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(data, .init = make_folder, .fini = remove_folder);

static const nn_loc here = {"net.nn", 7, 5};

/* Known answers of the reference implementation (Random123, kat_vectors). */
Test(data, threefry) {
    cr_expect_eq(rt_threefry(0, 0), 0x99ba4efe6b200159u);
    cr_expect_eq(rt_threefry(UINT64_MAX, UINT64_MAX), 0xbb002be71cb996fcu);
    cr_expect_eq(rt_threefry(0x0370734413198a2eu, 0x85a308d3243f6a88u), 0x483df7a0c4923a9cu);
}

static void check_permutation(int64_t seed, int64_t stream, int64_t count) {
    int64_t *order = malloc((size_t)count * sizeof *order + 1);
    bool *seen = calloc((size_t)count + 1, 1);
    rt_permutation(seed, stream, count, order);
    for (int64_t i = 0; i < count; i++) {
        cr_assert(order[i] >= 0 && order[i] < count);
        cr_assert_not(seen[order[i]]);
        seen[order[i]] = true;
    }
    free(order);
    free(seen);
}

Test(data, shuffles_are_permutations) {
    static const int64_t counts[] = {0, 1, 2, 3, 7, 64, 1000, 100003};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int64_t seed = -1; seed < 2; seed++) check_permutation(seed, 5, counts[i]);
}

Test(data, shuffles_are_fair) {
    /* 6000 streams, six orders of three: chi squared with 5 degrees of freedom stays below 20.5 in 999 of
     * 1000 cases. */
    int tally[27] = {0};
    double chi = 0;
    for (int64_t stream = 0; stream < 6000; stream++) {
        int64_t order[3];
        rt_permutation(0, stream, 3, order);
        tally[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    for (int i = 0; i < 27; i++)
        if (tally[i]) chi += (tally[i] - 1000.0) * (tally[i] - 1000.0) / 1000.0;
    cr_expect(chi < 20.5, "chi squared is %g", chi);
}

Test(data, shuffles_differ) {
    int64_t a[100], b[100], c[100], again[100];
    rt_permutation(1, 2, 100, a);
    rt_permutation(1, 3, 100, b);
    rt_permutation(2, 2, 100, c);
    rt_permutation(1, 2, 100, again);
    cr_expect_arr_eq(a, again, sizeof a);
    cr_expect_arr_neq(a, b, sizeof a);
    cr_expect_arr_neq(a, c, sizeof a);
}

/* --- datasets of `count` samples whose one column u8[width] begins with the sample's number, low byte first
 */
static int64_t width;

static uint8_t byte_of_number(int64_t sample, int64_t i) { return i < 2 ? (uint8_t)(sample >> (8 * i)) : 0; }

static void write_samples(int count, int wide, uint8_t (*byte)(int64_t sample, int64_t i)) {
    uint8_t *file = malloc((size_t)(12 + count * wide));
    const uint8_t header[12] = {
        0, 0, 8, 2, 0, 0, (uint8_t)(count >> 8), (uint8_t)count, 0, 0, (uint8_t)(wide >> 8), (uint8_t)wide};
    memcpy(file, header, 12);
    for (int i = 0; i < count * wide; i++) file[12 + i] = byte(i / wide, i % wide);
    write_file("n.idx", file, (size_t)(12 + count * wide));
    free(file);
    width = wide;
}

static void write_numbers(int count, int wide) { write_samples(count, wide, byte_of_number); }

static nn_data *open_numbers(nn_rt *rt) {
    const char *paths[] = {"n.idx"};
    nn_tensor column = {.dims = &width, .dtype = NN_U8, .rank = 1};
    return nn_data_open(rt, &here, "idx", 1, paths, 1, &column);
}

static void read_numbers(nn_rt *rt, nn_data *data, int64_t first, int64_t count, int64_t *numbers) {
    uint8_t *samples = malloc((size_t)(count * width) + 1);
    nn_data_read(rt, &here, data, first, count, (void *[]){samples});
    for (int64_t i = 0; i < count; i++) numbers[i] = samples[i * width] | samples[i * width + 1] << 8;
    free(samples);
}

static void print_view(nn_rt *rt, nn_data *data) {
    int64_t numbers[16], count = nn_data_len(rt, data);
    read_numbers(rt, data, 0, count, numbers);
    nn_tensor tensor = {.dims = &count, .data = numbers, .dtype = NN_I64, .rank = 1};
    nn_print(rt, "{}", 1, &tensor);
}

static void views(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_data *all = open_numbers(rt);
    nn_data *taken = nn_data_take(rt, all, 2, 5);
    print_view(rt, taken);
    print_view(rt, nn_data_take(rt, taken, 3, 100));
    print_view(rt, nn_data_take(rt, all, 100, 5));
    nn_data *shuffled = nn_data_shuffle(rt, taken, 0, 0);
    print_view(rt, shuffled);
    print_view(rt, nn_data_take(rt, shuffled, 1, 3));
    print_view(rt, nn_data_shuffle(rt, shuffled, 0, 1));
    /* more views than orders stay in memory */
    for (int64_t i = 0; i < 40; i++) {
        int64_t numbers[8];
        read_numbers(rt, nn_data_shuffle(rt, shuffled, 0, i), 0, 5, numbers);
    }
    print_view(rt, shuffled);
    read_numbers(rt, taken, 4, 2, (int64_t[2]){0});
}

Test(data, views) {
    write_numbers(10, 2);
    Outcome outcome = run_body(views, NULL);
    char *line = strtok(outcome.out, "\n"), *lines[8] = {0};
    for (int i = 0; line && i < 8; line = strtok(NULL, "\n")) lines[i++] = line;
    cr_assert_not_null(lines[6]);
    cr_expect_str_eq(lines[0], "[2 3 4 5 6]");
    cr_expect_str_eq(lines[1], "[5 6]");
    cr_expect_str_eq(lines[2], "[]");
    cr_expect_eq(strlen(lines[3]), 11);
    cr_expect_eq(strncmp(lines[4] + 1, lines[3] + 3, 5), 0, "%s of %s", lines[4], lines[3]);
    cr_expect_str_neq(lines[5], lines[3]);
    cr_expect_str_eq(lines[6], lines[3], "computed again");
    cr_expect_eq(outcome.status, 1);
    cr_expect_str_eq(outcome.err,
                     "error: net.nn:7:5: 2 samples from number 4 on were asked for, but the dataset has 5\n");
    outcome_free(&outcome);
}

/* Batches large enough to be copied by all threads, in order and out of order. */
static void batches(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_data *data = nn_data_shuffle(rt, open_numbers(rt), 3, 4);
    int64_t order[1000], numbers[1000], sum = 0;
    rt_permutation(3, 4, 1000, order);
    static const int64_t firsts[] = {0, 300, 600, 300, 0, 300, 900, 700, 0};
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        int64_t count = firsts[i] + 300 > 1000 ? 1000 - firsts[i] : 300;
        read_numbers(rt, data, firsts[i], count, numbers);
        for (int64_t k = 0; k < count; k++) sum += numbers[k] != order[firsts[i] + k];
    }
    for (int64_t first = 0; first < 1000; first += 300) {
        int64_t count = first + 300 > 1000 ? 1000 - first : 300;
        read_numbers(rt, data, first, count, numbers);
        for (int64_t k = 0; k < count; k++) sum += numbers[k] != order[first + k];
    }
    nn_tensor wrong = {.data = &sum, .dtype = NN_I64};
    nn_print(rt, "{} wrong", 1, &wrong);
}

Test(data, large_batches) {
    static const char *const threads[] = {"1", "2", "3"};
    write_numbers(1000, 3000);
    for (int i = 0; i < 3; i++) {
        Outcome outcome = run_body(batches, (const char *const[]){"--threads", threads[i], NULL});
        cr_expect_str_eq(outcome.out, "0 wrong\n");
        cr_expect_eq(outcome.status, 0, "%s", outcome.err);
        outcome_free(&outcome);
    }
}

/* --- what lies in memory is copied by all threads, a part of the samples each */
static uint8_t byte_of(int64_t sample, int64_t i) {
    return (uint8_t)(sample * 31 + (sample >> 8) * 5 + i * 7);
}

static int64_t wrong_bytes(nn_rt *rt, nn_data *data, const int64_t *order, int64_t first, int64_t count) {
    int64_t wrong = 0;
    uint8_t *samples = malloc((size_t)(count * width) + 1);
    samples[count * width] = 77;
    nn_data_read(rt, &here, data, first, count, (void *[]){samples});
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < width; k++)
            wrong += samples[i * width + k] != byte_of(order ? order[first + i] : first + i, k);
    wrong += samples[count * width] != 77;
    free(samples);
    return wrong;
}

enum { BYTES_SAMPLES = 40000 };

static void all_bytes(nn_rt *rt, const nn_arg *args) {
    (void)args;
    int64_t *order = malloc(BYTES_SAMPLES * sizeof *order), count = BYTES_SAMPLES / width, wrong = 0;
    nn_data *data = open_numbers(rt), *shuffled = nn_data_shuffle(rt, data, 3, 4);
    rt_permutation(3, 4, count, order);
    static const int64_t parts[] = {1, 2, 3, 7, 10};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (int64_t first = 0; first < count; first += (count + parts[i] - 1) / parts[i]) {
            int64_t most = (count + parts[i] - 1) / parts[i], left = count - first;
            wrong += wrong_bytes(rt, data, NULL, first, left < most ? left : most);
            wrong += wrong_bytes(rt, shuffled, order, first, left < most ? left : most);
        }
    free(order);
    nn_print(rt, "{} wrong", 1, &(nn_tensor){.data = &wrong, .dtype = NN_I64});
}

Test(data, all_bytes) {
    static const int wide[] = {1, 7, 784, 3000, 20000, 39999};
    static const char *const threads[] = {"1", "2", "3"};
    for (int w = 0; w < 6; w++) {
        write_samples(BYTES_SAMPLES / wide[w], wide[w], byte_of);
        for (int i = 0; i < 3; i++) {
            Outcome outcome = run_body(all_bytes, (const char *const[]){"--threads", threads[i], NULL});
            cr_expect_str_eq(outcome.out, "0 wrong\n", "%d bytes, %s threads", wide[w], threads[i]);
            outcome_free(&outcome);
        }
    }
}

/* --- files as they are */
static nn_data *open_text(nn_rt *rt, const char *path) {
    nn_tensor column = {.dtype = NN_U8};
    return nn_data_open(rt, &here, "bytes", 1, &path, 1, &column);
}

/* Prints all samples of `wide` bytes, separated by spaces. */
static void print_bytes(nn_rt *rt, nn_data *data, size_t wide) {
    int64_t count = nn_data_len(rt, data);
    uint8_t *samples = malloc((size_t)count * wide + 1);
    nn_data_read(rt, &here, data, 0, count, (void *[]){samples});
    for (int64_t i = 0; i < count; i++) {
        const char *text = nn_bytes_text(rt, samples + (size_t)i * wide, (int64_t)wide);
        nn_tensor word = {.data = &text, .dtype = NN_STR};
        nn_write(rt, i ? " {}" : "{}", 1, &word);
    }
    nn_print(rt, "", 0, NULL);
    free(samples);
}

static void windows_of_text(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_data *all = open_text(rt, "text");
    print_bytes(rt, all, 1);
    print_bytes(rt, nn_data_windows(rt, all, 5), 5);
    print_bytes(rt, nn_data_windows(rt, all, 6), 6);
    print_bytes(rt, nn_data_windows(rt, all, 7), 7);
    print_bytes(rt, nn_data_windows(rt, all, 1), 1);
    print_bytes(rt, nn_data_windows(rt, nn_data_take(rt, all, 2, 3), 2), 2);
    print_bytes(rt, nn_data_take(rt, nn_data_windows(rt, all, 3), 1, 2), 3);
    print_bytes(rt, nn_data_windows(rt, nn_data_windows(rt, all, 3), 2), 6); /* windows of what overlaps */
    print_bytes(rt, nn_data_windows(rt, nn_data_repeat(rt, nn_data_take(rt, all, 0, 2), 2), 3), 3);
    print_bytes(rt, nn_data_repeat(rt, nn_data_windows(rt, all, 5), 3), 5);
    print_bytes(rt, nn_data_take(rt, nn_data_repeat(rt, all, INT64_MAX), 4, 4), 1);
    print_bytes(rt, nn_data_repeat(rt, all, 0), 1);
    print_bytes(rt, nn_data_sample(rt, nn_data_take(rt, all, 6, 0), 9, 0, 0), 1); /* nothing to draw from */
}

Test(data, windows) {
    write_file("text", "abcdef", 6);
    expect(windows_of_text, 0,
           "a b c d e f\nabcde bcdef\nabcdef\n\na b c d e f\ncd de\nbcd cde\nabcbcd bcdcde cdedef\naba bab\n"
           "abcde bcdef abcde bcdef abcde bcdef\ne f a b\n\n\n",
           "");
}

/* Draws are the same whatever is read first, fair, and those of rt_draw. */
static void draws(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_data *all = open_text(rt, "text");
    nn_data *drawn = nn_data_sample(rt, all, 60000, 3, 4), *other = nn_data_sample(rt, all, 60000, 3, 5);
    uint8_t *once = malloc(60000), *again = malloc(60000);
    nn_data_read(rt, &here, drawn, 0, 60000, (void *[]){once});
    for (int64_t first = 59900; first >= 0; first -= 100)
        nn_data_read(rt, &here, drawn, first, 100, (void *[]){again + first});
    int64_t tally[6] = {0}, wrong = memcmp(once, again, 60000) != 0;
    for (int64_t i = 0; i < 60000; i++) wrong += once[i] != 'a' + rt_draw(3, 4, i, 6);
    for (int64_t i = 0; i < 60000; i++) tally[once[i] - 'a']++;
    /* Six standard deviations of a binomial variable. */
    for (int i = 0; i < 6; i++) wrong += llabs(tally[i] - 10000) > 550;
    nn_data_read(rt, &here, other, 0, 60000, (void *[]){again});
    wrong += memcmp(once, again, 60000) == 0;
    free(once);
    free(again);
    nn_tensor number = {.data = &wrong, .dtype = NN_I64};
    nn_print(rt, "{} wrong", 1, &number);
}

Test(data, draws) {
    write_file("text", "abcdef", 6);
    expect(draws, 0, "0 wrong\n", "");
}

/* Draws of windows that are large enough to be copied by all threads. */
static void drawn_windows(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_data *data = nn_data_sample(rt, nn_data_windows(rt, open_text(rt, "long"), 3000), 500, 1, 2);
    uint8_t *samples = malloc(100 * 3000);
    int64_t wrong = 0;
    for (int64_t first = 0; first < 500; first += 100) {
        nn_data_read(rt, &here, data, first, 100, (void *[]){samples});
        for (int64_t i = 0; i < 100; i++)
            for (int64_t k = 0; k < 3000; k++)
                wrong += samples[i * 3000 + k] != (uint8_t)((rt_draw(1, 2, first + i, 7001) + k) % 251);
    }
    free(samples);
    nn_tensor number = {.data = &wrong, .dtype = NN_I64};
    nn_print(rt, "{} wrong", 1, &number);
}

Test(data, windows_copied_ahead) {
    static const char *const threads[] = {"1", "3"};
    uint8_t bytes[10000];
    for (int i = 0; i < 10000; i++) bytes[i] = (uint8_t)(i % 251);
    write_file("long", bytes, sizeof bytes);
    for (int i = 0; i < 2; i++) {
        Outcome outcome = run_body(drawn_windows, (const char *const[]){"--threads", threads[i], NULL});
        cr_expect_str_eq(outcome.out, "0 wrong\n");
        cr_expect_eq(outcome.status, 0, "%s", outcome.err);
        outcome_free(&outcome);
    }
}

static void open_path(nn_rt *rt, const nn_arg *args) {
    (void)args;
    open_text(rt, "x");
}

Test(data, bytes_of_no_file) {
    expect(open_path, 1, "", "error: net.nn:7:5: cannot read the dataset: `x`: No such file or directory\n");
}

Test(data, bytes_of_a_folder) {
    cr_assert_eq(mkdir("x", 0700), 0);
    expect(open_path, 1, "", "error: net.nn:7:5: cannot read the dataset: `x`: is a directory, not a file\n");
    rmdir("x");
}

Test(data, bytes_of_a_fifo) {
    cr_assert_eq(mkfifo("x", 0600), 0);
    expect(open_path, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `x`: nothing came through this pipe\n");
    unlink("x");
}

static void open_empty(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_data *data = open_text(rt, "x");
    print_bytes(rt, data, 1);
    print_bytes(rt, nn_data_shuffle(rt, data, 0, 0), 1);
    print_bytes(rt, nn_data_windows(rt, data, 3), 3);
    print_bytes(rt, nn_data_repeat(rt, data, 3), 1);
    print_bytes(rt, nn_data_sample(rt, data, 3, 0, 0), 1);
}

Test(data, bytes_of_an_empty_file) {
    write_file("x", "", 0);
    expect(open_empty, 0, "\n\n\n\n\n", "");
}

static void open_pictures(nn_rt *rt, const nn_arg *args) {
    (void)args;
    int64_t dims[] = {28, 28};
    nn_tensor column = {.dims = dims, .dtype = NN_F32, .rank = 2};
    nn_data_open(rt, &here, "bytes", 1, (const char *const[]){"x"}, 1, &column);
}

Test(data, bytes_of_another_type) {
    write_file("x", "abc", 3);
    expect(open_pictures, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `x` holds bytes, samples of type u8; the program "
           "declares "
           "f32[28, 28]\n");
}
