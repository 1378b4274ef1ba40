/* io/folder.c: walking folders: sorted, bounded in depth and number, each folder once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Paths are only given back together. */
typedef struct mtm_name_block {
    struct mtm_name_block *before;
    size_t used, room;
    char text[];
} mtm_name_block;

enum { BLOCK_BYTES = 1 << 16 };

enum { KIND_FILE, KIND_FOLDER, KIND_OTHER, KIND_BROKEN };

typedef struct walk_entry {
    const char *path;
    int kind, broken_errno;
} walk_entry;

typedef struct folder_id {
    uint64_t device, inode; /* inode 0: a free place of the table */
} folder_id;

typedef struct walk {
    mtm_file_list *list;
    int64_t room, problem_room, seen;
    folder_id *folders; /* [folder_room], a power of two, open addressing: what was walked */
    size_t n_folders, folder_room;
    const volatile bool *cancel;
} walk;

void mtm_file_list_free(mtm_file_list *l)
{
    if (!l)
        return;
    for (mtm_name_block *b = l->names, *before; b; b = before) {
        before = b->before;
        mtm_free(b);
    }
    mtm_free(l->paths);
    mtm_free(l->problems);
    mtm_free(l);
}

/* folder + "/" + name (folder NULL: name alone) in the list's memory; NULL: out of memory. */
static const char *keep_name(mtm_file_list *l, const char *folder, const char *name)
{
    const size_t head = folder ? strlen(folder) : 0, tail = strlen(name);
    const size_t slash = head > 0 && folder[head - 1] != '/', need = head + slash + tail + 1;
    mtm_name_block *b = l->names;

    if (!b || need > b->room - b->used) {
        const size_t room = need > BLOCK_BYTES ? need : BLOCK_BYTES;

        b = mtm_alloc(sizeof *b + room);
        if (!b)
            return NULL;
        *b = (mtm_name_block){.before = l->names, .room = room};
        l->names = b;
    }
    char *const s = b->text + b->used;
    if (head)
        memcpy(s, folder, head);
    if (slash)
        s[head] = '/';
    memcpy(s + head + slash, name, tail + 1);
    b->used += need;
    return s;
}

static mtm_status grow(void *array, int64_t *room, int64_t n, size_t elem_bytes, mtm_error *err)
{
    void *old, *grown;

    if (n < *room)
        return MTM_OK;
    memcpy(&old, array, sizeof old);
    const int64_t more = *room ? *room * 2 : 64;
    grown = mtm_realloc(old, (size_t)more * elem_bytes);
    if (!grown)
        return MTM_NOMEM(err);
    memcpy(array, &grown, sizeof grown);
    *room = more;
    return MTM_OK;
}

static mtm_status add_file(walk *w, const char *path, mtm_error *err)
{
    mtm_file_list *const l = w->list;

    MTM_TRY(grow(&l->paths, &w->room, l->n, sizeof *l->paths, err));
    l->paths[l->n++] = path;
    return MTM_OK;
}

static mtm_status add_problem(walk *w, const char *path, const char *why, mtm_error *err)
{
    mtm_file_list *const l = w->list;

    MTM_TRY(grow(&l->problems, &w->problem_room, l->n_problems, sizeof *l->problems, err));
    why = keep_name(l, NULL, why);
    if (!why)
        return MTM_NOMEM(err);
    l->problems[l->n_problems++] = (mtm_file_problem){.path = path, .why = why};
    return MTM_OK;
}

/* ---- folders that were walked --------------------------------------------------------------------------- */

static folder_id *folder_place(folder_id *table, size_t room, folder_id id)
{
    size_t at = (size_t)((id.inode + id.device * 31) * 0x9E3779B97F4A7C15u >> 17) & (room - 1);

    while (table[at].inode && (table[at].inode != id.inode || table[at].device != id.device))
        at = (at + 1) & (room - 1);
    return &table[at];
}

static mtm_status folders_grow(walk *w, mtm_error *err)
{
    const size_t room = w->folder_room ? w->folder_room * 2 : 64;
    folder_id *const table = mtm_alloc_zero(room, sizeof *table);

    if (!table)
        return MTM_NOMEM(err);
    for (size_t i = 0; i < w->folder_room; i++)
        if (w->folders[i].inode)
            *folder_place(table, room, w->folders[i]) = w->folders[i];
    mtm_free(w->folders);
    w->folders = table, w->folder_room = room;
    return MTM_OK;
}

/* *again: the folder was walked before. Folders without an inode number are not told apart; the depth bounds them. */
static mtm_status folder_remember(walk *w, const struct stat *st, bool *again, mtm_error *err)
{
    const folder_id id = {.device = st->st_dev, .inode = st->st_ino};

    *again = false;
    if (!id.inode)
        return MTM_OK;
    if (w->n_folders * 2 >= w->folder_room)
        MTM_TRY(folders_grow(w, err));
    folder_id *const place = folder_place(w->folders, w->folder_room, id);
    *again = place->inode != 0;
    w->n_folders += !*again;
    *place = id;
    return MTM_OK;
}

/* ---- one folder ----------------------------------------------------------------------------------------- */

static int kind_of_mode(mode_t mode)
{
    return S_ISREG(mode) ? KIND_FILE : S_ISDIR(mode) ? KIND_FOLDER : KIND_OTHER;
}

/* Most file systems say in the folder what an entry is; links, and entries of the others, are looked at. */
static int kind_of_entry(int fd, const struct dirent *e, int *broken_errno)
{
    struct stat st;

    if (e->d_type == DT_REG)
        return KIND_FILE;
    if (e->d_type == DT_DIR)
        return KIND_FOLDER;
    if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN)
        return KIND_OTHER;
    if (!fstatat(fd, e->d_name, &st, 0))
        return kind_of_mode(st.st_mode);
    *broken_errno = errno;
    return KIND_BROKEN;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const walk_entry *)a)->path, ((const walk_entry *)b)->path);
}

/* The visible entries of an open folder, sorted; what was read before an error stays for the caller to free. */
static mtm_status folder_read(walk *w, DIR *dir, const char *path, walk_entry **entries, int64_t *n,
                              mtm_error *err)
{
    int64_t room = 0;
    const struct dirent *e;

    for (errno = 0; (e = readdir(dir)); errno = 0) {
        walk_entry x = {0};

        if (e->d_name[0] == '.')
            continue;
        if (++w->seen > MTM_FOLDER_FILES)
            return mtm_fail(err, MTM_E_LIMIT, -1, "more than %d files and folders", MTM_FOLDER_FILES);
        x.kind = kind_of_entry(dirfd(dir), e, &x.broken_errno);
        MTM_TRY(grow(entries, &room, *n, sizeof **entries, err));
        x.path = keep_name(w->list, path, e->d_name);
        if (!x.path)
            return MTM_NOMEM(err);
        (*entries)[(*n)++] = x;
    }
    if (errno)
        return mtm_fail_errno(err, errno, "cannot read the folder");
    if (*n > 1)
        qsort(*entries, (size_t)*n, sizeof **entries, by_path);
    return MTM_OK;
}

/* Opens the folder unless it was walked before (*dir NULL then). */
static mtm_status folder_open(walk *w, const char *path, DIR **dir, mtm_error *err)
{
    struct stat st;
    bool again;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *dir = NULL;
    if (fd < 0)
        return mtm_fail_errno(err, errno, "cannot open the folder");
    if (fstat(fd, &st)) {
        mtm_fail_errno(err, errno, "cannot look at the folder");
        close(fd);
        return MTM_E_IO;
    }
    const mtm_status s = folder_remember(w, &st, &again, err);
    if (s != MTM_OK || again) {
        close(fd);
        return s;
    }
    *dir = fdopendir(fd);
    if (*dir)
        return MTM_OK;
    close(fd);
    return MTM_NOMEM(err);
}

static mtm_status walk_folder(walk *w, const char *path, int depth, mtm_error *err);

static mtm_status walk_entry_take(walk *w, const walk_entry *x, int depth, mtm_error *err)
{
    mtm_error e = {.offset = -1};
    mtm_status s = MTM_OK;

    switch (x->kind) {
    case KIND_FILE: return add_file(w, x->path, err);
    case KIND_OTHER: return add_problem(w, x->path, "is a pipe, socket or device, not a file", err);
    case KIND_BROKEN: s = mtm_fail_errno(&e, x->broken_errno, "cannot follow the link"); break;
    default:
        if (depth >= MTM_FOLDER_DEPTH)
            return add_problem(w, x->path, "lies too many folders deep, and was not walked", err);
        s = walk_folder(w, x->path, depth + 1, &e);
    }
    if (s == MTM_OK)
        return MTM_OK;
    if (s == MTM_E_NOMEM || s == MTM_E_LIMIT || s == MTM_E_CANCELLED) {
        if (err)
            *err = e;
        return s;
    }
    return add_problem(w, x->path, e.text, err);
}

static mtm_status walk_folder(walk *w, const char *path, int depth, mtm_error *err)
{
    MTM_AUTO_MEM walk_entry *entries = NULL;
    int64_t n = 0;
    DIR *dir;

    if (w->cancel && *w->cancel)
        return mtm_fail(err, MTM_E_CANCELLED, -1, "stopped on request");
    MTM_TRY(folder_open(w, path, &dir, err));
    if (!dir)
        return MTM_OK;
    const mtm_status s = folder_read(w, dir, path, &entries, &n, err);
    closedir(dir);
    MTM_TRY(s);
    for (int64_t i = 0; i < n; i++)
        MTM_TRY(walk_entry_take(w, &entries[i], depth, err));
    return MTM_OK;
}

static mtm_status walk_given(walk *w, const char *given, mtm_error *err)
{
    struct stat st;
    const char *const path = keep_name(w->list, NULL, given);

    if (!path)
        return MTM_NOMEM(err);
    if (stat(path, &st))
        return mtm_fail_errno(err, errno, "cannot open the file or folder");
    switch (kind_of_mode(st.st_mode)) {
    case KIND_FILE: return add_file(w, path, err);
    case KIND_FOLDER: return walk_folder(w, path, 1, err);
    default: return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "is a pipe, socket or device, not a file");
    }
}

mtm_status mtm_file_list_new(mtm_file_list **out, const char *const *paths, int64_t n,
                             const volatile bool *cancel, mtm_error *err)
{
    MTM_AUTO(mtm_file_list) list = mtm_alloc_zero(1, sizeof *list);
    walk w = {.list = list, .cancel = cancel};
    mtm_status s = MTM_OK;

    if (!list)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < n && s == MTM_OK; i++)
        s = mtm_error_where(err, walk_given(&w, paths[i], err), paths[i]);
    mtm_free(w.folders);
    if (s == MTM_OK)
        *out = mtm_file_list_steal(&list);
    return s;
}
