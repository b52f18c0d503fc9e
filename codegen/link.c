/* Links through the system's C compiler driver, which knows where libc and the startup files are. No shell in
 * between. */
#include "codegen/codegen.h"
#include "support/file.h"
#include "support/vec.h"
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef VEC(char *) Arguments;

static void add(Arena *arena, Arguments *arguments, const char *text) {
    vec_push(arena, arguments, text ? arena_strdup(arena, text) : NULL);
}

/* Splits a command such as "ccache gcc" at blanks. */
static void add_words(Arena *arena, Arguments *arguments, const char *text) {
    while (*(text += strspn(text, " \t"))) {
        size_t length = strcspn(text, " \t");
        add(arena, arguments, arena_strndup(arena, text, length));
        text += length;
    }
}

static Arguments command_line(const LinkOptions *options, const char *driver, const char *output,
                              Arena *arena) {
    Arguments arguments = {0};
    add_words(arena, &arguments, driver);
    for (uint32_t i = 0; i < options->object_count; i++) add(arena, &arguments, options->objects[i]);
    add(arena, &arguments, options->runtime);
    add(arena, &arguments, "-o");
    add(arena, &arguments, output);
    add(arena, &arguments, "-Wl,--gc-sections");
    /* Constants share pages with code: programs are two pages smaller. */
    add(arena, &arguments, "-Wl,-z,noseparate-code");
    if (!options->debug) add(arena, &arguments, "-s");
    if (options->statically) add(arena, &arguments, "-static");
    if (options->flags) add_words(arena, &arguments, options->flags);
    if (options->blas) add(arena, &arguments, "-lopenblas");
    add(arena, &arguments, "-lm");
    add(arena, &arguments, "-lpthread");
    add(arena, &arguments, NULL);
    return arguments;
}

/* Runs a command to its end; its exit status, 128 + signal, or -errno where it could not be started. */
static int run(char *const *arguments) {
    pid_t child;
    int error = posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ);
    if (error) return -error;
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Tries one driver. True where it is there; `*error` is NULL if it also succeeded. */
static bool try_driver(const LinkOptions *options, const char *driver, const char *output, Arena *arena,
                       const char **error) {
    Arguments arguments = command_line(options, driver, output, arena);
    int status = run(arguments.at);
    if (status == -ENOENT) return false;
    if (status == 0)
        *error = NULL;
    else if (status < 0)
        *error = arena_printf(arena, "cannot run the linker `%s`: %s", driver, strerror(-status));
    else
        *error = arena_printf(arena, "the linker `%s` failed with status %d%s", driver, status,
                              options->blas ? "; the program uses OpenBLAS: install it (on Debian "
                                              "libopenblas-dev), or build with --blas=none"
                                            : "");
    return true;
}

static const char *run_linker(const LinkOptions *options, const char *output, Arena *arena) {
    const char *chosen = getenv("CC");
    const char *error;
    if (chosen && chosen[strspn(chosen, " \t")]) {
        if (try_driver(options, chosen, output, arena, &error)) return error;
        return arena_printf(arena, "no linker: `%s` (from $CC) is not installed", chosen);
    }
    static const char *const drivers[] = {"cc", "gcc", "clang"};
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (try_driver(options, drivers[i], output, arena, &error)) return error;
    return "no linker: install gcc or clang, or set $CC (nnc uses a C compiler to link, nothing else)";
}

/* mkstemp makes files that only their owner may read; programs are for everyone that the umask allows. */
static bool make_executable(const char *path) {
    mode_t mask = umask(0);
    umask(mask);
    return chmod(path, 0777 & ~mask) == 0;
}

static bool holds(const char *bytes, size_t length, const char *wanted) {
    size_t n = strlen(wanted);
    for (size_t i = 0; i + n <= length; i++)
        if (bytes[i] == *wanted && memcmp(bytes + i, wanted, n) == 0) return true;
    return false;
}

/* A program whose runtime takes other arguments than it gives would be linked all the same, and crash. */
static const char *check_runtime(const LinkOptions *options, Arena *arena) {
    const char *path = options->runtime, *why;
    if (!file_exists(path))
        return arena_printf(arena, "the runtime library %s is missing (set NNC_RUNTIME to where it is)",
                            path);
    Arena *scratch = arena_new();
    size_t length;
    const char *archive = file_read(scratch, path, &length, &why), *error = NULL;
    if (!archive)
        error = arena_printf(arena, "the runtime library %s: %s", path, why);
    else if (!holds(archive, length, options->stamp))
        error =
            arena_printf(arena, "the runtime library %s is of another version of nnc: build both anew", path);
    arena_free(scratch);
    return error;
}

/* Gives a linked program its name. */
static const char *publish(const char *temporary, const char *output, Arena *arena) {
    if (!make_executable(temporary) || rename(temporary, output) != 0)
        return arena_strdup(arena, strerror(errno));
    return NULL;
}

/* A device or a pipe takes the program's bytes: what is renamed to its name would replace it for everybody.
 */
static const char *pour(const char *temporary, const char *output, Arena *arena) {
    Arena *scratch = arena_new();
    size_t length;
    const char *why = NULL;
    const char *bytes = file_read(scratch, temporary, &length, &why);
    const char *error = bytes && file_write(output, bytes, length, &why) ? NULL : arena_strdup(arena, why);
    arena_free(scratch);
    return error;
}

const char *codegen_link(const LinkOptions *options, Arena *arena) {
    const char *unfit = check_runtime(options, arena);
    if (unfit) return unfit;
    bool special = file_special(options->output);
    char *temporary = arena_printf(arena, "%s.XXXXXX", special ? "/tmp/nnc-link" : options->output);
    int file = mkstemp(temporary);
    if (file < 0) return arena_printf(arena, "cannot write beside it: %s", strerror(errno));
    close(file);
    const char *error = run_linker(options, temporary, arena);
    if (!error) error = (special ? pour : publish)(temporary, options->output, arena);
    if (error || special) unlink(temporary);
    return error;
}
