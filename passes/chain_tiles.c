/* Tiles of a product: what a kernel makes for one product and is much larger than all that it reads, as
 * windows that overlap are when they are transformed. As a whole, tiles and products go through memory. A
 * chain cuts them until a part of both fits the second level of the caches; but the product's other factor is
 * read for each part, and mustn't outweigh it. */
#include "passes/chain.h"
#include <math.h>
#include <string.h>

static const double PART_BYTES = 2 << 20, /* of tiles and products together at most, */
    FACTORS = 2,                          /* or so many times the other factor */
    FAR_BYTES = 8 << 20,                  /* what is less stays near from kernel to kernel */
    MIN_GROWTH = 2;

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

bool tiles_find(const Node *lead, const Node *product, Tiles *out) {
    if (!is_kind(lead, "loop") || product->result_count != 1) return false;
    const Type *made = lead->results[0]->type, *products = product->results[0]->type;
    double bytes = bytes_of(made, 1), factor = bytes_read(product, 1) - bytes;
    if (bytes < MIN_GROWTH * bytes_read(lead, 1)) return false;
    if (bytes_of(made, INFINITY) + bytes_of(products, INFINITY) < FAR_BYTES) return false;
    *out = (Tiles){.type = made, .bytes = bytes + bytes_of(products, 1)};
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
    return tiles->bytes <= tiles->limit;
}

/* Along an axis of unknown size parts are single. */
bool tiles_cut(IrContext *ir, Tiles *tiles, uint32_t axis) {
    const Dim *parts = tiles->type->dims[axis];
    int64_t size, count = 1;
    if (tiles_are_near(tiles) || dim_is(parts, 1)) return false;
    if (dim_is_const(parts, &size)) {
        while (count < size && (size % count || tiles->bytes / (double)count > tiles->limit)) count++;
        if (count == 1) return false;
        parts = dim_const(ir, count);
        tiles->bytes /= (double)count;
    }
    tiles->marks.axis[tiles->axis_count] = (int8_t)axis;
    tiles->dims[tiles->axis_count++] = parts;
    return true;
}
