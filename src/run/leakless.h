/* For the main file of a sandboxed program, in a build with a leak checker: that one traces its own
 * process when it ends, which the sandbox refuses. */
#ifndef CM_RUN_LEAKLESS_H
#define CM_RUN_LEAKLESS_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CM_LEAKLESS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(CM_LEAKLESS)
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

#endif
