/* libFuzzer: any bytes as an IDX file, raw or gzipped. The first byte chooses what the program declares.
 *     clang-19 -g -O1 -std=gnu11 -I. -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         tests/fuzz/{fuzz_idx,array,memory}.c runtime/rt_{idx,column,file,number,spec,float,text}.c \
 *         -lz -lm -o fuzz_idx */
#include "array.h"
#include "runtime/rt_idx.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const int64_t dims[] = {2, 3};
    static const int32_t dtypes[] = {NN_U8, NN_I8, NN_I16, NN_I32, NN_F32, NN_F64};
    if (size == 0) return 0;
    nn_tensor sample = {.dims = dims, .dtype = dtypes[bytes[0] % 6], .rank = bytes[0] / 6 % 3};
    rt_source source = {.file = -1, .path = "fuzzed", .size = (int64_t)size - 1, .held = size - 1};
    source.bytes = malloc(size);
    memcpy(source.bytes, bytes + 1, size - 1);
    rt_array array;
    rt_text error = {0};
    bool parsed = rt_idx_parse(&source, &sample, &array, &error);
    fuzz_array(parsed, &source, &sample, &array, &error);
    return 0;
}
