/* image/index.c: the sidecar index as one SQLite table. Key: the file's path (relative to the index's folder when inside it,
 * so that a data set can be moved) and what is kept. A row counts only while size, mtime and head hash are the file's,
 * and its checksum fits, so neither a changed file nor a flipped bit in the database gives a wrong answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/pool.h"
#include "base/text.h"
#include "io/source.h"

enum {
    APPLICATION_ID = 0x4d544d49, /* "MTMI", in the database's header */
    SCHEMA_VERSION = 1,
    BUSY_MS = 500,
    OPEN_TRIES = 5,
    OPEN_PAUSE_MS = 20,
    HEAD_BYTES = 4096,
    PROBLEM_BYTES = 256
};
static const int64_t PAUSE_NS = 2000000000; /* after waiting for a locked database in vain */
static const size_t PAYLOAD_MOST = (size_t)1 << 28;

/* One process's connection. A forked child cannot use its parent's: it makes its own, and leaves the old one alone. */
typedef struct connection {
    pthread_mutex_t lock; /* guards all below; no other lock is taken under it */
    pid_t owner;
    sqlite3 *db; /* NULL: not open; tried again at the next call after paused_until */
    sqlite3_stmt *get, *put;
    dev_t device;
    ino_t inode;
    bool read_only;
    int64_t paused_until_ns;
    char problem[PROBLEM_BYTES];
} connection;

struct mtm_index {
    char *file, *folder; /* canonical */
    _Atomic(connection *) conn;
};

/* ---- identity ------------------------------------------------------------------------------------------ */

static mtm_status head_hash(uint64_t *out, const mtm_source *src, mtm_error *err)
{
    const uint64_t size = mtm_source_size(src);
    const size_t n = size < HEAD_BYTES ? (size_t)size : HEAD_BYTES;
    uint8_t head[HEAD_BYTES];

    MTM_TRY(mtm_source_read(src, 0, head, n, err));
    *out = mtm_hash64(head, n, size);
    return MTM_OK;
}

/* realpath into the library's own memory; NULL with errno. */
static char *canonical(const char *path)
{
    char *const found = realpath(path, NULL);
    char *const own = found ? mtm_strdup(found) : NULL;

    if (found && !own)
        errno = ENOMEM;
    free(found); /* the C library's, not ours */
    return own;
}

mtm_status mtm_identity_get(mtm_identity *out, const char *path, mtm_error *err)
{
    MTM_AUTO(mtm_source) src = NULL;
    mtm_identity id = {0};
    mtm_source_id at;

    MTM_TRY(mtm_source_open(&src, path, err));
    at = mtm_source_id_get(src);
    id.size_bytes = at.size_bytes, id.mtime_ns = at.mtime_ns;
    MTM_TRY(mtm_error_where(err, head_hash(&id.head_hash, src, err), path));
    id.path = canonical(path);
    if (!id.path)
        return mtm_error_where(err, mtm_fail_errno(err, errno, "the path cannot be resolved"), path);
    *out = id;
    return MTM_OK;
}

void mtm_identity_clear(mtm_identity *id)
{
    mtm_free(id->path);
    *id = (mtm_identity){0};
}

/* ---- the connection ------------------------------------------------------------------------------------ */

static void say(connection *c, const char *what)
{
    snprintf(c->problem, sizeof c->problem, "%s%s%s", what, c->db ? ": " : "",
             c->db ? sqlite3_errmsg(c->db) : "");
}

static void disconnect(connection *c)
{
    sqlite3_finalize(c->get);
    sqlite3_finalize(c->put);
    sqlite3_close(c->db);
    c->db = NULL, c->get = c->put = NULL;
}

/* The value of a pragma that is a number; false when it cannot be read. */
static bool pragma_i64(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *s = NULL;
    const bool ok = sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;

    if (ok)
        *out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return ok;
}

/* Makes the table in a new database. Refuses a database of something else, and one of a later version. */
static int prepare_schema(connection *c)
{
    static const char make[] =
        "PRAGMA page_size = 16384;" /* payloads are large */
        "PRAGMA journal_mode = WAL;"
        "BEGIN IMMEDIATE;"
        "CREATE TABLE IF NOT EXISTS entry (path TEXT NOT NULL, kind TEXT NOT NULL, version INTEGER, "
        "size_bytes INTEGER, mtime_ns INTEGER, head_hash INTEGER, checksum INTEGER, payload BLOB, "
        "PRIMARY KEY (path, kind));"
        "PRAGMA application_id = 1297370441;" /* APPLICATION_ID */
        "PRAGMA user_version = 1;"            /* SCHEMA_VERSION */
        "COMMIT;";
    int64_t application, version, objects;

    _Static_assert(APPLICATION_ID == 1297370441 && SCHEMA_VERSION == 1, "as in the text");
    if (!pragma_i64(c->db, "SELECT count(*) FROM sqlite_master", &objects) ||
        !pragma_i64(c->db, "PRAGMA application_id", &application) ||
        !pragma_i64(c->db, "PRAGMA user_version", &version))
        return sqlite3_errcode(c->db);
    if (objects == 0 && !c->read_only) {
        const int z = sqlite3_exec(c->db, make, NULL, NULL, NULL);

        if (z != SQLITE_OK)
            sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
        return z;
    }
    return application == APPLICATION_ID && version == SCHEMA_VERSION ? SQLITE_OK : SQLITE_MISMATCH;
}

static int prepare_statements(connection *c)
{
    static const char get[] = "SELECT version, size_bytes, mtime_ns, head_hash, checksum, payload FROM entry "
                              "WHERE path = ?1 AND kind = ?2";
    static const char put[] = "INSERT OR REPLACE INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    const int z = sqlite3_prepare_v3(c->db, get, -1, SQLITE_PREPARE_PERSISTENT, &c->get, NULL);

    if (z != SQLITE_OK || c->read_only)
        return z;
    return sqlite3_prepare_v3(c->db, put, -1, SQLITE_PREPARE_PERSISTENT, &c->put, NULL);
}

/* The file may come from anywhere: its schema must not act, and its sizes have a limit. */
static void harden(sqlite3 *db)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, (int)PAYLOAD_MOST + (1 << 20));
}

/* Opens the file in one of the ways; SQLite's result code. */
static int try_open(connection *c, const char *name, int flags)
{
    int z = sqlite3_open_v2(name, &c->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);

    c->read_only = flags & SQLITE_OPEN_READONLY;
    if (z == SQLITE_OK) {
        sqlite3_busy_timeout(c->db, BUSY_MS);
        harden(c->db);
        c->read_only = c->read_only || sqlite3_db_readonly(c->db, "main") == 1;
        z = prepare_schema(c);
    }
    if (z == SQLITE_OK)
        sqlite3_exec(c->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL); /* a lost entry is made again */
    if (z == SQLITE_OK)
        z = prepare_statements(c);
    if (z != SQLITE_OK) {
        say(c, "the index cannot be used");
        disconnect(c);
    }
    return z;
}

/* "file:…?immutable=1" for a database whose folder admits no lock files. Characters that mean something in a URI are
 * escaped. NULL: no memory. */
static char *immutable_uri(const char *file)
{
    mtm_text t = {0};
    char *s = NULL;

    mtm_text_add(&t, "file:");
    for (; *file; file++)
        mtm_text_add(&t, *file == '?' || *file == '#' || *file == '%' ? "%%%02X" : "%c",
                     (unsigned char)*file);
    mtm_text_add(&t, "?immutable=1");
    return mtm_text_take(&t, &s, NULL) == MTM_OK ? s : NULL;
}

static bool is_damage(int z)
{
    return z == SQLITE_CORRUPT || z == SQLITE_NOTADB;
}

/* Renames a damaged database and removes its journals; unless another process did so already and a new file stands
 * there. False: it could not. */
static bool set_aside(const mtm_index *ix, const connection *c)
{
    static const char *const journals[] = {"-wal", "-shm", "-journal"};
    MTM_AUTO_MEM char *name = mtm_alloc(strlen(ix->file) + sizeof ".damaged");
    struct stat now;

    if (!name || stat(ix->file, &now))
        return false;
    if (now.st_dev != c->device || now.st_ino != c->inode)
        return true;
    strcat(strcpy(name, ix->file), ".damaged");
    if (rename(ix->file, name))
        return false;
    for (int i = 0; i < 3; i++) {
        strcat(strcpy(name, ix->file), journals[i]); /* all shorter than ".damaged" or as long */
        unlink(name);
    }
    return true;
}

/* Several processes may make the database at the same moment: the journal's mode is switched without waiting. */
static int open_for_writing(const mtm_index *ix, connection *c)
{
    struct stat st = {0};
    int z = SQLITE_BUSY;

    for (int i = 0; i < OPEN_TRIES && z == SQLITE_BUSY; i++) {
        if (i)
            sqlite3_sleep(OPEN_PAUSE_MS);
        if (stat(ix->file, &st))
            st = (struct stat){0};
        c->device = st.st_dev, c->inode = st.st_ino; /* what set_aside may rename */
        z = try_open(c, ix->file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    }
    return z;
}

/* Opens what can be opened: for writing, for reading, for reading without locks. Lock held. */
static bool reconnect(const mtm_index *ix, connection *c)
{
    MTM_AUTO_MEM char *uri = NULL;
    int z;

    z = open_for_writing(ix, c);
    if (is_damage(z) && set_aside(ix, c))
        z = open_for_writing(ix, c);
    if (z == SQLITE_CANTOPEN || z == SQLITE_READONLY || z == SQLITE_PERM || z == SQLITE_IOERR)
        z = try_open(c, ix->file, SQLITE_OPEN_READONLY);
    if (z == SQLITE_CANTOPEN || z == SQLITE_READONLY || z == SQLITE_IOERR) {
        uri = immutable_uri(ix->file);
        z = uri ? try_open(c, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI) : SQLITE_NOMEM;
    }
    if (z != SQLITE_OK)
        c->paused_until_ns = mtm_now_ns() + PAUSE_NS;
    return z == SQLITE_OK;
}

static connection *connection_new(void)
{
    connection *const c = mtm_alloc_zero(1, sizeof *c);

    if (c && pthread_mutex_init(&c->lock, NULL)) {
        mtm_free(c);
        return NULL;
    }
    if (c)
        c->owner = getpid();
    return c;
}

static void connection_free(connection *c)
{
    disconnect(c);
    pthread_mutex_destroy(&c->lock);
    mtm_free(c);
}

/* This process's connection. After a fork the parent's stays as it is: its lock may be held for ever, and closing its
 * database here would pull the journal from under the parent (sqlite.org/howtocorrupt.html 2.6). NULL: no memory. */
static connection *connection_get(mtm_index *ix)
{
    connection *c = atomic_load(&ix->conn), *mine;

    if (c->owner == getpid())
        return c;
    mine = connection_new();
    if (!mine)
        return NULL;
    if (atomic_compare_exchange_strong(&ix->conn, &c, mine))
        return mine;
    connection_free(mine);
    return c;
}

/* Locks the connection with an open database; NULL without one. */
static connection *borrow(mtm_index *ix)
{
    connection *const c = connection_get(ix);

    if (!c)
        return NULL;
    pthread_mutex_lock(&c->lock);
    if (mtm_now_ns() >= c->paused_until_ns && (c->db || reconnect(ix, c))) {
        c->problem[0] = '\0';
        return c;
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Ends a use that gave SQLite's result z, and deals with what went wrong. */
static void give_back_after(mtm_index *ix, connection *c, int z)
{
    if (z != SQLITE_DONE && z != SQLITE_ROW && z != SQLITE_OK) {
        say(c, "the index did not answer");
        if (is_damage(z)) {
            disconnect(c);
            if (c->read_only || !set_aside(ix, c))
                c->paused_until_ns = mtm_now_ns() + PAUSE_NS;
        } else if (z == SQLITE_BUSY || z == SQLITE_LOCKED) {
            c->paused_until_ns = mtm_now_ns() + PAUSE_NS;
        }
    }
    pthread_mutex_unlock(&c->lock);
}

/* ---- life ---------------------------------------------------------------------------------------------- */

/* The canonical name of the index file, which may not be there yet. */
static mtm_status locate(mtm_index *ix, const char *path, mtm_error *err)
{
    MTM_AUTO_MEM char *parent = mtm_strdup(path);
    const char *name = "microtome.index";
    struct stat st;
    mtm_text t = {0};

    if (!parent)
        return MTM_NOMEM(err);
    if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
        char *const slash = strrchr(parent, '/');

        name = slash ? path + (slash - parent) + 1 : path;
        if (slash)
            slash[slash == parent] = '\0';
        else
            strcpy(parent, *parent ? "." : "");
    }
    ix->folder = canonical(parent);
    if (!ix->folder)
        return mtm_fail_errno(err, errno, "the index's folder cannot be found");
    mtm_text_add(&t, "%s/%s", strcmp(ix->folder, "/") ? ix->folder : "", name);
    return mtm_text_take(&t, &ix->file, err);
}

mtm_status mtm_index_open(mtm_index **out, const char *path, mtm_error *err)
{
    MTM_AUTO(mtm_index) ix = NULL;
    connection *c;

    if (!path || !*path)
        return mtm_fail(err, MTM_E_INVAL, -1, "the index needs a path");
    ix = mtm_alloc_zero(1, sizeof *ix);
    c = ix ? connection_new() : NULL;
    if (!c)
        return MTM_NOMEM(err);
    atomic_init(&ix->conn, c);
    MTM_TRY(mtm_error_where(err, locate(ix, path, err), path));
    pthread_mutex_lock(&c->lock);
    reconnect(ix, c); /* what cannot be opened finds and keeps nothing */
    pthread_mutex_unlock(&c->lock);
    *out = mtm_index_steal(&ix);
    return MTM_OK;
}

void mtm_index_close(mtm_index *ix)
{
    connection *c;

    if (!ix)
        return;
    c = atomic_load(&ix->conn);
    if (c && c->owner == getpid())
        connection_free(c);
    mtm_free(ix->file);
    mtm_free(ix->folder);
    mtm_free(ix);
}

void mtm_index_problem(mtm_index *ix, char *text, size_t room)
{
    connection *const c = ix ? connection_get(ix) : NULL;

    if (!c) {
        snprintf(text, room, "%s", ix ? "out of memory" : "there is no index");
        return;
    }
    pthread_mutex_lock(&c->lock);
    snprintf(text, room, "%s", c->problem);
    pthread_mutex_unlock(&c->lock);
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

/* The file's name in the index: the rest of its path inside the index's folder, else all of it. */
static const char *key_of(const mtm_index *ix, const mtm_identity *id)
{
    const size_t n = strlen(ix->folder);

    if (n > 1 && strncmp(id->path, ix->folder, n) == 0 && id->path[n] == '/')
        return id->path + n + 1;
    return id->path;
}

/* Over the payload and everything it depends on, so that rows cannot stand for one another. */
static uint64_t checksum(const mtm_identity *id, const char *key, const char *kind, uint32_t version,
                         const uint8_t *blob, size_t n)
{
    const uint64_t facts[] = {mtm_hash64(key, strlen(key), 0),
                              mtm_hash64(kind, strlen(kind), 0),
                              version,
                              (uint64_t)id->size_bytes,
                              (uint64_t)id->mtime_ns,
                              id->head_hash};

    return mtm_hash64(blob, n, mtm_hash64(facts, sizeof facts, SCHEMA_VERSION));
}

/* Copies the payload of the row that s stands on, if it is current and whole. */
static bool take_row(sqlite3_stmt *s, const mtm_identity *id, const char *key, const char *kind,
                     uint32_t version, uint8_t **blob, size_t *n)
{
    const void *const payload = sqlite3_column_blob(s, 5);
    const int bytes = sqlite3_column_bytes(s, 5);
    uint8_t *copy;

    if (sqlite3_column_int64(s, 0) != version || sqlite3_column_int64(s, 1) != id->size_bytes ||
        sqlite3_column_int64(s, 2) != id->mtime_ns || (uint64_t)sqlite3_column_int64(s, 3) != id->head_hash)
        return false;
    if (bytes < 0 || (bytes && !payload) || (size_t)bytes > PAYLOAD_MOST ||
        (uint64_t)sqlite3_column_int64(s, 4) !=
            checksum(id, key, kind, version, bytes ? payload : (const uint8_t *)"", (size_t)bytes))
        return false;
    copy = mtm_alloc((size_t)bytes);
    if (!copy)
        return false;
    if (bytes)
        memcpy(copy, payload, (size_t)bytes);
    *blob = copy, *n = (size_t)bytes;
    return true;
}

bool mtm_index_get(mtm_index *ix, const mtm_identity *id, const char *kind, uint32_t version, uint8_t **blob,
                   size_t *n)
{
    connection *const c = ix && id && id->path ? borrow(ix) : NULL;
    const char *key;
    bool found;
    int z;

    if (!c)
        return false;
    key = key_of(ix, id);
    sqlite3_bind_text(c->get, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(c->get, 2, kind, -1, SQLITE_STATIC);
    z = sqlite3_step(c->get);
    found = z == SQLITE_ROW && take_row(c->get, id, key, kind, version, blob, n);
    if (z == SQLITE_ROW)
        z = sqlite3_errcode(c->db); /* a column that could not be read */
    sqlite3_reset(c->get);
    give_back_after(ix, c, z);
    return found;
}

bool mtm_index_put(mtm_index *ix, const mtm_identity *id, const char *kind, uint32_t version,
                   const uint8_t *blob, size_t n)
{
    connection *const c = ix && id && id->path && n <= PAYLOAD_MOST ? borrow(ix) : NULL;
    const char *key;
    int z = SQLITE_READONLY;

    if (!c)
        return false;
    if (c->put) {
        key = key_of(ix, id);
        sqlite3_bind_text(c->put, 1, key, -1, SQLITE_STATIC);
        sqlite3_bind_text(c->put, 2, kind, -1, SQLITE_STATIC);
        sqlite3_bind_int64(c->put, 3, version);
        sqlite3_bind_int64(c->put, 4, id->size_bytes);
        sqlite3_bind_int64(c->put, 5, id->mtime_ns);
        sqlite3_bind_int64(c->put, 6, (int64_t)id->head_hash);
        sqlite3_bind_int64(c->put, 7, (int64_t)checksum(id, key, kind, version, blob, n));
        sqlite3_bind_blob(c->put, 8, n ? (const void *)blob : "", (int)n, SQLITE_STATIC);
        z = sqlite3_step(c->put);
        sqlite3_reset(c->put);
        sqlite3_clear_bindings(c->put);
    }
    give_back_after(ix, c, z);
    return z == SQLITE_DONE;
}
