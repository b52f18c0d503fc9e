/* Calls of OpenBLAS's C interface. */
#include "codegen/contract_blas.h"
#include <limits.h>
#include <string.h>

enum { ROW_MAJOR = 101, AS_IT_LIES = 111, TRANSPOSED = 112 }; /* of cblas.h */

/* --- what fits */
/* Its sizes and strides are `int`s. */
static bool is_int(Size size) { return size.known && size.constant > 0 && size.constant <= INT_MAX; }

/* A matrix whose steps along its two axes are `outer` and `inner`: does it lie in rows of `length` elements
 * or more? */
static bool lies_in_rows(Size outer, Size inner, Size length) {
    return size_is(inner, 1) && is_int(outer) && length.known && outer.constant >= length.constant;
}

bool blas_fits(const Product *p) {
    if (p->dtype != DTYPE_f32 && p->dtype != DTYPE_f64) return false;
    if (p->exchanged || p->rows.count != 1 || p->k.count != 1) return false;
    const ProductAxis *row = &p->rows.at[0], *k = &p->k.at[0], *column = &p->column;
    if (!is_int(k->extent) || !is_int(column->extent) || size_is(column->extent, 1)) return false;
    if (row->extent.known ? !is_int(row->extent) : p->plan.chunk_rows == 0) return false;
    return (lies_in_rows(row->a, k->a, k->extent) || lies_in_rows(k->a, row->a, row->extent)) &&
           (lies_in_rows(k->b, column->b, column->extent) || lies_in_rows(column->b, k->b, k->extent));
}

ContractSchedule blas_schedule(const ContractSchedule *like) {
    return (ContractSchedule){.blas = true,
                              .lanes = like->lanes,
                              .rows = 1,
                              .vectors = 1,
                              .chunk_outer = like->chunk_outer,
                              .chunk_rows = like->chunk_rows,
                              .chunk_columns = like->chunk_columns,
                              .columns_first = like->columns_first};
}

/* --- the call */
static LLVMTypeRef int_type(Emit *e) { return LLVMInt32TypeInContext(e->llvm); }

static LLVMValueRef constant_int(Emit *e, int64_t value) {
    return LLVMConstInt(int_type(e), (unsigned long long)value, true);
}

static LLVMValueRef to_int(Emit *e, LLVMValueRef i64) {
    return LLVMBuildTrunc(e->builder, i64, int_type(e), "");
}

/* A function that returns nothing. */
static LLVMValueRef declared(Emit *e, const char *name, LLVMTypeRef *parameters, uint32_t count) {
    LLVMValueRef function = LLVMGetNamedFunction(e->module, name);
    if (function) return function;
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->llvm), parameters, count, false);
    function = LLVMAddFunction(e->module, name, type);
    emit_attribute(e, function, "nounwind", strlen("nounwind"));
    return function;
}

static void call(Emit *e, const char *name, LLVMValueRef *arguments, uint32_t count) {
    LLVMTypeRef parameters[16];
    for (uint32_t i = 0; i < count; i++) parameters[i] = LLVMTypeOf(arguments[i]);
    LLVMValueRef function = declared(e, name, parameters, count);
    LLVMBuildCall2(e->builder, LLVMGlobalGetValueType(function), function, arguments, count, "");
}

void blas_multiply(Emit *e, const Product *p, const BlasBlock *block) {
    const ProductAxis *row = &p->rows.at[0], *k = &p->k.at[0], *column = &p->column;
    bool a_lies = lies_in_rows(row->a, k->a, k->extent);
    bool b_lies = lies_in_rows(k->b, column->b, column->extent);
    LLVMValueRef arguments[] = {constant_int(e, ROW_MAJOR),
                                constant_int(e, a_lies ? AS_IT_LIES : TRANSPOSED),
                                constant_int(e, b_lies ? AS_IT_LIES : TRANSPOSED),
                                to_int(e, block->rows),
                                to_int(e, block->columns),
                                constant_int(e, k->extent.constant),
                                LLVMConstReal(p->element, 1),
                                block->a,
                                constant_int(e, a_lies ? row->a.constant : k->a.constant),
                                block->b,
                                constant_int(e, b_lies ? k->b.constant : column->b.constant),
                                LLVMConstReal(p->element, 0),
                                block->sums,
                                to_int(e, block->stride)};
    call(e, p->dtype == DTYPE_f32 ? "cblas_sgemm" : "cblas_dgemm", arguments,
         sizeof arguments / sizeof *arguments);
    e->uses_blas = true;
}

/* --- before main */
/* Appends a function to those that run when the program is loaded, after OpenBLAS's own. */
static void run_at_start(Emit *e, LLVMValueRef function) {
    enum { LAST = 65535 };
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->llvm, 0);
    LLVMValueRef fields[] = {constant_int(e, LAST), function, LLVMConstNull(pointer)};
    LLVMValueRef entry = LLVMConstStructInContext(e->llvm, fields, 3, false);
    LLVMValueRef list = LLVMConstArray2(LLVMTypeOf(entry), &entry, 1);
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(list), "llvm.global_ctors");
    LLVMSetLinkage(global, LLVMAppendingLinkage);
    LLVMSetInitializer(global, list);
}

void blas_start(Emit *e) {
    if (!e->uses_blas) return;
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->llvm), NULL, 0, false);
    LLVMValueRef function = LLVMAddFunction(e->module, "blas.start", type), one = constant_int(e, 1);
    LLVMSetLinkage(function, LLVMInternalLinkage);
    target_attributes(e, function);
    LLVMSetCurrentDebugLocation2(e->builder, NULL);
    LLVMPositionBuilderAtEnd(e->builder, LLVMAppendBasicBlockInContext(e->llvm, function, "entry"));
    call(e, "openblas_set_num_threads", &one, 1);
    LLVMBuildRetVoid(e->builder);
    run_at_start(e, function);
}
