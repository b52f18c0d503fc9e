/* Scopes and the names in them. A lookup goes outwards through the scopes of the function, then to the fields
 * of the method's model, then to the globals of the module, then to the builtins. */
#include "frontend/elaborate.h"
#include "frontend/habits.h"
#include <string.h>

Scope *scope_push(Elab *e) {
    Scope *scope = ARENA_NEW(e->arena, Scope);
    scope->parent = e->scope;
    scope->unit = e->scope ? e->scope->unit : NULL;
    return e->scope = scope;
}

void scope_pop(Elab *e) { e->scope = e->scope->parent; }

Scope *scope_root(Elab *e, Unit *unit) {
    Scope *scope = ARENA_NEW(e->arena, Scope);
    scope->unit = unit;
    return scope;
}

Binding *scope_bind(Elab *e, Scope *scope, const char *name, Span span, const Val *value, bool is_mutable) {
    Binding *binding = ARENA_NEW(e->arena, Binding);
    *binding = (Binding){.next = scope->bindings,
                         .name = name,
                         .span = span,
                         .value = value,
                         .block = e->block,
                         .is_mutable = is_mutable};
    scope->bindings = binding;
    return binding;
}

static Binding *find_here(const Scope *scope, const char *name) {
    for (Binding *b = scope->bindings; b; b = b->next)
        if (b->name == name) return b;
    return NULL;
}

Binding *scope_declare(Elab *e, AstName name, const Val *value, bool is_mutable) {
    Binding *before = find_here(e->scope, name.text);
    if (before) {
        Diagnostic *d = diag_report(e->diags, D_DECLARED_TWICE, name.span, name.text);
        diag_label(d, before->span, "first declared here");
        diag_help(d,
                  before->is_mutable
                      ? "assign to it: `%s = …`"
                      : "give one of them another name, or declare `var %s` once and assign to it",
                  name.text);
    }
    return scope_bind(e, e->scope, name.text, name.span, value, is_mutable);
}

/* A dtype or a builtin, or NULL. Each is looked for once, but `float`, which is another one in optimizers. */
static const Val *language_name(Elab *e, const char *name) {
    const Val *known = map_get(e->language, name);
    if (known) return known;
    DType dtype;
    const Builtin *builtin;
    if (dtype_of_name(e, name, &dtype)) {
        known = val_copy(e, (Val){.kind = VAL_DTYPE, .dtype = dtype});
        if (strcmp(name, "float") == 0) return known;
    } else if ((builtin = builtin_find(e, name)))
        known = val_copy(e, (Val){.kind = VAL_BUILTIN, .builtin = {.builtin = builtin}});
    if (known) map_put(e->language, name, (void *)known);
    return known;
}

bool scope_find(Elab *e, Scope *scope, const char *name, Found *found) {
    *found = (Found){0};
    Scope *last = scope;
    for (Scope *s = scope; s; last = s, s = s->parent) {
        if ((found->binding = find_here(s, name))) return true;
        if (!s->self || !s->self->value || s->self->value->kind != VAL_MODEL) continue;
        const ModelType *type = s->self->value->model.type;
        int field = model_field(type, name);
        if (field >= 0) {
            found->self = s->self;
            found->field = (uint32_t)field;
            return true;
        }
        const AstDecl *method = model_method(type, name);
        if (method) {
            Target *receiver = ARENA_NEW(e->arena, Target);
            *receiver = (Target){.root = s->self, .span = s->self->span};
            Val v = {.kind = VAL_FUNCTION, .function = {method, type->unit, s->self->value, receiver}};
            found->global = val_copy(e, v);
            return true;
        }
    }
    if (last && last->unit && (found->global = unit_lookup(e, last->unit, name))) return true;
    found->global = name == el_name(e, "training") ? e->training : language_name(e, name);
    return found->global != NULL;
}

const char *scope_suggest(Elab *e, const char *name) {
    VEC(const char *) names = {0};
    Scope *last = e->scope;
    for (Scope *s = e->scope; s; last = s, s = s->parent) {
        for (Binding *b = s->bindings; b; b = b->next)
            if (b->name[0] != ' ') vec_push(e->arena, &names, b->name);
        if (!s->self || !s->self->value || s->self->value->kind != VAL_MODEL) continue;
        const ModelType *type = s->self->value->model.type;
        for (uint32_t i = 0; i < type->members; i++) vec_push(e->arena, &names, type->member[i].name);
    }
    for (uint32_t i = 0; builtin_at(i); i++) vec_push(e->arena, &names, builtin_at(i));
    const char *local = suggest(name, names.at, names.count), *global = NULL;
    if (last && last->unit) unit_candidates(e, last->unit, name, &global);
    const char *both[2] = {local ? local : global, global ? global : local};
    return local || global ? suggest(name, both, 2) : NULL;
}

const char *scope_module_with(Elab *e, const char *name) {
    Unit *unit = NULL;
    for (const Scope *s = e->scope; s; s = s->parent)
        if (s->unit) unit = s->unit;
    for (const AstDecl *d = unit ? unit->file->decls : NULL; d; d = d->next) {
        if (d->kind != AST_IMPORT || d->import.name_count) continue;
        const Val *module = map_get(unit->imports, d->name.text);
        if (!module || module->kind != VAL_MODULE) continue;
        const Val *passed_on = map_get(module->unit->imports, name);
        if (map_get(module->unit->decls, name) || (passed_on && passed_on->kind != VAL_MODULE))
            return d->name.text;
    }
    return NULL;
}

static const char *name_help(Elab *e, const char *name) {
    const char *module = scope_module_with(e, name), *habit = habit_help(HABIT_NAME, name);
    if (library_has(name)) return arena_printf(e->arena, "write `import %s` at the top of the file", name);
    if (module) return arena_printf(e->arena, "did you mean `%s.%s`?", module, name);
    if (habit) return habit;
    const char *library = library_with(name);
    if (library) {
        const char *gathered = arena_strndup(e->arena, library, strcspn(library, "/"));
        return arena_printf(e->arena, "`import %s`, then `%s.%s`", gathered, gathered, name);
    }
    const char *near = scope_suggest(e, name);
    return near ? arena_printf(e->arena, "did you mean `%s`?", near) : NULL;
}

/* NULL where this function has been told already that it has no such name. */
static Diagnostic *report_unknown(Elab *e, AstName name) {
    const void *where = e->frame ? (const void *)e->frame->decl : NULL;
    const char *key = el_name(e, arena_printf(e->arena, "%p unknown %s", where, name.text));
    if (map_get(e->queued, key)) return NULL;
    map_put(e->queued, key, (void *)(uintptr_t)key);
    return diag_report(e->diags, D_UNKNOWN_NAME, name.span, name.text);
}

/* Names that are known elsewhere: in another block of the function, or in the model under other
 * hyperparameters. False where it is none of these. */
static bool explain_elsewhere(Elab *e, Diagnostic *d, const char *name) {
    const AstDecl *decl = e->frame ? e->frame->decl : NULL;
    const Val *self = e->frame ? e->frame->self : NULL;
    Span span;
    if (self && syntax_has_field(self->model.type->decl->model.members, name)) {
        diag_help(d, "%s has no such field, other hyperparameters give it one: ask `if has(%s) { … }`",
                  self->model.type->text, name);
        return true;
    }
    if (!decl || (decl->kind != AST_FN && decl->kind != AST_COMMAND)) return false;
    if (!syntax_declares(decl->kind == AST_FN ? decl->fn.body : decl->command.body, name, &span))
        return false;
    diag_label(d, span, "this `%s` is known in its own block, from here on", name);
    diag_help(d, "declare `var %s = …` before both places, and assign to it", name);
    return true;
}

static const Val *unknown_name(Elab *e, AstName name) {
    Diagnostic *d = report_unknown(e, name);
    if (d && explain_elsewhere(e, d, name.text)) return e->poison;
    const char *help = d ? name_help(e, name.text) : NULL;
    if (help) diag_help(d, "%s", help);
    return e->poison;
}

void scope_assign_unknown(Elab *e, AstName name) {
    Diagnostic *d = report_unknown(e, name);
    if (!d) return;
    const char *near = scope_suggest(e, name.text);
    if (near) diag_help(d, "did you mean `%s`?", near);
    diag_help(d, "a new variable is declared: `let %s = …`, or `var %s = …` if it changes later", name.text,
              name.text);
}

void help_mutable(Diagnostic *d, const Binding *b) {
    switch (b->kind) {
    case BOUND_LET: diag_help(d, "declare it by `var %s` where it should change", b->name); return;
    case BOUND_PARAM:
        diag_help(
            d,
            "a parameter is the caller's: work on a copy (`var copy = %s`), or declare it `inout %s` to "
            "change what the caller passes",
            b->name, b->name);
        return;
    case BOUND_LOOP: break;
    }
    diag_help(d, "the loop sets it: keep what changes in a variable of its own, or use `while`");
}

const Val *scope_value(const Found *found) {
    if (found->self) return found->self->value->model.fields[found->field];
    return found->binding ? found->binding->value : found->global;
}

const Val *scope_read(Elab *e, AstName name) {
    Found found;
    return scope_find(e, e->scope, name.text, &found) ? scope_value(&found) : unknown_name(e, name);
}

void frame_push(Elab *e, Frame *frame) {
    frame->caller = e->frame;
    e->frame = frame;
    e->scope = frame->root;
    Span nowhere = {0};
    frame->returned = scope_bind(e, frame->root, el_name(e, " returned"), nowhere, val_bool(e, false), true);
    frame->value = scope_bind(e, frame->root, el_name(e, " value"), nowhere, NULL, true);
    e->depth++;
}

void frame_pop(Elab *e) {
    e->frame = e->frame->caller;
    e->depth--;
}
