/* Kernels of kind sort: the lines of the operand along the axis, each sorted by the runtime. */
#include "codegen/kernel.h"
#include <assert.h>

typedef struct {
    const Node *node;
    const Dim *outer, *along, *inner;
    const Dim *wanted; /* elements of the result along the axis */
    LLVMValueRef scratch;
} Sort;

enum { SCRATCH_BYTES = 32 }; /* an element: NN_SORT_BYTES of the runtime */

static Chunks line_chunks(Kernel *k) {
    const Sort *s = k->plan;
    const Dim *lines[] = {s->outer, s->inner};
    return chunks_of(k, kernel_product(k, 2, lines), s->along, 1, 0);
}

static LLVMValueRef sort_count(Kernel *k) { return line_chunks(k).count; }

static LLVMValueRef element_pointer(Kernel *k, LLVMValueRef base, DType dtype, LLVMValueRef number) {
    LLVMTypeRef type = emit_memory_type(k->e, dtype);
    return LLVMBuildInBoundsGEP2(k->e->builder, type, base, &number, 1, "");
}

/* The first element of a line in a tensor of `along` elements along the axis. */
static LLVMValueRef line_start(Kernel *k, LLVMValueRef line, const Dim *along) {
    LLVMBuilderRef b = k->e->builder;
    LLVMValueRef inner = kernel_size(k, ((const Sort *)k->plan)->inner);
    LLVMValueRef outer = LLVMBuildMul(b, LLVMBuildSDiv(b, line, inner, ""), kernel_size(k, along), "");
    return LLVMBuildAdd(b, LLVMBuildMul(b, outer, inner, ""), LLVMBuildSRem(b, line, inner, ""), "");
}

static void sort_line(Emit *e, LLVMValueRef line, void *user) {
    Kernel *k = user;
    const Sort *s = k->plan;
    const Value *x = s->node->operands[0];
    DType dtype = x->type->dtype;
    LLVMValueRef from = line_start(k, line, s->along), to = line_start(k, line, s->wanted);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->llvm);
    LLVMValueRef arguments[] = {LLVMConstInt(i32, (unsigned long long)dtype, false),
                                element_pointer(k, kernel_pointer(k, x), dtype, from),
                                element_pointer(k, kernel_result_pointer(k, 0), DTYPE_i64, to),
                                kernel_size(k, s->along),
                                kernel_size(k, s->inner),
                                kernel_size(k, s->wanted),
                                LLVMConstInt(i32, node_int(s->node, ATTR_descending) != 0, false),
                                s->scratch};
    emit_runtime_call(e, "nn_argsort", sizeof arguments / sizeof *arguments, arguments);
}

static void sort_body(Kernel *k, LLVMValueRef chunk) {
    Chunks chunks = line_chunks(k);
    Sort *s = k->plan;
    LLVMValueRef from, to, along = kernel_size(k, s->along);
    LLVMValueRef bytes = LLVMBuildMul(k->e->builder, along, emit_i64(k->e, SCRATCH_BYTES), "");
    s->scratch = emit_runtime_call(k->e, "nn_scratch", 2, (LLVMValueRef[]){k->e->rt, bytes});
    chunk_range(k, &chunks, chunk, &from, &to);
    emit_loop(k->e, from, to, 1, "lines", sort_line, k);
}

static uint32_t sort_stages(Kernel *k, Stage *out) {
    Sort *s = ARENA_NEW(k->arena, Sort);
    s->node = kernel_yield(k)->operands[0]->node;
    assert(s->node->op == OP_argsort);
    const Type *type = s->node->operands[0]->type;
    uint32_t axis = (uint32_t)node_int(s->node, ATTR_axis);
    s->outer = kernel_product(k, axis, type->dims);
    s->along = type->dims[axis];
    s->wanted = s->node->results[0]->type->dims[axis];
    s->inner = kernel_product(k, type->rank - axis - 1, type->dims + axis + 1);
    k->plan = s;
    out[0] = (Stage){sort_count, sort_body};
    return 1;
}

const KernelKind kernel_sort = {.name = "sort", .stages = sort_stages};
