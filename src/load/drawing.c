/* load/drawing.c: what a random operator of a chain may look at when it draws: tables of the item's label maps, boxes of their
 * objects, voxels; and how they are come by: from the loader's memory, the sidecar index, or the picture itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/drawing.h"
#include "load/items.h"

#include "base/size.h"
#include "image/image.h"
#include "op/draw.h"
#include "op/op.h"
#include "op/random.h"

typedef struct drawing {
    mtm_draw draw; /* first: the operator's pointer leads back here */
    mtm_sample *s;
    int32_t step;
    /* what was handed out and is nobody else's, until the next of its kind or the end of the draw */
    mtm_label_table *labels;
    mtm_object_table *objects;
    mtm_array voxels;
} drawing;

static void drawing_close(drawing *d)
{
    mtm_label_table_free(d->labels);
    mtm_object_table_free(d->objects);
    mtm_array_drop(&d->voxels);
}

/* ---- fields ------------------------------------------------------------------------------------------- */

static mtm_status find_picture(const drawing *d, const char *name, int32_t *out, mtm_error *err)
{
    for (int32_t i = 0; i < d->s->n_fields; i++)
        if (d->s->fields[i].picture && !strcmp(d->s->fields[i].item->name, name)) {
            *out = i;
            return MTM_OK;
        }
    return mtm_fail(err, MTM_E_NOTFOUND, -1, "the item has no picture named '%s'", name);
}

static mtm_status find_label(const drawing *d, const char *name, int32_t *out, mtm_error *err)
{
    MTM_TRY(find_picture(d, name, out, err));
    if (d->s->fields[*out].spec.channels != 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "label map '%s' has %" PRId64 " channels instead of 1", name,
                        d->s->fields[*out].spec.channels);
    return MTM_OK;
}

/* What the loader's memory knows is true of a field as the chain's prefix leaves it, and as long as nothing moves it. */
static mtm_memory *memory_of(const drawing *d, int32_t field)
{
    return !d->s->fields[field].moved || d->step == mtm_chain_prefix(d->s->chain) ? d->s->memory : NULL;
}

static mtm_memory_key key_of(const drawing *d, int32_t field, mtm_memory_kind kind, int64_t parameter)
{
    return (mtm_memory_key){.item = d->s->item, .parameter = parameter, .field = field, .kind = kind};
}

/* The file that a field still is, voxel for voxel; NULL: it was moved, or never was a file. */
static mtm_image *file_of(const drawing *d, int32_t field)
{
    return d->s->fields[field].moved ? NULL : d->s->fields[field].source.image;
}

/* A label map as it stands, [Z, Y, X]; drop it. */
static mtm_status label_now(drawing *d, int32_t field, mtm_array *zyx, mtm_error *err)
{
    mtm_array now = {0};

    MTM_TRY(mtm_sample_run(d->s, field, d->step, &now, err));
    *zyx = now;
    zyx->ndim = 3;
    memmove(zyx->shape, now.shape + 1, 3 * sizeof *now.shape);
    memmove(zyx->stride, now.stride + 1, 3 * sizeof *now.stride);
    return MTM_OK;
}

/* ---- tables of classes -------------------------------------------------------------------------------- */

/* The table of a label map that earlier steps have moved: from those steps' result. */
static mtm_status table_of_moved(drawing *d, int32_t field, mtm_error *err)
{
    mtm_array zyx;
    mtm_status st;

    MTM_TRY(label_now(d, field, &zyx, err));
    st = mtm_label_table_new(&d->labels, &zyx, err);
    mtm_array_drop(&zyx);
    return st;
}

static mtm_status table_of_image(drawing *d, mtm_image *im, const char *uri, mtm_error *err)
{
    mtm_exec *const x = d->s->x;
    mtm_read_options opt = {.struct_size = sizeof opt, .pool = x->pool, .recycler = x->recycler};
    const mtm_status st = mtm_image_labels_get(im, &opt, &d->labels, err);

    for (int i = 0; i < 3; i++)
        d->s->times.read_ns[i] += opt.timing_ns[i];
    return mtm_error_where(err, st, uri);
}

static uint64_t table_bytes(const mtm_label_table *t)
{
    return sizeof *t + (uint64_t)(t->offset[t->n_classes] + 3 * (int64_t)t->n_classes + 1) * sizeof *t->at;
}

static mtm_status draw_labels(mtm_draw *draw, const char *name, const mtm_label_table **out, mtm_error *err)
{
    drawing *const d = (drawing *)draw;
    mtm_sample *const s = d->s;
    bool owned = true;
    int32_t i = 0;

    MTM_TRY(find_label(d, name, &i, err));
    mtm_label_table_free(d->labels);
    d->labels = NULL;
    if (!s->fields[i].moved && s->tables) {
        MTM_TRY(s->tables(s->tables_user, i, s->x, out, &owned, err));
        d->labels = owned ? (mtm_label_table *)*out : NULL;
        return MTM_OK;
    }
    const mtm_memory_key key = key_of(d, i, MTM_MEMORY_LABELS, 0);

    *out = mtm_memory_find(memory_of(d, i), &key);
    if (*out)
        return MTM_OK;
    if (file_of(d, i))
        MTM_TRY(table_of_image(d, file_of(d, i), mtm_field_place(s->fields[i].item), err));
    else
        MTM_TRY(table_of_moved(d, i, err));
    *out = d->labels;
    if (mtm_memory_keep(memory_of(d, i), &key, d->labels, table_bytes(d->labels)))
        d->labels = NULL;
    return MTM_OK;
}

/* ---- tables of objects -------------------------------------------------------------------------------- */

static mtm_status objects_of_image(drawing *d, mtm_image *im, const char *uri, int64_t background,
                                   mtm_error *err)
{
    mtm_exec *const x = d->s->x;
    mtm_read_options opt = {.struct_size = sizeof opt, .pool = x->pool, .recycler = x->recycler};
    const mtm_status st = mtm_image_objects_get(im, background, &opt, &d->objects, err);

    for (int i = 0; i < 3; i++)
        d->s->times.read_ns[i] += opt.timing_ns[i];
    return mtm_error_where(err, st, uri);
}

static mtm_status objects_of_moved(drawing *d, int32_t field, int64_t background, mtm_error *err)
{
    mtm_array zyx;
    mtm_status st;

    MTM_TRY(label_now(d, field, &zyx, err));
    st = mtm_object_table_new(&d->objects, &zyx, background, err);
    mtm_array_drop(&zyx);
    return st;
}

static mtm_status draw_objects(mtm_draw *draw, const char *name, int64_t background,
                               const mtm_object_table **out, mtm_error *err)
{
    drawing *const d = (drawing *)draw;
    int32_t i = 0;

    MTM_TRY(find_label(d, name, &i, err));
    const mtm_memory_key key = key_of(d, i, MTM_MEMORY_OBJECTS, background);

    *out = mtm_memory_find(memory_of(d, i), &key);
    if (*out)
        return MTM_OK;
    mtm_object_table_free(d->objects);
    d->objects = NULL;
    if (file_of(d, i))
        MTM_TRY(objects_of_image(d, file_of(d, i), mtm_field_place(d->s->fields[i].item), background, err));
    else
        MTM_TRY(objects_of_moved(d, i, background, err));
    *out = d->objects;
    if (mtm_memory_keep(memory_of(d, i), &key, d->objects,
                        sizeof *d->objects + (uint64_t)d->objects->n * 8 * sizeof(int64_t)))
        d->objects = NULL;
    return MTM_OK;
}

/* ---- voxels ------------------------------------------------------------------------------------------- */

static mtm_status draw_voxels(mtm_draw *draw, const char *name, mtm_array *out, mtm_error *err)
{
    drawing *const d = (drawing *)draw;
    const mtm_spec *spec;
    int32_t i = 0;

    MTM_TRY(find_picture(d, name, &i, err));
    spec = &d->s->fields[i].spec;
    const int64_t shape[4] = {spec->channels, spec->size[0], spec->size[1], spec->size[2]};

    mtm_array_drop(&d->voxels);
    MTM_TRY(mtm_array_new(&d->voxels, MTM_F32, 4, shape, d->s->x->recycler, err));
    MTM_TRY(mtm_sample_run(d->s, i, d->step, &d->voxels, err));
    *out = d->voxels;
    out->owner = NULL;
    return MTM_OK;
}

/* Widens box ([2][3]: first and behind the last) by the voxels of a row above the threshold. */
static void widen(int64_t box[2][3], const float *row, int64_t n, int64_t z, int64_t y, float threshold)
{
    int64_t lo = 0, hi = n;

    while (lo < n && !(row[lo] > threshold))
        lo++;
    if (lo == n)
        return;
    while (!(row[hi - 1] > threshold))
        hi--;
    const int64_t first[3] = {z, y, lo}, behind[3] = {z + 1, y + 1, hi};

    for (int i = 0; i < 3; i++) {
        box[0][i] = mtm_min_i64(box[0][i], first[i]);
        box[1][i] = mtm_max_i64(box[1][i], behind[i]);
    }
}

static void box_above(const mtm_array *voxels, double threshold, int64_t start_size[6])
{
    int64_t box[2][3] = {{INT64_MAX, INT64_MAX, INT64_MAX}, {0, 0, 0}};
    const int64_t *const shape = voxels->shape;
    const float *row = voxels->data;

    for (int64_t r = 0; r < shape[0] * shape[1] * shape[2]; r++, row += shape[3])
        widen(box, row, shape[3], r / shape[2] % shape[1], r % shape[2], (float)threshold);
    for (int i = 0; i < 3; i++) {
        start_size[i] = box[1][0] ? box[0][i] : 0;
        start_size[3 + i] = box[1][0] ? box[1][i] - box[0][i] : 0;
    }
}

/* The index knows the box of the voxels that are not 0; without negative ones, these are those above 0. */
static bool index_knows(const drawing *d, int32_t field, double threshold, int64_t start_size[6])
{
    const mtm_image *const im = file_of(d, field);
    mtm_image_stats s;

    if (!im || !im->index || threshold != 0 || !mtm_index_get_stats(im->index, &im->identity, &s) ||
        s.non_finite || s.min < 0 || !s.nonzero)
        return false;
    for (int i = 0; i < 3; i++) {
        start_size[i] = s.foreground_start[i], start_size[3 + i] = s.foreground_size[i];
        if (s.foreground_size[i] < 1 ||
            s.foreground_start[i] > d->s->fields[field].spec.size[i] - s.foreground_size[i])
            return false;
    }
    return true;
}

static mtm_status draw_foreground(mtm_draw *draw, const char *name, double threshold, int64_t start[3],
                                  int64_t size[3], mtm_error *err)
{
    drawing *const d = (drawing *)draw;
    mtm_memory_key key;
    const int64_t *known;
    int64_t found[6], *kept;
    mtm_array voxels;
    int32_t i = 0;

    MTM_TRY(find_picture(d, name, &i, err));
    key = key_of(d, i, MTM_MEMORY_FOREGROUND, 0);
    memcpy(&key.parameter, &threshold, sizeof threshold);
    known = mtm_memory_find(memory_of(d, i), &key);
    if (known) {
        memcpy(found, known, sizeof found);
    } else {
        if (!index_knows(d, i, threshold, found)) {
            MTM_TRY(draw_voxels(draw, name, &voxels, err));
            box_above(&voxels, threshold, found);
        }
        kept = mtm_alloc(sizeof found);
        if (!kept)
            return MTM_NOMEM(err);
        memcpy(kept, found, sizeof found);
        if (!mtm_memory_keep(memory_of(d, i), &key, kept, sizeof found))
            mtm_free(kept);
    }
    memcpy(start, found, 3 * sizeof *start);
    memcpy(size, found + 3, 3 * sizeof *size);
    return MTM_OK;
}

/* ---- the draw ----------------------------------------------------------------------------------------- */

/* The field whose grid a random operator draws for: the first image it may work on, else the first label map. */
static const mtm_field_plan *leader(const mtm_sample *s, const mtm_chain_step *step)
{
    const mtm_field_plan *label = NULL;

    for (int32_t i = 0; i < s->n_fields; i++) {
        const mtm_field_plan *const f = &s->fields[i];

        if (!f->picture || !(step->n_fields ? mtm_chain_applies(step, NULL, f->item->name, f->label) : true))
            continue;
        if (!f->label)
            return f;
        label = label ? label : f;
    }
    return label;
}

/* One draw of step i, from the stream of this channel: channel 0's is what a draw for all channels has. */
static mtm_status draw_once(mtm_sample *s, int32_t i, int64_t channel, const mtm_spec *spec,
                            const mtm_op **target, void *args, mtm_error *err)
{
    const mtm_chain_step *const step = &s->chain->steps[i];
    const uint32_t word = (uint32_t)i + (uint32_t)channel * MTM_CHAIN_STEPS;
    drawing d = {.draw = {.rng = mtm_rng_at(s->seed, s->epoch, s->number, word),
                          .labels = draw_labels,
                          .objects = draw_objects,
                          .foreground = draw_foreground,
                          .voxels = draw_voxels},
                 .s = s,
                 .step = i};
    mtm_status st;

    *target = NULL;
    st = mtm_op_draw(step->op, step->args, &d.draw, spec, target, args, err);
    drawing_close(&d);
    return st;
}

/* The most channels of a picture that the step works on. */
static int64_t most_channels(const mtm_sample *s, const mtm_chain_step *step)
{
    int64_t n = 1;

    for (int32_t k = 0; k < s->n_fields; k++) {
        const mtm_field_plan *const f = &s->fields[k];

        if (f->picture && mtm_chain_applies(step, NULL, f->item->name, f->label))
            n = mtm_max_i64(n, f->spec.channels);
    }
    return n;
}

static mtm_status draw_channels(mtm_sample *s, int32_t i, const mtm_spec *spec, mtm_error *err)
{
    const int64_t n = most_channels(s, &s->chain->steps[i]);
    mtm_drawn *const d = &s->drawn[i];
    mtm_spec one = *spec;

    one.channels = 1;
    MTM_TRY(mtm_draws_channels(s->draws, i, n, err));
    for (int64_t c = 0; c < n; c++) {
        const mtm_op *target;

        MTM_TRY(draw_once(s, i, c, &one, &target, (char *)d->args + (size_t)c * d->stride_bytes, err));
        if (!target)
            continue;
        if ((d->op && d->op != target) || (target->kind != MTM_OP_POINTWISE && target->kind != MTM_OP_FILTER))
            return mtm_fail(err, MTM_E_INVAL, -1, "per_channel: %s cannot differ from channel to channel",
                            target->name);
        d->op = target;
        ((bool *)d->acts)[c] = true;
    }
    if (!d->op)
        *d = (mtm_drawn){0};
    return MTM_OK;
}

static mtm_status draw_all(mtm_sample *s, int32_t i, const mtm_spec *spec, mtm_error *err)
{
    void *const args = mtm_draws_args(s->draws, i);
    const mtm_op *target;

    MTM_TRY(draw_once(s, i, 0, spec, &target, args, err));
    s->drawn[i] = (mtm_drawn){.op = target, .args = args};
    return MTM_OK;
}

mtm_status mtm_sample_draw(mtm_sample *s, int32_t i, mtm_error *err)
{
    const mtm_chain_step *const step = &s->chain->steps[i];
    const mtm_field_plan *const f = leader(s, step);
    mtm_spec unused;
    mtm_status st;

    s->drawn[i] = (mtm_drawn){0};
    if (!f)
        return MTM_OK;
    /* The ranges are checked before anything is drawn from them. */
    st = mtm_op_infer(step->op, step->args, &f->spec, &unused, err);
    if (!st)
        st = mtm_random_per_channel(step->op, step->args) ? draw_channels(s, i, &f->spec, err)
                                                          : draw_all(s, i, &f->spec, err);
    if (st)
        s->drawn[i] = (mtm_drawn){0};
    return mtm_error_where(err, st, step->op->name);
}
