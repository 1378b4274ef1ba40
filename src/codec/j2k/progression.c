/* codec/j2k/progression.c: the order of a tile's packets (T.800 B.12). A lane is one resolution of one
 * component; every order is a walk over groups of lanes:
 *
 *   LRCP  one group                 for each layer: lane after lane, precinct after precinct
 *   RLCP  a group per resolution    as above
 *   RPCL  a group per resolution    for each position, from the top: the lanes' precincts there, all layers
 *   PCRL  one group                 as above
 *   CPRL  a group per component     as above
 *
 * A precinct's position is its upper left corner on the reference grid, or the tile's edge where it begins
 * outside (B.12.1.3 says so by remainders), so positions come out of a heap of lanes instead of a loop over all
 * grid points. Lanes without precincts are left out beforehand: every step of the walk is a packet, which
 * bounds hostile headers by their data.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "j2k.h"

typedef struct lane {
    const j2k_resolution *res;
    int32_t component, resolution;
    int64_t step_x, step_y;   /* of precincts, on the reference grid */
    int64_t first_x, first_y; /* absolute number of the first precinct */
    int64_t column, row;      /* cursor of the position orders */
    int64_t x, y;             /* its position */
    int64_t n;                /* precincts */
    uint16_t *sent;    /* [n], layers sent; NULL: one order only, so each packet comes up once by itself */
    int32_t *sent_all; /* the fewest layers that a whole order has sent */
} lane;

struct j2k_walk {
    const j2k_tile *tile;
    const j2k_size *size;
    int32_t n_orders, order; /* order −1: before the first */
    const j2k_order *orders;
    j2k_order whole; /* COD's, when there is no POC */
    lane *lanes;     /* of the current order, group after group */
    int64_t n_lanes;
    int64_t group_lo, group_hi; /* current group */
    lane **heap;                /* lanes of the group, by (y, x, place in the group) */
    int64_t n_heap;
    int32_t layer;   /* next */
    int64_t at, k;   /* next lane and precinct of the layer orders */
    uint16_t **sent; /* [first_lane[c] + r], made when there are several orders */
    int32_t *sent_all;
    int64_t *first_lane;
};

enum { LRCP, RLCP, RPCL, PCRL, CPRL };

static bool by_position(const j2k_order *o)
{
    return o->progression >= RPCL;
}

static int64_t precincts_of(const j2k_resolution *res)
{
    return res->precincts_wide * res->precincts_high;
}

/* Position of the lane's cursor: T.800 B.12.1.3, whose remainders say: the precinct's corner, but inside
 * the tile. */
static void lane_locate(lane *l, const j2k_tile *t)
{
    l->x = mtm_max_i64(t->full.x0, (l->first_x + l->column) * l->step_x);
    l->y = mtm_max_i64(t->full.y0, (l->first_y + l->row) * l->step_y);
}

static bool lane_advance(lane *l, const j2k_tile *t)
{
    if (++l->column == l->res->precincts_wide)
        l->column = 0, l->row++;
    if (l->row == l->res->precincts_high)
        return false;
    lane_locate(l, t);
    return true;
}

static void lane_add(j2k_walk *w, int32_t c, int32_t r)
{
    const j2k_tile_component *const tc = &w->tile->components[c];
    const int64_t id = w->first_lane ? w->first_lane[c] + r : 0;
    const j2k_component_size *const s = &w->size->components[c];
    const j2k_resolution *res;
    lane *l;

    if (r > tc->levels || !precincts_of(&tc->resolutions[r]))
        return;
    res = &tc->resolutions[r];
    l = &w->lanes[w->n_lanes++];
    *l = (lane){.res = res, .component = c, .resolution = r, .n = precincts_of(res)};
    l->step_x = (int64_t)s->dx << (res->precinct_w + tc->levels - r);
    l->step_y = (int64_t)s->dy << (res->precinct_h + tc->levels - r);
    l->first_x = res->full.x0 >> res->precinct_w, l->first_y = res->full.y0 >> res->precinct_h;
    if (w->sent)
        l->sent = w->sent[id], l->sent_all = &w->sent_all[id];
    lane_locate(l, w->tile);
}

/* All lanes of an order, in the order of its outer loops. */
static void lanes_of(j2k_walk *w, const j2k_order *o)
{
    const int32_t c1 = (int32_t)mtm_min_i64(o->comp1, w->tile->n_components);
    const bool component_first = o->progression >= PCRL;

    w->n_lanes = 0;
    if (component_first) {
        for (int32_t c = o->comp0; c < c1; c++)
            for (int32_t r = o->res0; r < o->res1 && r <= w->tile->components[c].levels; r++)
                lane_add(w, c, r);
        return;
    }
    for (int32_t r = o->res0; r < o->res1 && r <= J2K_MAX_LEVELS; r++)
        for (int32_t c = o->comp0; c < c1; c++)
            lane_add(w, c, r);
}

/* ---- the heap ----------------------------------------------------------------------------------------- */

static bool lane_before(const lane *a, const lane *b)
{
    return a->y != b->y ? a->y < b->y : a->x != b->x ? a->x < b->x : a < b;
}

static void heap_sink(j2k_walk *w, int64_t i)
{
    lane *const l = w->heap[i];

    for (int64_t j; (j = 2 * i + 1) < w->n_heap; i = j) {
        if (j + 1 < w->n_heap && lane_before(w->heap[j + 1], w->heap[j]))
            j++;
        if (!lane_before(w->heap[j], l))
            break;
        w->heap[i] = w->heap[j];
    }
    w->heap[i] = l;
}

static void heap_make(j2k_walk *w)
{
    w->n_heap = w->group_hi - w->group_lo;
    for (int64_t i = 0; i < w->n_heap; i++)
        w->heap[i] = &w->lanes[w->group_lo + i];
    for (int64_t i = w->n_heap / 2; i-- > 0;)
        heap_sink(w, i);
}

static void heap_next(j2k_walk *w)
{
    if (!lane_advance(w->heap[0], w->tile))
        w->heap[0] = w->heap[--w->n_heap];
    if (w->n_heap)
        heap_sink(w, 0);
}

/* ---- groups and orders -------------------------------------------------------------------------------- */

/* Whether earlier orders have sent all that this group could. */
static bool group_sent(const j2k_walk *w, const j2k_order *o)
{
    for (int64_t i = w->group_lo; i < w->group_hi; i++)
        if (!w->lanes[i].sent || *w->lanes[i].sent_all < o->layer1)
            return false;
    return true;
}

/* The next group of the current order; false: there is none. */
static bool group_next(j2k_walk *w)
{
    const j2k_order *const o = &w->orders[w->order];

    do {
        const lane *const first = &w->lanes[w->group_hi];

        w->group_lo = w->group_hi;
        if (w->group_lo == w->n_lanes || !o->layer1)
            return false;
        while (w->group_hi < w->n_lanes) {
            const lane *const l = &w->lanes[w->group_hi];

            if ((o->progression == RLCP || o->progression == RPCL) && l->resolution != first->resolution)
                break;
            if (o->progression == CPRL && l->component != first->component)
                break;
            w->group_hi++;
        }
    } while (group_sent(w, o));
    w->layer = 0, w->at = w->group_lo, w->k = 0;
    if (by_position(o))
        heap_make(w);
    return true;
}

/* Notes what the order that ends has sent of every lane. */
static void order_end(j2k_walk *w)
{
    const j2k_order *const o = &w->orders[w->order];

    for (int64_t i = 0; i < w->n_lanes; i++)
        if (w->lanes[i].sent && *w->lanes[i].sent_all < o->layer1)
            *w->lanes[i].sent_all = o->layer1;
}

/* The next group, of this order or a later one. */
static bool walk_on(j2k_walk *w)
{
    while (w->order < 0 || !group_next(w)) {
        if (w->order >= 0)
            order_end(w);
        if (++w->order == w->n_orders)
            return false;
        lanes_of(w, &w->orders[w->order]);
        w->group_lo = w->group_hi = 0;
    }
    return true;
}

/* ---- packets ------------------------------------------------------------------------------------------ */

/* Whether this packet comes up for the first time; notes it. */
static bool first_time(const lane *l, int64_t k, int32_t layer)
{
    if (!l->sent)
        return true;
    if (l->sent[k] > layer)
        return false;
    l->sent[k] = (uint16_t)(layer + 1);
    return true;
}

static bool layer_order_next(j2k_walk *w, const j2k_order *o, j2k_packet_id *id)
{
    for (; w->layer < o->layer1; w->layer++, w->at = w->group_lo) {
        for (; w->at < w->group_hi; w->at++, w->k = 0) {
            const lane *const l = &w->lanes[w->at];

            while (w->k < l->n) {
                const int64_t k = w->k++;

                if (first_time(l, k, w->layer)) {
                    *id = (j2k_packet_id){l->component, l->resolution, w->layer, k};
                    return true;
                }
            }
        }
    }
    return false;
}

static bool position_order_next(j2k_walk *w, const j2k_order *o, j2k_packet_id *id)
{
    for (; w->n_heap; heap_next(w), w->layer = 0) {
        const lane *const l = w->heap[0];
        const int64_t k = l->row * l->res->precincts_wide + l->column;

        if (l->sent && w->layer < l->sent[k])
            w->layer = l->sent[k];
        if (w->layer < o->layer1 && first_time(l, k, w->layer)) {
            *id = (j2k_packet_id){l->component, l->resolution, w->layer++, k};
            return true;
        }
    }
    return false;
}

bool j2k_walk_next(j2k_walk *w, j2k_packet_id *id)
{
    while (w->order < w->n_orders) {
        if (w->order >= 0) {
            const j2k_order *const o = &w->orders[w->order];

            if (by_position(o) ? position_order_next(w, o, id) : layer_order_next(w, o, id))
                return true;
        }
        if (!walk_on(w))
            return false;
    }
    return false;
}

/* Counters of what was sent, for several orders (T.800 A.6.6: "no packet is ever sent twice"). */
static mtm_status counters_take(j2k_walk *w, int64_t n_lanes, j2k_arena *arena, mtm_error *err)
{
    const j2k_tile *const t = w->tile;
    int64_t lane_id = 0;

    w->sent = j2k_arena_take(arena, (size_t)n_lanes * sizeof *w->sent);
    w->sent_all = j2k_arena_take_zero(arena, (size_t)n_lanes, sizeof *w->sent_all);
    w->first_lane = j2k_arena_take(arena, (size_t)t->n_components * sizeof *w->first_lane);
    if (!w->sent || !w->sent_all || !w->first_lane)
        return MTM_NOMEM(err);
    for (int32_t c = 0; c < t->n_components; c++) {
        w->first_lane[c] = lane_id;
        for (int32_t r = 0; r <= t->components[c].levels; r++, lane_id++) {
            const int64_t n = precincts_of(&t->components[c].resolutions[r]);

            w->sent[lane_id] = j2k_arena_take_zero(arena, (size_t)n, sizeof **w->sent);
            if (!w->sent[lane_id])
                return MTM_NOMEM(err);
        }
    }
    return MTM_OK;
}

mtm_status j2k_walk_new(j2k_walk **out, const j2k_tile *t, const j2k_size *s, j2k_arena *arena,
                        mtm_error *err)
{
    const j2k_params *const p = t->params;
    j2k_walk *const w = j2k_arena_take_zero(arena, 1, sizeof *w);
    int64_t n_lanes = 0;

    if (!w)
        return MTM_NOMEM(err);
    for (int32_t c = 0; c < t->n_components; c++)
        n_lanes += t->components[c].levels + 1;
    w->tile = t, w->size = s;
    w->whole = (j2k_order){.progression = p->progression,
                           .res1 = J2K_MAX_LEVELS + 1,
                           .comp1 = (uint32_t)t->n_components,
                           .layer1 = p->layers};
    w->orders = p->n_orders ? p->orders : &w->whole;
    w->n_orders = p->n_orders ? p->n_orders : 1;
    w->lanes = j2k_arena_take(arena, (size_t)n_lanes * sizeof *w->lanes);
    w->heap = j2k_arena_take(arena, (size_t)n_lanes * sizeof *w->heap);
    if (!w->lanes || !w->heap)
        return MTM_NOMEM(err);
    if (p->n_orders > 1)
        MTM_TRY(counters_take(w, n_lanes, arena, err));
    w->order = -1;
    *out = w;
    return MTM_OK;
}
