/* Products from their keys, with an epilogue that stores. */
#include "codegen/tune_product.h"
#include "codegen/contract_product.h"
#include "codegen/vector.h"
#include <string.h>

typedef struct {
    const ContractKey *key;
    LLVMValueRef sizes, target;
    LLVMValueRef stride[KEY_MAX_AXES]; /* of C, in the order of the key's axes */
    ContractAxis axes[KEY_MAX_AXES];
    Contract contract;
} TuneProduct;

static Size extent_of(Emit *e, const TuneProduct *t, uint32_t i) {
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->llvm);
    int64_t extent = t->key->axis[i].extent;
    if (extent != KEY_UNKNOWN) return (Size){true, extent, emit_i64(e, extent)};
    LLVMValueRef at = vector_at(e, i64, t->sizes, emit_i64(e, i));
    return (Size){false, 0, LLVMBuildLoad2(e->builder, i64, at, "size")};
}

static Size stride_of(Emit *e, int64_t stride) { return (Size){true, stride, emit_i64(e, stride)}; }

static void store(Emit *e, const Contract *contract, const LLVMValueRef *index, LLVMValueRef value,
                  uint32_t lanes, LLVMValueRef tail, uint32_t lane_axis, bool aligned, void *user) {
    (void)contract, (void)lanes, (void)aligned;
    const TuneProduct *t = user;
    LLVMValueRef offset = emit_i64(e, 0);
    for (uint32_t i = 0; i < t->key->count && t->key->axis[i].role != 'k'; i++)
        offset = LLVMBuildAdd(e->builder, offset, LLVMBuildMul(e->builder, index[i], t->stride[i], ""), "");
    LLVMValueRef at = vector_at(e, emit_register_type(e, t->key->dtype), t->target, offset);
    vector_store_lanes(e, value, at, t->stride[lane_axis], tail);
}

static uint32_t take(const TuneProduct *t, char role, const ContractAxis **out) {
    uint32_t first = 0, count = 0;
    while (first < t->key->count && t->key->axis[first].role != role) first++;
    while (first + count < t->key->count && t->key->axis[first + count].role == role) count++;
    *out = &t->axes[first];
    return count;
}

static void open_product(Emit *e, const ContractKey *key, LLVMValueRef sizes, TuneProduct *t) {
    *t = (TuneProduct){.key = key, .sizes = sizes};
    LLVMValueRef stride = emit_i64(e, 1);
    for (uint32_t i = key->count; i-- > 0;) {
        t->axes[i] =
            (ContractAxis){extent_of(e, t, i), stride_of(e, key->axis[i].a), stride_of(e, key->axis[i].b)};
        t->stride[i] = stride;
        if (key->axis[i].role != 'k') stride = LLVMBuildMul(e->builder, stride, t->axes[i].extent.value, "");
    }
    Contract *c = &t->contract;
    *c = (Contract){.dtype = key->dtype, .store = store, .user = t};
    c->batch_count = take(t, 'b', &c->batch), c->m_count = take(t, 'm', &c->m);
    c->n_count = take(t, 'n', &c->n), c->k_count = take(t, 'k', &c->k);
}

/* `pointers` parameters, then an i64 where `chunk`. */
static LLVMValueRef start_function(Emit *e, const char *name, uint32_t pointers, bool chunk,
                                   LLVMTypeRef type) {
    LLVMTypeRef parameters[6];
    for (uint32_t i = 0; i < pointers; i++) parameters[i] = LLVMPointerTypeInContext(e->llvm, 0);
    if (chunk) parameters[pointers] = LLVMInt64TypeInContext(e->llvm);
    LLVMValueRef function =
        LLVMAddFunction(e->module, name, LLVMFunctionType(type, parameters, pointers + chunk, false));
    target_attributes(e, function);
    e->function = function;
    LLVMPositionBuilderAtEnd(e->builder, LLVMAppendBasicBlockInContext(e->llvm, function, "entry"));
    return function;
}

void tune_emit_product(Emit *e, const ContractKey *key, uint32_t number) {
    TuneProduct t;
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->llvm), none = LLVMVoidTypeInContext(e->llvm);
    LLVMValueRef chunks = start_function(e, arena_printf(e->arena, "chunks%u", number), 1, false, i64);
    open_product(e, key, LLVMGetParam(chunks, 0), &t);
    LLVMBuildRet(e->builder, contract_chunks(e, &t.contract));
    LLVMValueRef kernel = start_function(e, arena_printf(e->arena, "kernel%u", number), 5, true, none);
    e->rt = LLVMGetParam(kernel, 0);
    open_product(e, key, LLVMGetParam(kernel, 4), &t);
    t.contract.a = LLVMGetParam(kernel, 1), t.contract.b = LLVMGetParam(kernel, 2);
    t.target = LLVMGetParam(kernel, 3);
    emit_contract(e, &t.contract, LLVMGetParam(kernel, 5));
    LLVMBuildRetVoid(e->builder);
}

bool tune_shapes(Emit *e, const ContractKey *key, ContractShape *out) {
    TuneProduct t;
    LLVMValueRef function = start_function(e, "shapes", 1, false, LLVMVoidTypeInContext(e->llvm));
    open_product(e, key, LLVMGetParam(function, 0), &t);
    bool blas = product_shapes(e, &t.contract, out);
    LLVMBuildRetVoid(e->builder);
    return blas;
}
