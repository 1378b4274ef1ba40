/* cli/main.c: `microtome COMMAND …`: finds the command, parses options, prints errors as one line.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "cli.h"

static const cli_command *const commands[] = {&cli_info,   &cli_ls,   &cli_convert, &cli_decode,
                                              &cli_encode, &cli_view, &cli_bench,   &cli_check};
enum { N_COMMANDS = sizeof commands / sizeof *commands, MOST_ARGS = 16 };

static int exit_code(mtm_status s)
{
    switch (s) {
    case MTM_OK: return CLI_OK;
    case MTM_E_INVAL: return CLI_USAGE;
    case MTM_E_NOMEM:
    case MTM_E_IO:
    case MTM_E_DENIED:
    case MTM_E_DEVICE: return CLI_ENVIRONMENT;
    default: return CLI_BAD_INPUT;
    }
}

/* Bytes of the UTF-8 character at s (RFC 3629: shortest form, no surrogates); 0: there is none. */
static int utf8_length(const unsigned char *s)
{
    const int n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

/* Controls of ISO 6429 in all their forms, which a terminal would obey. */
static bool is_control(const unsigned char *s, int n)
{
    return (n == 1 && (*s < 0x20 || *s == 0x7f)) || (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

void cli_put(FILE *f, const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        const int n = utf8_length(s);

        if (n == 0 || is_control(s, n))
            fputc('?', f);
        else
            fwrite(s, 1, (size_t)n, f);
        s += n ? n : 1;
    }
}

static void put_sentence(const char *file, const char *between, const char *sentence)
{
    fputs("microtome: ", stderr);
    cli_put(stderr, file);
    fputs(between, stderr);
    cli_put(stderr, sentence);
}

void cli_tell(const char *file, const char *between, const char *sentence)
{
    put_sentence(file, between, sentence);
    fputc('\n', stderr);
}

/* A folder was given and one of its files is at fault, whose path err->where has whole, or the end of it. */
static bool lies_below(const char *where, const char *folder)
{
    const size_t n = strlen(folder);
    struct stat st;

    return !stat(folder, &st) && S_ISDIR(st.st_mode) &&
           (!strncmp(where, "...", 3) || (!strncmp(where, folder, n) && where[n]));
}

int cli_fail(const char *file, const mtm_error *err)
{
    const bool below = file && err->where[0] && lies_below(err->where, file);
    const char *const where = file && !below ? file : err->where;

    put_sentence(where, *where ? ": " : "", err->text);
    if (err->offset >= 0)
        fprintf(stderr, " (byte %" PRId64 ")", err->offset);
    fputc('\n', stderr);
    return exit_code(err->code);
}

int cli_usage(const cli_command *c, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "microtome: %s: ", c->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "; see microtome %s --help\n", c->name);
    return CLI_USAGE;
}

mtm_status cli_bad(mtm_error *err, const char *fmt, ...)
{
    va_list ap;

    *err = (mtm_error){.code = MTM_E_INVAL, .offset = -1};
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return err->code;
}

static void print_help(const cli_command *c, const cli_option *options, int n)
{
    printf("usage: microtome %s\n\n%s\n", c->usage, c->help);
    if (n)
        printf("\n");
    for (int i = 0; i < n; i++)
        printf(
            "  --%s%s%s%*s  %s\n", options[i].name, options[i].metavar ? " " : "",
            options[i].metavar ? options[i].metavar : "",
            (int)(24 - strlen(options[i].name) - (options[i].metavar ? strlen(options[i].metavar) + 1 : 0)),
            "", options[i].help);
}

static cli_option *find_option(cli_option *options, int n, const char *name, size_t length)
{
    for (int i = 0; i < n; i++)
        if (strlen(options[i].name) == length && !memcmp(options[i].name, name, length))
            return &options[i];
    return NULL;
}

int cli_parse(const cli_command *c, int argc, char **argv, cli_option *options, int n_options)
{
    int places = 0;

    for (int i = 1; i < argc; i++) {
        const char *const a = argv[i];
        const bool is_option = a[0] == '-' && a[1] && !(a[1] == '-' && !a[2]);

        if (!strcmp(a, "--help") || !strcmp(a, "-h")) {
            print_help(c, options, n_options);
            return -2;
        }
        if (!strcmp(a, "--")) {
            while (++i < argc)
                argv[++places] = argv[i];
            break;
        }
        if (!is_option) {
            argv[++places] = argv[i];
            continue;
        }
        const char *const name = a + (a[1] == '-' ? 2 : 1);
        const size_t length = strcspn(name, "=");
        cli_option *const o = find_option(options, n_options, name, length);

        if (!o) {
            cli_usage(c, "there is no option %s", a);
            return -1;
        }
        if (o->metavar && !name[length] && i + 1 == argc) {
            cli_usage(c, "--%s wants %s", o->name, o->metavar);
            return -1;
        }
        if (!o->metavar && name[length]) {
            cli_usage(c, "--%s takes no value", o->name);
            return -1;
        }
        o->value = !o->metavar ? "" : name[length] ? name + length + 1 : argv[++i];
    }
    return places;
}

bool cli_int(const cli_command *c, const cli_option *o, int lo, int hi, int standard, int *out)
{
    char *end;
    long v;

    *out = standard;
    if (!o->value)
        return true;
    v = strtol(o->value, &end, 10);
    if (end == o->value || *end || v < lo || v > hi) {
        cli_usage(c, "--%s wants a whole number from %d to %d, not '%.40s'", o->name, lo, hi, o->value);
        return false;
    }
    *out = (int)v;
    return true;
}

int cli_numbers(const char *text, double *v, int most)
{
    int n = 0;

    for (;;) {
        char *end;

        if (n == most)
            return -1;
        v[n] = strtod(text, &end);
        if (end == text || !isfinite(v[n]))
            return -1;
        n++;
        if (!*end)
            return n;
        if (*end != ',')
            return -1;
        text = end + 1;
    }
}

static bool box_side(const char **s, int64_t standard, char stop, int64_t *out)
{
    char *end;

    if (**s == stop || **s == ',' || !**s) {
        *out = standard;
        return true;
    }
    *out = strtoll(*s, &end, 10);
    if (end == *s)
        return false;
    *s = end;
    return true;
}

bool cli_box(const char *text, const mtm_image_info *info, mtm_box *box)
{
    box->ndim = info->ndim;
    for (int i = 0; i < info->ndim; i++) {
        int64_t lo = 0, hi = info->shape[i];

        if (*text) {
            if (!box_side(&text, 0, ':', &lo) || *text++ != ':' || !box_side(&text, info->shape[i], ',', &hi))
                return false;
            if (*text && *text++ != ',')
                return false;
        }
        if (lo < 0 || hi > info->shape[i] || lo >= hi)
            return false;
        box->start[i] = lo, box->size[i] = hi - lo;
    }
    return !*text;
}

mtm_status cli_op(mtm_exec *x, const char *name, const char *args, const mtm_array *in, double *affine,
                  mtm_array *out, mtm_error *err)
{
    const mtm_op *const op = mtm_op_find(name);
    mtm_arg given[MOST_ARGS];
    char text[1024], *save = NULL;
    int32_t n = 0;
    mtm_status s;
    void *values;

    if (!op) {
        *err = (mtm_error){.code = MTM_E_NOTFOUND, .offset = -1};
        snprintf(err->text, sizeof err->text, "there is no operator '%.60s'", name);
        return err->code;
    }
    snprintf(text, sizeof text, "%s", args);
    for (char *p = strtok_r(text, " ", &save); p && n < MOST_ARGS; p = strtok_r(NULL, " ", &save)) {
        char *const equals = strchr(p, '=');

        if (!equals)
            break;
        *equals = '\0';
        given[n++] = (mtm_arg){.name = p, .kind = MTM_ARG_TEXT, .text = equals + 1};
    }
    values = malloc(op->args_bytes ? op->args_bytes : 1);
    if (!values) {
        *err = (mtm_error){.code = MTM_E_NOMEM, .offset = -1, .text = "out of memory"};
        return err->code;
    }
    s = mtm_op_args(op, values, given, n, err);
    if (s == MTM_OK)
        s = mtm_op_run(x, op, values, in, false, affine, out, affine, err);
    free(values);
    return s;
}

static mtm_status file_failed(const char *path, int e, mtm_error *err)
{
    *err = (mtm_error){.code = e == ENOENT || e == ENOTDIR ? MTM_E_NOTFOUND
                               : e == EACCES               ? MTM_E_DENIED
                                                           : MTM_E_IO,
                       .offset = -1};
    snprintf(err->text, sizeof err->text, "the file cannot be read: %s", strerror(e));
    return err->code;
}

mtm_status cli_read_file(const char *path, uint8_t **data, size_t *size_bytes, mtm_error *err)
{
    FILE *const f = fopen(path, "rb");
    size_t n = 0, room = 1 << 16;
    uint8_t *bytes = malloc(room);

    if (!f || !bytes) {
        const int e = f ? ENOMEM : errno;

        free(bytes);
        if (f)
            fclose(f);
        return file_failed(path, e, err);
    }
    for (size_t got; (got = fread(bytes + n, 1, room - n, f)) > 0;) {
        uint8_t *const more = (n += got) < room ? bytes : realloc(bytes, room *= 2);

        if (!more)
            break;
        bytes = more;
    }
    const int e = ferror(f) ? (errno ? errno : EIO) : feof(f) ? 0 : ENOMEM;
    fclose(f);
    if (e) {
        free(bytes);
        return file_failed(path, e, err);
    }
    *data = bytes, *size_bytes = n;
    return MTM_OK;
}

void cli_json_text(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        const int n = utf8_length((const unsigned char *)s);

        if (n == 0)
            fputs("\\ufffd", f); /* JSON is UTF-8; names and header texts may be anything */
        else if (n > 1)
            fwrite(s, 1, (size_t)n, f), s += n - 1;
        else if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20)
            fprintf(f, "\\u%04x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

void cli_json_number(FILE *f, double x)
{
    if (isfinite(x))
        fprintf(f, "%.17g", x);
    else
        fputs("null", f);
}

static int help(FILE *f)
{
    fprintf(f, "microtome %s: medical images from the scanner to the trained network\n\n", mtm_version());
    for (int i = 0; i < N_COMMANDS; i++) {
        const char *const first = commands[i]->help;
        fprintf(f, "  microtome %-44s %.*s\n", commands[i]->usage, (int)strcspn(first, "\n"), first);
    }
    fprintf(f, "\nmicrotome COMMAND --help tells a command's options. Exit codes: 0 done, 1 the input is bad "
               "or a check "
               "failed,\n2 usage, 3 environment (no space, no permission).\n");
    return f == stdout ? CLI_OK : CLI_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return help(stderr);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return help(stdout);
    if (!strcmp(argv[1], "--version")) {
        printf("microtome %s\n", mtm_version());
        return CLI_OK;
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (!strcmp(argv[1], commands[i]->name))
            return commands[i]->run(argc - 1, argv + 1);
    fprintf(stderr, "microtome: there is no command '%s'; see microtome --help\n", argv[1]);
    return CLI_USAGE;
}

/* A report that could not be written in full, to a full disk say, is no success. */
int main(int argc, char **argv)
{
    const int code = run(argc, argv);

    errno = 0;
    if ((fflush(stdout) || ferror(stdout)) && errno != EPIPE) {
        fprintf(stderr, "microtome: standard output: %s\n", errno ? strerror(errno) : "cannot be written");
        return code == CLI_OK ? CLI_ENVIRONMENT : code;
    }
    return code;
}
