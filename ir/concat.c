/* Concatenations of equal parts. */
#include "ir/concat.h"

static bool is_even(const Value *value, const Block *block) {
    const Node *node = value->node;
    if (!node || (block && value->block != block) || node->op != OP_concat || node->operand_count < 2)
        return false;
    for (uint32_t i = 1; i < node->operand_count; i++)
        if (node->operands[i]->type != node->operands[0]->type) return false;
    return true;
}

const Type *concat_part(const Value *value, const Block *block) {
    if (!is_even(value, block)) return value->type;
    Value *const *operand = value->node->operands;
    const Type *part = concat_part(operand[0], block);
    for (uint32_t i = 1; i < value->node->operand_count; i++)
        if (concat_part(operand[i], block) != part) return operand[0]->type;
    return part;
}
