/* codec/j2k/packet_header.c: the header of one packet: which code-blocks are in it, with how many coding
 * passes and bytes (T.800 B.10, high-throughput code-blocks: T.814 annex B). About 15 ns per code-block on
 * Zen 4.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "kernel/ebcot.h"
#include "packet.h"

enum {
    MOST_ZERO_PLANES = 127, /* T.800 table A.28: Mb is at most 37, and 74 with a region of interest */
    MOST_PASSES = 1024,     /* far above 3 · 112; so that counters stay in their types */
    MOST_LENGTH_BITS = 32
};

/* ---- bits, with the stuffed ones left out: T.800 B.10.1 ----------------------------------------------- */

typedef struct bits {
    const uint8_t *begin, *p, *end;
    uint64_t window; /* the next bits, from the top */
    int32_t n;       /* of them valid */
    bool over;       /* more was asked for than is there */
} bits;

/* Whether one of four bytes is 0xFF. */
static bool has_ff(uint32_t v)
{
    return ((~v - 0x01010101u) & v & 0x80808080u) != 0; /* a zero byte in ~v */
}

static void bits_refill(bits *b)
{
    bool stuffed = b->p > b->begin && b->p[-1] == 0xFF;

    if (!stuffed && b->end - b->p >= 4 && b->n <= 32) {
        uint32_t v;

        memcpy(&v, b->p, 4);
        v = __builtin_bswap32(v);
        if (!has_ff(v)) {
            b->window |= (uint64_t)v << (32 - b->n);
            b->n += 32, b->p += 4;
            return;
        }
    }
    while (b->n <= 56 && b->p < b->end) {
        const int32_t width = stuffed ? 7 : 8;

        stuffed = *b->p == 0xFF;
        b->window |= (uint64_t)(*b->p++ & (width == 7 ? 0x7F : 0xFF)) << (64 - b->n - width);
        b->n += width;
    }
}

/* The next n bits, 1 … 32. */
static inline uint32_t bits_take(bits *b, int32_t n)
{
    uint32_t v;

    if (b->n < n) {
        bits_refill(b);
        if (b->n < n) {
            b->over = true;
            return 0;
        }
    }
    v = (uint32_t)(b->window >> (64 - n));
    b->window <<= n, b->n -= n;
    return v;
}

/* Behind the byte that holds the last bit taken, and the one stuffed after it. */
static const uint8_t *bits_end(const bits *b)
{
    const uint8_t *p = b->p;

    for (int32_t n = b->n; p > b->begin;) {
        const int32_t width = p - b->begin >= 2 && p[-2] == 0xFF ? 7 : 8;

        if (n < width)
            break;
        n -= width, p--;
    }
    return p > b->begin && p[-1] == 0xFF && p < b->end ? p + 1 : p;
}

/* ---- tag trees: T.800 B.10.2 -------------------------------------------------------------------------- */

static void shape_make(j2k_tree_shape *t, int32_t wide, int32_t high)
{
    t->levels = 0, t->n_nodes = 0;
    for (;;) {
        t->wide[t->levels] = wide, t->offset[t->levels] = t->n_nodes;
        t->n_nodes += wide * high;
        t->levels++;
        if (wide == 1 && high == 1)
            return;
        wide = (wide + 1) >> 1, high = (high + 1) >> 1;
    }
}

static inline j2k_tree_node *tree_node(const j2k_tree_shape *t, j2k_tree_node *nodes, int32_t level,
                                       int32_t x, int32_t y)
{
    return &nodes[t->offset[level] + (y >> level) * t->wide[level] + (x >> level)];
}

/* Whether the value at leaf (x, y) is below `limit`; takes only the bits that tell. */
static bool tree_below(bits *b, const j2k_tree_shape *t, j2k_tree_node *nodes, int32_t x, int32_t y,
                       uint32_t limit)
{
    uint32_t low = 0;

    for (int32_t level = t->levels - 1; level >= 0; level--) {
        j2k_tree_node *const node = tree_node(t, nodes, level, x, y);

        if (node->low > low)
            low = node->low;
        while (low < limit && !node->known) {
            if (bits_take(b, 1))
                node->known = true;
            else if (b->over)
                return false;
            else
                low++;
        }
        node->low = (uint16_t)low;
        if (low >= limit)
            return false;
    }
    return true;
}

/* The value at leaf (x, y); above MOST_ZERO_PLANES when there is none. */
static uint32_t tree_value(bits *b, const j2k_tree_shape *t, j2k_tree_node *nodes, int32_t x, int32_t y)
{
    uint32_t low = 0;

    for (int32_t level = t->levels - 1; level >= 0; level--) {
        j2k_tree_node *const node = tree_node(t, nodes, level, x, y);

        if (node->low > low)
            low = node->low;
        while (!node->known && !b->over && low <= MOST_ZERO_PLANES) {
            if (bits_take(b, 1))
                node->known = true;
            else
                low++;
        }
        node->low = (uint16_t)low;
    }
    return b->over ? 0 : low;
}

/* ---- state of a precinct ------------------------------------------------------------------------------ */

/* Code-blocks in the precinct of column px and row py in a band: T.800 B.6, B.7. */
static void precinct_band_shape(j2k_precinct_band *p, const j2k_resolution *res, const j2k_band *b,
                                int64_t px, int64_t py)
{
    const int32_t halved = b->orient != MTM_BAND_LL;
    const int32_t pw = res->precinct_w - halved, ph = res->precinct_h - halved;
    const int64_t x0 = mtm_max_i64(px << pw, b->full.x0), x1 = mtm_min_i64((px + 1) << pw, b->full.x1);
    const int64_t y0 = mtm_max_i64(py << ph, b->full.y0), y1 = mtm_min_i64((py + 1) << ph, b->full.y1);

    p->wide = p->high = 0, p->shape.n_nodes = 0;
    if (x1 <= x0 || y1 <= y0)
        return;
    p->block_x = x0 >> b->block_w, p->block_y = y0 >> b->block_h;
    p->wide = (int32_t)(((x1 - 1) >> b->block_w) - p->block_x + 1);
    p->high = (int32_t)(((y1 - 1) >> b->block_h) - p->block_y + 1);
    shape_make(&p->shape, p->wide, p->high);
}

void j2k_precinct_shape(j2k_precinct *s, const j2k_resolution *res, int64_t k)
{
    const int64_t row = k / res->precincts_wide, column = k - row * res->precincts_wide;

    s->broken = false, s->n_bands = res->n_bands;
    s->n_blocks = 0, s->size_bytes = 0;
    for (int32_t i = 0; i < res->n_bands; i++) {
        j2k_precinct_band *const p = &s->bands[i];
        const int64_t x = (res->full.x0 >> res->precinct_w) + column;
        const int64_t y = (res->full.y0 >> res->precinct_h) + row;

        precinct_band_shape(p, res, &res->bands[i], x, y);
        s->n_blocks += (int64_t)p->wide * p->high;
        s->size_bytes += (size_t)p->shape.n_nodes * 2 * sizeof(j2k_tree_node) +
                         (size_t)p->wide * (size_t)p->high * sizeof(j2k_block_state);
    }
}

void j2k_precinct_begin(j2k_precinct *s, void *memory)
{
    char *next = memory;

    memset(memory, 0, s->size_bytes);
    for (int32_t i = 0; i < s->n_bands; i++) {
        j2k_precinct_band *const p = &s->bands[i];
        const size_t nodes = (size_t)p->shape.n_nodes * sizeof(j2k_tree_node);

        p->inclusion = (j2k_tree_node *)(void *)next;
        p->zero_planes = (j2k_tree_node *)(void *)(next + nodes);
        p->blocks = (j2k_block_state *)(void *)(next + 2 * nodes);
        next += 2 * nodes + (size_t)p->wide * (size_t)p->high * sizeof(j2k_block_state);
    }
}

/* ---- a code-block's passes and lengths ---------------------------------------------------------------- */

typedef struct header_reader {
    bits b;
    j2k_packet_header *h;
    uint8_t style;
    const char *wrong;
} header_reader;

/* Number of new coding passes: T.800 table B.4. */
static int32_t passes_take(bits *b)
{
    uint32_t v;

    if (!bits_take(b, 1))
        return 1;
    if (!bits_take(b, 1))
        return 2;
    if ((v = bits_take(b, 2)) < 3)
        return (int32_t)(3 + v);
    if ((v = bits_take(b, 5)) < 31)
        return (int32_t)(6 + v);
    return (int32_t)(37 + bits_take(b, 7));
}

static int32_t log2_floor(int32_t n)
{
    return 31 - __builtin_clz((uint32_t)n);
}

static bool contribution_add(header_reader *r, j2k_codeblock *block, j2k_block_state *s, uint32_t size_bytes,
                             int32_t n_passes, bool opens)
{
    j2k_packet_header *const h = r->h;

    if (h->n == h->room) {
        const int64_t room = h->room ? 2 * h->room : 256;
        j2k_contribution *const more = j2k_arena_take(h->arena, (size_t)room * sizeof *more);

        if (!more) {
            h->out_of_memory = true, r->wrong = "out of memory";
            return false;
        }
        if (h->n)
            memcpy(more, h->list, (size_t)h->n * sizeof *more);
        h->list = more, h->room = room;
    }
    h->list[h->n++] = (j2k_contribution){.block = block,
                                         .size_bytes = size_bytes,
                                         .n_passes = (uint16_t)n_passes,
                                         .mode = s->mode,
                                         .opens = opens};
    h->body_bytes += size_bytes;
    s->n_passes = (uint16_t)(s->n_passes + n_passes);
    return true;
}

/* A length of n_bits bits. */
static uint32_t length_take(header_reader *r, int32_t n_bits)
{
    if (n_bits > MOST_LENGTH_BITS) {
        r->wrong = "a length of more than 32 bits";
        return 0;
    }
    return bits_take(&r->b, n_bits);
}

/* Lengths of a Part 1 code-block: one for each codeword segment that the passes reach (T.800 B.10.7). */
static bool lengths_ebcot(header_reader *r, j2k_codeblock *block, j2k_block_state *s, int32_t n_passes)
{
    while (n_passes > 0) {
        const int32_t first = s->n_passes;
        const bool opens = first == 0 || mtm_ebcot_segment_ends(r->style, first - 1);
        int32_t n = 1;
        uint32_t size;

        while (n < n_passes && !mtm_ebcot_segment_ends(r->style, first + n - 1))
            n++;
        size = length_take(r, s->lblock + log2_floor(n));
        if (!contribution_add(r, block, s, size, n, opens))
            return false;
        n_passes -= n;
    }
    return true;
}

/* Lengths after the first cleanup pass of a high-throughput code-block: cleanup passes by themselves,
 * SigProp and MagRef together (T.814 annex B). */
static bool lengths_ht(header_reader *r, j2k_codeblock *block, j2k_block_state *s, int32_t n_passes)
{
    while (n_passes > 0) {
        const int32_t kind = s->n_passes % 3; /* of the next pass: cleanup, SigProp, MagRef */
        const int32_t n = kind == 1 && n_passes > 1 ? 2 : 1;
        const uint32_t size = length_take(r, s->lblock + log2_floor(n));

        if (!contribution_add(r, block, s, size, n, kind != 2))
            return false;
        n_passes -= n;
    }
    return true;
}

/* Lengths while only placeholder passes came, if any. Until a length is not zero, it is coded for all new
 * passes together as in Part 1; the first that is not zero belongs to a cleanup pass, which is preceded by
 * its placeholders, or, with mixed styles, to a Part 1 code-block: then its length's first bit is 1 or
 * Lblock is still 3 (T.814 annex B). */
static bool lengths_undecided(header_reader *r, j2k_codeblock *block, j2k_block_state *s, int32_t n_passes)
{
    const bool mixed = r->style & MTM_BLOCK_HT_MIXED;
    const int32_t behind =
        (s->n_passes + n_passes - 1) % 3; /* refinement passes after the last cleanup pass */
    const int32_t head = n_passes - behind;
    const int32_t head_bits = s->lblock + (head > 0 ? log2_floor(head) : 0);
    const int32_t all_bits = s->lblock + log2_floor(n_passes);
    uint32_t size;

    if (head > 0) {
        size = length_take(r, head_bits);
        if (size && (!mixed || (s->lblock > 3 && size > 1 && !(size >> (head_bits - 1))))) {
            if (size < 2) {
                r->wrong = "a cleanup pass of one byte";
                return false;
            }
            s->mode = J2K_BLOCK_HT;
            return contribution_add(r, block, s, size, head, true) && lengths_ht(r, block, s, behind);
        }
        if (all_bits > head_bits)
            size = size << (all_bits - head_bits) | length_take(r, all_bits - head_bits);
    } else {
        size = length_take(r, all_bits);
    }
    if (size && !mixed) {
        r->wrong = "placeholder passes with bytes";
        return false;
    }
    if (size)
        s->mode = J2K_BLOCK_EBCOT;
    return contribution_add(r, block, s, size, n_passes, s->n_passes == 0);
}

/* One code-block that is included: T.800 B.10.6, B.10.7. */
static bool block_read(header_reader *r, j2k_codeblock *block, j2k_block_state *s)
{
    const int32_t n_passes = passes_take(&r->b);

    while (bits_take(&r->b, 1))
        if (++s->lblock > MOST_LENGTH_BITS) {
            r->wrong = "a length of more than 32 bits";
            return false;
        }
    if (s->n_passes + n_passes > MOST_PASSES) {
        r->wrong = "more coding passes than there are bit-planes";
        return false;
    }
    switch (s->mode) {
    case J2K_BLOCK_UNDECIDED: return lengths_undecided(r, block, s, n_passes);
    case J2K_BLOCK_HT: return lengths_ht(r, block, s, n_passes);
    default: return lengths_ebcot(r, block, s, n_passes);
    }
}

/* ---- the header --------------------------------------------------------------------------------------- */

static j2k_codeblock *block_in_window(const j2k_band *b, int64_t x, int64_t y)
{
    x -= b->block_x0, y -= b->block_y0;
    return x >= 0 && x < b->blocks_wide && y >= 0 && y < b->blocks_high ? &b->blocks[y * b->blocks_wide + x]
                                                                        : NULL;
}

/* The code-blocks of one band: inclusion (B.10.4), zero bit-planes (B.10.5), passes and lengths. */
static bool band_read(header_reader *r, const j2k_band *band, j2k_precinct_band *p, int32_t layer, bool keep)
{
    for (int32_t y = 0; y < p->high; y++) {
        for (int32_t x = 0; x < p->wide; x++) {
            j2k_block_state *const s = &p->blocks[y * p->wide + x];
            j2k_codeblock *const block = keep ? block_in_window(band, p->block_x + x, p->block_y + y) : NULL;
            uint32_t planes;

            if (s->mode != J2K_BLOCK_NEW) {
                if (!bits_take(&r->b, 1))
                    continue;
            } else {
                if (!tree_below(&r->b, &p->shape, p->inclusion, x, y, (uint32_t)layer + 1))
                    continue;
                if ((planes = tree_value(&r->b, &p->shape, p->zero_planes, x, y)) > MOST_ZERO_PLANES) {
                    r->wrong = "more zero bit-planes than a code-block can have";
                    return false;
                }
                s->lblock = 3;
                s->mode = r->style & MTM_BLOCK_HT ? J2K_BLOCK_UNDECIDED : J2K_BLOCK_EBCOT;
                if (block)
                    block->zero_planes = (uint8_t)planes;
            }
            if (r->b.over || !block_read(r, block, s) || r->wrong)
                return false;
        }
    }
    return !r->b.over;
}

const char *j2k_packet_header_read(j2k_packet_header *h, const j2k_tile_component *tc,
                                   const j2k_resolution *res, j2k_precinct *s, int32_t layer, bool keep,
                                   const uint8_t *p, const uint8_t *end, bool *overrun)
{
    header_reader r = {.b = {.begin = p, .p = p, .end = end}, .h = h, .style = tc->params->coding.style};

    h->n = 0, h->body_bytes = 0;
    *overrun = false;
    if (bits_take(&r.b, 1))
        for (int32_t i = 0; i < res->n_bands && !r.wrong && !r.b.over; i++)
            band_read(&r, &res->bands[i], &s->bands[i], layer, keep);
    *overrun = r.b.over;
    if (r.b.over)
        return "its header goes on behind the data";
    if (r.wrong)
        return r.wrong;
    h->end = bits_end(&r.b);
    if (end - h->end >= 2 && h->end[0] == 0xFF && h->end[1] == 0x92) /* EPH: T.800 A.8.2 */
        h->end += 2;
    return NULL;
}
