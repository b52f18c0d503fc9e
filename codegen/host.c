/* Commands as functions, and the nodes outside kernels that compute or move values. A value of rank 0 is a
 * stack slot in its memory type, which LLVM keeps in a register unless a kernel or the runtime is given its
 * address; a tensor is an arena's pointer plus the offset that plan chose. Sizes and the pointers of arenas
 * are in stack slots too, so that a command can be entered behind a checkpoint. */
#include "codegen/host.h"
#include "codegen/launch.h"
#include "support/vec.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* --- values */
static LLVMValueRef slot_of(Emit *e, const Value *value) {
    LLVMValueRef slot = map_get(e->values, value);
    if (slot) return slot;
    slot = launch_scalar(e, value);
    if (!slot) slot = emit_alloca(e, emit_memory_type(e, value->type->dtype), value->name ? value->name : "");
    map_put(e->values, value, slot);
    return slot;
}

LLVMValueRef emit_scalar(Emit *e, const Value *value) {
    assert(value->type->rank == 0);
    return emit_load(e, value->type->dtype, slot_of(e, value), 1);
}

void emit_define(Emit *e, const Value *value, LLVMValueRef scalar) {
    assert(value->type->rank == 0);
    emit_store(e, value->type->dtype, scalar, slot_of(e, value), 1);
}

LLVMValueRef emit_pointer(Emit *e, Value *value) {
    if (value->type->rank == 0) return slot_of(e, value);
    LLVMValueRef given = map_get(e->values, value);
    if (given) return given;
    assert(value->place.frame >= 0 && "plan has placed the tensor");
    LLVMValueRef base =
        LLVMBuildLoad2(e->builder, host_pointer_type(e), launch_arena(e, value->place.frame), "");
    if (dim_is(value->place.offset, 0)) return base;
    LLVMValueRef offset = emit_dim(e, value->place.offset);
    return LLVMBuildInBoundsGEP2(e->builder, LLVMInt8TypeInContext(e->llvm), base, &offset, 1, "");
}

/* --- moving */
static bool same_place(const Value *a, const Value *b) {
    return a->place.frame >= 0 && a->place.frame == b->place.frame && a->place.offset == b->place.offset;
}

/* Copies a tensor's bytes unless both lie in the same place. */
static void copy_tensor(Emit *e, Value *to, Value *from) {
    if (same_place(to, from)) return;
    DType dtype = from->type->dtype;
    LLVMValueRef bytes = LLVMBuildMul(e->builder, emit_dim(e, type_elements(e->ir, from->type)),
                                      emit_i64(e, dtype_bytes(dtype)), "");
    launch_copy(e, to, from, bytes);
}

void host_assign(Emit *e, uint32_t count, Value *const *to, Value *const *from) {
    LLVMValueRef *scalars = ARENA_ARRAY(e->arena, LLVMValueRef, count);
    for (uint32_t i = 0; i < count; i++)
        if (from[i]->type->rank == 0) scalars[i] = emit_scalar(e, from[i]);
    for (uint32_t i = 0; i < count; i++) {
        if (to[i]->type->rank == 0)
            emit_define(e, to[i], scalars[i]);
        else
            assert(same_place(to[i], from[i]) && "plan has put carried tensors into one place");
    }
}

/* --- nodes */
static bool moves_scalar(const Node *node) {
    return node->results[0]->type->rank == 0 && node->operands[0]->type->rank == 0;
}

static void host_move(Emit *e, Node *node) {
    Value *to = node->results[0], *from = node->operands[0];
    if (moves_scalar(node))
        host_assign(e, 1, &to, &from);
    else
        copy_tensor(e, to, from);
}

static LLVMValueRef constant_of(Emit *e, const Node *node, DType dtype) {
    LLVMTypeRef type = emit_register_type(e, dtype);
    if (dtype == DTYPE_str) return host_text(e, node_str(node, ATTR_text));
    if (dtype_is_float(dtype)) return LLVMConstReal(type, node_attr(node, ATTR_value)->number);
    return LLVMConstInt(type, (unsigned long long)node_int(node, ATTR_ivalue), true);
}

static void host_const(Emit *e, Node *node) {
    emit_define(e, node->results[0], constant_of(e, node, node->results[0]->type->dtype));
}

static void host_size(Emit *e, Node *node) {
    emit_define(e, node->results[0], emit_dim(e, node_dim(node, ATTR_dim)));
}

void host_set_symbol(Emit *e, const Dim *symbol, LLVMValueRef value) {
    LLVMValueRef slot = launch_symbol(e, symbol);
    map_put(e->dims->symbols, symbol, slot);
    LLVMBuildStore(e->builder, value, slot);
}

static void host_symbol(Emit *e, Node *node) {
    Value *size = node->operands[0];
    LLVMValueRef count = emit_scalar(e, size);
    if (!size->node || size->node->op != OP_size)
        host_require(e, LLVMBuildICmp(e->builder, LLVMIntSGE, count, emit_i64(e, 0), ""), node,
                     "a size is negative: {}", 1, &size);
    host_set_symbol(e, node_dim(node, ATTR_dim), count);
}

static void host_seed(Emit *e, Node *node) {
    emit_define(e, node->results[0], emit_runtime_call(e, "nn_seed", 1, &e->rt));
}

static void host_frame(Emit *e, Node *node) {
    int64_t frame = node_int(node, ATTR_frame);
    const Dim *dim = node_dim(node, ATTR_dim);
    LLVMValueRef bytes = emit_dim(e, dim), none = emit_i64(e, 0);
    if (dim_may_be_negative(dim)) /* of tensors that this run never gets to */
        bytes = LLVMBuildSelect(e->builder, LLVMBuildICmp(e->builder, LLVMIntSLT, bytes, none, ""), none,
                                bytes, "");
    LLVMValueRef storage =
        emit_runtime_call(e, "nn_frame", 3, (LLVMValueRef[]){e->rt, host_i32(e, frame), bytes});
    LLVMBuildStore(e->builder, storage, launch_arena(e, frame));
    launch_opened(e, frame);
}

static void host_elementwise(Emit *e, Node *node) {
    LLVMValueRef operands[3];
    assert(node->operand_count <= 3);
    for (uint32_t i = 0; i < node->operand_count; i++) operands[i] = emit_scalar(e, node->operands[i]);
    emit_define(e, node->results[0], emit_elementwise(e, node, operands));
}

/* What is neither here nor elementwise only occurs in kernels. */
static HostNode *const host_nodes[OP_COUNT] = {
    [OP_const] = host_const,
    [OP_size] = host_size,
    [OP_symbol] = host_symbol,
    [OP_seed] = host_seed,
    [OP_reshape] = host_move,
    [OP_copy] = host_move,
    [OP_frame] = host_frame,
    [OP_kernel] = emit_kernel_call,
    [OP_if] = host_if,
    [OP_for] = host_for,
    [OP_while] = host_while,
    [OP_print] = host_print,
    [OP_write] = host_write,
    [OP_format] = host_format,
    [OP_text_len] = host_text_len,
    [OP_text_equal] = host_text_equal,
    [OP_text_bytes] = host_text_bytes,
    [OP_bytes_text] = host_bytes_text,
    [OP_check] = host_check,
    [OP_report] = host_report,
    [OP_progress] = host_progress,
    [OP_save] = host_save,
    [OP_load] = host_load,
    [OP_resume] = host_resume,
    [OP_checkpoint] = host_checkpoint,
    [OP_data_open] = host_data_open,
    [OP_data_len] = host_data_len,
    [OP_data_shuffle] = host_data_shuffle,
    [OP_data_take] = host_data_take,
    [OP_data_windows] = host_data_windows,
    [OP_data_sample] = host_data_sample,
    [OP_data_repeat] = host_data_repeat,
    [OP_data_read] = host_data_read,
};

static HostNode *emitter_of(const Node *node) {
    HostNode *emitter = host_nodes[node->op];
    return emitter || !op_has(node->op, TRAIT_ELEMENTWISE) ? emitter : host_elementwise;
}

/* May what waits in the launch still wait? Such a node waits, too, or only defines a scalar by itself. */
static bool may_wait(const Node *node) {
    switch ((int)node->op) {
    case OP_kernel:
    case OP_const:
    case OP_size: return true;
    case OP_copy:
    case OP_reshape: return !moves_scalar(node);
    case OP_check: return launch_can_check(node);
    default: return false;
    }
}

void host_node(Emit *e, Node *node) {
    HostNode *emitter = emitter_of(node);
    if (!emitter) {
        fprintf(stderr, "nnc: bug: %s outside a kernel reached the code generator\n", op_name(node->op));
        abort();
    }
    debug_at(e, node->loc);
    e->dims->node = node;
    if (!may_wait(node)) launch_flush(e);
    emitter(e, node);
}

/* Arithmetic of scalars that is put off, lest it divide kernels that don't need it: a norm of all gradients
 * is a sum of many, and each is a kernel's. */
typedef struct {
    VEC(Node *) nodes;
    Map *values; /* Value → itself: their results */
    bool read;   /* by the node that is looked at */
} PutOff;

static bool may_put_off(Emit *e, const Node *node, const PutOff *off) {
    return emitter_of(node) == host_elementwise && (off->nodes.count || launch_waits(e));
}

static void put_off(Emit *e, Node *node, PutOff *off) {
    if (!off->values) off->values = map_new(e->arena);
    vec_push(e->arena, &off->nodes, node);
    map_put(off->values, node->results[0], node->results[0]);
}

static void look_for_read(void *user, Node *node) {
    PutOff *off = user;
    for (uint32_t i = 0; i < node->operand_count; i++)
        off->read = off->read || map_get(off->values, node->operands[i]);
}

static bool reads(Node *node, PutOff *off) {
    look_for_read(off, node);
    for (uint32_t i = 0; i < node->block_count; i++) block_walk(node->blocks[i], look_for_read, off);
    return off->read;
}

static void catch_up(Emit *e, PutOff *off) {
    for (uint32_t i = 0; i < off->nodes.count; i++) host_node(e, off->nodes.at[i]);
    *off = (PutOff){0};
}

/* Before a node that can't wait, or that reads what was put off. */
static void catch_up_for(Emit *e, Node *node, PutOff *off) {
    if (off->nodes.count && (!may_wait(node) || reads(node, off))) catch_up(e, off);
}

void host_block(Emit *e, const Block *block) {
    const struct KnownDim *outside = e->dims->known;
    PutOff off = {0};
    for (Node *node = block->first; node && node->op != OP_yield; node = node->next) {
        const struct KnownDim *before = e->dims->known;
        if (may_put_off(e, node, &off)) {
            put_off(e, node, &off);
            continue;
        }
        catch_up_for(e, node, &off);
        host_node(e, node);
        /* What was worked out on one way through it isn't on the others. */
        if (op_has(node->op, TRAIT_REGION) && node->op != OP_kernel) e->dims->known = before;
    }
    catch_up(e, &off);
    launch_flush(e);
    e->dims->known = outside;
}

/* --- functions */
/* Reads the member of union nn_arg that the parameter's dtype says. */
static LLVMValueRef load_argument(Emit *e, LLVMValueRef pointer, DType dtype) {
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef type = emit_register_type(e, dtype);
    if (dtype == DTYPE_str || dtype == DTYPE_bool) return emit_load(e, dtype, pointer, 1);
    if (dtype_is_float(dtype)) {
        LLVMValueRef wide = LLVMBuildLoad2(b, LLVMDoubleTypeInContext(e->llvm), pointer, "");
        return LLVMBuildFPCast(b, wide, type, "");
    }
    return LLVMBuildIntCast2(b, LLVMBuildLoad2(b, LLVMInt64TypeInContext(e->llvm), pointer, ""), type, true,
                             "");
}

static void define_params(Emit *e, const Function *command, LLVMValueRef arguments) {
    for (uint32_t i = 0; i < command->params.count; i++) {
        LLVMValueRef index = emit_i64(e, i);
        LLVMValueRef pointer =
            LLVMBuildInBoundsGEP2(e->builder, LLVMInt64TypeInContext(e->llvm), arguments, &index, 1, "");
        const Value *value = command->params.at[i].value;
        emit_define(e, value, load_argument(e, pointer, value->type->dtype));
    }
}

LLVMValueRef host_command(Emit *e, const Function *command) {
    LLVMTypeRef pointer = host_pointer_type(e);
    LLVMTypeRef type =
        LLVMFunctionType(LLVMVoidTypeInContext(e->llvm), (LLVMTypeRef[]){pointer, pointer}, 2, false);
    LLVMValueRef function =
        LLVMAddFunction(e->module, arena_printf(e->arena, "command.%s", command->name), type);
    LLVMSetLinkage(function, LLVMInternalLinkage);
    target_attributes(e, function);
    DimScope scope = {.symbols = map_new(e->arena)};
    e->function = function;
    e->rt = LLVMGetParam(function, 0);
    e->dims = &scope;
    e->values = map_new(e->arena);
    e->text_marks = map_new(e->arena);
    e->resume = NULL;
    debug_function(e, function, command->name, command->loc);
    LLVMPositionBuilderAtEnd(e->builder, LLVMAppendBasicBlockInContext(e->llvm, function, "entry"));
    debug_at(e, command->loc);
    launch_open(e, command);
    define_params(e, command, LLVMGetParam(function, 1));
    host_block(e, command->body);
    LLVMBuildRetVoid(e->builder);
    launch_close(e);
    e->dims = NULL;
    return function;
}
