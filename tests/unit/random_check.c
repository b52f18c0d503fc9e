/* Checks one program in all variants, alone in a process if that is wanted. */
#include "tests/unit/random_check.h"
#include "support/file.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    const char *name;
    int optimize;
    const char *passes, *disable, *cpu;
} Variant;

/* The passes are tried without optimisations: a program takes half the time so, and LLVM at work has the
 * first row. */
static const Variant variants[VARIANTS] = {
    {"-O3", 3, NULL, NULL, NULL},
    {"-O0", 0, NULL, NULL, NULL},
    {"-O0 without simplify", 0, NULL, "simplify", NULL},
    {"-O0 without hoist", 0, NULL, "hoist", NULL},
    {"-O0 without split", 0, NULL, "split", NULL},
    {"-O0 without chain", 0, NULL, "chain", NULL},
    {"-O0 without simplify and hoist", 0, NULL, "simplify,hoist", NULL},
    {"-O0 for x86-64", 0, NULL, NULL, "x86-64"},
};

static void check_variants(const RandomCase *c, const char *text, NativeSeen *seen, CheckResult *result) {
    *result = (CheckResult){.verdict = CHECK_RIGHT};
    for (uint32_t v = 0; v < VARIANTS && result->verdict == CHECK_RIGHT; v++) {
        if (!(c->variants >> v & 1)) continue;
        Arena *arena = arena_new();
        NativeOptions options = {.optimize = variants[v].optimize,
                                 .cpu = variants[v].cpu,
                                 .passes = variants[v].passes,
                                 .special = c->special,
                                 .verbose = c->verbose,
                                 .disable = variants[v].disable,
                                 .orders = true,
                                 .counts = &result->counts,
                                 .seen = seen};
        result->variant = v;
        const char *wrong = native_check_text(arena, c->size, text, &options);
        if (wrong) {
            bool refused = strncmp(wrong, NATIVE_REFUSED, strlen(NATIVE_REFUSED)) == 0;
            result->verdict = refused ? CHECK_REFUSED : CHECK_WRONG;
            snprintf(result->message, sizeof result->message, "%s: %s", variants[v].name, wrong);
        }
        arena_free(arena);
    }
}

/* --- in a process of its own */
/* The child writes the result after each variant, so that a crash shows which one it was. */
static void check_child(const RandomCase *c, const char *text, int out) {
    CheckResult total = {.verdict = CHECK_RIGHT};
    NativeSeen seen = {0};
    struct rlimit limit = {c->seconds, c->seconds + 1};
    setrlimit(RLIMIT_CPU, &limit);
    alarm(20 * c->seconds); /* asleep for ever */
    for (uint32_t v = 0; v < VARIANTS && total.verdict == CHECK_RIGHT; v++) {
        if (!(c->variants >> v & 1)) continue;
        RandomCase one = *c;
        one.variants = 1u << v;
        CheckResult begun = {.verdict = CHECK_WRONG, .variant = v, .counts = total.counts};
        if (write(out, &begun, sizeof begun) != sizeof begun) _exit(3);
        check_variants(&one, text, &seen, &total);
        total.counts.elements += begun.counts.elements;
        total.counts.unbounded += begun.counts.unbounded;
        if (write(out, &total, sizeof total) != sizeof total) _exit(3);
    }
    _exit(0);
}

/* What the child says on stderr is kept for the message; results are the records of the other pipe. */
static void collect(int results, int texts, CheckResult *result, char *said, size_t room) {
    struct pollfd polled[2] = {{.fd = results, .events = POLLIN}, {.fd = texts, .events = POLLIN}};
    size_t length = 0;
    int open = 2;
    while (open > 0 && poll(polled, 2, -1) > 0) {
        if (polled[0].revents && read(results, result, sizeof *result) <= 0) polled[0].fd = -1, open--;
        if (polled[1].revents) {
            char buffer[4096];
            ssize_t got = read(texts, buffer, sizeof buffer);
            if (got <= 0) polled[1].fd = -1, open--;
            size_t kept = got > 0 ? (size_t)got : 0;
            if (kept > room - 1 - length) kept = room - 1 - length;
            memcpy(said + length, buffer, kept);
            length += kept;
        }
    }
    said[length] = 0;
}

static void require(bool ok, const char *what) {
    if (ok) return;
    perror(what);
    exit(3);
}

void random_check_apart(const RandomCase *c, const char *text, CheckResult *result) {
    int results[2], texts[2];
    require(pipe(results) == 0 && pipe(texts) == 0, "pipe");
    fflush(NULL);
    pid_t child = fork();
    require(child >= 0, "fork");
    if (child == 0) {
        close(results[0]), close(texts[0]);
        if (!c->verbose) dup2(texts[1], STDERR_FILENO);
        check_child(c, text, results[1]);
    }
    close(results[1]), close(texts[1]);
    char said[400];
    *result = (CheckResult){.verdict = CHECK_WRONG};
    collect(results[0], texts[0], result, said, sizeof said);
    close(results[0]), close(texts[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    result->verdict = CHECK_WRONG;
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    snprintf(result->message, sizeof result->message, "%s: %s %d: %s", variants[result->variant].name,
             signal == SIGXCPU || signal == SIGALRM ? "no end, signal"
             : signal                               ? "signal"
                                                    : "exit status",
             signal ? signal : WEXITSTATUS(status), said);
}

/* --- kept programs */
static bool header_number(const char *text, const char *key, long long *value) {
    const char *at = strstr(text, key);
    return at && sscanf(at + strlen(key), "%lld", value) == 1;
}

const char *random_case_read(Arena *arena, const char *path, RandomCase *c) {
    size_t length;
    const char *error;
    char *text = file_read(arena, path, &length, &error);
    long long size = 0, special = 0;
    if (!text || !header_number(text, "# size:", &size)) return NULL;
    header_number(text, "# special:", &special);
    *c = (RandomCase){.size = size, .special = special != 0, .variants = VARIANTS_ALL, .seconds = 60};
    return text;
}
