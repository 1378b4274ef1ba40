/* io/write.c: atomic file writing: temporary file, fsync, rename, fsync of the folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pool.h"

enum { WRITER_TRIES = 100, WRITER_NAME_ROOM = 48 };

struct mtm_writer {
    char *path;   /* destination, links resolved */
    char *temp;   /* in the same folder; NULL once renamed */
    char *folder; /* "." or ends in a slash */
    int fd;
};

void mtm_writer_free(mtm_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    if (w->temp)
        unlink(w->temp);
    mtm_free(w->path);
    mtm_free(w->temp);
    mtm_free(w->folder);
    mtm_free(w);
}

/* The file behind a symbolic link is replaced, not the link; a path that does not exist yet stays as it is. */
static mtm_status destination(char **out, const char *path, mtm_error *err)
{
    char *const real = realpath(path, NULL);

    if (!real && errno != ENOENT)
        return mtm_fail_errno(err, errno, "cannot write the file");
    *out = mtm_strdup(real ? real : path);
    free(real); /* from the C library, not from base/mem.h */
    return *out ? MTM_OK : MTM_NOMEM(err);
}

static mtm_status folder_of(char **out, const char *path, mtm_error *err)
{
    const char *const slash = strrchr(path, '/');

    *out = mtm_strdup(slash ? path : "./");
    if (!*out)
        return MTM_NOMEM(err);
    if (slash)
        (*out)[slash - path + 1] = '\0';
    return MTM_OK;
}

/* Not mkstemp: it gives mode 0600, and the process's umask cannot be read without changing it. */
static mtm_status temp_create(mtm_writer *w, mtm_error *err)
{
    const size_t room = strlen(w->folder) + WRITER_NAME_ROOM;
    MTM_AUTO_MEM char *temp = mtm_alloc(room);

    if (!temp)
        return MTM_NOMEM(err);
    for (int i = 0; i < WRITER_TRIES && w->fd < 0; i++) {
        snprintf(temp, room, "%s.mtm-%lx-%llx.tmp", w->folder, (long)getpid(),
                 (unsigned long long)mtm_now_ns());
        w->fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd < 0 && errno != EEXIST && errno != EINTR)
            break;
    }
    if (w->fd < 0)
        return mtm_fail_errno(err, errno, "cannot create a file in its folder");
    w->temp = temp, temp = NULL;
    return MTM_OK;
}

mtm_status mtm_writer_open(mtm_writer **out, const char *path, mtm_error *err)
{
    MTM_AUTO(mtm_writer) w = mtm_alloc_zero(1, sizeof *w);
    struct stat st;
    bool exists;

    if (!w)
        return MTM_NOMEM(err);
    w->fd = -1;
    MTM_TRY(destination(&w->path, path, err));
    exists = stat(w->path, &st) == 0;
    if (exists && !S_ISREG(st.st_mode))
        return mtm_fail(err, MTM_E_INVAL, -1, "is a folder, pipe or device, not a file");
    MTM_TRY(folder_of(&w->folder, w->path, err));
    MTM_TRY(temp_create(w, err));
    if (exists && fchmod(w->fd, st.st_mode & 07777))
        return mtm_fail_errno(err, errno, "cannot give the new file the old one's permissions");
    *out = mtm_writer_steal(&w);
    return MTM_OK;
}

mtm_status mtm_writer_put(mtm_writer *w, const void *data, size_t size_bytes, mtm_error *err)
{
    const uint8_t *p = data;

    while (size_bytes > 0) {
        const size_t piece = size_bytes < ((size_t)1 << 30) ? size_bytes : (size_t)1 << 30;
        const ssize_t put = write(w->fd, p, piece);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return mtm_fail_errno(err, put < 0 ? errno : EIO, "cannot write the file");
        p += put, size_bytes -= (size_t)put;
    }
    return MTM_OK;
}

mtm_status mtm_writer_patch(mtm_writer *w, uint64_t offset_bytes, const void *data, size_t size_bytes,
                            mtm_error *err)
{
    const uint8_t *p = data;

    while (size_bytes > 0) {
        const ssize_t put = pwrite(w->fd, p, size_bytes, (off_t)offset_bytes);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return mtm_fail_errno(err, put < 0 ? errno : EIO, "cannot write the file");
        p += put, offset_bytes += (uint64_t)put, size_bytes -= (size_t)put;
    }
    return MTM_OK;
}

const char *mtm_writer_temp(const mtm_writer *w)
{
    return w->temp;
}

/* The rename is durable only when the folder is on the disk too; file systems that cannot sync a folder say EINVAL. */
static mtm_status folder_sync(const char *folder, mtm_error *err)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mtm_status s = MTM_OK;

    if (fd < 0)
        return mtm_fail_errno(err, errno, "cannot open its folder");
    if (fsync(fd) && errno != EINVAL && errno != ENOTSUP)
        s = mtm_fail_errno(err, errno, "cannot bring the folder to the disk");
    close(fd);
    return s;
}

mtm_status mtm_writer_commit(mtm_writer *w, mtm_error *err)
{
    int closed;

    if (fsync(w->fd) && errno != EINVAL)
        return mtm_fail_errno(err, errno, "cannot bring the file to the disk");
    closed = close(w->fd);
    w->fd = -1;
    if (closed)
        return mtm_fail_errno(err, errno, "cannot finish the file");
    if (rename(w->temp, w->path))
        return mtm_fail_errno(err, errno, "cannot give the file its name");
    mtm_free(w->temp);
    w->temp = NULL;
    return folder_sync(w->folder, err);
}
