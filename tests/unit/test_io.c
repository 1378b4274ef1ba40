/* tests/unit/test_io.c: byte sources and atomic writing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/source.h"
#include "io/write.h"

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[160];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/mtm-io-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void put(const char *path, const void *data, size_t n)
{
    FILE *const f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static int count_files(void)
{
    DIR *const d = opendir(folder);
    int n = -2; /* . and .. */

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void test_source_file(void **state)
{
    mtm_error err = {0};
    const char *const path = in_folder("a");
    uint8_t out[8] = {0};
    const uint8_t *map = NULL;

    put(path, "0123456789", 10);
    {
        MTM_AUTO(mtm_source) s = NULL;

        assert_ok(mtm_source_open(&s, path, &err));
        assert_int_equal(mtm_source_size(s), 10);
        assert_string_equal(mtm_source_path(s), path);
        assert_ok(mtm_source_read(s, 3, out, 7, &err));
        assert_memory_equal(out, "3456789", 7);
        assert_ok(mtm_source_read(s, 10, out, 0, &err));
        assert_status(MTM_E_CORRUPT, mtm_source_read(s, 4, out, 7, &err));
        assert_int_equal(err.offset, 10);
        assert_status(MTM_E_CORRUPT, mtm_source_read(s, UINT64_MAX, out, 2, &err));
        assert_ok(mtm_source_map(s, &map, &err));
        assert_memory_equal(map, "0123456789", 10);
        assert_ok(mtm_source_check(s, &err));
    }
}

static void test_source_changed(void **state)
{
    mtm_error err = {0};
    const char *const path = in_folder("changed");
    MTM_AUTO(mtm_source) s = NULL;
    uint8_t out[10];

    put(path, "0123456789", 10);
    assert_ok(mtm_source_open(&s, path, &err));
    assert_int_equal(truncate(path, 4), 0);
    assert_status(MTM_E_CONFLICT, mtm_source_read(s, 0, out, 10, &err));
    assert_int_equal(err.offset, 4);
    assert_status(MTM_E_CONFLICT, mtm_source_check(s, &err));
    assert_ok(mtm_source_read(s, 0, out, 4, &err)); /* the handle stays good */
}

static void test_source_refused(void **state)
{
    mtm_error err = {0};
    mtm_source *s = NULL;

    assert_status(MTM_E_NOTFOUND, mtm_source_open(&s, in_folder("absent"), &err));
    assert_status(MTM_E_UNSUPPORTED, mtm_source_open(&s, folder, &err));
    assert_status(MTM_E_UNSUPPORTED, mtm_source_open(&s, "/dev/zero", &err));
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_status(MTM_E_UNSUPPORTED, mtm_source_open(&s, in_folder("fifo"), &err));
    if (geteuid() != 0) {
        put(in_folder("secret"), "x", 1);
        assert_int_equal(chmod(in_folder("secret"), 0), 0);
        assert_status(MTM_E_DENIED, mtm_source_open(&s, in_folder("secret"), &err));
    }
    assert_null(s);
}

static void test_source_memory(void **state)
{
    mtm_error err = {0};
    MTM_AUTO(mtm_source) s = NULL;
    char out[4] = "";

    assert_ok(mtm_source_memory(&s, "abcdef", 6, "bytes", &err));
    assert_ok(mtm_source_read(s, 2, out, 3, &err));
    assert_string_equal(out, "cde");
    assert_status(MTM_E_CORRUPT, mtm_source_read(s, 6, out, 1, &err));
    assert_ok(mtm_source_check(s, &err));
}

static void test_source_after_fork(void **state)
{
    mtm_error err = {0};
    MTM_AUTO(mtm_source) s = NULL;
    char out[3] = "";
    int status;
    pid_t child;

    put(in_folder("forked"), "0123456789", 10);
    assert_ok(mtm_source_open(&s, in_folder("forked"), &err));
    child = fork();
    if (child == 0)
        _exit(mtm_source_read(s, 7, out, 2, NULL) == MTM_OK && !strcmp(out, "78") ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(mtm_source_read(s, 1, out, 2, &err));
    assert_string_equal(out, "12");
}

static mtm_status write_all(const char *path, const char *text, mtm_error *err)
{
    MTM_AUTO(mtm_writer) w = NULL;

    MTM_TRY(mtm_writer_open(&w, path, err));
    MTM_TRY(mtm_writer_put(w, text, strlen(text), err));
    return mtm_writer_commit(w, err);
}

static void assert_contents(const char *path, const char *expected)
{
    mtm_error err = {0};
    MTM_AUTO(mtm_source) s = NULL;
    char out[64] = "";

    assert_ok(mtm_source_open(&s, path, &err));
    assert_int_equal(mtm_source_size(s), strlen(expected));
    assert_ok(mtm_source_read(s, 0, out, strlen(expected), &err));
    assert_string_equal(out, expected);
}

static void test_write(void **state)
{
    mtm_error err = {0};
    struct stat st;
    const int before = count_files();

    assert_ok(write_all(in_folder("w"), "one", &err));
    assert_contents(in_folder("w"), "one");
    assert_int_equal(chmod(in_folder("w"), 0640), 0);
    assert_ok(write_all(in_folder("w"), "other", &err));
    assert_contents(in_folder("w"), "other");
    assert_int_equal(stat(in_folder("w"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(count_files(), before + 1);
    /* A link's target is replaced; the link stays. */
    assert_int_equal(symlink("w", in_folder("link")), 0);
    assert_ok(write_all(in_folder("link"), "third", &err));
    assert_contents(in_folder("w"), "third");
    assert_int_equal(lstat(in_folder("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void test_write_refused(void **state)
{
    mtm_error err = {0};
    const int before = count_files();

    assert_status(MTM_E_INVAL, write_all(folder, "x", &err));
    assert_status(MTM_E_INVAL, write_all("/dev/null", "x", &err));
    assert_status(MTM_E_NOTFOUND, write_all(in_folder("no/such"), "x", &err));
    assert_int_equal(count_files(), before);
}

/* A file size limit stands for the full disk: the write fails in the middle. */
static void test_write_full(void **state)
{
    const struct rlimit small = {1 << 16, RLIM_INFINITY};
    mtm_error err = {0};
    struct rlimit old;
    mtm_status s;
    const int before = count_files();
    char *const text = calloc(1, (1 << 17) + 1);

    assert_ok(write_all(in_folder("full"), "old", &err));
    memset(text, 'x', 1 << 17);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    s = write_all(in_folder("full"), text, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    free(text);
    assert_int_equal(s, MTM_E_IO);
    assert_contents(in_folder("full"), "old");
    assert_int_equal(count_files(), before + 1);
}

static void test_no_memory(void **state)
{
    mtm_error err = {0};
    const int before = count_files();
    mtm_status s = MTM_E_NOMEM;

    for (int64_t n = 0; s == MTM_E_NOMEM; n++) {
        mtm_mem_fail_after(n);
        s = write_all(in_folder("memory"), "text", &err);
        mtm_mem_fail_after(-1);
        assert_int_equal(count_files(), before + (s == MTM_OK));
        assert_true(n < 100);
    }
    assert_int_equal(s, MTM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source_file),       cmocka_unit_test(test_source_changed),
        cmocka_unit_test(test_source_refused),    cmocka_unit_test(test_source_memory),
        cmocka_unit_test(test_source_after_fork), cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_refused),     cmocka_unit_test(test_write_full),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
