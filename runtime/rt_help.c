/* Help pages, made from the program's tables and doc comments. */
#include "rt.h"
#include "rt_cli.h"
#include <string.h>

enum { LEAST_WIDTH = 40, MOST_WIDTH = 100, LEFT_LIMIT = 32 };

typedef struct {
    const rt_cli *cli;
    rt_text *out;
    int64_t width;
    int64_t column; /* where the right-hand texts begin */
} Page;

/* Appends `text` from `column` on, breaking lines at spaces; the cursor is at `column` already. */
static void wrap(Page *page, const char *text, int64_t column) {
    int64_t at = column;
    for (bool first = true; *text; first = false) {
        size_t space = strspn(text, " \n");
        text += space;
        size_t length = strcspn(text, " \n");
        if (length == 0) break;
        int64_t columns = rt_text_columns(text, length);
        if (!first && at + 1 + columns > page->width) {
            rt_text_adds(page->out, "\n");
            rt_text_fill(page->out, ' ', column);
            at = column;
        } else if (!first) {
            rt_text_adds(page->out, " ");
            at++;
        }
        rt_text_add(page->out, text, length);
        at += columns;
        text += length;
    }
    rt_text_adds(page->out, "\n");
}

static void add_row(Page *page, const char *left, const char *right) {
    int64_t columns = rt_text_columns(left, strlen(left));
    rt_text_addf(page->out, "  %s", left);
    if (!*right) {
        rt_text_adds(page->out, "\n");
        return;
    }
    if (columns + 4 > page->column) {
        rt_text_adds(page->out, "\n");
        columns = -2;
    }
    rt_text_fill(page->out, ' ', page->column - columns - 2);
    wrap(page, right, page->column);
}

/* --- what options look like */
static const char *placeholder(int32_t dtype) {
    if (dtype == NN_STR) return "TEXT";
    return rt_dtype_is_float(dtype) ? "NUMBER" : "INTEGER";
}

static void add_param(rt_text *left, const nn_param *param) {
    rt_text_adds(left, "--");
    rt_option_name(left, param->name);
    if (param->dtype == NN_BOOL) {
        rt_text_adds(left, ", --no-");
        rt_option_name(left, param->name);
    } else {
        rt_text_addf(left, " %s", placeholder(param->dtype));
    }
}

static void add_default(rt_text *right, const nn_param *param) {
    if (!param->fallback)
        rt_text_adds(right, "required");
    else if (param->dtype == NN_STR)
        rt_text_adds(right, "default: "), rt_text_quotes(right, param->fallback);
    else
        rt_text_addf(right, "default: %s", param->fallback);
}

/* What it is for, and its default: `how often (default: 5)`. */
static void add_meaning(rt_text *right, const nn_param *param) {
    bool told = param->doc && *param->doc;
    if (told) rt_text_addf(right, "%s (", param->doc);
    add_default(right, param);
    if (told) rt_text_adds(right, ")");
}

static void add_global(rt_text *left, const rt_global_row *row) {
    rt_text_addf(left, "--%s%s%s", row->name, row->placeholder ? " " : "",
                 row->placeholder ? row->placeholder : "");
}

static bool is_hidden(const rt_cli *cli, const char *global) {
    for (int32_t i = 0; cli->command && i < cli->command->param_count; i++)
        if (strcmp(cli->command->params[i].name, global) == 0) return true;
    return false;
}

/* --- sections */
static void fit_column(Page *page, const rt_text *left) {
    int64_t columns = rt_text_columns(left->bytes, left->length) + 4;
    if (columns > page->column && columns <= LEFT_LIMIT) page->column = columns;
}

static void add_commands(Page *page) {
    const nn_program_table *program = page->cli->program;
    rt_text left = {0};
    page->column = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t i = 0; i < program->command_count; i++) {
            left.length = 0;
            rt_option_name(&left, program->commands[i].name);
            const char *doc = program->commands[i].doc;
            if (pass == 0) fit_column(page, &left);
            if (pass == 1) add_row(page, left.bytes, doc ? doc : "");
        }
        if (pass == 0) rt_text_adds(page->out, "\nCommands:\n");
    }
    rt_text_free(&left);
}

/* In pass 0 the rows are measured, in pass 1 written. */
static void add_params(Page *page, int pass) {
    const nn_command *command = page->cli->command;
    rt_text left = {0}, right = {0};
    for (int32_t i = 0; command && i < command->param_count; i++) {
        left.length = right.length = 0;
        add_param(&left, &command->params[i]);
        add_meaning(&right, &command->params[i]);
        if (pass == 0) fit_column(page, &left);
        if (pass == 1) add_row(page, left.bytes, right.bytes);
    }
    rt_text_free(&left);
    rt_text_free(&right);
}

static void add_globals(Page *page, int pass) {
    rt_text left = {0};
    for (int i = 0; i < RT_GLOBALS; i++) {
        if (is_hidden(page->cli, rt_globals[i].name) || !rt_cli_has(page->cli, (rt_global)i)) continue;
        left.length = 0;
        add_global(&left, &rt_globals[i]);
        if (pass == 0) fit_column(page, &left);
        if (pass == 1) add_row(page, left.bytes, rt_globals[i].help);
    }
    rt_text_free(&left);
}

static void add_options(Page *page) {
    bool own = page->cli->command && page->cli->command->param_count > 0;
    page->column = 0;
    add_params(page, 0);
    add_globals(page, 0);
    if (own) rt_text_adds(page->out, "\nOptions:\n");
    add_params(page, 1);
    rt_text_adds(page->out, own ? "\nOptions of every program:\n" : "\nOptions:\n");
    add_globals(page, 1);
}

static void add_usage(Page *page) {
    const rt_cli *cli = page->cli;
    const nn_command *command = cli->command;
    rt_text rest = {0};
    if (cli->program->command_count != 1) {
        if (command) rt_option_name(&rest, command->name);
        rt_text_adds(&rest, command ? " " : "COMMAND ");
    }
    for (int32_t i = 0; command && i < command->param_count; i++) {
        if (command->params[i].fallback) continue;
        add_param(&rest, &command->params[i]);
        rt_text_adds(&rest, " ");
    }
    rt_text_adds(&rest, "[OPTIONS]");
    rt_text_addf(page->out, "Usage: %s ", cli->invoked_as);
    wrap(page, rest.bytes, 8 + rt_text_columns(cli->invoked_as, strlen(cli->invoked_as)));
    rt_text_free(&rest);
}

static void add_doc(Page *page, const char *doc) {
    if (!doc || !*doc) return;
    wrap(page, doc, 0);
    rt_text_adds(page->out, "\n");
}

void rt_help(rt_text *text, const rt_cli *cli, int width) {
    Page page = {.cli = cli, .out = text};
    page.width = width < LEAST_WIDTH ? LEAST_WIDTH : width > MOST_WIDTH ? MOST_WIDTH : width;
    if (!cli->command || cli->program->command_count == 1) add_doc(&page, cli->program->doc);
    if (cli->command) add_doc(&page, cli->command->doc);
    add_usage(&page);
    if (!cli->command) add_commands(&page);
    add_options(&page);
    if (!cli->command && cli->program->command_count > 0)
        rt_text_addf(text, "\n`%s COMMAND --help` shows the options of a command.\n", cli->invoked_as);
}
