/* libFuzzer: any bytes as a .npy file, the magic number set before them. The first byte chooses what the
 * program declares.
 *     clang-19 -g -O1 -std=gnu11 -I. -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         tests/fuzz/{fuzz_npy,array,memory}.c runtime/rt_{npy,column,file,number,spec,float,text}.c \
 *         -lm -o fuzz_npy */
#include "array.h"
#include "runtime/rt_npy.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const int64_t dims[] = {2, 3};
    static const int32_t dtypes[] = {NN_F32, NN_F64, NN_F16, NN_U8, NN_I64, NN_BOOL};
    if (size == 0) return 0;
    nn_tensor sample = {.dims = dims, .dtype = dtypes[bytes[0] % 6], .rank = bytes[0] / 6 % 3};
    rt_source source = {.file = -1, .path = "fuzzed"};
    source.held = size - 1 + 6;
    source.size = (int64_t)source.held;
    source.bytes = malloc(source.held);
    memcpy(source.bytes, "\x93NUMPY", 6);
    memcpy(source.bytes + 6, bytes + 1, size - 1);
    rt_array array;
    rt_text error = {0};
    bool parsed = rt_npy_parse(&source, &sample, &array, &error);
    fuzz_array(parsed, &source, &sample, &array, &error);
    return 0;
}
