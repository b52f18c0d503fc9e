/* One checkpoint as a file. Every byte is covered by a checksum (CRC-32): the header by the first note in it,
 * which counts as zeros there; each tensor by its number in the note `checksums`, in the order of names. */
#include "rt_checkpoint.h"
#include "rt_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* How every header begins; then eight hexadecimal digits. */
static const char beginning[] = "{\"__metadata__\":{\"crc32\":\"";
enum { BEGINNING = sizeof beginning - 1, DIGITS = 8, BUFFER_BYTES = 1 << 18 };

/* --- notes */
void rt_note(rt_notes *notes, const char *key, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    char *value = rt_allocate((size_t)length + 1), *name = rt_allocate(strlen(key) + 1);
    va_start(list, format);
    vsnprintf(value, (size_t)length + 1, format, list);
    va_end(list);
    strcpy(name, key);
    if (notes->count == notes->capacity) {
        notes->capacity = notes->capacity ? 2 * notes->capacity : 32;
        notes->pair = rt_resize(notes->pair, (size_t)notes->capacity * sizeof *notes->pair);
    }
    notes->pair[notes->count++] = (rt_st_pair){name, value};
}

void rt_checkpoint_first_note(rt_notes *notes) { rt_note(notes, "crc32", "00000000"); }

void rt_notes_free(rt_notes *notes) {
    for (int32_t i = 0; i < notes->count; i++) {
        free((char *)(uintptr_t)notes->pair[i].key);
        free((char *)(uintptr_t)notes->pair[i].value);
    }
    free(notes->pair);
}

/* --- checksums */
static uint32_t checksum(uint32_t so_far, const void *bytes, size_t count) {
    return (uint32_t)crc32_z(so_far, bytes, count);
}

static uint32_t header_checksum(const char *header, size_t length) {
    uint32_t sum = checksum(0, header, BEGINNING);
    sum = checksum(sum, "00000000", DIGITS);
    return checksum(sum, header + BEGINNING + DIGITS, length - BEGINNING - DIGITS);
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const nn_tensor *const *)a)->name, (*(const nn_tensor *const *)b)->name);
}

static void note_checksums(rt_notes *notes, int32_t count, const nn_tensor *const *tensors) {
    rt_text sums = {0};
    const nn_tensor **named = rt_allocate((size_t)count * sizeof *named);
    for (int32_t i = 0; i < count; i++) named[i] = tensors[i];
    if (count) qsort(named, (size_t)count, sizeof *named, by_name);
    for (int32_t i = 0; i < count; i++)
        rt_text_addf(&sums, "%s%08x", i ? " " : "", checksum(0, named[i]->data, rt_tensor_bytes(named[i])));
    rt_note(notes, "checksums", "%s", rt_text_string(&sums));
    free(named);
    rt_text_free(&sums);
}

/* --- writing */
/* 0 or an errno. */
static int write_file(int file, const rt_text *header, int32_t count, const nn_tensor *const *tensors) {
    int failure = rt_file_write(file, header->bytes, header->length);
    for (int32_t i = 0; i < count && failure == 0; i++)
        failure = rt_file_write(file, tensors[i]->data, rt_tensor_bytes(tensors[i]));
    if (failure == 0 && fsync(file) != 0) failure = errno;
    return failure;
}

bool rt_checkpoint_write(nn_rt *rt, const char *path, rt_notes *notes, int32_t count,
                         const nn_tensor *const *tensors, rt_text *error) {
    (void)rt;
    note_checksums(notes, count, tensors);
    rt_text header = {0};
    rt_st_header(&header, notes->count, notes->pair, count, tensors);
    char digits[DIGITS + 1];
    snprintf(digits, sizeof digits, "%08x",
             header_checksum(header.bytes + RT_ST_PREFIX, header.length - RT_ST_PREFIX));
    memcpy(header.bytes + RT_ST_PREFIX + BEGINNING, digits, DIGITS);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int failure = file < 0 ? errno : write_file(file, &header, count, tensors);
    if (file >= 0 && close(file) != 0 && failure == 0) failure = errno;
    rt_text_free(&header);
    if (failure) {
        rt_text_adds(error, strerror(failure));
        return false;
    }
    rt_archive archive;
    bool good = rt_checkpoint_open(&archive, path, error) == RT_INTACT;
    rt_archive_close(&archive);
    return good;
}

/* --- checking */
static rt_condition damaged(rt_archive *archive, const char *how) {
    rt_text_quotes(archive->error, archive->path);
    rt_text_addf(archive->error, " %s", how);
    return RT_DAMAGED;
}

static bool check_header(const rt_archive *archive) {
    char digits[DIGITS + 1];
    snprintf(digits, sizeof digits, "%08x", header_checksum(archive->header, archive->header_length));
    return memcmp(digits, archive->header + BEGINNING, DIGITS) == 0;
}

/* The bytes of one tensor against its checksum. */
static bool check_tensor(const rt_archive *archive, const rt_st_entry *entry, uint32_t expected,
                         uint8_t *buffer) {
    uint32_t sum = checksum(0, NULL, 0);
    for (uint64_t at = entry->begin; at < entry->end;) {
        size_t part = entry->end - at < BUFFER_BYTES ? (size_t)(entry->end - at) : BUFFER_BYTES;
        if (!rt_file_read(archive->file, archive->path, buffer, part, (int64_t)(archive->data + at),
                          archive->error))
            return false;
        sum = checksum(sum, buffer, part);
        at += part;
    }
    return sum == expected;
}

static rt_condition check_tensors(rt_archive *archive) {
    const rt_st_note *sums = rt_st_find_note(&archive->index, "checksums");
    size_t each = DIGITS + 1, count = archive->index.count;
    if (!sums || sums->value_length + 1 < count * each) return damaged(archive, "lacks its checksums");
    uint8_t *buffer = rt_allocate(BUFFER_BYTES);
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = check_tensor(archive, &archive->index.entries[i],
                            (uint32_t)strtoul(sums->value + i * each, NULL, 16), buffer);
    free(buffer);
    if (good) return RT_INTACT;
    return archive->error->length ? RT_DAMAGED : damaged(archive, "is damaged: a checksum is wrong");
}

rt_condition rt_checkpoint_look(const char *path) {
    int64_t size = 0;
    rt_text ignored = {0};
    char bytes[RT_ST_PREFIX + BEGINNING];
    if (access(path, F_OK) != 0 && errno == ENOENT) return RT_ABSENT;
    int file = rt_file_open(path, &size, &ignored);
    rt_condition condition = file < 0 ? RT_FOREIGN : RT_DAMAGED;
    if (file >= 0 && size >= (int64_t)sizeof bytes &&
        rt_file_read(file, path, bytes, sizeof bytes, 0, &ignored))
        condition = memcmp(bytes + RT_ST_PREFIX, beginning, BEGINNING) == 0 ? RT_INTACT : RT_FOREIGN;
    if (file >= 0) close(file);
    rt_text_free(&ignored);
    return condition;
}

rt_condition rt_checkpoint_open(rt_archive *archive, const char *path, rt_text *error) {
    *archive = (rt_archive){.path = path, .file = -1, .error = error};
    rt_condition first = rt_checkpoint_look(path);
    if (first == RT_ABSENT) return RT_ABSENT;
    if (first == RT_FOREIGN) {
        damaged(archive, "is no checkpoint");
        return RT_FOREIGN;
    }
    if (!rt_archive_read(archive)) return RT_DAMAGED;
    if (archive->header_length <= BEGINNING + DIGITS) return damaged(archive, "is cut off");
    if (!check_header(archive)) return damaged(archive, "is damaged: the checksum of its header is wrong");
    return rt_archive_parse(archive) ? check_tensors(archive) : RT_DAMAGED;
}
