/* When each tensor is alive, as ranges of time. What a loop's body reads from outside lives through the whole
 * loop; what a branch reads lives in that branch up to the reader and not in the other one; what a body
 * defines lives there only. In a block that doesn't return lives only what is read there. */
#include "passes/plan.h"
#include "support/map.h"

void ranges_add(Arena *arena, Ranges *ranges, Range range) {
    if (range.start >= range.end) return;
    uint32_t keep = 0;
    bool placed = false;
    Ranges merged = {0};
    for (; keep < ranges->count; keep++) {
        Range old = ranges->at[keep];
        if (old.end < range.start) {
            vec_push(arena, &merged, old);
        } else if (range.end < old.start) {
            if (!placed) vec_push(arena, &merged, range);
            placed = true;
            vec_push(arena, &merged, old);
        } else {
            range.start = old.start < range.start ? old.start : range.start;
            range.end = old.end > range.end ? old.end : range.end;
        }
    }
    if (!placed) vec_push(arena, &merged, range);
    *ranges = merged;
}

bool ranges_overlap(const Ranges *a, const Ranges *b) {
    for (uint32_t i = 0, j = 0; i < a->count && j < b->count;) {
        if (a->at[i].end <= b->at[j].start)
            i++;
        else if (b->at[j].end <= a->at[i].start)
            j++;
        else
            return true;
    }
    return false;
}

/* --- positions */
static void capture(Plan *plan, PlanNode *info, Map *seen, Value *value) {
    if (map_get(seen, value)) return;
    map_put(seen, value, value);
    vec_push(plan->arena, &info->captures, value);
}

static void capture_block(Plan *plan, PlanNode *info, Map *seen, const Block *block, const Block *outermost) {
    for (const Node *node = block->first; node; node = node->next) {
        for (uint32_t i = 0; i < node->operand_count; i++)
            if (!block_inside(node->operands[i]->block, outermost))
                capture(plan, info, seen, node->operands[i]);
        for (uint32_t i = 0; i < node->block_count; i++)
            capture_block(plan, info, seen, node->blocks[i], outermost);
    }
}

/* What a reshape or copy shows, shown in the end by no reshape or copy. */
static const Value *origin_of(const Value *value) {
    while (value->node && (value->node->op == OP_copy || value->node->op == OP_reshape) &&
           plan_is_tensor(value->node->operands[0]))
        value = value->node->operands[0];
    return value;
}

static const Dim *bytes_of(Plan *plan, const Value *value) {
    const Dim *elements = type_elements(plan->ir, value->type);
    const Dim *bytes =
        elements ? dim_mul(plan->ir, elements, dim_const(plan->ir, dtype_bytes(value->type->dtype))) : NULL;
    return bytes ? bytes : plan_too_large(plan, value);
}

static void new_buffer(Plan *plan, Value *value) {
    value->place = (Place){.frame = -1};
    if (!plan_is_tensor(value)) return;
    Buffer *buffer = ARENA_NEW(plan->arena, Buffer);
    buffer->value = value;
    buffer->origin = origin_of(value);
    buffer->bytes = bytes_of(plan, value);
    value->scratch = buffer;
    vec_push(plan->arena, &plan->buffers, buffer);
}

static void number_block(Plan *plan, Block *block, uint32_t depth);

static void number_node(Plan *plan, Node *node, uint32_t depth) {
    PlanNode *info = ARENA_NEW(plan->arena, PlanNode);
    node->scratch = info;
    vec_push(plan->arena, &plan->nodes, node);
    info->depth = depth;
    info->begin = info->end = plan->positions++;
    if (node->op == OP_kernel) {
        capture_block(plan, info, map_new(plan->arena), node->blocks[0], node->blocks[0]);
    } else if (node->block_count > 0) {
        for (uint32_t i = 0; i < node->block_count; i++)
            number_block(plan, node->blocks[i], depth + plan_is_loop(node));
        info->end = plan->positions++;
    }
    for (uint32_t i = 0; i < node->result_count; i++) new_buffer(plan, node->results[i]);
}

static void number_block(Plan *plan, Block *block, uint32_t depth) {
    if (block->owner)
        for (uint32_t i = 0; i < block->params.count; i++) new_buffer(plan, block->params.at[i]);
    for (Node *node = block->first; node; node = node->next) number_node(plan, node, depth);
}

/* --- liveness */
/* Just before the first node reads: parameters are there without a node. */
static uint32_t block_start(const Block *block) { return 2 * plan_node(block->first)->begin - 1; }

static uint32_t definition_time(const Value *value) {
    return value->node ? 2 * plan_node(value->node)->end : block_start(value->block);
}

/* Does the block only look for the reason of a failure? */
static bool is_cold(const Block *block) {
    const Node *owner = block->owner;
    return owner && node_attr(owner, ATTR_cold) && owner->blocks[1] == block;
}

static bool in_cold(const Block *block) {
    while (block && !is_cold(block)) block = block->owner ? block->owner->block : NULL;
    return block != NULL;
}

/* The tensor is read at `time` by something in `block`. */
static void use_at(Plan *plan, Buffer *buffer, const Block *block, uint32_t time) {
    for (; block != buffer->value->block; block = block->owner->block) {
        const PlanNode *owner = plan_node(block->owner);
        /* Of a loop the whole is alive; of a branch, and of the block itself, what comes before the read. */
        if (in_cold(block) && !plan_is_loop(block->owner))
            ranges_add(plan->arena, &buffer->in_cold, (Range){block_start(block), time});
        if (plan_is_loop(block->owner)) {
            time = 2 * owner->end + 1;
        } else {
            ranges_add(plan->arena, &buffer->alive, (Range){block_start(block), time});
            time = 2 * owner->begin + 1;
        }
    }
    ranges_add(plan->arena, &buffer->alive, (Range){definition_time(buffer->value), time});
}

static void use(Plan *plan, const Node *node, const Value *value) {
    Buffer *buffer = plan_buffer(value);
    if (buffer) use_at(plan, buffer, node->block, 2 * plan_node(node)->begin + 1);
}

/* The carried values of a while are those of its result once the condition, and the whole block that computes
 * it, has been evaluated. */
static void keep_tested(Plan *plan, const Node *loop) {
    const Block *test = loop->blocks[0];
    for (uint32_t i = 0; i < test->params.count; i++)
        if (plan_buffer(test->params.at[i])) use(plan, test->last, test->params.at[i]);
}

/* The time of a block that doesn't return is no time for what comes from outside and is read after it. */
static void leave_out(Plan *plan, Buffer *buffer, Range cold) {
    Ranges kept = {0};
    for (uint32_t i = 0; i < buffer->alive.count; i++) {
        Range range = buffer->alive.at[i];
        uint32_t end = range.end < cold.start ? range.end : cold.start;
        uint32_t start = range.start > cold.end ? range.start : cold.end;
        ranges_add(plan->arena, &kept, (Range){range.start, end});
        ranges_add(plan->arena, &kept, (Range){start, range.end});
    }
    buffer->alive = kept;
}

static void leave_out_cold(Plan *plan, const Block *block) {
    Range cold = {block_start(block), 2 * plan_node(block->last)->begin + 2};
    for (uint32_t i = 0; i < plan->buffers.count; i++) {
        Buffer *buffer = plan->buffers.at[i];
        if (block_inside(buffer->value->block, block)) continue;
        leave_out(plan, buffer, cold);
        for (uint32_t k = 0; k < buffer->in_cold.count; k++) {
            Range read = buffer->in_cold.at[k];
            if (read.start >= cold.start && read.end <= cold.end)
                ranges_add(plan->arena, &buffer->alive, read);
        }
    }
}

void plan_liveness(Plan *plan) {
    number_block(plan, plan->function->body, 0);
    for (uint32_t i = 0; i < plan->buffers.count; i++) {
        Buffer *buffer = plan->buffers.at[i];
        uint32_t start = definition_time(buffer->value);
        /* What nothing reads is written all the same. */
        ranges_add(plan->arena, &buffer->alive, (Range){start, start + (buffer->value->node ? 2 : 1)});
    }
    for (uint32_t i = 0; i < plan->nodes.count; i++) {
        const Node *node = plan->nodes.at[i];
        const PlanNode *info = plan_node(node);
        for (uint32_t k = 0; k < node->operand_count; k++) use(plan, node, node->operands[k]);
        for (uint32_t k = 0; k < info->captures.count; k++) use(plan, node, info->captures.at[k]);
        if (node->op == OP_while) keep_tested(plan, node);
    }
    for (uint32_t i = 0; i < plan->nodes.count; i++)
        if (node_attr(plan->nodes.at[i], ATTR_cold)) leave_out_cold(plan, plan->nodes.at[i]->blocks[1]);
}
