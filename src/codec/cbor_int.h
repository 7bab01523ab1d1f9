#ifndef CM_CODEC_CBOR_INT_H
#define CM_CODEC_CBOR_INT_H
/* Shared by the reader, the writer and records. */
#include "codec/cbor.h"

/* Major types as they stand in the first byte. */
enum { MAJOR_UINT, MAJOR_NINT, MAJOR_BYTES, MAJOR_TEXT, MAJOR_ARRAY, MAJOR_MAP, MAJOR_TAG };
enum { BYTE_FALSE = 0xf4, BYTE_TRUE = 0xf5, BYTE_NULL = 0xf6 };

/* Check that v is one canonical item, which lies inside `depth` others. *at: the offending item. */
CM_MUST cm_err cm_cbor_check(cm_view v, unsigned depth, const uint8_t **at);

#endif
