/* Tiles of a product: what a kernel makes for one product and is much larger than all that it reads. As a
 * whole, tiles go through memory. A chain cuts them until a part fits the second level of the caches.
 *
 * Either they are windows that overlap, transformed. Then products go with them, so parts are of both; but
 * the product's other factor is read for each part, and mustn't outweigh it. Or they are themselves a
 * product, of many channels from a few, and both products are shallow, so that what is stored counts: the
 * second one's filters are each of a channel, say (Sandler et al., 2018, section 3.3). */
#include "passes/chain.h"
#include <math.h>
#include <string.h>

/* Windows: */
static const double PART_BYTES = 2 << 20, /* of tiles and products together at most, */
    FACTORS = 2,                          /* or so many times the other factor */
    FAR_BYTES = 8 << 20,                  /* what is less stays near from kernel to kernel */
    MIN_GROWTH = 2;
/* Products: */
static const double CHANNELS_PART_BYTES = 512 << 10, /* of tiles alone */
    CHANNELS_LEAST_BYTES = 64 << 10,                 /* of a part: a product of less is slower */
    CHANNELS_FAR_BYTES = 1 << 20, CHANNELS_MIN_GROWTH = 4;
enum {
    CHANNELS_MULTIPLE = 8, /* rows of a product's tile */
    MAX_PARTS = 1 << 16    /* along an axis */
};

static bool is_kind(const Node *node, const char *kind) {
    return node->op == OP_kernel && strcmp(node_str(node, ATTR_kind), kind) == 0;
}

bool chain_is_product(const Node *node) { return is_kind(node, "contract"); }

/* A size that isn't known counts as `unknown`. */
static double bytes_of(const Type *type, double unknown) {
    double bytes = dtype_bytes(type->dtype);
    int64_t size;
    for (uint32_t d = 0; d < type->rank; d++)
        bytes *= dim_is_const(type->dims[d], &size) ? (double)size : unknown;
    return bytes;
}

/* By the kernel, of what is in memory. */
static double bytes_read(const Node *kernel, double unknown) {
    double bytes = 0;
    for (const Node *node = kernel->blocks[0]->first; node; node = node->next)
        for (uint32_t i = 0; i < node->operand_count; i++)
            if (node->operands[i]->block != kernel->blocks[0])
                bytes += bytes_of(node->operands[i]->type, unknown);
    return bytes;
}

static bool channels_find(const Node *lead, const Node *product, Tiles *out) {
    const Type *made = lead->results[0]->type;
    double bytes = bytes_of(made, 1);
    if (!chain_is_shallow(lead) || !chain_is_shallow(product)) return false;
    if (bytes < CHANNELS_MIN_GROWTH * bytes_read(lead, 1)) return false;
    if (bytes_of(made, INFINITY) < CHANNELS_FAR_BYTES) return false;
    *out = (Tiles){.type = made,
                   .bytes = bytes,
                   .limit = CHANNELS_PART_BYTES,
                   .least = CHANNELS_LEAST_BYTES,
                   .multiple = CHANNELS_MULTIPLE};
    memset(&out->marks, -1, sizeof out->marks);
    return true;
}

bool tiles_find(const Node *lead, const Node *product, Tiles *out) {
    if (product->result_count != 1) return false;
    if (chain_is_product(lead)) return channels_find(lead, product, out);
    if (!is_kind(lead, "loop")) return false;
    const Type *made = lead->results[0]->type, *products = product->results[0]->type;
    double bytes = bytes_of(made, 1), factor = bytes_read(product, 1) - bytes;
    if (bytes < MIN_GROWTH * bytes_read(lead, 1)) return false;
    if (bytes_of(made, INFINITY) + bytes_of(products, INFINITY) < FAR_BYTES) return false;
    *out = (Tiles){.type = made, .bytes = bytes + bytes_of(products, 1), .multiple = 1};
    out->limit = FACTORS * factor > PART_BYTES ? FACTORS * factor : PART_BYTES;
    memset(&out->marks, -1, sizeof out->marks);
    return true;
}

static bool is_cut(const Tiles *tiles, uint32_t axis) {
    return memchr(tiles->marks.axis, (int)axis, tiles->axis_count) != NULL;
}

bool tiles_are_near(const Tiles *tiles) {
    for (uint32_t d = 0; d < tiles->type->rank; d++)
        if (!dim_is_const(tiles->type->dims[d], NULL) && !is_cut(tiles, d)) return false;
    return tiles->bytes <= tiles->limit && tiles->bytes >= tiles->least;
}

/* As few as are small enough, else as many as there are, of a size that is a multiple. */
static int64_t parts_along(const Tiles *tiles, int64_t size, int64_t multiple) {
    int64_t most = 1;
    for (int64_t count = 1; count <= size && count <= MAX_PARTS; count++) {
        if (size % count || size / count % multiple) continue;
        most = count;
        if (tiles->bytes / (double)count <= tiles->limit) break;
    }
    return most;
}

/* Along an axis of unknown size parts are single. */
bool tiles_cut(IrContext *ir, Tiles *tiles, uint32_t axis) {
    const Dim *parts = tiles->type->dims[axis];
    int64_t size;
    if (tiles_are_near(tiles) || dim_is(parts, 1)) return false;
    if (dim_is_const(parts, &size)) {
        int64_t count = parts_along(tiles, size, axis ? tiles->multiple : 1);
        if (count == 1) return false;
        parts = dim_const(ir, count);
        tiles->bytes /= (double)count;
    }
    tiles->marks.axis[tiles->axis_count] = (int8_t)axis;
    tiles->dims[tiles->axis_count++] = parts;
    return true;
}
