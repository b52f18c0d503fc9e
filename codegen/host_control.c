/* if, for and while as basic blocks. Carried scalars live in the slots of the loop's parameters; carried
 * tensors lie in one place by plan, so nothing is done for them. */
#include "codegen/host.h"

static LLVMBasicBlockRef new_block(Emit *e, const char *name) {
    return LLVMAppendBasicBlockInContext(e->llvm, LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->builder)),
                                         name);
}

static void start_block(Emit *e, LLVMBasicBlockRef block) {
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
    LLVMBasicBlockRef then = new_block(e, "then"), otherwise = new_block(e, "else"),
                      after = new_block(e, "endif");
    LLVMBuildCondBr(e->builder, emit_scalar(e, node->operands[0]), then, otherwise);
    start_block(e, then);
    block_into(e, node->blocks[0], node->results);
    LLVMBuildBr(e->builder, after);
    start_block(e, otherwise);
    block_into(e, node->blocks[1], node->results);
    LLVMBuildBr(e->builder, after);
    start_block(e, after);
}

static void for_body(Emit *e, LLVMValueRef index, void *user) {
    const Block *body = ((Node *)user)->blocks[0];
    emit_define(e, body->params.at[0], index);
    block_into(e, body, body->params.at + 1);
}

void host_for(Emit *e, Node *node) {
    const Block *body = node->blocks[0];
    LLVMValueRef lo = emit_scalar(e, node->operands[0]), hi = emit_scalar(e, node->operands[1]);
    host_assign(e, node->result_count, body->params.at + 1, node->operands + 2);
    emit_loop(e, lo, hi, 1, "for", for_body, node);
    debug_at(e, node->loc);
    host_assign(e, node->result_count, node->results, body->params.at + 1);
}

void host_while(Emit *e, Node *node) {
    const Block *test = node->blocks[0], *body = node->blocks[1];
    uint32_t count = node->result_count;
    LLVMBasicBlockRef head = new_block(e, "while"), inside = new_block(e, "do"), after = new_block(e, "done");
    host_assign(e, count, test->params.at, node->operands);
    LLVMBuildBr(e->builder, head);
    start_block(e, head);
    host_block(e, test);
    LLVMBuildCondBr(e->builder, emit_scalar(e, block_yield(test)->operands[0]), inside, after);
    start_block(e, inside);
    host_assign(e, count, body->params.at, test->params.at);
    block_into(e, body, test->params.at);
    LLVMBuildBr(e->builder, head);
    start_block(e, after);
    debug_at(e, node->loc);
    host_assign(e, count, node->results, test->params.at);
}
