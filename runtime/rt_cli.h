/* The command line of a compiled program: `./program command --name value`, from the tables in
 * nn_program_table. */
#ifndef RT_CLI_H
#define RT_CLI_H

#include "rt_text.h"

enum { RT_EXIT_USAGE = 2 };

/* The options that every program has; a command's own option of the same name hides one. */
typedef enum {
    RT_THREADS,
    RT_SEED,
    RT_METRICS,
    RT_QUIET,
    RT_RESUME,
    RT_HELP,
    RT_VERSION,
    RT_GLOBALS
} rt_global;

typedef struct {
    const char *name;
    int32_t dtype;           /* NN_BOOL: a flag */
    const char *placeholder; /* of its value, in the help */
    const char *help;
} rt_global_row;
extern const rt_global_row rt_globals[RT_GLOBALS];

typedef struct {
    const nn_program_table *program;
    const char *invoked_as;    /* argv[0] */
    const nn_command *command; /* NULL = none named yet */
    nn_arg *args;              /* one per parameter of the command */
    bool *given;
    nn_arg global[RT_GLOBALS];
    bool global_given[RT_GLOBALS];
} rt_cli;

/* False after a mistake: the message in `error`. With --help or --version what else is missing is no mistake.
 */
bool rt_cli_parse(rt_cli *cli, const nn_program_table *program, int argc, char **argv, rt_text *error);
void rt_cli_free(rt_cli *cli);

/* Reads the value of an option. False: what was expected is in `expected`, as in "a whole number". */
bool rt_cli_value(int32_t dtype, const char *text, nn_arg *value, rt_text *expected);
/* Edits that make `a` of `b`: insertions, deletions, replacements, and swaps of neighbours. */
int rt_edit_distance(const char *a, const char *b);

/* The help page of the program or of its chosen command, at most `width` columns wide. */
void rt_help(rt_text *text, const rt_cli *cli, int width);
/* `name` with - for _. */
void rt_option_name(rt_text *text, const char *name);
/* Has the command this option, of those that every program may have? */
bool rt_cli_has(const rt_cli *cli, rt_global option);

#endif
