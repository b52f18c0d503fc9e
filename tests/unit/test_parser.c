/* The syntactic half of the frontend: shapes of trees that are easy to get wrong, spans, and text that means
 * harm. */
#include "frontend/frontend.h"
#include "tests/unit/session.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static AstFile *parse(Session *s, const char *text, size_t length) {
    FrontendOptions options = {.ir = s->ir, .sources = s->sources, .diags = s->diags};
    return frontend_parse(&options, sources_add(s->sources, "test.nn", text, (uint32_t)length));
}

/* The expression of `const x = …` as ast_print shows it. */
static char *tree(Session *s, const char *expression) {
    const char *text = arena_printf(s->arena, "const x = %s\n", expression);
    AstFile *file = parse(s, text, strlen(text));
    cr_assert(file && !diagnostics_errors(s->diags), "%s\n%s", expression, session_complaints(s));
    char *buffer = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&buffer, &length);
    ast_print(out, file);
    fclose(out);
    const char *start = buffer + strlen("(file\n  (const x ");
    char *shown = arena_strndup(s->arena, start, strlen(start) - strlen("))\n"));
    free(buffer);
    return shown;
}

static const struct {
    const char *text, *tree;
} expressions[] = {
    {"a or b and not c == d", "(or a (and b (not (== c d))))"},
    {"a + b |> f", "(|> (+ a b) f)"},
    {"x |> f == y", "(== (|> x f) y)"},
    {"x |> f |> g(1)", "(|> (|> x f) (call g 1))"},
    {"0..n - 1", "(.. 0 (- n 1))"},
    {"1 ..= n", "(..= 1 n)"},
    {"a - b - c", "(- (- a b) c)"},
    {"a @ b * c", "(* (@ a b) c)"},
    {"a ** b ** c", "(** a (** b c))"},
    {"-a ** -b", "(- (** a (- b)))"},
    {"not -a", "(not (- a))"},
    {"- -a", "(- (- a))"},
    {"0..3", "(.. 0 3)"},
    {"3.", "3.0"},
    {"3.T", "(. 3 T)"},
    {"1e3", "1e+03"},
    {"1_0.5_0e-1", "1.05"},
    {"0xFF_ff", "65535"},
    {"18446744073709551615", "18446744073709551615"},
    {"18446744073709551616", "(overflow)"},
    {"(a)", "a"},
    {"(a,)", "(tuple a)"},
    {"[]", "(list)"},
    {"x[:, 1:, :2, ::3, ..., i]", "(index x (slice _ _) (slice 1 _) (slice _ 2) (slice _ _ 3) ... i)"},
    {"sum(a[i] for i)", "(reduction sum (index a i) (for i))"},
    {"f(a, b=c,)", "(call f a b=c)"},
    {"state(param=model)", "(call state param=model)"},
    {"\"\\{a\\}\"", "\"{a}\""},
    {"\"{a}{b:x}\"", "(string (show a) (show b \"x\"))"},
    {"\"{x[1:2]:.3}\"", "(string (show (index x (slice 1 2)) \".3\"))"},
    {"\"{\"{\"a\"}\"}\"", "(string (show (string (show \"a\"))))"},
    {"(1\n+ 2)", "(+ 1 2)"},
    {"1 +\n2", "(+ 1 2)"},
    {"x\n  |> f", "(|> x f)"},
    {"x\n  .T", "(. x T)"},
};

Test(parser, expressions) {
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        Session s = session_new();
        cr_assert_str_eq(tree(&s, expressions[i].text), expressions[i].tree, "%s: %s", expressions[i].text,
                         tree(&s, expressions[i].text));
        session_free(&s);
    }
}

Test(parser, spans_are_the_text) {
    Session s = session_new();
    const char *text = "const x = f(a,\n  b) + 2   # more\n";
    const AstFile *file = parse(&s, text, strlen(text));
    Span span = file->decls->constant.value->span;
    cr_assert_eq(span.start, 10);
    cr_assert_eq(span.end, 23);
    cr_assert_eq(file->decls->span.end, 23);
    session_free(&s);
}

Test(parser, a_doc_belongs_to_what_follows_at_once) {
    Session s = session_new();
    const char *text = "## lost\n\nconst a = 1\n## one\n##two\nconst b = 2\n";
    const AstDecl *a = parse(&s, text, strlen(text))->decls;
    cr_assert_null(a->doc);
    cr_assert_str_eq(a->next->doc, "one\ntwo");
    session_free(&s);
}

Test(parser, strings_hold_any_byte_of_ascii) {
    Session s = session_new();
    const char *text = "const x = \"a\\0b\"\n";
    const AstFile *file = parse(&s, text, strlen(text));
    const AstStringPart *part = file->decls->constant.value->string;
    cr_assert(part->length == 3 && !memcmp(part->text, "a\0b", 3));
    session_free(&s);
}

/* --- text that means harm: ends soon, with a message */

static char *repeated(Session *s, const char *text, size_t times, const char *before, const char *after) {
    size_t size = strlen(text), first = strlen(before);
    char *all = arena_alloc(s->arena, first + size * times + strlen(after) + 1);
    memcpy(all, before, first);
    for (size_t i = 0; i < times; i++) memcpy(all + first + i * size, text, size);
    memcpy(all + first + size * times, after, strlen(after));
    return all;
}

static const struct {
    const char *before, *text, *after;
    size_t times;
    const char *code; /* NULL: fine */
} harm[] = {
    {"const x = ", "(", "", 10000, "E0110"},
    {"const x = ", "(", ")", 1000000, "E0110"},
    {"const x = ", "-", "1\n", 300000, "E0110"},
    {"const x = ", "not ", "1\n", 200000, "E0110"},
    {"const x = 1", " + 1", "\n", 200000, "E0110"},
    {"const x = 1", " ** 1", "\n", 200000, "E0110"},
    {"const x = a", ".b", "\n", 300000, "E0110"},
    {"const x = a", "()", "\n", 300000, "E0110"},
    {"const x = a", " |> b", "\n", 200000, "E0110"},
    {"const x = if a { b }", " else if a { b }", " else { c }\n", 50000, "E0110"},
    {"fn f() {\nif a { b }", " else if a { b }", "\n}\n", 50000, "E0110"},
    {"fn f(x: ", "(", "", 100000, "E0110"},
    {"", "{", "", 100000, "E0110"},
    {"const x = ", "\"{", "", 100000, "E0104"},
    {"const x = \"{", "(", "\n", 100000, "E0104"},
    {"const x = \"{ {", "(", "}}}\n", 100000, "E0110"},
    {"const x = \"", "}", "\"\n", 300000, "E0106"},
    {"", "\"", "", 300001, "E0100"},
    {"", "$", "", 1000000, "E0101"},
    {"", ")", "", 1000000, "E0109"},
    {"", ";", "", 1000000, "E0107"},
    {"", "\\", "", 1000000, "E0101"},
    {"", "else\n", "", 100000, "E0100"},
    {"fn f() {\n", "let = 3\n", "}\n", 100000, "E0100"},
    {"", "\n", "", 1000000, NULL},
    {"", "## doc\n", "const a = 1\n", 100000, NULL},
    {"const ", "a", " = 1\n", 65536, NULL},
    {"const x = ", "1", "\n", 1000000, NULL},
    {"const x = \"", "x", "\"\n", 1000000, NULL},
    {"const x = f(", "a, ", ")\n", 200000, NULL},
    {"fn f() {\n", "x = 1\n", "}\n", 100000, NULL},
    {"", "\xff", "", 1000, "E0003"},
    {"", "\xc3\xa9", "", 100000, "E0102"},
};

Test(parser, harm_ends_soon_with_a_message) {
    for (size_t i = 0; i < sizeof harm / sizeof *harm; i++) {
        Session s = session_new();
        char *text = repeated(&s, harm[i].text, harm[i].times, harm[i].before, harm[i].after);
        parse(&s, text, strlen(text));
        const char *said = session_complaints(&s);
        if (harm[i].code)
            cr_assert(strstr(said, harm[i].code), "case %zu: %s", i, said);
        else
            cr_assert_eq(diagnostics_errors(s.diags), 0, "case %zu: %s", i, said);
        cr_assert_lt(diagnostics_errors(s.diags), 60);
        session_free(&s);
    }
}

Test(parser, zero_bytes_and_too_large_files) {
    Session s = session_new();
    parse(&s, "const a\0 = 1", 12);
    cr_assert(strstr(session_complaints(&s), "E0003"));
    char *large = repeated(&s, "\n", (16 << 20) + 1, "", "");
    parse(&s, large, strlen(large));
    cr_assert(strstr(session_complaints(&s), "E0002"));
    session_free(&s);
}

/* Every part of a program that has all of the grammar, cut off anywhere, is refused with a message or parsed.
 */
Test(parser, programs_cut_off_anywhere) {
    FILE *in = fopen(SOURCE_DIR "/tests/parse/everything.nn", "r");
    cr_assert(in);
    char text[8192];
    size_t length = fread(text, 1, sizeof text, in);
    fclose(in);
    for (size_t cut = 0; cut <= length; cut++) {
        Session s = session_new();
        char *part = arena_strndup(s.arena, text, cut);
        AstFile *file = parse(&s, part, cut);
        cr_assert(file || diagnostics_errors(s.diags));
        session_complaints(&s);
        session_free(&s);
    }
}
