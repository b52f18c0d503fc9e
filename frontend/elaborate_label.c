/* What a model's tensors are called in files: as its fields, or as `as` says. */
#include "frontend/elaborate.h"
#include <string.h>

const char *label_join(Elab *e, const char *prefix, const char *name) {
    if (!prefix || !*name) return prefix;
    return *prefix ? arena_printf(e->arena, "%s.%s", prefix, name) : name;
}

/* A string that is known now. */
static bool known_label(Elab *e, const AstDecl *field, const Val *label) {
    Span span = field->field.label->span;
    if (val_poisoned(label)) return false;
    if (label->string.text && (*label->string.text || field->kind == AST_SUBMODEL)) return true;
    if (label->string.text) {
        Diagnostic *d = diag_report(e->diags, D_LABEL_EMPTY, span, field->name.text);
        diag_help(d, "only a sub-model's name may be left out: its tensors stand beside the others then");
        return false;
    }
    Diagnostic *d = diag_report(e->diags, D_LABEL_STATIC, span, field->name.text);
    diag_help(d, "it may mention hyperparameters and constants, and the items of a list their index");
    return false;
}

/* A name for each item of `[… for i in range]`, which may mention i. */
static const Val *item_labels(Elab *e, const AstDecl *field) {
    AstExpr each = *field->field.init;
    each.reduction.body = field->field.label;
    const Val *labels = el_expr(e, &each, NULL);
    for (uint32_t i = 0; !val_poisoned(labels) && i < labels->list.count; i++)
        if (!known_label(e, field, labels->list.items[i])) return e->poison;
    return labels;
}

const Val *label_of(Elab *e, const AstDecl *field, const Val *v) {
    if (!field->field.label) return NULL;
    if (v->kind == VAL_LIST && field->field.init->kind == AST_COMPREHENSION) return item_labels(e, field);
    const Val *label = el_string(e, field->field.label);
    return known_label(e, field, label) ? label : e->poison;
}

/* The field of the model that the tensor with this number is in. */
static const AstDecl *field_of_leaf(Elab *e, const Val *model, uint32_t leaf) {
    for (uint32_t i = 0, first = 0; i < model->model.type->members; i++) {
        const Member *member = &model->model.type->member[i];
        ValList leaves = {0};
        if (member->kind == TY_UNIT) model_leaves(e, model->model.fields[i], true, &leaves, NULL, NULL);
        first += member->kind == TY_UNIT ? leaves.count : 1;
        if (leaf < first) return member->decl;
    }
    return NULL;
}

bool labels_differ(Elab *e, const Val *model) {
    bool labelled = false;
    for (uint32_t i = 0; i < model->model.type->members; i++)
        labelled |= model->model.type->member[i].label != NULL;
    if (!labelled) return true;
    ValList leaves = {0};
    NameList names = {0};
    Map *seen = map_new(e->arena); /* name → leaf number + 1 */
    model_leaves(e, model, true, &leaves, &names, "");
    for (uint32_t i = 0; i < names.count; i++) {
        uintptr_t first = (uintptr_t)map_get(seen, names.at[i]);
        map_put(seen, names.at[i], (void *)(uintptr_t)(i + 1));
        if (!first) continue;
        const AstDecl *at = field_of_leaf(e, model, i),
                      *before = field_of_leaf(e, model, (uint32_t)first - 1);
        Span span = at->field.label ? at->field.label->span : at->name.span;
        Diagnostic *d = diag_report(e->diags, D_LABEL_TWICE, span, model->model.type->text, names.at[i]);
        if (before != at) diag_label(d, before->name.span, "the other one is in here");
        return false;
    }
    return true;
}
