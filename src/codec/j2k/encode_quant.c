/* codec/j2k/encode_quant.c: how many magnitude bit-planes a subband may need, and quantiser steps: T.800 annex E.
 *
 * Reversible: a subband is the picture through a linear filter, and the lifting steps' roundings. The filter's gain for the worst
 * picture is the sum of its taps' magnitudes (BIBO gain); mean values pass the low-pass with gain 1 and the high-pass not
 * at all. Irreversible: the same gains say how many guard bits are needed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "encode.h"

enum { TABLE = 10 }; /* levels after which the gains no longer change, or go on by √2 */

/* One dimension, analysis: sums of the taps' magnitudes of the filters from the picture to the low band behind `level` levels
 * (index 0: the picture itself), and to the high band of that level (index 0: not used). */
typedef struct gains {
    double low[TABLE + 1], high[TABLE + 1];
} gains;

static const gains bibo53 = {
    {1, 1.5, 1.625, 1.6875, 1.6964, 1.7068, 1.7117, 1.7130, 1.7142, 1.7146, 1.7160},
    {0, 2, 2.5, 2.75, 2.8048, 2.8199, 2.8411, 2.8559, 2.8602, 2.8629, 2.8670},
};
static const gains bibo97 = {
    {1, 1.3804, 1.3329, 1.3068, 1.3029, 1.3002, 1.2994, 1.2993, 1.2993, 1.2993, 1.2993},
    {0, 2.5954, 2.6254, 2.5515, 2.4704, 2.4626, 2.4571, 2.4561, 2.4558, 2.4557, 2.4557},
};
/* One dimension, synthesis: Euclidean norms of the waveforms of a coefficient. */
static const gains norms53 = {
    {1, 1.22474, 1.65831, 2.31840, 3.26917, 4.61993, 6.53237, 9.23775, 13.06400, 18.47523, 26.12790},
    {0, 0.84779, 0.96014, 1.25934, 1.74441, 2.45387, 3.46565, 4.89953, 6.92840, 9.79803, 13.85643},
};
static const gains norms97 = {
    {1, 1.40211, 2.03037, 2.90116, 4.11529, 5.82451, 8.23876, 11.65195, 16.47856, 23.30428, 32.95725},
    {0, 0.72126, 0.98347, 1.44196, 2.07376, 2.94732, 4.17359, 5.90430, 8.35064, 11.80983, 16.70171},
};

static double gain(const double table[TABLE + 1], int32_t level)
{
    return table[level < TABLE ? level : TABLE];
}

static double norm(const double table[TABLE + 1], int32_t level)
{
    return level <= TABLE ? table[level]
                          : ldexp(table[TABLE - (level & 1)], (level - TABLE + (level & 1)) / 2);
}

static bool high_x(int32_t orient)
{
    return orient == MTM_BAND_HL || orient == MTM_BAND_HH;
}

static bool high_y(int32_t orient)
{
    return orient == MTM_BAND_LH || orient == MTM_BAND_HH;
}

double j2k_synthesis_norm(bool reversible, int32_t level, int32_t orient)
{
    const gains *const g = reversible ? &norms53 : &norms97;

    return norm(high_x(orient) ? g->high : g->low, level) * norm(high_y(orient) ? g->high : g->low, level);
}

/* One dimension of a band: how the filter amplifies, and what it makes of a constant. A single sample at an odd coordinate is
 * doubled and becomes the high band (T.800 F.4.6). */
typedef struct side {
    double gain, constant;
} side;

static side side_of(const gains *g, int32_t level, bool high, bool single)
{
    return !high    ? (side){gain(g->low, level), 1}
           : single ? (side){2 * gain(g->low, level - 1), 2}
                    : (side){gain(g->high, level), 0};
}

/* Bound of a coefficient's magnitude but for roundings: of samples around `middle`, at most `half` away from it, behind `level`
 * levels, where columns or rows may be single. */
static double linear_bound(const gains *g, int32_t level, int32_t orient, bool single_x, bool single_y,
                           double middle, double half)
{
    const int32_t n_x = high_x(orient) && single_x ? 2 : 1, n_y = high_y(orient) && single_y ? 2 : 1;
    double most = 0;

    for (int32_t i = 0; i < n_x * n_y; i++) {
        const side x = side_of(g, level, high_x(orient), i % n_x),
                   y = side_of(g, level, high_y(orient), i / n_x);

        most = fmax(most, x.constant * y.constant * middle + x.gain * y.gain * half);
    }
    return most;
}

void j2k_singles_add(j2k_singles *s, int32_t levels, j2k_rect r)
{
    for (int32_t level = 1; level <= levels; level++) {
        s->x[level] |= r.x1 - r.x0 == 1 && (r.x0 & 1);
        s->y[level] |= r.y1 - r.y0 == 1 && (r.y0 & 1);
        r = (j2k_rect){(r.x0 + 1) >> 1, (r.y0 + 1) >> 1, (r.x1 + 1) >> 1, (r.y1 + 1) >> 1};
    }
}

/* ---- reversible --------------------------------------------------------------------------------------- */

/* How far the roundings of all lifting steps can move a coefficient of this band. A high-pass step's floor is off by at most
 * ½, a low-pass step's by ½, and it sees a quarter of two high-pass errors: ¾. Rows after columns: 1.5 · ¾ + ¾ for LL,
 * and at most 2 · ¾ + ½ for the others; from there on the errors pass the coarser filters as the picture does. */
static double rounding(int32_t level, int32_t orient, const j2k_singles *s)
{
    double sum = level == 0 ? 0 : orient == MTM_BAND_LL ? 1.875 : 2;

    for (int32_t finer = 1; finer < level; finer++)
        sum += linear_bound(&bibo53, level - finer, orient, s->x[level], s->y[level], 0, 1.875);
    return sum;
}

/* Bound of a 5/3 coefficient's magnitude for samples in [lo, hi]. */
static double band_bound(int32_t level, int32_t orient, const j2k_singles *s, double lo, double hi)
{
    return linear_bound(&bibo53, level, orient, s->x[level], s->y[level], fabs(lo + hi) / 2, (hi - lo) / 2) +
           rounding(level, orient, s);
}

/* The band of entry i, in the order of QCD: LL, then HL, LH, HH from the coarsest level on (T.800 A.6.4). */
static int32_t band_at(int32_t levels, int32_t i, int32_t *orient)
{
    *orient = i == 0 ? MTM_BAND_LL : (i - 1) % 3 + MTM_BAND_HL;
    return i == 0 ? levels : levels - (i - 1) / 3;
}

double j2k_reversible_bound(int32_t levels, int32_t orient, const j2k_singles *s, double lo, double hi)
{
    double bound = orient == MTM_BAND_LL ? fmax(fabs(lo), fabs(hi)) : 0;

    for (int32_t level = 1; level <= levels; level++)
        bound = fmax(bound, band_bound(level, orient, s, lo, hi));
    return bound;
}

static bool any_single(const j2k_singles *s, int32_t levels)
{
    bool any = false;

    for (int32_t level = 1; level <= levels; level++)
        any |= s->x[level] || s->y[level];
    return any;
}

void j2k_quant_reversible(j2k_quant *q, int32_t levels, const j2k_singles *s, int32_t bits, int32_t spread,
                          bool rct)
{
    int32_t planes[3 * J2K_MAX_LEVELS + 1], most = 0;

    *q = (j2k_quant){.style = 0, .n = (uint8_t)(3 * levels + 1)};
    for (int32_t i = 0; i < q->n; i++) {
        int32_t orient;
        const int32_t level = band_at(levels, i, &orient);
        /* What is high-pass does not see how far from 0 the samples are, unless single ones are doubled. */
        const int32_t b = orient == MTM_BAND_LL || any_single(s, levels) ? bits : spread;
        /* Level-shifted samples, and chroma of the RCT, which are differences of two (T.800 G.2). */
        const double lo = rct ? 1 - ldexp(1, b) : -ldexp(1, b - 1), hi = rct ? -lo : -lo - 1;

        planes[i] = ilogb(floor(band_bound(level, orient, s, lo, hi))) + 1;
        most = planes[i] > most ? planes[i] : most;
    }
    /* Mb = G + εb − 1 (equation E-2), and exponents have five bits. */
    q->guard = (uint8_t)(most > 31 ? most - 30 : 1);
    for (int32_t i = 0; i < q->n; i++)
        q->exponent[i] = (uint8_t)(planes[i] >= q->guard ? planes[i] - q->guard + 1 : 0);
}

/* ---- irreversible ------------------------------------------------------------------------------------- */

/* The curve of the HTJ2K white paper's Qfactor, which follows JPEG's: 50/q below 50, 2(1 − q/100) above, times a scale that
 * rises from 0.04 (q ≤ 65) to 0.10 (q ≥ 97); plus the rounding error of the pixels themselves. Without its visual
 * weights: a medical image is zoomed and windowed, so no viewing distance can be assumed. */
double j2k_quality_step(double quality, int32_t bits)
{
    const double low = 65, high = 97, scale_low = 0.04, scale_high = 0.10;
    const double m = quality < 50 ? 50 / quality : 2 * (1 - quality / 100);
    const double m_low = 2 * (1 - low / 100), m_high = 2 * (1 - high / 100);
    double scale = scale_low;

    if (quality >= high)
        scale = scale_high;
    else if (quality > low)
        scale = scale_high * pow(scale_low / scale_high, log(m_high / m) / log(m_high / m_low));
    return scale * m + sqrt(0.5) * ldexp(1, -bits);
}

/* Δb over the nominal range of the band, as exponent and mantissa (equation E-3). */
static bool step_encode(double relative, uint8_t *exponent, uint16_t *mantissa)
{
    int e;
    const double f = frexp(relative, &e); /* relative = f · 2^e, ½ ≤ f < 1 */
    int64_t m = llround((2 * f - 1) * 2048);
    int32_t eps = 1 - e;

    if (m == 2048)
        m = 0, eps--;
    if (eps < 0 || eps > 31)
        return false;
    *exponent = (uint8_t)eps, *mantissa = (uint16_t)m;
    return true;
}

mtm_status j2k_quant_irreversible(j2k_quant *q, int32_t levels, const j2k_singles *s, double base,
                                  mtm_error *err)
{
    double guard = 1;

    *q = (j2k_quant){.style = 2, .n = (uint8_t)(3 * levels + 1)};
    for (int32_t i = 0; i < q->n; i++) {
        int32_t orient;
        const int32_t level = band_at(levels, i, &orient);
        const int32_t log_gain = high_x(orient) + high_y(orient); /* Rb − RI, T.800 table E.1 */
        const double relative = ldexp(base / j2k_synthesis_norm(false, level, orient), -log_gain);

        if (!step_encode(relative, &q->exponent[i], &q->mantissa[i]))
            return mtm_fail(
                err, MTM_E_INVAL, -1,
                "a base step of %g of the range gives steps of %g, which the codestream cannot hold", base,
                relative);
        /* |x| ≤ gain · 2^(RI − 1), so |q| < gain · 2^(εb − log_gain − 1) / (1 + µ/2^11) must stay below 2^(G + εb − 1). */
        const double gain_b = 1.001 * linear_bound(&bibo97, level, orient, s->x[level], s->y[level], 0, 1);
        guard = fmax(guard, ceil(log2(gain_b / (1 + q->mantissa[i] / 2048.0)) - log_gain));
    }
    q->guard = (uint8_t)guard;
    return MTM_OK;
}

int32_t j2k_magnitude_bound(const j2k_quant *q, int32_t levels, bool reversible)
{
    int32_t bound = 0;

    for (int32_t i = 0; i < q->n; i++) {
        int32_t orient;
        const int32_t level = band_at(levels, i, &orient);
        const int32_t planes = q->exponent[i] + q->guard - (reversible ? 1 : level);

        bound = planes > bound ? planes : bound;
    }
    return bound;
}
