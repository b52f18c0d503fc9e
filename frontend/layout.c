/* Which newlines end statements, and brackets that match. From the lexer's tokens it makes those of the
 * parser, in which
 *  - every opener has a closer: where one is missing that is reported once, and an empty one is put in;
 *    one too many is dropped;
 *  - a T_NEWLINE ends every statement, also the last before `}` and the last of the file, and stands
 *    nowhere else: inside ( ) and [ ] (but not in a { } nested in them), after an operator or comma, and
 *    before a line that begins with `|>`, `.` or `else`, a line's end means nothing. */
#include "parser.h"

enum {
    DEEPEST_NESTING = 200 /* brackets in brackets; bounds the recursion of whatever walks the tree */
};

typedef struct {
    const FrontendOptions *options;
    uint32_t source;
    const char *text;
    Tokens *out;
    VEC(uint32_t) open; /* indices in `out` of the openers around the current place */
    uint32_t lost;      /* closers to come that have been made up for */
    bool doubtful;      /* this line holds something that the lexer has complained about */
    bool too_deep;
    unsigned errors_before;
    uint32_t suspect; /* in `out`: the first `{` whose closer is indented otherwise; NO_TOKEN if none */
    uint32_t suspect_closer;
} Layout;

static bool is_opener(int kind) {
    return kind == T_LPAREN || kind == T_LBRACKET || kind == T_LBRACE || kind == T_INTERPOLATION;
}

static int closer_of(int kind) {
    switch (kind) {
    case T_LPAREN: return T_RPAREN;
    case T_LBRACKET: return T_RBRACKET;
    case T_LBRACE: return T_RBRACE;
    default: return T_INTERPOLATION_END;
    }
}

static bool is_closer(int kind) {
    return kind == T_RPAREN || kind == T_RBRACKET || kind == T_RBRACE || kind == T_INTERPOLATION_END;
}

static Span token_span(const Layout *l, const Token *token) {
    return (Span){l->source, token->start, token->end};
}

static Token *innermost(const Layout *l) {
    return l->open.count ? &l->out->at[l->open.at[l->open.count - 1]] : NULL;
}

/* In brackets other than { }, line ends mean nothing. */
static bool in_line(const Layout *l) {
    const Token *opener = innermost(l);
    return opener && opener->kind != T_LBRACE;
}

static Token *last(const Layout *l) { return l->out->count ? &l->out->at[l->out->count - 1] : NULL; }

static void put(Layout *l, Token token) {
    token.enclosing = l->open.count ? l->open.at[l->open.count - 1] : NO_TOKEN;
    token.match = NO_TOKEN;
    vec_push(ir_arena(l->options->ir), l->out, token);
}

/* A token that isn't in the text, behind the last one. */
static void put_empty(Layout *l, int kind) {
    uint32_t place = last(l) ? last(l)->end : 0;
    put(l, (Token){.kind = kind, .start = place, .end = place});
}

/* Ends a statement, unless nothing stands before. `at` is the line end, or NULL for one that isn't in the
 * text. */
static void end_statement(Layout *l, const Token *at) {
    const Token *before = last(l);
    if (!before || before->kind == T_NEWLINE || before->kind == T_LBRACE) return;
    if (at)
        put(l, *at);
    else
        put_empty(l, T_NEWLINE);
}

/* --- brackets */

static void open_bracket(Layout *l, const Token *token) {
    put(l, *token);
    vec_push(ir_arena(l->options->ir), &l->open, l->out->count - 1);
    if (l->open.count <= DEEPEST_NESTING) return;
    Diagnostic *d = diag_report(l->options->diags, D_NESTED_TOO_DEEPLY, token_span(l, token));
    diag_note(d, "brackets may be nested %d deep", DEEPEST_NESTING);
    l->too_deep = true;
}

/* Puts the closer of the innermost bracket, which is no longer open then. */
static void close_with(Layout *l, Token closer) {
    uint32_t opener = l->open.at[--l->open.count];
    put(l, closer);
    l->out->at[opener].match = l->out->count - 1;
    last(l)->match = opener;
}

static void close_missing(Layout *l) {
    Token *opener = innermost(l);
    opener->reported = true;
    if (opener->kind == T_LBRACE) end_statement(l, NULL);
    uint32_t place = last(l)->end;
    close_with(
        l, (Token){.kind = closer_of(innermost(l)->kind), .start = place, .end = place, .reported = true});
}

static Diagnostic *report_unclosed(const Layout *l, const Token *opener) {
    const char *bracket = opener->kind == T_LPAREN ? "(" : opener->kind == T_LBRACKET ? "[" : "{";
    return diag_report(l->options->diags, D_UNCLOSED_BRACKET, token_span(l, opener), bracket);
}

/* Closes innermost brackets that aren't { }: `at` can't stand in them. */
static void close_unclosed(Layout *l, const Token *at) {
    for (bool first = true; in_line(l); first = false) {
        if (first) {
            Diagnostic *d = report_unclosed(l, innermost(l));
            diag_label(d, token_span(l, at), "it is still open here");
        }
        close_missing(l);
    }
}

static bool is_open(const Layout *l, int kind) {
    for (uint32_t i = l->open.count; i-- > 0;) {
        int opener = l->out->at[l->open.at[i]].kind;
        if (closer_of(opener) == kind) return true;
        /* A parenthesis never closes what is outside of a block or string. */
        if (opener == T_LBRACE || (opener == T_INTERPOLATION && kind != T_RBRACE)) return false;
    }
    return false;
}

static uint32_t indentation(const Layout *l, uint32_t offset) {
    uint32_t line = offset;
    while (line > 0 && l->text[line - 1] != '\n') line--;
    uint32_t end = line;
    while (l->text[end] == ' ' || l->text[end] == '\t') end++;
    return end - line;
}

/* A `}` that begins its line stands below the line of its `{`, unless a bracket is missing somewhere. */
static void compare_indentation(Layout *l, const Token *closer) {
    if (l->suspect != NO_TOKEN || !closer->line_start) return;
    uint32_t opener = l->open.at[l->open.count - 1];
    if (indentation(l, l->out->at[opener].start) == indentation(l, closer->start)) return;
    l->suspect = opener;
    l->suspect_closer = closer->start;
}

static void stray(Layout *l, const Token *closer) {
    if (l->lost) {
        l->lost--;
        return;
    }
    const char *bracket = closer->kind == T_RPAREN ? ")" : closer->kind == T_RBRACKET ? "]" : "}";
    Diagnostic *d = diag_report(l->options->diags, D_STRAY_BRACKET, token_span(l, closer), bracket);
    Token *opener = innermost(l);
    if (!opener) return;
    diag_label(d, token_span(l, opener), "the innermost bracket that is open");
}

static void close_bracket(Layout *l, const Token *closer) {
    if (!is_open(l, closer->kind)) {
        stray(l, closer);
        return;
    }
    if (closer_of(innermost(l)->kind) != closer->kind) {
        Diagnostic *d = report_unclosed(l, innermost(l));
        diag_label(d, token_span(l, closer), "this closes a bracket further out");
    }
    while (closer_of(innermost(l)->kind) != closer->kind) close_missing(l);
    if (closer->kind == T_RBRACE) {
        end_statement(l, NULL);
        compare_indentation(l, closer);
    }
    close_with(l, *closer);
}

/* --- lines */

/* After these a statement goes on. */
static bool wants_more(int kind) {
    switch (kind) {
    case T_COMMA:
    case T_DOT:
    case T_RANGE:
    case T_RANGE_TO:
    case T_COLON:
    case T_ARROW:
    case T_PIPE:
    case T_ASSIGN:
    case T_ADD_ASSIGN:
    case T_SUB_ASSIGN:
    case T_MUL_ASSIGN:
    case T_DIV_ASSIGN:
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE:
    case T_PLUS:
    case T_MINUS:
    case T_STAR:
    case T_SLASH:
    case T_FLOOR:
    case T_PERCENT:
    case T_POWER:
    case T_AT:
    case T_AND:
    case T_OR:
    case T_NOT:
    case T_IN: return true;
    default: return false;
    }
}

/* Before these, too, where they begin a line. */
static bool continues(int kind) { return kind == T_PIPE || kind == T_DOT || kind == T_ELSE; }

static bool is_word(int kind) {
    return kind == T_NAME || kind == T_MODEL || kind == T_OPTIMIZER || kind == T_COMMAND || kind == T_PARAM ||
           kind == T_STATE;
}

/* At the start of a line, these begin a statement or declaration wherever they are. */
static bool begins_statement(const Token *token) {
    switch (token->kind) {
    case T_LET:
    case T_VAR:
    case T_WHILE:
    case T_RETURN:
    case T_BREAK:
    case T_CONTINUE:
    case T_CONST:
    case T_IMPORT:
    case T_FN: return true;
    case T_MODEL:
    case T_OPTIMIZER:
    case T_COMMAND:
    case T_PARAM:
    case T_STATE: return is_word(token[1].kind);
    case T_EXPORT: return token[1].kind == T_FN;
    default: return false;
    }
}

/* What an unfinished string has left open is closed with its line; there has been a message. */
static void close_doubtful(Layout *l) {
    while (in_line(l)) {
        close_missing(l);
        l->lost++;
    }
    l->doubtful = false;
}

/* No statement begins with `{`, so it was meant for the line before. */
static bool brace_on_next_line(const Layout *l, const Token *next) {
    const Token *before = last(l);
    if (next->kind != T_LBRACE || !before || before->kind == T_NEWLINE || before->kind == T_LBRACE)
        return false;
    Diagnostic *d = diag_report(l->options->diags, D_BRACE_ON_NEXT_LINE, token_span(l, next));
    diag_label(d, (Span){l->source, before->end, before->end},
               "it belongs here: a line's end ends a statement");
    return true;
}

static void line_end(Layout *l, const Token *newline) {
    if (l->doubtful) close_doubtful(l);
    if (in_line(l)) return;
    const Token *next = newline;
    while (next->kind == T_NEWLINE) next++;
    if (continues(next->kind) || brace_on_next_line(l, next)) return;
    if (last(l) && wants_more(last(l)->kind) && !begins_statement(next) && next->kind != T_RBRACE) return;
    end_statement(l, newline);
}

static void report_unclosed_block(Layout *l) {
    if (!l->open.count) return;
    bool guess = l->suspect != NO_TOKEN;
    Token *opener = guess ? &l->out->at[l->suspect] : innermost(l);
    opener->reported = true;
    Diagnostic *d = report_unclosed(l, opener);
    if (guess) {
        diag_here(d, "judging by the indentation");
        diag_label(d, (Span){l->source, l->suspect_closer, l->suspect_closer + 1},
                   "this closes it, but belongs to another line");
    }
}

static void file_end(Layout *l, const Token *eof) {
    if (in_line(l)) close_unclosed(l, eof);
    report_unclosed_block(l);
    while (l->open.count) close_missing(l);
    end_statement(l, NULL);
    put(l, *eof);
}

static void token(Layout *l, const Token *token) {
    if (in_line(l) && token->line_start && begins_statement(token)) {
        close_unclosed(l, token);
        end_statement(l, NULL);
    }
    if (is_opener(token->kind))
        open_bracket(l, token);
    else if (is_closer(token->kind))
        close_bracket(l, token);
    else
        put(l, *token);
    if (token->kind == T_NN_error) l->doubtful = true;
}

static bool gave_up(const Layout *l) {
    return l->too_deep || diagnostics_errors(l->options->diags) - l->errors_before >= MOST_SYNTAX_ERRORS;
}

bool layout_run(const FrontendOptions *options, uint32_t source, const Tokens *raw, Tokens *tokens) {
    Layout layout = {.options = options,
                     .source = source,
                     .text = sources_get(options->sources, source)->text,
                     .out = tokens,
                     .suspect = NO_TOKEN,
                     .errors_before = diagnostics_errors(options->diags)};
    for (uint32_t i = 0; i < raw->count && !gave_up(&layout); i++) {
        const Token *next = &raw->at[i];
        if (next->kind == T_NEWLINE && i && next[-1].kind == T_NEWLINE) continue;
        if (next->kind == T_NEWLINE)
            line_end(&layout, next);
        else if (next->kind == T_YYEOF)
            file_end(&layout, next);
        else
            token(&layout, next);
    }
    return !gave_up(&layout);
}
