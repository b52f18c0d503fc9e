/* Samples of one column that is being read, however many: up to 256 MiB stay in memory, more go to a file
 * without a name in $TMPDIR (/var/tmp where that isn't set), from which the column then reads. */
#ifndef RT_SAMPLES_H
#define RT_SAMPLES_H

#include "rt_column.h"

typedef struct {
    const char *path;    /* the table's, for messages */
    size_t sample_bytes; /* of one sample */
    int file;            /* with the samples before `first`, or -1 */
    int64_t first, count, capacity;
    uint8_t *memory; /* the samples from `first` on; room for `capacity` */
} rt_samples;

rt_samples rt_samples_new(const char *path, size_t sample_bytes);
/* Room for one sample more, which is the caller's to fill until the next call; NULL: the file can't be
 * written. */
uint8_t *rt_samples_add(rt_samples *s, rt_text *error);
/* Calls `edit` with all samples in order, `count` at a time, and keeps what it makes of them. */
typedef void rt_edit(void *user, uint8_t *samples, int64_t count);
bool rt_samples_edit(rt_samples *s, rt_edit *edit, void *user, rt_text *error);
/* Ends the reading: `column` takes the samples. */
bool rt_samples_column(rt_samples *s, int32_t dtype, rt_column *column, rt_text *error);
void rt_samples_free(rt_samples *s);

#endif
