/* The layout of what products in loops read. A product is fastest where the rows of one factor lie along the
 * result's, since lanes run along both; where they lie across, as weights [outputs, inputs] do in x @ w.T,
 * every product packs that factor anew. A factor that is the same in every iteration is transposed once
 * instead, before the loop. */
#include "ir/build.h"
#include "ir/shape.h"
#include "passes/hoist.h"
#include "passes/layout.h"
#include <assert.h>
#include <string.h>

enum {
    FEW_ROWS = 8,   /* of the result: up to here each is computed from the factor as it lies */
    NARROW = 16,    /* the same for columns */
    LARGE = 1 << 22 /* elements of a factor: from here on a second one costs more memory than it saves time */
};

/* The number of elements along those axes that the result has and the other factor lacks; LARGE where that is
 * unknown or more. */
static int64_t extent(const Type *type, const char *labels, const char *result, const char *other) {
    int64_t elements = 1, size;
    for (uint32_t i = 0; i < type->rank; i++) {
        if (!labels_have(result, labels[i]) || labels_have(other, labels[i])) continue;
        if (!dim_is_const(type->dims[i], &size) || size >= LARGE) return LARGE;
        elements = elements * size < LARGE ? elements * size : LARGE;
    }
    return elements;
}

static bool is_large(const Type *type) {
    int64_t elements = 1, size;
    for (uint32_t i = 0; i < type->rank; i++) {
        if (!dim_is_const(type->dims[i], &size) || size >= LARGE) return true;
        elements *= size;
        if (elements >= LARGE) return true;
    }
    return false;
}

/* Axes in the order that direct reading wants: what both factors share with the result, what is summed, the
 * result's columns. */
static void direct_order(const ContractSpec *spec, char *labels, const char *other, int64_t *perm) {
    char ordered[MAX_RANK + 1] = {0};
    uint32_t count = 0, rank = (uint32_t)strlen(labels);
    for (int group = 0; group < 3; group++) {
        const char *order = group == 1 ? labels : spec->result;
        for (uint32_t i = 0; order[i]; i++) {
            char label = order[i];
            bool kept = labels_have(spec->result, label), shared = labels_have(other, label);
            if (!labels_have(labels, label) || group != (kept ? shared ? 0 : 2 : 1)) continue;
            perm[count] = strchr(labels, label) - labels;
            ordered[count++] = label;
        }
    }
    assert(count == rank);
    memcpy(labels, ordered, rank);
}

static void lay_out(Hoist *h, Node *contract) {
    ContractSpec spec;
    if (!contract_spec_parse(node_str(contract, ATTR_spec), &spec) || !spec.result[0]) return;
    char last = spec.result[strlen(spec.result) - 1];
    uint32_t lanes = labels_have(spec.y, last);
    char *labels = lanes ? spec.y : spec.x, *other = lanes ? spec.x : spec.y;
    Value *factor = contract->operands[lanes], *rest = contract->operands[!lanes];
    if (labels[strlen(labels) - 1] == last || is_large(factor->type)) return;
    if (extent(rest->type, other, spec.result, labels) <= FEW_ROWS) return;
    if (extent(factor->type, labels, spec.result, other) <= NARROW) return;
    Node *loop = hoist_loop_without(contract, factor);
    if (!loop) return;
    int64_t perm[MAX_RANK];
    direct_order(&spec, labels, other, perm);
    Builder before = {.graph = h->graph, .block = loop->block, .before = loop, .loc = contract->loc};
    Builder here = {.graph = h->graph, .block = contract->block, .before = contract, .loc = contract->loc};
    Value *turned = build_permute(&before, hoist_view_before(h, loop, factor), perm);
    Value *x = lanes ? rest : turned, *y = lanes ? turned : rest;
    const char *text = arena_printf(h->scratch, "%s,%s->%s", spec.x, spec.y, spec.result);
    value_replace(contract->results[0], build_contract(&here, x, y, text));
}

void hoist_layout(Hoist *h, Block *block, const Block *loop) {
    bool last = layout_wants_channels_last(block, loop);
    for (Node *node = block->first; node; node = node->next) {
        if (node->op == OP_contract && !hoist_panels(h, node, last && layout_puts_channels_last(node)))
            lay_out(h, node);
        bool is_loop = node->op == OP_for || node->op == OP_while;
        for (uint32_t i = 0; i < node->block_count; i++)
            hoist_layout(h, node->blocks[i], is_loop ? node->blocks[i] : loop);
    }
}
