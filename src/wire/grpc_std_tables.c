/* The messages of grpc.health.v1 and grpc.reflection.v1, by their published numbers. */
#include "wire/grpc_int.h"

enum { NAME = 1024 };

#define TEXT(n, what)                                                 \
    {                                                                 \
        .number = (n), .name = (what), .type = CM_F_TEXT, .max = NAME \
    }
#define NUMBER(n, what)                                 \
    {                                                   \
        .number = (n), .name = (what), .type = CM_F_U64 \
    }
#define PART(n, what, of)                                                \
    {                                                                    \
        .number = (n), .name = (what), .type = CM_F_MSG, .message = (of) \
    }
#define PARTS(n, what, of)                                                                       \
    {                                                                                            \
        .number = (n), .name = (what), .type = CM_F_MSG, .flags = CM_FF_REPEATED, .count = NAME, \
        .message = (of)                                                                          \
    }
#define MESSAGE(what, fields)                    \
    {                                            \
        (what), (fields), CM_COUNT(fields), NULL \
    }

static const cm_enum_value statuses[] = {
    {"UNKNOWN", 0}, {"SERVING", 1}, {"NOT_SERVING", 2}, {"SERVICE_UNKNOWN", 3}, {NULL, 0}};
static const cm_field health_ask[] = {TEXT(1, "service")};
static const cm_field health_answer[] = {
    {.number = 1, .name = "status", .type = CM_F_ENUM, .values = statuses}};
const cm_message cm_grpc_health_ask = MESSAGE("HealthCheckRequest", health_ask);
static const cm_message health_told = MESSAGE("HealthCheckResponse", health_answer);

static const cm_grpc_method health_methods[] = {
    {.service = "Health",
     .method = "Check",
     .request = &cm_grpc_health_ask,
     .answer = &health_told},
    {.service = "Health",
     .method = "Watch",
     .request = &cm_grpc_health_ask,
     .answer = &health_told,
     .streaming = true},
};
const cm_grpc_table cm_grpc_health = {"grpc/health/v1/health.proto", "grpc.health.v1",
                                      health_methods, CM_COUNT(health_methods)};

static const cm_field extension[] = {TEXT(1, "containing_type"), NUMBER(2, "extension_number")};
static const cm_message extension_ask = MESSAGE("ExtensionRequest", extension);
static const cm_field ask[] = {
    TEXT(1, "host"),
    TEXT(3, "file_by_filename"),
    TEXT(4, "file_containing_symbol"),
    PART(5, "file_containing_extension", &extension_ask),
    TEXT(6, "all_extension_numbers_of_type"),
    TEXT(7, "list_services"),
};
const cm_message cm_grpc_ask = MESSAGE("ServerReflectionRequest", ask);

static const cm_field files[] = {{.number = 1,
                                  .name = "file_descriptor_proto",
                                  .type = CM_F_BYTES,
                                  .flags = CM_FF_REPEATED,
                                  .max = 1 << 20,
                                  .count = 16}};
static const cm_message files_told = MESSAGE("FileDescriptorResponse", files);
static const cm_field service[] = {TEXT(1, "name")};
static const cm_message service_told = MESSAGE("ServiceResponse", service);
static const cm_field services[] = {PARTS(1, "service", &service_told)};
static const cm_message services_told = MESSAGE("ListServiceResponse", services);
static const cm_field fault[] = {NUMBER(1, "error_code"), TEXT(2, "error_message")};
static const cm_message fault_told = MESSAGE("ErrorResponse", fault);
static const cm_field told[] = {
    TEXT(1, "valid_host"),
    PART(2, "original_request", &cm_grpc_ask),
    PART(4, "file_descriptor_response", &files_told),
    PART(6, "list_services_response", &services_told),
    PART(7, "error_response", &fault_told),
};
static const cm_message answer = MESSAGE("ServerReflectionResponse", told);

static const cm_grpc_method reflection_methods[] = {
    {.service = "ServerReflection",
     .method = "ServerReflectionInfo",
     .request = &cm_grpc_ask,
     .answer = &answer,
     .client_streaming = true,
     .streaming = true},
};
const cm_grpc_table cm_grpc_reflection = {"grpc/reflection/v1/reflection.proto",
                                          "grpc.reflection.v1", reflection_methods, 1};
const cm_grpc_table cm_grpc_reflection_alpha = {"grpc/reflection/v1alpha/reflection.proto",
                                                "grpc.reflection.v1alpha", reflection_methods, 1};
