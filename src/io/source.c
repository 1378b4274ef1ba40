/* io/source.c: byte sources over files (pread, mmap) and memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct mtm_source {
    char *path;
    int fd; /* -1: memory */
    mtm_source_id id;
    _Atomic(const uint8_t *) data; /* memory, or the mapping once it was asked for */
};

void mtm_source_close(mtm_source *s)
{
    if (!s)
        return;
    if (s->fd >= 0) {
        const uint8_t *const map = atomic_load(&s->data);

        if (map)
            munmap((void *)(uintptr_t)map, (size_t)s->id.size_bytes);
        close(s->fd);
    }
    mtm_free(s->path);
    mtm_free(s);
}

static mtm_status source_new(mtm_source **out, const char *path, mtm_error *err)
{
    mtm_source *const s = mtm_alloc_zero(1, sizeof *s);

    if (!s)
        return MTM_NOMEM(err);
    s->fd = -1;
    s->path = mtm_strdup(path);
    if (!s->path) {
        mtm_free(s);
        return MTM_NOMEM(err);
    }
    *out = s;
    return MTM_OK;
}

static mtm_source_id id_of(const struct stat *st)
{
    return (mtm_source_id){.size_bytes = st->st_size,
                           .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
                           .device = st->st_dev,
                           .inode = st->st_ino};
}

static mtm_status regular_file_check(const struct stat *st, mtm_error *err)
{
    if (S_ISDIR(st->st_mode))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "is a folder, not a file");
    if (!S_ISREG(st->st_mode))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "is a pipe, socket or device, not a file");
    return MTM_OK;
}

mtm_status mtm_source_open(mtm_source **out, const char *path, mtm_error *err)
{
    MTM_AUTO(mtm_source) s = NULL;
    struct stat st;

    /* Asked before opening: opening a pipe waits, opening a device may act. */
    if (stat(path, &st))
        return mtm_error_where(err, mtm_fail_errno(err, errno, "cannot open the file"), path);
    if (regular_file_check(&st, err))
        return mtm_error_where(err, MTM_E_UNSUPPORTED, path);
    MTM_TRY(source_new(&s, path, err));
    do
        s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (s->fd < 0 && errno == EINTR);
    if (s->fd < 0 || fstat(s->fd, &st))
        return mtm_error_where(err, mtm_fail_errno(err, errno, "cannot open the file"), path);
    if (regular_file_check(&st, err))
        return mtm_error_where(err, MTM_E_UNSUPPORTED, path);
    s->id = id_of(&st);
    *out = mtm_source_steal(&s);
    return MTM_OK;
}

mtm_status mtm_source_memory(mtm_source **out, const void *data, size_t size_bytes, const char *name,
                             mtm_error *err)
{
    mtm_source *s;

    MTM_TRY(source_new(&s, name, err));
    s->id.size_bytes = (int64_t)size_bytes;
    atomic_init(&s->data, data);
    *out = s;
    return MTM_OK;
}

const char *mtm_source_path(const mtm_source *s)
{
    return s->path;
}

uint64_t mtm_source_size(const mtm_source *s)
{
    return (uint64_t)s->id.size_bytes;
}

mtm_source_id mtm_source_id_get(const mtm_source *s)
{
    return s->id;
}

bool mtm_source_in_memory(const mtm_source *s)
{
    return s->fd < 0;
}

/* pread gives at most 2 GiB at once, may be interrupted, and may give less than asked for. */
static mtm_status file_read(const mtm_source *s, uint64_t offset, uint8_t *dst, size_t n, mtm_error *err)
{
    while (n > 0) {
        const size_t piece = n < ((size_t)1 << 30) ? n : (size_t)1 << 30;
        const ssize_t got = pread(s->fd, dst, piece, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return mtm_fail_errno(err, errno, "cannot read byte %" PRIu64, offset);
        if (got == 0)
            return mtm_fail(err, MTM_E_CONFLICT, (int64_t)offset,
                            "the file became shorter while it was read");
        dst += got, offset += (uint64_t)got, n -= (size_t)got;
    }
    return MTM_OK;
}

mtm_status mtm_source_read(const mtm_source *s, uint64_t offset_bytes, void *dst, size_t size_bytes,
                           mtm_error *err)
{
    const uint64_t size = mtm_source_size(s);

    if (offset_bytes > size || size_bytes > size - offset_bytes)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)size,
                        "the file ends after %" PRIu64 " bytes; %zu bytes from byte %" PRIu64
                        " were expected",
                        size, size_bytes, offset_bytes);
    if (s->fd >= 0)
        return file_read(s, offset_bytes, dst, size_bytes, err);
    if (size_bytes > 0)
        memcpy(dst, atomic_load(&s->data) + offset_bytes, size_bytes);
    return MTM_OK;
}

mtm_status mtm_source_check(const mtm_source *s, mtm_error *err)
{
    struct stat st;

    if (s->fd < 0)
        return MTM_OK;
    if (fstat(s->fd, &st))
        return mtm_fail_errno(err, errno, "cannot look at the file");
    if (st.st_size != s->id.size_bytes || id_of(&st).mtime_ns != s->id.mtime_ns)
        return mtm_fail(err, MTM_E_CONFLICT, -1, "the file changed while it was read");
    return MTM_OK;
}

mtm_status mtm_source_map(mtm_source *s, const uint8_t **data, mtm_error *err)
{
    const uint8_t *now = atomic_load(&s->data);

    if (!now && s->id.size_bytes > 0) {
        void *const map = mmap(NULL, (size_t)s->id.size_bytes, PROT_READ, MAP_SHARED, s->fd, 0);

        if (map == MAP_FAILED)
            return mtm_fail_errno(err, errno, "cannot map the file");
        if (atomic_compare_exchange_strong(&s->data, &now, (const uint8_t *)map))
            now = map;
        else /* another thread was faster; `now` is its mapping */
            munmap(map, (size_t)s->id.size_bytes);
    }
    *data = now;
    return MTM_OK;
}
