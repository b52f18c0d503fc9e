/* The compiler's command line. */
#ifndef DRIVER_OPTIONS_H
#define DRIVER_OPTIONS_H

#include "frontend/frontend.h"
#include "support/vec.h"

typedef enum {
#define OPTION(id, long_name, short_name, placeholder, commands, help) OPTION_##id,
#include "driver/options.def"
#undef OPTION
    OPTION_COUNT
} OptionId;

/* The subcommands; their letters in options.def are B, R, C and I. */
typedef enum { COMMAND_BUILD, COMMAND_RUN, COMMAND_CHECK, COMMAND_IR, COMMAND_COUNT } Command;

enum { EXIT_USER_ERROR = 1, EXIT_USAGE = 2, EXIT_BUG = 70 };

typedef struct {
    Command command;
    const char *input;
    const char *value[OPTION_COUNT]; /* the last one given; "" for a flag; NULL where absent */
    VEC(Define) defines;
    char **words; /* the command line before `--` */
    int word_count;
    char **rest; /* what follows `--` */
    int rest_count;
} Options;

/* Parses the command line. False where the program should stop at once with `*status` (help, version, a usage
 * error: already printed). */
bool options_parse(Options *options, int argc, char **argv, Arena *arena, int *status);

/* A value out of a fixed list: its index, or -1 after complaining (usage error). `fallback` where the option
 * is absent. */
int options_choice(const Options *options, OptionId id, const char *const *choices, size_t count,
                   int fallback);

#endif
