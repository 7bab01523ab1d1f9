#ifndef CM_CODEC_TEXT_H
#define CM_CODEC_TEXT_H
/*
 * Hex, base64 (RFC 4648, strict), PEM armour, UTF-8 and decimal numbers.
 *
 * Encoders and decoders append to out, whose max bounds them (TOO_BIG), and leave it as it was when
 * they fail. Input is borrowed for the call and must not lie in out. Any thread.
 */
#include "base/base.h"

/** Lower case. Constant time in the bytes. */
CM_MUST cm_err cm_hex_encode(cm_buf *out, cm_view v);
/** Either case. HEX_MALFORMED. Constant time in the text but for the verdict. */
CM_MUST cm_err cm_hex_decode(cm_buf *out, cm_view text);

/** url: the URL alphabet without padding; else the standard one with. Constant time in the bytes.
 */
CM_MUST cm_err cm_base64_encode(cm_buf *out, cm_view v, bool url);
/** Refuses other characters, white space, wrong padding and non-zero spare bits: one text per
 * value. BASE64_MALFORMED. Constant time in the text but for the verdict and the padding. */
CM_MUST cm_err cm_base64_decode(cm_buf *out, cm_view text, bool url);

/** RFC 7468 armour in lines of 64. BAD_ARGUMENT when label is not one, or der is empty. */
CM_MUST cm_err cm_pem_encode(cm_buf *out, cm_view label, cm_view der);
/** The next block of *text, which is advanced behind it; *label borrows from text. Lines before the
 * block are skipped. Inside it the strict grammar of RFC 7468 holds: lines of 64 that end in LF or
 * CRLF, no headers, no spaces, the same label at both ends; only the line end behind the last line
 * may be absent. PEM_NO_BLOCK when there is none left, PEM_MALFORMED. Time depends on where lines
 * end, not on what they hold. */
CM_MUST cm_err cm_pem_next(cm_buf *der, cm_view *label, cm_view *text);

/** Bytes of v before the first that is not UTF-8 (RFC 3629: shortest form, no surrogates). */
size_t cm_utf8_prefix(cm_view v);
bool cm_utf8_valid(cm_view v);

/** Digits only, no sign, no leading zero, no overflow. NUMBER_MALFORMED. */
CM_MUST cm_err cm_dec_u64(uint64_t *out, cm_view text);
/** A whole number with an optional binary suffix: 12, 64K, 1M, 2GiB. Not 64k, 1.5T, 2GB.
 * NUMBER_MALFORMED. */
CM_MUST cm_err cm_dec_size(uint64_t *out, cm_view text);

#endif
