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

const Type *concat_part_of(IrContext *ir, const Value *value, const Block *block, const Dim *elements) {
    if (type_elements(ir, value->type) == elements) return value->type;
    if (!is_even(value, block)) return NULL;
    Value *const *operand = value->node->operands;
    const Type *part = concat_part_of(ir, operand[0], block, elements);
    for (uint32_t i = 1; i < value->node->operand_count; i++)
        if (concat_part_of(ir, operand[i], block, elements) != part) return NULL;
    return part;
}

const Dim *concat_common(IrContext *ir, Value *const *values, uint32_t count, const Block *block) {
    for (uint32_t i = 0; i < count; i++) {
        const Dim *elements = type_elements(ir, concat_part(values[i], block));
        uint32_t k = 0;
        while (elements && k < count && concat_part_of(ir, values[k], block, elements)) k++;
        if (elements && k == count) return elements;
    }
    return NULL;
}
