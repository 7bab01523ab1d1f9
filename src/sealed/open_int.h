#ifndef CM_SEALED_OPEN_INT_H
#define CM_SEALED_OPEN_INT_H
/* The inside of an opened container, shared by the files that read one. */
#include <pthread.h>

#include "sealed/line.h"
#include "sealed/manifest.h"
#include "sealed/tree.h"

/* Read-only after load and unlock, but for what lock guards. Lives in the locked arena. */
struct cm_sealed {
    const cm_crypt *crypt;
    cm_open_options o;
    int fd;
    cm_core core;
    cm_footer footer;
    cm_slots slots;
    cm_manifest manifest;
    cm_sealed_info info;
    cm_buf front, back, detached; /* what views borrow from */
    cm_stanza *stanzas;
    bool unlocked;
    cm_key32 content;
    cm_sealed_keys keys;
    uint8_t salt[32];
    cm_floe body;
    cm_tree_reader *tree;
    atomic_uint_fast64_t segments_read;

    pthread_mutex_t lock;  /* guards what follows */
    cm_floe_worker worker; /* for cm_sealed_read() */
    uint8_t *seg;          /* the segment it read last: */
    uint64_t seg_i;
    bool index_loaded, dir_loaded;
    cm_index index;
    cm_dir dir;
};

static inline uint64_t cm_sealed_at(const struct cm_sealed *s, uint64_t i)
{
    return s->core.body_at + CM_FLOE_HEADER + i * (s->core.segment + (uint64_t)CM_FLOE_OVERHEAD);
}

/** Plaintext bytes of segment i. */
static inline size_t cm_sealed_plain(const struct cm_sealed *s, uint64_t i)
{
    uint64_t off = i * s->core.segment;

    return (size_t)CM_MIN((uint64_t)s->core.segment, s->manifest.size - off);
}

/** Number of the last segment. */
static inline uint64_t cm_sealed_last(const struct cm_sealed *s)
{
    return s->manifest.size / s->core.segment;
}

/** A zeroed container over fd: nothing read yet. */
CM_MUST cm_err cm_sealed_alloc(struct cm_sealed **out, const cm_crypt *c, int fd,
                               const cm_open_options *o);
/** Parse manifest and signatures from back, where footer says they are. */
CM_MUST cm_err cm_sealed_load_manifest(struct cm_sealed *s);
/** Content key, the keys derived from it, salt. */
CM_MUST cm_err cm_sealed_open_envelope(struct cm_sealed *s);

/** Read segment i into buf, decrypt it there and check it against the tree: S-6, S-9. */
CM_MUST cm_err cm_sealed_fetch(struct cm_sealed *s, cm_floe_worker *w, uint8_t *buf, uint64_t i);

/** The root of one segment's leaves. */
CM_MUST cm_err cm_segment_root(uint8_t root[32], cm_view salt, const uint8_t *p, size_t n,
                               uint32_t leaf);

/** The envelope policy of a tier (S-14), classical only where it is asked for and allowed. */
cm_envelope_policy cm_tier_policy(unsigned tier, bool allow_classical);

/** Read the part of the container that cm_sealed_load() needs to know of a whole file: prelude,
 * core header and slots, appended to b. */
CM_MUST cm_err cm_front_read(cm_buf *b, cm_core *h, const cm_crypt *c, int fd);

#endif
