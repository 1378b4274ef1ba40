/* tests/fuzz/fuzz_dicom_charset.c: SpecificCharacterSet (the first line) and a value of it: whatever both are, the text is UTF-8 of
 * bounded length.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "format/dicom/data/charset.h"

/* Well-formed, and without NUL: decoding it as UTF-8 changes nothing. */
static bool is_utf8(const mtm_text *t, dcm_decoder *dec)
{
    dcm_charset utf8;
    mtm_text again = {0};

    (void)dcm_charset_parse(&utf8, (const uint8_t *)"ISO_IR 192", 10);
    FUZZ_CHECK(dcm_decode(&again, dec, &utf8, (const uint8_t *)t->s, t->n, 0, NULL) == MTM_OK);
    const bool same = again.n == t->n && !memcmp(again.s, t->s, t->n);
    mtm_text_drop(&again);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *const line = n ? memchr(data, '\n', n) : NULL;
    const size_t terms = line ? (size_t)(line - data) : 0, from = line ? terms + 1 : 0;
    dcm_decoder dec = {0};
    dcm_charset cs;

    (void)dcm_charset_parse(&cs, data, terms);
    for (unsigned resets = 0; resets < 4; resets++) {
        mtm_text out = {0};
        const mtm_status rc = dcm_decode(&out, &dec, &cs, data + from, n - from, resets, NULL);

        FUZZ_CHECK(rc == MTM_OK || rc == MTM_E_UNSUPPORTED);
        FUZZ_CHECK(out.n <= 4 * (n - from));
        if (out.n)
            FUZZ_CHECK(is_utf8(&out, &dec));
        mtm_text_drop(&out);
    }
    dcm_decoder_close(&dec);
    return 0;
}
