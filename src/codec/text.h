#ifndef CM_CODEC_TEXT_H
#define CM_CODEC_TEXT_H
/* Hex, base64 (RFC 4648, strict), PEM armour, UTF-8 and decimal numbers. */
#include "base/base.h"

CM_MUST cm_err cm_hex_encode(cm_buf *out, cm_view v);    /* lower case */
CM_MUST cm_err cm_hex_decode(cm_buf *out, cm_view text); /* either case; HEX_MALFORMED */
/** url: the URL alphabet without padding; else the standard one with. Constant time in the bytes.
 */
CM_MUST cm_err cm_base64_encode(cm_buf *out, cm_view v, bool url);
/** Refuses other characters, white space, wrong padding, non-zero spare bits. BASE64_MALFORMED. */
CM_MUST cm_err cm_base64_decode(cm_buf *out, cm_view text, bool url);
/** RFC 7468 strict armour with label; lines of 64. */
CM_MUST cm_err cm_pem_encode(cm_buf *out, cm_view label, cm_view der);
/** The next block of *text (advanced behind it). *label borrows from text. Text before a block is
 * skipped. NOTFOUND (PEM_NO_BLOCK) when there is none left, PEM_MALFORMED. */
CM_MUST cm_err cm_pem_next(cm_buf *der, cm_view *label, cm_view *text);
bool cm_utf8_valid(cm_view v);
/** Digits only, no sign, no leading zero, no overflow. NUMBER_MALFORMED. */
CM_MUST cm_err cm_dec_u64(uint64_t *out, cm_view text);
/** 12, 64K, 1M, 2GiB, 1.5T is refused: whole numbers with an optional binary suffix. */
CM_MUST cm_err cm_dec_size(uint64_t *out, cm_view text);

#endif
