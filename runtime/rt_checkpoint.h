/* Checkpoints: safetensors files that hold all that a run goes on by. The tensors are the values that live
 * on, by their names in the program; texts and datasets (rt_recipe.c) as their bytes; `__metadata__` is the
 * rest.
 *
 *   rt_checkpoint.c        when to save, which files there are
 *   rt_checkpoint_file.c   one file: writing, checking, reading
 *   rt_checkpoint_state.c  the state of the run as metadata, and back
 *   rt_resume.c            finding the file to go on from
 *   rt_signal.c            stopping
 *
 * The file at `path` is the newest one; `path.1`, `path.2`, … are those before it. */
#ifndef RT_CHECKPOINT_H
#define RT_CHECKPOINT_H

#include "rt.h"
#include "rt_archive.h"

enum { RT_EXIT_RESUMABLE = 75 };

typedef struct rt_signals rt_signals;

struct rt_checkpoints {
    const char *code;    /* digest of what the command computes */
    int32_t dtype;       /* what `float` is */
    int32_t sites;       /* how many checkpoints the command has */
    int64_t *passes;     /* so often each place in the source was come by; `sites` of them */
    int64_t run;         /* when the training began, in nanoseconds since 1970 */
    int64_t sequence;    /* files saved since then */
    const char *skipped; /* the path where a damaged file was found; no older one makes room for that */
    bool failed;         /* to save, the last time, and that was said */
    rt_archive archive;  /* that the run is being restored from */
    rt_signals *signals;
};

/* --- rt_checkpoint_file.c */
/* Texts for `__metadata__`. */
typedef struct {
    rt_st_pair *pair; /* owned, and so are the texts */
    int32_t count, capacity;
} rt_notes;
void rt_note(rt_notes *notes, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
void rt_notes_free(rt_notes *notes);

/* Writes a file that must not exist, forces it to the disk, reads it again and compares. The first of the
 * notes must be there for rt_checkpoint_first_note. False: the error; the file may be there. */
bool rt_checkpoint_write(nn_rt *rt, const char *path, rt_notes *notes, int32_t count,
                         const nn_tensor *const *tensors, rt_text *error);
/* The note that every file begins with, and one of the tensors' checksums. */
void rt_checkpoint_first_note(rt_notes *notes);

typedef enum { RT_INTACT, RT_DAMAGED, RT_FOREIGN, RT_ABSENT } rt_condition;
/* Opens a file and checks all of it. The error says what is wrong with it. */
rt_condition rt_checkpoint_open(rt_archive *archive, const char *path, rt_text *error);
/* What is at `path`, by its first bytes only. */
rt_condition rt_checkpoint_look(const char *path);

/* --- rt_checkpoint_state.c */
void rt_state_note(nn_rt *rt, int32_t site, rt_notes *notes);
/* Is the file of this program, command and arguments? False: the error says how it differs. */
bool rt_state_same(nn_rt *rt, const rt_archive *archive, rt_text *error);
/* The note as a number; -1 where it is none. */
int64_t rt_state_number(const rt_archive *archive, const char *key);
void rt_state_restore(nn_rt *rt, const rt_archive *archive);
/* Appends ` --name value` for each argument that isn't the default. */
void rt_state_arguments(const nn_rt *rt, rt_text *text);

/* --- rt_checkpoint.c */
/* Appends the name of file number n: 0 is `path` itself. */
void rt_checkpoint_name(rt_text *name, const char *path, int64_t n);
void rt_checkpoints_free(nn_rt *rt);

/* --- rt_signal.c */
rt_signals *rt_signals_start(void); /* NULL where there is no thread to be had */
bool rt_signals_received(rt_signals *signals);
void rt_signals_stop(rt_signals *signals);

#endif
