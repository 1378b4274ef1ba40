/* tests/fuzz/fuzz_gzip.c: a gzip file read whole, by prefix and by access points; all ways must agree. Where a blob of
 * access points follows ("MTGZ"), it is taken for the bytes before it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "codec/gzip.h"
#include "fuzz.h"

enum { SPACING = 65536, OUTPUT_MOST = 1 << 22 };

static const mtm_limits limits = {
    .max_bytes = OUTPUT_MOST, .max_expansion = 1100, .max_header_bytes = 1 << 20};

/* What unpack accepts can be read with, and gives the whole's bytes (NULL: not known) or an error. */
static void read_with_blob(const mtm_gzip_bytes *src, const uint8_t *blob, size_t blob_n,
                           const uint8_t *whole)
{
    MTM_AUTO(mtm_gzip_points) p = NULL;
    MTM_AUTO_MEM uint8_t *out = NULL;
    uint64_t lo, n;

    if (mtm_gzip_points_unpack(&p, blob, blob_n, &limits, NULL) != MTM_OK)
        return;
    lo = mtm_gzip_points_output_bytes(p) / 3, n = mtm_gzip_points_output_bytes(p) - lo;
    out = mtm_alloc(n);
    if (out && mtm_gzip_read_range(out, p, src, lo, n, NULL, NULL, NULL) == MTM_OK && whole)
        FUZZ_CHECK(memcmp(out, whole + lo, n) == 0);
}

/* zlib, which finds the points, refuses a few odd codes that libdeflate takes; what both take is the same. */
static void read_with_points(const mtm_gzip_bytes *src, const uint8_t *whole, size_t n)
{
    MTM_AUTO(mtm_gzip_points) p = NULL;
    MTM_AUTO_MEM uint8_t *out = mtm_alloc(n), *blob = NULL;
    size_t blob_n;

    if (!out || mtm_gzip_points_build(&p, NULL, 0, src, SPACING, &limits, NULL) != MTM_OK)
        return;
    FUZZ_CHECK(mtm_gzip_points_output_bytes(p) == n);
    FUZZ_CHECK(mtm_gzip_read_range(out, p, src, n / 3, n - n / 3, NULL, NULL, NULL) == MTM_OK);
    FUZZ_CHECK(memcmp(out, whole + n / 3, n - n / 3) == 0);
    FUZZ_CHECK(mtm_gzip_points_pack(p, &blob, &blob_n, NULL) == MTM_OK);
    read_with_blob(src, blob, blob_n, whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *const blob = n ? memmem(data, n, "MTGZ", 4) : NULL;
    const size_t file_n = blob ? (size_t)(blob - data) : n;
    const mtm_gzip_bytes src = mtm_gzip_memory(data, file_n);
    MTM_AUTO(mtm_gzip_points) p = NULL;
    MTM_AUTO(mtm_buffer) b = NULL;
    uint8_t prefix[1000];
    size_t size, got;

    const mtm_status prefix_status = mtm_gzip_prefix(prefix, sizeof prefix, &got, &src, NULL);

    if (mtm_gzip_inflate_new(&b, &size, data, file_n, &limits, NULL, NULL) == MTM_OK) {
        read_with_points(&src, mtm_buffer_data(b), size);
        if (prefix_status == MTM_OK) {
            FUZZ_CHECK(got == (size < sizeof prefix ? size : sizeof prefix));
            FUZZ_CHECK(memcmp(prefix, mtm_buffer_data(b), got) == 0);
        }
    } else {
        mtm_gzip_points_build(&p, NULL, 0, &src, SPACING, &limits, NULL);
    }
    if (blob)
        read_with_blob(&src, blob, n - file_n, NULL);
    return 0;
}
