/* Parses the compiler's command line by the table options.def and prints its help. */
#include "driver/options.h"
#include "passes/passes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *long_name, *short_name, *placeholder, *commands, *help;
} OptionRow;

static const OptionRow rows[OPTION_COUNT] = {
#define OPTION(id, long_name, short_name, placeholder, commands, help) \
    [OPTION_##id] = {long_name, short_name, placeholder, commands, help},
#include "driver/options.def"
#undef OPTION
};

typedef struct {
    const char *name, *usage, *help;
    char letter;
} CommandRow;

static const CommandRow commands[COMMAND_COUNT] = {
    [COMMAND_BUILD] = {"build", "nnc build FILE.nn [-o OUT] [options]",
                       "compile a program into one executable", 'B'},
    [COMMAND_RUN] = {"run", "nnc run FILE.nn [options] [-- ARGUMENTS]",
                     "compile a program and run it at once with the arguments after --", 'R'},
    [COMMAND_CHECK] = {"check", "nnc check FILE.nn [options]",
                       "report the program's mistakes without compiling it", 'C'},
    [COMMAND_IR] = {"ir", "nnc ir FILE.nnir [--passes=LIST] [options]",
                    "read a graph in text form, run passes on it, print it or compile it", 'I'},
};

static void print_general_help(void) {
    printf("nnc compiles neural-network programs (.nn) into native executables.\n\n"
           "Usage: nnc COMMAND FILE [options]\n\nCommands:\n");
    for (int i = 0; i < COMMAND_COUNT; i++) printf("  %-8s %s\n", commands[i].name, commands[i].help);
    printf("\n`nnc COMMAND --help` lists a command's options; `nnc --version` tells the version.\n"
           "Exit status: 0 success, 1 a mistake in the program, 2 a mistake on the command line, 70 a bug in "
           "nnc.\n");
}

static void print_passes(void) {
    printf("\nPasses, in order; simplify runs again after each of the others:\n");
    for (int i = 0; i < PASS_COUNT; i++)
        printf("  %-10s %s\n", pass_name((PassId)i), pass_description((PassId)i));
}

static void print_command_help(Command command) {
    printf("%s\n\nUsage: %s\n\nOptions:\n", commands[command].help, commands[command].usage);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const OptionRow *row = &rows[i];
        if (!strchr(row->commands, commands[command].letter)) continue;
        char name[64];
        snprintf(name, sizeof name, "%s%s%s%s%s", row->short_name ? row->short_name : "",
                 row->short_name ? ", " : "    ", row->long_name, row->placeholder ? "=" : "",
                 row->placeholder ? row->placeholder : "");
        printf("  %-28s %s\n", name, row->help);
    }
    if (command != COMMAND_CHECK) print_passes();
}

__attribute__((format(printf, 1, 2))) static bool usage_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("nnc: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n     `nnc --help` shows what there is\n", stderr);
    va_end(args);
    return false;
}

static bool command_from_name(const char *name, Command *command) {
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i].name) == 0) {
            *command = (Command)i;
            return true;
        }
    return false;
}

static bool unknown_command(const char *name) {
    const char *names[COMMAND_COUNT];
    for (int i = 0; i < COMMAND_COUNT; i++) names[i] = commands[i].name;
    const char *near = suggest(name, names, COMMAND_COUNT);
    const char *dot = strrchr(name, '.');
    if (dot && strcmp(dot, ".nn") == 0)
        return usage_error("say what to do with `%s`: `nnc build %s`", name, name);
    if (near) return usage_error("there is no command `%s`; did you mean `%s`?", name, near);
    return usage_error("there is no command `%s`", name);
}

static bool unknown_option(const char *name, Command command) {
    const char *names[OPTION_COUNT];
    size_t count = 0;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strchr(rows[i].commands, commands[command].letter)) names[count++] = rows[i].long_name;
    const char *near = suggest(name, names, count);
    if (near)
        return usage_error("`nnc %s` has no option `%s`; did you mean `%s`?", commands[command].name, name,
                           near);
    return usage_error("`nnc %s` has no option `%s`", commands[command].name, name);
}

/* Does `arg` spell option `row`? `*value` is set to what is attached to it, or NULL. */
static bool matches(const OptionRow *row, const char *arg, const char **value) {
    size_t length = strlen(row->long_name);
    *value = NULL;
    if (strncmp(arg, row->long_name, length) == 0 && (arg[length] == '\0' || arg[length] == '=')) {
        if (arg[length] == '=') *value = arg + length + 1;
        return true;
    }
    if (row->short_name && strncmp(arg, row->short_name, 2) == 0 && (row->placeholder || arg[2] == '\0')) {
        if (arg[2] != '\0') *value = arg + 2;
        return true;
    }
    return false;
}

static bool add_define(Options *options, const char *text, Arena *arena) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) return usage_error("-D takes NAME=VALUE, not `%s`", text);
    Define define = {arena_strndup(arena, text, (size_t)(equals - text)), equals + 1};
    vec_push(arena, &options->defines, define);
    return true;
}

/* Reads the option at argv[*i], advancing over a separate value. */
static bool parse_option(Options *options, int argc, char **argv, int *i, Arena *arena) {
    const char *arg = argv[*i], *value;
    for (int id = 0; id < OPTION_COUNT; id++) {
        const OptionRow *row = &rows[id];
        if (!strchr(row->commands, commands[options->command].letter) || !matches(row, arg, &value)) continue;
        if (!row->placeholder && value) return usage_error("`%s` takes no value", row->long_name);
        if (row->placeholder && !value) {
            if (*i + 1 >= argc) return usage_error("`%s` needs a value: %s", arg, row->placeholder);
            value = argv[++*i];
        }
        options->value[id] = value ? value : "";
        return id != OPTION_define || add_define(options, value, arena);
    }
    char *name = arena_strdup(arena, arg);
    name[strcspn(name, "=")] = '\0';
    return unknown_option(name, options->command);
}

static bool parse_arguments(Options *options, int argc, char **argv, Arena *arena) {
    options->words = argv;
    options->word_count = argc;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            options->word_count = i;
            if (options->command != COMMAND_RUN)
                return usage_error("only `nnc run` takes arguments after `--`");
            options->rest = argv + i + 1;
            options->rest_count = argc - i - 1;
            break;
        }
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!parse_option(options, argc, argv, &i, arena)) return false;
        } else if (options->input) {
            return usage_error("one file at a time: `%s` and `%s`%s", options->input, argv[i],
                               options->command == COMMAND_RUN ? "; the program's own arguments go after `--`"
                                                               : "");
        } else {
            options->input = argv[i];
        }
    }
    if (!options->input && !options->value[OPTION_help])
        return usage_error("which file? %s", commands[options->command].usage);
    return true;
}

bool options_parse(Options *options, int argc, char **argv, Arena *arena, int *status) {
    *options = (Options){0};
    *status = EXIT_USAGE;
    if (argc < 2) {
        print_general_help();
        return false;
    }
    const char *first = argv[1];
    bool help = strcmp(first, "help") == 0 || strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0;
    if (help && argc > 2 && command_from_name(argv[2], &options->command)) {
        print_command_help(options->command);
        *status = 0;
        return false;
    }
    if (help || strcmp(first, "--version") == 0) {
        if (help)
            print_general_help();
        else
            printf("nnc %s\n", NNC_VERSION);
        *status = 0;
        return false;
    }
    if (!command_from_name(first, &options->command)) return unknown_command(first);
    if (!parse_arguments(options, argc, argv, arena)) return false;
    if (options->value[OPTION_help]) {
        print_command_help(options->command);
        *status = 0;
        return false;
    }
    return true;
}

int options_choice(const Options *options, OptionId id, const char *const *choices, size_t count,
                   int fallback) {
    const char *value = options->value[id];
    if (!value) return fallback;
    for (size_t i = 0; i < count; i++)
        if (strcmp(value, choices[i]) == 0) return (int)i;
    fprintf(stderr, "nnc: `%s` cannot be `%s`; it is one of:", rows[id].long_name, value);
    for (size_t i = 0; i < count; i++) fprintf(stderr, " %s", choices[i]);
    fputc('\n', stderr);
    return -1;
}
