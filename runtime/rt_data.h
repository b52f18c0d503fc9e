/* Datasets: a table of columns, and views of it. */
#ifndef RT_DATA_H
#define RT_DATA_H

#include "rt.h"
#include "rt_column.h"

/* A table (no parent); or of the parent's samples some, from `first` on; all of them in another order; a draw
 * with replacement; all of them, over and over. */
typedef enum { RT_TABLE, RT_TAKEN, RT_SHUFFLED, RT_SAMPLED, RT_REPEATED } rt_data_kind;

struct nn_data {
    nn_data *next; /* all datasets of the run */
    nn_data *parent;
    char *recipe;       /* of an opened table: how to open it again (rt_recipe.c); owned */
    nn_data *source;    /* of a table of windows: what they are of; NULL = none */
    int64_t window;     /* and how many samples each holds */
    rt_column *columns; /* the table's */
    int32_t column_count;
    rt_data_kind kind;
    int64_t count;
    int64_t first;        /* RT_TAKEN */
    int64_t seed, stream; /* RT_SHUFFLED, RT_SAMPLED */
    int64_t *order;       /* RT_SHUFFLED: place in the table of each sample; NULL while it isn't in memory */
    int64_t *rows;        /* places in the table of the samples that are being read */
    int64_t row_capacity;
};

/* --- rt_open.c */
/* A dataset that the run frees. */
nn_data *rt_data_new(nn_rt *rt, nn_data data);
/* A dataset that is being opened: its columns are there but empty. */
typedef struct {
    nn_rt *rt;
    const nn_loc *loc;
    int32_t paths;
    const char *const *path;
    const nn_tensor *column; /* as declared */
    nn_data *data;
} rt_opening;
/* Finds the samples in a file; false: the error goes on after the file's name. */
typedef bool rt_parse(rt_source *source, const nn_tensor *sample, rt_array *array, rt_text *error);
struct nn_reader {
    const char *name;
    void (*open)(const nn_reader *reader, const rt_opening *opening); /* columns and number of samples */
    /* Where `open` is rt_open_files: */
    rt_parse *parse;
    const char *suffix, *help; /* that a file's name may lack; what to give where there is none; or NULL */
};
/* Opens a file for each column. The last paths may be empty. */
void rt_open_files(const nn_reader *reader, const rt_opening *opening);
_Noreturn void rt_cannot_open(const rt_opening *opening, const rt_text *error, const char *help);

/* --- rt_recipe.c: datasets written down, for checkpoints. */
/* How to open a table of so many samples, to be freed. */
char *rt_recipe_open(const char *format, int32_t paths, const char *const *path, int32_t columns,
                     const nn_tensor *column, int64_t count);
void rt_recipe_add(rt_text *text, const nn_data *data);
/* The dataset that was written down; opened files are shared with those that the run has. NULL: the error. */
nn_data *rt_recipe_make(nn_rt *rt, const char *text, size_t length, rt_text *error);

/* --- rt_prefetch.c: the next batch, read from its file by a thread of its own while the program computes. */
/* Copies the batch if it is the one that was predicted and could be read. */
bool rt_prefetch_take(nn_rt *rt, const nn_data *data, int64_t first, int64_t count, void *const *out);
/* Is reading its batches ahead worth it? */
bool rt_prefetch_pays(nn_rt *rt, const nn_data *data);
/* Starts copying the batch that is likely to be asked for next: `rows` as for rt_gather. */
void rt_prefetch_start(nn_rt *rt, const nn_data *data, int64_t first, int64_t count, const int64_t *rows,
                       int64_t row);
void rt_prefetch_free(nn_rt *rt);

#endif
