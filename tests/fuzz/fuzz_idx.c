/* libFuzzer: any bytes as an IDX file, raw or gzipped. The first byte chooses what the program declares.
 *     clang-19 -g -O1 -fsanitize=fuzzer,address,undefined -std=gnu11 -I. tests/fuzz/fuzz_idx.c \
 *         runtime/rt_{idx,number,spec,float,text}.c tests/fuzz/memory.c -lz -lm -o fuzz_idx */
#include "runtime/rt_idx.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds) {
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const int64_t dims[] = {2, 3};
    static const int32_t dtypes[] = {NN_U8, NN_I8, NN_I16, NN_I32, NN_F32, NN_F64};
    if (size == 0) return 0;
    nn_tensor sample = {.dims = dims, .dtype = dtypes[bytes[0] % 6], .rank = bytes[0] / 6 % 3};
    size_t sample_bytes = rt_dtype_bytes(sample.dtype);
    for (int32_t i = 0; i < sample.rank; i++) sample_bytes *= (size_t)dims[i];
    uint8_t *file = malloc(size);
    memcpy(file, bytes + 1, size - 1);
    rt_idx idx;
    rt_text error = {0};
    if (rt_idx_parse(file, size - 1, &sample, &idx, &error)) {
        uint8_t sum = 0;
        for (size_t i = 0; i < (size_t)idx.count * sample_bytes; i++) sum = (uint8_t)(sum + idx.samples[i]);
        check(sum != 1 || idx.count > 0);
        free(idx.bytes);
    } else {
        check(error.length > 0 && idx.bytes == NULL);
    }
    rt_text_free(&error);
    return 0;
}
