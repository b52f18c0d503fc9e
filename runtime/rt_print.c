/* Templates and standard output. */
#include "rt.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The placeholder at `at` (which is `{`): its end, past `}`. */
static const char *placeholder_end(const char *at) {
    const char *end = strchr(at, '}');
    return end ? end + 1 : at + strlen(at);
}

static void add_argument(rt_text *text, const char *spec, size_t length, const nn_tensor *arg) {
    if (!rt_text_tensor(text, arg, spec, length)) rt_text_tensor(text, arg, "", 0);
}

void rt_text_template(rt_text *text, const char *format, int32_t count, const nn_tensor *args) {
    int32_t used = 0;
    for (const char *at = format; *at;) {
        size_t plain = strcspn(at, "{}");
        rt_text_add(text, at, plain);
        at += plain;
        if (!*at) break;
        if (at[1] == at[0] || at[0] == '}') { /* a doubled brace, or one alone that means itself */
            rt_text_add(text, at, 1);
            at += at[1] == at[0] ? 2 : 1;
            continue;
        }
        const char *end = placeholder_end(at);
        const char *spec = at[1] == ':' ? at + 2 : at + 1;
        if (used < count) add_argument(text, spec, end > spec ? (size_t)(end - spec) - 1 : 0, &args[used++]);
        at = end;
    }
}

void rt_flush(nn_rt *rt) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return;
    if (errno == EPIPE) exit(EXIT_FAILURE); /* the reader went away; nobody is there to be told */
    int reason = errno;
    clearerr(stdout);
    rt_failf(rt, NULL, "cannot write to standard output: %s", strerror(reason));
}

static void put(nn_rt *rt, const rt_text *text) {
    if (rt->stdout_is_terminal) rt_progress_clear(rt);
    if (text->length == 0) return;
    fwrite(text->bytes, 1, text->length, stdout);
    rt->within_line = text->bytes[text->length - 1] != '\n';
}

void nn_print(nn_rt *rt, const char *text, int32_t count, const nn_tensor *args) {
    rt_text line = {0};
    rt_text_template(&line, text, count, args);
    rt_text_adds(&line, "\n");
    put(rt, &line);
    rt_text_free(&line);
    rt_flush(rt); /* so that pipes and log files see a line when it is printed */
}

void nn_write(nn_rt *rt, const char *text, int32_t count, const nn_tensor *args) {
    rt_text part = {0};
    rt_text_template(&part, text, count, args);
    put(rt, &part);
    rt_text_free(&part);
    if (rt->stdout_is_terminal || ferror(stdout)) rt_flush(rt);
}

const char *nn_format(nn_rt *rt, const char *text, int32_t count, const nn_tensor *args) {
    rt_text result = {0};
    rt_text_add(&result, "", 0);
    rt_text_template(&result, text, count, args);
    rt_texts_add(rt, result.bytes);
    return result.bytes;
}

_Noreturn void nn_fail(nn_rt *rt, const nn_loc *loc, const char *text, int32_t count, const nn_tensor *args) {
    rt_text message = {0};
    rt_text_template(&message, text, count, args);
    rt_fail(rt, loc, rt_text_string(&message), NULL);
}
