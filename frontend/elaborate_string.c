/* Strings: known text where every part is known, otherwise a template and its arguments. */
#include "frontend/elaborate.h"
#include "frontend/format_spec.h"
#include <string.h>

const char *text_escape(Elab *e, const char *text, uint32_t length) {
    char *out = arena_alloc(e->arena, 2 * (size_t)length + 1);
    size_t n = 0;
    for (uint32_t i = 0; i < length; i++) {
        if (text[i] == '{' || text[i] == '}') out[n++] = text[i];
        out[n++] = text[i];
    }
    out[n] = '\0';
    return out;
}

/* A text that grows: linear however many parts it has. */
typedef VEC(char) Text;

static void text_add(Elab *e, Text *text, const char *more) {
    for (; more && *more; more++) vec_push(e->arena, text, *more);
}

static const char *text_end(Elab *e, Text *text) {
    vec_push(e->arena, text, '\0');
    return text->at;
}

/* The value as part of a template; NULL after reporting. */
static const char *placeholder(Elab *e, const Val *v, const char *spec, Span span, ValList *args);

static const char *list_template(Elab *e, const Val *v, Span span, ValList *args) {
    bool tuple = v->kind == VAL_TUPLE;
    Text text = {0};
    text_add(e, &text, tuple ? "(" : "[");
    for (uint32_t i = 0; i < v->list.count; i++) {
        const char *part = placeholder(e, v->list.items[i], NULL, span, args);
        if (!part) return NULL;
        text_add(e, &text, i ? ", " : "");
        text_add(e, &text, part);
    }
    text_add(e, &text, !tuple ? "]" : v->list.count == 1 ? ",)" : ")");
    return text_end(e, &text);
}

static const char *placeholder(Elab *e, const Val *v, const char *spec, Span span, ValList *args) {
    if (val_poisoned(v)) return NULL;
    if (v->kind == VAL_STRING && v->string.text && !spec)
        return text_escape(e, v->string.text, (uint32_t)strlen(v->string.text));
    if ((v->kind == VAL_TUPLE || v->kind == VAL_LIST) && !spec) return list_template(e, v, span, args);
    if (v->kind != VAL_NUMBER && v->kind != VAL_TENSOR && v->kind != VAL_STRING) {
        Diagnostic *d = diag_report(e->diags, D_NOT_PRINTABLE, span, val_type_text(e, v));
        if (v->kind == VAL_MODEL || v->kind == VAL_OPTIMIZER)
            diag_help(d, "numbers, tensors and strings can be printed, so its fields can");
        else if (v->kind == VAL_DATASET)
            diag_help(d, "loop over it, or print the number of its samples: `.len`");
        return NULL;
    }
    int64_t number;
    if (v->kind == VAL_NUMBER && !v->number.is_float && !spec)
        return arena_printf(e->arena, "%lld", (long long)v->number.integer);
    if (v->kind == VAL_TENSOR && v->tensor.dim && dim_is_const(v->tensor.dim, &number) && !spec)
        return arena_printf(e->arena, "%lld", (long long)number);
    const Ty *ty = ty_of(e, v);
    if (spec && *spec && !format_spec_fits(spec, ty->kind == TY_STRING ? DTYPE_str : ty->tensor->dtype)) {
        Diagnostic *d = diag_report(e->diags, D_FORMAT, span, spec, ty_text(e, ty));
        diag_help(
            d, "formats are Python's: `.3f`, `e`, `>8`, `08.2f` for numbers, `d`, `x`, `b` for ints, `<20` "
               "for strings");
        return NULL;
    }
    vec_push(e->arena, args, val_settled(e, v, span));
    return spec && *spec ? arena_printf(e->arena, "{:%s}", spec) : "{}";
}

const char *template_of(Elab *e, const AstExpr *expr, ValList *args) {
    if (expr->kind != AST_STRING) return placeholder(e, el_value(e, expr, NULL), NULL, expr->span, args);
    Text text = {0};
    bool failed = false;
    for (const AstStringPart *part = expr->string; part; part = part->next) {
        const char *more = part->text
                               ? text_escape(e, part->text, part->length)
                               : placeholder(e, el_value(e, part->value, NULL), part->spec, part->span, args);
        failed |= !more;
        text_add(e, &text, more);
    }
    return failed ? NULL : text_end(e, &text);
}

const char *template_of_values(Elab *e, const Args *args, ValList *out) {
    Text text = {0};
    bool failed = false;
    for (uint32_t i = 0; i < args->count; i++) {
        const Arg *arg = &args->at[i];
        const char *more =
            arg->val ? placeholder(e, arg->val, NULL, arg->span, out) : template_of(e, arg->expr, out);
        failed |= !more;
        text_add(e, &text, i ? " " : "");
        text_add(e, &text, more);
    }
    return failed ? NULL : text_end(e, &text);
}

/* Text without placeholders as it reads. */
static const char *unescape(Elab *e, const char *template) {
    char *out = arena_strdup(e->arena, template);
    size_t n = 0;
    for (const char *c = template; *c; c++) {
        if ((*c == '{' || *c == '}') && c[1] == *c) c++;
        out[n++] = *c;
    }
    out[n] = '\0';
    return out;
}

const Val *el_string(Elab *e, const AstExpr *expr) {
    ValList args = {0};
    const char *text = template_of(e, expr, &args);
    if (!text) return e->poison;
    if (args.count == 0) return val_text(e, unescape(e, text));
    Value **operands = ARENA_ARRAY(e->arena, Value *, args.count);
    for (uint32_t i = 0; i < args.count; i++) operands[i] = val_value(e, args.at[i], expr->span);
    Builder b = el_builder(e, expr->span);
    Attr attr = attr_str(ATTR_text, el_name(e, text));
    return val_of(e, build_node(&b, OP_format, args.count, operands, 1, &attr)->results[0]);
}

Value *string_value(Elab *e, const Val *v, Span span) {
    if (v->string.value) return v->string.value;
    Builder b = el_builder(e, span);
    return build_text(&b, v->string.text);
}
