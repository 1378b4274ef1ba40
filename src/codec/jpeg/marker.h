/* codec/jpeg/marker.h: the structure of a JPEG stream (ITU-T T.81 annex B): SOI, tables, frame header, scans, EOI. Every offset is a
 * byte of the data given. Entropy-coded bytes are only stepped over here.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_JPEG_MARKER_H
#define MTM_JPEG_MARKER_H

#include "base/mem.h"
#include "codec/codec.h"

enum { JPEG_MOST_COMPONENTS = 4, JPEG_MOST_BLOCKS_PER_MCU = 10 /* T.81 B.2.3 */ };

enum { /* second byte of a marker, T.81 table B.1 */
       JPEG_SOF0 = 0xC0,
       JPEG_SOF1 = 0xC1,
       JPEG_SOF2 = 0xC2,
       JPEG_SOF3 = 0xC3,
       JPEG_DHT = 0xC4,
       JPEG_JPG = 0xC8,
       JPEG_DAC = 0xCC,
       JPEG_SOF15 = 0xCF,
       JPEG_RST0 = 0xD0,
       JPEG_RST7 = 0xD7,
       JPEG_SOI = 0xD8,
       JPEG_EOI = 0xD9,
       JPEG_SOS = 0xDA,
       JPEG_DQT = 0xDB,
       JPEG_DNL = 0xDC,
       JPEG_DRI = 0xDD,
       JPEG_EXP = 0xDF,
       JPEG_APP0 = 0xE0,
       JPEG_APP14 = 0xEE,
       JPEG_APP15 = 0xEF,
       JPEG_SOF55 = 0xF7, /* JPEG-LS, T.87 */
       JPEG_COM = 0xFE,
       JPEG_TEM = 0x01
};

typedef struct jpeg_component {
    uint8_t id, h, v, table; /* table: of quantisation */
    int64_t width, height;   /* samples: T.81 A.1.1 */
    bool has_quant;
    uint16_t quant[64]; /* natural order; the table that was there when the component's first scan began */
} jpeg_component;

typedef struct jpeg_frame {
    uint8_t sof; /* marker; 0: not seen */
    int32_t bits;
    int64_t width, height;
    int32_t h, v; /* greatest sampling factors */
    int32_t n;
    jpeg_component components[JPEG_MOST_COMPONENTS];
} jpeg_frame;

typedef struct jpeg_huffman { /* DHT, T.81 B.2.4.2 */
    bool there;
    uint8_t count[17]; /* codes of each length, 1 … 16 */
    uint8_t values[256];
    int64_t offset;
} jpeg_huffman;

typedef struct jpeg_scan {
    int32_t n;
    uint8_t component[JPEG_MOST_COMPONENTS]; /* number in the frame */
    uint8_t dc[JPEG_MOST_COMPONENTS], ac[JPEG_MOST_COMPONENTS];
    uint8_t start, end, high, low; /* Ss (lossless: predictor), Se, Ah, Al (lossless: point transform) */
    int64_t offset;                /* of its SOS marker */
} jpeg_scan;

enum {
    JPEG_COLOR_GRAY,
    JPEG_COLOR_YCC,
    JPEG_COLOR_RGB,
    JPEG_COLOR_CMYK,
    JPEG_COLOR_YCCK,
    JPEG_COLOR_UNKNOWN
};

/* Told of every marker segment; bytes: with the marker. */
typedef mtm_status (*jpeg_seen)(void *user, uint8_t code, size_t offset, size_t bytes, mtm_error *err);

typedef struct jpeg_stream {
    const uint8_t *in;
    size_t n, at; /* at: the next byte to be read */
    jpeg_frame frame;
    uint16_t quant[4][64]; /* natural order */
    bool has_quant[4];
    jpeg_huffman huffman[2][4]; /* DC or lossless, AC */
    int32_t restart;            /* MCU per restart interval; 0: none */
    bool has_jfif, has_adobe;
    uint8_t adobe; /* transform flag */
    jpeg_seen seen;
    void *user;
} jpeg_stream;

/* Natural position of the k-th coefficient in zigzag order (T.81 figure A.6); 16 more entries for bad streams. */
extern const uint8_t jpeg_natural[64 + 16];

/* Whether these bytes begin a JPEG of T.81 (not JPEG-LS). *sof: the frame's marker, 0 when it comes later. */
bool jpeg_detect(const uint8_t *in, size_t n, uint8_t *sof);

/* Reads up to the frame header and the first scan's: s->at is then at that SOS marker. A height of 0 is looked up in the DNL behind the
 * first scan (T.81 B.2.5). seen NULL: nobody. Errors: MTM_E_CORRUPT, MTM_E_UNSUPPORTED (hierarchical, more than 4 components). */
mtm_status jpeg_open(jpeg_stream *s, const uint8_t *in, size_t n, jpeg_seen seen, void *user, mtm_error *err);
/* Tables and the header of the next scan; *more false: EOI, or the end of the data. s->at is then at its entropy-coded bytes, and
 * whoever decodes them, or jpeg_skip_coded, moves it behind. */
mtm_status jpeg_next_scan(jpeg_stream *s, jpeg_scan *scan, bool *more, mtm_error *err);
/* Steps over entropy-coded bytes and restart markers, to the next marker or the end of the data. */
void jpeg_skip_coded(jpeg_stream *s);

/* What the components are, as libjpeg guesses: Adobe's flag, JFIF, then the components' names. */
int jpeg_color(const jpeg_stream *s);
/* "baseline", "extended", "progressive", "lossless", … */
const char *jpeg_process_name(uint8_t sof);

#endif
