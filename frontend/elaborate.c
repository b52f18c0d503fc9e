/* The elaborator's entry: check every declaration of the program (and what it uses of the library), each
 * once, with symbols for sizes; then, where that found nothing, lower the commands and exports into the
 * program's graph. */
#include "frontend/elaborate.h"
#include "ir/text.h"
#include "ir/verify.h"
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Statements, calls and expressions elaborated, inlining counted: far beyond any program, soon enough to
 * answer. */
enum { MAX_STEPS = 1000000 };

const char *el_name(Elab *e, const char *text) { return intern(e->strings, text); }

const char *el_source(Elab *e, Span span) {
    const Source *source = span.source ? sources_get(e->options->sources, span.source) : NULL;
    if (!source || span.end > source->length || span.start > span.end) return "…";
    uint32_t length = span.end - span.start;
    const char *text = arena_strndup(e->arena, source->text + span.start, length);
    return length <= 60 && !strchr(text, '\n') ? text : "…";
}

bool el_is_compound(const char *text) {
    int depth = 0;
    for (const char *at = text; *at; at++) {
        depth += (strchr("([{", *at) != NULL) - (strchr(")]}", *at) != NULL);
        if (depth == 0 && strchr(" +-*/%@", *at)) return true;
    }
    return strcmp(text, "…") == 0;
}

const char *el_dim(Elab *e, const Dim *dim) {
    const char *text = dim_text(e->ir, dim), *out = "";
    size_t length = e->model_name ? strlen(e->model_name) : 0;
    if (!length) return text;
    const char *start = text;
    for (const char *at; (at = strstr(text, e->model_name)); text = at + length) {
        bool whole = (at == start || !(isalnum((unsigned char)at[-1]) || at[-1] == '_' || at[-1] == '.')) &&
                     at[length] == '.';
        out = arena_printf(e->arena, "%s%.*s", out, (int)(at - text) + (whole ? 0 : (int)length), text);
        if (whole) at++;
    }
    return arena_printf(e->arena, "%s%s", out, text);
}

Builder el_builder(Elab *e, Span span) {
    /* What the library does is blamed on the call that led there. */
    if (e->site.source && (!span.source || module_is_library(e->modules, span.source))) span = e->site;
    return (Builder){e->graph, e->block, NULL, sources_loc(e->options->sources, span)};
}

bool el_budget(Elab *e, Span span) {
    if (e->steps < MAX_STEPS) {
        e->steps++;
        return true;
    }
    if (e->steps == MAX_STEPS)
        diag_report(e->diags, D_EXPANSION, span, "the program's calls and unrolled loops");
    e->steps = MAX_STEPS + 1;
    return false;
}

bool el_checks_function(const Elab *e) { return e->checking && e->frame && e->frame->decl->kind == AST_FN; }

bool el_of_library(const void *modules, uint32_t source) { return module_is_library(modules, source); }

void el_queue(Elab *e, const AstDecl *decl, Unit *unit, const Val *self) {
    if (!e->checking) return;
    /* A method is checked once per set of hyperparameters. */
    const char *key =
        arena_printf(e->arena, "%p %p", (const void *)decl, self ? (const void *)self->model.type : NULL);
    key = el_name(e, key);
    if (map_get(e->queued, key)) return;
    map_put(e->queued, key, (void *)(uintptr_t)decl);
    CheckItem item = {decl, unit, self};
    vec_push(e->arena, &e->queue, item);
}

/* --- functions */
static void begin_function(Elab *e, Graph *graph, FunctionKind kind, const AstDecl *decl) {
    e->graph = graph;
    e->function = graph_function(graph, kind, decl->name.text);
    e->function->doc = decl->doc;
    e->function->loc = sources_loc(e->options->sources, decl->name.span);
    e->block = e->function->body;
    e->site = (Span){0};
    e->depth = 0;
    e->training =
        e->checking ? val_of(e, block_param(e->block, type_scalar(e->ir, DTYPE_bool), el_name(e, "training")))
                    : val_bool(e, false);
    Binding *stream = ARENA_NEW(e->arena, Binding);
    *stream = (Binding){.name = el_name(e, " stream"), .is_mutable = true};
    stream->value = val_dim(e, dim_const(e->ir, 0));
    e->stream = stream;
    e->last_broke = val_bool(e, false);
}

static void end_function(Elab *e, uint32_t count, Value *const *values) {
    Builder b = el_builder(e, (Span){0});
    b = build_inside(&b, e->function->body);
    build_yield(&b, count, values);
}

/* --- commands */
static const char *scalar_fallback(Elab *e, const Val *v, const Ty *ty) {
    if (v->kind == VAL_STRING) return v->string.text;
    if (ty_is_scalar(ty, DTYPE_bool))
        return v->tensor.known ? v->tensor.number != 0 ? "true" : "false" : NULL;
    int64_t integer;
    if (v->tensor.dim && dim_is_const(v->tensor.dim, &integer))
        return arena_printf(e->arena, "%lld", (long long)integer);
    if (!v->tensor.known) return NULL;
    if (dtype_is_integer(ty->tensor->dtype))
        return arena_printf(e->arena, "%lld", (long long)v->tensor.number);
    for (int digits = 6; digits < 17; digits++) { /* the shortest text that reads back exactly */
        const char *text = arena_printf(e->arena, "%.*g", digits, v->tensor.number);
        if (strtod(text, NULL) == v->tensor.number) return text;
    }
    return arena_printf(e->arena, "%.17g", v->tensor.number);
}

static const char *fallback_text(Elab *e, const AstParam *p, const Ty *ty) {
    const Val *v = el_value(e, p->fallback, ty);
    v = fit_type(e, ty, v,
                 (Fit){arena_printf(e->arena, "the default of `%s`", p->name.text), p->fallback->span,
                       p->type->span, false});
    if (val_poisoned(v)) return NULL;
    const char *text = scalar_fallback(e, v, ty);
    if (!text) {
        diag_report(e->diags, D_NOT_CONSTANT, p->fallback->span, p->name.text);
        return NULL;
    }
    /* As it is written where that is a plain literal: `1e-3` stays `1e-3` in the help. */
    AstExprKind kind = p->fallback->kind;
    bool literal = kind == AST_INT || kind == AST_FLOAT;
    const char *written = el_source(e, p->fallback->span);
    return literal && !strpbrk(written, "_xXbBoO") ? written : text;
}

static bool command_type(const Ty *ty) {
    if (ty->kind == TY_STRING) return true;
    return ty->kind == TY_TENSOR && ty->tensor->rank == 0;
}

static void command_param(Elab *e, Scope *root, const AstParam *p) {
    const Ty *ty = ty_resolve(e, p->type, root, false);
    if (ty->kind == TY_POISON || !command_type(ty)) {
        if (ty->kind != TY_POISON) {
            Diagnostic *d = diag_report(e->diags, D_COMMAND_PARAM, p->type->span, ty_text(e, ty));
            diag_help(d, "a command's parameters come from the command line: numbers, `bool` and `string`");
        }
        scope_bind(e, root, p->name.text, p->name.span, e->poison, false);
        return;
    }
    const char *fallback = p->fallback ? fallback_text(e, p, ty) : NULL;
    const Type *type = ty->kind == TY_STRING ? type_scalar(e->ir, DTYPE_str) : ty->tensor;
    Value *value = block_param(e->function->body, type, p->name.text);
    Param param = {value, p->name.text, fallback, p->doc};
    vec_push(e->arena, &e->function->params, param);
    scope_bind(e, root, p->name.text, p->name.span, val_of(e, value), false)->kind = BOUND_PARAM;
}

static void elaborate_command(Elab *e, Unit *unit, const AstDecl *decl, Graph *graph) {
    begin_function(e, graph, FUNCTION_COMMAND, decl);
    Scope *root = scope_root(e, unit);
    Frame frame = {.decl = decl, .root = root};
    e->scope = root;
    for (const AstParam *p = decl->command.params; p; p = p->next) command_param(e, root, p);
    frame_push(e, &frame);
    el_stmts(e, decl->command.body);
    frame_pop(e);
    end_function(e, 0, NULL);
}

/* --- exports */
static void name_params(Elab *e, const Block *body) {
    for (uint32_t i = 0; i < body->params.count; i++) {
        Param param = {.value = body->params.at[i], .name = body->params.at[i]->name};
        vec_push(e->arena, &e->function->params, param);
    }
}

static void lower_export(Elab *e, Unit *unit, const AstDecl *decl) {
    begin_function(e, e->graph, FUNCTION_EXPORT, decl);
    Scope *root = scope_root(e, unit);
    for (const AstParam *p = decl->fn.params; p; p = p->next) bind_symbols(e, p->type, root);
    for (const AstParam *p = decl->fn.params; p; p = p->next) {
        const Ty *ty = ty_resolve(e, p->type, root, false);
        const Val *v = val_fresh(e, ty, p->name.text, p->span);
        val_name(e, v, p->name.text);
        Binding *b = scope_bind(e, root, p->name.text, p->name.span, v, p->inout);
        if (!val_poisoned(v)) b->type = ty_of(e, v);
    }
    name_params(e, e->function->body);
    Frame frame = {.decl = decl, .root = root};
    if (decl->fn.result) frame.result = ty_resolve(e, decl->fn.result, root, false);
    const Val *v = call_body(e, &frame, decl->name.span);
    ValList leaves = {0};
    val_leaves(e, v, &leaves);
    Value **values = ARENA_ARRAY(e->arena, Value *, leaves.count);
    for (uint32_t i = 0; i < leaves.count; i++) values[i] = leaf_value(e, leaves.at[i], decl->name.span);
    end_function(e, leaves.count, values);
}

/* --- checking */
static void scratch(Elab *e, const AstDecl *decl) {
    begin_function(e, graph_new(e->ir, "check"), FUNCTION_COMMAND, decl);
}

/* Has it hyperparameters, and values for them? */
static bool is_made(const ModelType *type) {
    for (uint32_t i = 0; i < type->hypers; i++) {
        const Val *hyper = type->hyper[i];
        if (hyper->kind == VAL_TENSOR && hyper->tensor.dim && !dim_is_const(hyper->tensor.dim, NULL))
            return false;
    }
    return type->hypers > 0;
}

static void check_item(Elab *e, const CheckItem *item) {
    uint32_t reported = diagnostics_count(e->diags);
    const ModelType *type = item->self ? item->self->model.type : NULL;
    scratch(e, item->decl);
    e->scope = item->unit->scope;
    if (item->decl->kind == AST_OPTIMIZER)
        optimizer_check(e, item->decl, item->unit);
    else
        check_declaration(e, item);
    if (type && is_made(type))
        diagnostics_called(e->diags, reported, type->made,
                           arena_printf(e->arena, "%s is made here", type->text), el_of_library, e->modules);
}

static void check_queue(Elab *e) {
    while (e->checked < e->queue.count) {
        CheckItem item = e->queue.at[e->checked++];
        check_item(e, &item);
    }
}

static void check_unit(Elab *e, Unit *unit) {
    for (const AstDecl *d = unit->file->decls; d; d = d->next) {
        if (d->kind == AST_CONST) {
            scratch(e, d);
            unit_lookup(e, unit, d->name.text);
        } else if (d->kind == AST_FN || d->kind == AST_OPTIMIZER) {
            el_queue(e, d, unit, NULL);
        } else if (d->kind == AST_MODEL) {
            scratch(e, d);
            e->model_name = d->name.text;
            model_type_default(e, d, unit, d->name.span, d->name.text);
        } else if (d->kind == AST_COMMAND) {
            elaborate_command(e, unit, d, graph_new(e->ir, "check"));
        }
        check_queue(e);
        e->model_name = NULL;
    }
}

/* Names that -D gives but no constant has. */
static void check_defines(Elab *e, const Unit *unit) {
    for (uint32_t i = 0; i < e->options->define_count; i++) {
        const char *name = e->options->defines[i].name;
        const AstDecl *decl = map_get(unit->decls, el_name(e, name));
        if (decl && decl->kind == AST_CONST) continue;
        VEC(const char *) names = {0};
        for (const AstDecl *d = unit->file->decls; d; d = d->next)
            if (d->kind == AST_CONST) vec_push(e->arena, &names, d->name.text);
        Diagnostic *d = diag_report(e->diags, D_UNKNOWN_DEFINE, (Span){0}, name);
        const char *near = suggest(name, names.at, names.count);
        if (near) diag_help(d, "did you mean `%s`?", near);
    }
}

/* --- lowering */
static Graph *lower_unit(Elab *e, Unit *unit, const char *name) {
    Graph *graph = graph_new(e->ir, name);
    graph->doc = unit->file->doc;
    e->checking = false;
    for (const AstDecl *d = unit->file->decls; d; d = d->next) {
        e->graph = graph;
        if (d->kind == AST_COMMAND) elaborate_command(e, unit, d, graph);
        if (d->kind == AST_FN && d->fn.exported) lower_export(e, unit, d);
    }
    graph_resolve(graph);
    return graph;
}

/* A `gradient` parameter is checked with the gradient of this: one parameter of unknown length. */
static const ModelType *any_model(Elab *e) {
    ModelType *type = ARENA_NEW(e->arena, ModelType);
    AstDecl *decl = ARENA_NEW(e->arena, AstDecl);
    Member *member = ARENA_NEW(e->arena, Member);
    decl->kind = AST_MODEL;
    decl->name.text = el_name(e, "any model");
    *member = (Member){el_name(e, "parameters"), decl, TY_TENSOR, true, NULL};
    *type = (ModelType){
        .decl = decl, .members = 1, .member = member, .text = "any model", .scope = scope_root(e, NULL)};
    const Dim *n = dim_symbol(e->ir, "parameters");
    const Val *leaf = val_known(e, type_tensor(e->ir, e->float_type, 1, &n), 0);
    const Val **fields = ARENA_NEW(e->arena, const Val *);
    fields[0] = leaf;
    type->shape = val_copy(e, (Val){.kind = VAL_MODEL, .model = {type, fields, false}});
    return type;
}

static const char *program_name(Elab *e, const char *path) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    return intern_n(e->strings, base, dot && dot != base ? (size_t)(dot - base) : strlen(base));
}

static Elab *elab_new(const FrontendOptions *options) {
    Arena *arena = ir_arena(options->ir);
    Elab *e = ARENA_NEW(arena, Elab);
    e->options = options;
    e->float_type = options->float_type;
    e->ir = options->ir;
    e->arena = arena;
    e->strings = ir_strings(options->ir);
    e->diags = options->diags;
    e->modules = modules_new(options);
    e->queued = map_new(arena);
    e->joined = map_new(arena);
    e->symbols = map_new(arena);
    e->tensors = map_new(arena);
    e->language = map_new(arena);
    e->poison = val_copy(e, (Val){.kind = VAL_POISON});
    e->unit = val_copy(e, (Val){.kind = VAL_UNIT});
    for (int i = 0; i < 2; i++) e->bools[i] = val_known(e, type_scalar(e->ir, DTYPE_bool), i);
    e->any_model = any_model(e);
    e->checking = true;
    return e;
}

Graph *frontend_compile(const FrontendOptions *options, const char *path) {
    Elab *e = elab_new(options);
    const AstFile *file = modules_load_program(e->modules, path);
    if (!file) return NULL;
    Unit *unit = unit_of(e, file);
    check_defines(e, unit);
    check_unit(e, unit);
    if (diagnostics_errors(e->diags)) return NULL;
    Graph *graph = lower_unit(e, unit, program_name(e, path));
    if (diagnostics_errors(e->diags)) return NULL;
    const char *wrong = graph_verify(graph, e->arena);
    if (wrong) {
        graph_print(stderr, graph, (PrintOptions){.locations = false});
        fprintf(stderr, "nnc: internal error after lowering: %s\n", wrong);
    }
    assert(!wrong);
    return graph;
}
