/* Tokens between lexer, layout and parser. The lexer makes all tokens of a source; layout decides which
 * newlines end statements and sees to it that brackets match; the parser reads what is left. */
#ifndef FRONTEND_TOKEN_H
#define FRONTEND_TOKEN_H

#include "frontend/frontend.h"
#include "support/vec.h"

typedef struct {
    int kind;            /* T_… of the generated parser.h */
    uint32_t start, end; /* bytes of the source; equal for a token that layout added */
    bool line_start;     /* first of its line */
    const char *doc;     /* the ## lines above it, or NULL */
    /* Set by layout. Openers and closers know each other. */
    uint32_t match;     /* index of the other bracket */
    uint32_t enclosing; /* index of the innermost bracket around it (for brackets: around both), NO_TOKEN if
                           none */
    bool reported;      /* bracket whose mate is missing, or a foreign operator, which has been said: mistakes
                         * inside,      or at it, follow from that */
    union {
        const char *name; /* names and keywords, interned */
        struct {
            uint64_t value;
            bool overflow;
        } integer;
        double number;
        struct {
            const char *text;
            uint32_t length;
        } text; /* a literal part of a string with escapes resolved, or a format */
    };
} Token;

#define NO_TOKEN UINT32_MAX

typedef VEC(Token) Tokens;

/* Where errors stop being useful: whatever reports syntax errors gives up after so many. */
enum { MOST_SYNTAX_ERRORS = 40 };

/* All tokens of a source, ending with T_YYEOF; false where it gave up after too many mistakes. */
bool lexer_run(const FrontendOptions *options, uint32_t source, Tokens *tokens);

/* Token by token as the parser wants them; false where it gave up because of too deep nesting. */
bool layout_run(const FrontendOptions *options, uint32_t source, const Tokens *raw, Tokens *tokens);

#endif
