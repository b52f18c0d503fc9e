/* The grammar. Newlines and matching brackets are layout's business (layout.c): here every statement ends with one "end of line".
 * Actions only build the tree; syntax.c does that. After an error the rest of the statement or declaration is skipped: each list of
 * statements, members and declarations goes on behind the next "end of line". */
%require "3.8"
%language "c"
%define api.pure full
%define api.prefix {nn_}
%define api.token.prefix {T_}
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%locations
%param { Parser *parser }
%expect 0

%code requires {
#include "frontend/syntax.h"
}

%code provides {
/* The next token for the parser. */
int nn_lex(NN_STYPE *value, Span *span, Parser *parser);
}

%code {
/* From the first to the last part that isn't empty; where all are, the place behind what precedes. */
static Span span_of(const Span *parts, int count) {
    Span joined = {parts[0].source, parts[0].end, parts[0].end};
    bool any = false;
    for (int i = 1; i <= count; i++) {
        if (parts[i].start == parts[i].end) continue;
        joined = any ? span_join(joined, parts[i]) : parts[i];
        any = true;
    }
    return joined;
}
#define YYLLOC_DEFAULT(current, rhs, n) ((current) = span_of((rhs), (n)))
/* A level of nesting takes a dozen states at most, and nesting is bounded by layout; `else if` and operators that group to the
 * right are what this bounds. */
#define YYMAXDEPTH 6000
static void nn_error(const Span *span, Parser *parser, const char *message);
#define SPAN_NAME(text, span) ((AstName){(text), (span)})
static const AstName no_name;
static const NameList no_names;
static const ParamList no_params;
static const DeclList no_decls;
}

%initial-action { @$ = (Span){parser->source, 0, 0}; }

%union {
    const char *word;
    struct { uint64_t value; bool overflow; } integer;
    double number;
    struct { const char *text; uint32_t length; } text;
    AstName name;
    SyntaxOperator op;
    AstExpr *expr;
    AstStmt *stmt;
    AstDecl *decl;
    AstType *type;
    AstArg *arg;
    AstIndex *index;
    AstBinder *binder;
    AstParam *param;
    AstPattern *pattern;
    AstStringPart *part;
    ExprList exprs;
    StmtList stmts;
    DeclList decls;
    TypeList types;
    ArgList args;
    IndexList indices;
    BinderList binders;
    ParamList params;
    PatternList patterns;
    PartList parts;
    NameList names;
}

%token YYEOF 0 "end of file"
%token NEWLINE "end of line"
%token <word> NAME "a name"
%token <integer> INT "a number"
%token <number> FLOAT "a number with a point"
%token STRING_BEGIN "a string" STRING_END "the end of the string"
%token <text> TEXT "text" FORMAT "a format"
%token INTERPOLATION "{ in a string" INTERPOLATION_END "} in a string"
%token <word> AND "and" AS "as" BREAK "break" BROADCAST "broadcast" COMMAND "command" CONST "const" CONTINUE "continue" ELSE "else"
%token <word> EXPORT "export" FALSE "false" FN "fn" FOR "for" FROM "from" IF "if" IMPORT "import" IN "in" INOUT "inout"
%token <word> LET "let" MODEL "model" NOT "not" OPTIMIZER "optimizer" OR "or" PARAM "param" RETURN "return"
%token <word> STATE "state" TRUE "true" VAR "var" WHILE "while"
%token LPAREN "(" RPAREN ")" LBRACKET "[" RBRACKET "]" LBRACE "{" RBRACE "}"
%token COLON ":" COMMA "," DOT "." RANGE ".." RANGE_TO "..=" ELLIPSIS "..." ARROW "->" PIPE "|>"
%token ASSIGN "=" ADD_ASSIGN "+=" SUB_ASSIGN "-=" MUL_ASSIGN "*=" DIV_ASSIGN "/="
%token EQ "==" NE "!=" LT "<" LE "<=" GT ">" GE ">="
%token PLUS "+" MINUS "-" STAR "*" SLASH "/" FLOOR "//" PERCENT "%" POWER "**" AT "@"

%type <name> name
%type <word> word
%type <names> path names
%type <expr> expr or_expr and_expr not_expr comparison chain pipe range sum term unary power postfix primary
%type <expr> string if_expr maybe_expr initial maybe_initial maybe_label
%type <exprs> exprs
%type <op> compare add multiply sign compound
%type <parts> string_parts
%type <part> string_part
%type <args> args arg_list
%type <arg> arg
%type <indices> indices index_list dims dim_list
%type <index> index dim
%type <binders> clauses maybe_clauses binder_list
%type <binder> binder
%type <type> type maybe_type maybe_result
%type <types> types
%type <pattern> pattern unpacking
%type <patterns> patterns
%type <params> params maybe_params param_list
%type <param> param
%type <stmt> stmt
%type <stmts> stmts block
%type <decl> decl import fn const
%type <decls> decls members member_block member maybe_else_members

%%

file: decls { parser->decls = $decls.first; }

/* --- declarations */

decls: %empty                       { $$ = no_decls; }
     | decls decl "end of line"     { $$ = $1; syntax_finish_decl(parser, $decl); list_append($$, $decl); }
     | decls error "end of line"    { $$ = $1; yyerrok; if (syntax_gave_up(parser)) YYABORT; }

decl: import
    | const
    | fn
    | "export" fn                   { $$ = $fn; $$->span = @$; $$->fn.exported = true; }
    | "model" name maybe_params member_block     { $$ = syntax_model(parser, AST_MODEL, @$, $name, $maybe_params, $member_block); }
    | "optimizer" name maybe_params member_block { $$ = syntax_model(parser, AST_OPTIMIZER, @$, $name, $maybe_params, $member_block); }
    | "command" name maybe_params block          { $$ = syntax_command(parser, @$, $name, $maybe_params, $block.first); }

import: "import" path               { $$ = syntax_import(parser, @$, $path, no_name, no_names); }
      | "import" path "as" name     { $$ = syntax_import(parser, @$, $path, $name, no_names); }
      | "from" path "import" names  { $$ = syntax_import(parser, @$, $path, no_name, $names); }
      | "import" string             { syntax_import_string(parser, @string); YYERROR; }

const: "const" name maybe_type initial {
           $$ = syntax_decl(parser, AST_CONST, @$, $name);
           $$->constant.type = $maybe_type;
           $$->constant.value = $initial;
       }

path: name                          { $$ = no_names; list_append($$, syntax_name_node(parser, $name)); $$.count++; }
    | path "." name                 { $$ = $1; list_append($$, syntax_name_node(parser, $name)); $$.count++; }

names: name                         { $$ = no_names; list_append($$, syntax_name_node(parser, $name)); $$.count++; }
     | names "," name               { $$ = $1; list_append($$, syntax_name_node(parser, $name)); $$.count++; }

fn: "fn" name params maybe_result block     { $$ = syntax_fn(parser, @$, $name, $params, $maybe_result, $block.first, NULL); }
  | "fn" name params maybe_result initial   { $$ = syntax_fn(parser, @$, $name, $params, $maybe_result, NULL, $initial); }

maybe_result: %empty { $$ = NULL; } | "->" type { $$ = $type; }

maybe_params: %empty { $$ = no_params; } | params

params: "(" ")"                     { $$ = no_params; }
      | "(" param_list maybe_comma ")" { $$ = $param_list; }

param_list: param                   { $$ = no_params; list_append($$, $param); }
          | param_list "," param    { $$ = $1; list_append($$, $param); }

param: name maybe_type maybe_initial         { $$ = syntax_param(parser, @$, false, $name, $maybe_type, $maybe_initial); }
     | "inout" name maybe_type maybe_initial { $$ = syntax_param(parser, @$, true, $name, $maybe_type, $maybe_initial); }
     | "broadcast" name maybe_type maybe_initial {
           $$ = syntax_param(parser, @$, false, $name, $maybe_type, $maybe_initial);
           $$->broadcast = true;
       }

initial: "=" expr { $$ = $expr; }
maybe_initial: %empty { $$ = NULL; } | initial

member_block: "{" members "}"       { $$ = $members; }

members: %empty                     { $$ = no_decls; }
       | members member "end of line" {
             $$ = $1;
             if ($member.first) syntax_attach_doc(parser, $member.first);
             for (AstDecl *next = $member.first, *one; (one = next);) {
                 next = one->next;
                 one->next = NULL;
                 list_append($$, one);
             }
         }
       | members error "end of line" { $$ = $1; yyerrok; if (syntax_gave_up(parser)) YYABORT; }

member: "param" name maybe_type maybe_initial maybe_label {
            $$ = no_decls;
            list_append($$, syntax_field_decl(parser, AST_PARAM_FIELD, @$, $name, $maybe_type, $maybe_initial, $maybe_label));
        }
      | "state" names maybe_type maybe_initial maybe_label {
            $$ = syntax_states(parser, @$, $names, $maybe_type, $maybe_initial, $maybe_label);
        }
      | name initial maybe_label {
            $$ = no_decls;
            list_append($$, syntax_field_decl(parser, AST_SUBMODEL, @$, $name, NULL, $initial, $maybe_label));
        }
      | const                       { $$ = no_decls; list_append($$, $const); }
      | fn                          { $$ = no_decls; list_append($$, $fn); }
      | "if" expr member_block maybe_else_members {
            $$ = no_decls;
            list_append($$, syntax_field_if(parser, @$, $expr, $member_block, $maybe_else_members));
        }

maybe_label: %empty { $$ = NULL; } | "as" string { $$ = $string; }

maybe_else_members: %empty          { $$ = no_decls; }
      | "else" member_block         { $$ = $member_block; }
      | "else" "if" expr member_block maybe_else_members[rest] {
            $$ = no_decls;
            list_append($$, syntax_field_if(parser, @$, $expr, $member_block, $rest));
        }

/* --- types */

maybe_type: %empty { $$ = NULL; } | ":" type { $$ = $type; }

type: name                          { $$ = syntax_type_name(parser, @$, $name); }
    | name "[" dims "]"             { $$ = syntax_tensor_type(parser, @$, $name, $dims.first); }
    | name[module] "." name[member] { $$ = syntax_type(parser, AST_TYPE_NAMED, @$); $$->module = $module; $$->name = $member; }
    | name "(" types maybe_comma ")" { $$ = syntax_call_type(parser, @$, $name, $types.first); }
    | "(" type[only] ")"            { $$ = $only; $$->span = @$; }
    | "(" type[only] "," ")"        { $$ = syntax_tuple_type(parser, @$, $only); }
    | "(" type[first] "," types maybe_comma ")" { $first->next = $types.first; $$ = syntax_tuple_type(parser, @$, $first); }

types: type                         { $$ = (TypeList){0}; list_append($$, $type); }
     | types "," type               { $$ = $1; list_append($$, $type); }

dims: %empty                        { $$ = (IndexList){0}; }
    | dim_list maybe_comma          { $$ = $dim_list; }

dim_list: dim                       { $$ = (IndexList){0}; list_append($$, $dim); }
        | dim_list "," dim          { $$ = $1; list_append($$, $dim); }

dim: expr                           { $$ = syntax_index(parser, AST_INDEX_EXPR, @$, $expr); }
   | "..."                          { $$ = syntax_index(parser, AST_INDEX_ELLIPSIS, @$, NULL); }
   | "..." name                     { $$ = syntax_index(parser, AST_INDEX_ELLIPSIS, @$, NULL); $$->name = $name; }

/* --- statements */

block: "{" stmts "}"                { $$ = $stmts; }

stmts: %empty                       { $$ = (StmtList){0}; }
     | stmts stmt "end of line"     { $$ = $1; list_append($$, $stmt); }
     | stmts error "end of line"    { $$ = $1; yyerrok; if (syntax_gave_up(parser)) YYABORT; }

stmt: "let" pattern initial         { $$ = syntax_let(parser, AST_LET, @$, $pattern, $initial); }
    | "var" pattern initial         { $$ = syntax_let(parser, AST_VAR, @$, $pattern, $initial); }
    | "let" name "[" names maybe_comma "]" initial maybe_clauses {
          $$ = syntax_equation(parser, @$, $name, $names, $initial, $maybe_clauses.first);
      }
    | expr                          { $$ = syntax_expr_stmt(parser, @$, $expr); }
    | expr initial                  { $$ = syntax_assign(parser, @$, $expr, NULL, $initial); }
    | expr[target] compound expr[value] { $$ = syntax_assign(parser, @$, $target, &$compound, $value); }
    | "for" pattern "in" expr block { $$ = syntax_for(parser, @$, $pattern, $expr, $block.first); }
    | "while" expr block            { $$ = syntax_while(parser, @$, $expr, $block.first); }
    | "break"                       { $$ = syntax_stmt(parser, AST_BREAK, @$); }
    | "continue"                    { $$ = syntax_stmt(parser, AST_CONTINUE, @$); }
    | "return"                      { $$ = syntax_stmt(parser, AST_RETURN, @$); }
    | "return" expr                 { $$ = syntax_return(parser, @$, $expr); }
    | name block                    { $$ = syntax_block_stmt(parser, @$, $name, $block.first); }

compound: "+=" { $$ = (SyntaxOperator){AST_ADD, @$}; } | "-=" { $$ = (SyntaxOperator){AST_SUB, @$}; }
        | "*=" { $$ = (SyntaxOperator){AST_MUL, @$}; } | "/=" { $$ = (SyntaxOperator){AST_DIV, @$}; }

pattern: name maybe_type            { $$ = syntax_pattern(parser, @$, $name, $maybe_type, NULL); }
       | unpacking

unpacking: "(" patterns maybe_comma ")" { $$ = syntax_pattern(parser, @$, no_name, NULL, $patterns.first); }

patterns: pattern                   { $$ = (PatternList){0}; list_append($$, $pattern); }
        | patterns "," pattern      { $$ = $1; list_append($$, $pattern); }

maybe_clauses: %empty { $$ = (BinderList){0}; } | clauses

clauses: "for" binder_list          { $$ = $binder_list; }
       | clauses "for" binder_list  { $$ = $1; $$.last->next = $binder_list.first; $$.last = $binder_list.last; }

binder_list: binder                 { $$ = (BinderList){0}; list_append($$, $binder); }
           | binder_list "," binder { $$ = $1; list_append($$, $binder); }

binder: name                        { $$ = syntax_binder(parser, $name, NULL, NULL); }
      | name "in" expr              { $$ = syntax_binder(parser, $name, NULL, $expr); }
      | unpacking "in" expr         { $$ = syntax_binder(parser, no_name, $unpacking, $expr); }

/* --- expressions, from what binds least to what binds most */

expr: or_expr

or_expr: and_expr
       | or_expr[a] "or"[op] and_expr[b]  { $$ = syntax_binary(parser, @$, AST_BINARY, (SyntaxOperator){AST_OR, @op}, $a, $b); }

and_expr: not_expr
        | and_expr[a] "and"[op] not_expr[b] { $$ = syntax_binary(parser, @$, AST_BINARY, (SyntaxOperator){AST_AND, @op}, $a, $b); }

not_expr: comparison
        | "not"[op] not_expr[a]     { $$ = syntax_unary(parser, @$, (SyntaxOperator){AST_NOT, @op}, $a); }

comparison: pipe
          | pipe[a] compare pipe[b] { $$ = syntax_binary(parser, @$, AST_BINARY, $compare, $a, $b); }
          | chain

chain: pipe[a] compare[first] pipe[b] compare[second] pipe[c] {
           AstExpr *left = syntax_binary(parser, span_join(@a, @b), AST_BINARY, $first, $a, $b);
           $$ = syntax_chain(parser, @$, left, $second, $c);
       }
     | chain[a] compare pipe[b]     { $$ = syntax_binary(parser, @$, AST_BINARY, $compare, $a, $b); }

compare: "==" { $$ = (SyntaxOperator){AST_EQ, @$}; } | "!=" { $$ = (SyntaxOperator){AST_NE, @$}; }
       | "<"  { $$ = (SyntaxOperator){AST_LT, @$}; } | "<=" { $$ = (SyntaxOperator){AST_LE, @$}; }
       | ">"  { $$ = (SyntaxOperator){AST_GT, @$}; } | ">=" { $$ = (SyntaxOperator){AST_GE, @$}; }

pipe: range
    | pipe[a] "|>"[op] postfix[b]   { $$ = syntax_binary(parser, @$, AST_PIPE, (SyntaxOperator){AST_ADD, @op}, $a, $b); }

range: sum
     | sum[a] ".." sum[b]           { $$ = syntax_range(parser, @$, $a, $b, false); }
     | sum[a] "..=" sum[b]          { $$ = syntax_range(parser, @$, $a, $b, true); }

sum: term
   | sum[a] add term[b]             { $$ = syntax_binary(parser, @$, AST_BINARY, $add, $a, $b); }

add: "+" { $$ = (SyntaxOperator){AST_ADD, @$}; } | "-" { $$ = (SyntaxOperator){AST_SUB, @$}; }

term: unary
    | term[a] multiply unary[b]     { $$ = syntax_binary(parser, @$, AST_BINARY, $multiply, $a, $b); }

multiply: "*"  { $$ = (SyntaxOperator){AST_MUL, @$}; }      | "/" { $$ = (SyntaxOperator){AST_DIV, @$}; }
        | "//" { $$ = (SyntaxOperator){AST_FLOORDIV, @$}; } | "%" { $$ = (SyntaxOperator){AST_MOD, @$}; }
        | "@"  { $$ = (SyntaxOperator){AST_MATMUL, @$}; }

unary: power
     | sign unary[a]                { $$ = syntax_unary(parser, @$, $sign, $a); }

sign: "-" { $$ = (SyntaxOperator){AST_NEG, @$}; } | "+" { $$ = (SyntaxOperator){AST_POS, @$}; }

power: postfix
     | postfix[a] "**"[op] unary[b] { $$ = syntax_binary(parser, @$, AST_BINARY, (SyntaxOperator){AST_POW, @op}, $a, $b); }

postfix: primary
       | postfix[a] "." name        { $$ = syntax_field(parser, @$, $a, $name); }
       | postfix[a] "(" args ")"    { $$ = syntax_call(parser, @$, $a, $args.first); }
       | postfix[a] "(" expr[body] clauses ")" { $$ = syntax_reduction(parser, @$, $a, $body, $clauses.first); }
       | postfix[a] "[" indices "]" { $$ = syntax_indexing(parser, @$, $a, $indices.first); }

primary: INT                        { $$ = syntax_expr(parser, AST_INT, @$); $$->integer.value = $1.value; $$->integer.overflow = $1.overflow; }
       | FLOAT                      { $$ = syntax_expr(parser, AST_FLOAT, @$); $$->number = $1; }
       | "true"                     { $$ = syntax_expr(parser, AST_BOOL, @$); $$->boolean = true; }
       | "false"                    { $$ = syntax_expr(parser, AST_BOOL, @$); $$->boolean = false; }
       | string
       | name                       { $$ = syntax_expr(parser, AST_NAME, @$); $$->name = $name; }
       | "(" expr ")"               { $$ = $expr; $$->span = @$; }
       | "(" expr "," ")"           { $$ = syntax_items(parser, @$, AST_TUPLE, $expr); }
       | "(" expr "," exprs maybe_comma ")" { $expr->next = $exprs.first; $$ = syntax_items(parser, @$, AST_TUPLE, $expr); }
       | "[" "]"                    { $$ = syntax_items(parser, @$, AST_LIST, NULL); }
       | "[" exprs maybe_comma "]"  { $$ = syntax_items(parser, @$, AST_LIST, $exprs.first); }
       | "[" expr clauses "]"       { $$ = syntax_comprehension(parser, @$, $expr, $clauses.first); }
       | if_expr

if_expr: "if" expr block            { $$ = syntax_if(parser, @$, $expr, $block.first, NULL, false); }
       | "if" expr block[then] "else" block[otherwise] {
             $$ = syntax_if(parser, @$, $expr, $then.first, $otherwise.first, true);
         }
       | "if" expr block "else" if_expr[otherwise] {
             $$ = syntax_if(parser, @$, $expr, $block.first, syntax_else_if(parser, $otherwise), true);
         }

string: STRING_BEGIN string_parts STRING_END { $$ = syntax_expr(parser, AST_STRING, @$); $$->string = $string_parts.first; }

string_parts: %empty                { $$ = (PartList){0}; }
            | string_parts string_part { $$ = $1; list_append($$, $string_part); }

string_part: TEXT                   { $$ = syntax_text(parser, @$, $1.text, $1.length); }
           | INTERPOLATION expr INTERPOLATION_END { $$ = syntax_interpolation(parser, @$, $expr, NULL); }
           | INTERPOLATION expr FORMAT INTERPOLATION_END { $$ = syntax_interpolation(parser, @$, $expr, $FORMAT.text); }

exprs: expr                         { $$ = (ExprList){0}; list_append($$, $expr); }
     | exprs "," expr               { $$ = $1; list_append($$, $expr); }

args: %empty                        { $$ = (ArgList){0}; }
    | arg_list maybe_comma          { $$ = $arg_list; }

arg_list: arg                       { $$ = (ArgList){0}; list_append($$, $arg); }
        | arg_list "," arg          { $$ = $1; list_append($$, $arg); }

arg: expr                           { $$ = syntax_arg(parser, @$, no_name, $expr); }
   | name initial                   { $$ = syntax_arg(parser, @$, $name, $initial); }

indices: index_list maybe_comma     { $$ = $index_list; }

index_list: index                   { $$ = (IndexList){0}; list_append($$, $index); }
          | index_list "," index    { $$ = $1; list_append($$, $index); }

index: expr                         { $$ = syntax_index(parser, AST_INDEX_EXPR, @$, $expr); }
     | maybe_expr[from] ":" maybe_expr[to] { $$ = syntax_slice(parser, @$, $from, $to, NULL); }
     | maybe_expr[from] ":" maybe_expr[to] ":" maybe_expr[step] { $$ = syntax_slice(parser, @$, $from, $to, $step); }
     | "..."                        { $$ = syntax_index(parser, AST_INDEX_ELLIPSIS, @$, NULL); }

maybe_expr: %empty { $$ = NULL; } | expr

maybe_comma: %empty | ","

/* Words that mean something at the start of a declaration only are names elsewhere. */
name: word                          { $$ = (AstName){$word, @$}; }
word: NAME | "as" | "broadcast" | "command" | "export" | "from" | "inout" | "model" | "optimizer" | "param" | "state"

%%

int nn_lex(NN_STYPE *value, Span *span, Parser *parser) {
    if (parser->too_deep) parser->next = parser->tokens->count - 1; /* nothing more is wanted */
    const Token *token = &parser->tokens->at[parser->next];
    parser->current = parser->next;
    if (token->kind != T_YYEOF) parser->next++;
    *span = (Span){parser->source, token->start, token->end};
    switch (token->kind) {
    case T_INT:
        value->integer.value = token->integer.value;
        value->integer.overflow = token->integer.overflow;
        break;
    case T_FLOAT: value->number = token->number; break;
    case T_TEXT:
    case T_FORMAT:
        value->text.text = token->text.text;
        value->text.length = token->text.length;
        break;
    case T_NN_error: syntax_skip_statement(parser, parser->current); break;
    default: value->word = token->name; break;
    }
    return token->kind;
}

/* The parser's stack is full. */
static void nn_error(const Span *span, Parser *parser, const char *message) {
    (void)message;
    syntax_too_deep(parser, *span);
}

static const char *token_name(int kind) { return yysymbol_name(YYTRANSLATE(kind)); }

static int yyreport_syntax_error(const yypcontext_t *context, Parser *parser) {
    enum { FIRST = 256, KINDS = YYMAXUTOK - FIRST + 1 };
    bool possible[KINDS] = {false};
    yysymbol_kind_t symbols[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, symbols, YYNTOKENS);
    for (int kind = FIRST; count > 0 && kind <= YYMAXUTOK; kind++)
        for (int i = 0; i < count; i++)
            if (YYTRANSLATE(kind) == symbols[i]) possible[kind - FIRST] = true;
    Expectation expected = {possible, KINDS, token_name};
    syntax_unexpected(parser, &expected);
    return 0;
}
