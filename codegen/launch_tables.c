/* The constants that a command's scripts and patterns refer to: see launch_tables.h. Texts are known by their
 * distance from the table, which needs no relocation when the program starts. */
#include "codegen/launch_tables.h"
#include "codegen/host.h"
#include "codegen/kernel.h"
#include "support/intern.h"
#include "support/vec.h"
#include <assert.h>

enum { DTYPE_SHIFT = 4, DIMS_SHIFT = 8 };

typedef struct {
    Loc loc;
    LLVMValueRef text, name;
} Check;

typedef struct {
    const char *name;
    uint32_t data, shape;
} Pattern;

typedef struct {
    const Pattern *at;
    uint32_t count;
    LLVMValueRef array;
} PatternList;

struct LaunchTables {
    Arena *arena;
    LLVMValueRef address, sums; /* stand for what does not exist yet */
    VEC(int64_t) words;
    Strings *lists; /* runs of words, as bytes, … */
    Map *numbers;   /* … → the number of the first + 1 */
    VEC(Check) checks;
    VEC(PatternList) patterns;
};

typedef struct KernelTable {
    LLVMValueRef address; /* stands for it */
    Map *numbers;         /* name of a function → its number + 1 */
    VEC(LLVMValueRef) kernels;
} KernelTable;

static LLVMValueRef placeholder(Emit *e, const char *name) {
    return LLVMAddGlobal(e->module, host_pointer_type(e), name);
}

static void replace(LLVMValueRef stand_in, LLVMValueRef value) {
    LLVMReplaceAllUsesWith(stand_in, value);
    LLVMDeleteGlobal(stand_in);
}

LaunchTables *launch_tables_new(Emit *e) {
    LaunchTables *tables = ARENA_NEW(e->arena, LaunchTables);
    *tables = (LaunchTables){.arena = e->arena,
                             .address = placeholder(e, "tables"),
                             .sums = placeholder(e, "sums"),
                             .lists = strings_new(e->arena),
                             .numbers = map_new(e->arena)};
    return tables;
}

LLVMValueRef launch_tables_address(const LaunchTables *tables) { return tables->address; }
LLVMValueRef launch_tables_sums(const LaunchTables *tables) { return tables->sums; }

/* --- words */
uint32_t launch_tables_words(LaunchTables *tables, uint32_t count, const int64_t *words) {
    const char *list = intern_n(tables->lists, (const char *)words, count * sizeof *words);
    uintptr_t number = (uintptr_t)map_get(tables->numbers, list);
    if (number) return (uint32_t)number - 1;
    uint32_t first = tables->words.count;
    for (uint32_t i = 0; i < count; i++) vec_push(tables->arena, &tables->words, words[i]);
    map_put(tables->numbers, list, (void *)(uintptr_t)(first + 1));
    return first;
}

static LLVMValueRef sums_constant(Emit *e, const LaunchTables *tables) {
    uint32_t count = tables->words.count;
    LLVMValueRef *words = ARENA_ARRAY(e->arena, LLVMValueRef, count + 1);
    for (uint32_t i = 0; i < count; i++) words[i] = emit_i64(e, tables->words.at[i]);
    return host_constant(e, LLVMConstArray2(LLVMInt64TypeInContext(e->llvm), words, count), "sums");
}

/* --- texts */
static LLVMValueRef distance(Emit *e, LLVMValueRef to, LLVMValueRef from) {
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->llvm);
    if (LLVMIsNull(to)) return host_i32(e, 0);
    LLVMValueRef bytes = LLVMConstSub(LLVMConstPtrToInt(to, i64), LLVMConstPtrToInt(from, i64));
    return LLVMConstTrunc(bytes, LLVMInt32TypeInContext(e->llvm));
}

/* An array of records of so many i32, still zero. */
static LLVMValueRef new_records(Emit *e, LLVMTypeRef record, uint32_t count, const char *name) {
    return host_constant(e, LLVMConstNull(LLVMArrayType2(record, count)), name);
}

static LLVMTypeRef record_type(Emit *e, uint32_t members) {
    LLVMTypeRef types[8];
    assert(members <= 8);
    for (uint32_t i = 0; i < members; i++) types[i] = LLVMInt32TypeInContext(e->llvm);
    return LLVMStructTypeInContext(e->llvm, types, members, false);
}

/* --- checks */
uint32_t launch_tables_check(Emit *e, LaunchTables *tables, Loc loc, const char *text, const char *name) {
    Check check = {loc, host_text(e, text), host_text(e, name)};
    vec_push(tables->arena, &tables->checks, check);
    return tables->checks.count - 1;
}

static LLVMValueRef check_record(Emit *e, const Check *check, LLVMValueRef array) {
    LLVMValueRef members[] = {distance(e, host_text(e, check->loc.file), array), host_i32(e, check->loc.line),
                              host_i32(e, check->loc.column), distance(e, check->text, array),
                              distance(e, check->name, array)};
    return LLVMConstStructInContext(e->llvm, members, 5, false);
}

static LLVMValueRef checks_constant(Emit *e, const LaunchTables *tables) {
    uint32_t count = tables->checks.count;
    if (count == 0) return LLVMConstNull(host_pointer_type(e));
    LLVMTypeRef type = record_type(e, 5);
    LLVMValueRef array = new_records(e, type, count, "checks");
    LLVMValueRef *records = ARENA_ARRAY(e->arena, LLVMValueRef, count);
    for (uint32_t i = 0; i < count; i++) records[i] = check_record(e, &tables->checks.at[i], array);
    LLVMSetInitializer(array, LLVMConstArray2(type, records, count));
    return array;
}

/* --- patterns */
static uint32_t dims_number(LaunchTables *tables, const Type *type) {
    int64_t dims[MAX_RANK];
    for (uint32_t i = 0; i < type->rank; i++)
        if (!dim_is_const(type->dims[i], &dims[i])) return 0;
    return type->rank ? launch_tables_words(tables, type->rank, dims) : 0;
}

static Pattern pattern_of(LaunchTables *tables, const char *name, const Type *type, uint32_t data) {
    uint32_t dims = dims_number(tables, type);
    assert(dims < 1u << (32 - DIMS_SHIFT));
    uint32_t shape = dims << DIMS_SHIFT | (uint32_t)type->dtype << DTYPE_SHIFT | type->rank;
    return (Pattern){name, data, shape};
}

static bool equal_patterns(const Pattern *a, const Pattern *b, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (a[i].name != b[i].name || a[i].data != b[i].data || a[i].shape != b[i].shape) return false;
    return true;
}

static LLVMValueRef patterns_constant(Emit *e, const Pattern *patterns, uint32_t count) {
    LLVMTypeRef type = record_type(e, 3);
    LLVMValueRef array = new_records(e, type, count, "patterns");
    LLVMValueRef *records = ARENA_ARRAY(e->arena, LLVMValueRef, count);
    for (uint32_t i = 0; i < count; i++) {
        const Pattern *p = &patterns[i];
        LLVMValueRef members[] = {distance(e, host_text(e, p->name), array), host_i32(e, p->data),
                                  host_i32(e, p->shape)};
        records[i] = LLVMConstStructInContext(e->llvm, members, 3, false);
    }
    LLVMSetInitializer(array, LLVMConstArray2(type, records, count));
    return array;
}

LLVMValueRef launch_tables_patterns(Emit *e, LaunchTables *tables, uint32_t count, Value *const *values,
                                    const char *const *names, const uint32_t *sums) {
    Pattern *patterns = ARENA_ARRAY(tables->arena, Pattern, count);
    for (uint32_t i = 0; i < count; i++)
        patterns[i] = pattern_of(tables, names ? names[i] : NULL, values[i]->type, sums[i]);
    /* What is saved is read back by the same ones. */
    for (uint32_t i = 0; i < tables->patterns.count; i++) {
        const PatternList *list = &tables->patterns.at[i];
        if (list->count == count && equal_patterns(list->at, patterns, count)) return list->array;
    }
    PatternList list = {patterns, count, patterns_constant(e, patterns, count)};
    vec_push(tables->arena, &tables->patterns, list);
    return list.array;
}

/* --- kernels */
static KernelTable *kernel_table(Emit *e) {
    if (e->kernel_table) return e->kernel_table;
    KernelTable *table = e->kernel_table = ARENA_NEW(e->arena, KernelTable);
    table->address = placeholder(e, "kernels");
    table->numbers = map_new(e->arena);
    return table;
}

uint32_t launch_tables_kernel(Emit *e, const char *name) {
    KernelTable *table = kernel_table(e);
    uintptr_t number = (uintptr_t)map_get(table->numbers, name);
    if (number) return (uint32_t)number - 1;
    vec_push(e->arena, &table->kernels, kernel_function(e, name));
    map_put(table->numbers, name, (void *)(uintptr_t)table->kernels.count);
    return table->kernels.count - 1;
}

void launch_tables_emit_kernels(Emit *e) {
    const KernelTable *table = e->kernel_table;
    if (!table) return;
    LLVMValueRef kernels = LLVMConstArray2(host_pointer_type(e), table->kernels.at, table->kernels.count);
    replace(table->address, host_constant(e, kernels, "kernels"));
}

void launch_tables_emit(Emit *e, LaunchTables *tables) {
    LLVMValueRef sums = sums_constant(e, tables);
    LLVMValueRef members[] = {kernel_table(e)->address, sums, checks_constant(e, tables)};
    replace(tables->sums, sums);
    replace(tables->address,
            host_constant(e, LLVMConstStructInContext(e->llvm, members, 3, false), "tables"));
}
