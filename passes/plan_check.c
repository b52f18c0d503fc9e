/* Checks a finished plan by running it on places alone: writing a tensor makes everything that overlapped its
 * place forgotten, and reading one requires that it is still there. Loops run twice, so that what the first
 * round destroys is missed in the second; and behind a checkpoint nothing is there but what it saves. Sizes
 * that depend on symbols are tried with several values. Shares nothing with the planner but the rule for what
 * kernels may overwrite. */
#include "passes/plan.h"
#include "support/map.h"
#include <string.h>

typedef VEC(Value *) Values;

typedef struct {
    int32_t frame;
    int64_t start, end;
} Extent;

/* What is known of a value in one run, by its `scratch`. */
typedef struct {
    Extent extent;
    bool present;
    uint32_t mark;
} Known;

typedef struct {
    Graph *graph;
    Arena *arena;
    uint32_t sample; /* which values symbols have */
    bool sampled;    /* some symbol was asked for its value */
    uint32_t marks;
    Map *frames;       /* frame number + 1 → int64_t *: its bytes */
    Values present;    /* tensors whose bytes are where they were put, by place: none overlap in part */
    bool impossible;   /* with these values of symbols */
    const char *wrong; /* the first mistake */
} Check;

static const void *frame_key(int64_t frame) { return (const void *)(intptr_t)(frame + 1); }

static void complain(Check *c, const char *what, const Value *value) {
    if (c->wrong) return;
    c->wrong = arena_printf(c->arena, "%%%u (%s) %s", value->id, value->name ? value->name : "unnamed", what);
}

/* --- places as numbers */
enum { SAMPLES = 4, TRIES = 24 };

static bool sample_symbol(void *user, const Dim *symbol, int64_t *out) {
    Check *c = user;
    c->sampled = true;
    uint32_t hash = 2166136261u + c->sample;
    for (const char *at = dim_symbol_name(symbol); *at; at++) hash = (hash ^ (uint8_t)*at) * 16777619u;
    *out = c->sample == 0 ? 1 : c->sample == 1 ? 0 : 1 + (hash >> 8) % 97;
    return true;
}

/* 0 for what has no value for these symbols. */
static int64_t number(Check *c, const Dim *dim) {
    int64_t value;
    return dim && dim_eval(dim, sample_symbol, c, &value) && value > 0 ? value : 0;
}

static Known *known(Check *c, Value *value) {
    if (value->scratch) return value->scratch;
    Known *k = value->scratch = ARENA_NEW(c->arena, Known);
    int64_t start = number(c, value->place.offset), bytes = dtype_bytes(value->type->dtype);
    for (uint32_t i = 0; i < value->type->rank; i++) bytes *= number(c, value->type->dims[i]);
    k->extent = (Extent){value->place.frame, start, start + bytes};
    return k;
}

static Extent extent_of(Check *c, Value *value) { return known(c, value)->extent; }

static bool overlap(Extent a, Extent b) { return a.frame == b.frame && a.start < b.end && b.start < a.end; }

static bool same_place(const Value *a, const Value *b) {
    return a->place.frame == b->place.frame && a->place.offset == b->place.offset;
}

/* --- what is where */
static bool is_given(const Value *value) {
    return value->type->rank == 0 || (!value->node && !value->block->owner);
}

static bool is_present(Check *c, Value *value) { return known(c, value)->present; }

/* Ends are in order where starts are, for nothing overlaps in part. */
static bool ends_behind(Extent a, int32_t frame, int64_t place) {
    return a.frame > frame || (a.frame == frame && a.end > place);
}

static bool begins_behind(Extent a, Extent b) {
    if (a.frame != b.frame) return a.frame > b.frame;
    return a.start != b.start ? a.start > b.start : a.end > b.end;
}

/* The number of the first that ends behind the beginning of `extent`, or that comes behind it in order. */
static uint32_t find(Check *c, Extent extent, bool behind_all) {
    uint32_t low = 0, high = c->present.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        Extent other = extent_of(c, c->present.at[middle]);
        if (behind_all ? begins_behind(other, extent) : ends_behind(other, extent.frame, extent.start))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void add(Check *c, Value *value) {
    uint32_t at = find(c, extent_of(c, value), true);
    known(c, value)->present = true;
    vec_push(c->arena, &c->present, value);
    Value **place = c->present.at + at;
    memmove(place + 1, place, (c->present.count - 1 - at) * sizeof *place);
    *place = value;
}

/* Those that `extent` overlaps. */
static void remove_overlapped(Check *c, Extent extent) {
    uint32_t from = find(c, extent, false), to = from;
    for (; to < c->present.count && overlap(extent_of(c, c->present.at[to]), extent); to++)
        known(c, c->present.at[to])->present = false;
    if (to == from) return;
    memmove(c->present.at + from, c->present.at + to, (c->present.count - to) * sizeof *c->present.at);
    c->present.count -= to - from;
}

typedef bool Goes(Check *c, Value *value, const void *user);

static void remove_if(Check *c, Goes *goes, const void *user) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->present.count; i++) {
        Value *value = c->present.at[i];
        if (goes(c, value, user))
            known(c, value)->present = false;
        else
            c->present.at[kept++] = value;
    }
    c->present.count = kept;
}

static Values snapshot(Check *c) {
    Values copy = {0};
    for (uint32_t i = 0; i < c->present.count; i++) vec_push(c->arena, &copy, c->present.at[i]);
    return copy;
}

/* From now on these are present and no others. */
static void set_present(Check *c, const Values *values) {
    for (uint32_t i = 0; i < c->present.count; i++) known(c, c->present.at[i])->present = false;
    c->present.count = 0;
    for (uint32_t i = 0; i < values->count; i++) add(c, values->at[i]);
}

static bool has_other_mark(Check *c, Value *value, const void *mark) {
    return known(c, value)->mark != *(const uint32_t *)mark;
}

/* Keeps what is in both. */
static void meet(Check *c, const Values *others) {
    uint32_t mark = ++c->marks;
    for (uint32_t i = 0; i < others->count; i++) known(c, others->at[i])->mark = mark;
    remove_if(c, has_other_mark, &mark);
}

static bool lies_inside(Check *c, Value *value, const void *block) {
    (void)c;
    return block_inside(value->block, block);
}

static void forget_inside(Check *c, const Block *block) { remove_if(c, lies_inside, block); }

static void read_value(Check *c, Value *value) {
    if (!is_given(value) && !is_present(c, value)) complain(c, "is read after it was overwritten", value);
}

static void appear(Check *c, Value *value) {
    if (!is_given(value) && !is_present(c, value)) add(c, value);
}

static void write_value(Check *c, Value *value) {
    if (is_given(value)) return;
    const int64_t *capacity = map_get(c->frames, frame_key(value->place.frame));
    Extent extent = extent_of(c, value);
    if (value->place.frame < 0 || !capacity) {
        complain(c, "has no place", value);
        return;
    }
    if (extent.end > *capacity && extent.end > extent.start) complain(c, "lies outside its arena", value);
    remove_overlapped(c, extent);
    appear(c, value);
}

/* `to` is `from` under another name, which needs no code. */
static void rename_value(Check *c, Value *to, Value *from) {
    if (is_given(to)) return;
    read_value(c, from);
    if (!same_place(to, from)) complain(c, "is carried to another place", from);
    appear(c, to);
}

/* --- nodes */
static void check_block(Check *c, const Block *block);

static void check_kernel_reads(Check *c, const Node *kernel, const Block *block) {
    for (const Node *node = block->first; node; node = node->next) {
        for (uint32_t i = 0; i < node->operand_count; i++) {
            Value *value = node->operands[i];
            if (block_inside(value->block, kernel->blocks[0])) continue;
            read_value(c, value);
            for (uint32_t r = 0; r < kernel->result_count; r++) {
                Value *result = kernel->results[r];
                if (is_given(value) || is_given(result) ||
                    !overlap(extent_of(c, value), extent_of(c, result)))
                    continue;
                if (!same_place(value, result) || !plan_in_place(kernel, result, value))
                    complain(c, "is overwritten by a kernel that still reads it", value);
            }
        }
        for (uint32_t i = 0; i < node->block_count; i++) check_kernel_reads(c, kernel, node->blocks[i]);
    }
}

static void check_if(Check *c, const Node *node) {
    Values before = snapshot(c), after = {0};
    for (uint32_t i = 0; i < 2; i++) {
        set_present(c, &before);
        check_block(c, node->blocks[i]);
        for (uint32_t k = 0; k < node->result_count; k++)
            rename_value(c, node->results[k], block_yield(node->blocks[i])->operands[k]);
        forget_inside(c, node->blocks[i]);
        if (i == 1 && node_attr(node, ATTR_cold))
            set_present(c, &after); /* it does not return */
        else if (i == 1)
            meet(c, &after);
        after = snapshot(c);
    }
}

static void rename_all(Check *c, uint32_t count, Value *const *to, Value *const *from) {
    for (uint32_t i = 0; i < count; i++) rename_value(c, to[i], from[i]);
}

static void check_for(Check *c, const Node *node) {
    const Block *body = node->blocks[0];
    Value *const *params = body->params.at + 1;
    Values before = snapshot(c);
    rename_all(c, node->result_count, params, node->operands + 2);
    for (uint32_t round = 0; round < 2; round++) {
        check_block(c, body);
        Values carried = {0};
        for (uint32_t k = 0; k < node->result_count; k++) {
            rename_value(c, params[k], block_yield(body)->operands[k]);
            vec_push(c->arena, &carried, params[k]);
        }
        forget_inside(c, body);
        for (uint32_t k = 0; k < carried.count; k++) appear(c, carried.at[k]);
    }
    rename_all(c, node->result_count, node->results, params);
    forget_inside(c, body);
    /* What was there before and has survived a round; the results are new. */
    for (uint32_t k = 0; k < node->result_count; k++) vec_push(c->arena, &before, node->results[k]);
    meet(c, &before);
}

static void check_while(Check *c, const Node *node) {
    const Block *test = node->blocks[0], *body = node->blocks[1];
    uint32_t count = node->result_count;
    rename_all(c, count, test->params.at, node->operands);
    for (uint32_t round = 0; round < 2; round++) {
        check_block(c, test);
        rename_all(c, count, body->params.at, test->params.at);
        forget_inside(c, test);
        check_block(c, body);
        rename_all(c, count, test->params.at, block_yield(body)->operands);
        forget_inside(c, body);
    }
    check_block(c, test);
    rename_all(c, count, node->results, test->params.at);
    forget_inside(c, test);
}

static bool lies_in_frame(Check *c, Value *value, const void *frame) {
    (void)c;
    return value->place.frame == *(const int64_t *)frame;
}

static void check_frame(Check *c, const Node *node) {
    int64_t *bytes = ARENA_NEW(c->arena, int64_t), frame = node_int(node, ATTR_frame);
    *bytes = number(c, node_dim(node, ATTR_dim));
    map_put(c->frames, frame_key(frame), bytes);
    remove_if(c, lies_in_frame, &frame);
}

static void check_plain(Check *c, const Node *node) {
    for (uint32_t i = 0; i < node->operand_count; i++) read_value(c, node->operands[i]);
    if (node->op == OP_kernel) check_kernel_reads(c, node, node->blocks[0]);
    bool renames = (node->op == OP_copy || node->op == OP_reshape) && !is_given(node->results[0]) &&
                   same_place(node->results[0], node->operands[0]);
    for (uint32_t i = 0; i < node->result_count; i++)
        if (renames)
            appear(c, node->results[i]);
        else
            write_value(c, node->results[i]);
    /* Results of one node must not destroy each other. */
    for (uint32_t i = 0; i < node->result_count; i++) read_value(c, node->results[i]);
}

/* A run may go on behind it with nothing but its operands. */
static void check_checkpoint(Check *c, const Node *node) {
    check_plain(c, node);
    set_present(c, &(Values){0});
    for (uint32_t i = 0; i < node->operand_count; i++) appear(c, node->operands[i]);
}

static void check_block(Check *c, const Block *block) {
    for (const Node *node = block->first; node && !c->wrong; node = node->next) {
        if (node->op == OP_if)
            check_if(c, node);
        else if (node->op == OP_for)
            check_for(c, node);
        else if (node->op == OP_while)
            check_while(c, node);
        else if (node->op == OP_frame)
            check_frame(c, node);
        else if (node->op == OP_checkpoint)
            check_checkpoint(c, node);
        else
            check_plain(c, node);
    }
}

/* --- runs */
/* Sizes that are negative stop the program before there is such a tensor: such values of symbols say nothing.
 */
static void look_for_negative(void *user, Node *node) {
    Check *c = user;
    for (uint32_t i = 0; i < node->result_count; i++)
        for (uint32_t d = 0; d < node->results[i]->type->rank; d++) {
            int64_t value;
            if (dim_eval(node->results[i]->type->dims[d], sample_symbol, c, &value) && value < 0)
                c->impossible = true;
        }
}

static void forget_results(void *user, Node *node) {
    (void)user;
    for (uint32_t i = 0; i < node->result_count; i++) node->results[i]->scratch = NULL;
    for (uint32_t k = 0; k < node->block_count; k++)
        for (uint32_t i = 0; i < node->blocks[k]->params.count; i++)
            node->blocks[k]->params.at[i]->scratch = NULL;
}

static void forget_all(const Function *function) {
    for (uint32_t i = 0; i < function->body->params.count; i++) function->body->params.at[i]->scratch = NULL;
    block_walk(function->body, forget_results, NULL);
}

static const char *check_function(Graph *graph, Arena *arena, const Function *function) {
    bool sampled = true; /* other values of symbols would make a difference */
    for (uint32_t sample = 0, done = 0; sampled && sample < TRIES && done < SAMPLES; sample++) {
        Check c = {.graph = graph, .arena = arena, .sample = sample, .frames = map_new(arena)};
        forget_all(function);
        block_walk(function->body, look_for_negative, &c);
        sampled = c.sampled;
        if (c.impossible) continue;
        done++;
        check_block(&c, function->body);
        if (c.wrong) return arena_printf(arena, "in `%s`: %s", function->name, c.wrong);
        sampled = c.sampled;
    }
    forget_all(function);
    return NULL;
}

const char *plan_check(Graph *graph, Arena *arena) {
    const char *wrong = NULL;
    for (uint32_t i = 0; i < graph->functions.count && !wrong; i++)
        wrong = check_function(graph, arena, graph->functions.at[i]);
    return wrong;
}
