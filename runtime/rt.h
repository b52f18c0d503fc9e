/* What the parts of the runtime share: the state of a run, failing, memory. */
#ifndef RT_H
#define RT_H

#include "nnrt.h"
#include "rt_text.h"
#include <pthread.h>
#include <stdio.h>

typedef struct rt_pool rt_pool;
typedef struct rt_prefetch rt_prefetch;
struct rt_checkpoints;

/* --- progress and metrics of a run */
enum { RT_PROGRESS_DEPTH = 8, RT_METRIC_COUNT = 8 };

typedef struct {
    int64_t total, done;
    int64_t resumed;       /* of `done`, by the run before this one */
    double started, drawn; /* seconds, rt_now */
} rt_loop;

typedef struct {
    const char *name;
    double value;
} rt_metric;

typedef struct {
    bool enabled;  /* stderr is a terminal that can redraw a line */
    bool unicode;  /* and that shows UTF-8 */
    bool visible;  /* a bar is on the screen now */
    int32_t depth; /* loops open; deeper ones than the array holds are only counted */
    rt_loop loop[RT_PROGRESS_DEPTH];
    rt_metric metric[RT_METRIC_COUNT]; /* what was reported last, names owned by the program */
    int32_t metric_count;
} rt_progress;

typedef struct {
    int file; /* descriptor, -1 = none asked for, or given up after a write error */
    const char *path;
    int64_t step;
    rt_text run; /* of a command with checkpoints: what it computes, and its arguments */
} rt_metrics;

/* What lives until the end of the run. */
typedef struct rt_kept rt_kept;
/* Texts that the program has made; nothing else may keep a pointer to one, for loops free theirs. */
typedef struct {
    char **at;
    int64_t count, capacity;
} rt_texts;

typedef struct {
    void *data;
    int64_t bytes;
} rt_area;

/* Shuffled orders that are held in memory at once; the others are computed again when they are needed. */
enum { RT_ORDERS = 8 };

struct nn_rt {
    const nn_program_table *program;
    const nn_command *command;
    int64_t seed;
    int32_t threads;                    /* 0 = as many as the process may use */
    const nn_arg *args;                 /* of the command */
    const char *invoked_as;             /* argv[0] */
    bool resume;                        /* asked for */
    struct rt_checkpoints *checkpoints; /* NULL where the command has none */
    bool quiet;
    bool stdout_is_terminal;
    bool within_line; /* what was printed last does not end a line */
    double started;   /* rt_now at the start of the command */
    rt_progress progress;
    rt_metrics metrics;
    rt_kept *kept;
    rt_texts texts;
    char byte_texts[256][2]; /* the text of each byte, once it was asked for */
    rt_area *frames;
    int32_t frame_count;
    rt_pool *pool; /* NULL until first needed */
    nn_data *datasets;
    nn_data *orders[RT_ORDERS]; /* datasets whose order is in memory, most recently made first */
    rt_prefetch *prefetch;
};

/* --- rt_error.c: each ends the program. `help` may be NULL. */
/* Prints `error: file.nn:12:5: message` and `help: …`; frees neither. Exit status 1. */
_Noreturn void rt_fail(nn_rt *rt, const nn_loc *loc, const char *message, const char *help);
_Noreturn void rt_failf(nn_rt *rt, const nn_loc *loc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void rt_out_of_memory(size_t bytes);
/* Prints `warning: …` between the program's output and the progress bar. */
void rt_warn(nn_rt *rt, const char *message);

/* --- rt_memory.c: never NULL; free with free() */
void *rt_allocate(size_t bytes);
void *rt_resize(void *old, size_t bytes);
void *rt_allocate_aligned(size_t bytes);   /* 64 bytes; huge pages where they help */
void rt_keep(nn_rt *rt, void *allocation); /* freed at the end of the run */
void rt_memory_free(nn_rt *rt);
void rt_scratch_free(void); /* the calling thread's */

/* --- rt_texts.c */
void rt_texts_add(nn_rt *rt, char *text); /* takes it; freed by nn_texts_release or at the end of the run */
void rt_texts_free(nn_rt *rt);

/* --- rt_clock.c: seconds on a clock that only goes forward */
double rt_now(void);

/* --- rt_cpus.c: CPUs that the process may use, by affinity and by control group quota; at least 1 */
int32_t rt_cpus(void);

/* --- rt_stamp.c: is in every archive of this runtime, and in none that programs call by another nnrt.h */
extern const char rt_stamp[];

/* --- rt_pool.c */
int32_t rt_threads(nn_rt *rt); /* settled at first use */
void rt_pool_free(nn_rt *rt);

/* --- rt_progress.c, rt_metrics.c */
void rt_progress_init(nn_rt *rt);
void rt_progress_clear(nn_rt *rt); /* removes the bar from the screen until it is drawn again */
void rt_progress_metrics(nn_rt *rt, int32_t count, const nn_tensor *values);
int rt_terminal_width(int file);
bool rt_metrics_open(nn_rt *rt, const char *path, rt_text *error);
/* The run starts from its beginning. Where `again`, it does so because one of the same code and arguments
 * ended before its first checkpoint: what that wrote last is cut off. */
void rt_metrics_begin(nn_rt *rt, const char *code, bool again);
void rt_metrics_close(nn_rt *rt);
void rt_metrics_free(nn_rt *rt);

/* --- rt_print.c */
void rt_flush(nn_rt *rt); /* standard output; a failure to write ends the program */

/* --- rt_data.c, rt_prefetch.c */
void rt_data_free(nn_rt *rt);

#endif
