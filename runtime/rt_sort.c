/* Sorting: the order of a line's elements, by merging. Elements become unsigned keys in the same order, so
 * that one routine sorts all types; scratch memory is two lists of them. */
#include "nnrt.h"
#include "rt_text.h"
#include <string.h>

typedef struct {
    uint64_t key;
    int64_t id;
} Item;

enum { RUN = 16 }; /* items that are inserted one by one */

static const uint64_t TOP = 1ull << 63;

/* -0 is 0 and every NaN the greatest. */
static uint64_t key_of_float(double value) {
    uint64_t bits;
    if (value != value) return UINT64_MAX;
    if (value == 0) return TOP;
    memcpy(&bits, &value, sizeof bits);
    return bits & TOP ? ~bits : bits | TOP;
}

static uint64_t key_of(int32_t dtype, const void *element) {
    if (rt_dtype_is_float(dtype)) return key_of_float(rt_element_float(dtype, element));
    return (uint64_t)rt_element_int(dtype, element) ^ TOP;
}

static void insert_run(Item *items, int64_t from, int64_t to) {
    for (int64_t k = from + 1; k < to; k++) {
        Item item = items[k];
        int64_t at = k;
        for (; at > from && items[at - 1].key > item.key; at--) items[at] = items[at - 1];
        items[at] = item;
    }
}

/* Two neighbouring runs of `from` in order as one of `to`. */
static void merge(const Item *from, Item *to, int64_t first, int64_t middle, int64_t last) {
    int64_t a = first, b = middle;
    for (int64_t k = first; k < last; k++)
        to[k] = b >= last || (a < middle && from[a].key <= from[b].key) ? from[a++] : from[b++];
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Returns which of the two lists holds the items in order. */
static const Item *sort(Item *items, Item *other, int64_t count) {
    for (int64_t k = 0; k < count; k += RUN) insert_run(items, k, least(k + RUN, count));
    for (int64_t width = RUN; width < count; width *= 2) {
        for (int64_t k = 0; k < count; k += 2 * width)
            merge(items, other, k, least(k + width, count), least(k + 2 * width, count));
        Item *sorted = other;
        other = items;
        items = sorted;
    }
    return items;
}

void nn_argsort(int32_t dtype, const void *x, int64_t *ids, int64_t count, int64_t stride, int32_t descending,
                void *scratch) {
    _Static_assert(2 * sizeof(Item) == NN_SORT_BYTES, "two lists of items");
    int64_t bytes = (int64_t)rt_dtype_bytes(dtype) * stride;
    Item *items = scratch;
    for (int64_t k = 0; k < count; k++) {
        uint64_t key = key_of(dtype, (const char *)x + k * bytes);
        items[k] = (Item){descending ? ~key : key, k};
    }
    const Item *sorted = sort(items, items + count, count);
    for (int64_t k = 0; k < count; k++) ids[k * stride] = sorted[k].id;
}
