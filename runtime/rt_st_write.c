/* Writing safetensors headers. */
#include "rt.h"
#include "rt_safetensors.h"
#include <stdlib.h>
#include <string.h>

size_t rt_tensor_bytes(const nn_tensor *tensor) {
    size_t bytes = rt_dtype_bytes(tensor->dtype);
    for (int32_t i = 0; i < tensor->rank; i++) bytes *= (size_t)tensor->dims[i];
    return bytes;
}

static int by_place(const void *a, const void *b) {
    const nn_tensor *x = *(const nn_tensor *const *)a, *y = *(const nn_tensor *const *)b;
    size_t m = rt_dtype_bytes(x->dtype), n = rt_dtype_bytes(y->dtype);
    return m != n ? (m < n ? 1 : -1) : strcmp(x->name, y->name);
}

const nn_tensor **rt_st_sorted(int32_t count, const nn_tensor *tensors) {
    const nn_tensor **sorted = rt_allocate((size_t)count * sizeof *sorted);
    for (int32_t i = 0; i < count; i++) sorted[i] = &tensors[i];
    if (count) qsort(sorted, (size_t)count, sizeof *sorted, by_place);
    return sorted;
}

static void add_entry(rt_text *header, const nn_tensor *tensor, size_t begin) {
    rt_text_json(header, tensor->name);
    rt_text_addf(header, ":{\"dtype\":\"%s\",\"shape\":[", rt_st_dtype_name(tensor->dtype));
    for (int32_t i = 0; i < tensor->rank; i++)
        rt_text_addf(header, "%s%lld", i ? "," : "", (long long)tensor->dims[i]);
    rt_text_addf(header, "],\"data_offsets\":[%zu,%zu]}", begin, begin + rt_tensor_bytes(tensor));
}

static void add_metadata(rt_text *header, int32_t count, const rt_st_pair *pairs) {
    rt_text_adds(header, "\"__metadata__\":{");
    for (int32_t i = 0; i < count; i++) {
        if (i) rt_text_adds(header, ",");
        rt_text_json(header, pairs[i].key);
        rt_text_adds(header, ":");
        rt_text_json(header, pairs[i].value);
    }
    rt_text_adds(header, "}");
}

void rt_st_header(rt_text *out, int32_t pairs, const rt_st_pair *pair, int32_t count,
                  const nn_tensor *const *tensors) {
    rt_text header = {0};
    rt_text_adds(&header, "{");
    add_metadata(&header, pairs, pair);
    size_t begin = 0;
    for (int32_t i = 0; i < count; i++) {
        rt_text_adds(&header, ",");
        add_entry(&header, tensors[i], begin);
        begin += rt_tensor_bytes(tensors[i]);
    }
    rt_text_adds(&header, "}");
    rt_text_fill(&header, ' ', (int64_t)((8 - header.length % 8) % 8));
    for (int i = 0; i < RT_ST_PREFIX; i++) rt_text_add(out, &(char){(char)(header.length >> 8 * i)}, 1);
    rt_text_add(out, header.bytes, header.length);
    rt_text_free(&header);
}
