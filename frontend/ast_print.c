/* The syntax tree as indented lists, for --emit=ast and tests: `(kind parts…)`. Operators and names are
 * written as in the source; what is short stands on one line, declarations, statements and their blocks each
 * on lines of their own. */
#include "frontend/frontend.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    FILE *out;
    int indent;
} Printer;

static void print_expr(Printer *p, const AstExpr *expr);
static void print_block(Printer *p, const char *name, const AstStmt *block);

static void line(Printer *p) { fprintf(p->out, "\n%*s", 2 * p->indent, ""); }

static void print_name(Printer *p, AstName name) { fputs(name.text ? name.text : "?", p->out); }

/* Text in quotes; bytes that a terminal would not show as they are, as escapes. */
static void print_quoted(Printer *p, const char *text, size_t length) {
    fputc('"', p->out);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n')
            fputs("\\n", p->out);
        else if (c == '"' || c == '\\')
            fprintf(p->out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(p->out, "\\x%02x", c);
        else
            fputc(c, p->out);
    }
    fputc('"', p->out);
}

/* --- types and indices */

static void print_index(Printer *p, const AstIndex *index) {
    switch (index->kind) {
    case AST_INDEX_EXPR: print_expr(p, index->value); break;
    case AST_INDEX_ELLIPSIS: fprintf(p->out, "...%s", index->name.text ? index->name.text : ""); break;
    case AST_INDEX_SLICE:
        fputs("(slice", p->out);
        for (int i = 0; i < 3; i++) {
            const AstExpr *bound = i == 0 ? index->start : i == 1 ? index->stop : index->step;
            if (!bound && i == 2) break;
            fputc(' ', p->out);
            if (bound)
                print_expr(p, bound);
            else
                fputc('_', p->out);
        }
        fputc(')', p->out);
        break;
    }
}

static void print_indices(Printer *p, const AstIndex *indices) {
    for (const AstIndex *index = indices; index; index = index->next) {
        if (index != indices) fputc(' ', p->out);
        print_index(p, index);
    }
}

static void print_type(Printer *p, const AstType *type);

static void print_type_list(Printer *p, const char *head, const AstType *parts) {
    fprintf(p->out, "(%s", head);
    for (; parts; parts = parts->next) {
        fputc(' ', p->out);
        print_type(p, parts);
    }
    fputc(')', p->out);
}

static void print_type(Printer *p, const AstType *type) {
    switch (type->kind) {
    case AST_TYPE_TENSOR:
        print_name(p, type->name);
        if (!type->has_shape) break;
        fputc('[', p->out);
        print_indices(p, type->dims);
        fputc(']', p->out);
        break;
    case AST_TYPE_NAMED:
        if (type->module.text) fprintf(p->out, "%s.", type->module.text);
        print_name(p, type->name);
        break;
    case AST_TYPE_TUPLE: print_type_list(p, "tuple", type->parts); break;
    case AST_TYPE_DATASET: print_type_list(p, "dataset", type->parts); break;
    }
}

/* ": T", or nothing */
static void print_type_of(Printer *p, const AstType *type) {
    if (!type) return;
    fputs(": ", p->out);
    print_type(p, type);
}

static void print_pattern(Printer *p, const AstPattern *pattern) {
    if (pattern->name.text) {
        print_name(p, pattern->name);
        print_type_of(p, pattern->type);
        return;
    }
    fputs("(tuple", p->out);
    for (const AstPattern *part = pattern->parts; part; part = part->next) {
        fputc(' ', p->out);
        print_pattern(p, part);
    }
    fputc(')', p->out);
}

/* --- expressions */

static const char *operator_text(AstOperator op) {
    switch (op) {
    case AST_ADD:
    case AST_POS: return "+";
    case AST_SUB:
    case AST_NEG: return "-";
    case AST_MUL: return "*";
    case AST_DIV: return "/";
    case AST_FLOORDIV: return "//";
    case AST_MOD: return "%";
    case AST_POW: return "**";
    case AST_MATMUL: return "@";
    case AST_EQ: return "==";
    case AST_NE: return "!=";
    case AST_LT: return "<";
    case AST_LE: return "<=";
    case AST_GT: return ">";
    case AST_GE: return ">=";
    case AST_AND: return "and";
    case AST_OR: return "or";
    case AST_NOT: return "not";
    }
    return "?";
}

/* "(head a b)" */
static void print_two(Printer *p, const char *head, const AstExpr *a, const AstExpr *b) {
    fprintf(p->out, "(%s ", head);
    print_expr(p, a);
    fputc(' ', p->out);
    print_expr(p, b);
    fputc(')', p->out);
}

static void print_items(Printer *p, const char *head, const AstExpr *items) {
    fprintf(p->out, "(%s", head);
    for (; items; items = items->next) {
        fputc(' ', p->out);
        print_expr(p, items);
    }
    fputc(')', p->out);
}

static void print_binders(Printer *p, const AstBinder *binders) {
    for (; binders; binders = binders->next) {
        fputs(" (for ", p->out);
        if (binders->pattern)
            print_pattern(p, binders->pattern);
        else
            print_name(p, binders->name);
        if (binders->range) {
            fputc(' ', p->out);
            print_expr(p, binders->range);
        }
        fputc(')', p->out);
    }
}

static void print_call(Printer *p, const AstExpr *expr) {
    fputs("(call ", p->out);
    print_expr(p, expr->call.callee);
    for (const AstArg *arg = expr->call.args; arg; arg = arg->next) {
        fputc(' ', p->out);
        if (arg->name.text) fprintf(p->out, "%s=", arg->name.text);
        print_expr(p, arg->value);
    }
    fputc(')', p->out);
}

static void print_string(Printer *p, const AstExpr *expr) {
    const AstStringPart *part = expr->string;
    if (!part || (part->text && !part->next)) {
        print_quoted(p, part ? part->text : "", part ? part->length : 0);
        return;
    }
    fputs("(string", p->out);
    for (; part; part = part->next) {
        fputc(' ', p->out);
        if (part->text) {
            print_quoted(p, part->text, part->length);
            continue;
        }
        fputs("(show ", p->out);
        print_expr(p, part->value);
        if (part->spec) fputc(' ', p->out), print_quoted(p, part->spec, strlen(part->spec));
        fputc(')', p->out);
    }
    fputc(')', p->out);
}

static void print_if(Printer *p, const AstExpr *expr) {
    fputs("(if ", p->out);
    print_expr(p, expr->branch.condition);
    print_block(p, "then", expr->branch.then);
    print_block(p, "else", expr->branch.otherwise);
    fputc(')', p->out);
}

static void print_reduction(Printer *p, const char *head, const AstExpr *expr) {
    fprintf(p->out, "(%s ", head);
    if (expr->reduction.name.text) fprintf(p->out, "%s ", expr->reduction.name.text);
    print_expr(p, expr->reduction.body);
    print_binders(p, expr->reduction.binders);
    fputc(')', p->out);
}

static void print_integer(Printer *p, const AstExpr *expr) {
    if (expr->integer.overflow)
        fputs("(overflow)", p->out);
    else
        fprintf(p->out, "%llu", (unsigned long long)expr->integer.value);
}

/* The shortest decimal that reads back as the same number, always with a point or exponent. */
static void print_number(Printer *p, double number) {
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    fprintf(p->out, "%s%s", text, strpbrk(text, ".en") ? "" : ".0");
}

static void print_expr(Printer *p, const AstExpr *expr) {
    switch (expr->kind) {
    case AST_INT: print_integer(p, expr); break;
    case AST_FLOAT: print_number(p, expr->number); break;
    case AST_BOOL: fputs(expr->boolean ? "true" : "false", p->out); break;
    case AST_STRING: print_string(p, expr); break;
    case AST_NAME: print_name(p, expr->name); break;
    case AST_FIELD:
        fputs("(. ", p->out);
        print_expr(p, expr->field.object);
        fprintf(p->out, " %s)", expr->field.field.text);
        break;
    case AST_CALL: print_call(p, expr); break;
    case AST_INDEXING:
        fputs("(index ", p->out);
        print_expr(p, expr->indexing.object);
        fputc(' ', p->out);
        print_indices(p, expr->indexing.indices);
        fputc(')', p->out);
        break;
    case AST_UNARY:
        fprintf(p->out, "(%s ", operator_text(expr->unary.op));
        print_expr(p, expr->unary.operand);
        fputc(')', p->out);
        break;
    case AST_BINARY:
        print_two(p, operator_text(expr->binary.op), expr->binary.left, expr->binary.right);
        break;
    case AST_PIPE: print_two(p, "|>", expr->binary.left, expr->binary.right); break;
    case AST_RANGE:
        print_two(p, expr->range.inclusive ? "..=" : "..", expr->range.start, expr->range.stop);
        break;
    case AST_TUPLE: print_items(p, "tuple", expr->items); break;
    case AST_LIST: print_items(p, "list", expr->items); break;
    case AST_COMPREHENSION: print_reduction(p, "comprehension", expr); break;
    case AST_REDUCTION: print_reduction(p, "reduction", expr); break;
    case AST_IF: print_if(p, expr); break;
    }
}

/* --- statements */

static void print_let(Printer *p, const char *head, const AstStmt *stmt) {
    fprintf(p->out, "(%s ", head);
    print_pattern(p, stmt->let.pattern);
    fputc(' ', p->out);
    print_expr(p, stmt->let.value);
}

static void print_equation(Printer *p, const AstStmt *stmt) {
    fprintf(p->out, "(equation %s", stmt->equation.name.text);
    print_binders(p, stmt->equation.indices);
    fputc(' ', p->out);
    print_expr(p, stmt->equation.value);
}

static void print_assign(Printer *p, const AstStmt *stmt) {
    fprintf(p->out, "(%s= ", stmt->assign.compound ? operator_text(stmt->assign.op) : "");
    print_expr(p, stmt->assign.target);
    fputc(' ', p->out);
    print_expr(p, stmt->assign.value);
}

static void print_value(Printer *p, const char *head, const AstExpr *value) {
    fprintf(p->out, "(%s", head);
    if (!value) return;
    fputc(' ', p->out);
    print_expr(p, value);
}

static void print_stmt(Printer *p, const AstStmt *stmt) {
    switch (stmt->kind) {
    case AST_LET: print_let(p, "let", stmt); break;
    case AST_VAR: print_let(p, "var", stmt); break;
    case AST_EQUATION: print_equation(p, stmt); break;
    case AST_ASSIGN: print_assign(p, stmt); break;
    case AST_EXPR: print_value(p, "do", stmt->value); break;
    case AST_RETURN: print_value(p, "return", stmt->value); break;
    case AST_BREAK: fputs("(break", p->out); break;
    case AST_CONTINUE: fputs("(continue", p->out); break;
    case AST_IF_STMT:
        print_value(p, "if", stmt->branch.condition);
        print_block(p, "then", stmt->branch.then);
        if (stmt->branch.has_else) print_block(p, "else", stmt->branch.otherwise);
        break;
    case AST_FOR:
        fputs("(for ", p->out);
        print_pattern(p, stmt->loop.pattern);
        fputc(' ', p->out);
        print_expr(p, stmt->loop.over);
        print_block(p, "body", stmt->loop.body);
        break;
    case AST_WHILE:
        print_value(p, "while", stmt->whilst.condition);
        print_block(p, "body", stmt->whilst.body);
        break;
    case AST_TRAINING:
        fputs("(training", p->out);
        print_block(p, "body", stmt->body);
        break;
    }
    fputc(')', p->out);
}

static void print_block(Printer *p, const char *name, const AstStmt *block) {
    p->indent++;
    line(p);
    fprintf(p->out, "(%s", name);
    p->indent++;
    for (; block; block = block->next) {
        line(p);
        print_stmt(p, block);
    }
    fputc(')', p->out);
    p->indent -= 2;
}

/* --- declarations */

static void print_doc(Printer *p, const char *doc) {
    fputs("(doc ", p->out);
    print_quoted(p, doc, strlen(doc));
    fputc(')', p->out);
}

static void print_params(Printer *p, const AstParam *params) {
    for (; params; params = params->next) {
        line(p);
        fprintf(p->out, "(param %s%s",
                params->inout       ? "inout "
                : params->broadcast ? "broadcast "
                                    : "",
                params->name.text);
        print_type_of(p, params->type);
        if (params->fallback) fputs(" = ", p->out), print_expr(p, params->fallback);
        if (params->doc) fputc(' ', p->out), print_doc(p, params->doc);
        fputc(')', p->out);
    }
}

static void print_fn(Printer *p, const AstDecl *decl) {
    fprintf(p->out, "(%sfn %s", decl->fn.exported ? "export " : "", decl->name.text);
    p->indent++;
    print_params(p, decl->fn.params);
    if (decl->fn.result) {
        line(p);
        fputs("(result ", p->out);
        print_type(p, decl->fn.result);
        fputc(')', p->out);
    }
    if (decl->fn.value) {
        line(p);
        print_value(p, "value", decl->fn.value);
        fputc(')', p->out);
    }
    p->indent--;
    if (!decl->fn.value) print_block(p, "body", decl->fn.body);
}

static void print_import(Printer *p, const AstDecl *decl) {
    fputs("(import ", p->out);
    for (uint32_t i = 0; i < decl->import.depth; i++)
        fprintf(p->out, "%s%s", i ? "." : "", decl->import.path[i].text);
    if (decl->import.alias.text) fprintf(p->out, " as %s", decl->import.alias.text);
    for (uint32_t i = 0; i < decl->import.name_count; i++) fprintf(p->out, " %s", decl->import.names[i].text);
}

static void print_field(Printer *p, const char *head, const AstDecl *decl) {
    fprintf(p->out, "(%s %s", head, decl->name.text);
    print_type_of(p, decl->field.type);
    if (decl->field.init) fputs(" = ", p->out), print_expr(p, decl->field.init);
    if (decl->field.label) fputs(" as ", p->out), print_expr(p, decl->field.label);
}

static void print_decl(Printer *p, const AstDecl *decl);

static void print_members(Printer *p, const AstDecl *members) {
    p->indent++;
    for (; members; members = members->next) {
        line(p);
        print_decl(p, members);
    }
    p->indent--;
}

static void print_model(Printer *p, const char *head, const AstDecl *decl) {
    fprintf(p->out, "(%s %s", head, decl->name.text);
    p->indent++;
    print_params(p, decl->model.params);
    p->indent--;
    print_members(p, decl->model.members);
}

static void print_field_if(Printer *p, const AstDecl *decl) {
    print_value(p, "if", decl->branch.condition);
    p->indent++;
    line(p);
    fputs("(then", p->out);
    print_members(p, decl->branch.then);
    fputc(')', p->out);
    if (decl->branch.otherwise) {
        line(p);
        fputs("(else", p->out);
        print_members(p, decl->branch.otherwise);
        fputc(')', p->out);
    }
    p->indent--;
}

static void print_decl(Printer *p, const AstDecl *decl) {
    if (decl->doc) print_doc(p, decl->doc), line(p);
    switch (decl->kind) {
    case AST_IMPORT: print_import(p, decl); break;
    case AST_CONST:
        fprintf(p->out, "(const %s", decl->name.text);
        print_type_of(p, decl->constant.type);
        fputc(' ', p->out);
        print_expr(p, decl->constant.value);
        break;
    case AST_FN: print_fn(p, decl); break;
    case AST_MODEL: print_model(p, "model", decl); break;
    case AST_OPTIMIZER: print_model(p, "optimizer", decl); break;
    case AST_COMMAND:
        fprintf(p->out, "(command %s", decl->name.text);
        p->indent++;
        print_params(p, decl->command.params);
        p->indent--;
        print_block(p, "body", decl->command.body);
        break;
    case AST_PARAM_FIELD: print_field(p, "param", decl); break;
    case AST_STATE_FIELD: print_field(p, "state", decl); break;
    case AST_SUBMODEL: print_field(p, "field", decl); break;
    case AST_FIELD_IF: print_field_if(p, decl); break;
    }
    fputc(')', p->out);
}

void ast_print(FILE *out, const AstFile *file) {
    Printer printer = {out, 0};
    fputs("(file", out);
    printer.indent++;
    if (file->doc) line(&printer), print_doc(&printer, file->doc);
    for (const AstDecl *decl = file->decls; decl; decl = decl->next) {
        line(&printer);
        print_decl(&printer, decl);
    }
    fputs(")\n", out);
}
