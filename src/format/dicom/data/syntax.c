/* format/dicom/data/syntax.c: the transfer syntaxes of PS3.5 A and PS3.6 A, and a private one that old scanners wrote.
 * SPDX-License-Identifier: Apache-2.0 */
#include "syntax.h"

#include <string.h>

#include "dataset.h"

#define UID(rest) "1.2.840.10008.1.2" rest

/* Video, references to a server, and what was retired before anyone wrote it, have no codec: their data sets are read, their
 * pixels are not. */
static const dcm_syntax syntaxes[] = {
    {UID(""), "ImplicitVRLittleEndian", "none", .implicit = true, .lossless = true, .encode = true},
    {UID(".1"), "ExplicitVRLittleEndian", "none", .lossless = true, .encode = true},
    {UID(".1.98"), "EncapsulatedUncompressedExplicitVRLittleEndian", "none", .encapsulated = true,
     .lossless = true, .encode = true},
    {UID(".1.99"), "DeflatedExplicitVRLittleEndian", "none", .deflated = true, .lossless = true,
     .encode = true},
    {UID(".2"), "ExplicitVRBigEndian", "none", .big_endian = true, .lossless = true, .encode = true},
    {UID(".4.50"), "JPEGBaseline8Bit", "jpeg", .encapsulated = true, .encode = true},
    {UID(".4.51"), "JPEGExtended12Bit", "jpeg", .encapsulated = true},
    {UID(".4.52"), "JPEGExtended35", NULL, .encapsulated = true}, /* arithmetic coding */
    {UID(".4.53"), "JPEGSpectralSelectionNonHierarchical68", "jpeg", .encapsulated = true},
    {UID(".4.54"), "JPEGSpectralSelectionNonHierarchical79", NULL, .encapsulated = true},
    {UID(".4.55"), "JPEGFullProgressionNonHierarchical1012", "jpeg", .encapsulated = true},
    {UID(".4.56"), "JPEGFullProgressionNonHierarchical1113", NULL, .encapsulated = true},
    {UID(".4.57"), "JPEGLossless", "jpeg", .encapsulated = true, .lossless = true, .encode = true},
    {UID(".4.58"), "JPEGLosslessNonHierarchical15", NULL, .encapsulated = true, .lossless = true},
    {UID(".4.59"), "JPEGExtendedHierarchical1618", NULL, .encapsulated = true},
    {UID(".4.60"), "JPEGExtendedHierarchical1719", NULL, .encapsulated = true},
    {UID(".4.61"), "JPEGSpectralSelectionHierarchical2022", NULL, .encapsulated = true},
    {UID(".4.62"), "JPEGSpectralSelectionHierarchical2123", NULL, .encapsulated = true},
    {UID(".4.63"), "JPEGFullProgressionHierarchical2426", NULL, .encapsulated = true},
    {UID(".4.64"), "JPEGFullProgressionHierarchical2527", NULL, .encapsulated = true},
    {UID(".4.65"), "JPEGLosslessHierarchical28", NULL, .encapsulated = true, .lossless = true},
    {UID(".4.66"), "JPEGLosslessHierarchical29", NULL, .encapsulated = true, .lossless = true},
    {UID(".4.70"), "JPEGLosslessSV1", "jpeg", .encapsulated = true, .lossless = true, .encode = true},
    {UID(".4.80"), "JPEGLSLossless", "jpegls", .encapsulated = true, .lossless = true, .encode = true},
    {UID(".4.81"), "JPEGLSNearLossless", "jpegls", .encapsulated = true, .encode = true},
    {UID(".4.90"), "JPEG2000Lossless", "j2k", .encapsulated = true, .lossless = true, .encode = true},
    {UID(".4.91"), "JPEG2000", "j2k", .encapsulated = true, .encode = true},
    {UID(".4.92"), "JPEG2000MCLossless", "j2k", .encapsulated = true, .lossless = true},
    {UID(".4.93"), "JPEG2000MC", "j2k", .encapsulated = true},
    {UID(".4.94"), "JPIPReferenced", .codec = NULL},
    {UID(".4.95"), "JPIPReferencedDeflate", NULL, .deflated = true},
    {UID(".4.100"), "MPEG2MPML", NULL, .encapsulated = true},
    {UID(".4.100.1"), "MPEG2MPMLF", NULL, .encapsulated = true},
    {UID(".4.101"), "MPEG2MPHL", NULL, .encapsulated = true},
    {UID(".4.101.1"), "MPEG2MPHLF", NULL, .encapsulated = true},
    {UID(".4.102"), "MPEG4HP41", NULL, .encapsulated = true},
    {UID(".4.102.1"), "MPEG4HP41F", NULL, .encapsulated = true},
    {UID(".4.103"), "MPEG4HP41BD", NULL, .encapsulated = true},
    {UID(".4.103.1"), "MPEG4HP41BDF", NULL, .encapsulated = true},
    {UID(".4.104"), "MPEG4HP422D", NULL, .encapsulated = true},
    {UID(".4.104.1"), "MPEG4HP422DF", NULL, .encapsulated = true},
    {UID(".4.105"), "MPEG4HP423D", NULL, .encapsulated = true},
    {UID(".4.105.1"), "MPEG4HP423DF", NULL, .encapsulated = true},
    {UID(".4.106"), "MPEG4HP42STEREO", NULL, .encapsulated = true},
    {UID(".4.106.1"), "MPEG4HP42STEREOF", NULL, .encapsulated = true},
    {UID(".4.107"), "HEVCMP51", NULL, .encapsulated = true},
    {UID(".4.108"), "HEVCM10P51", NULL, .encapsulated = true},
    {UID(".4.110"), "JPEGXLLossless", NULL, .encapsulated = true, .lossless = true},
    {UID(".4.111"), "JPEGXLJPEGRecompression", NULL, .encapsulated = true},
    {UID(".4.112"), "JPEGXL", NULL, .encapsulated = true},
    {UID(".4.201"), "HTJ2KLossless", "htj2k", .encapsulated = true, .lossless = true, .encode = true},
    {UID(".4.202"), "HTJ2KLosslessRPCL", "htj2k", .encapsulated = true, .lossless = true, .encode = true},
    {UID(".4.203"), "HTJ2K", "htj2k", .encapsulated = true, .encode = true},
    {UID(".4.204"), "JPIPHTJ2KReferenced", .codec = NULL},
    {UID(".4.205"), "JPIPHTJ2KReferencedDeflate", NULL, .deflated = true},
    {UID(".5"), "RLELossless", "rle", .encapsulated = true, .lossless = true, .encode = true},
    {UID(".6.1"), "RFC2557MIMEEncapsulation", .codec = NULL},
    {UID(".6.2"), "XMLEncoding", .codec = NULL},
    {UID(".7.1"), "SMPTEST211020UncompressedProgressiveActiveVideo", .codec = NULL},
    {UID(".7.2"), "SMPTEST211020UncompressedInterlacedActiveVideo", .codec = NULL},
    {UID(".7.3"), "SMPTEST211030PCMDigitalAudio", .codec = NULL},
    {UID(".8.1"), "DeflatedImageFrameCompression", "deflate", .encapsulated = true, .lossless = true,
     .encode = true},
    {"1.2.840.113619.5.2", "PrivateGEImplicitVRBigEndianPixels", "none", .implicit = true,
     .big_endian_pixels = true, .lossless = true},
    {"1.2.840.10008.1.20", "Papyrus3ImplicitVRLittleEndian", NULL, .implicit = true},
};

const dcm_syntax *dcm_syntax_find(const char *uid)
{
    for (size_t i = 0; i < sizeof syntaxes / sizeof *syntaxes; i++)
        if (!strcmp(syntaxes[i].uid, uid) || !strcmp(syntaxes[i].keyword, uid))
            return &syntaxes[i];
    return NULL;
}
