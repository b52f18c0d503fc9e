/* Memory: checked allocation, the arenas of plans (frames), and each thread's scratch area. Sizes in bytes.
 */
#include "rt.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

struct rt_kept {
    rt_kept *next;
    void *allocation;
};

static _Thread_local rt_area scratch, part;

void *rt_allocate(size_t bytes) { return rt_resize(NULL, bytes); }

void *rt_resize(void *old, size_t bytes) {
    void *new = realloc(old, bytes ? bytes : 1);
    if (!new) rt_out_of_memory(bytes);
    return new;
}

void *rt_allocate_aligned(size_t bytes) {
    /* From two huge pages on, the alignment costs less than the misses in the address cache that it saves. */
    size_t alignment = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    if (bytes > SIZE_MAX / 2) rt_out_of_memory(bytes);
    size_t rounded = (bytes + alignment) / alignment * alignment;
    void *data = aligned_alloc(alignment, rounded);
    if (!data) rt_out_of_memory(bytes);
    if (alignment == HUGE_PAGE) madvise(data, rounded, MADV_HUGEPAGE); /* a hint: may fail */
    return data;
}

void rt_keep(nn_rt *rt, void *allocation) {
    rt_kept *kept = rt_allocate(sizeof *kept);
    *kept = (rt_kept){rt->kept, allocation};
    rt->kept = kept;
}

/* Grows without keeping the contents. */
static void *area_at_least(rt_area *area, int64_t bytes) {
    if (bytes < 0) rt_out_of_memory((size_t)bytes); /* a product of sizes that wrapped */
    if (area->data && area->bytes >= bytes) return area->data;
    free(area->data);
    *area = (rt_area){0};
    area->data = rt_allocate_aligned((size_t)bytes);
    area->bytes = bytes;
    return area->data;
}

static void add_frames(nn_rt *rt, int32_t count) {
    rt->frames = rt_resize(rt->frames, (size_t)count * sizeof *rt->frames);
    memset(rt->frames + rt->frame_count, 0, (size_t)(count - rt->frame_count) * sizeof *rt->frames);
    rt->frame_count = count;
}

void *nn_frame(nn_rt *rt, int32_t frame, int64_t bytes) {
    if (frame >= rt->frame_count) add_frames(rt, frame + 1);
    return area_at_least(&rt->frames[frame], bytes);
}

void *nn_scratch(nn_rt *rt, int64_t bytes) {
    (void)rt;
    return area_at_least(&scratch, bytes);
}

void *nn_part(nn_rt *rt, int64_t bytes) {
    (void)rt;
    return area_at_least(&part, bytes);
}

void rt_scratch_free(void) {
    free(scratch.data);
    free(part.data);
    scratch = part = (rt_area){0};
}

void rt_memory_free(nn_rt *rt) {
    for (int32_t i = 0; i < rt->frame_count; i++) free(rt->frames[i].data);
    free(rt->frames);
    while (rt->kept) {
        rt_kept *next = rt->kept->next;
        free(rt->kept->allocation);
        free(rt->kept);
        rt->kept = next;
    }
    rt_texts_free(rt);
    rt_scratch_free();
}
