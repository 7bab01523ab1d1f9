#ifndef TESTLIB_WIRE_SAMPLE_H
#define TESTLIB_WIRE_SAMPLE_H
/* Messages with every kind of field, for tests of the codec: unit, fuzzers, interop. */
#include "wire/msg.h"

enum {
    S_NAME,
    S_DATA,
    S_COUNT,
    S_ON,
    S_KIND,
    S_INNER,
    S_NAMES,
    S_BLOBS,
    S_NUMBERS,
    S_FLAGS,
    S_KINDS,
    S_INNERS,
    S_SMALL,
    S_DEEP,
    S_N
};
enum { I_ID, I_LABEL, I_NEXT, I_N };

static const cm_enum_value sample_kinds[] = {
    {"aes-256", 1}, {"ml-dsa-65", 2}, {"other", 300}, {NULL, 0}};
static const cm_enum_value sample_zero[] = {{"message", 0}, {"digest", 1}, {NULL, 0}};

static const cm_message sample_inner;
static const cm_field sample_inner_fields[] = {
    {.number = 1, .name = "id", .type = CM_F_U64, .flags = CM_FF_REQUIRED, .doc = "Which."},
    {.number = 2, .name = "label", .type = CM_F_TEXT, .max = 16},
    {.number = 3, .name = "next", .type = CM_F_MSG, .message = &sample_inner},
};
static const cm_message sample_inner = {"Inner", sample_inner_fields, I_N, "One of several."};

static const cm_field sample_fields[] = {
    {.number = 1, .name = "name", .type = CM_F_TEXT, .max = 64, .doc = "What it is called."},
    {.number = 2, .name = "data", .type = CM_F_BYTES, .flags = CM_FF_SECRET, .max = 4096},
    {.number = 3, .name = "count", .type = CM_F_U64},
    {.number = 4, .name = "on", .type = CM_F_BOOL},
    {.number = 5, .name = "kind", .type = CM_F_ENUM, .values = sample_kinds},
    {.number = 6, .name = "inner", .type = CM_F_MSG, .message = &sample_inner},
    {.number = 7,
     .name = "names",
     .type = CM_F_TEXT,
     .flags = CM_FF_REPEATED,
     .max = 8,
     .count = 5},
    {.number = 8,
     .name = "blobs",
     .type = CM_F_BYTES,
     .flags = CM_FF_REPEATED,
     .max = 8,
     .count = 5},
    {.number = 9, .name = "numbers", .type = CM_F_U64, .flags = CM_FF_REPEATED, .count = 9},
    {.number = 10, .name = "flags", .type = CM_F_BOOL, .flags = CM_FF_REPEATED, .count = 5},
    {.number = 11,
     .name = "kinds",
     .type = CM_F_ENUM,
     .flags = CM_FF_REPEATED,
     .count = 5,
     .values = sample_kinds},
    {.number = 12,
     .name = "inners",
     .type = CM_F_MSG,
     .flags = CM_FF_REPEATED,
     .count = 5,
     .message = &sample_inner},
    {.number = 1000, .name = "small", .type = CM_F_U64, .max = 100},
    {.number = 14, .name = "form", .type = CM_F_ENUM, .values = sample_zero},
};
static const cm_message sample = {"Sample", sample_fields, S_N, "Everything there is."};

#endif
