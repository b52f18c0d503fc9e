/* Expressions, and the places that can be assigned to. */
#include "frontend/elaborate.h"
#include "frontend/habits.h"
#include <math.h>
#include <string.h>

/* Nesting that no person writes; keeps the C stack safe. */
enum { MAX_DEPTH = 1000, MAX_ITEMS = 4096 };

/* --- fields */
/* What a value of this kind is for habits.def; false where it has no row. */
static bool habit_place(ValKind kind, HabitPlace *place) {
    static const struct {
        ValKind kind;
        HabitPlace place;
    } places[] = {{VAL_NUMBER, HABIT_TENSOR},       {VAL_TENSOR, HABIT_TENSOR},   {VAL_MODEL, HABIT_MODEL},
                  {VAL_OPTIMIZER, HABIT_OPTIMIZER}, {VAL_DATASET, HABIT_DATASET}, {VAL_LIST, HABIT_LIST},
                  {VAL_STRING, HABIT_STRING},       {VAL_TUPLE, HABIT_LIST}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i].kind != kind) continue;
        *place = places[i].place;
        return true;
    }
    return false;
}

/* How a function of this name is called, of the program, builtin or of an imported module; NULL if none. */
static const char *function_called(Elab *e, const char *name, bool *builtin) {
    Found found;
    *builtin = false;
    if (scope_find(e, e->scope, name, &found) && found.global &&
        (found.global->kind == VAL_FUNCTION || found.global->kind == VAL_BUILTIN)) {
        *builtin = found.global->kind == VAL_BUILTIN;
        return name;
    }
    const char *module = scope_module_with(e, name);
    return module ? arena_printf(e->arena, "%s.%s", module, name) : NULL;
}

/* `expr`: the object as written, or NULL. */
static const Val *no_field(Elab *e, const Val *object, AstName field, const char *near, const AstExpr *expr) {
    Diagnostic *d = diag_report(e->diags, D_UNKNOWN_FIELD, field.span, val_type_text(e, object), field.text);
    HabitPlace place;
    const char *habit = habit_place(object->kind, &place) ? habit_help(place, field.text) : NULL;
    bool builtin;
    const char *function = function_called(e, field.text, &builtin);
    if (habit && (!function || builtin || object->kind == VAL_MODEL))
        diag_help(d, "%s", habit);
    else if (function)
        diag_help(d, "it is a function: `%s(%s)`", function, expr ? el_source(e, expr->span) : "…");
    else if (near && strcmp(near, field.text) == 0)
        diag_help(d, "a gradient has the parameters of its model, and neither states nor methods");
    else if (near)
        diag_help(d, "did you mean `%s`?", near);
    if (object->kind == VAL_MODEL && !near &&
        syntax_has_field(object->model.type->decl->model.members, field.text))
        diag_help(d, "other hyperparameters give the model this field");
    return e->poison;
}

const Val *el_no_field(Elab *e, const Val *object, AstName field, const char *const *names, uint32_t count,
                       const AstExpr *expr) {
    return no_field(e, object, field, suggest(field.text, names, count), expr);
}

static const Val *module_field(Elab *e, const Val *module, AstName field) {
    const Val *v = unit_lookup(e, module->unit, field.text);
    return v ? v : unit_lacks(e, module->unit, field);
}

static const Val *model_member(Elab *e, const Val *model, AstName field, const AstExpr *object) {
    const ModelType *type = model->model.type;
    int at = model_field(type, field.text);
    if (at >= 0 && model->model.fields[at]->kind != VAL_UNIT) return model->model.fields[at];
    const AstDecl *method = at < 0 && !model->model.gradient ? model_method(type, field.text) : NULL;
    if (method) {
        const Target *receiver = object ? el_target(e, object, false) : NULL;
        return val_copy(e, (Val){.kind = VAL_FUNCTION, .function = {method, type->unit, model, receiver}});
    }
    for (Binding *b = type->scope->bindings; b && at < 0; b = b->next)
        if (b->name == field.text) return b->value;
    return no_field(e, model, field, model_suggest(e, type, field.text), object);
}

static const Val *transposed(Elab *e, const Val *x, Span span) {
    Value *value = val_value(e, x, span);
    uint32_t rank = value->type->rank;
    if (rank < 2) return x;
    int64_t perm[MAX_RANK];
    for (uint32_t i = 0; i < rank; i++) perm[i] = i;
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
    Builder b = el_builder(e, span);
    return val_of(e, build_permute(&b, value, perm));
}

static const char *setting_suggest(Elab *e, const Val *optimizer, const char *name) {
    NameList names = {0};
    vec_push(e->arena, &names, "step");
    for (const AstParam *p = optimizer->optimizer.decl->model.params; p; p = p->next)
        vec_push(e->arena, &names, p->name.text);
    return suggest(name, names.at, names.count);
}

static const char *method_suggest(Elab *e, const char *name) {
    NameList names = {0};
    vec_push(e->arena, &names, "shape");
    vec_push(e->arena, &names, "len");
    for (uint32_t i = 0; builtin_at(i); i++)
        if (builtin_method(e, builtin_at(i))) vec_push(e->arena, &names, builtin_at(i));
    return suggest(name, names.at, names.count);
}

static const Val *tensor_field(Elab *e, const Val *x, AstName field, Span span, const AstExpr *object) {
    if (strcmp(field.text, "T") == 0) return transposed(e, x, span);
    const Type *type = ty_of(e, x)->tensor;
    if (strcmp(field.text, "shape") == 0) {
        const Val *items[MAX_RANK];
        for (uint32_t i = 0; i < type->rank; i++) items[i] = val_dim(e, type->dims[i]);
        return val_tuple(e, VAL_TUPLE, type->rank, items);
    }
    if (strcmp(field.text, "len") == 0 && type->rank) return val_dim(e, type->dims[0]);
    const Builtin *builtin = builtin_method(e, field.text);
    if (builtin) return val_copy(e, (Val){.kind = VAL_BUILTIN, .builtin = {builtin, x, object}});
    return no_field(e, x, field, method_suggest(e, field.text), object);
}

const Val *el_field(Elab *e, const Val *object, AstName field, Span span, const AstExpr *expr) {
    switch (object->kind) {
    case VAL_POISON: return object;
    case VAL_MODULE: return module_field(e, object, field);
    case VAL_MODEL: return model_member(e, object, field, expr);
    case VAL_DATASET: return data_field(e, object, field, span, expr);
    case VAL_NUMBER:
    case VAL_TENSOR: return tensor_field(e, object, field, span, expr);
    case VAL_TUPLE:
    case VAL_LIST:
        if (strcmp(field.text, "len") == 0) return val_dim(e, dim_const(e->ir, object->list.count));
        break;
    case VAL_OPTIMIZER:
        for (const AstParam *p = object->optimizer.decl->model.params, *first = p; p; p = p->next) {
            uint32_t i = 0;
            for (const AstParam *q = first; q != p; q = q->next) i++;
            if (p->name.text == field.text) return optimizer_setting(e, object, p, i, span);
        }
        return no_field(e, object, field, setting_suggest(e, object, field.text), expr);
    case VAL_UNIT:
    case VAL_STRING:
    case VAL_RANGE:
    case VAL_FUNCTION:
    case VAL_DECL:
    case VAL_BUILTIN:
    case VAL_DTYPE: break;
    }
    return no_field(e, object, field, NULL, expr);
}

/* --- places */
static const Target *place_new(Elab *e, Binding *root, Span span) {
    Target *t = ARENA_NEW(e->arena, Target);
    *t = (Target){.root = root, .span = span};
    return t;
}

static const Target *place_step(Elab *e, const Target *to, TargetStep step) {
    Target *t = ARENA_NEW(e->arena, Target);
    TargetStep *steps = ARENA_ARRAY(e->arena, TargetStep, to->count + 1);
    if (to->count) memcpy(steps, to->steps, sizeof *steps * to->count);
    steps[to->count] = step;
    *t = (Target){
        .root = to->root, .count = to->count + 1, .steps = steps, .span = span_join(to->span, step.span)};
    return t;
}

static const Target *no_place(Elab *e, const AstExpr *expr, bool report) {
    if (report) {
        Diagnostic *d = diag_report(e->diags, D_NOT_ASSIGNABLE, expr->span);
        diag_help(d, "a variable, a field, an item or a slice of one can be assigned to");
    }
    return NULL;
}

/* A constant, a function, …: nothing that changes. */
static const Target *global_place(Elab *e, const AstExpr *expr, const Found *found, bool report) {
    if (!report || val_poisoned(found->global)) return NULL;
    Diagnostic *d = diag_report(e->diags, D_IMMUTABLE, expr->span, expr->name.text);
    if (found->global == e->training)
        diag_help(d, "what belongs to training stands in a block: `training { … }`");
    else
        diag_help(d, "what is declared outside of functions is constant; `var` declares a variable in one");
    return NULL;
}

static const Target *name_place(Elab *e, const AstExpr *expr, bool report) {
    Found found;
    if (!scope_find(e, e->scope, expr->name.text, &found)) {
        if (report) scope_assign_unknown(e, expr->name);
        return NULL;
    }
    if (found.binding) return place_new(e, found.binding, expr->span);
    if (!found.self) return global_place(e, expr, &found, report);
    return place_step(e, place_new(e, found.self, expr->span),
                      (TargetStep){STEP_FIELD, found.field, NULL, expr->span});
}

static const Target *field_place(Elab *e, const AstExpr *expr, bool report) {
    const Target *object = el_target(e, expr->field.object, report);
    const Val *v = object ? target_read(e, object) : NULL;
    if (!v || val_poisoned(v)) return NULL;
    if (v->kind != VAL_MODEL) {
        /* A field that can be read, or none: either way the message is about it. */
        if (report && !val_poisoned(el_field(e, v, expr->field.field, expr->span, expr->field.object)))
            no_place(e, expr, true);
        return NULL;
    }
    int at = model_field(v->model.type, expr->field.field.text);
    if (at < 0) {
        if (report)
            no_field(e, v, expr->field.field, model_suggest(e, v->model.type, expr->field.field.text), NULL);
        return NULL;
    }
    return place_step(e, object, (TargetStep){STEP_FIELD, (uint32_t)at, NULL, expr->span});
}

/* A constant position in a list; false after reporting. */
static bool item_position(Elab *e, const Val *list, const AstIndex *index, uint32_t *at) {
    if (index->kind != AST_INDEX_EXPR || index->next) {
        diag_report(e->diags, D_LIST_INDEX, index->span);
        return false;
    }
    const Val *v = el_value(e, index->value, NULL);
    if (val_poisoned(v)) return false;
    int64_t i;
    const Dim *dim = v->kind == VAL_TENSOR && !v->tensor.dim ? NULL : dim_of(e, v, index->span);
    if (!dim || !dim_is_const(dim, &i)) {
        Diagnostic *d = diag_report(e->diags, D_LIST_INDEX, index->span);
        diag_help(d, "`for` over a list (with `enumerate`) is unrolled, so its counter is known");
        return false;
    }
    if (!index_position(e, i, list->list.count, index->span, &i)) return false;
    *at = (uint32_t)i;
    return true;
}

static const Target *indexing_place(Elab *e, const AstExpr *expr, bool report) {
    const Target *object = el_target(e, expr->indexing.object, report);
    const Val *v = object ? target_read(e, object) : NULL;
    if (!v || val_poisoned(v)) return NULL;
    TargetStep step = {.span = expr->span};
    if (v->kind == VAL_LIST || v->kind == VAL_TUPLE) {
        step.kind = STEP_ITEM;
        if (!item_position(e, v, expr->indexing.indices, &step.index)) return NULL;
    } else if (v->kind == VAL_TENSOR) {
        step.kind = STEP_SELECT;
        step.selection = select_resolve(e, v->tensor.type, expr->indexing.indices, expr->span);
        if (!step.selection) return NULL;
    } else {
        return no_place(e, expr, report);
    }
    return place_step(e, object, step);
}

const Target *el_target(Elab *e, const AstExpr *expr, bool report) {
    if (expr->kind == AST_NAME) return name_place(e, expr, report);
    if (expr->kind == AST_FIELD) return field_place(e, expr, report);
    if (expr->kind == AST_INDEXING && (report || expr->indexing.object->kind != AST_CALL))
        return indexing_place(e, expr, report);
    return no_place(e, expr, report);
}

static const Val *step_read(Elab *e, const Val *v, const TargetStep *step) {
    if (val_poisoned(v)) return v;
    if (step->kind == STEP_FIELD) return v->model.fields[step->index];
    if (step->kind == STEP_ITEM) return v->list.items[step->index];
    return select_read(e, v, step->selection, step->span);
}

const Val *target_read(Elab *e, const Target *t) {
    const Val *v = t->root->value;
    for (uint32_t i = 0; i < t->count; i++) v = step_read(e, v, &t->steps[i]);
    return v;
}

bool targets_overlap(const Target *a, const Target *b) {
    if (a->root != b->root) return false;
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        const TargetStep *x = &a->steps[i], *y = &b->steps[i];
        if (x->kind == STEP_SELECT || y->kind == STEP_SELECT)
            return x->kind != y->kind || !select_disjoint(x->selection, y->selection);
        if (x->index != y->index) return false;
    }
    return true;
}

/* What a loop carries of an optimizer are its states: its settings are those that it was made with. */
static bool other_settings(Elab *e, const Val *into, const Val *v, Span span) {
    if (v->kind != VAL_OPTIMIZER || into->kind != VAL_OPTIMIZER) return false;
    for (uint32_t i = 0; i < v->optimizer.settings; i++) {
        if (val_same_leaf(into->optimizer.setting[i], v->optimizer.setting[i])) continue;
        Diagnostic *d = diag_report(e->diags, D_UNSUPPORTED, span,
                                    "assigning an optimizer with other settings to a variable");
        diag_help(d, "a setting changes step by step: `opt.step(net, g, lr=…)`");
        return true;
    }
    return false;
}

/* A loop over a list is expanded, and a branch that is known stands in its place: what goes through items or
 * a part that only some models have may have another shape after it. That isn't so where a branch or loop of
 * the run lies between the variable and the assignment. */
static bool is_expanded(const Elab *e, const Binding *root) {
    return e->unrolled && e->unrolled == e->block && root->block == e->block && !root->type;
}

static bool takes_shape(const Elab *e, const Binding *root, const Val *v) {
    return is_expanded(e, root) && root->value->kind == VAL_TENSOR && v->kind == VAL_TENSOR &&
           root->value->tensor.type->dtype == v->tensor.type->dtype;
}

static const Val *step_write(Elab *e, const Val *into, const Target *t, uint32_t at, const Val *v,
                             Span span) {
    if (at == t->count) {
        if (at == 0 && takes_shape(e, t->root, v)) return v;
        const Ty *ty = at == 0 && t->root->type ? t->root->type : ty_of(e, into);
        if (ty_same(ty, ty_of(e, v)) && other_settings(e, into, v, span)) return e->poison;
        return fit_type(e, ty, v, (Fit){fit_assigned, span, t->span, false});
    }
    const TargetStep *step = &t->steps[at];
    if (val_poisoned(into)) return into;
    if (step->kind == STEP_SELECT) {
        if (at + 1 == t->count) return select_write(e, into, step->selection, v, t->span, span);
        const Val *part =
            step_write(e, select_read(e, into, step->selection, step->span), t, at + 1, v, span);
        return val_poisoned(part) ? part : select_write(e, into, step->selection, part, t->span, span);
    }
    const Val *inner = step_write(e, step_read(e, into, step), t, at + 1, v, span);
    if (val_poisoned(inner)) return into;
    if (step->kind == STEP_FIELD) return model_with_field(e, into, step->index, inner);
    const Val **items = arena_copy(e->arena, into->list.items, sizeof *items * into->list.count);
    items[step->index] = inner;
    return val_tuple(e, into->kind, into->list.count, items);
}

void target_write(Elab *e, const Target *t, const Val *v, Span span) {
    Binding *root = t->root;
    if (val_poisoned(v)) {
        /* Of a shape that nobody knows: what its old one doesn't fit is no further mistake. */
        if (t->count == 0 && root->is_mutable && is_expanded(e, root)) root->value = e->poison;
        return;
    }
    if (!root->is_mutable) {
        if (root->value && val_poisoned(root->value)) return;
        Diagnostic *d =
            diag_report(e->diags, D_IMMUTABLE, t->span, root->name[0] == ' ' ? "the model" : root->name);
        if (root->span.source) diag_label(d, root->span, "declared here");
        if (root->name[0] != ' ') help_mutable(d, root);
        return;
    }
    const Val *written = step_write(e, root->value, t, 0, v, span);
    if (!val_poisoned(written)) root->value = val_settled(e, written, span);
}

/* --- operators that don't evaluate both sides */
static bool has_effects(const Block *block) {
    for (const Node *n = block->first; n; n = n->next)
        if (op_has(n->op, TRAIT_EFFECT) || op_has(n->op, TRAIT_REGION)) return true;
    return false;
}

static void move_nodes(Block *from, Block *to) {
    while (from->first) {
        Node *node = from->first;
        node_remove(node);
        node_append(to, node);
    }
}

/* `a and b`: b is not evaluated where a decides, which matters where b may stop the program. */
static const Val *short_circuit(Elab *e, const AstExpr *expr) {
    bool is_and = expr->binary.op == AST_AND, known;
    const AstExpr *left = expr->binary.left, *right = expr->binary.right;
    const Val *a = el_value(e, left, NULL);
    if (val_static_bool(a, &known) && known != is_and) return a;
    if (!val_is_scalar(a, DTYPE_bool) || a->tensor.known)
        return op_binary(e, expr->binary.op, a, left->span, el_value(e, right, NULL), right->span,
                         expr->binary.op_span);
    Value *condition = val_value(e, a, left->span);
    Branch *branch = branch_new(e, condition, expr->span);
    branch_enter(e, branch, is_and ? 0 : 1);
    Block *inside = e->block;
    const Val *b = el_value(e, right, NULL);
    if (!has_effects(inside) && e->block == inside) {
        Block *outside = inside->owner->block;
        Node *node = inside->owner;
        move_nodes(inside, outside);
        node_remove(node);
        e->block = outside;
        return op_binary(e, expr->binary.op, a, left->span, b, right->span, expr->binary.op_span);
    }
    if (!val_poisoned(b) && !val_is_scalar(b, DTYPE_bool)) {
        diag_report(e->diags, D_NO_OPERATOR, expr->binary.op_span, operator_text(expr->binary.op),
                    val_type_text(e, a), val_type_text(e, b));
        b = e->poison;
    }
    const Val *decided = val_bool(e, !is_and);
    return branch_join(e, branch, is_and ? b : decided, is_and ? decided : b, right->span, left->span);
}

/* --- the rest */
static const Val *indexing(Elab *e, const AstExpr *expr) {
    const Val *object = el_value(e, expr->indexing.object, NULL);
    if (val_poisoned(object)) return object;
    uint32_t at;
    if (object->kind == VAL_TUPLE || object->kind == VAL_LIST)
        return item_position(e, object, expr->indexing.indices, &at) ? object->list.items[at] : e->poison;
    if (object->kind != VAL_TENSOR) {
        Diagnostic *d =
            diag_report(e->diags, D_NOT_INDEXABLE, expr->indexing.object->span, val_type_text(e, object));
        if (object->kind == VAL_STRING)
            diag_help(d, "`bytes(%s)` is a tensor of its bytes", el_source(e, expr->indexing.object->span));
        else if (object->kind == VAL_DATASET)
            diag_help(d, "loop over it: `for … in %s`; `.take(n)` and `.skip(n)` choose samples",
                      el_source(e, expr->indexing.object->span));
        return e->poison;
    }
    const Selection *s = select_resolve(e, object->tensor.type, expr->indexing.indices, expr->span);
    return s ? select_read(e, object, s, expr->span) : e->poison;
}

static const Val *range_of(Elab *e, const AstExpr *expr) {
    const Val *ends[2];
    const AstExpr *sides[2] = {expr->range.start, expr->range.stop};
    for (int i = 0; i < 2; i++) {
        ends[i] = el_value(e, sides[i], NULL);
        if (val_poisoned(ends[i])) return e->poison;
        if (!val_is_scalar(ends[i], DTYPE_i64) &&
            !(ends[i]->kind == VAL_NUMBER && !ends[i]->number.is_float)) {
            Diagnostic *d = diag_report(e->diags, D_RANGE_ENDS, sides[i]->span, val_type_text(e, ends[i]));
            if (val_is_int(ends[i])) diag_help(d, "write `int(%s)`", el_source(e, sides[i]->span));
            return e->poison;
        }
        ends[i] = val_settled(e, ends[i], sides[i]->span);
    }
    if (expr->range.inclusive)
        ends[1] =
            op_binary(e, AST_ADD, ends[1], sides[1]->span, val_integer(e, 1), sides[1]->span, expr->span);
    return val_copy(e, (Val){.kind = VAL_RANGE, .range = {ends[0], ends[1]}});
}

static const Val *items_of(Elab *e, const AstExpr *expr, const Ty *expected) {
    ValList items = {0};
    TyKind kind = expr->kind == AST_TUPLE ? TY_TUPLE : TY_LIST;
    for (const AstExpr *item = expr->items; item; item = item->next) {
        const Ty *ty = expected && expected->kind == kind && items.count < expected->count
                           ? expected->parts[items.count]
                           : NULL;
        vec_push(e->arena, &items, el_value(e, item, ty));
    }
    return val_tuple(e, expr->kind == AST_TUPLE ? VAL_TUPLE : VAL_LIST, items.count, items.at);
}

/* The number of rounds of a range whose ends are constants; -1 after reporting. A hyperparameter or dimension
 * that is a symbol while its model or function is checked may well be a constant where it is used: such a
 * list is checked there, and is poison until then. */
static int64_t constant_rounds(Elab *e, const Val *range, Span span, int64_t *lo) {
    int64_t hi;
    const Val *ends[2] = {range->range.lo, range->range.hi};
    bool dims = ends[0]->tensor.dim && ends[1]->tensor.dim;
    if (!dims || !dim_is_const(ends[0]->tensor.dim, lo) || !dim_is_const(ends[1]->tensor.dim, &hi)) {
        if (dims && e->checking) return -1;
        Diagnostic *d = diag_report(e->diags, D_LIST_LENGTH, span);
        diag_help(
            d,
            "a list has as many items as the compiler knows; a tensor's size may be known at run time only");
        return -1;
    }
    if (hi - *lo > MAX_ITEMS) {
        diag_report(e->diags, D_EXPANSION, span,
                    arena_printf(e->arena, "a list of %lld items", (long long)(hi - *lo)));
        return -1;
    }
    return hi > *lo ? hi - *lo : 0;
}

/* How many items `over` gives, and the number of the first where it is a range; -1 after reporting. */
static int64_t list_rounds(Elab *e, const Val *over, Span span, int64_t *lo) {
    if (over->kind == VAL_RANGE) return constant_rounds(e, over, span, lo);
    if (over->kind == VAL_LIST || over->kind == VAL_TUPLE) return over->list.count;
    if (!val_poisoned(over)) diag_report(e->diags, D_NOT_ITERABLE, span, val_type_text(e, over));
    return -1;
}

static void bind_item(Elab *e, const AstBinder *binder, const Val *item) {
    if (binder->pattern)
        bind_pattern(e, binder->pattern, item, false, binder->range->span);
    else
        scope_bind(e, e->scope, binder->name.text, binder->name.span, item, false);
}

/* Appends the items that `body` gives for all that `binder` and those after it range over, the last the
 * fastest. False after reporting. */
static bool list_items(Elab *e, const AstBinder *binder, const AstExpr *body, ValList *items) {
    if (!binder) {
        const Val *v = el_value(e, body, NULL);
        if (!val_poisoned(v)) vec_push(e->arena, items, val_settled(e, v, body->span));
        return !val_poisoned(v);
    }
    const Val *over = el_value(e, binder->range, NULL);
    int64_t lo = 0, count = list_rounds(e, over, binder->range->span, &lo);
    bool ok = count >= 0;
    for (int64_t i = 0; ok && i < count && el_budget(e, body->span); i++) {
        scope_push(e);
        bind_item(e, binder,
                  over->kind == VAL_RANGE ? val_dim(e, dim_const(e->ir, lo + i)) : over->list.items[i]);
        ok = list_items(e, binder->next, body, items);
        scope_pop(e);
    }
    return ok;
}

static const Val *comprehension(Elab *e, const AstExpr *expr) {
    ValList items = {0};
    if (!list_items(e, expr->reduction.binders, expr->reduction.body, &items)) return e->poison;
    return val_tuple(e, VAL_LIST, items.count, items.at);
}

static const Val *integer_of(Elab *e, const AstExpr *expr) {
    if (!expr->integer.overflow && expr->integer.value <= (uint64_t)INT64_MAX)
        return val_integer(e, (int64_t)expr->integer.value);
    diag_report(e->diags, D_OVERFLOW, expr->span);
    return e->poison;
}

static const Val *name_of(Elab *e, const AstExpr *expr) {
    const char *name = expr->name.text;
    Found found;
    if (scope_find(e, e->scope, name, &found)) return scope_value(&found);
    if (strcmp(name, "inf") == 0) return val_float(e, INFINITY);
    if (strcmp(name, "nan") == 0) return val_float(e, NAN);
    if (strcmp(name, "pi") == 0) return val_float(e, 3.14159265358979323846);
    return scope_read(e, expr->name);
}

static const Val *unary(Elab *e, const AstExpr *expr) {
    const AstExpr *operand = expr->unary.operand;
    /* -9223372036854775808 is a literal though its digits alone are not. */
    if (expr->unary.op == AST_NEG && operand->kind == AST_INT && !operand->integer.overflow &&
        operand->integer.value == (uint64_t)INT64_MAX + 1)
        return val_integer(e, INT64_MIN);
    return op_unary(e, expr->unary.op, el_value(e, operand, NULL), expr->span);
}

static const Val *binary(Elab *e, const AstExpr *expr) {
    if (expr->binary.op == AST_AND || expr->binary.op == AST_OR) return short_circuit(e, expr);
    const AstExpr *left = expr->binary.left, *right = expr->binary.right;
    const Val *a = el_value(e, left, NULL), *b = el_value(e, right, NULL);
    return op_binary(e, expr->binary.op, a, left->span, b, right->span,
                     expr->binary.op_span.source ? expr->binary.op_span : expr->span);
}

static const Val *dispatch(Elab *e, const AstExpr *expr, const Ty *expected) {
    switch (expr->kind) {
    case AST_INT: return integer_of(e, expr);
    case AST_FLOAT: return val_float(e, expr->number);
    case AST_BOOL: return val_bool(e, expr->boolean);
    case AST_STRING: return el_string(e, expr);
    case AST_NAME: return name_of(e, expr);
    case AST_FIELD:
        return el_field(e, el_expr(e, expr->field.object, NULL), expr->field.field, expr->span,
                        expr->field.object);
    case AST_CALL: return el_call(e, expr, expected);
    case AST_INDEXING: return indexing(e, expr);
    case AST_UNARY: return unary(e, expr);
    case AST_BINARY: return binary(e, expr);
    case AST_PIPE: return el_pipe(e, expr, expected);
    case AST_RANGE: return range_of(e, expr);
    case AST_TUPLE:
    case AST_LIST: return items_of(e, expr, expected);
    case AST_COMPREHENSION: return comprehension(e, expr);
    case AST_REDUCTION: return el_reduction(e, expr);
    case AST_IF: break;
    }
    return el_if_value(e, expr->branch.condition, expr->branch.then, expr->branch.otherwise, expected,
                       expr->span);
}

bool el_deeper(Elab *e, Span span) {
    if (e->depth < MAX_DEPTH) {
        e->depth++;
        return true;
    }
    diag_report(e->diags, D_NESTED_TOO_DEEPLY, span);
    return false;
}

const Val *el_expr(Elab *e, const AstExpr *expr, const Ty *expected) {
    if (!el_budget(e, expr->span) || !el_deeper(e, expr->span)) return e->poison;
    const Val *v = dispatch(e, expr, expected);
    e->depth--;
    return v;
}

const Val *el_value(Elab *e, const AstExpr *expr, const Ty *expected) {
    const Val *v = el_expr(e, expr, expected);
    bool value = v->kind != VAL_UNIT && v->kind != VAL_FUNCTION && v->kind != VAL_MODULE &&
                 v->kind != VAL_DECL && v->kind != VAL_DTYPE && v->kind != VAL_BUILTIN;
    if (value) return v;
    Diagnostic *d = diag_report(e->diags, D_NO_VALUE, expr->span, val_type_text(e, v));
    if (v->kind == VAL_UNIT)
        diag_here(d, "this returns nothing");
    else if (v->kind != VAL_MODULE)
        diag_help(d, "call it: `%s(…)`", el_source(e, expr->span));
    return e->poison;
}
