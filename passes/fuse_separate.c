/* What is stored by one loop is made of parts of one size: whole results, or those that a concatenation puts
 * together. Whether there is such a size shows when it is known which concatenations are inside; where there
 * is none, the kernel becomes several, each of which has one. */
#include "ir/build.h"
#include "ir/concat.h"
#include "passes/fuse.h"
#include <string.h>

typedef struct {
    Fuse *f;
    Node *kernel;
    VEC(uint32_t) numbers; /* of its results */
} Piece;

static bool has_common(const Fuse *f, const Node *kernel, const Piece *piece, uint32_t more) {
    const Node *yield = block_yield(kernel->blocks[0]);
    Value **values = ARENA_ARRAY(f->arena, Value *, piece->numbers.count + 1);
    for (uint32_t i = 0; i < piece->numbers.count; i++) values[i] = yield->operands[piece->numbers.at[i]];
    values[piece->numbers.count] = yield->operands[more];
    return concat_common(f->ir, values, piece->numbers.count + 1, kernel->blocks[0]) != NULL;
}

static void copy_needed(const Piece *piece, Block *body, const Value *value, Map *map) {
    Node *node = value->node;
    if (!node || node->block != piece->kernel->blocks[0] || map_get(map, value)) return;
    for (uint32_t i = 0; i < node->operand_count; i++) copy_needed(piece, body, node->operands[i], map);
    node_append(body, node_clone(piece->f->graph, node, map));
}

/* A kernel that makes these results alone, and takes the place of theirs. */
static Node *kernel_of(const Piece *piece) {
    Fuse *f = piece->f;
    Node *old = piece->kernel, *yield = block_yield(old->blocks[0]);
    uint32_t count = piece->numbers.count;
    const Type **types = ARENA_ARRAY(f->arena, const Type *, count + 1);
    Value **values = ARENA_ARRAY(f->arena, Value *, count + 1);
    for (uint32_t i = 0; i < count; i++) types[i] = old->results[piece->numbers.at[i]]->type;
    Node *kernel =
        node_new(f->graph, OP_kernel, 0, NULL, old->attr_count, old->attrs, count, types, old->loc);
    Block *body = block_new(f->graph, f->block->function, kernel);
    node_add_block(kernel, body);
    Map *map = map_new(f->arena);
    for (uint32_t i = 0; i < count; i++) {
        Value *result = old->results[piece->numbers.at[i]], *inside = yield->operands[piece->numbers.at[i]];
        copy_needed(piece, body, inside, map);
        values[i] = value_mapped(map, inside);
        kernel->results[i]->name = result->name;
        value_replace(result, kernel->results[i]);
    }
    node_append(body, node_new(f->graph, OP_yield, count, values, 0, NULL, 0, NULL, old->loc));
    return kernel;
}

void fuse_separate(Fuse *f, Node *kernel, FuseKernels *out) {
    const Node *yield = block_yield(kernel->blocks[0]);
    bool loop = strcmp(node_str(kernel, ATTR_kind), "loop") == 0 && yield->operand_count > 1;
    if (!loop || concat_common(f->ir, yield->operands, yield->operand_count, kernel->blocks[0])) {
        vec_push(f->arena, out, kernel);
        return;
    }
    VEC(Piece) pieces = {0};
    for (uint32_t i = 0; i < yield->operand_count; i++) {
        uint32_t k = 0;
        while (k < pieces.count && !has_common(f, kernel, &pieces.at[k], i)) k++;
        if (k == pieces.count) vec_push(f->arena, &pieces, ((Piece){.f = f, .kernel = kernel}));
        vec_push(f->arena, &pieces.at[k].numbers, i);
    }
    for (uint32_t k = 0; k < pieces.count; k++) vec_push(f->arena, out, kernel_of(&pieces.at[k]));
}
