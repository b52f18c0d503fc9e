/* What a command does between its decisions, as data: calls of kernels, copies of tensors and checks of what
 * kernels found are a script that nn_launch reads (nnrt.h says how), one for all that follow each other. So a
 * network of many layers takes little more of LLVM's time than one of few.
 *
 * All that addresses are computed from is in one array of slots: the arenas' pointers, sizes, the products of
 * sizes that occur in places, and scalars that kernels compute. Behind it lie the arguments and the
 * workspace, which all calls share. Scalars that are constants lie in the table of sums. */
#include "codegen/launch.h"
#include "codegen/host.h"
#include "codegen/launch_tables.h"
#include "ir/graph.h"
#include "support/vec.h"
#include <assert.h>

enum { TERM_BITS = 4, SLOT_BITS = 20, SHIFT = TERM_BITS + SLOT_BITS, MAX_TERMS = (1 << TERM_BITS) - 1 };
static const int64_t LIMIT = INT64_C(1) << (63 - SHIFT); /* of what is shifted, either way */

enum { SCRIPT_END, SCRIPT_COPY, SCRIPT_CHECK, SCRIPT_KERNEL };

typedef VEC(const Dim *) Monomials;

typedef struct Launch {
    Arena *arena;
    LLVMValueRef slots, arguments, workspace;             /* pointers */
    uint32_t slot_count, argument_count, workspace_count; /* words */
    Map *pointers;                                        /* key → LLVMValueRef, pointer to its slot */
    Map *numbers;                                         /* key → its slot's number + 1 */
    Map *monomials;                                       /* key of an arena → Monomials * */
    LaunchTables *tables;
    VEC(char) script; /* that waits */
} Launch;

typedef struct {
    int64_t words[1 + MAX_TERMS];
    uint32_t count;
} Sum;

static const void *arena_key(int64_t frame) { return (const void *)(intptr_t)(frame + 1); }

static LLVMTypeRef word_type(Emit *e) { return LLVMInt64TypeInContext(e->llvm); }

/* --- memory, of the runtime: LLVM's time for a stack slot grows with the square of how often it is used */
static LLVMValueRef words_from(Emit *e, LLVMValueRef slots, uint32_t first, const char *name) {
    LLVMValueRef index = emit_i64(e, first);
    return LLVMBuildInBoundsGEP2(e->builder, word_type(e), slots, &index, 1, name);
}

/* Until launch_close knows how much of each there is, nothing lies between the three. */
static void take_memory(Emit *e, Launch *launch) {
    launch->slots = emit_runtime_call(e, "nn_slots", 2, (LLVMValueRef[]){e->rt, emit_i64(e, 0)});
    launch->arguments = words_from(e, launch->slots, 0, "arguments");
    launch->workspace = words_from(e, launch->slots, 0, "workspace");
}

static void set_sizes(Emit *e, const Launch *launch) {
    uint32_t arguments = launch->slot_count, workspace = arguments + launch->argument_count;
    LLVMSetOperand(launch->slots, 1, emit_i64(e, workspace + launch->workspace_count));
    LLVMSetOperand(launch->arguments, 1, emit_i64(e, arguments));
    LLVMSetOperand(launch->workspace, 1, emit_i64(e, workspace));
}

/* --- slots */
/* Behind what the function begins with. */
static void enter_entry(Emit *e) {
    LLVMValueRef workspace = e->launch->workspace, next = LLVMGetNextInstruction(workspace);
    if (next)
        LLVMPositionBuilderBefore(e->builder, next);
    else
        LLVMPositionBuilderAtEnd(e->builder, LLVMGetInstructionParent(workspace));
    LLVMSetCurrentDebugLocation2(e->builder, NULL);
}

/* A pointer to the slot, which is there from the entry on, with `value` in it unless that is NULL. */
static LLVMValueRef slot_pointer(Emit *e, uint32_t number, LLVMValueRef value) {
    LLVMMetadataRef loc = LLVMGetCurrentDebugLocation2(e->builder);
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->builder);
    enter_entry(e);
    LLVMValueRef pointer = words_from(e, e->launch->slots, number, "");
    if (value) LLVMBuildStore(e->builder, value, pointer);
    LLVMPositionBuilderAtEnd(e->builder, here);
    LLVMSetCurrentDebugLocation2(e->builder, loc);
    return pointer;
}

static uint32_t new_slot(Launch *launch) {
    assert(launch->slot_count < 1u << SLOT_BITS);
    return launch->slot_count++;
}

static bool has_slot(const Launch *launch, const void *key) { return map_get(launch->numbers, key) != NULL; }

static uint32_t number_of(Launch *launch, const void *key) {
    uintptr_t number = (uintptr_t)map_get(launch->numbers, key);
    if (number) return (uint32_t)number - 1;
    uint32_t slot = new_slot(launch);
    map_put(launch->numbers, key, (void *)(uintptr_t)(slot + 1));
    return slot;
}

/* The slot that holds the value from the entry on. */
static uint32_t number_of_given(Emit *e, LLVMValueRef value) {
    bool there = has_slot(e->launch, value);
    uint32_t number = number_of(e->launch, value);
    if (!there) slot_pointer(e, number, value);
    return number;
}

static LLVMValueRef keyed_slot(Emit *e, const void *key) {
    LLVMValueRef pointer = map_get(e->launch->pointers, key);
    if (pointer) return pointer;
    pointer = slot_pointer(e, number_of(e->launch, key), NULL);
    map_put(e->launch->pointers, key, pointer);
    return pointer;
}

/* A new slot that is given its value here. */
static uint32_t slot_of(Emit *e, LLVMValueRef value) {
    uint32_t number = new_slot(e->launch);
    LLVMBuildStore(e->builder, value, slot_pointer(e, number, NULL));
    return number;
}

LLVMValueRef launch_arena(Emit *e, int64_t frame) { return keyed_slot(e, arena_key(frame)); }
LLVMValueRef launch_symbol(Emit *e, const Dim *symbol) { return keyed_slot(e, symbol); }

LLVMValueRef launch_scalar(Emit *e, const Value *value) {
    return has_slot(e->launch, value) ? keyed_slot(e, value) : NULL;
}

/* --- places whose offsets are sums over products of sizes */
/* The term with the coefficient 1; NULL where that isn't representable. */
static const Dim *monomial_of(Emit *e, const DimTerm *term) {
    const Dim *product = dim_const(e->ir, 1);
    for (uint32_t i = 0; i < term->count; i++) {
        const DimAtom *atom = &term->atoms[i];
        const Dim *base =
            atom->symbol ? atom->symbol : dim_floordiv(e->ir, atom->numerator, atom->denominator);
        for (uint32_t p = 0; p < atom->power && product; p++) product = dim_mul(e->ir, product, base);
    }
    return product;
}

static void note_monomial(Emit *e, int64_t frame, const Dim *monomial) {
    Launch *launch = e->launch;
    Monomials *list = map_get(launch->monomials, arena_key(frame));
    if (!list) {
        list = ARENA_NEW(launch->arena, Monomials);
        map_put(launch->monomials, arena_key(frame), list);
    }
    for (uint32_t i = 0; i < list->count; i++)
        if (list->at[i] == monomial) return;
    vec_push(launch->arena, list, monomial);
}

static void note_place(Emit *e, const Value *value) {
    const DimTerm *terms;
    if (value->place.frame < 0 || dim_is_const(value->place.offset, NULL)) return;
    uint32_t count = dim_terms(value->place.offset, &terms);
    for (uint32_t i = 0; i < count; i++) {
        const Dim *monomial = terms[i].count ? monomial_of(e, &terms[i]) : NULL;
        if (monomial) note_monomial(e, value->place.frame, monomial);
    }
}

static void note_places(void *user, Node *node) {
    for (uint32_t i = 0; i < node->result_count; i++) note_place(user, node->results[i]);
    for (uint32_t k = 0; k < node->block_count; k++)
        for (uint32_t i = 0; i < node->blocks[k]->params.count; i++)
            note_place(user, node->blocks[k]->params.at[i]);
}

void launch_opened(Emit *e, int64_t frame) {
    const Monomials *list = map_get(e->launch->monomials, arena_key(frame));
    for (uint32_t i = 0; list && i < list->count; i++)
        LLVMBuildStore(e->builder, emit_dim(e, list->at[i]), keyed_slot(e, list->at[i]));
}

/* --- sums */
static bool fits(int64_t number) { return number >= -LIMIT && number < LIMIT; }

/* The slot's value plus `offset`, or in a product times that, and so many products. */
static void add_word(Sum *sum, uint32_t slot, int64_t offset, uint32_t terms) {
    sum->words[sum->count++] = (int64_t)((uint64_t)offset << SHIFT | slot << TERM_BITS | terms);
}

static uint32_t simple_sum(Emit *e, uint32_t slot, int64_t offset) {
    Sum sum = {.count = 0};
    add_word(&sum, slot, offset, 0);
    return launch_tables_words(e->launch->tables, sum.count, sum.words);
}

static bool is_simple(Emit *e, const Dim *offset) {
    const DimTerm *terms;
    uint32_t count = dim_terms(offset, &terms);
    if (count > MAX_TERMS) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!fits(terms[i].coefficient) || !monomial_of(e, &terms[i])) return false;
    return true;
}

static uint32_t place_sum(Emit *e, const Value *value) {
    const DimTerm *terms;
    uint32_t count = dim_terms(value->place.offset, &terms), products = 0;
    int64_t constant = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (terms[i].count)
            products++;
        else
            constant = terms[i].coefficient;
    }
    Launch *launch = e->launch;
    Sum sum = {.count = 0};
    add_word(&sum, number_of(launch, arena_key(value->place.frame)), constant, products);
    for (uint32_t i = 0; i < count; i++)
        if (terms[i].count)
            add_word(&sum, number_of(launch, monomial_of(e, &terms[i])), terms[i].coefficient, 0);
    return launch_tables_words(launch->tables, sum.count, sum.words);
}

/* Is the scalar a constant of this type in memory? Then `*bits` is what a word with it holds. */
static bool is_constant(const Value *value, int64_t *bits) {
    const Node *node = value->node;
    if (!node || node->op != OP_const) return false;
    double number = dtype_is_float(value->type->dtype) ? node_attr(node, ATTR_value)->number : 0;
    float single = (float)number;
    *bits = 0;
    switch ((int)value->type->dtype) {
    case DTYPE_f64: memcpy(bits, &number, sizeof number); return true;
    case DTYPE_f32: memcpy(bits, &single, sizeof single); return true;
    case DTYPE_i64: *bits = node_int(node, ATTR_ivalue); return true;
    default: return false;
    }
}

/* From the first call on that takes a scalar by address, it lives in a slot. */
static uint32_t scalar_sum(Emit *e, Value *value) {
    Launch *launch = e->launch;
    int64_t bits;
    if (is_constant(value, &bits)) {
        uint32_t word = launch_tables_words(launch->tables, 1, &bits);
        return simple_sum(e, number_of_given(e, launch_tables_sums(launch->tables)), 8 * (int64_t)word);
    }
    LLVMValueRef memory = map_get(e->values, value);
    if (memory && !has_slot(launch, value)) {
        LLVMValueRef slot = keyed_slot(e, value);
        LLVMReplaceAllUsesWith(memory, slot);
        LLVMInstructionEraseFromParent(memory);
        map_put(e->values, value, slot);
    }
    return simple_sum(e, number_of_given(e, launch->slots), 8 * (int64_t)number_of(launch, value));
}

static uint32_t value_sum(Emit *e, Value *value) {
    if (value->type->rank == 0) return scalar_sum(e, value);
    if (value->place.frame >= 0 && is_simple(e, value->place.offset)) return place_sum(e, value);
    return simple_sum(e, slot_of(e, emit_pointer(e, value)), 0);
}

/* --- scripts */
static void add_number(Launch *launch, uint64_t number) {
    for (; number > 127; number >>= 7) vec_push(launch->arena, &launch->script, (char)(number | 128));
    vec_push(launch->arena, &launch->script, (char)number);
}

static void add_quantity(Emit *e, LLVMValueRef number) {
    if (LLVMIsAConstantInt(number))
        add_number(e->launch, 2 * LLVMConstIntGetZExtValue(number));
    else
        add_number(e->launch, 2 * (uint64_t)slot_of(e, number) + 1);
}

static uint32_t argument_sum(Emit *e, const LaunchArgument *argument) {
    Launch *launch = e->launch;
    if (argument->value) return value_sum(e, argument->value);
    if (argument->symbol) return simple_sum(e, number_of(launch, argument->symbol), 0);
    uint32_t words = (argument->workspace + 7) / 8;
    if (words > launch->workspace_count) launch->workspace_count = words;
    return simple_sum(e, number_of_given(e, launch->workspace), 0);
}

void launch_kernel(Emit *e, const char *kernel, LLVMValueRef chunks, uint32_t count,
                   const LaunchArgument *arguments) {
    Launch *launch = e->launch;
    if (LLVMIsAConstantInt(chunks) && LLVMConstIntGetSExtValue(chunks) <= 0) return;
    add_number(launch, SCRIPT_KERNEL + launch_tables_kernel(e, kernel));
    add_number(launch, count);
    add_quantity(e, chunks);
    for (uint32_t i = 0; i < count; i++) add_number(launch, argument_sum(e, &arguments[i]));
    if (count > launch->argument_count) launch->argument_count = count;
}

void launch_copy(Emit *e, Value *to, Value *from, LLVMValueRef bytes) {
    add_number(e->launch, SCRIPT_COPY);
    add_quantity(e, bytes);
    add_number(e->launch, value_sum(e, to));
    add_number(e->launch, value_sum(e, from));
}

/* A constant text; NULL for what is none. */
static const char *constant_text(const Value *value) {
    bool is_text = value->node && value->node->op == OP_const && value->type->dtype == DTYPE_str;
    return is_text ? node_str(value->node, ATTR_text) : NULL;
}

bool launch_can_check(const Node *node) {
    const Node *maker = node->operands[0]->node;
    bool says_enough =
        node->operand_count == 1 || (node->operand_count == 2 && constant_text(node->operands[1]));
    return says_enough && maker && maker->op == OP_kernel;
}

void launch_check(Emit *e, const Node *node) {
    const char *name = node->operand_count > 1 ? constant_text(node->operands[1]) : NULL;
    add_number(e->launch, SCRIPT_CHECK);
    add_number(e->launch, value_sum(e, node->operands[0]));
    add_number(e->launch,
               launch_tables_check(e, e->launch->tables, node->loc, node_str(node, ATTR_text), name));
}

bool launch_waits(const Emit *e) { return e->launch->script.count > 0; }

void launch_flush(Emit *e) {
    Launch *launch = e->launch;
    if (launch->script.count == 0) return;
    add_number(launch, SCRIPT_END);
    LLVMValueRef script = LLVMConstStringInContext2(e->llvm, launch->script.at, launch->script.count, true);
    LLVMValueRef arguments[] = {e->rt, launch_tables_address(launch->tables),
                                host_constant(e, script, "script"), launch->slots, launch->arguments};
    emit_runtime_call(e, "nn_launch", 5, arguments);
    launch->script.count = 0;
}

void launch_describe(Emit *e, LLVMValueRef out, uint32_t count, Value *const *values,
                     const char *const *names) {
    LaunchTables *tables = e->launch->tables;
    uint32_t *sums = ARENA_ARRAY(e->arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) sums[i] = value_sum(e, values[i]);
    LLVMValueRef arguments[] = {out, launch_tables_patterns(e, tables, count, values, names, sums),
                                emit_i64(e, count), launch_tables_sums(tables), e->launch->slots};
    emit_runtime_call(e, "nn_describe", 5, arguments);
}

void launch_open(Emit *e, const Function *function) {
    Launch *launch = ARENA_NEW(e->arena, Launch);
    *launch = (Launch){.arena = e->arena,
                       .pointers = map_new(e->arena),
                       .numbers = map_new(e->arena),
                       .monomials = map_new(e->arena),
                       .tables = launch_tables_new(e)};
    take_memory(e, launch);
    e->launch = launch;
    block_walk(function->body, note_places, e);
}

void launch_close(Emit *e) {
    set_sizes(e, e->launch);
    launch_tables_emit(e, e->launch->tables);
    e->launch = NULL;
}
