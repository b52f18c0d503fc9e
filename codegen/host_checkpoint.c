/* Checkpoints, and resuming as a jump: a command that has some begins with a switch on what nn_resume says,
 * and each checkpoint has a block that restores what lives on there and goes on behind it. */
#include "codegen/host.h"

void host_resume(Emit *e, Node *node) {
    LLVMTypeRef pointer = host_pointer_type(e);
    LLVMValueRef paths = host_array(e, pointer, node->operand_count, "paths");
    for (uint32_t i = 0; i < node->operand_count; i++)
        host_store_at(e, paths, pointer, i, emit_scalar(e, node->operands[i]));
    LLVMValueRef site =
        emit_runtime_call(e, "nn_resume", 5,
                          (LLVMValueRef[]){e->rt, host_text(e, node_str(node, ATTR_text)),
                                           host_i32(e, (int64_t)node_attr(node, ATTR_dtype)->dtype),
                                           host_i32(e, node->operand_count), paths});
    LLVMBasicBlockRef afresh = host_new_block(e, "afresh");
    e->resume = LLVMBuildSwitch(e->builder, site, afresh, node->operand_count);
    host_start_block(e, afresh);
}

/* --- run-time sizes: the first tensor, where there are any */
static const Type *sizes_type(Emit *e, const Attr *symbols) {
    const Dim *count = dim_const(e->ir, symbols->count);
    return type_tensor(e->ir, DTYPE_i64, 1, &count);
}

/* How many tensors are saved. */
static uint32_t tensor_count(const Node *node) {
    return (node_attr(node, ATTR_dims)->count > 0) + node_attr(node, ATTR_names)->count;
}

static void describe_sizes(Emit *e, LLVMValueRef tensors, const Attr *symbols, LLVMValueRef sizes) {
    host_store_tensor(e, tensors, 0, "sizes", sizes_type(e, symbols), sizes);
}

static LLVMValueRef sizes_array(Emit *e, const Attr *symbols) {
    return host_array(e, LLVMInt64TypeInContext(e->llvm), symbols->count, "sizes");
}

/* --- saving */
/* What is saved: the sizes, then what lives on. */
static LLVMValueRef state_of(Emit *e, const Node *node, LLVMValueRef sizes) {
    const Attr *names = node_attr(node, ATTR_names);
    uint32_t first = tensor_count(node) - names->count;
    LLVMValueRef tensors = host_tensors(e, first, names->count, node->operands + 3, names->strs);
    if (first) describe_sizes(e, tensors, node_attr(node, ATTR_dims), sizes);
    return tensors;
}

static void save(Emit *e, const Node *node) {
    const Attr *symbols = node_attr(node, ATTR_dims);
    LLVMValueRef sizes = sizes_array(e, symbols);
    for (uint32_t i = 0; i < symbols->count; i++)
        host_store_at(e, sizes, LLVMInt64TypeInContext(e->llvm), i, emit_dim(e, symbols->dims[i]));
    emit_runtime_call(e, "nn_checkpoint_save", 7,
                      (LLVMValueRef[]){e->rt, host_loc(e, node->loc), host_i32(e, node_int(node, ATTR_site)),
                                       emit_scalar(e, node->operands[0]), emit_scalar(e, node->operands[2]),
                                       host_i32(e, tensor_count(node)), state_of(e, node, sizes)});
}

/* --- restoring */
static void load(Emit *e, uint32_t count, LLVMValueRef tensors) {
    emit_runtime_call(e, "nn_resume_load", 3, (LLVMValueRef[]){e->rt, host_i32(e, count), tensors});
}

static void restore_sizes(Emit *e, const Attr *symbols) {
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->llvm);
    LLVMValueRef sizes = sizes_array(e, symbols), tensors = host_array(e, host_tensor_type(e), 1, "state");
    describe_sizes(e, tensors, symbols, sizes);
    load(e, 1, tensors);
    for (uint32_t i = 0; i < symbols->count; i++) {
        LLVMValueRef at = emit_i64(e, i);
        LLVMValueRef place = LLVMBuildInBoundsGEP2(e->builder, i64, sizes, &at, 1, "");
        host_set_symbol(e, symbols->dims[i], LLVMBuildLoad2(e->builder, i64, place, ""));
    }
}

/* Evaluates what is given and opens the arenas, in the blocks around `at`, the outermost first. */
static void prepare(Emit *e, const Node *at) {
    if (at->block->owner) prepare(e, at->block->owner);
    for (Node *node = at->block->first; node != at; node = node->next)
        if (node->op == OP_frame || op_has(node->op, TRAIT_GIVEN)) host_node(e, node);
    host_mark_texts(e, at);
}

static void restore(Emit *e, const Node *node) {
    const Attr *symbols = node_attr(node, ATTR_dims);
    if (symbols->count) restore_sizes(e, symbols);
    prepare(e, node);
    load(e, tensor_count(node), state_of(e, node, sizes_array(e, symbols)));
    emit_runtime_call(e, "nn_resume_done", 1, &e->rt);
}

void host_checkpoint(Emit *e, Node *node) {
    LLVMBasicBlockRef saving = host_new_block(e, "save"), resumed = host_new_block(e, "resume"),
                      after = host_new_block(e, "saved");
    LLVMValueRef due = emit_runtime_call(
        e, "nn_checkpoint", 5,
        (LLVMValueRef[]){e->rt, host_loc(e, node->loc), host_i32(e, node_int(node, ATTR_counter)),
                         emit_scalar(e, node->operands[1]), emit_scalar(e, node->operands[2])});
    due = LLVMBuildICmp(e->builder, LLVMIntNE, due, host_i32(e, 0), "");
    host_mark_unlikely(e, LLVMBuildCondBr(e->builder, due, saving, after));
    host_start_block(e, saving);
    save(e, node);
    LLVMBuildBr(e->builder, after);
    host_start_block(e, resumed);
    LLVMAddCase(e->resume, host_i32(e, node_int(node, ATTR_site)), resumed);
    restore(e, node);
    LLVMBuildBr(e->builder, after);
    host_start_block(e, after);
}
