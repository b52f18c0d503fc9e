/* The layout of weights: in panels of a few vectors of output channels, [panels, what is summed, channels of
 * a panel], so that a tile reads one linear stream. Weights that are the same in every iteration of a loop
 * are laid out so once, before it.
 *
 * Of a convolution, lanes lie along the output channels where the windows of a picture don't follow each
 * other as vectors would, but in the result, and in the weights, these channels are not the innermost axis:
 * every product would pack the weights into panels. Of a product whose channels are the result's innermost
 * axis, as in x @ w, it would read a few vectors of each row of w, from pages of their own and with no
 * pattern that is seen ahead. Where no width divides the channels, zeros fill up the last panel, and what
 * they give is left out of the result, so that what is computed of it is a kernel of its own. */
#include "ir/build.h"
#include "ir/shape.h"
#include "passes/hoist.h"
#include <string.h>

enum {
    MULTIPLE = 16,  /* channels: whole vectors */
    FEW_PLACES = 8, /* of the picture: up to here the weights are read as they lie */
    SMALL = 256,    /* pictures up to here that aren't whole vectors are worth it without windows, too */
    NEAR = 1 << 16, /* elements of weights: up to here rows are as near as panels */
    SHALLOW = 64,   /* steps of k that make no stream */
    FILLED = 8,     /* zeros may be so small a part of the channels */
    LARGE = 1 << 22 /* elements of weights: from here on a second copy costs more memory than it saves time */
};

/* Channels of a panel of wide vectors, the better first: as wide as most tiles. */
static const int64_t picture_widths[] = {32, 16, 0}, row_widths[] = {48, 32, 0};

/* The only axis of the weights that the result has and the other factor lacks; -1 where there isn't just one.
 */
static int64_t channel_axis(const ContractSpec *spec, const char *labels, const char *other) {
    int64_t axis = -1;
    for (int64_t i = 0; labels[i]; i++) {
        if (!labels_have(spec->result, labels[i]) || labels_have(other, labels[i])) continue;
        if (axis >= 0) return -1;
        axis = i;
    }
    return axis;
}

/* Places of the picture that follow each other in the result: its last axes, as far as they are the
 * picture's.
 */
static int64_t places(const ContractSpec *spec, const Type *result, const char *weights) {
    int64_t count = 1, size;
    for (uint32_t i = result->rank; i-- > 0 && !labels_have(weights, spec->result[i]);) {
        if (!dim_is_const(result->dims[i], &size)) return SMALL + 1;
        if (__builtin_mul_overflow(count, size, &count)) return SMALL + 1;
    }
    return count;
}

/* Of all axes that only the other factor has: many where that isn't known. */
static int64_t rows(const ContractSpec *spec, const Type *result, const char *weights) {
    int64_t count = 1, size;
    for (uint32_t i = 0; i < result->rank; i++) {
        if (labels_have(weights, spec->result[i])) continue;
        if (!dim_is_const(result->dims[i], &size)) return INT64_MAX;
        if (__builtin_mul_overflow(count, size, &count)) return INT64_MAX;
    }
    return count;
}

static bool has_steps(const Node *slice) {
    const Attr *step = node_attr(slice, ATTR_step);
    for (uint32_t i = 0; i < step->count; i++)
        if (step->ints[i] != 1) return true;
    return false;
}

/* Do the places of the picture not follow each other as vectors would? Windows of one element are none. */
static bool is_windowed(const Value *value) {
    for (const Node *node = value->node; node; node = node->operands[0]->node) {
        if (node->op == OP_window &&
            !(dim_is(node_dim(node, ATTR_size), 1) && dim_is(node_dim(node, ATTR_stride), 1)))
            return true;
        if (node->op == OP_slice) return has_steps(node);
        if (node->op != OP_window && node->op != OP_reshape && node->op != OP_permute) return false;
    }
    return false;
}

static char unused_label(const ContractSpec *spec) {
    for (char label = 'a'; label <= 'z'; label++)
        if (!labels_have(spec->x, label) && !labels_have(spec->y, label)) return label;
    return 0;
}

typedef struct {
    ContractSpec spec;
    uint32_t weights; /* which operand they are */
    char *labels;     /* theirs */
    const char *other;
    bool channels_last; /* so will the result be */
    int64_t tile;       /* channels of a panel where the target has a width of its own, else 0 */
    int64_t axis, width, panels;
    int64_t more; /* channels of zeros that fill up the last panel */
} Layout;

/* Channels of a panel: the first width that divides them, or else the first that zeros fill up at little cost
 * where the weights are far, or else all of them. */
static void set_panels(Layout *l, const int64_t *widths, int64_t channels, int64_t weights) {
    int64_t own[] = {l->tile, 0};
    if (l->tile) widths = own;
    const int64_t *divisor = widths;
    while (*divisor && channels % *divisor) divisor++;
    if (!*divisor && weights > NEAR)
        for (divisor = widths; *divisor && (*divisor - channels % *divisor) * FILLED > channels;) divisor++;
    l->width = *divisor ? *divisor : channels;
    l->panels = (channels + l->width - 1) / l->width;
    l->more = l->panels * l->width - channels;
}

/* What is put together along an axis that stays as it is, the elements of a tile for instance, is turned part
 * by part, so that a kernel makes all parts at once. */
static Value *turned(Builder *b, const Layout *l, Value *value, uint32_t rank, const Dim *const *dims,
                     const int64_t *perm) {
    const Node *node = value->node;
    int64_t axis = node && node->op == OP_concat ? node_int(node, ATTR_axis) : l->axis, to = 0;
    if (axis == l->axis) return build_permute(b, build_reshape(b, value, rank, dims), perm);
    Value **parts = ARENA_ARRAY(ir_arena(b->graph->ir), Value *, node->operand_count);
    const Dim *own[MAX_RANK];
    if (axis > l->axis) axis += rank - value->type->rank;
    while (perm[to] != axis) to++;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        memcpy(own, dims, rank * sizeof *own);
        own[axis] = node->operands[i]->type->dims[node_int(node, ATTR_axis)];
        parts[i] = turned(b, l, node->operands[i], rank, own, perm);
    }
    return build_concat(b, node->operand_count, parts, (uint32_t)to);
}

/* The picture's channels, summed last where these are its innermost axis: a tile reads whole lines of it. The
 * program's input, which has few, is as it is. 0 = none. */
static char summed_last(const Layout *l, const Type *weights) {
    if (!l->channels_last) return 0;
    for (uint32_t i = 0; l->other[i]; i++) {
        if (labels_have(l->spec.result, l->other[i]) || !labels_have(l->labels, l->other[i])) continue;
        int64_t size, axis = strchr(l->labels, l->other[i]) - l->labels;
        return dim_is_const(weights->dims[axis], &size) && size >= MULTIPLE ? l->other[i] : 0;
    }
    return 0;
}

/* [shared with the picture, panels, what is summed, channels of a panel], from [.., panels, channels, ..]. */
static Value *laid_out(Builder *b, Layout *l, Value *weights, char panel) {
    const Type *type = weights->type;
    const Dim *dims[MAX_RANK];
    char split[MAX_RANK + 1] = {0}, ordered[MAX_RANK + 1] = {0}, channel = l->labels[l->axis];
    char inner = summed_last(l, type);
    int64_t perm[MAX_RANK];
    uint32_t rank = 0, count = 0;
    for (uint32_t i = 0; i < type->rank; i++) {
        if (i == l->axis && panel) split[rank] = panel, dims[rank++] = dim_const(b->graph->ir, l->panels);
        split[rank] = l->labels[i];
        dims[rank++] = i == l->axis ? dim_const(b->graph->ir, l->width) : type->dims[i];
    }
    for (int group = 0; group < 5; group++)
        for (uint32_t i = 0; i < rank; i++) {
            bool shared = labels_have(l->spec.result, split[i]) && split[i] != channel;
            int summed = split[i] == inner ? 3 : 2;
            if (group != (split[i] == panel ? 1 : split[i] == channel ? 4 : shared ? 0 : summed)) continue;
            ordered[count] = split[i];
            perm[count++] = i;
        }
    memcpy(l->labels, ordered, sizeof ordered);
    return turned(b, l, weights, rank, dims, perm);
}

/* With zeros for the channels that fill up the last panel. */
static Value *filled_up(Builder *b, const Layout *l, Value *weights) {
    if (!l->more) return weights;
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK] = {0};
    for (uint32_t i = 0; i < weights->type->rank; i++) low[i] = high[i] = dim_const(b->graph->ir, 0);
    high[l->axis] = dim_const(b->graph->ir, l->more);
    Value *zero = build_const(b, type_scalar(b->graph->ir, weights->type->dtype), 0);
    return build_pad(b, weights, zero, low, high, interior);
}

/* The product by panels as the product by channels: axis `axis` of its type. */
static Value *by_channels(Builder *b, const Layout *l, Value *product, const Type *type, int64_t axis) {
    const Dim *dims[MAX_RANK], *start[MAX_RANK];
    int64_t step[MAX_RANK];
    for (uint32_t i = 0; i < type->rank; i++)
        dims[i] = type->dims[i], start[i] = dim_const(b->graph->ir, 0), step[i] = 1;
    dims[axis] = dim_const(b->graph->ir, l->panels * l->width);
    Value *all = build_reshape(b, product, type->rank, dims);
    return l->more ? build_slice(b, all, start, type->dims, step) : all;
}

static void put_panel(char *labels, char channel, char panel) {
    char *at = strchr(labels, channel);
    memmove(at + 1, at, strlen(at) + 1);
    *at = panel;
}

static void take_operand(Layout *l, uint32_t weights) {
    l->weights = weights;
    l->labels = weights ? l->spec.y : l->spec.x;
    l->other = weights ? l->spec.x : l->spec.y;
}

/* Of a convolution: the factor without the result's innermost axis. */
static bool choose_picture(const Node *contract, Layout *l, char last) {
    take_operand(l, labels_have(l->spec.x, last));
    if (labels_have(l->labels, last)) return false;
    const Value *weights = contract->operands[l->weights], *picture = contract->operands[!l->weights];
    const Type *type = weights->type, *result = contract->results[0]->type;
    int64_t size, channels, count = places(&l->spec, result, l->labels);
    l->axis = channel_axis(&l->spec, l->labels, l->other);
    if (l->axis < 0 || !type_count(type, &size) || size >= LARGE || count <= FEW_PLACES) return false;
    if (!l->channels_last && !is_windowed(picture) && (count > SMALL || count % MULTIPLE == 0)) return false;
    dim_is_const(type->dims[l->axis], &channels);
    set_panels(l, picture_widths, channels, size);
    return channels >= MULTIPLE && l->labels[l->axis + 1];
}

/* Of x @ w: the factor with it, in several panels. A single row reads the weights as fast as they lie. */
static bool choose_rows(const Node *contract, Layout *l, char last) {
    take_operand(l, labels_have(l->spec.y, last));
    if (labels_have(l->other, last)) return false;
    const Value *weights = contract->operands[l->weights];
    int64_t size, channels, depth = 1, extent;
    if (!type_count(weights->type, &size) || size <= NEAR || size >= LARGE || is_windowed(weights))
        return false;
    if (rows(&l->spec, contract->results[0]->type, l->labels) <= 1) return false;
    l->axis = strchr(l->labels, last) - l->labels;
    for (uint32_t i = 0; l->labels[i]; i++)
        if (!labels_have(l->spec.result, l->labels[i]) && dim_is_const(weights->type->dims[i], &extent))
            depth *= extent;
    dim_is_const(weights->type->dims[l->axis], &channels);
    set_panels(l, row_widths, channels, size);
    return depth > SHALLOW && l->panels > 1;
}

static bool choose(const Node *contract, Layout *l) {
    if (!contract_spec_parse(node_str(contract, ATTR_spec), &l->spec) || !l->spec.result[0]) return false;
    char last = l->spec.result[strlen(l->spec.result) - 1];
    if (contract->results[0]->type->rank == MAX_RANK) return false;
    if (contract->operands[0]->type->rank == MAX_RANK || contract->operands[1]->type->rank == MAX_RANK)
        return false;
    return choose_picture(contract, l, last) || choose_rows(contract, l, last);
}

bool hoist_panels(Hoist *h, Node *contract, bool channels_last) {
    Layout l = {.channels_last = channels_last, .tile = h->panel};
    if (!choose(contract, &l)) return false;
    Value *weights = contract->operands[l.weights], *picture = contract->operands[!l.weights];
    Node *loop = hoist_loop_without(contract, weights);
    char channel = l.labels[l.axis], panel = l.panels > 1 ? unused_label(&l.spec) : 0;
    if (!loop || (l.panels > 1 && !panel)) return false;
    Builder before = {.graph = h->graph, .block = loop->block, .before = loop, .loc = contract->loc};
    Builder here = {.graph = h->graph, .block = contract->block, .before = contract, .loc = contract->loc};
    int64_t axis = strchr(l.spec.result, channel) - l.spec.result;
    Value *weights_before = filled_up(&before, &l, hoist_view_before(h, loop, weights));
    Value *panels = laid_out(&before, &l, weights_before, panel);
    if (panel) put_panel(l.spec.result, channel, panel);
    const char *text = arena_printf(h->scratch, "%s,%s->%s", l.spec.x, l.spec.y, l.spec.result);
    Value *x = l.weights ? picture : panels, *y = l.weights ? panels : picture;
    const Type *type = contract->results[0]->type;
    Value *result = by_channels(&here, &l, build_contract(&here, x, y, text), type, axis);
    value_replace(contract->results[0], result);
    return true;
}
