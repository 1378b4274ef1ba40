/* tests/unit/test_folder.c: listing the files below folders.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "io/folder.h"

static char top[64];

static int make_folder(void **state)
{
    strcpy(top, "/tmp/mtm-folder-XXXXXX");
    return mkdtemp(top) ? chdir(top) : -1;
}

static int drop_folder(void **state)
{
    char command[192];

    snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", top, top);
    return chdir("/") || system(command);
}

static void put(const char *path)
{
    FILE *const f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static mtm_file_list *list_of(const char *path)
{
    mtm_file_list *l = NULL;
    mtm_error err = {0};

    assert_ok(mtm_file_list_new(&l, &path, 1, NULL, &err));
    return l;
}

static void assert_listed(const mtm_file_list *l, const char *const *want, int64_t n)
{
    assert_int_equal(l->n, n);
    for (int64_t i = 0; i < n; i++)
        assert_string_equal(l->paths[i], want[i]);
}

static void test_order(void **state)
{
    const char *const want[] = {"order/B", "order/a", "order/m/1", "order/m/x/2", "order/z"};

    mkdir("order", 0777), mkdir("order/m", 0777), mkdir("order/m/x", 0777), mkdir("order/.git", 0777);
    put("order/z"), put("order/a"), put("order/B"), put("order/m/1"), put("order/m/x/2");
    put("order/.DS_Store"), put("order/m/._1"), put("order/.git/config");
    for (int slash = 0; slash < 2; slash++) {
        mtm_file_list *const l = list_of(slash ? "order/" : "order");

        assert_listed(l, want, 5);
        assert_int_equal(l->n_problems, 0);
        mtm_file_list_free(l);
    }
}

static void test_given_files(void **state)
{
    const char *const given[] = {"given/two", "given/.hidden", "given/sub"};
    const char *const want[] = {"given/two", "given/.hidden", "given/sub/one"};
    mtm_file_list *l = NULL;
    mtm_error err = {0};

    mkdir("given", 0777), mkdir("given/sub", 0777);
    put("given/two"), put("given/.hidden"), put("given/sub/one");
    assert_ok(mtm_file_list_new(&l, given, 3, NULL, &err));
    assert_listed(l, want, 3);
    mtm_file_list_free(l);
}

/* A link to a folder that lies around it, one to a folder beside it, one to a file, one to nothing, a pipe. */
static void test_links(void **state)
{
    const char *const want[] = {"links/a/1", "links/l-file"};
    mtm_file_list *l;

    mkdir("links", 0777), mkdir("links/a", 0777);
    put("links/a/1");
    assert_int_equal(symlink("..", "links/a/up") | symlink("a", "links/l-folder") |
                         symlink("a/1", "links/l-file") | symlink("nowhere", "links/l-nothing") |
                         mkfifo("links/pipe", 0666),
                     0);
    l = list_of("links");
    assert_listed(l, want, 2);
    assert_int_equal(l->n_problems, 2);
    assert_string_equal(l->problems[0].path, "links/l-nothing");
    assert_non_null(strstr(l->problems[0].why, "cannot follow the link"));
    assert_string_equal(l->problems[1].path, "links/pipe");
    mtm_file_list_free(l);
}

static void test_many(void **state)
{
    char path[600] = "many";
    mtm_file_list *l;

    mkdir(path, 0777);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "many/%03d", i);
        mkdir(path, 0777);
        snprintf(path, sizeof path, "many/%03d/f", i);
        put(path);
    }
    l = list_of("many");
    assert_int_equal(l->n, 300);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "many/%03d/f", i);
        assert_string_equal(l->paths[i], path);
    }
    mtm_file_list_free(l);
}

static void test_too_deep(void **state)
{
    char path[600] = "deep";
    mtm_file_list *l;

    for (int i = 0; i < MTM_FOLDER_DEPTH + 1; i++) {
        assert_int_equal(mkdir(path, 0777), 0);
        strcat(path, "/d");
    }
    put("deep/file"); /* after d/ */
    l = list_of("deep");
    assert_int_equal(l->n, 1);
    assert_int_equal(l->n_problems, 1);
    assert_non_null(strstr(l->problems[0].why, "too many folders deep"));
    mtm_file_list_free(l);
}

static void test_unreadable(void **state)
{
    mtm_file_list *l = NULL;
    mtm_error err = {0};
    const char *path = "closed/in";

    if (!geteuid())
        skip(); /* root may read every folder */
    mkdir("closed", 0777), mkdir("closed/in", 0);
    put("closed/x");
    l = list_of("closed");
    assert_int_equal(l->n, 1);
    assert_int_equal(l->n_problems, 1);
    assert_string_equal(l->problems[0].path, path);
    mtm_file_list_free(l);
    assert_status(MTM_E_DENIED, mtm_file_list_new(&l, &path, 1, NULL, &err));
    assert_string_equal(err.where, path);
}

static void test_refused(void **state)
{
    const char *absent = "absent", *pipe = "a-pipe", *here = ".";
    const volatile bool stop = true;
    mtm_file_list *l = NULL;
    mtm_error err = {0};

    assert_status(MTM_E_NOTFOUND, mtm_file_list_new(&l, &absent, 1, NULL, &err));
    assert_string_equal(err.where, "absent");
    mkfifo(pipe, 0666);
    assert_status(MTM_E_UNSUPPORTED, mtm_file_list_new(&l, &pipe, 1, NULL, &err));
    assert_status(MTM_E_CANCELLED, mtm_file_list_new(&l, &here, 1, &stop, &err));
    assert_null(l);
}

static void test_no_memory(void **state)
{
    const char *path = "order";
    mtm_file_list *l = NULL;
    mtm_error err = {0};
    mtm_status s = MTM_E_NOMEM;

    for (int64_t n = 0; s == MTM_E_NOMEM; n++) {
        mtm_mem_fail_after(n);
        s = mtm_file_list_new(&l, &path, 1, NULL, &err);
        mtm_mem_fail_after(-1);
        assert_true(n < 100);
    }
    assert_int_equal(s, MTM_OK);
    mtm_file_list_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),   cmocka_unit_test(test_given_files), cmocka_unit_test(test_links),
        cmocka_unit_test(test_many),    cmocka_unit_test(test_too_deep),    cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
