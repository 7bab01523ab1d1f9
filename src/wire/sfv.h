#ifndef CM_WIRE_SFV_H
#define CM_WIRE_SFV_H
/*
 * The part of Structured Field Values (RFC 8941) that signatures and digests need, in its canonical
 * form alone: one space between items, none elsewhere, lower-case keys, strings without escapes,
 * integers without leading zeros. What is read so is, byte for byte, what RFC 9421 would serialize
 * again, so that the text as sent can be signed over (W-3).
 *
 * A cursor over borrowed bytes. Every function returns false, and leaves cursor and output alone,
 * when what it reads is not there.
 */
#include "base/base.h"

enum { CM_SFV_KEY_MAX = 32, CM_SFV_INTEGER_DIGITS = 15 };

typedef struct {
    const uint8_t *p, *end;
} cm_sfv;

cm_sfv cm_sfv_of(cm_view v);
bool cm_sfv_over(const cm_sfv *s);
/** One byte that must be c. */
bool cm_sfv_byte(cm_sfv *s, char c);
/** A key of 1 to CM_SFV_KEY_MAX characters. */
bool cm_sfv_key(cm_sfv *s, cm_view *key);
/** A string of at most max characters, without its quotes. */
bool cm_sfv_string(cm_sfv *s, cm_view *text, size_t max);
/** 0 to 999 999 999 999 999. */
bool cm_sfv_integer(cm_sfv *s, uint64_t *v);
/** A byte sequence: the base64 between its colons, alphabet and size checked, not yet decoded. */
bool cm_sfv_bytes(cm_sfv *s, cm_view *base64, size_t max);

/** Whether text can be sent as a string: printable ASCII without quote and backslash. */
bool cm_sfv_is_string(cm_view text);

#endif
