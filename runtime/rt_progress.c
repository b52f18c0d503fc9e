/* The progress bar: one line of standard error, only where that is a terminal. Of nested loops the innermost
 * is shown. The bar is removed before anything else is printed and comes back with the next step. */
#include "rt.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const double REDRAW_SECONDS = 0.1;
enum { BAR_COLUMNS = 20, DEFAULT_WIDTH = 80 };

int rt_terminal_width(int file) {
    struct winsize size;
    if (ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    const char *columns = getenv("COLUMNS");
    int width = columns ? atoi(columns) : 0;
    return width > 0 ? width : DEFAULT_WIDTH;
}

static const char *const locale_variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};

static bool speaks_utf8(void) {
    for (size_t i = 0; i < sizeof locale_variables / sizeof *locale_variables; i++) {
        const char *value = getenv(locale_variables[i]);
        if (value && *value) return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8");
    }
    return false;
}

void rt_progress_init(nn_rt *rt) {
    const char *terminal = getenv("TERM");
    rt->progress.enabled = !rt->quiet && isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    rt->progress.unicode = speaks_utf8();
}

void rt_progress_clear(nn_rt *rt) {
    if (!rt->progress.visible) return;
    fputs("\r\x1b[K", stderr);
    fflush(stderr);
    rt->progress.visible = false;
}

void rt_progress_metrics(nn_rt *rt, int32_t count, const nn_tensor *values) {
    rt_progress *progress = &rt->progress;
    if (!progress->enabled) return;
    progress->metric_count = 0;
    for (int32_t i = 0; i < count && progress->metric_count < RT_METRIC_COUNT; i++) {
        const nn_tensor *value = &values[i];
        if (value->rank != 0 || value->dtype == NN_STR || value->dtype == NN_DATA) continue;
        double x = rt_dtype_is_float(value->dtype) ? rt_element_float(value->dtype, value->data)
                                                   : (double)rt_element_int(value->dtype, value->data);
        progress->metric[progress->metric_count++] = (rt_metric){value->name ? value->name : "value", x};
    }
}

/* --- the parts of the line */
static void add_bar(rt_text *line, double share, bool unicode) {
    int filled = (int)(share * (double)BAR_COLUMNS);
    rt_text_adds(line, unicode ? " " : " [");
    for (int i = 0; i < BAR_COLUMNS; i++)
        rt_text_adds(line, unicode ? (i < filled ? "━" : "╌") : (i < filled ? "=" : " "));
    rt_text_adds(line, unicode ? " " : "] ");
}

static void add_duration(rt_text *line, double seconds) {
    long long whole = seconds < 1e9 ? (long long)(seconds + 0.5) : 999999999;
    if (whole >= 3600)
        rt_text_addf(line, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        rt_text_addf(line, "%lld:%02lld", whole / 60, whole % 60);
}

static void add_rate(rt_text *line, double rate) {
    if (rate >= 1e6)
        rt_text_addf(line, "%.1fM/s", rate / 1e6);
    else if (rate >= 1e4)
        rt_text_addf(line, "%.1fk/s", rate / 1e3);
    else if (rate >= 10)
        rt_text_addf(line, "%.0f/s", rate);
    else
        rt_text_addf(line, "%.2f/s", rate);
}

static void add_loop(rt_text *line, const rt_loop *loop, double now, bool unicode) {
    double seconds = now - loop->started;
    double rate = seconds > 0 ? (double)(loop->done - loop->resumed) / seconds : 0;
    if (loop->total > 0) {
        double share = (double)loop->done / (double)loop->total;
        if (share > 1) share = 1;
        rt_text_addf(line, "%3d%%", (int)(100 * share));
        add_bar(line, share, unicode);
        rt_text_addf(line, "%lld/%lld", (long long)loop->done, (long long)loop->total);
    } else {
        rt_text_addf(line, "%lld", (long long)loop->done);
    }
    rt_text_adds(line, "  ");
    add_rate(line, rate);
    if (rate > 0 && loop->total > loop->done) {
        rt_text_adds(line, "  ");
        add_duration(line, (double)(loop->total - loop->done) / rate);
        rt_text_adds(line, " left");
    }
}

static void add_metrics(rt_text *line, const rt_progress *progress) {
    for (int32_t i = 0; i < progress->metric_count; i++)
        rt_text_addf(line, "  %s %.4g", progress->metric[i].name, progress->metric[i].value);
}

/* Cuts the line to so many columns. */
static void cut(rt_text *line, int64_t columns) {
    size_t kept = 0;
    for (int64_t i = 0; i < columns && kept < line->length; i++) {
        kept++;
        while (kept < line->length && ((unsigned char)line->bytes[kept] & 0xc0) == 0x80) kept++;
    }
    line->length = kept;
    line->bytes[kept] = 0;
}

static void draw(nn_rt *rt, rt_loop *loop, double now) {
    rt_text line = {0};
    add_loop(&line, loop, now, rt->progress.unicode);
    add_metrics(&line, &rt->progress);
    cut(&line, rt_terminal_width(STDERR_FILENO) - 1); /* a full line would wrap on some terminals */
    fprintf(stderr, "\r%s\x1b[K", line.bytes);
    fflush(stderr);
    rt_text_free(&line);
    loop->drawn = now;
    rt->progress.visible = true;
}

/* --- loops. Those deeper than the array holds have no bar of their own. */
void nn_progress_begin(nn_rt *rt, int64_t total) {
    rt_progress *progress = &rt->progress;
    double now = rt_now();
    if (progress->depth < RT_PROGRESS_DEPTH)
        progress->loop[progress->depth] = (rt_loop){.total = total, .started = now, .drawn = now};
    progress->depth++;
}

void nn_progress_step(nn_rt *rt) {
    rt_progress *progress = &rt->progress;
    if (progress->depth == 0 || progress->depth > RT_PROGRESS_DEPTH) return;
    rt_loop *loop = &progress->loop[progress->depth - 1];
    loop->done++;
    if (!progress->enabled) return;
    double now = rt_now();
    if (rt->within_line && rt->stdout_is_terminal)
        return; /* the bar would overwrite what the program wrote */
    if (now - loop->drawn >= REDRAW_SECONDS) draw(rt, loop, now);
}

void nn_progress_end(nn_rt *rt) {
    if (rt->progress.depth == 0) return;
    rt->progress.depth--;
    rt_progress_clear(rt);
}
