/* Runs a program table in a child process and keeps what it says: the functions under test end the process
 * when they fail. */
#ifndef CHILD_H
#define CHILD_H

#include "runtime/nnrt.h"
#include <stddef.h>

typedef struct {
    int status; /* exit status; -signal where a signal ended it */
    char *out, *err;
} Outcome;

typedef void Body(nn_rt *rt, const nn_arg *args);

/* `arguments` end with NULL and begin with the program's name. */
Outcome run_program(const nn_program_table *program, const char *const *arguments);
/* A program whose only command is `body`, with `options` (ends with NULL, or NULL for none) after its name.
 */
Outcome run_body(Body *body, const char *const *options);
void outcome_free(Outcome *outcome);

/* Fails the test unless the body ends with this status and says exactly this on standard output and standard
 * error. */
void expect(Body *body, int status, const char *out, const char *err);

/* A path in a folder that is removed when the test ends; the same string until the next call. */
const char *temporary(const char *name);
void make_folder(void);
void remove_folder(void);
void write_file(const char *path, const void *bytes, size_t count);

#endif
