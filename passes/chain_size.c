/* How large what a chain hands on is, in all and part by part. */
#include "passes/chain.h"
#include <string.h>

enum {
    LARGE = 1 << 16,      /* elements of what isn't worth keeping for later */
    LARGE_PART = 1 << 12, /* elements of a part of it */
    MAX_DEPTH = 256       /* of a product that is computed again rather than stored */
};

int64_t chain_parts(const Chain *chain) {
    int64_t count = 1, size;
    for (uint32_t j = 0; j < chain->axis_count; j++) {
        if (!dim_is_const(chain->dims[j], &size)) return INT64_MAX;
        if (size == 0 || count > INT64_MAX / size) return INT64_MAX;
        count *= size;
    }
    return count;
}

bool chain_is_large(IrContext *ir, const Chain *chain, const Type *type) {
    int64_t elements;
    const Dim *count = type_elements(ir, type), *part = count;
    for (uint32_t j = 0; j < chain->axis_count && part; j++) part = dim_floordiv(ir, part, chain->dims[j]);
    if (part && dim_is_const(part, &elements) && elements < LARGE_PART) return false;
    return !count || !dim_is_const(count, &elements) || elements >= LARGE;
}

bool chain_is_shallow(const Node *kernel) {
    for (const Node *node = kernel->blocks[0]->first; node; node = node->next) {
        if (node->op != OP_contract) continue;
        const char *spec = node_str(node, ATTR_spec), *out = strstr(spec, "->") + 2;
        int64_t depth = 1, size;
        for (uint32_t d = 0; d < node->operands[0]->type->rank; d++) {
            if (strchr(out, spec[d])) continue;
            if (!dim_is_const(node->operands[0]->type->dims[d], &size) || size > MAX_DEPTH) return false;
            depth *= size > 0 ? size : 1;
            if (depth > MAX_DEPTH) return false;
        }
    }
    return true;
}
