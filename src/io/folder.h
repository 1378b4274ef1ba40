/* io/folder.h: the files below folders, in the same order on every machine.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_IO_FOLDER_H
#define MTM_IO_FOLDER_H

#include "base/mem.h"

enum {
    MTM_FOLDER_DEPTH = 64,      /* folders inside folders */
    MTM_FOLDER_FILES = 1 << 24, /* files and folders in all */
};

typedef struct mtm_file_problem {
    const char *path, *why; /* why: one sentence */
} mtm_file_problem;

/* Made once, constant afterwards. */
typedef struct mtm_file_list {
    int64_t n, n_problems;
    const char **paths;         /* [n], each as given, or a given folder's path and what follows below it */
    mtm_file_problem *problems; /* [n_problems]: what lies below the folders and cannot be listed */
    struct mtm_name_block *names;
} mtm_file_list;

/* Regular files: those given, and all below the folders given, in the order of the paths and within a folder by the bytes of
 * their names, folders among them. Links are followed; a folder is walked once, whichever ways lead to it. Names that begin with
 * a dot (.DS_Store, ._copies) are left out below folders. *cancel (NULL: cannot be stopped) is looked at per folder.
 * Errors: of a given path MTM_E_NOTFOUND, MTM_E_DENIED, MTM_E_UNSUPPORTED (a pipe or device), MTM_E_IO; MTM_E_LIMIT (more than
 * MTM_FOLDER_FILES), MTM_E_CANCELLED. Below a folder they are problems. */
mtm_status mtm_file_list_new(mtm_file_list **out, const char *const *paths, int64_t n,
                             const volatile bool *cancel, mtm_error *err);
void mtm_file_list_free(mtm_file_list *l);

MTM_DEFINE_AUTO(mtm_file_list, mtm_file_list_free)

#endif
