/* Builds declarations: see syntax.h. */
#include "frontend/syntax.h"
#include <string.h>

AstDecl *syntax_decl(Parser *parser, AstDeclKind kind, Span span, AstName name) {
    AstDecl *decl = ARENA_NEW(parser->arena, AstDecl);
    decl->kind = kind;
    decl->span = span;
    decl->name = name;
    return decl;
}

/* --- imports */

enum { DEEPEST_PATH = sizeof((AstDecl){0}.import.path) / sizeof(AstName) };

static AstName *name_array(Parser *parser, NameList names) {
    AstName *array = ARENA_ARRAY(parser->arena, AstName, names.count);
    uint32_t i = 0;
    for (const NameNode *node = names.first; node; node = node->next) array[i++] = node->name;
    return array;
}

AstDecl *syntax_import(Parser *parser, Span span, NameList path, AstName alias, NameList names) {
    AstDecl *decl = syntax_decl(parser, AST_IMPORT, span, alias.text ? alias : path.last->name);
    for (const NameNode *node = path.first; node && decl->import.depth < DEEPEST_PATH; node = node->next)
        decl->import.path[decl->import.depth++] = node->name;
    if (path.count > DEEPEST_PATH) {
        Diagnostic *d = diag_report(parser->options->diags, D_MODULE_PATH, path.last->name.span);
        diag_note(d, "modules are at most %d folders deep", (int)DEEPEST_PATH);
    }
    decl->import.alias = alias;
    decl->import.names = name_array(parser, names);
    decl->import.name_count = names.count;
    return decl;
}

void syntax_import_string(Parser *parser, Span span) {
    Diagnostic *d = diag_report(parser->options->diags, D_MODULE_PATH, span);
    diag_here(d, "a module's name, not a file's");
    diag_help(d, "`import layers.conv` finds layers/conv.nn beside this file; absolute paths and `..` are "
                 "not possible");
}

/* --- functions, models, commands */

AstDecl *syntax_fn(Parser *parser, Span span, AstName name, ParamList params, AstType *result, AstStmt *body,
                   AstExpr *value) {
    AstDecl *decl = syntax_decl(parser, AST_FN, span, name);
    decl->fn.params = params.first;
    decl->fn.result = result;
    decl->fn.body = body;
    decl->fn.value = value;
    return decl;
}

AstDecl *syntax_command(Parser *parser, Span span, AstName name, ParamList params, AstStmt *body) {
    AstDecl *decl = syntax_decl(parser, AST_COMMAND, span, name);
    decl->command.params = params.first;
    decl->command.body = body;
    return decl;
}

AstDecl *syntax_model(Parser *parser, AstDeclKind kind, Span span, AstName name, ParamList params,
                      DeclList members) {
    AstDecl *decl = syntax_decl(parser, kind, span, name);
    decl->model.params = params.first;
    decl->model.members = members.first;
    return decl;
}

/* --- members */

AstDecl *syntax_field_decl(Parser *parser, AstDeclKind kind, Span span, AstName name, AstType *type,
                           AstExpr *init, AstExpr *label) {
    AstDecl *decl = syntax_decl(parser, kind, span, name);
    decl->field.type = type;
    decl->field.init = init;
    decl->field.label = label;
    return decl;
}

DeclList syntax_states(Parser *parser, Span span, NameList names, AstType *type, AstExpr *init,
                       AstExpr *label) {
    DeclList list = {0};
    for (const NameNode *node = names.first; node; node = node->next) {
        Span own = names.count == 1 ? span : node->name.span;
        AstDecl *decl = syntax_field_decl(parser, AST_STATE_FIELD, own, node->name, type, init, label);
        list_append(list, decl);
    }
    return list;
}

AstDecl *syntax_field_if(Parser *parser, Span span, AstExpr *condition, DeclList then, DeclList otherwise) {
    AstDecl *decl = syntax_decl(parser, AST_FIELD_IF, span, (AstName){0});
    decl->branch.condition = condition;
    decl->branch.then = then.first;
    decl->branch.otherwise = otherwise.first;
    return decl;
}

/* --- rules that depend on where a declaration stands */

static void report_missing_type(Parser *parser, AstName name, const char *example) {
    Diagnostic *d = diag_report(parser->options->diags, D_MISSING_TYPE, name.span, name.text);
    if (strcmp(name.text, "self") == 0)
        diag_help(d, "leave `self` out: a method sees the model's fields by name");
    else
        diag_help(d, "write `%s: %s`", name.text, example);
}

/* The type of a literal; NULL of anything else. */
static const char *literal_type(const AstExpr *x) {
    if (x->kind == AST_UNARY && x->unary.op != AST_NOT) x = x->unary.operand;
    switch ((int)x->kind) {
    case AST_INT: return "int";
    case AST_FLOAT: return "float";
    case AST_BOOL: return "bool";
    case AST_STRING: return "string";
    default: return NULL;
    }
}

/* A parameter with its type, which its default says if it is a literal. */
static const char *typed_example(Parser *parser, const AstParam *param, const char *example) {
    const char *type = param->fallback ? literal_type(param->fallback) : NULL;
    if (!type) return example;
    return arena_printf(parser->arena, "%s = %s", type, syntax_source(parser, param->fallback->span));
}

static void check_params(Parser *parser, const AstParam *params, const char *example) {
    for (const AstParam *p = params; p; p = p->next)
        if (!p->type) report_missing_type(parser, p->name, typed_example(parser, p, example));
}

static void misplaced(Parser *parser, Span span, const char *what, const char *help) {
    Diagnostic *d = diag_report(parser->options->diags, D_MISPLACED_MEMBER, span, what);
    diag_help(d, "%s", help);
}

/* Of models, optimizers and commands, which get values and change nothing of their callers'. */
static void check_settings(Parser *parser, const AstParam *params, const char *example) {
    check_params(parser, params, example);
    for (; params; params = params->next) {
        if (params->inout)
            misplaced(parser, params->span, "`inout` here", "only a `fn` can change what it is called with");
        if (params->broadcast)
            misplaced(parser, params->span, "`broadcast` here", "only the arguments of a `fn` broadcast");
    }
}

static void check_model_members(Parser *parser, const AstDecl *members) {
    for (; members; members = members->next) {
        bool field = members->kind == AST_PARAM_FIELD || members->kind == AST_STATE_FIELD;
        if (field && !members->field.type) report_missing_type(parser, members->name, "float[n] = …");
        if (members->kind == AST_FN) check_params(parser, members->fn.params, "float[n]");
        if (members->kind == AST_FIELD_IF) {
            check_model_members(parser, members->branch.then);
            check_model_members(parser, members->branch.otherwise);
        }
    }
}

static void check_optimizer_members(Parser *parser, const AstDecl *members) {
    for (; members; members = members->next) {
        bool state = members->kind == AST_STATE_FIELD;
        if (state && members->field.label)
            misplaced(parser, members->field.label->span, "the name of a `state` of an optimizer",
                      "it is called as the parameter that it belongs to");
        if (state && (members->field.type || members->field.init))
            misplaced(parser, members->span, "the type of a `state` of an optimizer",
                      "it has one value for each element of a parameter, zero at first: `state m, v`");
        if (members->kind == AST_FN && strcmp(members->name.text, "update"))
            check_params(parser, members->fn.params, "float[n]");
        if (!state && members->kind != AST_FN)
            misplaced(parser, members->span, "this member of an optimizer",
                      "an optimizer holds `state` and `fn update(p, g, t)`");
    }
}

void syntax_attach_doc(Parser *parser, AstDecl *decl) {
    uint32_t token = syntax_token_at(parser, decl->span.start);
    if (token != NO_TOKEN) decl->doc = parser->tokens->at[token].doc;
}

void syntax_finish_decl(Parser *parser, AstDecl *decl) {
    syntax_attach_doc(parser, decl);
    switch (decl->kind) {
    case AST_FN: check_params(parser, decl->fn.params, "float[n]"); break;
    case AST_COMMAND: check_settings(parser, decl->command.params, "int = 10"); break;
    case AST_MODEL:
        check_settings(parser, decl->model.params, "int");
        check_model_members(parser, decl->model.members);
        break;
    case AST_OPTIMIZER:
        check_settings(parser, decl->model.params, "int");
        check_optimizer_members(parser, decl->model.members);
        break;
    case AST_IMPORT:
    case AST_CONST:
    case AST_PARAM_FIELD:
    case AST_STATE_FIELD:
    case AST_SUBMODEL:
    case AST_FIELD_IF: break;
    }
}
