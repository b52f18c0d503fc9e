/* The ABI between generated programs and the runtime that is linked into them. The generated module defines
 * `nn_program`; the runtime's `main` (rt_main.c) parses the command line by it and calls a command's entry.
 * Everything the program does besides arithmetic is a call from here. Functions that fail print one line to
 * stderr (what, where in the .nn source, what to do) and exit with status 1. Plain C, no dependency on the
 * compiler. */
#ifndef NNRT_H
#define NNRT_H

#include <stdbool.h>
#include <stdint.h>

/* Element types; numbered as the rows of the compiler's dtypes.def. */
typedef enum {
    NN_F64,
    NN_F32,
    NN_F16,
    NN_BF16,
    NN_I64,
    NN_I32,
    NN_I16,
    NN_I8,
    NN_U8,
    NN_BOOL,
    NN_STR,
    NN_DATA
} nn_dtype;

typedef struct nn_rt nn_rt;     /* the state of one run: seed, threads, progress, metrics */
typedef struct nn_data nn_data; /* a dataset: columns of equally many samples, in some order */

/* A dense row-major tensor, or the description of one. A str is `const char *`, UTF-8, NUL-terminated, in
 * `data` as a pointer to it; likewise a nn_data *. */
typedef struct {
    const char *name;    /* NULL where there is none */
    const int64_t *dims; /* NULL at rank 0 */
    void *data;
    int32_t dtype, rank;
} nn_tensor;

typedef struct {
    const char *file; /* the .nn file; NULL = unknown */
    int32_t line, column;
} nn_loc;

typedef union {
    int64_t i;
    double f;
    bool b;
    const char *s;
} nn_arg;

typedef struct {
    const char *name;     /* as written; `--name` on the command line, with - for _ */
    const char *fallback; /* NULL = required */
    const char *doc;      /* what it is for; or NULL */
    int32_t dtype;        /* NN_I64 …, NN_F32 …, NN_BOOL or NN_STR */
} nn_param;

typedef struct {
    const char *name, *doc;
    const nn_param *params;
    int32_t param_count;
    void (*run)(nn_rt *rt,
                const nn_arg *args); /* one per parameter: .i, .f (any float), .b or .s by its dtype */
    bool has_checkpoints;
} nn_command;

/* How datasets of one format are opened. A program's table has those of its formats, so that no others are
 * linked into it. */
typedef struct nn_reader nn_reader;
extern const nn_reader nn_reader_idx, nn_reader_npy, nn_reader_bytes, nn_reader_csv;

typedef struct {
    const char *name, *doc;
    const nn_command *commands;
    const nn_reader *const *readers;
    int32_t command_count, reader_count;
} nn_program_table;

extern const nn_program_table nn_program;

/* Parses argv, runs a command, returns the exit status. */
int nn_main(const nn_program_table *program, int argc, char **argv);
/* What `nn_main` was given and which of its commands is running, for programs whose table was made at run
 * time. */
const nn_program_table *nn_running_program(const nn_rt *rt);
const nn_command *nn_running_command(const nn_rt *rt);

/* --- text. A template holds a `{}` or `{:spec}` per argument; `{{` and `}}` are braces. Specs as Python's
 * for numbers: `.4f`, `>8`, `e`, … Tensors print as NumPy does. */
void nn_print(nn_rt *rt, const char *text, int32_t count, const nn_tensor *args);
void nn_write(nn_rt *rt, const char *text, int32_t count, const nn_tensor *args);
const char *nn_format(nn_rt *rt, const char *text, int32_t count, const nn_tensor *args);
int64_t nn_text_len(const char *text);                                     /* bytes */
int32_t nn_text_equal(const char *a, const char *b);                       /* 1 or 0 */
void nn_text_bytes(const char *text, uint8_t *bytes);                      /* nn_text_len of them */
const char *nn_bytes_text(nn_rt *rt, const uint8_t *bytes, int64_t count); /* without zeros */
/* What nn_format and nn_bytes_text give lives until the end of the run or of a loop's pass: nn_texts, before
 * the loop, says where its texts begin, and nn_texts_release frees them but for those in `used`, which may
 * have others, too. */
int64_t nn_texts(nn_rt *rt);
void nn_texts_release(nn_rt *rt, int64_t first, int32_t count, const char *const *used);
/* Stops the program with the formatted message. */
_Noreturn void nn_fail(nn_rt *rt, const nn_loc *loc, const char *text, int32_t count, const nn_tensor *args);

/* --- metrics and progress. Scalars by name; shown on the progress bar, appended to --metrics. */
void nn_report(nn_rt *rt, const nn_loc *loc, int32_t count, const nn_tensor *values);
void nn_progress_begin(nn_rt *rt, int64_t total);
void nn_progress_step(nn_rt *rt);
void nn_progress_end(nn_rt *rt);

/* --- data. `columns` describe one sample's parts: dtype and dims that the file must hold. The format is that
 * of one of the program's readers. */
nn_data *nn_data_open(nn_rt *rt, const nn_loc *loc, const char *format, int32_t paths,
                      const char *const *path, int32_t columns, const nn_tensor *column);
int64_t nn_data_len(nn_rt *rt, const nn_data *data);
/* The same samples in an order that is a pure function of (seed, stream). */
nn_data *nn_data_shuffle(nn_rt *rt, nn_data *data, int64_t seed, int64_t stream);
nn_data *nn_data_take(nn_rt *rt, nn_data *data, int64_t first, int64_t count);
/* Every `n` consecutive samples (n ≥ 1) as one, side by side: samples - n + 1 of them, at least none. */
nn_data *nn_data_windows(nn_rt *rt, nn_data *data, int64_t n);
/* `count` samples, each drawn from all of them: sample number i is a pure function of (seed, stream, i). None
 * where there is nothing to draw from. */
nn_data *nn_data_sample(nn_rt *rt, nn_data *data, int64_t count, int64_t seed, int64_t stream);
/* All samples, `n` times over. */
nn_data *nn_data_repeat(nn_rt *rt, nn_data *data, int64_t n);
/* Samples first … first + count - 1 (all must exist), each column into out[column]. Reads ahead in files.
 */
void nn_data_read(nn_rt *rt, const nn_loc *loc, nn_data *data, int64_t first, int64_t count,
                  void *const *out);

/* --- weights: safetensors. Saving is atomic; loading checks names, dtypes and shapes before anything is
 * written. Floats convert between widths. */
void nn_save(nn_rt *rt, const nn_loc *loc, const char *path, int32_t count, const nn_tensor *tensors);
void nn_load(nn_rt *rt, const nn_loc *loc, const char *path, int32_t count, const nn_tensor *tensors);

/* --- checkpoints. A command that has some begins with nn_resume: `code` is a digest of what it computes,
 * `dtype` what `float` is, `path` those of its checkpoints, by number. SIGINT and SIGTERM are noticed by
 * nn_checkpoint from then on. The number of the checkpoint behind which the command goes on, or -1 = it
 * begins. In the former case the program then fills what nn_checkpoint_save was given there, by name, by one
 * or more calls of nn_resume_load and a last one of nn_resume_done. */
int32_t nn_resume(nn_rt *rt, const char *code, int32_t dtype, int32_t count, const char *const *path);
void nn_resume_load(nn_rt *rt, int32_t count, const nn_tensor *tensors);
void nn_resume_done(nn_rt *rt);
/* The command has come by a checkpoint; `counter` < the number of them counts the passes. Not 0: it is to be
 * saved now. */
int32_t nn_checkpoint(nn_rt *rt, const nn_loc *loc, int32_t counter, int64_t every, int64_t keep);
/* Saves; a failure is a warning. After SIGINT or SIGTERM the program exits with status 75. */
void nn_checkpoint_save(nn_rt *rt, const nn_loc *loc, int32_t site, const char *path, int64_t keep,
                        int32_t count, const nn_tensor *tensors);

/* --- memory and threads */
int64_t nn_seed(const nn_rt *rt);
/* The storage of arena `frame`, at least `bytes` long, 64-byte aligned; grows and never shrinks; contents
 * undefined. */
void *nn_frame(nn_rt *rt, int32_t frame, int64_t bytes);
/* A scratch area of at least `bytes` for the calling thread inside a kernel; valid until its next call. */
void *nn_scratch(nn_rt *rt, int64_t bytes);
/* Another one, for a kernel whose chunks call kernels. */
void *nn_part(nn_rt *rt, int64_t bytes);
/* ids[k·stride] becomes the place in x, counted in strides, of the element that is number k in order among
 * `count`, for k < wanted (at most count). Stable, also when descending; NaN is the greatest. `dtype` is a
 * number type; `scratch` has NN_SORT_BYTES an element, aligned to 8. */
enum { NN_SORT_BYTES = 32 };
void nn_argsort(int32_t dtype, const void *x, int64_t *ids, int64_t count, int64_t stride, int64_t wanted,
                int32_t descending, void *scratch);
/* Calls kernel(rt, args, chunk) for chunk = 0 … chunks - 1, on several threads where there are any. The work
 * is cut into the same chunks whatever the number of threads; kernels must not depend on who runs a chunk. */
typedef void nn_kernel(nn_rt *rt, void *const *args, int64_t chunk);
void nn_parallel(nn_rt *rt, nn_kernel *kernel, void *const *args, int64_t chunks);
/* What a command does between its decisions, as data. `sums` is an array of words. A sum is the value of slot
 * s plus a constant c, as c × 2²⁴ + s × 2⁴ + the number of products that the sum has besides; then these, a
 * slot's value times a constant each, as c × 2²⁴ + s × 2⁴. It is known by the number of its first word.
 *
 * A script is a list of numbers to the base 128, the lowest digits first, each but the last plus 128. A
 * quantity is 2n for n itself, or 2s + 1 for the value of slot s.
 *   0                               the end
 *   1, quantity, sum, sum           copies so many bytes to the first from the second
 *   2, sum, number                  the bool there must be true; else the program stops as this check says
 *   3 + k, number, quantity, sums   nn_parallel of kernel k; it has so many arguments and so many chunks
 */
typedef struct {
    int32_t file, line, column; /* nn_loc */
    int32_t text, name;         /* a template, and the text that is its argument, if it has one */
} nn_check;                     /* texts as bytes from the first check to them; 0 = NULL */

typedef struct {
    nn_kernel *const *kernels;
    const int64_t *sums;
    const nn_check *checks;
} nn_tables;

typedef struct {
    int32_t name;   /* bytes from the first pattern to it; 0 = NULL */
    uint32_t data;  /* a sum */
    uint32_t shape; /* the number of the word where the dimensions begin × 2⁸ + dtype × 2⁴ + rank */
} nn_pattern;

/* Memory of so many words, which stays. */
int64_t *nn_slots(nn_rt *rt, int64_t words);
/* Does what the script says. `args` has room for the arguments of any kernel in it. */
void nn_launch(nn_rt *rt, const nn_tables *tables, const uint8_t *script, const int64_t *slots, void **args);
/* `count` tensors by their patterns. */
void nn_describe(nn_tensor *out, const nn_pattern *pattern, int64_t count, const int64_t *sums,
                 const int64_t *slots);

#endif
