/* Opening safetensors files. */
#include "rt_archive.h"
#include "rt.h"
#include "rt_file.h"
#include <stdlib.h>
#include <unistd.h>

static bool refuse(rt_archive *archive, rt_text *reason) {
    rt_text_quotes(archive->error, archive->path);
    rt_text_addf(archive->error, " %s", reason->bytes);
    rt_text_free(reason);
    return false;
}

static bool read_header(rt_archive *archive) {
    rt_text reason = {0};
    uint8_t prefix[RT_ST_PREFIX];
    uint64_t length = 0;
    if (archive->size < RT_ST_PREFIX) {
        rt_text_addf(&reason, "is no safetensors file: it has only %llu bytes",
                     (unsigned long long)archive->size);
        return refuse(archive, &reason);
    }
    if (!rt_file_read(archive->file, archive->path, prefix, RT_ST_PREFIX, 0, archive->error)) return false;
    if (!rt_st_prefix(prefix, archive->size, &length, &reason)) return refuse(archive, &reason);
    archive->data = RT_ST_PREFIX + length;
    archive->header_length = (size_t)length;
    archive->header = rt_allocate((size_t)length);
    return rt_file_read(archive->file, archive->path, archive->header, (size_t)length, RT_ST_PREFIX,
                        archive->error);
}

bool rt_archive_read(rt_archive *archive) {
    int64_t size = 0;
    archive->file = rt_file_open(archive->path, &size, archive->error);
    archive->size = (uint64_t)size;
    return archive->file >= 0 && read_header(archive);
}

bool rt_archive_parse(rt_archive *archive) {
    rt_text reason = {0};
    if (rt_st_parse(archive->header, archive->header_length, archive->size - archive->data, &archive->index,
                    &reason))
        return true;
    return refuse(archive, &reason);
}

bool rt_archive_open(rt_archive *archive) { return rt_archive_read(archive) && rt_archive_parse(archive); }

void rt_archive_close(rt_archive *archive) {
    rt_st_free(&archive->index);
    free(archive->header);
    if (archive->file >= 0) close(archive->file);
    *archive = (rt_archive){.file = -1};
}
