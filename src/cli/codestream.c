/* cli/codestream.c: what `microtome info` says of a JPEG 2000 or HTJ2K file beyond what every image has.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "cli.h"

enum { MOST_MARKERS_SHOWN = 40 };

bool cli_codestream_read(const char *path, mtm_codec_info **out)
{
    static const uint8_t raw[] = {0xff, 0x4f, 0xff, 0x51}, boxed[] = {0, 0, 0, 12, 'j', 'P', ' ', ' '};
    uint8_t head[8] = {0}, *data = NULL;
    struct stat st;
    size_t n = 0;
    mtm_error err;
    bool ok = false;

    if (stat(path, &st) || !S_ISREG(st.st_mode)) /* opening a pipe would wait */
        return false;
    FILE *const f = fopen(path, "rb");
    if (!f)
        return false;
    const bool ours = fread(head, 1, sizeof head, f) == sizeof head &&
                      (!memcmp(head, raw, sizeof raw) || !memcmp(head, boxed, sizeof boxed));
    fclose(f);
    if (ours && cli_read_file(path, &data, &n, &err) == MTM_OK)
        ok = mtm_codec_info_new(out, data, n, NULL, &err) == MTM_OK;
    free(data);
    return ok;
}

static void text_components(const mtm_codec_info *f)
{
    for (int32_t i = 0; i < f->n_components && i < 8; i++) {
        const mtm_codec_component *const c = &f->components[i];

        printf("  component %d: %" PRId64 " × %" PRId64 ", %d bits %s, %s, %d levels, code-blocks %d × %d", i,
               c->height, c->width, c->bits, c->is_signed ? "signed" : "unsigned",
               c->reversible ? "5/3" : "9/7", c->levels, c->block[0], c->block[1]);
        if (c->dx != 1 || c->dy != 1)
            printf(", every %d × %d", c->dy, c->dx);
        printf("\n");
    }
    if (f->n_components > 8)
        printf("  and %d components more\n", f->n_components - 8);
}

void cli_codestream_text(const mtm_codec_info *f)
{
    printf("  stream   %s in %s, %s, %d layer%s, %d × %d tile%s of %" PRId64 " × %" PRId64
           ", %d tile-part%s%s%s%s\n",
           f->codec, f->container, f->progression, f->layers, f->layers == 1 ? "" : "s", f->tiles_y,
           f->tiles_x, f->tiles_x * f->tiles_y == 1 ? "" : "s", f->tile_height, f->tile_width,
           f->n_tile_parts, f->n_tile_parts == 1 ? "" : "s", f->has_tlm ? ", TLM" : "",
           f->has_plt ? ", PLT" : "", f->mct ? ", colour transform" : "");
    text_components(f);
    printf("  markers ");
    for (int32_t i = 0; i < f->n_markers && i < MOST_MARKERS_SHOWN; i++)
        printf(" %s@%" PRId64, f->markers[i].name, f->markers[i].offset_bytes);
    printf("%s\n", f->n_markers > MOST_MARKERS_SHOWN ? " ..." : "");
    for (int32_t i = 0; i < f->n_warnings; i++)
        printf("  warning: %s\n", f->warnings[i]);
}

static const char *truth(bool v)
{
    return v ? "true" : "false";
}

static void json_components(const mtm_codec_info *f)
{
    printf(", \"components\": [");
    for (int32_t i = 0; i < f->n_components; i++) {
        const mtm_codec_component *const c = &f->components[i];

        printf("%s{\"width\": %" PRId64 ", \"height\": %" PRId64 ", \"dx\": %d, \"dy\": %d, \"bits\": %d, "
               "\"signed\": %s, \"levels\": %d, \"block\": [%d, %d], \"reversible\": %s}",
               i ? ", " : "", c->width, c->height, c->dx, c->dy, c->bits, truth(c->is_signed), c->levels,
               c->block[0], c->block[1], truth(c->reversible));
    }
    printf("]");
}

static void json_markers(const mtm_codec_info *f)
{
    printf(", \"markers\": [");
    for (int32_t i = 0; i < f->n_markers; i++) {
        printf("%s{\"name\": ", i ? ", " : "");
        cli_json_text(stdout, f->markers[i].name);
        printf(", \"code\": %d, \"offset\": %" PRId64 ", \"size\": %" PRId64 "}", f->markers[i].code,
               f->markers[i].offset_bytes, f->markers[i].size_bytes);
    }
    printf("], \"warnings\": [");
    for (int32_t i = 0; i < f->n_warnings; i++) {
        fputs(i ? ", " : "", stdout);
        cli_json_text(stdout, f->warnings[i]);
    }
    printf("]");
}

void cli_codestream_json(const mtm_codec_info *f)
{
    printf(
        "{\"codec\": \"%s\", \"container\": \"%s\", \"width\": %" PRId64 ", \"height\": %" PRId64
        ", \"origin\": [%" PRId64 ", %" PRId64 "], \"tile\": [%" PRId64 ", %" PRId64
        "], \"tiles\": [%d, %d], "
        "\"channels\": %d, \"color\": \"%s\", \"palette_entries\": %d, \"levels\": %d, \"min_levels\": %d, "
        "\"layers\": %d, \"progression\": \"%s\", \"mct\": %s, \"reversible\": %s, \"ht\": %s, "
        "\"lossless_capable\": %s, \"tile_parts\": %d, \"plt\": %s, \"tlm\": %s, \"codestream_offset\": "
        "%" PRId64 ", \"codestream_bytes\": %" PRId64,
        f->codec, f->container, f->width, f->height, f->y0, f->x0, f->tile_height, f->tile_width, f->tiles_y,
        f->tiles_x, f->n_channels, f->color, f->palette_entries, f->levels, f->min_levels, f->layers,
        f->progression, truth(f->mct), truth(f->reversible), truth(f->ht), truth(f->lossless_capable),
        f->n_tile_parts, truth(f->has_plt), truth(f->has_tlm), f->codestream_offset, f->codestream_bytes);
    json_components(f);
    json_markers(f);
    printf("}");
}
