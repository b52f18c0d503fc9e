/* Zeros around what windows are taken of, as in padded convolutions: the contraction reads what they are
 * around, leaves out the products with them, and so they are never written. That is done where which products
 * a tile lacks is known when the program is compiled, or is a shorter loop: with lanes along the output
 * channels, where a row of the register tile is a place of the picture, and with a filter for each channel,
 * which slides. */
#include "ir/shape.h"
#include "passes/fuse.h"
#include <string.h>

enum {
    CHANNELS = 16, /* of the result: fewer don't fill vectors */
    STEPS = 8,     /* of an axis of the window that is written out */
    /* Where a filter slides: */
    WINDOW = 64, /* its elements at most */
    APART = 4    /* elements from column to column */
};

typedef struct {
    const ContractSpec *spec;
    const char *picture, *weights; /* labels */
    const Type *type;              /* the picture's, as windows */
} Edges;

static const Dim *extent_of(const Edges *e, char label) {
    return e->type->dims[strchr(e->picture, label) - e->picture];
}

/* The last of `labels` that the picture has and `other` lacks, but for axes of one element; 0 if there is
 * none. */
static char innermost(const Edges *e, const char *labels, const char *other) {
    for (size_t i = strlen(labels); i-- > 0;)
        if (labels_have(e->picture, labels[i]) && !labels_have(other, labels[i]) &&
            !dim_is(extent_of(e, labels[i]), 1))
            return labels[i];
    return 0;
}

/* Channels of the result that the picture lacks. */
static int64_t channels(const Edges *e, const Type *weights) {
    int64_t count = 1, size;
    for (uint32_t i = 0; e->weights[i]; i++) {
        if (labels_have(e->picture, e->weights[i])) continue;
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
        if (!labels_have(e->picture, label) || labels_have(e->weights, label)) continue;
        if (!first && !dim_is_const(extent_of(e, label), &size)) return false;
        first = false;
    }
    return true;
}

static bool fits(const Edges *e, const StridedEdge *edge) {
    char place = e->picture[edge->place], within = e->picture[edge->within];
    int64_t places, steps;
    if (!labels_have(e->spec->result, place) || labels_have(e->weights, place)) return false;
    if (labels_have(e->spec->result, within) || !labels_have(e->weights, within)) return false;
    if (!dim_is_const(extent_of(e, place), &places) || !dim_is_const(extent_of(e, within), &steps))
        return false;
    if (places <= 1 || steps <= 1) return false;
    if (place != innermost(e, e->spec->result, e->weights)) return true;
    return steps <= STEPS;
}

/* --- a filter for each channel */
/* Elements of a window; 0 where that isn't known. */
static int64_t window_size(const Edges *e) {
    int64_t count = 1, size;
    for (uint32_t i = 0; e->picture[i]; i++) {
        char label = e->picture[i];
        if (labels_have(e->spec->result, label)) continue;
        if (!labels_have(e->weights, label) || !dim_is_const(extent_of(e, label), &size) || size > WINDOW)
            return 0;
        count = count * size > WINDOW ? WINDOW + 1 : count * size;
    }
    return count;
}

/* The innermost places are a column and a line, with strides that tell them from each other and the rest. */
static bool has_lines(const Edges *e, const Strided *picture, char *line, char *column) {
    int64_t size, stride;
    *line = *column = 0;
    for (size_t i = strlen(e->spec->result); i-- > 0;) {
        char label = e->spec->result[i];
        if (!labels_have(e->picture, label) || labels_have(e->weights, label) ||
            dim_is(extent_of(e, label), 1))
            continue;
        if (!dim_is_const(picture->stride[strchr(e->picture, label) - e->picture], &stride)) return false;
        if (*column ? stride <= 1 : stride < 1 || stride > APART) return false;
        if (!*line && !dim_is_const(extent_of(e, label), &size)) return false;
        if (!*column)
            *column = label;
        else if (!*line)
            *line = label;
    }
    return *line != 0;
}

static bool fits_slide(const Edges *e, const Strided *picture) {
    char line, column;
    int64_t size = window_size(e), steps;
    if (size < 1 || size > WINDOW || !has_lines(e, picture, &line, &column)) return false;
    for (uint32_t i = 0; i < picture->edge_count; i++) {
        char place = e->picture[picture->edge[i].place], within = e->picture[picture->edge[i].within];
        if ((place != line && place != column) || labels_have(e->spec->result, within)) return false;
        if (!dim_is_const(extent_of(e, within), &steps) || steps <= 1 || steps > STEPS) return false;
    }
    return true;
}

/* Has the second operand the result's last axis of more than one element? */
static bool has_last(const Node *contract, const ContractSpec *spec) {
    const Type *type = contract->results[0]->type;
    uint32_t last = type->rank - 1;
    for (uint32_t i = 0; i < type->rank; i++)
        if (!dim_is(type->dims[i], 1)) last = i;
    return labels_have(spec->y, spec->result[last]);
}

bool fuse_fits_edges(const Node *contract, const Strided *x, const Strided *y) {
    ContractSpec spec;
    if (x->edge_count + y->edge_count == 0) return true;
    if (!contract_spec_parse(node_str(contract, ATTR_spec), &spec) || !spec.result[0]) return false;
    bool second = y->edge_count > 0, last = has_last(contract, &spec);
    const Strided *picture = second ? y : x;
    Edges e = {.spec = &spec,
               .picture = second ? spec.y : spec.x,
               .weights = second ? spec.x : spec.y,
               .type = contract->operands[second]->type};
    if ((second ? x : y)->edge_count || !places_are_known(&e)) return false;
    int64_t outputs = channels(&e, contract->operands[!second]->type);
    if (outputs == 1) return second == last && fits_slide(&e, picture);
    if (outputs < CHANNELS) return false;
    for (uint32_t i = 0; i < picture->edge_count; i++)
        if (!fits(&e, &picture->edge[i])) return false;
    return true;
}
