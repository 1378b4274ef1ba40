/* cli/encode.c: `microtome encode IN OUT`: any readable picture, or bare samples, to a codestream.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "cli.h"

enum {
    CODEC,
    QUALITY,
    STEP,
    RATE,
    LAYERS,
    LEVELS,
    BLOCK,
    PROGRESSION,
    PRECINCTS,
    TILE,
    TILE_PARTS,
    MCT,
    BITS,
    STYLE,
    ORIGIN,
    SOP,
    EPH,
    NO_PLT,
    NO_TLM,
    CONTAINER,
    COLOR,
    COMMENT,
    BOX,
    SHAPE,
    DTYPE,
    THREADS,
    JSON,
    N_OPTIONS
};
enum { MOST_PRECINCTS = 33 };

typedef struct job {
    mtm_image *im; /* NULL: bare samples */
    uint8_t *samples;
    mtm_array a;
    const char *axes;
    mtm_pool *pool;
    mtm_encode_params p;
    int32_t precincts[MOST_PRECINCTS][2];
} job;

static void job_end(job *j)
{
    mtm_array_drop(&j->a);
    mtm_image_close(j->im);
    mtm_pool_free(j->pool);
    free(j->samples);
}

/* ---- what is encoded ---------------------------------------------------------------------------------- */

/* A file of bare little-endian samples: --shape and --dtype say what they are. */
static mtm_status load_raw(job *j, const char *path, cli_option *o, mtm_error *err)
{
    double extent[3];
    int64_t shape[3], count = 1;
    const int n = o[SHAPE].value ? cli_numbers(o[SHAPE].value, extent, 3) : -1;
    const mtm_dtype t = mtm_dtype_parse(o[DTYPE].value ? o[DTYPE].value : "");
    size_t size;

    if (n < 2 || t == MTM_NONE)
        return cli_bad(err, "bare samples need --shape Y,X or Y,X,C and --dtype NAME");
    for (int i = 0; i < n; i++) {
        if (extent[i] < 1 || extent[i] > 1e9 || count > (INT64_C(1) << 40))
            return cli_bad(err, "--shape %.60s is no shape", o[SHAPE].value);
        shape[i] = (int64_t)extent[i], count *= shape[i];
    }
    const mtm_status s = cli_read_file(path, &j->samples, &size, err);
    if (s)
        return s;
    if ((uint64_t)count * mtm_dtype_size(t) != size) {
        snprintf(err->text, sizeof err->text, "%zu bytes are not the %" PRId64 " samples of --shape %.40s",
                 size, count, o[SHAPE].value);
        err->code = MTM_E_CORRUPT, err->offset = -1, err->where[0] = '\0';
        return err->code;
    }
    j->a = mtm_array_wrap(j->samples, t, n, shape);
    j->axes = n == 3 ? "YXC" : "YX";
    return MTM_OK;
}

static mtm_status load_image(job *j, const char *path, cli_option *o, mtm_error *err)
{
    mtm_read_options read = {.struct_size = sizeof read, .raw = true, .pool = j->pool};
    mtm_box box;
    mtm_status s = mtm_image_open(&j->im, path, NULL, err);

    if (s)
        return s;
    const mtm_image_info *const info = mtm_image_info_get(j->im);
    if (o[BOX].value && !cli_box(o[BOX].value, info, &box))
        return cli_bad(err, "--box %.80s is no box of this image", o[BOX].value);
    if (o[DTYPE].value && (j->a.dtype = mtm_dtype_parse(o[DTYPE].value)) == MTM_NONE)
        return cli_bad(err, "--dtype %.40s is no dtype; NumPy's names are meant", o[DTYPE].value);
    s = mtm_image_read(j->im, 0, o[BOX].value ? &box : NULL, &read, &j->a, err);
    j->axes = info->axes;
    /* Three colours last make one picture, whatever a .npy calls its axes. */
    if (!s && j->a.ndim == 3 && j->a.shape[0] > 1 && (j->a.shape[2] == 3 || j->a.shape[2] == 4))
        j->axes = "YXC";
    return s;
}

/* ---- how it is encoded -------------------------------------------------------------------------------- */

/* "64,64" → {64, 64}; one number stands for both. */
static bool pair(const char *text, double v[2])
{
    const int n = cli_numbers(text, v, 2);

    if (n == 1)
        v[1] = v[0];
    return n > 0;
}

static bool int_pair(const cli_option *o, int32_t out[2])
{
    double v[2];

    if (!o->value)
        return true;
    if (!pair(o->value, v))
        return cli_usage(&cli_encode, "--%s wants HEIGHT,WIDTH, not '%.40s'", o->name, o->value) == CLI_OK;
    out[0] = (int32_t)v[0], out[1] = (int32_t)v[1];
    return true;
}

static bool long_pair(const cli_option *o, int64_t out[2])
{
    double v[2];

    if (!o->value)
        return true;
    if (!pair(o->value, v))
        return cli_usage(&cli_encode, "--%s wants two numbers, not '%.40s'", o->name, o->value) == CLI_OK;
    out[0] = (int64_t)v[0], out[1] = (int64_t)v[1];
    return true;
}

static bool number(const cli_option *o, double *out)
{
    if (!o->value || cli_numbers(o->value, out, 1) == 1)
        return true;
    cli_usage(&cli_encode, "--%s wants a number, not '%.40s'", o->name, o->value);
    return false;
}

/* "256x256,128x128", from the highest resolution down. */
static bool precincts_get(job *j, const cli_option *o)
{
    const char *s = o->value;

    while (s && *s) {
        char *end, *last;
        const long h = strtol(s, &end, 10);
        const long w = *end == 'x' ? strtol(end + 1, &last, 10) : 0;

        if (*end != 'x' || last == end + 1 || (*last && *last != ',') || j->p.n_precincts == MOST_PRECINCTS ||
            h < 1 || w < 1 || h > 32768 || w > 32768)
            return cli_usage(&cli_encode, "--precincts wants HxW,HxW,..., not '%.40s'", o->value) == CLI_OK;
        j->precincts[j->p.n_precincts][0] = (int32_t)h, j->precincts[j->p.n_precincts++][1] = (int32_t)w;
        s = *last ? last + 1 : last;
    }
    j->p.precincts = j->p.n_precincts ? (const int32_t (*)[2])j->precincts : NULL;
    return true;
}

/* "bypass,termall" */
static bool style_get(job *j, const cli_option *o)
{
    static const struct {
        const char *name;
        int32_t flag;
    } styles[] = {{"bypass", MTM_J2K_STYLE_BYPASS},           {"reset", MTM_J2K_STYLE_RESET},
                  {"termall", MTM_J2K_STYLE_TERMALL},         {"causal", MTM_J2K_STYLE_CAUSAL},
                  {"predictable", MTM_J2K_STYLE_PREDICTABLE}, {"segsym", MTM_J2K_STYLE_SEGSYM}};

    for (const char *s = o->value; s && *s;) {
        const size_t n = strcspn(s, ",");
        size_t i = 0;

        while (i < 6 && (strlen(styles[i].name) != n || memcmp(styles[i].name, s, n)))
            i++;
        if (i == 6)
            return cli_usage(&cli_encode,
                             "--style knows bypass, reset, termall, causal, predictable, segsym, not '%.40s'",
                             s) == CLI_OK;
        j->p.style |= styles[i].flag;
        s += n + (s[n] == ',');
    }
    return true;
}

static bool params_get(job *j, cli_option *o)
{
    mtm_encode_params *const p = &j->p;

    *p = mtm_encode_params_default();
    p->codec = o[CODEC].value, p->container = o[CONTAINER].value;
    if (!number(&o[QUALITY], &p->quality) || !number(&o[STEP], &p->step) || !number(&o[RATE], &p->rate) ||
        !cli_int(&cli_encode, &o[LAYERS], 1, 65535, 0, &p->layers) ||
        !cli_int(&cli_encode, &o[LEVELS], 0, 32, -1, &p->levels) ||
        !cli_int(&cli_encode, &o[MCT], 0, 1, -1, &p->mct) ||
        !cli_int(&cli_encode, &o[BITS], 1, 32, 0, &p->bits) || !int_pair(&o[BLOCK], p->block) ||
        !long_pair(&o[TILE], p->tile) || !long_pair(&o[ORIGIN], p->origin) ||
        !precincts_get(j, &o[PRECINCTS]) || !style_get(j, &o[STYLE]))
        return false;
    p->lossy = o[QUALITY].value || o[STEP].value;
    if (o[PROGRESSION].value)
        p->progression = o[PROGRESSION].value;
    if (o[TILE_PARTS].value)
        p->tile_parts = strcmp(o[TILE_PARTS].value, "none") ? o[TILE_PARTS].value : "";
    p->sop = o[SOP].value, p->eph = o[EPH].value, p->no_plt = o[NO_PLT].value, p->no_tlm = o[NO_TLM].value;
    p->color = o[COLOR].value, p->comment = o[COMMENT].value;
    return true;
}

static void print_json(const char *path, const mtm_array *a)
{
    struct stat st = {0};
    const int64_t bytes = stat(path, &st) ? 0 : (int64_t)st.st_size;
    const int64_t raw = mtm_array_count(a) * (int64_t)mtm_dtype_size(a->dtype);

    printf("{\"bytes\": %" PRId64 ", \"raw_bytes\": %" PRId64 ", \"ratio\": %.4f}\n", bytes, raw,
           bytes ? (double)raw / (double)bytes : 0);
}

static int run(int argc, char **argv)
{
    cli_option o[N_OPTIONS] = {
        [CODEC] = {"codec", "NAME", "htj2k or j2k; default by OUT's ending: .j2c .jph, .j2k .jp2", NULL},
        [QUALITY] = {"quality", "Q", "lossy, 1 to 100; lossless is the default", NULL},
        [STEP] = {"step", "S", "lossy, base quantiser step as a fraction of the range", NULL},
        [RATE] = {"rate", "BPP", "j2k: most bits per pixel", NULL},
        [LAYERS] = {"layers", "N", "j2k: quality layers", NULL},
        [LEVELS] = {"levels", "N", "wavelet decompositions; default: the base becomes <= 64", NULL},
        [BLOCK] = {"block", "H,W", "code-block; default 64,64", NULL},
        [PROGRESSION] = {"progression", "ORDER", "LRCP, RLCP, RPCL (default), PCRL, CPRL", NULL},
        [PRECINCTS] = {"precincts", "HxW,...", "from the highest resolution down", NULL},
        [TILE] = {"tile", "H,W", "tile size; default one tile", NULL},
        [TILE_PARTS] = {"tile-parts", "R|none", "one per resolution, or one per tile", NULL},
        [MCT] = {"mct", "0|1", "colour transform; default for three channels of one kind", NULL},
        [BITS] = {"bits", "N", "precision; default the dtype's", NULL},
        [STYLE] = {"style", "A,B", "j2k: bypass, reset, termall, causal, predictable, segsym", NULL},
        [ORIGIN] = {"origin", "Y,X", "image offset on the reference grid", NULL},
        [SOP] = {"sop", NULL, "a marker in front of every packet", NULL},
        [EPH] = {"eph", NULL, "a marker behind every packet header", NULL},
        [NO_PLT] = {"no-plt", NULL, "leave out packet lengths", NULL},
        [NO_TLM] = {"no-tlm", NULL, "leave out tile-part lengths", NULL},
        [CONTAINER] = {"container", "NAME", "codestream, jp2, jph; default by OUT's ending", NULL},
        [COLOR] = {"color", "NAME", "of the boxes: gray, srgb, sycc", NULL},
        [COMMENT] = {"comment", "TEXT", "a COM marker", NULL},
        [BOX] = {"box", "A:B,...", "only this box of IN; [1, Y, X] is a picture too", NULL},
        [SHAPE] = {"shape", "Y,X[,C]", "IN is bare samples of this shape", NULL},
        [DTYPE] = {"dtype", "NAME", "of bare samples; else converts to it", NULL},
        [THREADS] = {"threads", "N", "default: one per CPU", NULL},
        [JSON] = {"json", NULL, "report bytes and ratio", NULL},
    };
    const int n = cli_parse(&cli_encode, argc, argv, o, N_OPTIONS);
    job j = {0};
    mtm_error err = {0};
    int threads;
    mtm_status s;

    if (n < 0)
        return n == -2 ? CLI_OK : CLI_USAGE;
    if (n != 2)
        return cli_usage(&cli_encode, "IN and OUT are wanted");
    if (!params_get(&j, o) || !cli_int(&cli_encode, &o[THREADS], 1, 512, 0, &threads))
        return CLI_USAGE;
    if ((threads != 1 && (s = mtm_pool_new(&j.pool, threads, &err))) ||
        (s = (o[SHAPE].value ? load_raw : load_image)(&j, argv[1], o, &err))) {
        job_end(&j);
        return cli_fail(argv[1], &err);
    }
    j.p.pool = j.pool;
    const mtm_write_options w = {.struct_size = sizeof w, .axes = j.axes, .like = j.im, .encode = &j.p};
    s = mtm_image_write(argv[2], &j.a, &w, &err);
    if (!s && o[JSON].value)
        print_json(argv[2], &j.a);
    job_end(&j);
    return s ? cli_fail(argv[2], &err) : CLI_OK;
}

const cli_command cli_encode = {
    .name = "encode",
    .usage = "encode IN OUT [--quality Q] [options]",
    .help = "a picture to HTJ2K (.j2c, .jph) or JPEG 2000 (.j2k, .jp2), lossless unless told otherwise",
    .run = run,
};
