/* How the program stops when it cannot go on: its output first, then one line on standard error. */
#include "rt.h"
#include <stdarg.h>
#include <stdlib.h>

static void print_error(const nn_loc *loc, const char *message, const char *help) {
    rt_text line = {0};
    rt_text_adds(&line, "error: ");
    if (loc && loc->file) rt_text_addf(&line, "%s:%d:%d: ", loc->file, loc->line, loc->column);
    rt_text_addf(&line, "%s\n", message);
    if (help) rt_text_addf(&line, "help: %s\n", help);
    fputs(line.bytes, stderr);
    fflush(stderr);
    rt_text_free(&line);
}

_Noreturn void rt_fail(nn_rt *rt, const nn_loc *loc, const char *message, const char *help) {
    rt_progress_clear(rt);
    fflush(stdout);
    print_error(loc, message, help);
    exit(EXIT_FAILURE);
}

_Noreturn void rt_failf(nn_rt *rt, const nn_loc *loc, const char *format, ...) {
    va_list list;
    va_start(list, format);
    char message[1024];
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    rt_fail(rt, loc, message, NULL);
}

_Noreturn void rt_out_of_memory(size_t bytes) {
    fflush(stdout);
    fprintf(stderr, "error: out of memory: %zu bytes were asked for\n", bytes);
    exit(EXIT_FAILURE);
}

void rt_warn(nn_rt *rt, const char *message) {
    rt_progress_clear(rt);
    fflush(stdout);
    fprintf(stderr, "warning: %s\n", message);
}
