/* Weights: files that mean harm, files of other models, and what is written reads back. Every bad file is one
 * line on standard error and exit status 1, and the program's tensors are untouched. */
#include "child.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(safetensors, .init = make_folder, .fini = remove_folder);

static const int64_t two_by_two[] = {2, 2};
static const nn_loc here = {"net.nn", 7, 5};

/* Loads `w.st` into a: f32[2, 2]. */
static void load_a(nn_rt *rt, const nn_arg *args) {
    float data[4] = {-1, -1, -1, -1};
    nn_tensor tensor = {.name = "a", .dims = two_by_two, .data = data, .dtype = NN_F32, .rank = 2};
    (void)args;
    nn_load(rt, &here, "w.st", 1, &tensor);
    nn_print(rt, "{}", 1, &tensor);
}

/* A file with this header, and so many bytes after it. */
static void write_weights(const char *header, size_t length, size_t data) {
    uint8_t *file = calloc(8 + length + data, 1);
    for (int i = 0; i < 8; i++) file[i] = (uint8_t)(length >> 8 * i);
    memcpy(file + 8, header, length);
    write_file("w.st", file, 8 + length + data);
    free(file);
}

static void expect_refused(const char *message) {
    char line[1024];
    snprintf(line, sizeof line, "error: net.nn:7:5: cannot load the weights: `w.st` %s\n", message);
    expect(load_a, 1, "", line);
}

#define ENTRY(dtype, shape, offsets) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define GOOD ENTRY("F32", "[2,2]", "[0,16]")

static const struct {
    const char *header;
    size_t data;
    const char *message;
} bad_headers[] = {
    {"[]", 0, "has a damaged header: `{` was expected at byte 0, found `[`"},
    {"{\"a\":" GOOD "}x", 16, "has a damaged header: its end was expected at byte 57, found `x`"},
    {"{\"a\":" GOOD, 16, "has a damaged header: `,` or `}` was expected at byte 56, found its end"},
    {"{\"a\":" GOOD ",}", 16, "has a damaged header: a string was expected at byte 57, found `}`"},
    {"{\"\xff\":" GOOD "}", 16, "has a damaged header: byte 2 is not UTF-8"},
    {"{\"a\":[[[[[[[[[[[[", 16, "has a damaged header: `{` was expected at byte 5, found `[`"},
    {"{\"a\":" GOOD ",\"a\":" ENTRY("F32", "[0]", "[16,16]") "}", 16,
     "is damaged: tensor `a` is there twice"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 16,
     "has a damaged header: tensor `a` repeats the key `dtype`"},
    {"{\"a\":{\"dtype\":\"F32\",\"color\":1}}", 16,
     "has a damaged header: tensor `a` has the unknown key `color`"},
    {"{\"a\":{\"dtype\":\"F32\"}}", 16, "is damaged: tensor `a` lacks its dtype, shape or data_offsets"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "has a damaged header: `__metadata__` is there twice"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "has a damaged header: a string was expected at byte 21, found `1`"},
    {"{\"a\":" ENTRY("F32", "[2,2]", "[16,0]") "}", 16,
     "is damaged: tensor `a` begins at byte 16, after its end at 0"},
    {"{\"a\":" ENTRY("F32", "[2,2]", "[-1,16]") "}", 16,
     "has a damaged header: a whole number, not negative was expected at byte 50, found `-`"},
    {"{\"a\":" ENTRY("F32", "[2,2]", "[0,1.6e1]") "}", 16,
     "has a damaged header: a whole number was expected at byte 53, found `.`"},
    {"{\"a\":" ENTRY("F32", "[02,2]", "[0,16]") "}", 16,
     "has a damaged header: a whole number, not negative was expected at byte 29, found `0`"},
    {"{\"a\":" ENTRY("F32", "[2,2]", "[0,9223372036854775808]") "}", 16,
     "has a damaged header: a number below 2^63 was expected at byte 70, found `8`"},
    {"{\"a\":" GOOD ",\"b\":" ENTRY("F32", "[2]", "[8,16]") "}", 16,
     "is damaged: tensor `b` begins at byte 8, inside another tensor that ends at 16"},
    {"{\"a\":" GOOD ",\"b\":" ENTRY("U8", "[1]", "[15,16]") "}", 16,
     "is damaged: tensor `b` begins at byte 15, inside another tensor that ends at 16"},
    {"{\"a\":" GOOD ",\"b\":" ENTRY("F32", "[1]", "[20,24]") "}", 24,
     "is damaged: tensor `b` begins at byte 20, but nothing is said of the bytes from 16 on"},
    {"{\"a\":" GOOD "}", 15,
     "is damaged: tensor `a` ends at byte 16, but the file has only 15 bytes of data"},
    {"{\"a\":" GOOD "}", 17, "is damaged: 1 byte follows its last tensor"},
    {"{\"a\":" ENTRY("F32", "[4294967296,4294967296]", "[0,0]") "}", 0,
     "is damaged: tensor `a` has a shape of more than 2^60 elements"},
    {"{\"a\":" ENTRY("F32", "[2,3]", "[0,16]") "}", 16,
     "is damaged: tensor `a` needs 24 bytes for its shape, but has 16"},
    {"{\"a\":" ENTRY("F33", "[2,2]", "[0,16]") "}", 16, "is damaged: tensor `a` has the unknown dtype `F33`"},
    {"{\"a\\n\\u001b[31m\\u202e\":" ENTRY("F33", "[]", "[0,4]") "}", 4,
     "is damaged: tensor `a\\n\\x1b[31m\\u202e` has the unknown dtype `F33`"},
    {"{\"\\ud800\":" GOOD "}", 16,
     "has a damaged header: the other half of a surrogate pair was expected at byte 8, found `\"`"},
    {"{\"a\nb\":" GOOD "}", 16,
     "has a damaged header: an escape for a control character was expected at byte 3, found `\\n`"},
    {"{}", 0, "holds another model: it lacks `a`"},
    {"{\"b\":" GOOD "}", 16, "holds another model: it lacks `a`; the program has no `b`"},
    {"{\"a\":" GOOD ",\"b\\u0000c\":" ENTRY("U8", "[1]", "[16,17]") "}", 17,
     "holds another model: the program has no `b\\x00c`"},
    {"{\"a\":" ENTRY("F32", "[4]", "[0,16]") "}", 16,
     "holds another model: `a` is f32[4] in the file but f32[2, 2] in the program"},
    {"{\"a\":" ENTRY("I32", "[2,2]", "[0,16]") "}", 16,
     "holds another model: `a` is i32[2, 2] in the file but f32[2, 2] in the program"},
    {"{\"a\":" ENTRY("U32", "[2,2]", "[0,16]") "}", 16,
     "holds another model: `a` is U32 with 2 dimensions in the file but f32[2, 2] in the program"},
};

Test(safetensors, bad_headers) {
    for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++) {
        write_weights(bad_headers[i].header, strlen(bad_headers[i].header), bad_headers[i].data);
        expect_refused(bad_headers[i].message);
    }
}

Test(safetensors, bad_lengths) {
    static const struct {
        uint8_t bytes[16];
        size_t count;
        const char *message;
    } files[] = {
        {{0}, 0, "is no safetensors file: it has only 0 bytes"},
        {{2, 0, 0, 0, 0, 0, 0}, 7, "is no safetensors file: it has only 7 bytes"},
        {{0}, 10, "is no safetensors file: its header has 0 bytes"},
        {{0, 0, 0, 0, 0, 0, 0, 0x80, '{', '}'},
         10,
         "is no safetensors file: a header of 9223372036854775808 bytes is more than the format allows"},
        {{3, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, 10, "is cut off: its header has 3 bytes, but only 2 follow"},
        {"PK\3\4\0\0\10\10", 10,
         "is no safetensors file: it is a zip archive, as PyTorch's files are: write the state dict by "
         "`safetensors.torch.save_file`"},
        {{0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20},
         10,
         "is no safetensors file: it is a pickle, as PyTorch's files were: write the state dict by "
         "`safetensors.torch.save_file`"},
        {"\x93NUMPY\1", 10,
         "is no safetensors file: it is an array of NumPy's: write it by `safetensors.numpy.save_file`"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_file("w.st", files[i].bytes, files[i].count);
        expect_refused(files[i].message);
    }
}

Test(safetensors, deep_nesting) {
    size_t length = 100000;
    char *header = malloc(length);
    memset(header, '[', length);
    memcpy(header, "{\"__metadata__\":", 16);
    write_weights(header, length, 0);
    expect_refused("has a damaged header: `{` was expected at byte 16, found `[`");
    free(header);
}

Test(safetensors, long_names_are_cut) {
    char header[4096] = "{\"";
    memset(header + 2, 'x', 3000);
    strcpy(header + 3002, "\":" ENTRY("F33", "[]", "[0,4]") "}");
    write_weights(header, strlen(header), 4);
    Outcome outcome = run_body(load_a, NULL);
    cr_expect_eq(outcome.status, 1);
    cr_expect(strlen(outcome.err) < 400);
    outcome_free(&outcome);
}

Test(safetensors, no_regular_file) {
    expect(load_a, 1, "", "error: net.nn:7:5: cannot load the weights: `w.st`: No such file or directory\n");
    mkdir("w.st", 0777);
    expect(load_a, 1, "", "error: net.nn:7:5: cannot load the weights: `w.st`: is a directory, not a file\n");
    rmdir("w.st");
    mkfifo("w.st", 0666);
    expect(load_a, 1, "", "error: net.nn:7:5: cannot load the weights: `w.st`: is not a regular file\n");
    unlink("w.st");
    cr_assert_eq(symlink("/proc/self/status", "w.st"), 0);
    expect(
        load_a, 1, "",
        "error: net.nn:7:5: cannot load the weights: `w.st`: does not say how long it is: copy it and give "
        "the copy\n");
    unlink("w.st");
    cr_assert_eq(symlink("w.st", "w.st"), 0);
    expect(load_a, 1, "",
           "error: net.nn:7:5: cannot load the weights: `w.st`: Too many levels of symbolic links\n");
}

/* Every single flipped bit of a good file either changes numbers or is refused; nothing else happens. */
Test(safetensors, flipped_bits) {
    const char header[] = "{\"a\":" GOOD ",\"__metadata__\":{\"format\":\"pt\"}}";
    for (size_t bit = 0; bit < 8 * (8 + sizeof header - 1); bit += 7) {
        write_weights(header, sizeof header - 1, 16);
        FILE *file = fopen("w.st", "r+b");
        fseek(file, (long)(bit / 8), SEEK_SET);
        int byte = fgetc(file);
        fseek(file, (long)(bit / 8), SEEK_SET);
        fputc(byte ^ 1 << bit % 8, file);
        fclose(file);
        Outcome outcome = run_body(load_a, NULL);
        cr_expect(outcome.status == 0 || outcome.status == 1, "bit %zu: status %d", bit, outcome.status);
        cr_expect((outcome.status == 1) == (strncmp(outcome.err, "error: ", 7) == 0), "bit %zu: %s", bit,
                  outcome.err);
        outcome_free(&outcome);
    }
}

Test(safetensors, many_differences) {
    char header[8192] = "{";
    for (int i = 0; i < 30; i++)
        sprintf(header + strlen(header), "%s\"x%02d\":" ENTRY("U8", "[0]", "[0,0]"), i ? "," : "", i);
    strcat(header, "}");
    write_weights(header, strlen(header), 0);
    expect_refused("holds another model: it lacks `a`; the program has no `x00`, `x01`, `x02`, `x03`, `x04`, "
                   "`x05`, `x06`, "
                   "`x07` and 22 more");
}

/* --- what is saved */
static float nan_weights[] = {NAN, INFINITY, -INFINITY, -0.0f};

static void save_and_load(nn_rt *rt, const nn_arg *args) {
    int64_t empty[] = {0, 3};
    double step = 17;
    bool flags[] = {true, false, true, true};
    int16_t small[] = {-300, 300, 0, 1};
    nn_tensor tensors[] = {
        {.name = "blocks.0.weight", .dims = two_by_two, .data = nan_weights, .dtype = NN_F32, .rank = 2},
        {.name = "a \"quoted\\\" name\n", .dims = two_by_two, .data = small, .dtype = NN_I16, .rank = 2},
        {.name = "flags", .dims = two_by_two, .data = flags, .dtype = NN_BOOL, .rank = 2},
        {.name = "step", .data = &step, .dtype = NN_F64},
        {.name = "nothing", .dims = empty, .data = NULL, .dtype = NN_F32, .rank = 2},
    };
    (void)args;
    nn_save(rt, &here, "w.st", 5, tensors);
    float weights[4] = {0};
    double number = 0;
    bool bools[4] = {0};
    int16_t ints[4] = {0};
    float nothing;
    nn_tensor read[5];
    memcpy(read, tensors, sizeof read);
    read[0].data = weights;
    read[1].data = ints;
    read[2].data = bools;
    read[3].data = &number;
    read[4].data = &nothing;
    nn_load(rt, &here, "w.st", 5, read);
    nn_print(rt, "{} {} {} {} {}", 5, read);
}

Test(safetensors, saved_is_loaded) {
    expect(
        save_and_load, 0,
        "[[ nan  inf]\n [-inf  -0.]] [[-300  300]\n [   0    1]] [[ true false]\n [ true  true]] 17.0 []\n",
        "");
    cr_expect_eq(access("w.st", R_OK), 0);
    FILE *file = fopen("w.st", "rb");
    uint8_t prefix[8];
    cr_assert_eq(fread(prefix, 1, 8, file), 8);
    cr_expect_eq(prefix[0] % 8, 0, "the data is aligned");
    fclose(file);
}

static void save_nowhere(nn_rt *rt, const nn_arg *args) {
    double step = 1;
    nn_tensor tensor = {.name = "step", .data = &step, .dtype = NN_F64};
    (void)args;
    nn_save(rt, &here, "no/folder/w.st", 1, &tensor);
}

static void save_over_device(nn_rt *rt, const nn_arg *args) {
    double step = 1;
    nn_tensor tensor = {.name = "step", .data = &step, .dtype = NN_F64};
    (void)args;
    nn_save(rt, &here, "w.st", 1, &tensor);
}

Test(safetensors, save_fails) {
    expect(save_nowhere, 1, "",
           "error: net.nn:7:5: cannot save the weights to `no/folder/w.st`: No such file or directory\n");
    mkfifo("w.st", 0666);
    expect(save_over_device, 1, "",
           "error: net.nn:7:5: cannot save the weights to `w.st`: is not a regular file\n");
    unlink("w.st");
    mkdir("w.st", 0777);
    expect(save_over_device, 1, "", "error: net.nn:7:5: cannot save the weights to `w.st`: Is a directory\n");
}

/* The disk is full halfway, as far as the program can tell. */
static void save_too_much(nn_rt *rt, const nn_arg *args) {
    static const int64_t dims[] = {100000};
    float *data = calloc(100000, sizeof *data);
    nn_tensor tensor = {.name = "a", .dims = dims, .data = data, .dtype = NN_F32, .rank = 1};
    const struct rlimit limit = {100000, 100000};
    (void)args;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    nn_save(rt, &here, "w.st", 1, &tensor);
}

Test(safetensors, failed_save_leaves_the_old_file_alone) {
    write_file("w.st", "old", 3);
    expect(save_too_much, 1, "", "error: net.nn:7:5: cannot save the weights to `w.st`: File too large\n");
    struct stat status;
    cr_assert_eq(stat("w.st", &status), 0);
    cr_expect_eq(status.st_size, 3);
    DIR *folder = opendir(".");
    uint32_t files = 0;
    for (const struct dirent *entry; (entry = readdir(folder));) files += entry->d_name[0] != '.';
    closedir(folder);
    cr_expect_eq(files, 1, "%u files, one of them w.st", files);
}

/* --- floats of other widths */
static void load_widths(nn_rt *rt, const nn_arg *args) {
    (void)args;
    float numbers[4] = {1.0f, 0.1f, 70000.0f, -1e-8f};
    nn_tensor tensor = {.name = "a", .dims = two_by_two, .data = numbers, .dtype = NN_F32, .rank = 2};
    nn_save(rt, &here, "w.st", 1, &tensor);
    double wide[4];
    uint16_t half[4], brain[4];
    nn_tensor outs[] = {tensor, tensor, tensor};
    outs[0].data = wide, outs[0].dtype = NN_F64;
    outs[1].data = half, outs[1].dtype = NN_F16;
    outs[2].data = brain, outs[2].dtype = NN_BF16;
    for (int i = 0; i < 3; i++) nn_load(rt, &here, "w.st", 1, &outs[i]);
    nn_print(rt, "{:.9g}\n{:g}\n{:g}", 3, outs);
    nn_save(rt, &here, "w.st", 1, &outs[1]);
    nn_load(rt, &here, "w.st", 1, &tensor);
    nn_print(rt, "{:g}", 1, &tensor);
}

Test(safetensors, widths_convert) {
    expect(load_widths, 0,
           "[[              1     0.100000001]\n [          70000 -9.99999994e-09]]\n"
           "[[        1 0.0999756]\n [      inf        -0]]\n"
           "[[           1     0.100098]\n [       70144 -1.00117e-08]]\n"
           "[[        1 0.0999756]\n [      inf        -0]]\n",
           "");
}
