/* See transpose_tile.h: one routine for each size of a square. */
#include "codegen/transpose_tile.h"
#include "codegen/contract_size.h"
#include "codegen/routine.h"
#include "codegen/transpose.h"
#include "codegen/vector.h"

enum { SOURCE, TARGET, SOURCE_STRIDE, TARGET_STRIDE, SQUARES, PARAMETERS };

typedef struct {
    const Transposition *t;
    const LLVMValueRef *parameters;
} Squares;

static LLVMValueRef row_at(Emit *e, const Squares *s, uint32_t which, LLVMValueRef row) {
    LLVMValueRef offset =
        offset_multiply(e, row, s->parameters[which == SOURCE ? SOURCE_STRIDE : TARGET_STRIDE]);
    return vector_at(e, s->t->element, s->parameters[which], offset);
}

static void square(Emit *e, LLVMValueRef number, void *user) {
    const Squares *s = user;
    const Transposition *t = s->t;
    LLVMValueRef row[VECTOR_MAX_LANES], place = offset_multiply(e, number, emit_i64(e, t->lanes));
    for (uint32_t r = 0; r < t->lanes; r++) {
        LLVMValueRef at = vector_at(e, t->element, row_at(e, s, SOURCE, emit_i64(e, r)), place);
        row[r] = r < t->rows ? vector_load(e, t->element, at, t->lanes)
                             : LLVMGetPoison(emit_lanes(t->element, t->lanes));
    }
    transpose_lanes(e, row, t->lanes);
    for (uint32_t c = 0; c < t->lanes; c++)
        vector_store(e, row[c], row_at(e, s, TARGET, offset_add(e, place, emit_i64(e, c))));
}

static void squares_body(Emit *e, const LLVMValueRef *parameters, const void *user) {
    Squares s = {user, parameters};
    emit_loop(e, emit_i64(e, 0), parameters[SQUARES], 1, "square", square, &s);
}

void transpose_squares(Emit *e, const Transposition *t) {
    Transposition whole = *t;
    /* Half a square takes half the shuffles; other sizes aren't worth code of their own. */
    whole.rows = t->rows <= t->lanes / 2 ? t->lanes / 2 : t->lanes;
    char *element = LLVMPrintTypeToString(t->element);
    const char *name = arena_printf(e->arena, "transpose.%s.%u.%u", element, t->lanes, whole.rows);
    LLVMDisposeMessage(element);
    LLVMValueRef arguments[PARAMETERS] = {[SOURCE] = t->source,
                                          [TARGET] = t->target,
                                          [SOURCE_STRIDE] = emit_i64(e, t->source_stride),
                                          [TARGET_STRIDE] = emit_i64(e, t->target_stride),
                                          [SQUARES] = emit_i64(e, t->squares)};
    routine_call(e, name, PARAMETERS, arguments, squares_body, &whole);
}
