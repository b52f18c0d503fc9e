/* Text: numbers in Python's formats, the shortest digits of each float type, tensors in NumPy's layout,
 * foreign bytes made harmless. */
#include "child.h"
#include "runtime/rt_float.h"
#include "runtime/rt_text.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "formats.inc"

static void expect_element(int32_t dtype, const void *x, const char *spec, const char *expected) {
    rt_text text = {0};
    cr_expect(rt_text_element(&text, dtype, x, spec, strlen(spec)), "spec `%s`", spec);
    cr_expect_str_eq(rt_text_string(&text), expected, "`%s` where `%s` is expected, spec `%s`",
                     rt_text_string(&text), expected, spec);
    rt_text_free(&text);
}

Test(text, python_floats) {
    for (size_t i = 0; i < sizeof float_formats / sizeof *float_formats; i++)
        expect_element(NN_F64, &float_formats[i].x, float_formats[i].spec, float_formats[i].text);
}

Test(text, python_ints) {
    for (size_t i = 0; i < sizeof int_formats / sizeof *int_formats; i++)
        expect_element(NN_I64, &int_formats[i].x, int_formats[i].spec, int_formats[i].text);
}

Test(text, python_strings) {
    for (size_t i = 0; i < sizeof string_formats / sizeof *string_formats; i++)
        expect_element(NN_STR, &string_formats[i].x, string_formats[i].spec, string_formats[i].text);
}

Test(text, other_types) {
    expect_element(NN_F32, &(float){0.1f}, "", "0.1");
    expect_element(NN_F32, &(float){16777216.0f}, "", "16777216.0");
    expect_element(NN_F32, &(float){3.4028235e38f}, "", "3.4028235e+38");
    expect_element(NN_F32, &(float){1e-45f}, "", "1e-45");
    expect_element(NN_F16, &(uint16_t){0x2e66}, "", "0.1");
    expect_element(NN_F16, &(uint16_t){0x7bff}, "", "65500.0");
    expect_element(NN_BF16, &(uint16_t){0x3dcd}, "", "0.1");
    expect_element(NN_U8, &(uint8_t){255}, "", "255");
    expect_element(NN_I8, &(int8_t){-128}, "", "-128");
    expect_element(NN_I16, &(int16_t){-32768}, "", "-32768");
    expect_element(NN_I32, &(int32_t){INT32_MIN}, "", "-2147483648");
    expect_element(NN_BOOL, &(bool){true}, "", "true");
    expect_element(NN_BOOL, &(bool){false}, ">6", " false");
    expect_element(NN_BOOL, &(bool){true}, "d", "1");
}

/* What is printed reads back as the same number, for every number of the narrow types and many of the wide
 * ones. */
static void expect_round_trip(int32_t dtype, const void *element) {
    rt_text text = {0};
    rt_text_element(&text, dtype, element, "", 0);
    double read = strtod(text.bytes, NULL), x = rt_element_float(dtype, element);
    double back = dtype == NN_F64   ? read
                  : dtype == NN_F32 ? (double)strtof(text.bytes, NULL)
                  : dtype == NN_F16 ? rt_from_f16(rt_to_f16(read))
                                    : rt_from_bf16(rt_to_bf16(read));
    cr_assert(back == x || (isnan(back) && isnan(x)), "%a was printed as %s", x, text.bytes);
    rt_text_free(&text);
}

Test(text, shortest_digits_read_back) {
    for (uint32_t bits = 0; bits < 1 << 16; bits++) {
        uint16_t half = (uint16_t)bits;
        expect_round_trip(NN_F16, &half);
        expect_round_trip(NN_BF16, &half);
        uint32_t single = bits * 65537u * 2654435761u;
        uint64_t wide = (uint64_t)single * 0x9e3779b97f4a7c15u;
        expect_round_trip(NN_F32, &single);
        expect_round_trip(NN_F64, &wide);
    }
}

Test(text, narrow_floats) {
    for (uint32_t bits = 0; bits < 1 << 16; bits++) {
        uint16_t half = (uint16_t)bits;
        double x = rt_from_f16(half), y = rt_from_bf16(half);
        cr_assert(isnan(x) ? isnan(rt_from_f16(rt_to_f16(x))) : rt_to_f16(x) == half, "f16 %04x", bits);
        cr_assert(isnan(y) ? isnan(rt_from_bf16(rt_to_bf16(y))) : rt_to_bf16(y) == half, "bf16 %04x", bits);
        /* halfway to the next number: to the even one of the two */
        double next = rt_from_f16((uint16_t)(half + 1));
        if (isfinite(x) && isfinite(next) && x * next >= 0 && (half & 0x7fff) != 0x7fff)
            cr_assert_eq(rt_to_f16(x + (next - x) / 2), (half & 1 ? half + 1 : half), "after %04x", bits);
    }
    cr_expect_eq(rt_to_f16(65519), 0x7bff);
    cr_expect_eq(rt_to_f16(65520), 0x7c00);
    cr_expect_eq(rt_to_f16(1e-300), 0);
}

/* --- tensors; the expected texts are NumPy's, but for true and false */
static void expect_tensor(nn_tensor tensor, const char *spec, const char *expected) {
    rt_text text = {0};
    cr_expect(rt_text_tensor(&text, &tensor, spec, strlen(spec)));
    cr_expect_str_eq(text.bytes, expected, "\n%s\nexpected:\n%s", text.bytes, expected);
    rt_text_free(&text);
}

#define F32(rank_, dims_, ...) \
    ((nn_tensor){              \
        .dims = (const int64_t[])dims_, .data = (float[]){__VA_ARGS__}, .dtype = NN_F32, .rank = rank_})
#define DIMS(...) {__VA_ARGS__}

Test(text, float_tensors) {
    expect_tensor(F32(1, DIMS(3), 1, 2, 3), "", "[1. 2. 3.]");
    expect_tensor(F32(1, DIMS(1), -0.0f), "", "[-0.]");
    expect_tensor(F32(1, DIMS(0), 0), "", "[]");
    expect_tensor(F32(2, DIMS(0, 3), 0), "", "[]");
    expect_tensor(F32(1, DIMS(4), 1.5f, -2.25f, 0, 100), "", "[  1.5   -2.25   0.   100.  ]");
    expect_tensor(F32(1, DIMS(3), 0.1f, 1.0f / 3, 2), "", "[0.1        0.33333334 2.        ]");
    expect_tensor(F32(1, DIMS(2), 1e-5f, 1), "", "[1.e-05 1.e+00]");
    expect_tensor(F32(1, DIMS(2), 1.25e-5f, -1), "", "[ 1.25e-05 -1.00e+00]");
    expect_tensor(F32(1, DIMS(2), 1e8f, 1), "", "[1.e+08 1.e+00]");
    expect_tensor(F32(1, DIMS(3), NAN, 1, -INFINITY), "", "[ nan   1. -inf]");
    expect_tensor(F32(1, DIMS(2), NAN, INFINITY), "", "[nan inf]");
    expect_tensor(F32(1, DIMS(2), NAN, 12.125f), "", "[   nan 12.125]");
    expect_tensor(F32(2, DIMS(2, 2), 1, 2, 3, 4), "", "[[1. 2.]\n [3. 4.]]");
    expect_tensor(F32(3, DIMS(2, 1, 2), 1, 2, 3, 4), "", "[[[1. 2.]]\n\n [[3. 4.]]]");
    expect_tensor(F32(2, DIMS(2, 2), 1, 2, 3, 4), ".2f", "[[1.00 2.00]\n [3.00 4.00]]");
    expect_tensor(F32(1, DIMS(2), 1, -10), "+.1f", "[ +1.0 -10.0]");
}

Test(text, other_tensors) {
    int64_t dims[] = {2, 2};
    expect_tensor((nn_tensor){.dims = dims, .data = (int64_t[]){1, -20, 300, 4}, .dtype = NN_I64, .rank = 2},
                  "", "[[  1 -20]\n [300   4]]");
    expect_tensor((nn_tensor){.dims = dims, .data = (bool[]){1, 0, 0, 1}, .dtype = NN_BOOL, .rank = 2}, "",
                  "[[ true false]\n [false  true]]");
    expect_tensor((nn_tensor){.dims = dims, .data = (double[]){1e16, 1, 2, 3}, .dtype = NN_F64, .rank = 2},
                  "", "[[1.e+16 1.e+00]\n [2.e+00 3.e+00]]");
}

static int32_t counting[2000];

Test(text, long_tensors) {
    for (int i = 0; i < 2000; i++) counting[i] = i;
    int64_t line[] = {25}, long_line[] = {1001}, table[] = {40, 30};
    expect_tensor((nn_tensor){.dims = line, .data = counting, .dtype = NN_I32, .rank = 1}, "",
                  "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n 24]");
    expect_tensor((nn_tensor){.dims = long_line, .data = counting, .dtype = NN_I32, .rank = 1}, "",
                  "[   0    1    2 ...  998  999 1000]");
    expect_tensor((nn_tensor){.dims = table, .data = counting, .dtype = NN_I32, .rank = 2}, "",
                  "[[   0    1    2 ...   27   28   29]\n [  30   31   32 ...   57   58   59]\n"
                  " [  60   61   62 ...   87   88   89]\n ...\n [1110 1111 1112 ... 1137 1138 1139]\n"
                  " [1140 1141 1142 ... 1167 1168 1169]\n [1170 1171 1172 ... 1197 1198 1199]]");
}

/* --- templates */
static void expect_template(const char *template, int32_t count, const nn_tensor *args,
                            const char *expected) {
    rt_text text = {0};
    rt_text_template(&text, template, count, args);
    cr_expect_str_eq(rt_text_string(&text), expected);
    rt_text_free(&text);
}

Test(text, templates) {
    const char *name = "x{}";
    nn_tensor args[] = {{.data = &(int64_t){5}, .dtype = NN_I64}, {.data = &name, .dtype = NN_STR}};
    expect_template("", 0, NULL, "");
    expect_template("{{}} {} {:>4}|{}%", 2, args, "{} 5  x{}|%");
    expect_template("{:.2f}", 1, args, "5.00");
    expect_template("{:nonsense}", 1, args, "5");
}

Test(text, foreign_bytes) {
    rt_text text = {0};
    rt_text_quote(&text, "a\n\x1b[0m\x7f\xc2\x9b\xff é 日本\xe2\x80\xae",
                  strlen("a\n\x1b[0m\x7f\xc2\x9b\xff é 日本\xe2\x80\xae"));
    cr_expect_str_eq(text.bytes, "`a\\n\\x1b[0m\\x7f\\u009b\\xff é 日本\\u202e`");
    rt_text_free(&text);
}
