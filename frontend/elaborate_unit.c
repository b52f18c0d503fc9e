/* A module's global names: its own declarations, what it imports, and its constants, each evaluated when it
 * is first used. */
#include "frontend/elaborate.h"
#include "frontend/habits.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void declare(Elab *e, Unit *unit, const AstDecl *decl) {
    const char *name = decl->name.text;
    const AstDecl *before = map_get(unit->decls, name);
    if (before) {
        Diagnostic *d = diag_report(e->diags, D_DECLARED_TWICE, decl->name.span, name);
        diag_label(d, before->name.span, "first declared here");
        return;
    }
    map_put(unit->decls, name, (void *)(uintptr_t)decl);
}

static const Val *decl_value(Elab *e, Unit *unit, const AstDecl *decl) {
    Val v = {0};
    if (decl->kind == AST_FN) {
        v.kind = VAL_FUNCTION;
        v.function.decl = decl;
        v.function.unit = unit;
    } else {
        v.kind = VAL_DECL;
        v.decl.decl = decl;
        v.decl.unit = unit;
    }
    return val_copy(e, v);
}

/* Where what is sought in a module of the library is instead; NULL if nowhere. `near`: what the module has of
 * a like name. */
static const char *not_in_library(Elab *e, const char *name, const char *near) {
    static const char *const constants[] = {"pi", "inf", "nan"};
    const char *habit = habit_help(HABIT_MEMBER, name), *module = library_with(name);
    if (habit) return habit;
    if (builtin_find(e, name)) return arena_printf(e->arena, "it is builtin: `%s(…)`", name);
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (strcmp(constants[i], name) == 0) return arena_printf(e->arena, "it is builtin: `%s`", name);
    if (near) return NULL;
    if (!module) return habit_help(HABIT_NAME, name);
    module = arena_strndup(e->arena, module, strcspn(module, "/"));
    return arena_printf(e->arena, "`import %s`, then `%s.%s`", module, module, name);
}

const Val *unit_lacks(Elab *e, const Unit *unit, AstName name) {
    Diagnostic *d = diag_report(e->diags, D_NOT_IN_MODULE, name.span, unit->name, name.text);
    const char *near = NULL;
    unit_candidates(e, unit, name.text, &near);
    bool is_module = unit->library && library_has(arena_printf(e->arena, "%s/%s", unit->name, name.text)) &&
                     !(near && strcasecmp(near, name.text) == 0);
    const char *elsewhere = unit->library ? not_in_library(e, name.text, near) : NULL;
    if (is_module)
        diag_help(d, "it is a module of its own: `import %s.%s`, then `%s.…`", unit->name, name.text,
                  name.text);
    else if (elsewhere)
        diag_help(d, "%s", elsewhere);
    else if (near)
        diag_help(d, "did you mean `%s`?", near);
    if (!unit->library && library_has(unit->name))
        diag_note(d, "`%s` is a file of yours here, which hides the library's module", unit->name);
    return e->poison;
}

static void import_names(Elab *e, Unit *unit, const AstDecl *import, Unit *from) {
    for (uint32_t i = 0; i < import->import.name_count; i++) {
        AstName name = import->import.names[i];
        const Val *v = unit_lookup(e, from, name.text);
        if (!v) v = unit_lacks(e, from, name);
        map_put(unit->imports, name.text, (void *)(uintptr_t)v);
    }
}

static void import(Elab *e, Unit *unit, const AstDecl *decl) {
    AstFile *file = module_load(e->modules, decl, unit->file->source);
    Unit *from = file ? unit_of(e, file) : NULL;
    if (decl->import.name_count) {
        if (from) {
            import_names(e, unit, decl, from);
            return;
        }
        for (uint32_t i = 0; i < decl->import.name_count; i++)
            map_put(unit->imports, decl->import.names[i].text, (void *)(uintptr_t)e->poison);
        return;
    }
    AstName last = decl->import.path[decl->import.depth - 1];
    const char *name = decl->import.alias.text ? decl->import.alias.text : last.text;
    const Val *v = from ? val_copy(e, (Val){.kind = VAL_MODULE, .unit = from}) : e->poison;
    map_put(unit->imports, name, (void *)(uintptr_t)v);
}

Unit *unit_of(Elab *e, const AstFile *file) {
    for (uint32_t i = 0; i < e->units.count; i++)
        if (e->units.at[i]->file == file) return e->units.at[i];
    Unit *unit = ARENA_NEW(e->arena, Unit);
    unit->file = file;
    unit->name = module_name(e->modules, file->source);
    unit->library = module_is_library(e->modules, file->source);
    unit->scope = scope_root(e, unit);
    unit->decls = map_new(e->arena);
    unit->imports = map_new(e->arena);
    unit->constants = map_new(e->arena);
    unit->evaluating = map_new(e->arena);
    vec_push(e->arena, &e->units, unit);
    for (const AstDecl *d = file->decls; d; d = d->next) {
        if (d->kind == AST_IMPORT)
            import(e, unit, d);
        else if (d->name.text)
            declare(e, unit, d);
    }
    return unit;
}

/* --- constants */
static const Define *find_define(const Elab *e, const Unit *unit, const char *name) {
    if (unit->library) return NULL;
    for (uint32_t i = e->options->define_count; i > 0; i--)
        if (strcmp(e->options->defines[i - 1].name, name) == 0) return &e->options->defines[i - 1];
    return NULL;
}

static const Val *bad_define(Elab *e, const AstDecl *decl, const Define *define, const Val *fallback) {
    Diagnostic *d = diag_report(e->diags, D_BAD_DEFINE, decl->name.span, define->name, define->value);
    diag_here(d, "is of type %s", val_type_text(e, fallback));
    return e->poison;
}

/* What -D says, read as the type of the default. */
static const Val *defined_value(Elab *e, const AstDecl *decl, const Define *define, const Val *fallback) {
    const char *text = define->value;
    char *end = NULL;
    if (fallback->kind == VAL_STRING) return val_text(e, arena_strdup(e->arena, text));
    if (val_is_scalar(fallback, DTYPE_bool)) {
        if (strcmp(text, "true") == 0) return val_bool(e, true);
        return strcmp(text, "false") == 0 ? val_bool(e, false) : bad_define(e, decl, define, fallback);
    }
    if (val_is_int(fallback)) {
        long long value = strtoll(text, &end, 10);
        if (end == text || *end) return bad_define(e, decl, define, fallback);
        return fit_type(e, ty_of(e, fallback), val_integer(e, value),
                        (Fit){"-D", decl->name.span, decl->name.span, false});
    }
    double number;
    if (!val_static_number(fallback, &number)) return bad_define(e, decl, define, fallback);
    number = strtod(text, &end);
    if (end == text || *end) return bad_define(e, decl, define, fallback);
    return val_known(e, fallback->tensor.type, number);
}

static const Val *evaluate_constant(Elab *e, Unit *unit, const AstDecl *decl) {
    Scope *scope = e->scope;
    Frame *frame = e->frame;
    e->scope = scope_push(e);
    e->scope->parent = unit->scope;
    e->frame = NULL;
    const Val *v;
    if (decl->constant.type) {
        const Ty *ty = ty_resolve(e, decl->constant.type, e->scope, false);
        v = el_value(e, decl->constant.value, ty);
        v = fit_type(e, ty, v,
                     (Fit){"the constant", decl->constant.value->span, decl->constant.type->span, false});
    } else {
        v = el_value(e, decl->constant.value, NULL);
    }
    e->scope = scope;
    e->frame = frame;
    if (v->kind == VAL_NUMBER)
        v = v->number.is_float ? val_known(e, type_scalar(e->ir, e->float_type), v->number.number)
                               : val_dim(e, dim_const(e->ir, v->number.integer));
    bool open;
    const Val *known = v->kind == VAL_STRING ? (v->string.text ? v : NULL) : val_folded(e, v, &open);
    if (!known && !val_poisoned(v)) {
        Diagnostic *d = diag_report(e->diags, D_NOT_CONSTANT, decl->constant.value->span, decl->name.text);
        diag_help(d, "a `const` is made of numbers, other constants and arithmetic on them; compute the rest "
                     "where it is used");
        return e->poison;
    }
    if (val_poisoned(v)) return v;
    const Define *define = find_define(e, unit, decl->name.text);
    return define ? defined_value(e, decl, define, known) : known;
}

/* Each is evaluated once, and where `float` is another one, in optimizers, anew. */
static const Val *constant(Elab *e, Unit *unit, const AstDecl *decl) {
    bool usual = e->float_type == e->options->float_type;
    const Val *v = usual ? map_get(unit->constants, decl) : NULL;
    if (v) return v;
    if (map_get(unit->evaluating, decl)) {
        diag_report(e->diags, D_CONST_CYCLE, decl->name.span, decl->name.text);
        return e->poison;
    }
    map_put(unit->evaluating, decl, (void *)(uintptr_t)decl);
    v = evaluate_constant(e, unit, decl);
    map_put(unit->evaluating, decl, NULL);
    if (usual) map_put(unit->constants, decl, (void *)(uintptr_t)v);
    return v;
}

const Val *unit_lookup(Elab *e, Unit *unit, const char *name) {
    const AstDecl *decl = map_get(unit->decls, name);
    if (!decl) return map_get(unit->imports, name);
    if (decl->kind == AST_CONST) return constant(e, unit, decl);
    return decl_value(e, unit, decl);
}

void unit_candidates(Elab *e, const Unit *unit, const char *name, const char **best) {
    VEC(const char *) names = {0};
    for (const AstDecl *d = unit->file->decls; d; d = d->next) {
        if (d->kind != AST_IMPORT) {
            if (d->name.text) vec_push(e->arena, &names, d->name.text);
        } else if (d->import.name_count) {
            for (uint32_t i = 0; i < d->import.name_count; i++)
                vec_push(e->arena, &names, d->import.names[i].text);
        } else {
            const char *alias = d->import.alias.text;
            vec_push(e->arena, &names, alias ? alias : d->import.path[d->import.depth - 1].text);
        }
    }
    *best = suggest(name, names.at, names.count);
}
