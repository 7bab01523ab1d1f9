#ifndef CM_MEASURE_MEASURE_H
#define CM_MEASURE_MEASURE_H
/*
 * What a machine will measure when it starts a guest, out of the guest's firmware, kernel and
 * command line (spec/attest.md, AT-140 on): values for a policy, made without a machine.
 *
 * Pure: no clock, no files. Everything here is public; time depends on it. Any thread.
 */
#include "crypt/crypt.h"

enum {
    CM_MEASURE_FIRMWARE_MAX = 64 << 20,
    CM_MEASURE_DIGEST = 48, /* SHA-384 */
    CM_MEASURE_VCPUS_MAX = 4096,
};

/* ---- AMD SEV-SNP ---------------------------------------------------------------------------- */

/** Who sets the first state of the processors, which is measured. */
typedef enum { CM_VMM_QEMU, CM_VMM_EC2, CM_VMM_GCE, CM_VMM_COUNT } cm_measure_vmm;

/** "qemu", "ec2", "gce": static. */
const char *cm_measure_vmm_name(cm_measure_vmm v);
/** CM_VMM_COUNT for a name that is none. */
cm_measure_vmm cm_measure_vmm_of(cm_view name);

/** A model of processor as QEMU names it, and what CPUID 1 says of it in EAX. */
typedef struct {
    const char *name;
    uint32_t signature;
} cm_measure_cpu;

/** The ith model, NULL past the last; by name without regard to case, NULL when there is none. */
const cm_measure_cpu *cm_measure_cpu_at(size_t i);
const cm_measure_cpu *cm_measure_cpu_of(cm_view name);

/** SHA-256 of what the firmware boots directly. */
typedef struct {
    uint8_t kernel[32];
    uint8_t initrd[32];  /* of nothing when there is none */
    uint8_t cmdline[32]; /* with the zero behind it */
} cm_measure_boot;

typedef struct {
    cm_view firmware;               /* the image, as the machine maps it below 4 GiB */
    const uint8_t *firmware_digest; /* of 48 bytes, instead of hashing the image; its last page
                                       still says the rest. NULL: hash it */
    uint32_t vcpus;
    uint32_t signature; /* CPUID 1, EAX */
    uint64_t features;  /* SEV_FEATURES of the processors' state */
    cm_measure_vmm vmm;
    const cm_measure_boot *boot; /* NULL: the firmware looks for what it boots */
} cm_snp_launch;

/** The launch digest. MEASURE_FIRMWARE an image that can't be read; MEASURE_NO_SEV one that says
 * nothing of SEV-SNP; MEASURE_NO_BOOT boot is given and the image measures none; BAD_ARGUMENT. */
CM_MUST cm_err cm_measure_snp(uint8_t out[CM_MEASURE_DIGEST], const cm_crypt *c,
                              const cm_snp_launch *in);
/** The digest of the image alone, for firmware_digest. MEASURE_FIRMWARE. */
CM_MUST cm_err cm_measure_snp_firmware(uint8_t out[CM_MEASURE_DIGEST], const cm_crypt *c,
                                       cm_view firmware);

/* ---- Intel TDX ------------------------------------------------------------------------------ */

/** In which order pages are added and measured: KVM measures each page once it is added; older ones
 * add a section's pages first. */
typedef enum { CM_TDX_BY_PAGE, CM_TDX_BY_SECTION } cm_tdx_order;

/** MRTD of a firmware image. MEASURE_FIRMWARE; MEASURE_NO_TDX it says nothing of TDX. */
CM_MUST cm_err cm_measure_mrtd(uint8_t out[CM_MEASURE_DIGEST], const cm_crypt *c, cm_view firmware,
                               cm_tdx_order order);

/* ---- what starts in it ---------------------------------------------------------------------- */

enum { CM_MEASURE_CMDLINE_MAX = 4096, CM_MEASURE_PROGRAM_MAX = 256 << 20 };

/** The digest that firmware takes of a program (PE) it starts. MEASURE_PE. */
CM_MUST cm_err cm_measure_program(uint8_t *out, const cm_crypt *c, cm_hash hash, cm_view file);
/** The digest that Linux takes of its load options. BAD_ARGUMENT other characters than ASCII's;
 * TOO_BIG. */
CM_MUST cm_err cm_measure_cmdline(uint8_t *out, const cm_crypt *c, cm_hash hash, cm_view text);

typedef struct {
    uint8_t rtmr1[CM_MEASURE_DIGEST], rtmr2[CM_MEASURE_DIGEST];
} cm_td_registers;

/** RTMR1 and RTMR2 of a TD whose firmware starts a kernel directly, of SHA-384 digests of these
 * three; initrd NULL: none. */
CM_MUST cm_err cm_measure_td_boot(cm_td_registers *out, const cm_crypt *c,
                                  const uint8_t kernel[CM_MEASURE_DIGEST],
                                  const uint8_t cmdline[CM_MEASURE_DIGEST], const uint8_t *initrd);

/* ---- logs ----------------------------------------------------------------------------------- */

typedef struct {
    uint32_t type;
    const char *name;
} cm_measure_event;

/** "EV_SEPARATOR": static; "unknown". */
const char *cm_measure_event_name(uint32_t type);
/** Whether the data that stands with an event is what was measured: all of it, or the text behind
 * its label. */
CM_MUST cm_err cm_measure_explains(bool *yes, const cm_crypt *c, cm_hash hash, cm_view digest,
                                   cm_view data);

#endif
