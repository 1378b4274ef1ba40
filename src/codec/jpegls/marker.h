/* codec/jpegls/marker.h: the structure of a JPEG-LS stream (ITU-T T.87 annex C): SOI, frame header, presets, scans, EOI. Every offset is
 * a byte of the data given. Entropy-coded bytes are only stepped over here.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_JPEGLS_MARKER_H
#define MTM_JPEGLS_MARKER_H

#include "base/mem.h"
#include "codec/codec.h"

enum { JLS_MOST_COMPONENTS = 255, JLS_MOST_PER_SCAN = 4 /* interleaved: T.81 B.2.3 */ };

enum { /* second byte of a marker, T.87 C.1.1 */
       JLS_RST0 = 0xD0,
       JLS_RST7 = 0xD7,
       JLS_SOI = 0xD8,
       JLS_EOI = 0xD9,
       JLS_SOS = 0xDA,
       JLS_DNL = 0xDC,
       JLS_DRI = 0xDD,
       JLS_APP0 = 0xE0,
       JLS_APP8 = 0xE8,
       JLS_APP15 = 0xEF,
       JLS_SOF = 0xF7,
       JLS_LSE = 0xF8,
       JLS_COM = 0xFE
};

typedef enum jls_interleave { JLS_BY_PLANE, JLS_BY_LINE, JLS_BY_SAMPLE } jls_interleave; /* C.2.3: ILV */

/* C.2.4.1.1: LSE's; 0: the default (jls_presets_complete). */
typedef struct jls_presets {
    int32_t most; /* MAXVAL */
    int32_t t[3]; /* T1, T2, T3 */
    int32_t reset;
    int64_t offset; /* of its segment */
} jls_presets;

typedef struct jls_scan {
    int32_t n;
    uint8_t component[JLS_MOST_PER_SCAN]; /* number in the frame */
    int32_t near, shift;                  /* NEAR, the point transform */
    jls_interleave interleave;
    jls_presets presets; /* complete */
    int64_t restart;     /* lines per restart interval; 0: none */
    int64_t offset;      /* of its SOS marker */
} jls_scan;

/* Told of every marker segment; bytes: with the marker. */
typedef mtm_status (*jls_seen)(void *user, uint8_t code, size_t offset, size_t bytes, mtm_error *err);

typedef struct jls_stream {
    const uint8_t *in;
    size_t n, at; /* at: the next byte to be read */
    bool has_frame;
    int32_t bits, n_components;
    int64_t height, width;
    uint8_t ids[JLS_MOST_COMPONENTS];
    jls_presets presets;
    int64_t restart;
    int32_t transform; /* of HP's colour transforms, by APP8 "mrfx": 1 to 3; 0: none */
    jls_seen seen;
    void *user;
} jls_stream;

/* Whether these bytes begin a JPEG-LS stream: SOI, and SOF55 before any scan. */
bool jls_detect(const uint8_t *in, size_t n);
/* Reads up to the first scan: s->at is then at its SOS marker. A height of 0 is looked up in the DNL behind the first scan (C.2.6). seen
 * NULL: nobody. Errors: MTM_E_CORRUPT, also for a picture that so few bytes cannot hold, MTM_E_UNSUPPORTED. */
mtm_status jls_open(jls_stream *s, const uint8_t *in, size_t n, jls_seen seen, void *user, mtm_error *err);
/* Segments and the header of the next scan; *more false: EOI. s->at is then at the coded bytes, and whoever decodes them moves it behind.
 * Errors: MTM_E_CORRUPT, also where the data ends without EOI, MTM_E_UNSUPPORTED. */
mtm_status jls_next_scan(jls_stream *s, jls_scan *scan, bool *more, mtm_error *err);

/* The zeros become T.87's defaults (C.2.4.1.1.1). Errors: MTM_E_CORRUPT (values beyond what C.2.4.1.1 allows). */
mtm_status jls_presets_complete(jls_presets *p, int32_t bits, int32_t near, mtm_error *err);

#endif
