/* What is read from JSON is checked, written, read again the same; so it is through the other. */
#include "wire_twice.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const t_codec json = {cm_msg_from_json, cm_msg_to_json};
    static const t_codec proto = {cm_msg_from_proto, cm_msg_to_proto};

    t_wire_twice(&json, &proto, cm_view_of(p, n));
    return 0;
}
