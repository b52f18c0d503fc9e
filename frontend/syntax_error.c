/* Says in the user's terms what is wrong where the grammar can't go on: what was expected, what is there,
 * and, for the mistakes that habits from other languages make, what to write. Also finds the place where
 * parsing goes on. */
#include "frontend/habits.h"
#include "frontend/syntax.h"
#include "parser.h"
#include <string.h>

enum { FIRST_KIND = 256, LONGEST_SHOWN = 40 };

typedef struct {
    Parser *parser;
    const Expectation *expected;
    const Token *tokens;
    uint32_t index; /* of the token that can't stand there */
    const Token *found;
    const Token *before; /* the token before it; a T_NEWLINE at the start of the file */
} Mistake;

bool syntax_gave_up(const Parser *parser) {
    return parser->too_deep ||
           diagnostics_errors(parser->options->diags) - parser->errors_before >= MOST_SYNTAX_ERRORS;
}

uint32_t syntax_token_at(const Parser *parser, uint32_t offset) {
    uint32_t low = 0,
             high = parser->tokens->count; /* the first token that ends behind `offset` is in [low, high] */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (parser->tokens->at[middle].end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < parser->tokens->count && parser->tokens->at[low].start == offset ? low : NO_TOKEN;
}

/* --- going on */

static bool is_opener(const Token *token, uint32_t index) {
    return token->match != NO_TOKEN && token->match > index;
}

/* A `;`, which has been complained about, isn't the end of what is wrong: `for i = 0; i < n; i += 1 {`. */
static bool ends_line(const Parser *parser, const Token *token) {
    const Source *source = sources_get(parser->options->sources, parser->source);
    bool semicolon = token->start < token->end && source->text[token->start] == ';';
    return token->kind == T_NEWLINE && !semicolon;
}

/* Out of all ( ) and [ ] around the token, then over whole brackets to the line's end. */
void syntax_skip_statement(Parser *parser, uint32_t token) {
    const Token *tokens = parser->tokens->at;
    uint32_t at = token, around = tokens[token].enclosing;
    while (around != NO_TOKEN && tokens[around].kind != T_LBRACE) {
        at = tokens[around].match;
        around = tokens[around].enclosing;
    }
    while (!ends_line(parser, &tokens[at]) && tokens[at].kind != T_YYEOF)
        at = is_opener(&tokens[at], at) ? tokens[at].match + 1 : at + 1;
    parser->next = at;
}

/* --- what is there */

static const char *text_of(const Mistake *m, const Token *token) {
    const Source *source = sources_get(m->parser->options->sources, m->parser->source);
    uint32_t length = token->end - token->start;
    bool cut = length > LONGEST_SHOWN;
    return arena_printf(m->parser->arena, "%.*s%s", (int)(cut ? LONGEST_SHOWN : length),
                        source->text + token->start, cut ? "…" : "");
}

static const char *describe(const Mistake *m, const Token *token) {
    switch (token->kind) {
    case T_NEWLINE: return token->start < token->end ? "end of line" : describe(m, token + 1);
    case T_YYEOF: return "end of file";
    case T_STRING_BEGIN: return "a string";
    case T_TEXT: return "the text of a string";
    case T_FORMAT: return "a format";
    case T_STRING_END: return "the end of the string";
    default:
        return token->start < token->end ? arena_printf(m->parser->arena, "`%s`", text_of(m, token))
                                         : "end of line";
    }
}

/* --- what could be there */

static bool has(const Mistake *m, int kind) { return m->expected->possible[kind - FIRST_KIND]; }

static bool at_decl(const Mistake *m) { return has(m, T_CONST) && has(m, T_IMPORT); }
static bool at_member(const Mistake *m) { return has(m, T_FN) && has(m, T_STATE) && !at_decl(m); }
static bool at_stmt(const Mistake *m) { return has(m, T_LET); }
static bool at_expr(const Mistake *m) { return has(m, T_INT) && !at_stmt(m); }
/* An expression is complete. */
static bool at_operator(const Mistake *m) { return has(m, T_PIPE); }
static bool at_name(const Mistake *m) { return has(m, T_NAME) && !has(m, T_INT); }

static bool is_operator(int kind) {
    switch (kind) {
    case T_AND:
    case T_OR:
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE:
    case T_PIPE:
    case T_RANGE:
    case T_RANGE_TO:
    case T_PLUS:
    case T_MINUS:
    case T_STAR:
    case T_SLASH:
    case T_FLOOR:
    case T_PERCENT:
    case T_POWER:
    case T_AT:
    case T_DOT:
    case T_LPAREN:
    case T_LBRACKET: return true;
    default: return false;
    }
}

static bool is_word(int kind) {
    switch (kind) {
    case T_NAME:
    case T_AS:
    case T_BROADCAST:
    case T_COMMAND:
    case T_EXPORT:
    case T_FROM:
    case T_INOUT:
    case T_MODEL:
    case T_OPTIMIZER:
    case T_PARAM:
    case T_STATE: return true;
    default: return false;
    }
}

/* Begins an expression, other than as a name. */
static bool begins_expr(int kind) {
    switch (kind) {
    case T_INT:
    case T_FLOAT:
    case T_STRING_BEGIN:
    case T_TRUE:
    case T_FALSE:
    case T_NOT:
    case T_IF:
    case T_PLUS:
    case T_MINUS:
    case T_LPAREN:
    case T_LBRACKET: return true;
    default: return false;
    }
}

/* Rarely what is missing: goes unmentioned where the statement could as well end, or a bracket close. */
static bool is_unlikely(const Mistake *m, int kind) {
    if (kind == T_COLON && has(m, T_IN)) return true;
    if (!at_operator(m)) return false;
    bool closes = has(m, T_RPAREN) || has(m, T_RBRACKET);
    if (kind == T_LBRACE || kind == T_ASSIGN) return has(m, T_NEWLINE) || closes;
    return kind == T_FOR || kind == T_COLON || (kind >= T_ADD_ASSIGN && kind <= T_DIV_ASSIGN);
}

static bool is_mentioned(const Mistake *m, int kind) {
    if (!has(m, kind) || is_unlikely(m, kind)) return false;
    if (at_operator(m) && is_operator(kind)) return false;
    if (at_expr(m) && (begins_expr(kind) || is_word(kind))) return false;
    return !(at_name(m) && (is_word(kind) || kind == T_LPAREN));
}

static const char *token_phrase(const Mistake *m, int kind) {
    switch (kind) {
    case T_FORMAT: return NULL;
    case T_INTERPOLATION_END: return "`}`";
    default: break;
    }
    const char *name = m->expected->name(kind);
    return strchr(name, ' ') ? name : arena_printf(m->parser->arena, "`%s`", name);
}

static const char *name_phrase(const Mistake *m) {
    int before = m->before->kind;
    return before == T_COLON || before == T_ARROW ? "a type" : "a name";
}

/* "an expression", "`,` or `)`", … */
static const char *expected_phrase(const Mistake *m) {
    enum { MOST = 4 };
    const char *phrases[MOST];
    int count = 0;
    if (at_decl(m)) return "a declaration";
    if (at_stmt(m)) return "a statement";
    if (at_member(m)) return "a field or a method";
    if (at_expr(m)) phrases[count++] = "an expression";
    if (at_name(m)) phrases[count++] = name_phrase(m);
    for (int kind = FIRST_KIND; kind < FIRST_KIND + m->expected->kinds && count < MOST; kind++) {
        const char *phrase = is_mentioned(m, kind) ? token_phrase(m, kind) : NULL;
        if (phrase) phrases[count++] = phrase;
    }
    if (!count) return "an operator";
    if (at_expr(m)) return phrases[0];
    const char *all = phrases[0];
    for (int i = 1; i < count; i++)
        all = arena_printf(m->parser->arena, "%s%s%s", all, i + 1 == count ? " or " : ", ", phrases[i]);
    return all;
}

/* " after `+`", where that helps. */
static const char *after_phrase(const Mistake *m) {
    bool helps = at_expr(m) || at_name(m) || (!at_stmt(m) && !at_decl(m) && !at_member(m) && !at_operator(m));
    if (!helps || m->before->kind == T_NEWLINE || m->before->kind == T_LBRACE) return "";
    return arena_printf(m->parser->arena, " after %s", describe(m, m->before));
}

/* --- what to write instead */

typedef struct {
    const char *word, *ours;
} Foreign;

static const Foreign foreign_words[] = {{"def", "fn"},
                                        {"func", "fn"},
                                        {"fun", "fn"},
                                        {"function", "fn"},
                                        {"sub", "fn"},
                                        {"class", "model"},
                                        {"struct", "model"},
                                        {"module", "model"},
                                        {"elif", "else if"},
                                        {"elseif", "else if"},
                                        {"elsif", "else if"},
                                        {"mut", "var"},
                                        {"val", "let"},
                                        {"auto", "let"},
                                        {"foreach", "for"},
                                        {"do", "while"},
                                        {"loop", "while"},
                                        {"until", "while not"},
                                        {"unless", "if not"},
                                        {"include", "import"},
                                        {"use", "import"},
                                        {"require", "import"},
                                        {"using", "import"},
                                        {"main", "command main"},
                                        {"switch", "if … else if …"},
                                        {"match", "if … else if …"},
                                        {"end", "}"},
                                        {"begin", "{"},
                                        {"then", "{"},
                                        {"is", "=="}};

static const char *foreign_word(const char *word) {
    for (size_t i = 0; i < sizeof foreign_words / sizeof *foreign_words; i++)
        if (!strcmp(word, foreign_words[i].word)) return foreign_words[i].ours;
    return NULL;
}

static const char *const decl_words[] = {"import", "from",  "const",     "fn",
                                         "export", "model", "optimizer", "command"};
static const char *const stmt_words[] = {"let",  "var",    "for",   "while",    "if",
                                         "else", "return", "break", "continue", "training"};
static const char *const member_words[] = {"param", "state", "fn", "if"};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What was meant by a word that begins a statement or declaration; NULL if nothing comes to mind. */
static const char *meant(const Mistake *m, const char *word) {
    const char *ours = foreign_word(word);
    if (ours) return ours;
    if (at_decl(m)) return suggest(word, decl_words, COUNT(decl_words));
    const Token *around = m->found->enclosing == NO_TOKEN ? NULL : &m->tokens[m->found->enclosing];
    bool member =
        around && around - m->tokens > 2 && (around[-2].kind == T_MODEL || around[-2].kind == T_OPTIMIZER);
    return member ? suggest(word, member_words, COUNT(member_words))
                  : suggest(word, stmt_words, COUNT(stmt_words));
}

static bool begins_line(const Mistake *m, const Token *token) {
    return token == m->tokens || token[-1].kind == T_NEWLINE || token[-1].kind == T_LBRACE ||
           token[-1].kind == T_RBRACE;
}

/* `// why`, the same of C, `"""why"""`: comments as elsewhere. */
static const char *comment_help(const Mistake *m) {
    bool slashes = m->found->kind == T_FLOOR || m->found->kind == T_SLASH;
    if (slashes && begins_line(m, m->found)) return "a comment begins with `#`, on every line";
    if (m->found->kind != T_STRING_BEGIN) return NULL;
    bool quotes = at_decl(m) || (m->index >= 2 && m->before->kind == T_STRING_END &&
                                 m->before->end == m->found->start && begins_line(m, m->before - 1));
    return quotes ? "a comment begins with `#`, on every line; `##` describes what is declared below" : NULL;
}

/* `def f`, `elif x`, `retrun x`: an unknown word where a keyword would stand. */
static const char *word_help(const Mistake *m) {
    const Token *word = m->found->kind == T_NAME && begins_line(m, m->found) ? m->found : m->before;
    if (word->kind != T_NAME || !begins_line(m, word)) return NULL;
    const char *habit = habit_help(HABIT_STATEMENT, word->name);
    bool call = word == m->found && m->tokens[m->index + 1].kind == T_LPAREN;
    if (habit && !call) return habit;
    bool two_words = word == m->before && (is_word(m->found->kind) || begins_expr(m->found->kind));
    if (word == m->before && !two_words && m->found->kind != T_LBRACE && m->found->kind != T_COLON)
        return NULL;
    const char *ours = meant(m, word->name);
    return ours ? arena_printf(m->parser->arena, "did you mean `%s`?", ours) : NULL;
}

static const char *decl_help(const Mistake *m) {
    switch (m->found->kind) {
    case T_LET:
    case T_VAR: return "what is declared outside of functions is constant: `const name = …`";
    case T_RETURN: return "`return` stands in a function";
    case T_RBRACE: return NULL;
    default: return "statements stand in a function or a command: `command main { … }`";
    }
}

static const char *member_help(const Mistake *m) {
    if (m->found->kind != T_LET && m->found->kind != T_VAR && m->found->kind != T_CONST) return NULL;
    return "a field is `param w: T = …`, `state s: T = …`, or `name = Model(…)` for a part";
}

static const char *stmt_help(const Mistake *m) {
    switch (m->found->kind) {
    case T_FN: return "functions are declared at the top level or in a model, not in other functions";
    case T_CONST: return "in a function, write `let`";
    case T_IMPORT: return "imports stand at the top of the file";
    case T_ELSE: return "an `else` follows the `}` of its `if`";
    case T_LBRACE: return "a block belongs to an `if`, `for`, `while` or `training`";
    default: return NULL;
    }
}

/* The token that the brackets around belong to: `let` in `let y[i + 1]`. */
static bool in_equation_indices(const Mistake *m) {
    uint32_t around = m->found->enclosing;
    if (m->found->kind == T_LBRACKET && m->index >= 2) return m->tokens[m->index - 2].kind == T_VAR;
    return around != NO_TOKEN && around >= 2 && m->tokens[around].kind == T_LBRACKET &&
           m->tokens[around - 2].kind == T_LET;
}

static const char *assign_help(const Mistake *m) {
    if (has(m, T_IN)) return "a loop is written `for i in 0..n { … }`";
    if (at_operator(m) && (has(m, T_LBRACE) || has(m, T_RPAREN))) return "`==` compares, `=` assigns";
    if (m->before->kind == T_FLOOR || m->before->kind == T_PERCENT || m->before->kind == T_POWER ||
        m->before->kind == T_AT)
        return "only `+=`, `-=`, `*=` and `/=` change a variable by an operator";
    return NULL;
}

/* Several names where one stands: `let a, b = …`, `for x, y in …`. */
static const char *comma_help(const Mistake *m) {
    if (m->before->kind != T_NAME) return NULL;
    if (m->before > m->tokens && m->before[-1].kind == T_ARROW)
        return "a function returns several values as a tuple: `-> (float, float)`";
    if (has(m, T_IN)) return "what a loop takes apart is written in parentheses: `for (x, y) in …`";
    bool binds = m->index >= 2 && (m->before[-1].kind == T_LET || m->before[-1].kind == T_VAR);
    return binds ? "a tuple is taken apart in parentheses: `let (a, b) = …`" : NULL;
}

/* `fn f(*args)`, `from nn import *` */
static const char *star_help(const Mistake *m) {
    return m->before->kind == T_IMPORT
               ? "name what is needed (`from nn import Linear, relu`), or write `import nn`"
               : "a function has the parameters that it names";
}

/* `f"…"`, `lambda x: …` and the like: a word in front of an expression. */
static const char *word_before_help(const Mistake *m) {
    const char *word = m->before->kind == T_NAME ? m->before->name : NULL;
    if (!word) return NULL;
    bool touches = m->found->kind == T_STRING_BEGIN && m->found->start == m->before->end;
    if (touches && strlen(word) == 1) return "every string interpolates `{x}`: leave the letter in front out";
    return habit_help(HABIT_WORD, word);
}

static const char *newline_help(const Mistake *m) {
    bool brace_follows = m->found->start < m->found->end && m->tokens[m->index + 1].kind == T_LBRACE;
    if (has(m, T_LBRACE) && brace_follows) return "put the `{` at the end of this line";
    if (has(m, T_ASSIGN) && !at_operator(m)) return "give it a value: `= …`";
    return NULL;
}

static bool is_arithmetic(int kind) {
    return kind == T_PLUS || kind == T_MINUS || kind == T_STAR || kind == T_SLASH || kind == T_FLOOR ||
           kind == T_PERCENT || kind == T_POWER || kind == T_AT || kind == T_RANGE || kind == T_RANGE_TO;
}

/* Where an expression is complete, and goes on in a way that it can't. */
static const char *operator_help(const Mistake *m) {
    int kind = m->found->kind;
    if (kind == T_ELLIPSIS) return "a range is written `a..b`, or `a..=b` with its end";
    if (kind == T_IF) return "a choice is written `if condition { a } else { b }`";
    if (kind == T_NAME && habit_help(HABIT_INFIX, m->found->name))
        return habit_help(HABIT_INFIX, m->found->name);
    if (kind == T_IN)
        return "`in` stands in a `for` only; compare with `==`, and `any(x == a)` looks in a tensor";
    if (kind == T_COLON && has(m, T_LBRACE)) return "a block is written in `{ }`";
    if ((begins_expr(kind) || kind == T_NAME) && has(m, T_COMMA))
        return "is there a `,` or an operator missing?";
    if (kind == T_COMMA && has(m, T_NEWLINE)) return "several values are written in parentheses: `(a, b)`";
    if (is_arithmetic(kind) && !has(m, kind))
        return "put what is on the left into parentheses: `(x |> f) + y`";
    if (m->before->kind == T_INOUT) return "an `inout` argument is passed like any other: leave `inout` out";
    return NULL;
}

static const char *brace_help(const Mistake *m) {
    int kind = m->found->kind;
    if (kind == T_LBRACE && at_expr(m) && m->before->kind != T_INTERPOLATION)
        return "there are no dictionaries or sets; what belongs together is a tuple or the fields of a model";
    bool empty = m->before->kind == T_INTERPOLATION && (kind == T_INTERPOLATION_END || kind == T_LBRACE);
    return empty ? "for a brace in a string write `\\{` or `\\}`" : NULL;
}

/* `(float x)`, `(a: int b: int)`, `f(x: int) int`, `import a, b` */
static const char *signature_help(const Mistake *m) {
    const Token *first = m->found;
    while (!begins_line(m, first)) first--;
    if (m->found->kind == T_COMMA && first->kind == T_IMPORT)
        return "an `import` names one module: write each on its line";
    if (m->found->kind != T_NAME) return NULL;
    if (has(m, T_ARROW)) return "the type of the result follows `->`";
    if (has(m, T_COLON)) return "a parameter is written `name: type`";
    return has(m, T_COMMA) ? "is there a `,` missing?" : NULL;
}

static bool is_keyword(int kind) { return kind >= T_AND && kind <= T_WHILE && !is_word(kind); }

/* `x.var(1)`, `var(x)`: a function elsewhere, a keyword here. */
static const char *keyword_help(const Mistake *m) {
    if (!is_keyword(m->found->kind)) return NULL;
    const char *word = text_of(m, m->found), *habit = NULL;
    if (m->before->kind == T_DOT) habit = habit_help(HABIT_TENSOR, word);
    if (!habit && at_expr(m)) habit = habit_help(HABIT_NAME, word);
    if (habit) return habit;
    return at_name(m) && !at_member(m) ? "that is a keyword, so it can't be a name" : NULL;
}

static const char *help_for(const Mistake *m) {
    const char *help = NULL;
    if (in_equation_indices(m))
        return "an equation is `let y[i, j] = …` with plain names; to change elements, leave out `let` or "
               "`var`";
    help = comment_help(m);
    if (!help) help = word_help(m);
    if (!help && at_decl(m)) help = decl_help(m);
    if (!help && at_stmt(m)) help = stmt_help(m);
    if (!help && at_member(m)) help = member_help(m);
    if (!help) help = word_before_help(m);
    if (!help && m->found->kind == T_COMMA) help = comma_help(m);
    if (!help && m->found->kind == T_STAR && at_name(m)) help = star_help(m);
    if (!help && m->found->kind == T_ASSIGN) help = assign_help(m);
    if (!help && m->found->kind == T_NEWLINE) help = newline_help(m);
    if (!help && at_operator(m)) help = operator_help(m);
    if (!help) help = signature_help(m);
    if (!help) help = brace_help(m);
    return help ? help : keyword_help(m);
}

/* --- the message */

/* In a bracket whose missing mate has been reported, and behind such a `{`, whatever is odd follows from
 * that. */
static bool follows_from_reported(const Mistake *m) {
    if (m->index > m->parser->doubtful_from) return true;
    uint32_t around = m->found->enclosing;
    while (around != NO_TOKEN && m->tokens[around].kind != T_LBRACE) {
        if (m->tokens[around].reported) return true;
        around = m->tokens[around].enclosing;
    }
    return m->found->reported;
}

/* The token, or the place behind the one before where the line just ends. */
static Span place(const Mistake *m) {
    uint32_t source = m->parser->source;
    bool at_end = m->found->kind == T_NEWLINE && m->index > 0;
    if (m->found->kind == T_NEWLINE && m->found->start == m->found->end &&
        m->tokens[m->index + 1].kind == T_RBRACE)
        return (Span){source, m->tokens[m->index + 1].start, m->tokens[m->index + 1].end};
    if (at_end) return (Span){source, m->before->end, m->before->end};
    return (Span){source, m->found->start, m->found->end};
}

/* `class Net(nn.Module):`, `def f(x):` */
static bool looks_like_python(const Mistake *m) {
    const Token *word = m->found;
    if (word->kind != T_NAME || (strcmp(word->name, "class") && strcmp(word->name, "def"))) return false;
    const Source *source = sources_get(m->parser->options->sources, m->parser->source);
    uint32_t end = word->end;
    while (end < source->length && source->text[end] != '\n') end++;
    while (end > word->end && strchr(" \t\r", source->text[end - 1])) end--;
    return source->text[end - 1] == ':';
}

static void report(const Mistake *m) {
    Diagnostic *d = diag_report(m->parser->options->diags, D_SYNTAX, place(m), expected_phrase(m),
                                after_phrase(m), describe(m, m->found));
    const char *help = help_for(m);
    if (help) diag_help(d, "%s", help);
    if (!looks_like_python(m)) return;
    diag_note(d, "this looks like Python; what follows is not read");
    m->parser->doubtful_from = m->index;
}

void syntax_unexpected(Parser *parser, const Expectation *expected) {
    static const Token start = {.kind = T_NEWLINE};
    uint32_t index = parser->current;
    const Token *tokens = parser->tokens->at;
    Mistake m = {parser, expected, tokens, index, &tokens[index], index ? &tokens[index - 1] : &start};
    if (!parser->too_deep && !follows_from_reported(&m)) report(&m);
    if (m.found->kind != T_NEWLINE && m.found->kind != T_YYEOF) syntax_skip_statement(parser, index);
}
