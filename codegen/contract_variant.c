/* The tiles for what is left over, from sizes. */
#include "codegen/contract_variant.h"
#include <assert.h>

static void add_variant(Variants *variants, uint32_t tile, int64_t bound, bool exact) {
    uint32_t at = variants->count;
    for (uint32_t i = 0; i < variants->count; i++)
        if (variants->at[i].bound == bound && variants->at[i].exact) return;
    for (; at > 0 && variants->at[at - 1].bound > bound; at--) variants->at[at] = variants->at[at - 1];
    assert(variants->count < MAX_VARIANTS);
    variants->at[at] = (Variant){tile, bound, exact};
    variants->count++;
}

/* What tiles of `tile` units leave over of `size` units: exactly that where it is known. `unit` is rows (1)
 * or lanes. */
static void add_exact(Variants *variants, int64_t size, uint32_t tile, uint32_t unit) {
    int64_t width = (int64_t)tile * unit;
    if (size >= width) add_variant(variants, tile, width, true);
    if (size % width) add_variant(variants, (uint32_t)((size % width + unit - 1) / unit), size % width, true);
}

Variants variants_of(Size size, int64_t chunk, uint32_t tile, uint32_t unit, bool masked) {
    Variants variants = {.count = 0};
    int64_t width = (int64_t)tile * unit;
    if (size.known) {
        if (chunk && size.constant >= chunk) add_exact(&variants, chunk, tile, unit);
        add_exact(&variants, chunk ? size.constant % chunk : size.constant, tile, unit);
        return variants;
    }
    if (masked) add_variant(&variants, tile, width, true);
    if (masked && width > 1) add_variant(&variants, tile, width - 1, false);
    if (!masked) add_variant(&variants, tile, width, false);
    if (tile > 1) add_variant(&variants, 1, unit, false);
    if (tile > 3) add_variant(&variants, tile / 2, (int64_t)(tile / 2) * unit, false);
    return variants;
}

Variants variants_of_rows(Emit *e, const Product *p) {
    const ContractSchedule *plan = &p->plan;
    if (plan->row_run) return variants_of(size_known(e, plan->row_run), 0, plan->rows, 1, false);
    return variants_of(p->row_count, plan->chunk_rows, plan->rows, 1, false);
}
