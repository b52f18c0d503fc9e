/* libFuzzer: any bytes as a safetensors file. What the reader accepts must keep its promises: the tensors
 * tile the data, names are unique and found.
 *     clang-19 -g -O1 -std=gnu11 -I. -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         tests/fuzz/{fuzz_safetensors,memory}.c runtime/rt_{st_header,text}.c -o fuzz_safetensors */
#include "runtime/rt_safetensors.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds) {
    if (!holds) abort();
}

static void check_index(const rt_st_index *index, uint64_t data_bytes) {
    uint64_t covered = 0;
    for (size_t i = 0; i < index->count; i++) {
        const rt_st_entry *entry = &index->entries[i];
        int64_t dims[RT_ST_RANK_LIMIT];
        uint64_t bytes = rt_st_type(entry->type)->bytes;
        check(entry->rank <= RT_ST_RANK_LIMIT && entry->begin <= entry->end && entry->end <= data_bytes);
        rt_st_shape(entry, dims);
        for (int32_t d = 0; d < entry->rank; d++)
            check(!__builtin_mul_overflow(bytes, (uint64_t)dims[d], &bytes) || entry->begin == entry->end);
        check(entry->begin == entry->end || bytes == entry->end - entry->begin);
        covered += entry->end - entry->begin;
        if (memchr(entry->name, 0, entry->name_length)) continue;
        char *name = strndup(entry->name, entry->name_length);
        check(rt_st_find(index, name) == entry);
        free(name);
    }
    check(covered == data_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    uint64_t length;
    rt_text error = {0};
    rt_st_index index = {0};
    if (size < RT_ST_PREFIX) return 0;
    if (rt_st_prefix(bytes, size, &length, &error)) {
        char *header = malloc((size_t)length);
        uint64_t data_bytes = size - RT_ST_PREFIX - length;
        memcpy(header, bytes + RT_ST_PREFIX, (size_t)length);
        if (rt_st_parse(header, (size_t)length, data_bytes, &index, &error))
            check_index(&index, data_bytes);
        else
            check(error.length > 0 && index.entries == NULL);
        rt_st_free(&index);
        free(header);
    }
    /* What is said of the file reaches a terminal. */
    for (size_t i = 0; i < error.length; i++)
        check((unsigned char)error.bytes[i] >= 0x20 && error.bytes[i] != 0x7f);
    rt_text_free(&error);
    return 0;
}
