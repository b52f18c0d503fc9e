/* Samples of fuzzed files: see array.h. */
#include "array.h"
#include <stdlib.h>

static void check(bool holds) {
    if (!holds) abort();
}

void fuzz_array(bool parsed, rt_source *source, const nn_tensor *sample, const rt_array *array,
                rt_text *error) {
    if (parsed) {
        uint8_t out[48];
        rt_column column = rt_column_of_source(source, array, sample);
        for (int64_t i = 0; i < array->count && i < 1000; i++)
            check(rt_gather(&column, NULL, i, 1, out, error));
        if (array->count) check(rt_gather(&column, NULL, array->count - 1, 1, out, error));
        rt_column_free(&column);
    } else {
        check(error->length > 0);
        rt_source_close(source);
    }
    rt_text_free(error);
}
