/* Zeros around what windows are taken of, as in padded convolutions: the contraction reads what they are around,
 * leaves out the products with them, and so they are never written. That is done for lanes along the output
 * channels, where a row of the register tile is a place of the picture: which products it lacks is known when
 * the program is compiled, or is a shorter loop. */
#include "ir/shape.h"
#include "passes/fuse.h"
#include <string.h>

enum {
    CHANNELS = 16, /* of the result: fewer don't fill vectors */
    STEPS = 8      /* of the innermost axis of the window, which is written out */
};

typedef struct {
    const ContractSpec *spec;
    const char *picture, *weights; /* labels */
    const Type *type;              /* the picture's, as windows */
} Edges;

static bool has(const char *labels, char label) { return strchr(labels, label) != NULL; }

static const Dim *extent_of(const Edges *e, char label) {
    return e->type->dims[strchr(e->picture, label) - e->picture];
}

/* The last of `labels` that the picture has and `other` lacks, but for axes of one element; 0 if there is
 * none. */
static char innermost(const Edges *e, const char *labels, const char *other) {
    for (size_t i = strlen(labels); i-- > 0;)
        if (has(e->picture, labels[i]) && !has(other, labels[i]) && !dim_is(extent_of(e, labels[i]), 1))
            return labels[i];
    return 0;
}

/* Channels of the result that the picture lacks. */
static int64_t channels(const Edges *e, const Type *weights) {
    int64_t count = 1, size;
    for (uint32_t i = 0; e->weights[i]; i++) {
        if (has(e->picture, e->weights[i])) continue;
        if (!dim_is_const(weights->dims[i], &size) || __builtin_mul_overflow(count, size, &count)) return 0;
    }
    return count;
}

/* Is every size of the picture known but that of its outermost place? */
static bool places_are_known(const Edges *e) {
    int64_t size;
    bool first = true;
    for (uint32_t i = 0; e->spec->result[i]; i++) {
        char label = e->spec->result[i];
        if (!has(e->picture, label) || has(e->weights, label)) continue;
        if (!first && !dim_is_const(extent_of(e, label), &size)) return false;
        first = false;
    }
    return true;
}

static bool fits(const Edges *e, const StridedEdge *edge) {
    char place = e->picture[edge->place], within = e->picture[edge->within];
    int64_t places, steps;
    if (!has(e->spec->result, place) || has(e->weights, place)) return false;
    if (has(e->spec->result, within) || !has(e->weights, within)) return false;
    if (!dim_is_const(extent_of(e, place), &places) || !dim_is_const(extent_of(e, within), &steps))
        return false;
    if (places <= 1 || steps <= 1) return false;
    if (place != innermost(e, e->spec->result, e->weights)) return true;
    return steps <= STEPS && within == innermost(e, e->picture, e->spec->result);
}

bool fuse_fits_edges(const Node *contract, const Strided *x, const Strided *y) {
    ContractSpec spec;
    if (x->edge_count + y->edge_count == 0) return true;
    if (!contract_spec_parse(node_str(contract, ATTR_spec), &spec) || !spec.result[0]) return false;
    bool second = has(spec.y, spec.result[strlen(spec.result) - 1]);
    const Strided *picture = second ? y : x;
    Edges e = {.spec = &spec,
               .picture = second ? spec.y : spec.x,
               .weights = second ? spec.x : spec.y,
               .type = contract->operands[second]->type};
    if ((second ? x : y)->edge_count || !places_are_known(&e)) return false;
    if (channels(&e, contract->operands[!second]->type) < CHANNELS) return false;
    for (uint32_t i = 0; i < picture->edge_count; i++)
        if (!fits(&e, &picture->edge[i])) return false;
    return true;
}
