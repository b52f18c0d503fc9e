/* Reads the command line into a command and its arguments. Mistakes become messages; nothing is printed here.
 */
#include "rt_cli.h"
#include "rt.h"
#include <stdlib.h>
#include <string.h>

const rt_global_row rt_globals[RT_GLOBALS] = {
    [RT_THREADS] = {"threads", NN_I32, "N", "worker threads (default: the CPUs that may be used)"},
    [RT_SEED] = {"seed", NN_I64, "N", "seed of all randomness (default: 0)"},
    [RT_METRICS] = {"metrics", NN_STR, "FILE", "append what is reported to FILE, one JSON object a line"},
    [RT_QUIET] = {"quiet", NN_BOOL, NULL, "no progress bar"},
    [RT_RESUME] = {"resume", NN_BOOL, NULL, "go on from the newest checkpoint"},
    [RT_HELP] = {"help", NN_BOOL, NULL, "show this help"},
    [RT_VERSION] = {"version", NN_BOOL, NULL, "show the version"},
};

/* The words of the command line that are not read yet. */
typedef struct {
    rt_cli *cli;
    char **at;
    rt_text *error;
} Reader;

/* An option of the program: where its value goes. */
typedef struct {
    const char *name;
    int32_t dtype;
    nn_arg *value;
    bool *given;
} Option;

void rt_option_name(rt_text *text, const char *name) {
    for (; *name; name++) rt_text_add(text, *name == '_' ? "-" : name, 1);
}

/* Equal but for - and _. */
static bool same_name(const char *a, const char *b, size_t length) {
    if (strlen(a) != length) return false;
    for (size_t i = 0; i < length; i++)
        if (a[i] != b[i] && !((a[i] == '_' || a[i] == '-') && (b[i] == '_' || b[i] == '-'))) return false;
    return true;
}

/* --- options by number: the command's own first, then those of every program */
static int option_count(const rt_cli *cli) {
    return (cli->command ? cli->command->param_count : 0) + RT_GLOBALS;
}

static Option option_at(rt_cli *cli, int index) {
    int own = cli->command ? cli->command->param_count : 0;
    if (index < own)
        return (Option){cli->command->params[index].name, cli->command->params[index].dtype,
                        &cli->args[index], &cli->given[index]};
    index -= own;
    return (Option){rt_globals[index].name, rt_globals[index].dtype, &cli->global[index],
                    &cli->global_given[index]};
}

bool rt_cli_has(const rt_cli *cli, rt_global option) {
    return option != RT_RESUME || (cli->command && cli->command->has_checkpoints);
}

static bool find_option(rt_cli *cli, const char *name, size_t length, Option *option) {
    for (int i = 0; i < option_count(cli); i++) {
        *option = option_at(cli, i);
        if (same_name(option->name, name, length)) return true;
    }
    return false;
}

/* Close enough to be what was meant: one slip in three letters. */
static bool is_close(int distance, const char *word) {
    return distance <= 1 + (int)strlen(word) / 4 && distance < (int)strlen(word);
}

static bool unknown_option(Reader *reader, const char *name) {
    rt_text_adds(reader->error, "unknown option ");
    rt_text_quotes(reader->error, name);
    const char *best = NULL;
    int least = 1 << 20;
    rt_text plain = {0};
    rt_text_add(&plain, name + 2, strcspn(name + 2, "="));
    for (int i = 0; i < option_count(reader->cli); i++) {
        const char *candidate = option_at(reader->cli, i).name;
        int distance = rt_edit_distance(candidate, plain.bytes);
        if (distance < least) {
            least = distance;
            best = candidate;
        }
    }
    if (best && is_close(least, best)) {
        rt_text_adds(reader->error, "; did you mean `--");
        rt_option_name(reader->error, best);
        rt_text_adds(reader->error, "`?");
    }
    rt_text_free(&plain);
    return false;
}

static bool bad_value(Reader *reader, const Option *option, const char *value, const rt_text *expected) {
    rt_text_adds(reader->error, "`--");
    rt_option_name(reader->error, option->name);
    rt_text_addf(reader->error, "` must be %s, not ", expected->bytes);
    rt_text_quotes(reader->error, value);
    return false;
}

static bool set_option(Reader *reader, const Option *option, const char *value) {
    rt_text expected = {0};
    bool fits = rt_cli_value(option->dtype, value, option->value, &expected);
    if (!fits) bad_value(reader, option, value, &expected);
    *option->given = true;
    rt_text_free(&expected);
    return fits;
}

static bool missing_value(Reader *reader, const Option *option) {
    rt_text_adds(reader->error, "`--");
    rt_option_name(reader->error, option->name);
    rt_text_adds(reader->error, "` needs a value: `--");
    rt_option_name(reader->error, option->name);
    rt_text_adds(reader->error, "=VALUE`");
    return false;
}

/* `word` begins with `--`. */
static bool read_option(Reader *reader, const char *word) {
    rt_cli *cli = reader->cli;
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] ? name + length + 1 : NULL;
    Option option;
    if (find_option(cli, name, length, &option)) {
        if (value) return set_option(reader, &option, value);
        if (option.dtype == NN_BOOL) return set_option(reader, &option, "true");
        const char *next = *reader->at;
        if (!next || (next[0] == '-' && next[1] == '-' && next[2])) return missing_value(reader, &option);
        reader->at++;
        return set_option(reader, &option, next);
    }
    bool negated = strncmp(name, "no-", 3) == 0 && !value;
    if (negated && find_option(cli, name + 3, length - 3, &option) && option.dtype == NN_BOOL)
        return set_option(reader, &option, "false");
    return unknown_option(reader, word);
}

/* --- commands */
static void choose_command(rt_cli *cli, const nn_command *command) {
    cli->command = command;
    cli->args = rt_allocate((size_t)command->param_count * sizeof *cli->args);
    cli->given = rt_allocate((size_t)command->param_count * sizeof *cli->given);
    for (int32_t i = 0; i < command->param_count; i++) cli->given[i] = false;
}

static bool unknown_command(Reader *reader, const char *word) {
    const nn_program_table *program = reader->cli->program;
    const char *best = NULL;
    int least = 1 << 20;
    rt_text_adds(reader->error, "unknown command ");
    rt_text_quotes(reader->error, word);
    for (int32_t i = 0; i < program->command_count; i++) {
        int distance = rt_edit_distance(program->commands[i].name, word);
        if (distance < least) {
            least = distance;
            best = program->commands[i].name;
        }
    }
    if (best && is_close(least, best)) {
        rt_text_adds(reader->error, "; did you mean `");
        rt_option_name(reader->error, best);
        rt_text_adds(reader->error, "`?");
    }
    return false;
}

/* A word that is no option: the command, once. */
static bool read_word(Reader *reader, const char *word) {
    rt_cli *cli = reader->cli;
    bool only = cli->program->command_count == 1;
    if (!cli->command || only) {
        for (int32_t i = 0; i < cli->program->command_count; i++) {
            if (!same_name(cli->program->commands[i].name, word, strlen(word))) continue;
            if (!cli->command) choose_command(cli, &cli->program->commands[i]);
            return true;
        }
    }
    if (!cli->command) return unknown_command(reader, word);
    rt_text_adds(reader->error, "unexpected argument ");
    rt_text_quotes(reader->error, word);
    return false;
}

static bool no_command(Reader *reader) {
    const nn_program_table *program = reader->cli->program;
    rt_text_adds(reader->error,
                 program->command_count ? "which command? One of" : "this program has no commands");
    for (int32_t i = 0; i < program->command_count; i++) {
        rt_text_adds(reader->error, i ? ", `" : " `");
        rt_option_name(reader->error, program->commands[i].name);
        rt_text_adds(reader->error, "`");
    }
    return false;
}

/* Gives the options that were not given their defaults; all that have none are missing. */
static bool fill_in(Reader *reader) {
    rt_cli *cli = reader->cli;
    rt_text missing = {0};
    bool good = true;
    for (int32_t i = 0; i < cli->command->param_count && good; i++) {
        const nn_param *param = &cli->command->params[i];
        Option option = option_at(cli, i);
        if (cli->given[i]) continue;
        if (param->fallback) {
            good = set_option(reader, &option, param->fallback);
        } else {
            rt_text_adds(&missing, missing.length ? ", `--" : " `--");
            rt_option_name(&missing, param->name);
            rt_text_adds(&missing, "`");
        }
    }
    if (good && missing.length) rt_text_addf(reader->error, "missing%s", missing.bytes);
    good &= missing.length == 0;
    rt_text_free(&missing);
    return good;
}

static bool read_words(Reader *reader) {
    bool options = true;
    while (*reader->at) {
        const char *word = *reader->at++;
        bool good;
        if (options && strcmp(word, "--") == 0) {
            options = false;
            good = true;
        } else if (options && strcmp(word, "-h") == 0) {
            good = read_option(reader, "--help");
        } else if (options && word[0] == '-' && word[1] == '-') {
            good = read_option(reader, word);
        } else {
            good = read_word(reader, word);
        }
        if (!good) return false;
    }
    return true;
}

bool rt_cli_parse(rt_cli *cli, const nn_program_table *program, int argc, char **argv, rt_text *error) {
    *cli = (rt_cli){.program = program, .invoked_as = argc > 0 ? argv[0] : program->name};
    if (program->command_count == 1) choose_command(cli, &program->commands[0]);
    Reader reader = {cli, argc > 0 ? argv + 1 : argv, error};
    if (!read_words(&reader)) return false;
    if (cli->global[RT_HELP].b || cli->global[RT_VERSION].b) return true;
    if (!cli->command) return no_command(&reader);
    if (cli->global_given[RT_THREADS] && cli->global[RT_THREADS].i < 1) {
        rt_text_addf(error, "`--threads` must be at least 1, not `%lld`",
                     (long long)cli->global[RT_THREADS].i);
        return false;
    }
    if (cli->global[RT_RESUME].b && !rt_cli_has(cli, RT_RESUME)) {
        rt_text_adds(error, "`--resume`: `");
        rt_option_name(error, cli->command->name);
        rt_text_adds(error, "` has no checkpoint to go on from");
        return false;
    }
    return fill_in(&reader);
}

void rt_cli_free(rt_cli *cli) {
    free(cli->args);
    free(cli->given);
}
