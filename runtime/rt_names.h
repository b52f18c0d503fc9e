/* Texts and their numbers: in the order in which they come, later in sorted order. */
#ifndef RT_NAMES_H
#define RT_NAMES_H

#include "rt_text.h"

typedef struct {
    size_t begin, length; /* in `text` */
} rt_name;

typedef struct {
    char *text; /* all names, one after the other, each followed by a NUL */
    size_t text_length, text_capacity;
    rt_name *names;
    int64_t count, capacity;
    int64_t *table; /* numbers of names by hash; -1 = free; a power of two of them */
    size_t table_size;
} rt_names;

/* The number of a name, which is added unless it is there. */
int64_t rt_names_number(rt_names *names, const char *text, size_t length);
int64_t rt_names_find(const rt_names *names, const char *text, size_t length); /* -1 = not there */
const char *rt_names_text(const rt_names *names, int64_t number);
/* The place of each name among all of them in the order of their bytes; freed by the caller. */
int64_t *rt_names_sorted(const rt_names *names);
void rt_names_free(rt_names *names);

#endif
