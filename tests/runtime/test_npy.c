/* NumPy's arrays as datasets: every type and byte order, versions, files that mean harm or are not what was
 * declared. */
#include "child.h"
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(npy, .init = make_folder, .fini = remove_folder);

static const nn_loc here = {"net.nn", 7, 5};
static const int64_t three[] = {3};

/* One column of `column`'s type from `x.npy`; prints the samples. */
static void print_samples(nn_rt *rt, nn_tensor column) {
    nn_data *data = nn_data_open(rt, &here, "npy", 1, (const char *const[]){"x.npy"}, 1, &column);
    uint64_t samples[64];
    int64_t dims[] = {nn_data_len(rt, data), column.rank ? column.dims[0] : 0};
    nn_data_read(rt, &here, data, 0, dims[0], (void *[]){samples});
    nn_tensor all = {.dims = dims, .data = samples, .dtype = column.dtype, .rank = column.rank + 1};
    nn_print(rt, "{}", 1, &all);
}

static void open_floats(nn_rt *rt, const nn_arg *args) {
    (void)args;
    print_samples(rt, (nn_tensor){.dims = three, .dtype = NN_F32, .rank = 1});
}

/* A file of version `version` with this dictionary and so many bytes of elements. */
static void write_array(int version, const char *dictionary, const void *elements, size_t bytes) {
    uint8_t file[1024] = "\x93NUMPY";
    size_t length = strlen(dictionary), at = 8;
    file[6] = (uint8_t)version;
    file[at++] = (uint8_t)length;
    file[at++] = (uint8_t)(length >> 8);
    if (version > 1) at += 2;
    memcpy(file + at, dictionary, length);
    if (bytes) memcpy(file + at + length, elements, bytes);
    write_file("x.npy", file, at + length + bytes);
}

#define DICTIONARY(type, order, shape) \
    "{'descr': '" type "', 'fortran_order': " order ", 'shape': " shape ", }   \n"

static void expect_refused(const char *message) {
    char line[512];
    snprintf(line, sizeof line, "error: net.nn:7:5: cannot read the dataset: `x.npy` %s\n", message);
    expect(open_floats, 1, "", line);
}

static const float numbers[] = {1, 2, 3, -4.5f, 5, 6};
static const char printed[] = "[[ 1.   2.   3. ]\n [-4.5  5.   6. ]]\n";

Test(npy, versions) {
    for (int version = 1; version <= 3; version++) {
        write_array(version, DICTIONARY("<f4", "False", "(2, 3)"), numbers, sizeof numbers);
        expect(open_floats, 0, printed, "");
    }
    write_array(1, "{\"shape\":(2L,3L),\"fortran_order\":False,\"descr\":\"<f4\"}", numbers, sizeof numbers);
    expect(open_floats, 0, printed, "");
    write_array(1, DICTIONARY("<f4", "False", "(0, 3)"), NULL, 0);
    expect(open_floats, 0, "[]\n", "");
}

Test(npy, widths_and_byte_orders) {
    double wide[6];
    uint8_t swapped[48];
    static const uint16_t half[] = {0x3c00, 0x4000, 0x4200, 0xc480, 0x4500, 0x4600};
    for (int i = 0; i < 6; i++) wide[i] = (double)numbers[i];
    write_array(1, DICTIONARY("<f8", "False", "(2, 3)"), wide, sizeof wide);
    expect(open_floats, 0, printed, "");
    write_array(1, DICTIONARY("<f2", "False", "(2, 3)"), half, sizeof half);
    expect(open_floats, 0, printed, "");
    for (int i = 0; i < 48; i++) swapped[i] = ((const uint8_t *)wide)[i / 8 * 8 + 7 - i % 8];
    write_array(1, DICTIONARY(">f8", "False", "(2, 3)"), swapped, sizeof swapped);
    expect(open_floats, 0, printed, "");
}

static void open_ints(nn_rt *rt, const nn_arg *args) {
    (void)args;
    print_samples(rt, (nn_tensor){.dtype = NN_I64});
}

static void open_bools(nn_rt *rt, const nn_arg *args) {
    (void)args;
    print_samples(rt, (nn_tensor){.dtype = NN_BOOL});
}

Test(npy, whole_numbers_and_bools) {
    static const int64_t ints[] = {INT64_MIN, -1, 7};
    static const uint8_t bools[] = {0, 1, 2};
    write_array(1, DICTIONARY("<i8", "False", "(3,)"), ints, sizeof ints);
    expect(open_ints, 0, "[-9223372036854775808                   -1                    7]\n", "");
    /* of one axis both orders are the same */
    write_array(1, DICTIONARY("<i8", "True", "(3,)"), ints, sizeof ints);
    expect(open_ints, 0, "[-9223372036854775808                   -1                    7]\n", "");
    write_array(1, DICTIONARY("|b1", "False", "(3,)"), bools, sizeof bools);
    expect(open_bools, 0, "[false  true  true]\n", "");
    write_array(1, DICTIONARY("<i4", "False", "(6,)"), ints, sizeof ints);
    expect(
        open_ints, 1, "",
        "error: net.nn:7:5: cannot read the dataset: `x.npy` holds samples of type i32, the program declares "
        "i64\n");
}

/* Generated code relies on bools being 0 or 1. */
static void read_bools(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_tensor column = {.dtype = NN_BOOL};
    nn_data *data = nn_data_open(rt, &here, "npy", 1, (const char *const[]){"x.npy"}, 1, &column);
    uint8_t bytes[3];
    nn_data_read(rt, &here, data, 0, 3, (void *[]){bytes});
    nn_print(rt, "{}", 1, &(nn_tensor){.dims = three, .data = bytes, .dtype = NN_U8, .rank = 1});
}

Test(npy, bools_are_0_or_1) {
    write_array(1, DICTIONARY("|b1", "False", "(3,)"), "\0\1\xfe", 3);
    expect(read_bools, 0, "[0 1 1]\n", "");
}

/* More samples than are converted at a time, in order and out of order. */
enum { MANY = 50000 };

static void read_many(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_tensor column = {.dtype = NN_F32};
    nn_data *data = nn_data_open(rt, &here, "npy", 1, (const char *const[]){"x.npy"}, 1, &column);
    float *x = malloc(MANY * sizeof *x);
    int64_t wrong = 0;
    nn_data_read(rt, &here, data, 0, MANY, (void *[]){x});
    for (int i = 0; i < MANY; i++) wrong += x[i] != (float)i;
    nn_data_read(rt, &here, nn_data_shuffle(rt, data, 1, 2), 0, MANY, (void *[]){x});
    double sum = 0;
    for (int i = 0; i < MANY; i++) sum += (double)x[i];
    wrong += sum != (double)MANY * (MANY - 1) / 2;
    free(x);
    nn_print(rt, "{} wrong", 1, &(nn_tensor){.data = &wrong, .dtype = NN_I64});
}

Test(npy, many_samples) {
    char header[128];
    FILE *file = fopen("x.npy", "wb");
    int length = snprintf(header, sizeof header, DICTIONARY("<f8", "False", "(%d,)"), MANY);
    fwrite((uint8_t[]){0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)length, 0}, 1, 10, file);
    fputs(header, file);
    for (int i = 0; i < MANY; i++) fwrite(&(double){i}, 8, 1, file);
    fclose(file);
    expect(read_many, 0, "0 wrong\n", "");
}

static const struct {
    const char *dictionary;
    size_t bytes;
    const char *message;
} bad[] = {
    {DICTIONARY("<f4", "True", "(2, 3)"), 24,
     "holds its array in Fortran order, samples not one after the other: save `np.ascontiguousarray(x)`"},
    {DICTIONARY("|O", "False", "(2, 3)"), 24,
     "holds elements of NumPy's type `|O`, Python objects: only numbers and bools can be read"},
    {DICTIONARY("<U5", "False", "(2, 3)"), 24,
     "holds elements of NumPy's type `<U5`, texts: only numbers and bools can be read"},
    {DICTIONARY("<u4", "False", "(2, 3)"), 24,
     "holds elements of NumPy's type `<u4`, which no type of .nn corresponds to: save `x.astype(…)`"},
    {DICTIONARY("", "False", "(2, 3)"), 24,
     "holds elements of NumPy's type ``, which no type of .nn corresponds to: save `x.astype(…)`"},
    {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (3,)}", 24,
     "holds records of several fields: save each field as an array of its own"},
    {DICTIONARY("<f4", "False", "(-2, 3)"), 24, "is damaged: a size in its shape is negative"},
    {DICTIONARY("<f4", "False", "(99999999999999999999, 3)"), 24,
     "is damaged: a size in its shape is larger than any file"},
    {DICTIONARY("<f4", "False", "(9223372036854775807, 3)"), 24,
     "is too short: its header declares more elements than any file holds, it holds 24"},
    {DICTIONARY("<f4", "False", "(2, 3)"), 23,
     "is too short: its header declares 24 bytes of elements, it holds 23"},
    {DICTIONARY("<f4", "False", "(2, 3)"), 25,
     "is too long: its header declares 24 bytes of elements, it holds 25"},
    {DICTIONARY("<f4", "False", "()"), 4, "holds one number: samples lie along the first axis of an array"},
    {DICTIONARY("<f4", "False", "(6,)"), 24, "holds samples of type f32, the program declares f32[3]"},
    {DICTIONARY("<f4", "False", "(3, 2)"), 24, "holds samples of type f32[2], the program declares f32[3]"},
    {DICTIONARY("<i4", "False", "(2, 3)"), 24, "holds samples of type i32[3], the program declares f32[3]"},
    {DICTIONARY("<f4", "Maybe", "(2, 3)"), 24,
     "is damaged: the header of a .npy file can't go on with `Maybe, 'shape': (2, `"},
    {DICTIONARY("<f4", "False", "(2 3)"), 24,
     "is damaged: the header of a .npy file can't go on with `3), }   \\n`"},
    {DICTIONARY("<f4", "False", "2"), 24,
     "is damaged: the header of a .npy file can't go on with `2, }   \\n`"},
    {"{'descr': '<f4'}", 24, "is damaged: its header lacks `descr`, `fortran_order` or `shape`"},
    {"{'descr': '<f4', 'size': 3}", 24, "is damaged: its header has the unknown entry `size`"},
    {"{'descr': '<f4", 24, "is damaged: the header of a .npy file can't go on with `'<f4`"},
    {"{'descr': '<f4',", 24, "is damaged: the header of a .npy file can't go on with nothing"},
    {"{} x", 24, "is damaged: the header of a .npy file can't go on with `x`"},
    {"", 24, "is damaged: the header of a .npy file can't go on with nothing"},
    {"((((((((((((((((((((((((", 24,
     "is damaged: the header of a .npy file can't go on with `((((((((((((((((((((`"},
};

Test(npy, bad_headers) {
    static const uint8_t elements[32];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_array(1, bad[i].dictionary, elements, bad[i].bytes);
        expect_refused(bad[i].message);
    }
}

static void expect_bytes(const char *bytes, size_t count, const char *message) {
    write_file("x.npy", bytes, count);
    expect_refused(message);
}

Test(npy, bad_beginnings) {
    expect_bytes("", 0, "is no .npy file: it is empty");
    expect_bytes("\x93NUM", 4, "is no .npy file: it begins with `\\x93NUM`");
    expect_bytes("a,b,c\n1,2,3", 11, "is no .npy file: it begins with `a,b,c\\n`");
    expect_bytes(
        "PK\3\4 and so on", 13,
        "is no .npy file: it is a zip archive, perhaps an .npz: save each of its arrays with `np.save`");
    expect_bytes("\x80\4K*.", 5, "is no .npy file: it is a Python pickle: save the array with `np.save`");
    expect_bytes("\x93NUMPY\1\0\2\0{", 11, "is too short for a .npy file");
    expect_bytes("\x93NUMPY\1\0\3\0{}", 12, "is damaged: it says that its header has 3 bytes");
    expect_bytes("\x93NUMPY\4\0\2\0\0\0{}", 14, "is a .npy file of version 4.0: versions 1 to 3 can be read");
    expect_bytes("\x93NUMPY\2\0\xf0\xff\xff\xff{}", 14,
                 "is damaged: it says that its header has 4294967280 bytes");
}

/* Every cut of a good file is refused. */
Test(npy, cut_off) {
    write_array(1, DICTIONARY("<f4", "False", "(2, 3)"), numbers, sizeof numbers);
    FILE *file = fopen("x.npy", "rb");
    char bytes[1024];
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 0; cut < count; cut++) {
        write_file("x.npy", bytes, cut);
        Outcome outcome = run_body(open_floats, NULL);
        cr_expect_eq(outcome.status, 1, "cut at %zu: %s", cut, outcome.out);
        cr_expect_eq(strncmp(outcome.err, "error: net.nn:7:5: ", 19), 0, "cut at %zu: %s", cut, outcome.err);
        outcome_free(&outcome);
    }
}

/* --- several files */
static void open_pair(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_tensor columns[] = {{.dims = three, .dtype = NN_F32, .rank = 1}, {.dtype = NN_U8}};
    static const char *const paths[] = {"x.npy", "y.npy", "", ""};
    nn_data *data = nn_data_open(rt, &here, "npy", 4, paths, 2, columns);
    float x[3];
    uint8_t y;
    nn_data_read(rt, &here, data, 1, 1, (void *[]){x, &y});
    nn_tensor out[] = {{.dims = three, .data = x, .dtype = NN_F32, .rank = 1}, {.data = &y, .dtype = NN_U8}};
    nn_print(rt, "{} {}", 2, out);
}

static void open_too_many(nn_rt *rt, const nn_arg *args) {
    (void)args;
    nn_tensor column = {.dims = three, .dtype = NN_F32, .rank = 1};
    nn_data_open(rt, &here, "npy", 4, (const char *const[]){"x.npy", "y.npy", "", ""}, 1, &column);
}

Test(npy, columns) {
    write_array(1, DICTIONARY("|u1", "False", "(2,)"), "\7\11", 2);
    rename("x.npy", "y.npy");
    write_array(1, DICTIONARY("<f4", "False", "(2, 3)"), numbers, sizeof numbers);
    expect(open_pair, 0, "[-4.5  5.   6. ] 9\n", "");
    expect(open_too_many, 1, "", "error: net.nn:7:5: a dataset of 1 column needs 1 file, not 2\n");
    write_array(1, DICTIONARY("<f4", "False", "(1, 3)"), numbers, 12);
    expect(open_pair, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `x.npy` holds 1 samples, but `y.npy` holds 2\n");
    unlink("y.npy");
    expect(open_pair, 1, "",
           "error: net.nn:7:5: cannot read the dataset: `y.npy`: No such file or directory\n");
}
