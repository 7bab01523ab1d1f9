#ifndef CM_TESTLIB_HEX_H
#define CM_TESTLIB_HEX_H
/* Bytes from the hex of a test's text. Ends the process on bad text: that is a bug of the test. */
#include <stddef.h>
#include <stdint.h>

#include <casemate/bytes.h>

/** At most max bytes; how many. */
size_t t_unhex(uint8_t *out, size_t max, const char *hex);

/** A view of one of a few static buffers, good for the next 7 calls. */
cm_view t_hex(const char *hex);

#endif
