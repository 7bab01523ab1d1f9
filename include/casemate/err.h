#ifndef CASEMATE_ERR_H
#define CASEMATE_ERR_H
/*
 * One result type for everything. It is a struct of one field, so a compiler refuses
 * `if (cm_verify(x))`, a lost result and `return -1`. The low byte is the class: what the caller
 * can do next. The rest names the reason: what happened, with a sentence that says how to mend it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <casemate/reasons.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CM_MUST __attribute__((warn_unused_result))
#define CM_API  __attribute__((visibility("default")))
#else
#define CM_MUST
#define CM_API
#endif

/* Class, HTTP status, gRPC status. Chosen by what the caller does next. */
#define CM_CLASSES(X)                                                                      \
    X(OK, 0, 200, 0)           /* go on */                                                 \
    X(INVALID, 1, 400, 3)      /* mend the call */                                         \
    X(MALFORMED, 2, 400, 3)    /* mend the input's bytes */                                \
    X(UNSUPPORTED, 3, 501, 12) /* use another version, algorithm or build */               \
    X(LIMIT, 4, 413, 8)        /* send less, or raise the limit */                         \
    X(UNAUTHENTIC, 5, 401, 16) /* trust nothing of it */                                   \
    X(DENIED, 6, 403, 7)       /* ask whoever sets the policy */                           \
    X(NOTFOUND, 7, 404, 5)     /* name something that exists */                            \
    X(CONFLICT, 8, 409, 10)    /* look at the state, then try again */                     \
    X(IO, 9, 503, 14)          /* mend the disk, the pipe or the device, then try again */ \
    X(EXHAUSTED, 10, 503, 8)   /* free memory or wait, then try again */                   \
    X(INTERNAL, 11, 500, 13)   /* our bug or a broken provider: report it */

#define CM_CLASS_ENUM(name, n, http, grpc) CM_CLASS_##name = n,
typedef enum { CM_CLASSES(CM_CLASS_ENUM) } cm_class;
#undef CM_CLASS_ENUM

/* CM_<REASON> is class | number << 8 and stays the same for good. */
#define CM_REASON_ENUM(name, cls, n, what, fix) CM_##name = CM_CLASS_##cls | (n) << 8,
typedef enum { CM_OK_REASON = 0, CM_REASONS(CM_REASON_ENUM) } cm_reason;
#undef CM_REASON_ENUM

typedef struct {
    uint32_t v;
} cm_err;

#ifdef __cplusplus
#define CM_OKAY         (cm_err{0})
#define CM_FAIL(reason) (cm_err{static_cast<uint32_t>(CM_##reason)})
#else
#define CM_OKAY         ((cm_err){0})
#define CM_FAIL(reason) ((cm_err){(uint32_t)CM_##reason})
#endif

static inline bool cm_ok(cm_err e)
{
    return e.v == 0;
}

static inline bool cm_failed(cm_err e)
{
    return e.v != 0;
}

static inline bool cm_is(cm_err e, cm_reason r)
{
    return e.v == (uint32_t)r;
}

static inline cm_class cm_err_class(cm_err e)
{
    return (cm_class)(e.v & 0xff);
}

/** Texts of an error: static, never NULL, also for numbers this build does not know. */
CM_API const char *cm_err_name(cm_err e); /* "SEALED_TRUNCATED" */
CM_API const char *cm_err_what(cm_err e); /* "the container ends early" */
CM_API const char *cm_err_fix(cm_err e);  /* "fetch it again; ..." or "" */
CM_API const char *cm_err_class_name(cm_err e);
CM_API int cm_err_http(cm_err e);
CM_API int cm_err_grpc(cm_err e);

#ifdef __cplusplus
}
#endif
#endif
