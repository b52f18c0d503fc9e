/* libFuzzer: any bytes as a table. The first byte chooses what the program declares and how it opens it.
 *     clang-19 -g -O1 -std=gnu11 -I. -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         tests/fuzz/{fuzz_csv,memory}.c \
 *         runtime/rt_{csv,csv_cells,csv_number,names,column,file,number,spec,float,text}.c -lm -o fuzz_csv */
#define _GNU_SOURCE
#include "runtime/rt_csv.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds) {
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const int64_t dims[] = {2};
    static const int32_t dtypes[] = {NN_U8, NN_I8, NN_I64, NN_BOOL, NN_F32, NN_F64, NN_F16, NN_I16};
    if (size == 0) return 0;
    uint8_t how = bytes[0];
    char path[64];
    int file = memfd_create("table", 0);
    check(file >= 0 && write(file, bytes + 1, size - 1) == (ssize_t)size - 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    const char *text[RT_CSV_TEXTS] = {path,
                                      how & 1 ? "a,1" : "",
                                      how & 2 ? "-1" : "",
                                      how & 4 ? ";" : ",",
                                      how & 8 ? "true" : "false",
                                      how & 16 ? "0" : ""};
    nn_tensor column[] = {{.dims = dims, .dtype = NN_F64, .rank = 1}, {.dtype = dtypes[how >> 5]}};
    rt_column out[2];
    int64_t count;
    rt_text error = {0};
    if (rt_csv_read(text, 2, column, out, &count, &error)) {
        check(error.length == 0 && count >= 0 && 2 * count <= (int64_t)size);
        uint8_t sample[16];
        for (int32_t i = 0; i < 2; i++) {
            for (int64_t row = 0; row < count; row++) check(rt_gather(&out[i], NULL, row, 1, sample, &error));
            if (column[i].dtype == NN_BOOL && count) check(sample[0] <= 1);
            rt_column_free(&out[i]);
        }
    } else {
        check(error.length > 0);
    }
    rt_text_free(&error);
    close(file);
    return 0;
}
