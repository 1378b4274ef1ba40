/* format/dicom/write/files.c: many files in another transfer syntax, several at once; each on one thread, as files are many and frames
 * few.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/pool.h"
#include "format/dicom/data/dataset.h"

typedef struct files {
    const char *const *from, *const *to;
    int64_t n;
    mtm_dicom_write_options options; /* of one file */
    mtm_error *errors;               /* [n] */
    void (*progress)(void *user, int64_t done, int64_t n);
    void *user;
    pthread_mutex_t lock;
    int64_t done; /* guarded by the lock */
} files;

/* The folders of a path, its last part left out. */
static mtm_status folders_make(const char *path, mtm_error *err)
{
    MTM_AUTO_MEM char *copy = mtm_strdup(path);

    if (!copy)
        return MTM_NOMEM(err);
    for (char *at = path[0] ? strchr(copy + 1, '/') : NULL; at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(copy, 0777) && errno != EEXIST)
            return mtm_fail_errno(err, errno, "cannot make the folder");
        *at = '/';
    }
    return MTM_OK;
}

static mtm_status one(const files *f, int64_t i, mtm_error *err)
{
    MTM_AUTO(mtm_dicom) d = NULL;

    MTM_TRY(mtm_dicom_open(&d, f->from[i], NULL, err));
    MTM_TRY(mtm_error_where(err, folders_make(f->to[i], err), f->to[i]));
    return mtm_dicom_write(f->to[i], d, &f->options, err);
}

static void some(void *user, int64_t lo, int64_t hi)
{
    files *const f = user;

    for (int64_t i = lo; i < hi; i++) {
        f->errors[i] = (mtm_error){.offset = -1};
        f->errors[i].code = one(f, i, &f->errors[i]);
        pthread_mutex_lock(&f->lock);
        f->done++;
        if (f->progress)
            f->progress(f->user, f->done, f->n);
        pthread_mutex_unlock(&f->lock);
    }
}

mtm_status mtm_dicom_write_files(const char *const *from, const char *const *to, int64_t n,
                                 const mtm_dicom_write_options *opt, mtm_error *errors,
                                 void (*progress)(void *user, int64_t done, int64_t n), void *user,
                                 mtm_error *err)
{
    MTM_AUTO_MEM mtm_error *own = errors ? NULL : mtm_alloc_zero((size_t)n + 1, sizeof *own);
    files f = {.from = from,
               .to = to,
               .n = n,
               .options = {.struct_size = sizeof f.options},
               .errors = errors ? errors : own,
               .progress = progress,
               .user = user,
               .lock = PTHREAD_MUTEX_INITIALIZER};

    if (!f.errors)
        return MTM_NOMEM(err);
    if (opt && opt->struct_size != sizeof *opt)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_dicom_write_options is of another version");
    if (opt)
        f.options = *opt;
    if (n > 1)
        f.options.pool = NULL;
    MTM_TRY(mtm_pool_for(opt ? opt->pool : NULL, n, 1, some, &f, NULL, err));
    for (int64_t i = 0; i < n; i++)
        if (f.errors[i].code != MTM_OK) {
            if (err)
                *err = f.errors[i];
            return f.errors[i].code;
        }
    return MTM_OK;
}
