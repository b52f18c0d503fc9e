/* Kernels of products for tests and measurements. */
#include "product.h"
#include "codegen/contract_product.h"
#include "codegen/tune_table.h"
#include "codegen/vector.h"
#include <string.h>

ProductCase product_case(DType dtype, int64_t batch, int64_t m, int64_t n, int64_t k, bool a_transposed,
                         bool b_transposed) {
    return (ProductCase){.dtype = dtype,
                         .count = 4,
                         .axis = {{'b', batch, m * k, k * n, m * n, false, false},
                                  {'m', m, a_transposed ? 1 : k, 0, n, false, false},
                                  {'n', n, 0, b_transposed ? k : 1, 1, false, false},
                                  {'k', k, a_transposed ? m : 1, b_transposed ? 1 : n, 0, false, false}}};
}

void product_sizes(const ProductCase *c, int64_t *sizes) {
    for (uint32_t i = 0; i < c->count; i++)
        sizes[4 * i] = c->axis[i].extent, sizes[4 * i + 1] = c->axis[i].a, sizes[4 * i + 2] = c->axis[i].b,
                  sizes[4 * i + 3] = c->axis[i].c;
}

typedef struct {
    const ProductCase *c;
    LLVMValueRef target, sizes;
    bool accumulate;
} Store;

static LLVMTypeRef result_type(Emit *e, const ProductCase *c) { return emit_register_type(e, c->dtype); }

static void add(Emit *e, LLVMValueRef value, LLVMValueRef pointer) {
    LLVMTypeRef type = LLVMTypeOf(value), element = vector_element(type);
    LLVMValueRef old = vector_load(e, element, pointer, vector_lanes(type));
    bool whole = LLVMGetTypeKind(element) == LLVMIntegerTypeKind;
    vector_store(e,
                 whole ? LLVMBuildAdd(e->builder, old, value, "") : LLVMBuildFAdd(e->builder, old, value, ""),
                 pointer);
}

/* Lanes that don't exist are added to a number on the stack. */
static void add_lanes(Emit *e, LLVMValueRef value, LLVMValueRef pointer, LLVMValueRef stride,
                      LLVMValueRef tail) {
    LLVMTypeRef element = vector_element(LLVMTypeOf(value));
    LLVMValueRef none = emit_alloca(e, element, "none");
    for (uint32_t i = 0; i < vector_lanes(LLVMTypeOf(value)); i++) {
        LLVMValueRef lane = emit_i64(e, i);
        LLVMValueRef at = vector_at(e, element, pointer, LLVMBuildMul(e->builder, stride, lane, ""));
        if (tail)
            at = LLVMBuildSelect(e->builder, LLVMBuildExtractElement(e->builder, tail, lane, ""), at, none,
                                 "");
        add(e, LLVMBuildExtractElement(e->builder, value, lane, ""), at);
    }
}

static Size size_at(Emit *e, LLVMValueRef sizes, uint32_t slot, int64_t constant, bool run_time) {
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->llvm);
    if (!run_time) return (Size){true, constant, emit_i64(e, constant)};
    LLVMValueRef value = LLVMBuildLoad2(e->builder, i64, vector_at(e, i64, sizes, emit_i64(e, slot)), "size");
    return (Size){false, 0, value};
}

static void store_result(Emit *e, const Contract *contract, const LLVMValueRef *index, LLVMValueRef value,
                         uint32_t lanes, LLVMValueRef tail, uint32_t lane_axis, bool aligned, void *user) {
    (void)contract, (void)aligned;
    const Store *store = user;
    LLVMTypeRef element = result_type(e, store->c);
    LLVMValueRef offset = emit_i64(e, 0);
    for (uint32_t i = 0; i < store->c->count && store->c->axis[i].role != 'k'; i++) {
        LLVMValueRef stride =
            size_at(e, store->sizes, 4 * i + 3, store->c->axis[i].c, store->c->run_time_results).value;
        offset = LLVMBuildAdd(e->builder, offset, LLVMBuildMul(e->builder, index[i], stride, ""), "");
    }
    LLVMValueRef at = vector_at(e, element, store->target, offset);
    Size stride = {true, 1, emit_i64(e, 1)};
    if (lanes > 1)
        stride = size_at(e, store->sizes, 4 * lane_axis + 3, store->c->axis[lane_axis].c,
                         store->c->run_time_results && store->c->axis[lane_axis].c != 1);
    if (!store->accumulate)
        vector_store_lanes(e, value, at, stride.value, tail);
    else if (lanes == 1 || (!tail && stride.known && stride.constant == 1))
        add(e, value, at);
    else
        add_lanes(e, value, at, stride.value, tail);
}

static uint32_t collect(Emit *e, const ProductCase *c, char role, LLVMValueRef sizes, ContractAxis *out) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const CaseAxis *axis = &c->axis[i];
        if (axis->role != role) continue;
        bool strides = axis->strides;
        out[count].extent = size_at(e, sizes, 4 * i, axis->extent, axis->run_time);
        out[count].a = size_at(e, sizes, 4 * i + 1, axis->a, strides && axis->a != 0);
        out[count++].b = size_at(e, sizes, 4 * i + 2, axis->b, strides && axis->b != 0);
    }
    return count;
}

static Contract contract_of(Emit *e, const ProductCase *c, LLVMValueRef sizes, ContractAxis *axes,
                            Store *store) {
    ContractAxis *batch = axes, *m = batch + CASE_MAX_AXES, *n = m + CASE_MAX_AXES, *k = n + CASE_MAX_AXES;
    return (Contract){.batch_count = collect(e, c, 'b', sizes, batch),
                      .m_count = collect(e, c, 'm', sizes, m),
                      .n_count = collect(e, c, 'n', sizes, n),
                      .k_count = collect(e, c, 'k', sizes, k),
                      .batch = batch,
                      .m = m,
                      .n = n,
                      .k = k,
                      .edge_count = c->edge_count,
                      .edge = c->edge,
                      .dtype = c->dtype,
                      .store = store_result,
                      .user = store};
}

void product_examine(Jit *jit, const ProductCase *c, ContractShape *shapes, ProductUse *use) {
    Emit *e = &jit->emit;
    ContractAxis axes[4 * CASE_MAX_AXES];
    Store store = {.c = c};
    ProductList list = {.arena = e->arena};
    LLVMValueRef function = jit_function(jit, "examine", "p", false);
    Contract contract = contract_of(e, c, LLVMGetParam(function, 0), axes, &store);
    product_shapes(e, &contract, shapes);
    e->products = &list;
    contract_chunks(e, &contract);
    e->products = NULL;
    *use = list.at.at[0];
    LLVMBuildRetVoid(e->builder);
}

void product_prescribe(Jit *jit, const char *product, const ContractSchedule *plan) {
    Emit *e = &jit->emit;
    TuneTable *table = ARENA_NEW(e->arena, TuneTable);
    TuneLine line = {.cpu = tune_cpu(e->cpu, &e->target, e->arena), .product = product, .schedule = *plan};
    *table = (TuneTable){.lines = {.at = NULL}};
    vec_push(e->arena, &table->lines, line);
    jit->options.tune = table;
}

void product_print(Jit *jit, const ProductCase *c, FILE *out) {
    Emit *e = &jit->emit;
    ContractAxis axes[4 * CASE_MAX_AXES];
    Store store = {.c = c};
    LLVMValueRef function = jit_function(jit, "print", "p", false);
    Contract contract = contract_of(e, c, LLVMGetParam(function, 0), axes, &store);
    Product p;
    product_open(e, &contract, &p);
    contract_schedule_print(out, &p.plan);
    fputc('\n', out);
    LLVMBuildRetVoid(e->builder);
}

void product_emit(Jit *jit, const ProductCase *c, bool accumulate) {
    Emit *e = &jit->emit;
    ContractAxis axes[4 * CASE_MAX_AXES];
    LLVMValueRef chunks = jit_function(jit, "chunks", "p", true);
    Store store = {c, NULL, LLVMGetParam(chunks, 0), accumulate};
    Contract contract = contract_of(e, c, LLVMGetParam(chunks, 0), axes, &store);
    LLVMBuildRet(e->builder, contract_chunks(e, &contract));
    LLVMValueRef kernel = jit_function(jit, "kernel", "pppppl", false);
    e->rt = LLVMGetParam(kernel, 0);
    contract = contract_of(e, c, LLVMGetParam(kernel, 4), axes, &store);
    contract.a = LLVMGetParam(kernel, 1), contract.b = LLVMGetParam(kernel, 2);
    store.target = LLVMGetParam(kernel, 3), store.sizes = LLVMGetParam(kernel, 4);
    emit_contract(e, &contract, LLVMGetParam(kernel, 5));
    LLVMBuildRetVoid(e->builder);
}
