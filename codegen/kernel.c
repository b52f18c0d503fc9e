/* Kernel nodes as functions and calls. What a kernel reads becomes an array of pointers and sizes; each of
 * its stages is a function of (runtime, array, chunk); kernels with equal keys share their functions. */
#include "codegen/kernel.h"
#include "codegen/contract_size.h"
#include "codegen/parts.h"
#include <assert.h>
#include <string.h>

/* A kernel that has been emitted. */
typedef struct {
    const char *function[MAX_STAGES]; /* names */
    uint32_t count, workspace;
    bool constant; /* the numbers of chunks, which otherwise are worked out at each call */
    int64_t chunks[MAX_STAGES];
} Emitted;

Node *kernel_yield(const Kernel *k) { return block_yield(k->body); }

const Dim *kernel_product(Kernel *k, uint32_t count, const Dim *const *dims) {
    const Dim *product = dim_const(k->e->ir, 1);
    for (uint32_t i = 0; i < count; i++) {
        product = dim_mul(k->e->ir, product, dims[i]);
        assert(product && "shapes count their elements in 64 bits");
    }
    return product;
}

/* --- what a kernel reads */
static void capture(Kernel *k, Value *value) {
    if (block_inside(value->block, k->body) || map_get(k->numbers, value)) return;
    vec_push(k->arena, &k->captured, value);
    map_put(k->numbers, value, (void *)(uintptr_t)k->captured.count);
}

/* Those of a chain have a value in each of its chunks. */
static bool is_own_symbol(const Kernel *k, const Dim *symbol) {
    const Attr *index = node_attr(k->node, ATTR_index);
    for (uint32_t i = 0; index && i < index->count; i++)
        if (index->dims[i] == symbol) return true;
    return false;
}

static void capture_symbol(void *user, const Dim *symbol) {
    Kernel *k = user;
    if (map_get(k->numbers, symbol) || is_own_symbol(k, symbol)) return;
    vec_push(k->arena, &k->symbols, symbol);
    map_put(k->numbers, symbol, (void *)(uintptr_t)k->symbols.count);
}

static void capture_dims(Kernel *k, uint32_t count, const Dim *const *dims) {
    for (uint32_t i = 0; i < count; i++) dim_symbols(dims[i], capture_symbol, k);
}

static void capture_node(Kernel *k, const Node *node) {
    for (uint32_t i = 0; i < node->operand_count; i++) {
        capture(k, node->operands[i]);
        capture_dims(k, node->operands[i]->type->rank, node->operands[i]->type->dims);
    }
    for (uint32_t i = 0; i < node->result_count; i++)
        capture_dims(k, node->results[i]->type->rank, node->results[i]->type->dims);
    for (uint32_t i = 0; i < node->attr_count; i++) {
        const Attr *attr = &node->attrs[i];
        if (attr_kind(attr->key) == ATTR_KIND_DIMS) capture_dims(k, attr->count, attr->dims);
        if (attr_kind(attr->key) == ATTR_KIND_DIM) capture_dims(k, 1, &attr->dim);
    }
    for (uint32_t i = 0; i < node->block_count; i++)
        for (const Node *inner = node->blocks[i]->first; inner; inner = inner->next) capture_node(k, inner);
}

/* May the value lie where a result is written? Plan puts results into the places of operands that die, never
 * into parts of them. */
static bool is_shared(const Kernel *k, const Value *value) {
    if (value->type->rank == 0 || k->e->in_chain) return false; /* a chain keeps everything apart */
    for (uint32_t i = 0; i < k->node->result_count; i++) {
        const Value *result = k->node->results[i];
        bool apart =
            value->place.frame >= 0 && result->place.frame >= 0 &&
            (value->place.frame != result->place.frame || value->place.offset != result->place.offset);
        if (result->type->rank > 0 && !apart) return true;
    }
    return false;
}

/* --- what a kernel is like */
uint32_t kernel_cost(const Node *node) {
    const Op dear[] = {OP_exp, OP_log, OP_sin,         OP_cos,        OP_tanh,   OP_sigmoid,
                       OP_erf, OP_pow, OP_random_bits, OP_window_add, OP_argsort};
    for (size_t i = 0; i < sizeof dear / sizeof *dear; i++)
        if (node->op == dear[i]) return KERNEL_DEAR;
    return op_has(node->op, TRAIT_ELEMENTWISE) || op_has(node->op, TRAIT_REDUCES) ||
           op_has(node->op, TRAIT_SCANS);
}

/* Vectors are as wide as the widest float that is computed with, or the widest result where there is none. */
static uint32_t widest_bytes(const Kernel *k) {
    uint32_t floats = 0, others = 1;
    for (const Node *node = k->body->first; node; node = node->next)
        for (uint32_t i = 0; i < node->result_count; i++) {
            DType dtype = node->results[i]->type->dtype;
            uint32_t bytes = dtype_bytes(dtype);
            if (dtype_is_float(dtype) && node->results[i]->type->rank > 0)
                floats = bytes == 8 ? 8 : floats > 4 ? floats : 4;
            else if (bytes > others && node->results[i]->type->rank > 0)
                others = bytes;
        }
    /* Narrow integers alone: no wider than vectors of a few registers when they meet an index. */
    return floats ? floats : others < 2 ? 2 : others;
}

static void examine(Kernel *k) {
    const Attr *parts = node_attr(k->node, ATTR_dims); /* of a chain: perhaps nothing inside has as many */
    k->numbers = map_new(k->arena);
    if (parts) capture_dims(k, parts->count, parts->dims);
    for (const Node *node = k->body->first; node; node = node->next) {
        capture_node(k, node);
        k->cost += kernel_cost(node);
    }
    for (uint32_t i = 0; i < k->captured.count; i++)
        vec_push(k->arena, &k->shared, is_shared(k, k->captured.at[i]));
    k->lanes = k->e->target.vector_bytes / widest_bytes(k);
    if (k->lanes < 1) k->lanes = 1;
}

/* --- sizes and pointers */
LLVMValueRef kernel_size(Kernel *k, const Dim *dim) {
    if (!k->inside || dim_is_const(dim, NULL)) return emit_dim(k->e, dim);
    LLVMValueRef size = map_get(k->sizes, dim);
    if (size) return size;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(k->e->builder);
    LLVMPositionBuilderAtEnd(k->e->builder, k->entry);
    size = emit_dim(k->e, dim);
    LLVMPositionBuilderAtEnd(k->e->builder, here);
    map_put(k->sizes, dim, size);
    return size;
}

LLVMValueRef kernel_result_pointer(const Kernel *k, uint32_t result) { return k->pointers[result]; }

LLVMValueRef kernel_pointer(const Kernel *k, const Value *captured) {
    uintptr_t number = (uintptr_t)map_get(k->numbers, captured);
    assert(number && "an outer value");
    return k->pointers[k->node->result_count + number - 1];
}

/* --- arguments: pointers to results and outer values, the symbols' values, the workspace */
static uint32_t argument_count(const Kernel *k) {
    return k->node->result_count + k->captured.count + k->symbols.count + (k->workspace > 0);
}

static const LaunchArgument *arguments_of(Kernel *k) {
    LaunchArgument *arguments = ARENA_ARRAY(k->arena, LaunchArgument, argument_count(k)), *next = arguments;
    for (uint32_t i = 0; i < k->node->result_count; i++) (next++)->value = k->node->results[i];
    for (uint32_t i = 0; i < k->captured.count; i++) (next++)->value = k->captured.at[i];
    for (uint32_t i = 0; i < k->symbols.count; i++) (next++)->symbol = k->symbols.at[i];
    if (k->workspace) next->workspace = k->workspace;
    return arguments;
}

static LLVMValueRef load_argument(Kernel *k, LLVMValueRef array, LLVMTypeRef type, uint32_t number) {
    LLVMValueRef index = emit_i64(k->e, number);
    LLVMTypeRef pointer = LLVMPointerTypeInContext(k->e->llvm, 0);
    return LLVMBuildLoad2(k->e->builder, type,
                          LLVMBuildInBoundsGEP2(k->e->builder, pointer, array, &index, 1, ""), "");
}

static void receive_arguments(Kernel *k, LLVMValueRef array) {
    LLVMTypeRef pointer = LLVMPointerTypeInContext(k->e->llvm, 0), i64 = LLVMInt64TypeInContext(k->e->llvm);
    uint32_t pointers = k->node->result_count + k->captured.count, n = 0;
    k->pointers = ARENA_ARRAY(k->arena, LLVMValueRef, pointers + 1);
    for (; n < pointers; n++) k->pointers[n] = load_argument(k, array, pointer, n);
    for (uint32_t i = 0; i < k->symbols.count; i++)
        map_put(k->e->dims->symbols, k->symbols.at[i], load_argument(k, array, i64, n++));
    if (k->workspace) k->space = load_argument(k, array, pointer, n);
}

/* --- functions */
/* Loads of values that no result overlaps may pass stores: the scope holds those loads. */
static void declare_aliasing(Kernel *k, const char *name) {
    LLVMContextRef llvm = k->e->llvm;
    const char *reads = arena_printf(k->arena, "%s reads", name);
    LLVMMetadataRef domain_name = LLVMMDStringInContext2(llvm, name, strlen(name));
    LLVMMetadataRef domain = LLVMMDNodeInContext2(llvm, &domain_name, 1);
    LLVMMetadataRef parts[] = {LLVMMDStringInContext2(llvm, reads, strlen(reads)), domain};
    LLVMMetadataRef scope = LLVMMDNodeInContext2(llvm, parts, 2);
    k->read_only = LLVMMetadataAsValue(llvm, LLVMMDNodeInContext2(llvm, &scope, 1));
    k->alias_scope = LLVMGetMDKindIDInContext(llvm, "alias.scope", 11);
    k->noalias = LLVMGetMDKindIDInContext(llvm, "noalias", 7);
}

LLVMValueRef kernel_function(Emit *e, const char *name) {
    LLVMValueRef function = LLVMGetNamedFunction(e->module, name);
    if (function) return function;
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->llvm, 0);
    LLVMTypeRef parameters[] = {pointer, pointer, LLVMInt64TypeInContext(e->llvm)};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->llvm), parameters, 3, false);
    function = LLVMAddFunction(e->module, name, type);
    LLVMSetVisibility(function, LLVMHiddenVisibility);
    return function;
}

static LLVMValueRef define_stage(Kernel *k, const char *name) {
    Emit *e = k->e;
    LLVMValueRef function = kernel_function(e, name);
    if (!e->parts) LLVMSetLinkage(function, LLVMInternalLinkage);
    target_attributes(e, function);
    debug_function(e, function, name, k->node->loc);
    return function;
}

static void build_function(Kernel *k, const char *name, LLVMValueRef function, KernelBody *body,
                           const void *user) {
    Emit *e = k->e;
    DimScope scope = {.symbols = map_new(k->arena)};
    e->dims = &scope;
    e->function = function;
    e->rt = LLVMGetParam(function, 0);
    k->inside = true;
    k->sizes = map_new(k->arena);
    k->bound = map_new(k->arena);
    k->stored = NULL;
    k->scope = NULL;
    scope_open(k);
    declare_aliasing(k, name);
    k->entry = LLVMAppendBasicBlockInContext(e->llvm, function, "entry");
    LLVMBasicBlockRef start = LLVMAppendBasicBlockInContext(e->llvm, function, "body");
    LLVMPositionBuilderAtEnd(e->builder, k->entry);
    debug_at(e, k->node->loc);
    receive_arguments(k, LLVMGetParam(function, 1));
    LLVMPositionBuilderAtEnd(e->builder, start);
    body(k, function, user);
    LLVMBuildRetVoid(e->builder);
    LLVMPositionBuilderAtEnd(e->builder, k->entry);
    LLVMBuildBr(e->builder, start);
    k->inside = false;
}

static void build_stage(Kernel *k, LLVMValueRef function, const void *user) {
    const Stage *stage = user;
    stage->body(k, LLVMGetParam(function, 2));
}

/* What is emitted where, while another function is built. */
typedef struct {
    LLVMValueRef function, rt;
    DimScope *dims;
    LLVMBasicBlockRef here;
    LLVMMetadataRef loc;
} Outside;

static Outside leave(const Emit *e) {
    return (Outside){e->function, e->rt, e->dims, LLVMGetInsertBlock(e->builder),
                     LLVMGetCurrentDebugLocation2(e->builder)};
}

static void come_back(Emit *e, const Outside *outside) {
    e->function = outside->function;
    e->rt = outside->rt;
    e->dims = outside->dims;
    LLVMPositionBuilderAtEnd(e->builder, outside->here);
    LLVMSetCurrentDebugLocation2(e->builder, outside->loc);
}

static const char *emit_stage(Kernel *k, const Stage *stage) {
    Emit *e = k->e;
    Outside outside = leave(e);
    const char *name = arena_printf(e->arena, "kernel.%s.%u", node_str(k->node, ATTR_kind), e->next_kernel++);
    EmitModule module = parts_enter(e);
    LLVMValueRef function = define_stage(k, name);
    build_function(k, name, function, build_stage, stage);
    parts_leave(e, module, function);
    come_back(e, &outside);
    return name;
}

LLVMValueRef kernel_outline(Kernel *k, const char *what, uint32_t count, const LLVMTypeRef *types,
                            KernelBody *body, const void *user) {
    Emit *e = k->e;
    Outside outside = leave(e);
    Kernel stage = *k;
    const char *name = arena_printf(e->arena, "%s.%s", LLVMGetValueName(e->function), what);
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->llvm, 0);
    LLVMTypeRef *parameters = ARENA_ARRAY(k->arena, LLVMTypeRef, count + 2);
    parameters[0] = parameters[1] = pointer;
    memcpy(parameters + 2, types, count * sizeof *types);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->llvm), parameters, count + 2, false);
    LLVMValueRef function = LLVMAddFunction(e->module, name, type);
    LLVMSetLinkage(function, LLVMInternalLinkage);
    target_attributes(e, function);
    debug_function(e, function, name, k->node->loc);
    build_function(k, name, function, body, user);
    *k = stage;
    come_back(e, &outside);
    return function;
}

void kernel_call(Kernel *k, LLVMValueRef function, uint32_t count, const LLVMValueRef *values) {
    Emit *e = k->e;
    LLVMValueRef *arguments = ARENA_ARRAY(k->arena, LLVMValueRef, count + 2);
    arguments[0] = e->rt, arguments[1] = LLVMGetParam(e->function, 1);
    memcpy(arguments + 2, values, count * sizeof *values);
    LLVMBuildCall2(e->builder, LLVMGlobalGetValueType(function), function, arguments, count + 2, "");
}

/* --- calls */
static const KernelKind *kind_of(const Node *node) {
    const KernelKind *kinds[] = {&kernel_loop,    &kernel_rows, &kernel_reduce, &kernel_contract,
                                 &kernel_scatter, &kernel_scan, &kernel_sort,   &kernel_chain};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i]->name, node_str(node, ATTR_kind)) == 0) return kinds[i];
    assert(false && "a kind of kernel");
    return NULL;
}

/* What is there of the kernel, or of one that does the same: `cold` ones are taken for lack of others. */
static Emitted *find_emitted(Kernel *k, const char **key) {
    Emit *e = k->e;
    Emitted *emitted = map_get(e->kernels, *key);
    if (emitted || !e->cold) {
        e->cold = false;
        return emitted;
    }
    *key = intern(ir_strings(e->ir), arena_printf(k->arena, "cold %s", *key));
    return map_get(e->kernels, *key);
}

static Emitted *emit_stages(Kernel *k, const Stage *stages, uint32_t count) {
    Emitted *emitted = ARENA_NEW(k->e->arena, Emitted);
    for (uint32_t i = 0; i < count; i++) emitted->function[i] = emit_stage(k, &stages[i]);
    emitted->count = count;
    emitted->workspace = k->workspace;
    return emitted;
}

static void call_stages(Kernel *k, const Emitted *emitted, const LLVMValueRef *chunks) {
    const LaunchArgument *arguments = arguments_of(k);
    for (uint32_t i = 0; i < emitted->count; i++)
        (k->e->in_chain ? chain_call : launch_kernel)(k->e, emitted->function[i], chunks[i],
                                                      argument_count(k), arguments);
}

static void note_chunks(Emitted *emitted, const LLVMValueRef *chunks) {
    emitted->constant = true;
    for (uint32_t i = 0; i < emitted->count; i++) {
        Size size = size_run_time(chunks[i]);
        emitted->constant = emitted->constant && size.known;
        emitted->chunks[i] = size.constant;
    }
}

/* Nothing has to be found out of a kernel whose like is there, as long as its sizes are known. */
static bool call_emitted(Kernel *k, const Emitted *emitted) {
    if (!emitted || !emitted->constant || k->e->products) return false;
    LLVMValueRef chunks[MAX_STAGES];
    for (uint32_t i = 0; i < emitted->count; i++) chunks[i] = emit_i64(k->e, emitted->chunks[i]);
    k->workspace = emitted->workspace;
    call_stages(k, emitted, chunks);
    return true;
}

void emit_kernel_call(Emit *e, Node *node) {
    Kernel k = {.e = e, .arena = e->arena, .node = node, .body = node->blocks[0]};
    const KernelKind *kind = kind_of(node);
    bool cold = e->cold;
    kernel_order(k.arena, k.body);
    examine(&k);
    k.variant = kind->variant ? kind->variant(&k) : 0;
    const char *key = kernel_key(&k);
    Emitted *emitted = find_emitted(&k, &key);
    if (!call_emitted(&k, emitted)) {
        Stage stages[MAX_STAGES];
        LLVMValueRef chunks[MAX_STAGES];
        k.bound = map_new(k.arena);
        uint32_t count = kind->stages(&k, stages);
        bool counts = e->products && kind == &kernel_chain; /* the products inside, of each place */
        if (!emitted || counts) {
            emitted = emit_stages(&k, stages, count);
            map_put(e->kernels, key, emitted);
        }
        for (uint32_t i = 0; i < count; i++) chunks[i] = stages[i].chunks(&k);
        note_chunks(emitted, chunks);
        call_stages(&k, emitted, chunks);
    }
    e->cold = cold;
}
