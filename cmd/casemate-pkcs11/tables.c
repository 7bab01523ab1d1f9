/* The tables of functions, by version. */
#include "entry.h"

#define MEMBER(name, params) .name = name,
static CK_FUNCTION_LIST list_2_40 = {.version = {2, 40}, CK_FUNCTIONS_2_40(MEMBER)};
static CK_FUNCTION_LIST_3_0 list_3_0 = {.version = {3, 0},
                                        CK_FUNCTIONS_2_40(MEMBER) CK_FUNCTIONS_3_0(MEMBER)};
static CK_FUNCTION_LIST_3_2 list_3_2 = {
    .version = {3, 2}, CK_FUNCTIONS_2_40(MEMBER) CK_FUNCTIONS_3_0(MEMBER) CK_FUNCTIONS_3_2(MEMBER)};

static CK_UTF8CHAR name[] = "PKCS 11";
/* The newest first: who asks for none in particular gets it. */
static CK_INTERFACE interfaces[] = {
    {name, &list_3_2, 0}, {name, &list_3_0, 0}, {name, &list_2_40, 0}};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    if (!list)
        return CKR_ARGUMENTS_BAD;
    *list = &list_2_40;
    return CKR_OK;
}

CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG *count)
{
    CK_ULONG room;

    if (!count)
        return CKR_ARGUMENTS_BAD;
    room = *count;
    *count = CM_COUNT(interfaces);
    if (!list)
        return CKR_OK;
    if (room < CM_COUNT(interfaces))
        return CKR_BUFFER_TOO_SMALL;
    memcpy(list, interfaces, sizeof interfaces);
    return CKR_OK;
}

/* All tables begin with their version. */
static CK_VERSION version_of(const CK_INTERFACE *i)
{
    CK_VERSION v;

    memcpy(&v, i->pFunctionList, sizeof v);
    return v;
}

CK_RV C_GetInterface(CK_UTF8CHAR *wanted, CK_VERSION *version, CK_INTERFACE **out, CK_FLAGS flags)
{
    if (!out)
        return CKR_ARGUMENTS_BAD;
    if (wanted && strcmp((const char *)wanted, (const char *)name) != 0)
        return CKR_FUNCTION_FAILED;
    for (size_t i = 0; i < CM_COUNT(interfaces); i++) {
        CK_VERSION v = version_of(&interfaces[i]);

        if ((version && (v.major != version->major || v.minor != version->minor)) ||
            (flags & ~interfaces[i].flags))
            continue;
        *out = &interfaces[i];
        return CKR_OK;
    }
    return CKR_FUNCTION_FAILED;
}
