#include "hsm_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"

#ifdef __SANITIZE_ADDRESS__
#define LEAKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS 1
#endif
#endif
#ifdef LEAKS
/* SoftHSM2 leaks what the system's OpenSSL gave it; ours is linked in and has no such name. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcrypto.so.3\nleak:libsofthsm2.so\n";
}
#endif

const char *t_softhsm_module(void)
{
    static const char *const paths[] = {
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    };

    for (size_t i = 0; i < CM_COUNT(paths); i++)
        if (access(paths[i], R_OK) == 0)
            return paths[i];
    return NULL;
}

bool t_softhsm(const char *dir)
{
    const char *const make[] = {"softhsm2-util", "--init-token", "--free",   "--label",  T_TOKEN,
                                "--pin",         T_PIN,          "--so-pin", "73519264", NULL};
    const char *const folder[] = {"mkdir", "-p", t_path(dir, "tokens"), NULL};
    char text[2 * T_PATH];
    int n = snprintf(text, sizeof text, "directories.tokendir = %s\nobjectstore.backend = file\n",
                     t_path(dir, "tokens"));

    t_put_file(t_path(dir, "softhsm2.conf"), cm_view_of(text, (size_t)n));
    (void)setenv("SOFTHSM2_CONF", t_path(dir, "softhsm2.conf"), 1);
    if (!t_softhsm_module() || t_run(NULL, (cm_view){NULL, 0}, folder) != 0 ||
        t_run(NULL, (cm_view){NULL, 0}, make) != 0) {
        puts("SKIP: no SoftHSM2 (package softhsm2)");
        return false;
    }
    return true;
}

const char *t_shim(const char *dir)
{
    (void)setenv("CASEMATE_SHIM_MODULE", t_softhsm_module(), 1);
    (void)setenv("CASEMATE_SHIM_FAULT", t_path(dir, "fault"), 1);
    t_shim_fault(dir, "");
    return getenv("CASEMATE_SHIM");
}

void t_shim_fault(const char *dir, const char *fault)
{
    t_put_file(t_path(dir, "fault"), cm_view_str(fault));
}
