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

/* --- texts that a loop's passes make */
static void note_text(void *user, Node *node) {
    if (node->op == OP_format || node->op == OP_bytes_text) *(bool *)user = true;
}

static bool makes_texts(const Node *loop) {
    bool any = false;
    for (uint32_t i = 0; i < loop->block_count; i++) block_walk(loop->blocks[i], note_text, &any);
    return any;
}

void host_mark_texts(Emit *e, const Node *loop) {
    LLVMValueRef slot = map_get(e->text_marks, loop);
    if (slot) LLVMBuildStore(e->builder, emit_runtime_call(e, "nn_texts", 1, &e->rt), slot);
}

static void enter_loop(Emit *e, const Node *loop) {
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->llvm);
    if (makes_texts(loop)) map_put(e->text_marks, loop, emit_alloca(e, i64, "texts"));
    host_mark_texts(e, loop);
}

/* At the end of a pass, whose texts are freed but for what it hands on. */
static void release_texts(Emit *e, const Node *loop, uint32_t count, Value *const *carried) {
    LLVMValueRef slot = map_get(e->text_marks, loop);
    if (!slot) return;
    LLVMValueRef first = LLVMBuildLoad2(e->builder, LLVMInt64TypeInContext(e->llvm), slot, "");
    LLVMTypeRef pointer = host_pointer_type(e);
    uint32_t texts = 0, at = 0;
    for (uint32_t i = 0; i < count; i++) texts += carried[i]->type->dtype == DTYPE_str;
    LLVMValueRef used = host_array(e, pointer, texts, "used");
    for (uint32_t i = 0; i < count; i++)
        if (carried[i]->type->dtype == DTYPE_str)
            host_store_at(e, used, pointer, at++, emit_scalar(e, carried[i]));
    emit_runtime_call(e, "nn_texts_release", 4, (LLVMValueRef[]){e->rt, first, host_i32(e, texts), used});
}

/* The index is in the slot of the body's first parameter. */
void host_for(Emit *e, Node *node) {
    const Block *body = node->blocks[0];
    Value *index = body->params.at[0];
    LLVMBasicBlockRef head = host_new_block(e, "for"), inside = host_new_block(e, "do"),
                      after = host_new_block(e, "done");
    emit_define(e, index, emit_scalar(e, node->operands[0]));
    host_assign(e, node->result_count, body->params.at + 1, node->operands + 2);
    enter_loop(e, node);
    LLVMBuildBr(e->builder, head);
    host_start_block(e, head);
    LLVMValueRef goes_on =
        LLVMBuildICmp(e->builder, LLVMIntSLT, emit_scalar(e, index), emit_scalar(e, node->operands[1]), "");
    LLVMBuildCondBr(e->builder, goes_on, inside, after);
    host_start_block(e, inside);
    block_into(e, body, body->params.at + 1);
    release_texts(e, node, node->result_count, body->params.at + 1);
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
    enter_loop(e, node);
    LLVMBuildBr(e->builder, head);
    host_start_block(e, head);
    host_block(e, test);
    LLVMBuildCondBr(e->builder, emit_scalar(e, block_yield(test)->operands[0]), inside, after);
    host_start_block(e, inside);
    host_assign(e, count, body->params.at, test->params.at);
    block_into(e, body, test->params.at);
    release_texts(e, node, count, test->params.at);
    LLVMBuildBr(e->builder, head);
    host_start_block(e, after);
    debug_at(e, node->loc);
    host_assign(e, count, node->results, test->params.at);
}
