/* What numbers and escapes in the source mean. Mistakes are reported; a value comes back in any case. */
#ifndef FRONTEND_LITERALS_H
#define FRONTEND_LITERALS_H

#include "frontend/token.h"

/* Digits may hold `_` between them. */
void literal_integer(Token *token, const char *text, size_t length);
double literal_number(const FrontendOptions *options, Span span, const char *text, size_t length);
/* The text after a backslash at `text` (so `n`, `x41`, `u{e9}`): appends what it means to `out` (at most 4
 * bytes) and returns their number. */
size_t literal_escape(const FrontendOptions *options, Span span, const char *text, size_t length, char *out);

#endif
