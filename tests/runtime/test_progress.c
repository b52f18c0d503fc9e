/* The progress bar, on a pseudo-terminal: what a person would see, and that nothing of it is left behind. */
#define _GNU_SOURCE /* posix_openpt */
#include "child.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MILLISECONDS = 110 }; /* longer than the least time between two drawings */

static void step(nn_rt *rt) {
    nanosleep(&(struct timespec){.tv_nsec = STEP_MILLISECONDS * 1000000L}, NULL);
    nn_progress_step(rt);
}

static void nested_loops(nn_rt *rt, const nn_arg *args) {
    float loss = 0.25f;
    (void)args;
    nn_progress_begin(rt, 2);
    nn_progress_begin(rt, 4);
    nn_report(rt, NULL, 1, &(nn_tensor){.name = "loss", .data = &loss, .dtype = NN_F32});
    step(rt);
    nn_print(rt, "line", 0, NULL);
    step(rt);
    nn_progress_end(rt);
    step(rt);
    nn_write(rt, "dots...", 0, NULL);
    step(rt);
    nn_progress_end(rt);
    nn_print(rt, "", 0, NULL);
}

/* Runs the body with a terminal of `columns` for its output; what it wrote into `seen`. */
static void run_on_terminal(const char *option, int columns, char *seen, size_t capacity) {
    const nn_command command = {.name = "test", .run = nested_loops};
    const nn_program_table program = {.name = "test", .commands = &command, .command_count = 1};
    const char *arguments[] = {"test", option, NULL};
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        cr_skip_test("this machine has no pseudo-terminals");
    int other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    ioctl(other, TIOCSWINSZ, &(struct winsize){.ws_row = 24, .ws_col = (unsigned short)columns});
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", "C", 1);
    pid_t child = fork();
    if (child == 0) {
        dup2(other, STDOUT_FILENO);
        dup2(other, STDERR_FILENO);
        int status = nn_main(&program, option ? 2 : 1, (char **)(uintptr_t)arguments);
        fflush(NULL);
        _exit(status);
    }
    close(other);
    size_t length = 0;
    for (ssize_t got; (got = read(terminal, seen + length, capacity - length - 1)) > 0;)
        length += (size_t)got;
    seen[length] = 0;
    close(terminal);
    int status;
    waitpid(child, &status, 0);
    cr_expect_eq(status, 0);
}

Test(progress, bar) {
    char seen[4096];
    run_on_terminal(NULL, 80, seen, sizeof seen);
    char *inner = strstr(seen, "\r 25% [=====               ] 1/4  ");
    cr_assert_not_null(inner, "%s", seen);
    cr_expect_not_null(strstr(inner, " left  loss 0.25\x1b[K\r\x1b[Kline\r\n"),
                       "the bar gives way to a line: %s", seen);
    cr_expect_not_null(strstr(seen, "\r 50% [==========          ] 2/4  "));
    char *outer = strstr(seen, "\r 50% [==========          ] 1/2  ");
    cr_expect_not_null(outer);
    const char end[] = "\r\x1b[Kdots...\r\n";
    cr_expect_str_eq(seen + strlen(seen) - strlen(end), end,
                     "no bar over an unfinished line, none at the end: %s", seen);
}

Test(progress, fits_the_terminal) {
    char seen[4096];
    run_on_terminal(NULL, 20, seen, sizeof seen);
    cr_expect_not_null(strstr(seen, "\r 25% [=====        \x1b[K"), "%s", seen);
}

Test(progress, quiet) {
    char seen[4096];
    run_on_terminal("--quiet", 60, seen, sizeof seen);
    cr_expect_str_eq(seen, "line\r\ndots...\r\n");
}

/* --- output that cannot be written */
static void print_much(nn_rt *rt, const nn_arg *args) {
    (void)args;
    for (int i = 0; i < 100000; i++) nn_print(rt, "a line", 0, NULL);
}

static int run_into(int output, char *said, size_t capacity) {
    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        const nn_command command = {.name = "test", .run = print_much};
        const nn_program_table program = {.name = "test", .commands = &command, .command_count = 1};
        dup2(output, STDOUT_FILENO);
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        _exit(nn_main(&program, 1, (char *[]){"test", NULL}));
    }
    close(pipes[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(pipes[0], said + length, capacity - length - 1)) > 0;)
        length += (size_t)got;
    said[length] = 0;
    close(pipes[0]);
    int status;
    waitpid(child, &status, 0);
    return status;
}

Test(progress, full_disk) {
    char said[512];
    int status = run_into(open("/dev/full", O_WRONLY), said, sizeof said);
    cr_expect_str_eq(said, "error: cannot write to standard output: No space left on device\n");
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

Test(progress, reader_gone) {
    char said[512];
    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    close(pipes[0]);
    int status = run_into(pipes[1], said, sizeof said);
    cr_expect_str_eq(said, "");
    cr_expect(status != 0);
}
