/* Where packing is emitted: as a routine that kernels share, what decides how it is done being known and the
 * rest parameters, or on the spot. */
#include "codegen/contract_pack.h"
#include "codegen/routine.h"
#include <stdlib.h>

/* Of a panel, in which k is in order. */
static void set_steps(Emit *e, Pack *pack) {
    Size to = size_known(e, 1);
    for (uint32_t i = pack->k_count; i-- > 0;) {
        pack->k[i].to = to;
        to = size_mul(e, to, pack->k[i].extent);
    }
}

static int64_t distance(const PackAxis *axis) { return llabs(axis->stride.constant); }

/* Memory is read in order, and what lies together is transposed together. */
static void sort_k(Pack *pack) {
    for (uint32_t i = 0; i < pack->k_count; i++)
        if (!pack->k[i].stride.known) return;
    for (uint32_t i = 1; i < pack->k_count; i++)
        for (uint32_t j = i; j > 0 && distance(&pack->k[j - 1]) < distance(&pack->k[j]); j--) {
            PackAxis axis = pack->k[j];
            pack->k[j] = pack->k[j - 1], pack->k[j - 1] = axis;
        }
}

/* Neighbouring axes of k that are one. */
static void merge_k(Emit *e, Pack *pack) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < pack->k_count; i++) {
        PackAxis inner = pack->k[i], *outer = kept ? &pack->k[kept - 1] : NULL;
        if (!outer || !size_continues(outer->stride, inner.stride, inner.extent) ||
            !size_continues(outer->to, inner.to, inner.extent)) {
            pack->k[kept++] = inner;
            continue;
        }
        outer->extent = size_mul(e, outer->extent, inner.extent);
        outer->stride = inner.stride, outer->to = inner.to;
    }
    pack->k_count = kept;
}

enum { SOURCE, TARGET, WIDTH, COLUMNS, COLUMN_STRIDE, APART, AXES };

static Size unless_one(Emit *e, Size size, LLVMValueRef parameter) {
    return size_is(size, 1) ? size_known(e, 1) : size_run_time(parameter);
}

static void pack_routine(Emit *e, const LLVMValueRef *parameters, const void *user) {
    Pack pack = *(const Pack *)user;
    pack.source = parameters[SOURCE], pack.target = parameters[TARGET];
    pack.columns = size_run_time(parameters[COLUMNS]);
    if (!size_is(pack.column_stride, 1)) pack.width = size_run_time(parameters[WIDTH]);
    if (!pack_picks(&pack)) pack.column_stride = unless_one(e, pack.column_stride, parameters[COLUMN_STRIDE]);
    if (!size_is(pack.apart, 0)) pack.apart = size_run_time(parameters[APART]);
    for (uint32_t i = 0; i < pack.k_count; i++) {
        pack.k[i].extent = size_run_time(parameters[AXES + 3 * i]);
        pack.k[i].stride = unless_one(e, pack.k[i].stride, parameters[AXES + 3 * i + 1]);
        pack.k[i].to = size_run_time(parameters[AXES + 3 * i + 2]);
    }
    pack_here(e, &pack);
}

static const char *routine_name(Emit *e, const Pack *pack) {
    char *memory = LLVMPrintTypeToString(pack->memory), *element = LLVMPrintTypeToString(pack->element);
    const char *name = arena_printf(e->arena, "pack.%s.%s.%u", memory, element, pack->lanes);
    LLVMDisposeMessage(memory);
    LLVMDisposeMessage(element);
    if (size_is(pack->column_stride, 1))
        name = arena_printf(e->arena, "%s.rows.%u", name, (unsigned)pack->width.constant);
    if (!size_is(pack->apart, 0)) name = arena_printf(e->arena, "%s.halves", name);
    if (pack_picks(pack))
        name = arena_printf(e->arena, "%s.every.%u", name, (unsigned)pack->column_stride.constant);
    for (uint32_t i = 0; i < pack->k_count; i++)
        name = arena_printf(e->arena, "%s.%s", name, size_is(pack->k[i].stride, 1) ? "one" : "k");
    bool transposes = !size_is(pack->column_stride, 1) && pack->k_count > 0 &&
                      size_is(pack->k[pack->k_count - 1].stride, 1);
    return transposes ? arena_printf(e->arena, "%s.%u", name, pack->run) : name;
}

void pack_panels(Emit *e, Pack *pack) {
    LLVMValueRef arguments[AXES + 3 * MAX_RANK] = {[SOURCE] = pack->source,
                                                   [TARGET] = pack->target,
                                                   [WIDTH] = pack->width.value,
                                                   [COLUMNS] = pack->columns.value,
                                                   [COLUMN_STRIDE] = pack->column_stride.value,
                                                   [APART] = pack->apart.value};
    set_steps(e, pack);
    sort_k(pack);
    merge_k(e, pack);
    Size extent = pack->k_count ? pack->k[pack->k_count - 1].extent : size_known(e, 1);
    pack->run = !extent.known ? 0 : (uint32_t)(extent.constant < pack->lanes ? extent.constant : pack->lanes);
    for (uint32_t i = 0; i < pack->k_count; i++) {
        arguments[AXES + 3 * i] = pack->k[i].extent.value;
        arguments[AXES + 3 * i + 1] = pack->k[i].stride.value;
        arguments[AXES + 3 * i + 2] = pack->k[i].to.value;
    }
    if (pack->written_out) {
        pack_here(e, pack);
        return;
    }
    routine_call(e, routine_name(e, pack), AXES + 3 * pack->k_count, arguments, pack_routine, pack);
}
