/* Sorting: the order of a line's elements. Elements become unsigned keys in the same order, so that one
 * routine sorts all types: few items are inserted one by one, many distributed by one byte of their keys
 * after the other, the lowest first. Where only the first places are wanted, items that can't be among them
 * are left out: twice as many as are wanted are gathered and sorted, and the last one kept bounds what
 * follows. */
#include "nnrt.h"
#include "rt_text.h"
#include <string.h>

typedef struct {
    uint64_t key;
    int64_t id;
} Item;

enum {
    FEW = 32,   /* items that are inserted one by one */
    ROOM = 256, /* for more of them at least: counting bytes takes as long as some 100 items */
    BLOCK = 256 /* keys that are made at once */
};

static const uint64_t TOP = 1ull << 63;

/* -0 is 0 and every NaN the greatest. Signs come in no order, so that nothing branches by them. */
static uint64_t key_of_double(double value) {
    uint64_t bits;
    if (value != value) return UINT64_MAX;
    value += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits ^ (-(bits >> 63) | TOP);
}

/* The same in the upper half, so that there are fewer bytes in which keys differ. */
static uint64_t key_of_float(float value) {
    uint32_t bits;
    if (value != value) return UINT64_MAX;
    value += 0.0f;
    memcpy(&bits, &value, sizeof bits);
    return (uint64_t)(bits ^ (-(bits >> 31) | 1u << 31)) << 32;
}

/* Keys of `count` elements that are `bytes` apart; ~ of them where the greatest is to be the first. */
static void make_keys(int32_t dtype, const char *x, int64_t bytes, int64_t count, bool descending,
                      uint64_t *keys) {
    uint64_t turned = descending ? UINT64_MAX : 0;
    for (int64_t k = 0; k < count; k++, x += bytes) {
        uint64_t key;
        float value;
        if (dtype == NN_F32) {
            memcpy(&value, x, sizeof value);
            key = key_of_float(value);
        } else if (dtype == NN_F64) {
            key = key_of_double(rt_element_float(dtype, x));
        } else if (rt_dtype_is_float(dtype)) {
            key = key_of_float((float)rt_element_float(dtype, x));
        } else {
            key = (uint64_t)rt_element_int(dtype, x) ^ TOP;
        }
        keys[k] = key ^ turned;
    }
}

static void insert(Item *items, int64_t count) {
    for (int64_t k = 1; k < count; k++) {
        Item item = items[k];
        int64_t at = k;
        for (; at > 0 && items[at - 1].key > item.key; at--) items[at] = items[at - 1];
        items[at] = item;
    }
}

/* `from` in the order of the byte of the keys above `shift` bits; of one byte, in that of `from`. */
static void distribute(const Item *from, Item *to, int64_t count, int shift) {
    int64_t start[256] = {0}, sum = 0;
    for (int64_t k = 0; k < count; k++) start[from[k].key >> shift & 255]++;
    for (int byte = 0; byte < 256; byte++) {
        int64_t items = start[byte];
        start[byte] = sum;
        sum += items;
    }
    for (int64_t k = 0; k < count; k++) to[start[from[k].key >> shift & 255]++] = from[k];
}

/* Sorts the first of two lists, which become each other where the other one holds the order in the end. */
static void sort(Item *lists[2], int64_t count) {
    uint64_t differing = 0;
    if (count <= FEW) {
        insert(lists[0], count);
        return;
    }
    for (int64_t k = 1; k < count; k++) differing |= lists[0][k].key ^ lists[0][0].key;
    for (int shift = 0; shift < 64; shift += 8) {
        if (!(differing >> shift & 255)) continue;
        Item *from = lists[0];
        distribute(from, lists[1], count, shift);
        lists[0] = lists[1];
        lists[1] = from;
    }
}

void nn_argsort(int32_t dtype, const void *x, int64_t *ids, int64_t count, int64_t stride, int64_t wanted,
                int32_t descending, void *scratch) {
    _Static_assert(2 * sizeof(Item) == NN_SORT_BYTES, "two lists of items");
    int64_t bytes = (int64_t)rt_dtype_bytes(dtype) * stride, held = 0;
    int64_t room = 2 * wanted > FEW && 2 * wanted < ROOM ? ROOM : 2 * wanted;
    if (room > count) room = count;
    uint64_t keys[BLOCK], bound = 0;
    bool bounded = wanted == 0;
    Item *lists[2] = {scratch, (Item *)scratch + count};
    for (int64_t k = 0; k < count; k += BLOCK) {
        int64_t made = count - k < BLOCK ? count - k : BLOCK;
        make_keys(dtype, (const char *)x + k * bytes, bytes, made, descending, keys);
        for (int64_t j = 0; j < made; j++) {
            if (bounded && keys[j] >= bound) continue;
            lists[0][held++] = (Item){keys[j], k + j};
            if (held < room || room == count) continue;
            sort(lists, held);
            held = wanted;
            bounded = true;
            bound = lists[0][wanted - 1].key;
        }
    }
    sort(lists, held);
    for (int64_t k = 0; k < wanted; k++) ids[k * stride] = lists[0][k].id;
}
