/* if, for and while as basic blocks. Carried scalars live in the slots of the loop's parameters; carried
 * tensors lie in one place by plan, so nothing is done for them. */
#include "codegen/host.h"

LLVMBasicBlockRef host_new_block(Emit *e, const char *name) {
    return LLVMAppendBasicBlockInContext(e->llvm, LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->builder)),
                                         name);
}

void host_start_block(Emit *e, LLVMBasicBlockRef block) {
    LLVMMoveBasicBlockAfter(block, LLVMGetInsertBlock(e->builder));
    LLVMPositionBuilderAtEnd(e->builder, block);
}

/* A block and the assignment of what it yields. */
static void block_into(Emit *e, const Block *block, Value *const *to) {
    host_block(e, block);
    const Node *yield = block_yield(block);
    host_assign(e, yield->operand_count, to, yield->operands);
}

void host_if(Emit *e, Node *node) {
    LLVMBasicBlockRef then = host_new_block(e, "then"), otherwise = host_new_block(e, "else"),
                      after = host_new_block(e, "endif");
    LLVMBuildCondBr(e->builder, emit_scalar(e, node->operands[0]), then, otherwise);
    host_start_block(e, then);
    block_into(e, node->blocks[0], node->results);
    LLVMBuildBr(e->builder, after);
    host_start_block(e, otherwise);
    bool cold = e->cold;
    e->cold |= node_attr(node, ATTR_cold) != NULL;
    block_into(e, node->blocks[1], node->results);
    e->cold = cold;
    LLVMBuildBr(e->builder, after);
    host_start_block(e, after);
}

/* The index is in the slot of the body's first parameter. */
void host_for(Emit *e, Node *node) {
    const Block *body = node->blocks[0];
    Value *index = body->params.at[0];
    LLVMBasicBlockRef head = host_new_block(e, "for"), inside = host_new_block(e, "do"),
                      after = host_new_block(e, "done");
    emit_define(e, index, emit_scalar(e, node->operands[0]));
    host_assign(e, node->result_count, body->params.at + 1, node->operands + 2);
    LLVMBuildBr(e->builder, head);
    host_start_block(e, head);
    LLVMValueRef goes_on =
        LLVMBuildICmp(e->builder, LLVMIntSLT, emit_scalar(e, index), emit_scalar(e, node->operands[1]), "");
    LLVMBuildCondBr(e->builder, goes_on, inside, after);
    host_start_block(e, inside);
    block_into(e, body, body->params.at + 1);
    emit_define(e, index, LLVMBuildNSWAdd(e->builder, emit_scalar(e, index), emit_i64(e, 1), ""));
    LLVMBuildBr(e->builder, head);
    host_start_block(e, after);
    debug_at(e, node->loc);
    host_assign(e, node->result_count, node->results, body->params.at + 1);
}

void host_while(Emit *e, Node *node) {
    const Block *test = node->blocks[0], *body = node->blocks[1];
    uint32_t count = node->result_count;
    LLVMBasicBlockRef head = host_new_block(e, "while"), inside = host_new_block(e, "do"),
                      after = host_new_block(e, "done");
    host_assign(e, count, test->params.at, node->operands);
    LLVMBuildBr(e->builder, head);
    host_start_block(e, head);
    host_block(e, test);
    LLVMBuildCondBr(e->builder, emit_scalar(e, block_yield(test)->operands[0]), inside, after);
    host_start_block(e, inside);
    host_assign(e, count, body->params.at, test->params.at);
    block_into(e, body, test->params.at);
    LLVMBuildBr(e->builder, head);
    host_start_block(e, after);
    debug_at(e, node->loc);
    host_assign(e, count, node->results, test->params.at);
}
