/* Why there is no derivative: what the user is told, with the place where the chain from x to y breaks. */
#include "passes/autodiff.h"
#include "passes/derive.h"
#include <string.h>

enum { MAX_LABELS = 3 };

static Span span_of(const Autodiff *ad, const Node *node) { return diagnostics_span(ad->diags, node->loc); }

/* How many letters of dotted names agree: "net.up" of "net.up.weight" and "net.up.bias". */
static size_t common_name(const char *a, size_t length, const char *b) {
    size_t agree = 0;
    for (size_t i = 0; i <= length; i++) {
        bool a_ends = i == length || a[i] == '.', b_ends = b[i] == 0 || b[i] == '.';
        if (a_ends && b_ends) agree = i;
        if (i == length || a[i] != b[i]) break;
    }
    return agree;
}

/* What is differentiated by, by name where it has one; a model by the beginning that its parameters' names
 * share. */
static const char *x_name(const Autodiff *ad) {
    const Value *x = ad->grad->operands[1];
    size_t length = x->name ? strlen(x->name) : 0;
    for (uint32_t k = 2; k < ad->grad->operand_count; k++) {
        const char *name = ad->grad->operands[k]->name;
        length = name ? common_name(x->name ? x->name : "", length, name) : 0;
    }
    if (length) return arena_printf(ad->scratch, "`%.*s`", (int)length, x->name);
    return "what it is differentiated by";
}

static void label_break(Diagnostic *d, const Autodiff *ad, const Node *node) {
    Span span = span_of(ad, node);
    if (node->op == OP_cast)
        diag_label(d, span, "a conversion to %s has no derivative",
                   dtype_name(node->results[0]->type->dtype));
    else if (node->op == OP_stop_gradient)
        diag_label(d, span,
                   "the chain ends here: no derivative passes `stop_gradient`, nor an optimizer's step: "
                   "`with_parameters` makes one that it passes");
    else
        diag_label(d, span, "no gradient flows through `%s`", op_name(node->op));
}

/* --- places where the chain breaks: y is computed from the result, but not differentiably */
typedef struct {
    const Autodiff *ad;
    const Map *live;
    Diagnostic *diagnostic;
    uint32_t found;
} Breaks;

static bool breaks_chain(const Breaks *b, const Node *node) {
    if (op_has(node->op, TRAIT_REGION) || (derive_rule(node->op) && node->op != OP_cast)) return false;
    bool reads = false, read = false;
    for (uint32_t k = 0; k < node->operand_count; k++) reads = reads || is_active(b->ad, node->operands[k]);
    for (uint32_t k = 0; k < node->result_count; k++)
        read = read || (map_get(b->live, node->results[k]) && !is_active(b->ad, node->results[k]));
    return reads && read;
}

static void find_break(void *user, Node *node) {
    Breaks *b = user;
    if (b->found == MAX_LABELS || !breaks_chain(b, node)) return;
    b->found++;
    label_break(b->diagnostic, b->ad, node);
}

void report_independent(Autodiff *ad) {
    Diagnostic *d = diag_report(ad->diags, D_GRAD_INDEPENDENT, span_of(ad, ad->grad), x_name(ad));
    Breaks breaks = {ad, live_values(ad->scratch, NULL, 1, ad->grad->operands), d, 0};
    block_walk(ad->grad->block->function->body, find_break, &breaks);
    if (breaks.found == 0) {
        diag_note(d, "nothing that it is computed from depends on it");
        diag_help(d, "the gradient is with respect to the value that a variable has here: compute what is "
                     "differentiated after the last assignment to it (`=`, `opt.step`, `load`)");
    }
    ad->failed = true;
}

void report_earlier(Autodiff *ad, const Value *carried) {
    Diagnostic *d = diag_report(ad->diags, D_GRAD_EARLIER, span_of(ad, ad->grad));
    const char *name = carried->name ? arena_printf(ad->scratch, "`%s`", carried->name) : "a variable";
    diag_label(d, span_of(ad, carried->block->owner), "%s is carried from one iteration to the next here",
               name);
    diag_help(d, "differentiate after the loop, or cut the chain with `stop_gradient`");
    ad->failed = true;
}

void report_unsupported(Autodiff *ad, DiagnosticId id, const Node *node, const char *why) {
    Diagnostic *d = diag_report(ad->diags, id, span_of(ad, ad->grad));
    diag_label(d, span_of(ad, node), "%s", why);
    diag_help(d, "take the gradient inside of it, or move this to before it");
    ad->failed = true;
}
