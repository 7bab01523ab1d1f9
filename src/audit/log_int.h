#ifndef CM_AUDIT_LOG_INT_H
#define CM_AUDIT_LOG_INT_H
#include "audit/log.h"

enum {
    CM_LOG_TILE_MAX = CM_TILE_WIDTH * 32,
    CM_LOG_BUNDLE_MAX = CM_TILE_WIDTH * (2 + 65535), /* of foreign logs */
};

/* Make t tile n of a level with these hashes. */
void cm_log_fill(cm_tile *t, unsigned level, uint64_t n, const uint8_t *hashes, size_t width);

#endif
