#ifndef CM_MEASURE_MEASURE_INT_H
#define CM_MEASURE_MEASURE_INT_H
/* What a firmware image says of itself: the table of GUIDs that ends 32 bytes before its end. */
#include "measure/measure.h"

enum { CM_PAGE = 4096, CM_GUID = 16 };

/** The data of an entry, empty when there is none. False when the table can't be read. */
bool cm_firmware_entry(cm_view *data, cm_view firmware, const uint8_t guid[CM_GUID]);
/** What stands as far before the image's end as an entry's first four bytes say, to the end; empty
 * when there is no such entry. False when the table or the place can't be. */
bool cm_firmware_behind(cm_view *at, cm_view firmware, const uint8_t guid[CM_GUID]);
/** Whether it is an image at all: whole pages, of a size that machines map. */
bool cm_firmware_fits(cm_view firmware);

#endif
