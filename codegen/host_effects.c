/* Effects as calls of the runtime. Tensors are described by arrays of nn_tensor on the stack, in the
 * function's entry, so that loops don't grow it; each call makes its own from a constant pattern. */
#include "codegen/host.h"
#include "codegen/launch.h"
#include <assert.h>
#include <string.h>

/* Members of nn_tensor, in order. */
enum { TENSOR_NAME, TENSOR_DIMS, TENSOR_DATA, TENSOR_DTYPE, TENSOR_RANK };

LLVMTypeRef host_tensor_type(Emit *e) {
    LLVMTypeRef pointer = host_pointer_type(e), i32 = LLVMInt32TypeInContext(e->llvm);
    return LLVMStructTypeInContext(e->llvm, (LLVMTypeRef[]){pointer, pointer, pointer, i32, i32}, 5, false);
}

void host_store_at(Emit *e, LLVMValueRef array, LLVMTypeRef type, uint32_t index, LLVMValueRef value) {
    LLVMValueRef at = emit_i64(e, index);
    LLVMBuildStore(e->builder, value, LLVMBuildInBoundsGEP2(e->builder, type, array, &at, 1, ""));
}

LLVMValueRef host_array(Emit *e, LLVMTypeRef type, uint32_t count, const char *name) {
    if (count == 0) return LLVMConstNull(host_pointer_type(e));
    return emit_alloca(e, LLVMArrayType2(type, count), name);
}

static bool has_constant_dims(const Type *type) {
    for (uint32_t i = 0; i < type->rank; i++)
        if (!dim_is_const(type->dims[i], NULL)) return false;
    return true;
}

/* A pointer to the dimensions: a constant where all are. */
static LLVMValueRef dims_of(Emit *e, const Type *type) {
    if (type->rank == 0) return LLVMConstNull(host_pointer_type(e));
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->llvm);
    LLVMValueRef dims[MAX_RANK];
    for (uint32_t i = 0; i < type->rank; i++) dims[i] = emit_dim(e, type->dims[i]);
    if (has_constant_dims(type)) return host_constant(e, LLVMConstArray2(i64, dims, type->rank), "dims");
    LLVMValueRef array = host_array(e, i64, type->rank, "dims");
    for (uint32_t i = 0; i < type->rank; i++) host_store_at(e, array, i64, i, dims[i]);
    return array;
}

static void store_member(Emit *e, LLVMValueRef array, uint32_t index, uint32_t member, LLVMValueRef value) {
    LLVMValueRef path[] = {emit_i64(e, index), host_i32(e, member)};
    LLVMBuildStore(e->builder, value,
                   LLVMBuildInBoundsGEP2(e->builder, host_tensor_type(e), array, path, 2, ""));
}

void host_store_tensor(Emit *e, LLVMValueRef array, uint32_t index, const char *name, const Type *type,
                       LLVMValueRef data) {
    LLVMValueRef members[5] = {[TENSOR_NAME] = host_text(e, name),
                               [TENSOR_DIMS] = dims_of(e, type),
                               [TENSOR_DATA] = data,
                               [TENSOR_DTYPE] = host_i32(e, (int64_t)type->dtype),
                               [TENSOR_RANK] = host_i32(e, type->rank)};
    for (uint32_t i = 0; i < 5; i++) store_member(e, array, index, i, members[i]);
}

LLVMValueRef host_tensors(Emit *e, uint32_t first, uint32_t count, Value *const *values,
                          const char *const *names) {
    LLVMTypeRef record = host_tensor_type(e);
    LLVMValueRef array = host_array(e, record, first + count, "tensors");
    if (count == 0) return array;
    LLVMValueRef from = emit_i64(e, first);
    launch_describe(e, LLVMBuildInBoundsGEP2(e->builder, record, array, &from, 1, ""), count, values, names);
    for (uint32_t i = 0; i < count; i++)
        if (!has_constant_dims(values[i]->type))
            store_member(e, array, first + i, TENSOR_DIMS, dims_of(e, values[i]->type));
    return array;
}

/* An array of nn_tensor for the values, named by `names` (or not, where that is NULL). */
static LLVMValueRef tensors(Emit *e, uint32_t count, Value *const *values, const Attr *names) {
    assert(!names || names->count == count);
    return host_tensors(e, 0, count, values, names ? names->strs : NULL);
}

/* nn_print, nn_write and nn_format take a template and its arguments. */
static LLVMValueRef call_with_text(Emit *e, const char *function, const Node *node) {
    return emit_runtime_call(e, function, 4,
                             (LLVMValueRef[]){e->rt, host_text(e, node_str(node, ATTR_text)),
                                              host_i32(e, node->operand_count),
                                              tensors(e, node->operand_count, node->operands, NULL)});
}

void host_print(Emit *e, Node *node) { call_with_text(e, "nn_print", node); }
void host_write(Emit *e, Node *node) { call_with_text(e, "nn_write", node); }
void host_format(Emit *e, Node *node) {
    emit_define(e, node->results[0], call_with_text(e, "nn_format", node));
}

/* --- bytes of texts */
void host_text_len(Emit *e, Node *node) {
    LLVMValueRef text = emit_scalar(e, node->operands[0]);
    emit_define(e, node->results[0], emit_runtime_call(e, "nn_text_len", 1, &text));
}

void host_text_equal(Emit *e, Node *node) {
    LLVMValueRef texts[2] = {emit_scalar(e, node->operands[0]), emit_scalar(e, node->operands[1])};
    LLVMValueRef same = emit_runtime_call(e, "nn_text_equal", 2, texts);
    emit_define(e, node->results[0], LLVMBuildICmp(e->builder, LLVMIntNE, same, host_i32(e, 0), ""));
}

void host_text_bytes(Emit *e, Node *node) {
    emit_runtime_call(e, "nn_text_bytes", 2,
                      (LLVMValueRef[]){emit_scalar(e, node->operands[0]), emit_pointer(e, node->results[0])});
}

void host_bytes_text(Emit *e, Node *node) {
    Value *bytes = node->operands[0];
    LLVMValueRef count = emit_dim(e, type_elements(e->ir, bytes->type));
    emit_define(
        e, node->results[0],
        emit_runtime_call(e, "nn_bytes_text", 3, (LLVMValueRef[]){e->rt, emit_pointer(e, bytes), count}));
}

void host_mark_unlikely(Emit *e, LLVMValueRef branch) {
    LLVMMetadataRef weights[] = {LLVMMDStringInContext2(e->llvm, "branch_weights", strlen("branch_weights")),
                                 LLVMValueAsMetadata(host_i32(e, 1)),
                                 LLVMValueAsMetadata(host_i32(e, INT32_MAX))};
    LLVMMetadataRef list = LLVMMDNodeInContext2(e->llvm, weights, 3);
    LLVMSetMetadata(branch, LLVMGetMDKindIDInContext(e->llvm, "prof", 4), LLVMMetadataAsValue(e->llvm, list));
}

void host_require(Emit *e, LLVMValueRef ok, const Node *node, const char *text, uint32_t count,
                  Value *const *args) {
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->builder));
    LLVMBasicBlockRef failed = LLVMAppendBasicBlockInContext(e->llvm, function, "failed");
    LLVMBasicBlockRef passed = LLVMAppendBasicBlockInContext(e->llvm, function, "passed");
    LLVMValueRef wrong = LLVMBuildNot(e->builder, ok, "");
    host_mark_unlikely(e, LLVMBuildCondBr(e->builder, wrong, failed, passed));
    LLVMPositionBuilderAtEnd(e->builder, failed);
    emit_runtime_call(e, "nn_fail", 5,
                      (LLVMValueRef[]){e->rt, host_loc(e, node->loc), host_text(e, text), host_i32(e, count),
                                       tensors(e, count, args, NULL)});
    LLVMBuildUnreachable(e->builder);
    LLVMPositionBuilderAtEnd(e->builder, passed);
}

void host_check(Emit *e, Node *node) {
    if (launch_can_check(node))
        launch_check(e, node);
    else
        host_require(e, emit_scalar(e, node->operands[0]), node, node_str(node, ATTR_text),
                     node->operand_count - 1, node->operands + 1);
}

void host_report(Emit *e, Node *node) {
    emit_runtime_call(
        e, "nn_report", 4,
        (LLVMValueRef[]){e->rt, host_loc(e, node->loc), host_i32(e, node->operand_count),
                         tensors(e, node->operand_count, node->operands, node_attr(node, ATTR_names))});
}

void host_progress(Emit *e, Node *node) {
    const char *phase = node_str(node, ATTR_phase);
    if (strcmp(phase, "begin") == 0)
        emit_runtime_call(e, "nn_progress_begin", 2,
                          (LLVMValueRef[]){e->rt, emit_scalar(e, node->operands[0])});
    else
        emit_runtime_call(e, strcmp(phase, "step") == 0 ? "nn_progress_step" : "nn_progress_end", 1, &e->rt);
}

static void call_with_file(Emit *e, const char *function, const Node *node, uint32_t count,
                           Value *const *values) {
    emit_runtime_call(e, function, 5,
                      (LLVMValueRef[]){e->rt, host_loc(e, node->loc), emit_scalar(e, node->operands[0]),
                                       host_i32(e, count),
                                       tensors(e, count, values, node_attr(node, ATTR_names))});
}

void host_save(Emit *e, Node *node) {
    call_with_file(e, "nn_save", node, node->operand_count - 1, node->operands + 1);
}

void host_load(Emit *e, Node *node) { call_with_file(e, "nn_load", node, node->result_count, node->results); }

/* --- datasets */
void host_data_open(Emit *e, Node *node) {
    LLVMTypeRef pointer = host_pointer_type(e);
    const Attr *columns = node_attr(node, ATTR_types);
    LLVMValueRef paths = host_array(e, pointer, node->operand_count, "paths");
    for (uint32_t i = 0; i < node->operand_count; i++)
        host_store_at(e, paths, pointer, i, emit_scalar(e, node->operands[i]));
    LLVMValueRef array = host_array(e, host_tensor_type(e), columns->count, "columns");
    for (uint32_t i = 0; i < columns->count; i++)
        host_store_tensor(e, array, i, NULL, columns->types[i], LLVMConstNull(pointer));
    emit_define(e, node->results[0],
                emit_runtime_call(e, "nn_data_open", 7,
                                  (LLVMValueRef[]){e->rt, host_loc(e, node->loc),
                                                   host_text(e, node_str(node, ATTR_format)),
                                                   host_i32(e, node->operand_count), paths,
                                                   host_i32(e, columns->count), array}));
}

/* The functions that take handles and numbers only: (rt, operands…). */
static void call_with_scalars(Emit *e, const char *function, const Node *node) {
    LLVMValueRef arguments[5] = {e->rt};
    assert(node->operand_count < 5);
    for (uint32_t i = 0; i < node->operand_count; i++) arguments[i + 1] = emit_scalar(e, node->operands[i]);
    emit_define(e, node->results[0], emit_runtime_call(e, function, node->operand_count + 1, arguments));
}

void host_data_len(Emit *e, Node *node) { call_with_scalars(e, "nn_data_len", node); }
void host_data_shuffle(Emit *e, Node *node) { call_with_scalars(e, "nn_data_shuffle", node); }
void host_data_take(Emit *e, Node *node) { call_with_scalars(e, "nn_data_take", node); }
void host_data_windows(Emit *e, Node *node) { call_with_scalars(e, "nn_data_windows", node); }
void host_data_sample(Emit *e, Node *node) { call_with_scalars(e, "nn_data_sample", node); }
void host_data_repeat(Emit *e, Node *node) { call_with_scalars(e, "nn_data_repeat", node); }

void host_data_read(Emit *e, Node *node) {
    LLVMTypeRef pointer = host_pointer_type(e);
    LLVMValueRef columns = host_array(e, pointer, node->result_count, "columns");
    for (uint32_t i = 0; i < node->result_count; i++)
        host_store_at(e, columns, pointer, i, emit_pointer(e, node->results[i]));
    LLVMValueRef samples = emit_dim(e, node->results[0]->type->dims[0]);
    emit_runtime_call(e, "nn_data_read", 6,
                      (LLVMValueRef[]){e->rt, host_loc(e, node->loc), emit_scalar(e, node->operands[0]),
                                       emit_scalar(e, node->operands[1]), samples, columns});
}
