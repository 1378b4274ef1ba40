/* tests/unit/test_index.c: the sidecar index: what is kept comes back; what is stale, damaged, locked or refused does not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/text.h"
#include "image/index.h"

enum { PATH_ROOM = 256 };

typedef struct folder {
    char path[PATH_ROOM], file[PATH_ROOM], index[PATH_ROOM];
} folder;

static void join(char out[PATH_ROOM], const char *a, const char *b)
{
    assert_in_range(snprintf(out, PATH_ROOM, "%s/%s", a, b), 1, PATH_ROOM - 1);
}

static void write_file(const char *path, const void *data, size_t n)
{
    FILE *const f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
    folder *const f = mtm_alloc_zero(1, sizeof *f);
    const char *const tmp = getenv("TMPDIR");

    assert_non_null(f);
    join(f->path, tmp ? tmp : "/tmp", "mtm-index-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    assert_int_equal(chmod(f->path, 0755), 0);
    join(f->file, f->path, "t1.nii.gz");
    join(f->index, f->path, "microtome.index");
    write_file(f->file, "some voxels", 11);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    folder *const f = *state;
    char command[PATH_ROOM + 16];

    snprintf(command, sizeof command, "rm -rf '%s'", f->path);
    assert_int_equal(system(command), 0);
    mtm_free(f);
    return 0;
}

static mtm_index *open_index(const char *path)
{
    mtm_error err = {0};
    mtm_index *ix = NULL;

    assert_ok(mtm_index_open(&ix, path, &err));
    return ix;
}

static mtm_identity identify(const char *path)
{
    mtm_error err = {0};
    mtm_identity id = {0};

    assert_ok(mtm_identity_get(&id, path, &err));
    return id;
}

static bool put_text(mtm_index *ix, const mtm_identity *id, const char *kind, const char *text)
{
    return mtm_index_put(ix, id, kind, 1, (const uint8_t *)text, strlen(text));
}

static bool has_text(mtm_index *ix, const mtm_identity *id, const char *kind, const char *text)
{
    uint8_t *blob = NULL;
    size_t n = 0;
    const bool found = mtm_index_get(ix, id, kind, 1, &blob, &n);

    if (found) {
        assert_int_equal(n, strlen(text));
        assert_memory_equal(blob, text, n);
    } else {
        assert_null(blob);
    }
    mtm_free(blob);
    return found;
}

static void test_round_trip(void **state)
{
    folder *const f = *state;
    mtm_index *ix = open_index(f->path);
    mtm_identity id = identify(f->file), none = {0};
    uint8_t *blob = NULL;
    size_t n;

    assert_false(has_text(ix, &id, "a", ""));
    assert_true(put_text(ix, &id, "a", "alpha"));
    assert_true(put_text(ix, &id, "b", ""));
    assert_true(has_text(ix, &id, "a", "alpha"));
    assert_true(has_text(ix, &id, "b", ""));
    assert_true(put_text(ix, &id, "a", "beta"));
    assert_true(has_text(ix, &id, "a", "beta"));
    assert_false(mtm_index_get(ix, &id, "a", 2, &blob, &n)); /* another version of the layout */
    assert_false(has_text(ix, &none, "a", ""));
    assert_false(put_text(ix, &none, "a", ""));
    assert_false(has_text(NULL, &id, "a", ""));
    assert_false(put_text(NULL, &id, "a", ""));
    mtm_index_close(ix);
    ix = open_index(f->index); /* by the file's own name */
    assert_true(has_text(ix, &id, "a", "beta"));
    mtm_index_close(ix);
    mtm_identity_clear(&id);
    mtm_index_close(NULL);
}

static void test_open_errors(void **state)
{
    folder *const f = *state;
    mtm_error err = {0};
    mtm_identity id = {0};
    mtm_index *ix = NULL;
    char path[PATH_ROOM];

    join(path, f->path, "absent/x.index");
    assert_status(MTM_E_NOTFOUND, mtm_index_open(&ix, path, &err));
    assert_status(MTM_E_INVAL, mtm_index_open(&ix, "", &err));
    assert_status(MTM_E_INVAL, mtm_index_open(&ix, NULL, &err));
    join(path, f->path, "absent.nii");
    assert_status(MTM_E_NOTFOUND, mtm_identity_get(&id, path, &err));
    assert_status(MTM_E_UNSUPPORTED, mtm_identity_get(&id, f->path, &err));
    assert_null(ix);
}

/* A changed size, time or head makes an entry stale; a new one takes its place. */
static void test_stale(void **state)
{
    folder *const f = *state;
    mtm_index *const ix = open_index(f->path);
    mtm_identity old = identify(f->file), now;
    struct timespec times[2];

    assert_true(put_text(ix, &old, "a", "old"));
    for (int i = 0; i < 3; i++) {
        now = old;
        if (i == 0)
            now.size_bytes++;
        else if (i == 1)
            now.mtime_ns++;
        else
            now.head_hash++;
        assert_false(has_text(ix, &now, "a", ""));
    }
    assert_true(has_text(ix, &old, "a", "old"));
    write_file(f->file, "other voxel", 11); /* same size, and the time set back: the head tells */
    times[0] = times[1] = (struct timespec){old.mtime_ns / 1000000000, old.mtime_ns % 1000000000};
    assert_int_equal(utimensat(AT_FDCWD, f->file, times, 0), 0);
    now = identify(f->file);
    assert_int_equal(now.mtime_ns, old.mtime_ns);
    assert_false(has_text(ix, &now, "a", ""));
    assert_true(put_text(ix, &now, "a", "new"));
    assert_true(has_text(ix, &now, "a", "new"));
    assert_false(has_text(ix, &old, "a", ""));
    mtm_identity_clear(&old);
    mtm_identity_clear(&now);
    mtm_index_close(ix);
}

/* A data set that is moved as a whole keeps its index; files outside it are known by their whole path. */
static void test_moved(void **state)
{
    folder *const f = *state;
    char from[PATH_ROOM], to[PATH_ROOM], file[PATH_ROOM];
    mtm_identity inside, outside = identify(f->file);
    struct timespec times[2];
    mtm_index *ix;

    join(from, f->path, "set");
    join(to, f->path, "moved");
    assert_int_equal(mkdir(from, 0755), 0);
    join(file, from, "x.nii.gz");
    write_file(file, "inside", 6);
    inside = identify(file);
    ix = open_index(from);
    assert_true(put_text(ix, &inside, "a", "inside"));
    assert_true(put_text(ix, &outside, "a", "outside"));
    mtm_index_close(ix);
    times[0] = times[1] = (struct timespec){inside.mtime_ns / 1000000000, inside.mtime_ns % 1000000000};
    mtm_identity_clear(&inside);
    assert_int_equal(rename(from, to), 0);
    join(file, to, "x.nii.gz");
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
    inside = identify(file);
    ix = open_index(to);
    assert_true(has_text(ix, &inside, "a", "inside"));
    assert_true(has_text(ix, &outside, "a", "outside"));
    mtm_index_close(ix);
    mtm_identity_clear(&inside);
    mtm_identity_clear(&outside);
}

/* A path that only begins like the index's folder is not inside it. */
static void test_names(void **state)
{
    folder *const f = *state;
    char ab[PATH_ROOM], a[PATH_ROOM], file[2][PATH_ROOM];
    mtm_identity id[2];
    mtm_index *ix;

    join(a, f->path, "a");
    join(ab, f->path, "ab");
    assert_int_equal(mkdir(a, 0755), 0);
    assert_int_equal(mkdir(ab, 0755), 0);
    join(file[0], a, "b'; DROP TABLE entry; --");
    join(file[1], ab, "b'; DROP TABLE entry; --");
    for (int i = 0; i < 2; i++) {
        write_file(file[i], "x", 1);
        id[i] = identify(file[i]);
    }
    id[1].mtime_ns = id[0].mtime_ns;
    ix = open_index(a);
    assert_true(put_text(ix, &id[0], "a", "zero"));
    assert_false(has_text(ix, &id[1], "a", ""));
    assert_true(put_text(ix, &id[1], "a", "one"));
    assert_true(has_text(ix, &id[0], "a", "zero"));
    mtm_index_close(ix);
    mtm_identity_clear(&id[0]);
    mtm_identity_clear(&id[1]);
}

static void run_sql(const char *index, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(index, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* One bit of any column changed behind the index's back: the row does not count, and can be made again. */
static void test_flipped_rows(void **state)
{
    static const char *const changes[] = {
        "UPDATE entry SET payload = CAST('alphb' AS BLOB)",
        "UPDATE entry SET payload = CAST('alph' AS BLOB)",
        "UPDATE entry SET payload = NULL",
        "UPDATE entry SET payload = 12",
        "UPDATE entry SET checksum = checksum + 1",
        "UPDATE entry SET size_bytes = size_bytes + 1",
        "UPDATE entry SET head_hash = 'text'",
        "UPDATE entry SET version = NULL",
        "UPDATE entry SET kind = 'b'",
        "UPDATE entry SET path = 'other'",
        "DELETE FROM entry",
    };
    folder *const f = *state;
    mtm_identity id = identify(f->file);

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        mtm_index *ix = open_index(f->path);

        assert_true(put_text(ix, &id, "a", "alpha"));
        mtm_index_close(ix);
        run_sql(f->index, changes[i]);
        ix = open_index(f->path);
        assert_false(has_text(ix, &id, "a", ""));
        assert_false(has_text(ix, &id, "b", ""));
        assert_true(put_text(ix, &id, "a", "alpha"));
        assert_true(has_text(ix, &id, "a", "alpha"));
        mtm_index_close(ix);
    }
    mtm_identity_clear(&id);
}

static bool exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

/* Files that are no database, cut, or scribbled over are set aside, and the index goes on with a new one. */
static void test_damaged_file(void **state)
{
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    char damaged[PATH_ROOM], junk[40000], many[3000];
    mtm_index *ix;

    join(damaged, f->path, "microtome.index.damaged");
    memset(junk, 'x', sizeof junk);
    write_file(f->index, junk, 5000);
    ix = open_index(f->path);
    assert_true(exists(damaged));
    assert_true(put_text(ix, &id, "a", "alpha"));
    assert_true(has_text(ix, &id, "a", "alpha"));
    mtm_index_close(ix);
    memset(many, 'm', sizeof many);
    many[sizeof many - 1] = '\0';
    for (int at = 0; at < 3; at++) { /* the header, the schema, the table */
        static const long places[] = {0, 100, 16384};
        FILE *h;

        unlink(damaged);
        ix = open_index(f->path);
        for (int i = 0; i < 50; i++) {
            char kind[16];
            snprintf(kind, sizeof kind, "%d", i);
            assert_true(put_text(ix, &id, kind, many));
        }
        mtm_index_close(ix);
        h = fopen(f->index, "r+b");
        assert_non_null(h);
        fseek(h, places[at], SEEK_SET);
        fwrite(junk, 1, sizeof junk, h);
        fclose(h);
        ix = open_index(f->path);
        for (int i = 0; i < 50; i++) {
            char kind[16];
            snprintf(kind, sizeof kind, "%d", i);
            has_text(ix, &id, kind, many); /* right or not at all */
        }
        assert_true(put_text(ix, &id, "a", "alpha"));
        assert_true(has_text(ix, &id, "a", "alpha"));
        assert_true(exists(damaged));
        mtm_index_close(ix);
        assert_int_equal(truncate(f->index, 20000), 0);
        ix = open_index(f->path);
        has_text(ix, &id, "a", "alpha");
        put_text(ix, &id, "a", "alpha");
        assert_true(put_text(ix, &id, "a", "alpha"));
        mtm_index_close(ix);
    }
    mtm_identity_clear(&id);
}

/* A database of another program is not touched, nor one of a later version. */
static void test_foreign(void **state)
{
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    char text[300], damaged[PATH_ROOM];
    mtm_index *ix;

    join(damaged, f->path, "microtome.index.damaged");
    run_sql(f->index, "CREATE TABLE precious (x)");
    ix = open_index(f->path);
    assert_false(put_text(ix, &id, "a", "alpha"));
    mtm_index_problem(ix, text, sizeof text);
    assert_true(text[0] != '\0');
    mtm_index_close(ix);
    run_sql(f->index, "INSERT INTO precious VALUES (1)");
    assert_false(exists(damaged));
    unlink(f->index);
    ix = open_index(f->path);
    assert_true(put_text(ix, &id, "a", "alpha"));
    mtm_index_close(ix);
    run_sql(f->index, "PRAGMA user_version = 99");
    ix = open_index(f->path);
    assert_false(has_text(ix, &id, "a", ""));
    assert_false(put_text(ix, &id, "a", ""));
    mtm_index_close(ix);
    assert_false(exists(damaged));
    mtm_identity_clear(&id);
}

/* Runs fn in a child process; whether it returned true. */
static bool in_child(bool (*fn)(folder *f), folder *f)
{
    const pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn(f) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool read_only_child(folder *f)
{
    mtm_identity id = {0};
    mtm_index *ix = NULL;
    bool ok;

    if (geteuid() == 0 && setuid(65534))
        return false;
    ok = mtm_identity_get(&id, f->file, NULL) == MTM_OK && mtm_index_open(&ix, f->index, NULL) == MTM_OK;
    ok = ok && has_text(ix, &id, "a", "alpha") && !put_text(ix, &id, "b", "beta") &&
         has_text(ix, &id, "a", "alpha");
    mtm_index_close(ix);
    mtm_identity_clear(&id);
    return ok;
}

static bool unmade_child(folder *f) /* nothing there, and nothing can be made */
{
    mtm_identity id = {0};
    mtm_index *ix = NULL;
    bool ok;

    if (geteuid() == 0 && setuid(65534))
        return false;
    ok = mtm_identity_get(&id, f->file, NULL) == MTM_OK && mtm_index_open(&ix, f->index, NULL) == MTM_OK;
    ok = ok && !has_text(ix, &id, "a", "") && !put_text(ix, &id, "a", "alpha");
    mtm_index_close(ix);
    mtm_identity_clear(&id);
    return ok;
}

static void test_read_only(void **state)
{
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    mtm_index *ix;

    assert_int_equal(chmod(f->path, 0555), 0);
    assert_true(in_child(unmade_child, f));
    assert_int_equal(chmod(f->path, 0755), 0);
    ix = open_index(f->path);
    assert_true(put_text(ix, &id, "a", "alpha"));
    mtm_index_close(ix);
    assert_int_equal(chmod(f->index, 0444), 0);
    assert_int_equal(chmod(f->path, 0555), 0); /* no place for WAL and lock files */
    assert_true(in_child(read_only_child, f));
    assert_int_equal(chmod(f->path, 0755), 0);
    mtm_identity_clear(&id);
}

/* While someone else holds the database, stores and lookups give up after a moment; afterwards all is well. */
static void test_locked(void **state)
{
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    mtm_index *ix = open_index(f->path);
    sqlite3 *db = NULL;
    char text[300];

    assert_true(put_text(ix, &id, "a", "alpha"));
    assert_int_equal(sqlite3_open(f->index, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_true(has_text(ix, &id, "a", "alpha")); /* WAL: a writer does not disturb readers */
    assert_false(put_text(ix, &id, "b", "beta"));
    mtm_index_problem(ix, text, sizeof text);
    assert_non_null(strstr(text, "lock"));
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    mtm_index_close(ix);
    ix = open_index(f->path);
    assert_true(put_text(ix, &id, "b", "beta"));
    mtm_index_close(ix);
    mtm_identity_clear(&id);
}

static bool full_child(folder *f)
{
    const struct rlimit most = {200000, 200000};
    MTM_AUTO_MEM char *big = mtm_alloc(300001);
    mtm_identity id = {0};
    mtm_index *ix = NULL;
    bool ok;

    if (!big || mtm_identity_get(&id, f->file, NULL) || mtm_index_open(&ix, f->path, NULL))
        return false;
    memset(big, 'b', 300000), big[300000] = '\0';
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &most))
        return false;
    ok = put_text(ix, &id, "a", "alpha") && !put_text(ix, &id, "big", big) &&
         has_text(ix, &id, "a", "alpha") && !has_text(ix, &id, "big", big);
    mtm_index_close(ix);
    mtm_identity_clear(&id);
    return ok;
}

static void test_full_disk(void **state)
{
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    mtm_index *ix;

    assert_true(in_child(full_child, f));
    ix = open_index(f->path);
    assert_true(has_text(ix, &id, "a", "alpha"));
    mtm_index_close(ix);
    mtm_identity_clear(&id);
}

enum { CHILDREN = 6, ROUNDS = 60 };

/* Many processes fill the same new index at once, through handles of their own and one from before the fork. */
static bool busy_process(mtm_index *ix, const mtm_identity *id, int child)
{
    mtm_rng r = mtm_rng_at((uint64_t)child, 0, 0, 0);

    for (int i = 0; i < ROUNDS; i++) {
        char kind[16], text[2000];

        snprintf(kind, sizeof kind, "%d", (int)mtm_rng_below(&r, 10));
        memset(text, kind[0], sizeof text);
        text[sizeof text - 1] = '\0';
        if (i % 3 == 0 && !put_text(ix, id, kind, text) && i == 0)
            return false;
        has_text(ix, id, kind, text); /* right or not at all */
    }
    return true;
}

static void test_fork(void **state)
{
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    mtm_index *shared = open_index(f->path), *ix;
    pid_t pid[CHILDREN];
    int status, kept = 0;

    assert_true(put_text(shared, &id, "parent", "parent"));
    for (int i = 0; i < CHILDREN; i++) {
        pid[i] = fork();
        assert_true(pid[i] >= 0);
        if (pid[i] == 0) {
            mtm_index *own = NULL;
            bool ok = has_text(shared, &id, "parent", "parent") && busy_process(shared, &id, i);

            ok = ok && mtm_index_open(&own, f->path, NULL) == MTM_OK && busy_process(own, &id, i + 100);
            mtm_index_close(own);
            mtm_index_close(shared);
            _exit(ok ? 0 : 1);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_true(
        has_text(shared, &id, "parent", "parent")); /* the children left the parent's connection alone */
    assert_true(put_text(shared, &id, "after", "after"));
    mtm_index_close(shared);
    ix = open_index(f->path);
    assert_true(has_text(ix, &id, "after", "after"));
    for (int i = 0; i < 10; i++) {
        char kind[16], text[2000];

        snprintf(kind, sizeof kind, "%d", i);
        memset(text, kind[0], sizeof text);
        text[sizeof text - 1] = '\0';
        kept += has_text(ix, &id, kind, text);
    }
    assert_int_equal(kept, 10);
    mtm_index_close(ix);
    mtm_identity_clear(&id);
}

typedef struct thread_job {
    mtm_index *ix;
    const mtm_identity *id;
    int number;
} thread_job;

static void *thread_main(void *arg)
{
    const thread_job *const j = arg;

    busy_process(j->ix, j->id, j->number);
    return NULL;
}

static void test_threads(void **state)
{
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    mtm_index *const ix = open_index(f->path);
    thread_job job[4];
    pthread_t thread[4];

    for (int i = 0; i < 4; i++) {
        job[i] = (thread_job){ix, &id, i};
        assert_int_equal(pthread_create(&thread[i], NULL, thread_main, &job[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    mtm_index_close(ix);
    mtm_identity_clear(&id);
}

/* ---- typed values -------------------------------------------------------------------------------------- */

static void test_stats(void **state)
{
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    mtm_index *const ix = open_index(f->path);
    const mtm_image_stats s = {100, 3, 50, -1.5, INFINITY, 0.1, 2, 0.2, 3, {1, 2, 3}, {4, 5, 6}};
    mtm_image_stats t = {0}, bad = s;

    assert_false(mtm_index_get_stats(ix, &id, &t));
    assert_true(mtm_index_put_stats(ix, &id, &s));
    assert_true(mtm_index_get_stats(ix, &id, &t));
    assert_memory_equal(&s, &t, sizeof s);
    bad.count = -1;
    assert_true(mtm_index_put_stats(ix, &id, &bad));
    assert_false(mtm_index_get_stats(ix, &id, &t));
    assert_false(mtm_index_get_stats(NULL, &id, &t));
    mtm_index_close(ix);
    mtm_identity_clear(&id);
}

static void test_percentiles(void **state)
{
    static const double q[2] = {0.5, 99.5}, near[2] = {0.5, 99.50000000000001}, v[2] = {-3.25, 1e300};
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    mtm_index *const ix = open_index(f->path);
    double got[2] = {7, 7};

    assert_false(mtm_index_get_percentiles(ix, &id, q, got));
    assert_true(mtm_index_put_percentiles(ix, &id, q, v));
    assert_false(mtm_index_get_percentiles(ix, &id, near, got)); /* other percents are another entry */
    assert_true(got[0] == 7 && got[1] == 7);
    assert_true(mtm_index_get_percentiles(ix, &id, q, got));
    assert_true(got[0] == v[0] && got[1] == v[1]);
    assert_false(mtm_index_get_percentiles(NULL, &id, q, got));
    mtm_index_close(ix);
    mtm_identity_clear(&id);
}

static void test_labels(void **state)
{
    static const int64_t classes[] = {-5, 0, 7}, counts[] = {2, 100000, 1}, offset[] = {0, 2, 5, 6},
                         at[] = {99999, 0, 5, 4, 77, 100002};
    const mtm_label_table t = {3, classes, counts, offset, at}, none = {0, classes, counts, offset, at};
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    mtm_index *const ix = open_index(f->path);
    const int64_t outside[] = {99999, 0, 5, 4, 77, 100003};
    mtm_label_table bad = t, *got = NULL;

    assert_true(mtm_index_put_labels(ix, &id, &t));
    assert_true(mtm_index_get_labels(ix, &id, &got));
    assert_int_equal(got->n_classes, 3);
    assert_memory_equal(got->classes, classes, sizeof classes);
    assert_memory_equal(got->counts, counts, sizeof counts);
    assert_memory_equal(got->offset, offset, sizeof offset);
    assert_memory_equal(got->at, at, sizeof at);
    mtm_free(got);
    bad.at = outside;
    assert_true(mtm_index_put_labels(ix, &id, &bad));
    assert_false(mtm_index_get_labels(ix, &id, &got));
    assert_true(mtm_index_put_labels(ix, &id, &none));
    assert_true(mtm_index_get_labels(ix, &id, &got));
    assert_int_equal(got->n_classes, 0);
    mtm_free(got);
    mtm_index_close(ix);
    mtm_identity_clear(&id);
}

static void test_objects(void **state)
{
    static const int64_t class_of[] = {-5, 7, 7}, number[] = {2, 0, 1}, shape[] = {20, 30, 40},
                         start[] = {0, 0, 0, 19, 29, 39, 3, 4, 5}, size[] = {20, 30, 40, 1, 1, 1, 6, 5, 4};
    const mtm_object_table t = {3, 3, class_of, number, start, size}, none = {0, 3, NULL, NULL, NULL, NULL};
    static const int64_t outside[] = {0, 0, 0, 19, 29, 39, 3, 4, 37}, twice[] = {2, 1, 1};
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    mtm_index *const ix = open_index(f->path);
    mtm_object_table bad[2] = {t, t}, *got = NULL;

    assert_false(mtm_index_get_objects(ix, &id, -1, shape, &got));
    assert_true(mtm_index_put_objects(ix, &id, -1, &t));
    assert_false(mtm_index_get_objects(ix, &id, 0, shape, &got)); /* of another background */
    assert_true(mtm_index_get_objects(ix, &id, -1, shape, &got));
    assert_int_equal(got->n, 3);
    assert_int_equal(got->ndim, 3);
    assert_memory_equal(got->class_of, class_of, sizeof class_of);
    assert_memory_equal(got->number, number, sizeof number);
    assert_memory_equal(got->start, start, sizeof start);
    assert_memory_equal(got->size, size, sizeof size);
    mtm_object_table_free(got);
    bad[0].start = outside, bad[1].number = twice;
    for (int i = 0; i < 2; i++) {
        assert_true(mtm_index_put_objects(ix, &id, -1, &bad[i]));
        assert_false(mtm_index_get_objects(ix, &id, -1, shape, &got));
    }
    assert_true(mtm_index_put_objects(ix, &id, -1, &none));
    assert_true(mtm_index_get_objects(ix, &id, -1, shape, &got));
    assert_int_equal(got->n, 0);
    mtm_object_table_free(got);
    assert_false(mtm_index_put_objects(NULL, &id, -1, &t));
    mtm_index_close(ix);
    mtm_identity_clear(&id);
}

/* Every byte of every typed payload changed, and every length: never a crash, and never what was not kept. */
static void test_hostile_values(void **state)
{
    static const char *const kinds[] = {"percentiles 0x1p-1 0x1.8ep+6", "labels", "stats", "gzip",
                                        "objects 0"};
    folder *const f = *state;
    mtm_identity id = identify(f->file);
    mtm_index *const ix = open_index(f->path);
    mtm_rng r = mtm_rng_at(9, 0, 0, 0);

    for (int i = 0; i < 3000; i++) {
        double v[2];
        mtm_label_table *t;
        mtm_image_stats s;
        mtm_gzip_points *p;
        mtm_object_table *o;
        uint8_t blob[200];
        const size_t n = mtm_rng_below(&r, sizeof blob);

        for (size_t k = 0; k < sizeof blob; k++)
            blob[k] = (uint8_t)(mtm_rng_u32(&r) & (i & 1 ? 0xff : 0x03));
        mtm_index_put(ix, &id, kinds[i % 5], 1, blob, n);
        if (i % 5 == 0 && mtm_index_get_percentiles(ix, &id, (double[]){0.5, 99.5}, v))
            assert_true(v[0] <= v[1]);
        if (i % 5 == 1 && mtm_index_get_labels(ix, &id, &t))
            mtm_free(t);
        if (i % 5 == 2)
            mtm_index_get_stats(ix, &id, &s);
        if (i % 5 == 3 && mtm_index_get_points(ix, &id, &p))
            mtm_gzip_points_free(p);
        if (i % 5 == 4 && mtm_index_get_objects(ix, &id, 0, (int64_t[]){4, 4, 4}, &o)) {
            for (int64_t k = 0; k < 3 * o->n; k++)
                assert_in_range(o->start[k] + o->size[k], 1, 4);
            mtm_object_table_free(o);
        }
    }
    mtm_index_close(ix);
    mtm_identity_clear(&id);
}

/* With every allocation failing in turn: an ordinary error or "not found", and the handle stays good. */
static void test_no_memory(void **state)
{
    folder *const f = *state;
    mtm_identity id = identify(f->file), other;
    mtm_error err = {0};
    mtm_index *ix = NULL;
    mtm_status st = MTM_E_NOMEM;
    int64_t n = 0;

    for (; st != MTM_OK; n++) {
        assert_int_equal(st, MTM_E_NOMEM);
        mtm_mem_fail_after(n);
        st = mtm_index_open(&ix, f->path, &err);
        mtm_mem_fail_after(-1);
    }
    assert_in_range(n, 4, 30);
    assert_true(put_text(ix, &id, "a", "alpha"));
    mtm_mem_fail_after(0);
    assert_false(has_text(ix, &id, "a", ""));
    mtm_mem_fail_after(-1);
    assert_true(has_text(ix, &id, "a", "alpha"));
    for (n = 0, st = MTM_E_NOMEM; st != MTM_OK; n++) {
        assert_int_equal(st, MTM_E_NOMEM);
        mtm_mem_fail_after(n);
        st = mtm_identity_get(&other, f->file, &err);
        mtm_mem_fail_after(-1);
    }
    assert_in_range(n, 3, 10);
    mtm_identity_clear(&other);
    mtm_index_close(ix);
    mtm_identity_clear(&id);
}

#define WITH_FOLDER(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_round_trip), WITH_FOLDER(test_open_errors),  WITH_FOLDER(test_stale),
        WITH_FOLDER(test_moved),      WITH_FOLDER(test_names),        WITH_FOLDER(test_flipped_rows),
        WITH_FOLDER(test_foreign),    WITH_FOLDER(test_damaged_file), WITH_FOLDER(test_read_only),
        WITH_FOLDER(test_locked),     WITH_FOLDER(test_full_disk),    WITH_FOLDER(test_fork),
        WITH_FOLDER(test_threads),    WITH_FOLDER(test_stats),        WITH_FOLDER(test_percentiles),
        WITH_FOLDER(test_labels),     WITH_FOLDER(test_objects),      WITH_FOLDER(test_hostile_values),
        WITH_FOLDER(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
