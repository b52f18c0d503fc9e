/* Calls of kernels from a host function, as data: what would be some instructions for each argument of each
 * call is a list of numbers that nn_launch reads (nnrt.h says how), one list for calls that follow each
 * other. So a network of many layers takes little more of LLVM's time than one of few.
 *
 * All that arguments are computed from is in one array of slots: the arenas' pointers, sizes, the products of
 * sizes that occur in places, and scalars that kernels read or compute. Behind it lie the arguments and the
 * workspace, which all calls share. */
#include "codegen/launch.h"
#include "codegen/host.h"
#include "codegen/kernel.h"
#include "ir/graph.h"
#include "support/vec.h"
#include <assert.h>

enum { TERM_BITS = 4, SLOT_BITS = 20, SHIFT = TERM_BITS + SLOT_BITS, MAX_TERMS = (1 << TERM_BITS) - 1 };
static const int64_t LIMIT = INT64_C(1) << (63 - SHIFT); /* of what is shifted, either way */

typedef VEC(const Dim *) Monomials;

typedef struct Launch {
    Arena *arena;
    LLVMValueRef slots, arguments, workspace;             /* pointers */
    uint32_t slot_count, argument_count, workspace_count; /* words */
    Map *pointers;                                        /* key → LLVMValueRef, pointer to its slot */
    Map *numbers;                                         /* key → its slot's number + 1 */
    Map *monomials;                                       /* key of an arena → Monomials * */
    VEC(LLVMValueRef) words;                              /* of calls that wait */
    int64_t calls;
} Launch;

typedef struct LaunchTable {
    LLVMValueRef placeholder;
    Map *numbers; /* name of a function → its number + 1 */
    VEC(LLVMValueRef) kernels;
} LaunchTable;

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
/* A new one, which is there from the entry on, with `value` in it unless that is NULL: a pointer to it. */
static LLVMValueRef new_slot(Emit *e, LLVMValueRef value, uint32_t *number) {
    Launch *launch = e->launch;
    LLVMMetadataRef loc = LLVMGetCurrentDebugLocation2(e->builder);
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->builder);
    LLVMValueRef next = LLVMGetNextInstruction(launch->workspace);
    if (next)
        LLVMPositionBuilderBefore(e->builder, next);
    else
        LLVMPositionBuilderAtEnd(e->builder, LLVMGetInstructionParent(launch->workspace));
    LLVMSetCurrentDebugLocation2(e->builder, NULL);
    *number = launch->slot_count++;
    assert(*number < 1u << SLOT_BITS);
    LLVMValueRef pointer = words_from(e, launch->slots, *number, "");
    if (value) LLVMBuildStore(e->builder, value, pointer);
    LLVMPositionBuilderAtEnd(e->builder, here);
    LLVMSetCurrentDebugLocation2(e->builder, loc);
    return pointer;
}

static LLVMValueRef keyed_slot(Emit *e, const void *key, LLVMValueRef value) {
    LLVMValueRef pointer = map_get(e->launch->pointers, key);
    if (pointer) return pointer;
    uint32_t number;
    pointer = new_slot(e, value, &number);
    map_put(e->launch->pointers, key, pointer);
    map_put(e->launch->numbers, key, (void *)(uintptr_t)(number + 1));
    return pointer;
}

static uint32_t number_of(Emit *e, const void *key, LLVMValueRef value) {
    keyed_slot(e, key, value);
    return (uint32_t)(uintptr_t)map_get(e->launch->numbers, key) - 1;
}

/* A new slot that is given its value here. */
static uint32_t slot_of(Emit *e, LLVMValueRef value) {
    uint32_t number;
    LLVMValueRef pointer = new_slot(e, NULL, &number);
    LLVMBuildStore(e->builder, value, pointer);
    return number;
}

LLVMValueRef launch_arena(Emit *e, int64_t frame) { return keyed_slot(e, arena_key(frame), NULL); }
LLVMValueRef launch_symbol(Emit *e, const Dim *symbol) { return keyed_slot(e, symbol, NULL); }

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
        LLVMBuildStore(e->builder, emit_dim(e, list->at[i]), keyed_slot(e, list->at[i], NULL));
}

/* --- words */
static void add_word(Emit *e, int64_t word) {
    vec_push(e->launch->arena, &e->launch->words, emit_i64(e, word));
}

static bool fits(int64_t number) { return number >= -LIMIT && number < LIMIT; }

/* The slot's value plus `offset`, and so many terms, which follow. */
static void add_argument(Emit *e, uint32_t slot, int64_t offset, uint32_t terms) {
    add_word(e, (int64_t)((uint64_t)offset << SHIFT | slot << TERM_BITS | terms));
}

static bool is_simple(Emit *e, const Dim *offset) {
    const DimTerm *terms;
    uint32_t count = dim_terms(offset, &terms);
    if (count > MAX_TERMS) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!fits(terms[i].coefficient) || !monomial_of(e, &terms[i])) return false;
    return true;
}

static void add_place(Emit *e, const Value *value) {
    const DimTerm *terms;
    uint32_t count = dim_terms(value->place.offset, &terms), products = 0;
    int64_t constant = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (terms[i].count)
            products++;
        else
            constant = terms[i].coefficient;
    }
    add_argument(e, number_of(e, arena_key(value->place.frame), NULL), constant, products);
    for (uint32_t i = 0; i < count; i++)
        if (terms[i].count)
            add_argument(e, number_of(e, monomial_of(e, &terms[i]), NULL), terms[i].coefficient, 0);
}

/* From the first call on that takes a scalar by address, it lives in a slot. */
static void add_scalar(Emit *e, Value *value) {
    Launch *launch = e->launch;
    LLVMValueRef memory = emit_pointer(e, value);
    if (!map_get(launch->numbers, value)) {
        LLVMValueRef slot = keyed_slot(e, value, NULL);
        LLVMReplaceAllUsesWith(memory, slot);
        LLVMInstructionEraseFromParent(memory);
        map_put(e->values, value, slot);
    }
    add_argument(e, number_of(e, launch->slots, launch->slots), 8 * (int64_t)number_of(e, value, NULL), 0);
}

static void add_value(Emit *e, Value *value) {
    if (value->place.frame >= 0 && value->type->rank > 0 && is_simple(e, value->place.offset)) {
        add_place(e, value);
        return;
    }
    if (value->type->rank == 0)
        add_scalar(e, value);
    else
        add_argument(e, slot_of(e, emit_pointer(e, value)), 0, 0);
}

static void add_launch_argument(Emit *e, const LaunchArgument *argument) {
    Launch *launch = e->launch;
    if (argument->value) {
        add_value(e, argument->value);
    } else if (argument->symbol) {
        add_argument(e, number_of(e, argument->symbol, NULL), 0, 0);
    } else {
        uint32_t words = (argument->workspace + 7) / 8;
        if (words > launch->workspace_count) launch->workspace_count = words;
        add_argument(e, number_of(e, launch->workspace, launch->workspace), 0, 0);
    }
}

/* --- calls */
/* The kernel's number in the program's table. */
static uint32_t kernel_number(Emit *e, const char *name) {
    LaunchTable *table = e->launch_table;
    if (!table) {
        table = e->launch_table = ARENA_NEW(e->arena, LaunchTable);
        table->placeholder = LLVMAddGlobal(e->module, host_pointer_type(e), "kernels");
        table->numbers = map_new(e->arena);
    }
    uintptr_t number = (uintptr_t)map_get(table->numbers, name);
    if (number) return (uint32_t)number - 1;
    vec_push(e->arena, &table->kernels, kernel_function(e, name));
    map_put(table->numbers, name, (void *)(uintptr_t)table->kernels.count);
    return table->kernels.count - 1;
}

void launch_kernel(Emit *e, const char *kernel, LLVMValueRef chunks, uint32_t count,
                   const LaunchArgument *arguments) {
    Launch *launch = e->launch;
    bool constant = LLVMIsAConstantInt(chunks);
    if (constant && LLVMConstIntGetSExtValue(chunks) <= 0) return;
    int64_t word = constant ? LLVMConstIntGetSExtValue(chunks) : ~(int64_t)slot_of(e, chunks);
    add_word(e, (int64_t)((uint64_t)count << 32 | kernel_number(e, kernel)));
    add_word(e, word);
    for (uint32_t i = 0; i < count; i++) add_launch_argument(e, &arguments[i]);
    if (count > launch->argument_count) launch->argument_count = count;
    launch->calls++;
}

/* The words as a constant; there are none then. */
static LLVMValueRef take_words(Emit *e, const char *name) {
    LLVMValueRef list = LLVMConstArray2(word_type(e), e->launch->words.at, e->launch->words.count);
    e->launch->words.count = 0;
    return host_constant(e, list, name);
}

void launch_flush(Emit *e) {
    Launch *launch = e->launch;
    if (launch->calls == 0) return;
    emit_runtime_call(e, "nn_launch", 6,
                      (LLVMValueRef[]){e->rt, e->launch_table->placeholder, emit_i64(e, launch->calls),
                                       take_words(e, "launch"), launch->slots, launch->arguments});
    launch->calls = 0;
}

void launch_describe(Emit *e, LLVMValueRef out, LLVMValueRef pattern, uint32_t count, Value *const *values) {
    assert(e->launch->words.count == 0);
    for (uint32_t i = 0; i < count; i++) add_value(e, values[i]);
    emit_runtime_call(
        e, "nn_describe", 5,
        (LLVMValueRef[]){out, pattern, emit_i64(e, count), take_words(e, "places"), e->launch->slots});
}

void launch_open(Emit *e, const Function *function) {
    Launch *launch = ARENA_NEW(e->arena, Launch);
    *launch = (Launch){.arena = e->arena,
                       .pointers = map_new(e->arena),
                       .numbers = map_new(e->arena),
                       .monomials = map_new(e->arena)};
    take_memory(e, launch);
    e->launch = launch;
    block_walk(function->body, note_places, e);
}

void launch_close(Emit *e) {
    set_sizes(e, e->launch);
    e->launch = NULL;
}

void launch_table(Emit *e) {
    LaunchTable *table = e->launch_table;
    if (!table) return;
    LLVMValueRef kernels = LLVMConstArray2(host_pointer_type(e), table->kernels.at, table->kernels.count);
    LLVMReplaceAllUsesWith(table->placeholder, host_constant(e, kernels, "kernels"));
    LLVMDeleteGlobal(table->placeholder);
}
