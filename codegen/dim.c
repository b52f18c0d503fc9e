/* Run-time values of dimensions. Functions of commands check that they stay within 64 bits, and stop the
 * program where one doesn't: wrapped sizes would allocate too little. Kernels rely on that: what they compute
 * is a part of it. */
#include "codegen/elementwise.h"
#include "codegen/host.h"
#include <assert.h>
#include <string.h>

/* The sum or product of two numbers; ors into *wrapped whether it leaves 64 bits. */
static LLVMValueRef arithmetic(Emit *e, bool product, LLVMValueRef x, LLVMValueRef y, LLVMValueRef *wrapped) {
    LLVMBuilderRef b = e->builder;
    if (!e->dims->node) return product ? LLVMBuildMul(b, x, y, "") : LLVMBuildAdd(b, x, y, "");
    LLVMTypeRef type = LLVMInt64TypeInContext(e->llvm);
    const char *name = product ? "llvm.smul.with.overflow" : "llvm.sadd.with.overflow";
    LLVMValueRef both = emit_intrinsic(e, name, 1, &type, 2, (LLVMValueRef[]){x, y});
    LLVMValueRef now = LLVMBuildExtractValue(b, both, 1, "");
    *wrapped = *wrapped ? LLVMBuildOr(b, *wrapped, now, "") : now;
    return LLVMBuildExtractValue(b, both, 0, "");
}

/* Rounds towards minus infinity. A divisor counts as at least 1: the polynomial is meaningless otherwise, but
 * must not trap. */
static LLVMValueRef emit_floordiv(Emit *e, const Dim *numerator, const Dim *denominator) {
    LLVMBuilderRef b = e->builder;
    LLVMValueRef zero = emit_i64(e, 0), one = emit_i64(e, 1);
    LLVMValueRef n = emit_dim(e, numerator), d = emit_dim(e, denominator);
    if (!dim_is_const(denominator, NULL)) {
        LLVMValueRef positive = LLVMBuildICmp(b, LLVMIntSGT, d, zero, "");
        d = LLVMBuildSelect(b, positive, d, one, "");
    }
    LLVMValueRef quotient = LLVMBuildSDiv(b, n, d, ""), rest = LLVMBuildSRem(b, n, d, "");
    LLVMValueRef signs = LLVMBuildXor(b, rest, d, "");
    LLVMValueRef below = LLVMBuildAnd(b, LLVMBuildICmp(b, LLVMIntNE, rest, zero, ""),
                                      LLVMBuildICmp(b, LLVMIntSLT, signs, zero, ""), "");
    return LLVMBuildSub(b, quotient, LLVMBuildZExt(b, below, LLVMTypeOf(n), ""), "");
}

static LLVMValueRef symbol_value(Emit *e, const Dim *symbol) {
    LLVMValueRef value = map_get(e->dims->symbols, symbol);
    assert(value && "the symbol has a value here");
    return e->dims->node ? LLVMBuildLoad2(e->builder, LLVMInt64TypeInContext(e->llvm), value, "") : value;
}

static LLVMValueRef emit_atom(Emit *e, const DimAtom *atom, LLVMValueRef *wrapped) {
    LLVMValueRef base =
        atom->symbol ? symbol_value(e, atom->symbol) : emit_floordiv(e, atom->numerator, atom->denominator);
    LLVMValueRef power = base;
    for (uint32_t i = 1; i < atom->power; i++) power = arithmetic(e, true, power, base, wrapped);
    return power;
}

static LLVMValueRef emit_term(Emit *e, const DimTerm *term, LLVMValueRef *wrapped) {
    LLVMValueRef product = NULL, coefficient = emit_i64(e, term->coefficient);
    for (uint32_t k = 0; k < term->count; k++) {
        LLVMValueRef atom = emit_atom(e, &term->atoms[k], wrapped);
        product = product ? arithmetic(e, true, product, atom, wrapped) : atom;
    }
    if (!product || term->coefficient == 1) return product ? product : coefficient;
    return arithmetic(e, true, product, coefficient, wrapped);
}

/* A size that was worked out before on every way to here. */
typedef struct KnownDim {
    const Dim *dim;
    LLVMValueRef value;
    const struct KnownDim *next;
} KnownDim;

static LLVMValueRef known_value(const Emit *e, const Dim *dim) {
    for (const KnownDim *known = e->dims->known; known; known = known->next)
        if (known->dim == dim) return known->value;
    return NULL;
}

/* Without the numbers that tell symbols of one name apart: `n` for `n.1`. */
static const char *text_of(Emit *e, const Dim *dim) {
    char *text = arena_strdup(e->arena, dim_text(e->ir, dim)), *to = text;
    for (const char *from = text; *from; from++) {
        if (*from == '.')
            from += strspn(from + 1, "0123456789");
        else
            *to++ = *from;
    }
    *to = '\0';
    return text;
}

LLVMValueRef emit_dim(Emit *e, const Dim *dim) {
    LLVMValueRef sum = known_value(e, dim), wrapped = NULL;
    if (sum) return sum;
    const DimTerm *terms;
    uint32_t count = dim_terms(dim, &terms);
    for (uint32_t i = 0; i < count; i++) {
        LLVMValueRef term = emit_term(e, &terms[i], &wrapped);
        sum = sum ? arithmetic(e, false, sum, term, &wrapped) : term;
    }
    if (!sum) return emit_i64(e, 0);
    if (!wrapped) return sum;
    const char *text = arena_printf(e->arena, "the size %s is too large for 64 bits", text_of(e, dim));
    host_require(e, LLVMBuildNot(e->builder, wrapped, ""), e->dims->node, text, 0, NULL);
    if (e->resume) return sum; /* there are ways to everywhere on which nothing was worked out */
    KnownDim *known = ARENA_NEW(e->arena, KnownDim);
    *known = (KnownDim){dim, sum, e->dims->known};
    e->dims->known = known;
    return sum;
}
