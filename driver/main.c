/* nnc: the command line's entry point. Mistakes of the user exit 1 or 2 with a message; a failed assertion or
 * a crash is our bug, and exits 70 saying so. */
#include "driver/compile.h"
#include "driver/options.h"
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void on_crash(int signal_number) {
    static const char text[] =
        "nnc: internal error: this is a bug in nnc, not in your program. Please report it together with\n"
        "     the .nn file and the command line.\n";
    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(EXIT_BUG);
    _exit(EXIT_BUG);
}

static void catch_crashes(void) {
    signal(SIGABRT, on_crash);
#ifndef NNC_SANITIZE
    signal(SIGSEGV, on_crash);
    signal(SIGFPE, on_crash);
    signal(SIGBUS, on_crash);
    signal(SIGILL, on_crash);
#endif
}

/* What a pass frees the next one takes: pages that were given back would be cleared again by the system. */
static void keep_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

int main(int argc, char **argv) {
    catch_crashes();
    keep_memory();
    Arena *arena = arena_new();
    Options options;
    int status;
    if (options_parse(&options, argc, argv, arena, &status)) status = compile(&options, arena);
    arena_free(arena);
    if (fflush(stdout) != 0 && status == 0) {
        perror("nnc: standard output");
        status = EXIT_USER_ERROR;
    }
    return status;
}
