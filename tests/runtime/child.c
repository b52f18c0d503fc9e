/* See child.h. */
#include "child.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static char path_space[256];

static char *read_all(FILE *file) {
    size_t length = 0, capacity = 1 << 16;
    char *text = malloc(capacity);
    rewind(file);
    for (size_t got; (got = fread(text + length, 1, capacity - length - 1, file)) > 0;) {
        length += got;
        if (length + 1 == capacity) text = realloc(text, capacity *= 2);
    }
    text[length] = 0;
    fclose(file);
    return text;
}

Outcome run_program(const nn_program_table *program, const char *const *arguments) {
    FILE *out = tmpfile(), *err = tmpfile();
    int count = 0;
    while (arguments[count]) count++;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        int status = nn_main(program, count, (char **)(uintptr_t)arguments);
        fflush(NULL);
        _exit(status);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return (Outcome){WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read_all(out),
                     read_all(err)};
}

Outcome run_body(Body *body, const char *const *options) {
    const nn_command command = {.name = "test", .run = body};
    static const nn_reader *const readers[] = {&nn_reader_idx, &nn_reader_npy, &nn_reader_bytes,
                                               &nn_reader_csv};
    const nn_program_table program = {.name = "test",
                                      .commands = &command,
                                      .command_count = 1,
                                      .readers = readers,
                                      .reader_count = sizeof readers / sizeof *readers};
    const char *arguments[16] = {"test"};
    for (int i = 0; options && options[i]; i++) arguments[i + 1] = options[i];
    return run_program(&program, arguments);
}

void outcome_free(Outcome *outcome) {
    free(outcome->out);
    free(outcome->err);
}

void expect(Body *body, int status, const char *out, const char *err) {
    Outcome outcome = run_body(body, NULL);
    cr_expect_str_eq(outcome.err, err, "standard error:\n%s\nexpected:\n%s", outcome.err, err);
    cr_expect_str_eq(outcome.out, out, "standard output:\n%s\nexpected:\n%s", outcome.out, out);
    cr_expect_eq(outcome.status, status, "exit status %d, expected %d", outcome.status, status);
    outcome_free(&outcome);
}

void make_folder(void) {
    strcpy(folder, "/tmp/nnc-runtime-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0); /* so that messages name files without it */
}

void remove_folder(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(system(command), 0);
}

const char *temporary(const char *name) {
    snprintf(path_space, sizeof path_space, "%s/%s", folder, name);
    return path_space;
}

void write_file(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    if (count) cr_assert_eq(fwrite(bytes, 1, count, file), count);
    fclose(file);
}
