/* A value of a loop's body, of all steps, as one tensor [steps, dims of the value…]: what slices a tensor by
 * the loop's index is that tensor; what is computed from such values is computed from all of them. After the
 * loop, what it wrote to a tape is there, too. */
#include "ir/shape.h"
#include "passes/hoist_steps.h"
#include <assert.h>
#include <string.h>

enum { LARGE = 1 << 25 }; /* elements that are too many for one stacked tensor */

typedef enum { UNKNOWN, STEADY, STACKED, NEITHER } Answer;

static IrContext *context(const Stack *stack) { return stack->steps->hoist->graph->ir; }

Stack hoist_stack_new(Steps *s, bool after) {
    Arena *scratch = s->hoist->scratch;
    return (Stack){
        .steps = s, .after = after, .views = true, .known = map_new(scratch), .made = map_new(scratch)};
}

static bool is_outside(const Stack *stack, const Value *value) {
    return !block_inside(value->block, stack->steps->body);
}

static bool is_view(const Node *node) {
    static const bool views[OP_COUNT] = {
        [OP_reshape] = true, [OP_permute] = true, [OP_slice] = true,  [OP_broadcast] = true,
        [OP_pad] = true,     [OP_concat] = true,  [OP_window] = true,
    };
    return views[node->op];
}

/* Does a product read it where what it is a view of lies? */
static bool is_free(const Node *node) { return is_view(node) && node->op != OP_pad && node->op != OP_concat; }

static bool is_reduction(const Node *node) { return op_has(node->op, TRAIT_REDUCES); }

/* --- what is the same in every step */
static Answer answer(const Stack *stack, const Value *value) {
    return (Answer)(uintptr_t)map_get(stack->known, value);
}

static void remember(Stack *stack, const Value *value, Answer is) {
    map_put(stack->known, value, (void *)(uintptr_t)is);
}

bool hoist_stack_is_steady(Stack *stack, Value *value) {
    if (is_outside(stack, value)) return true;
    Node *node = value->node;
    if (!node || answer(stack, value) == STACKED) return false;
    if (answer(stack, value) != UNKNOWN) return answer(stack, value) == STEADY;
    bool steady = hoist_is_weightless(node) || is_view(node) || op_has(node->op, TRAIT_ELEMENTWISE) ||
                  node->op == OP_size;
    for (uint32_t i = 0; steady && i < node->operand_count; i++)
        steady = hoist_stack_is_steady(stack, node->operands[i]);
    if (steady) remember(stack, value, STEADY);
    return steady;
}

Value *hoist_stack_steady(Stack *stack, Builder *b, Value *value) {
    if (is_outside(stack, value)) return value;
    Value *made = map_get(stack->made, value);
    if (made) return made;
    const Node *node = value->node;
    Value **operands = ARENA_ARRAY(stack->steps->hoist->scratch, Value *, node->operand_count + 1);
    for (uint32_t i = 0; i < node->operand_count; i++)
        operands[i] = hoist_stack_steady(stack, b, node->operands[i]);
    made = build_node(b, node->op, node->operand_count, operands, node->attr_count, node->attrs)->results[0];
    map_put(stack->made, value, made);
    return made;
}

/* --- what can be stacked */
bool hoist_stack_fits(const Steps *s, const Type *type) {
    int64_t elements;
    if (type->rank >= MAX_RANK) return false;
    const Dim *all = type_elements(s->hoist->graph->ir, type);
    all = all ? dim_mul(s->hoist->graph->ir, all, s->count) : NULL;
    if (!all) return false;
    return !dim_is_const(all, &elements) || elements <= LARGE;
}

static bool agree(Stack *stack, int sign) {
    if (!stack->sign) stack->sign = sign;
    return true;
}

static bool can_slice(Stack *stack, const Node *node) {
    StepSlice slice;
    const Attr *axes = node_attr(node, ATTR_axes);
    if (!hoist_index_slice(stack->steps, node, &slice) || !hoist_stack_is_steady(stack, node->operands[0]))
        return false;
    for (uint32_t k = 0; k < axes->count; k++)
        if (k != slice.entry && !hoist_stack_is_steady(stack, node->operands[k + 1])) return false;
    return agree(stack, slice.sign);
}

static uint32_t tape_of(const Stack *stack, const Value *value) {
    uint32_t k = stack->after ? (uint32_t)(uintptr_t)map_get(stack->steps->tapes, value) : 0;
    return k == stack->without ? 0 : k;
}

static StepSlice tape_slice(const Stack *stack, uint32_t k) {
    StepSlice slice;
    bool is = hoist_index_slice(stack->steps, block_yield(stack->steps->body)->operands[k - 1]->node, &slice);
    assert(is);
    return slice;
}

double hoist_stack_elements(const Type *type) {
    double extent = 1;
    int64_t size;
    for (uint32_t i = 0; i < type->rank; i++)
        if (dim_is_const(type->dims[i], &size)) extent *= (double)size;
    return extent;
}

static bool can_any(Stack *stack, Value *value) {
    return hoist_stack_is_steady(stack, value) || hoist_stack_can(stack, value);
}

/* One factor of a product; with a tape of its own where nothing else helps. */
static bool can_factor(Stack *stack, Value *value) {
    bool writes = stack->writes, views = stack->views;
    uint32_t contracts = stack->contracts.count;
    stack->writes = false; /* none for what it is computed from */
    stack->views = true;
    bool can = can_any(stack, value), kept = !can || !stack->views;
    if (kept && !hoist_stack_fits(stack->steps, value->type)) return false;
    stack->writes = writes;
    stack->views &= views;
    if (kept) stack->kept += hoist_stack_elements(value->type);
    if (can || !writes) return can;
    stack->views = views;
    stack->contracts.count = contracts;
    remember(stack, value, STACKED);
    vec_push(stack->steps->hoist->scratch, &stack->taped, value);
    return true;
}

bool hoist_stack_can_product(Stack *stack, Node *contract) {
    vec_push(stack->steps->hoist->scratch, &stack->contracts, contract);
    return can_factor(stack, contract->operands[0]) && can_factor(stack, contract->operands[1]);
}

static bool can_compute(Stack *stack, Node *node) {
    stack->views &= is_free(node);
    if (node->op == OP_gather) /* not before the loop has checked the positions */
        return stack->after && hoist_stack_is_steady(stack, node->operands[0]) &&
               can_any(stack, node->operands[1]);
    if (node->op == OP_contract) return hoist_stack_can_product(stack, node);
    if (node->op == OP_pad && !hoist_stack_is_steady(stack, node->operands[1])) return false;
    if (!is_view(node) && !is_reduction(node) && !op_has(node->op, TRAIT_ELEMENTWISE)) return false;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        if (node->op == OP_pad && i == 1) continue;
        if (!can_any(stack, node->operands[i])) return false;
    }
    return true;
}

static bool can(Stack *stack, Value *value) {
    Node *node = value->node;
    if (value->type->rank >= MAX_RANK) return false;
    uint32_t tape = tape_of(stack, value);
    if (tape) return agree(stack, tape_slice(stack, tape).sign);
    if (!node || node->block != stack->steps->body) return false;
    return node->op == OP_dynamic_slice ? can_slice(stack, node) : can_compute(stack, node);
}

bool hoist_stack_can(Stack *stack, Value *value) {
    if (answer(stack, value) == UNKNOWN) remember(stack, value, can(stack, value) ? STACKED : NEITHER);
    return answer(stack, value) == STACKED;
}

/* --- stacking */
static const Type *stacked_type(const Stack *stack, const Type *type) {
    const Dim *dims[MAX_RANK] = {stack->steps->count};
    memcpy(dims + 1, type->dims, type->rank * sizeof *dims);
    return type_tensor(context(stack), type->dtype, type->rank + 1, dims);
}

static Value *reshaped(Builder *b, Value *x, const Type *type) {
    return build_reshape(b, x, type->rank, type->dims);
}

/* Axis `from` becomes the first. */
static Value *to_front(Builder *b, Value *x, uint32_t from) {
    int64_t perm[MAX_RANK] = {from};
    if (!from) return x;
    for (uint32_t i = 0, k = 1; i < x->type->rank; i++)
        if (i != from) perm[k++] = i;
    return build_permute(b, x, perm);
}

/* The tensor's slices, in the order of the stack. */
static Value *all_slices(Stack *stack, Builder *b, Value *x, const StepSlice *slice, const Type *part) {
    const Steps *s = stack->steps;
    if (!hoist_index_whole(s, slice, x->type)) {
        const Dim *start[MAX_RANK], *dims[MAX_RANK];
        int64_t step[MAX_RANK];
        for (uint32_t i = 0; i < x->type->rank; i++) {
            start[i] = i == slice->axis ? slice->start : dim_const(context(stack), 0);
            dims[i] = i == slice->axis ? s->count : x->type->dims[i];
            step[i] = 1;
        }
        x = build_slice(b, x, start, dims, step);
    }
    if (slice->sign != stack->sign) x = build_flip(b, x, slice->axis);
    return reshaped(b, to_front(b, x, slice->axis), stacked_type(stack, part));
}

static Value *stack_slice(Stack *stack, Builder *b, const Node *node) {
    StepSlice slice;
    bool is = hoist_index_slice(stack->steps, node, &slice);
    assert(is);
    const Attr *axes = node_attr(node, ATTR_axes);
    Value *x = hoist_stack_steady(stack, b, node->operands[0]), *starts[MAX_RANK];
    int64_t others[MAX_RANK];
    uint32_t count = 0;
    const Dim *dims[MAX_RANK];
    memcpy(dims, node->results[0]->type->dims, sizeof dims);
    dims[slice.axis] = x->type->dims[slice.axis];
    for (uint32_t k = 0; k < axes->count; k++) {
        if (k == slice.entry) continue;
        others[count] = axes->ints[k];
        starts[count++] = hoist_stack_steady(stack, b, node->operands[k + 1]);
    }
    if (count) x = build_dynamic_slice(b, x, count, others, starts, dims);
    return all_slices(stack, b, x, &slice, node->results[0]->type);
}

static Value *operand_of_all(Stack *stack, Builder *b, Value *value) {
    if (!hoist_stack_is_steady(stack, value)) return hoist_stack_make(stack, b, value);
    const Type *type = stacked_type(stack, value->type);
    int64_t axes[MAX_RANK];
    for (uint32_t i = 0; i < value->type->rank; i++) axes[i] = i + 1;
    return build_broadcast(b, hoist_stack_steady(stack, b, value), type->rank, type->dims, axes);
}

static bool has(const ContractSpec *spec, char label) {
    return strchr(spec->x, label) || strchr(spec->y, label);
}

/* "l", then the labels, for a factor that is stacked. */
static Value *factor_of_all(Stack *stack, Builder *b, Value *value, char letter, char *labels) {
    if (hoist_stack_is_steady(stack, value)) return hoist_stack_steady(stack, b, value);
    memmove(labels + 1, labels, strlen(labels) + 1);
    labels[0] = letter;
    return hoist_stack_make(stack, b, value);
}

Value *hoist_stack_product(Stack *stack, Builder *b, const Node *node, bool sum) {
    ContractSpec spec;
    bool parsed = contract_spec_parse(node_str(node, ATTR_spec), &spec);
    assert(parsed);
    char letter = 'a';
    while (has(&spec, letter)) letter++;
    char x[MAX_RANK + 2], y[MAX_RANK + 2];
    strcpy(x, spec.x);
    strcpy(y, spec.y);
    Value *first = factor_of_all(stack, b, node->operands[0], letter, x);
    Value *second = factor_of_all(stack, b, node->operands[1], letter, y);
    const char *result =
        sum ? spec.result : arena_printf(stack->steps->hoist->scratch, "%c%s", letter, spec.result);
    return build_contract(b, first, second,
                          arena_printf(stack->steps->hoist->scratch, "%s,%s->%s", x, y, result));
}

static Value *stack_gather(Stack *stack, Builder *b, const Node *node) {
    Value *x = hoist_stack_steady(stack, b, node->operands[0]);
    int64_t axis = node_int(node, ATTR_axis);
    return to_front(b, build_gather(b, x, hoist_stack_make(stack, b, node->operands[1]), axis),
                    (uint32_t)axis);
}

static void shift(const Attr *attr, int64_t first, int64_t by, int64_t *out) {
    out[0] = first;
    for (uint32_t i = 0; i < attr->count; i++) out[i + 1] = attr->ints[i] + by;
}

static void put_before(const Attr *attr, const Dim *first, const Dim **out) {
    out[0] = first;
    memcpy(out + 1, attr->dims, attr->count * sizeof *out);
}

static Value *stack_slices(Stack *stack, Builder *b, const Node *node, Value *x, const Type *type) {
    const Dim *start[MAX_RANK];
    int64_t step[MAX_RANK];
    put_before(node_attr(node, ATTR_start), dim_const(context(stack), 0), start);
    shift(node_attr(node, ATTR_step), 1, 0, step);
    return build_slice(b, x, start, type->dims, step);
}

static Value *stack_pad(Stack *stack, Builder *b, const Node *node, Value *const *x) {
    const Dim *none = dim_const(context(stack), 0), *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK];
    put_before(node_attr(node, ATTR_low), none, low);
    put_before(node_attr(node, ATTR_high), none, high);
    shift(node_attr(node, ATTR_interior), 0, 0, interior);
    return build_pad(b, x[0], x[1], low, high, interior);
}

static Value *stack_windows(Builder *b, const Node *node, Value *x) {
    int64_t axis = node_int(node, ATTR_axis) + 1;
    return build_window(b, x, axis, node_dim(node, ATTR_size), node_dim(node, ATTR_stride),
                        node_dim(node, ATTR_dilation));
}

static Value *stack_view(Stack *stack, Builder *b, const Node *node, Value *const *x) {
    const Type *type = stacked_type(stack, node->results[0]->type);
    int64_t axes[MAX_RANK];
    if (node->op == OP_slice) return stack_slices(stack, b, node, x[0], type);
    if (node->op == OP_pad) return stack_pad(stack, b, node, x);
    if (node->op == OP_window) return stack_windows(b, node, x[0]);
    if (node->op == OP_concat) return build_concat(b, node->operand_count, x, node_int(node, ATTR_axis) + 1);
    if (node->op == OP_reshape) return reshaped(b, x[0], type);
    shift(node_attr(node, node->op == OP_permute ? ATTR_perm : ATTR_axes), 0, 1, axes);
    if (node->op == OP_permute) return build_permute(b, x[0], axes);
    return build_broadcast(b, x[0], type->rank, type->dims, axes);
}

static Value *stack_reduction(Builder *b, const Node *node, Value *x) {
    const Attr *axes = node_attr(node, ATTR_axes);
    int64_t shifted[MAX_RANK];
    for (uint32_t i = 0; i < axes->count; i++) shifted[i] = axes->ints[i] + 1;
    return build_reduce(b, node->op, x, axes->count, shifted);
}

static Value *stack_node(Stack *stack, Builder *b, const Node *node) {
    if (node->op == OP_dynamic_slice) return stack_slice(stack, b, node);
    if (node->op == OP_contract) return hoist_stack_product(stack, b, node, false);
    if (node->op == OP_gather) return stack_gather(stack, b, node);
    Value **x = ARENA_ARRAY(stack->steps->hoist->scratch, Value *, node->operand_count + 1);
    for (uint32_t i = 0; i < node->operand_count; i++) {
        bool fill = node->op == OP_pad && i == 1;
        x[i] = fill ? hoist_stack_steady(stack, b, node->operands[i])
                    : operand_of_all(stack, b, node->operands[i]);
    }
    if (is_view(node)) return stack_view(stack, b, node, x);
    if (is_reduction(node)) return stack_reduction(b, node, x[0]);
    return build_node(b, node->op, node->operand_count, x, node->attr_count, node->attrs)->results[0];
}

Value *hoist_stack_make(Stack *stack, Builder *b, Value *value) {
    Value *made = map_get(stack->made, value);
    if (made) return made;
    uint32_t tape = tape_of(stack, value);
    if (tape) {
        StepSlice slice = tape_slice(stack, tape);
        made = all_slices(stack, b, stack->steps->loop->results[tape - 1], &slice, value->type);
    } else {
        made = stack_node(stack, b, value->node);
    }
    map_put(stack->made, value, made);
    return made;
}

/* --- tapes */
void hoist_stack_tape(Stack *stack, Value *value) {
    Steps *s = stack->steps;
    if (!stack->sign) stack->sign = 1;
    if (map_get(s->tapes, value)) return;
    Builder before = {
        .graph = s->hoist->graph, .block = s->loop->block, .before = s->loop, .loc = s->loop->loc};
    Node *yield = block_yield(s->body);
    Builder in = {.graph = s->hoist->graph, .block = s->body, .before = yield, .loc = s->loop->loc};
    const Type *type = stacked_type(stack, value->type);
    const Dim *dims[MAX_RANK];
    memcpy(dims, type->dims, sizeof dims);
    dims[0] = dim_const(context(stack), 1);
    Value *entry = build_reshape(&in, value, type->rank, dims), *tape = block_param(s->body, type, NULL);
    Value *number = hoist_index_number(s, &in, stack->sign);
    node_add_operand(s->loop, build_const(&before, type, 0));
    node_add_operand(yield, build_update_slice(&in, tape, entry, 1, (int64_t[]){0}, &number));
    node_add_result(s->loop, type);
    map_put(s->tapes, value, (void *)(uintptr_t)s->loop->result_count);
}
