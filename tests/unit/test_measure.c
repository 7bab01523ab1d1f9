/* Launch digests and MRTD: published values, images that lie, and every input counts. */
#include <string.h>

#include "codec/text.h"
#include "kit.h"
#include "measure/measure.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PAGE = 4096, IMAGE = 4 * PAGE, SEV_AT = 1500, TDX_AT = 2600, DIGEST = CM_MEASURE_DIGEST };

static cm_crypt *crypt;

static int begin(void **s)
{
    (void)s;
    return cm_failed(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT));
}

static int end(void **s)
{
    (void)s;
    cm_crypt_free(crypt);
    return 0;
}

/* ---- images --------------------------------------------------------------------------------- */

typedef struct {
    uint8_t b[IMAGE];
    size_t table; /* where the next entry of the table ends */
    size_t table_end;
} image;

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

static void put_guid(uint8_t *p, const char *text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 16};

    assert_true(cm_ok(cm_hex_decode(&b, cm_view_str(text))));
    memcpy(p, b.p, 16);
}

static void begin_table(image *im)
{
    im->table_end = im->table = IMAGE - 32 - 18;
}

static void entry(image *im, const char *guid, const uint8_t *data, size_t n)
{
    im->table -= 18 + n;
    memcpy(im->b + im->table, data, n);
    put16(im->b + im->table + n, 18 + n);
    put_guid(im->b + im->table + n + 2, guid);
}

static void end_table(image *im)
{
    put16(im->b + im->table_end, im->table_end + 18 - im->table);
    put_guid(im->b + im->table_end + 2, "de82b596b21ff745baeaa366c55a082d");
}

static void entry32(image *im, const char *guid, uint32_t v)
{
    entry(im, guid, (const uint8_t *)&v, sizeof v);
}

#define RESET  "de71f7007e1acb4f890e68c77e2fb44e"
#define HASHES "1f3755723b3a044b927b1da6efa8d454"
#define META   "666588dc4a989847a75e5585a7bf67cc"
#define TDX    "35657ae44a989847865e4685a7bf8ec2"

typedef struct {
    uint32_t address, size, type;
} sev_section;

static void sev_metadata(image *im, const sev_section *v, uint32_t n)
{
    uint8_t *p = im->b + SEV_AT;

    memcpy(p, "ASEV", 4);
    put32(p + 4, 16 + n * 12);
    put32(p + 8, 1);
    put32(p + 12, n);
    for (uint32_t i = 0; i < n; i++) {
        put32(p + 16 + 12 * i, v[i].address);
        put32(p + 20 + 12 * i, v[i].size);
        put32(p + 24 + 12 * i, v[i].type);
    }
}

/* What edk2-stable202405's AmdSev build says of itself. */
static void amdsev(image *im)
{
    static const sev_section v[] = {
        {0x800000, 0x9000, 1}, {0x80a000, 0x3000, 1}, {0x80d000, 0x1000, 2},
        {0x80e000, 0x1000, 3}, {0x80f000, 0x1000, 4}, {0x810000, 0x1000, 0x10},
        {0x811000, 0xf000, 1},
    };

    memset(im, 0, sizeof *im);
    sev_metadata(im, v, CM_COUNT(v));
    begin_table(im);
    entry32(im, RESET, 0x80b004);
    entry(im, HASHES, (const uint8_t *)"\x00\x0c\x81\x00\x00\x04\x00\x00", 8);
    entry32(im, META, IMAGE - SEV_AT);
    entry32(im, TDX, IMAGE - TDX_AT);
    end_table(im);
}

static cm_view of(const image *im)
{
    return CM_VIEW(im->b);
}

static void is_hex(const uint8_t *digest, const char *text)
{
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = 2 * DIGEST};

    assert_true(cm_ok(cm_hex_encode(&hex, cm_view_of(digest, DIGEST))));
    assert_true(cm_view_eq(cm_buf_view(&hex), cm_view_str(text)));
}

/* ---- published launch digests --------------------------------------------------------------- */

/* Of the same metadata and the digest of an image that is not here: expected values of the tests of
 * virtee/sev-snp-measure. */
static const char image_digest[] = "086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2"
                                   "c37faaa4b24af3aa16aff8c374c2a55c467a50da6d466b74";

typedef struct {
    const char *cmdline; /* NULL: no kernel; it and the ramdisk are empty */
    uint64_t features;
    uint32_t vcpus;
    cm_measure_vmm vmm;
    const char *digest;
} published;

static const published known[] = {
    {"", 0x21, 1, CM_VMM_QEMU,
     "329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae15d22efc78fb9683632b9b50e4e1d7fa41179ef98a7ef"
     "198"},
    {"", 0x1, 1, CM_VMM_QEMU,
     "ddc5224521617a536ee7ce9dd6224d1b58a8d4fda1c741f3ac99fc4bfa04ba6e9fc98646d4a07a9079397fa385281"
     "9b5"},
    {"console=ttyS0 loglevel=7", 0x21, 1, CM_VMM_QEMU,
     "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228"
     "977"},
    {"console=ttyS0 loglevel=7", 0x1, 1, CM_VMM_QEMU,
     "6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b0"
     "8fa"},
    {"", 0x21, 1, CM_VMM_EC2,
     "0ce9ccc06bab55eebe8abc234f3df6514883977a68a591b71052498ab52b2f1aa415db338033946ef93aa8278c0d6"
     "7fb"},
    {"", 0x1, 1, CM_VMM_EC2,
     "0883bd0eeb716e65b7b977a321c278d1e51b33b5c655fab985443bbcc65c086b9c15e8a0bd8811050dec7e24964e5"
     "056"},
    {"", 0x1, 1, CM_VMM_GCE,
     "5da7106cf14cf46b1725ebab123eb9e53bd46a1e9f400cd0c08e7827b04b688ea8b4e403c8404efed4397ea5d5d07"
     "22e"},
    {"", 0x1, 4, CM_VMM_GCE,
     "5c5debf100fc339f90276e761ee1f1658d08922c3b20e2a2e6c7a6c3370b2452a15a00eae11886a93d6fd1e7ab81e"
     "29d"},
    {NULL, 0x21, 1, CM_VMM_QEMU,
     "e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf281a9278a4a2ebe0eed9f22adbcd0"
     "e2b"},
    {NULL, 0x1, 1, CM_VMM_QEMU,
     "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df6"
     "32d"},
    {"", 0x21, 4, CM_VMM_QEMU,
     "4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78eafe7b422907be0b4698e2414a631"
     "942"},
    {"", 0x1, 4, CM_VMM_QEMU,
     "5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046"
     "ad5"},
};

static void boot_of(cm_measure_boot *b, const char *cmdline)
{
    const uint8_t nothing[1] = {0};

    assert_true(cm_ok(cm_hash_once(crypt, CM_SHA256, b->kernel, cm_view_of(nothing, 0))));
    assert_true(cm_ok(cm_hash_once(crypt, CM_SHA256, b->initrd, cm_view_of(nothing, 0))));
    assert_true(cm_ok(
        cm_hash_once(crypt, CM_SHA256, b->cmdline, cm_view_of(cmdline, strlen(cmdline) + 1))));
}

/* AT-141, AT-142, AT-143 */
static void published_digests(void **s)
{
    CM_AUTO(cm_buf_free) cm_buf given = {.max = DIGEST};
    static image im;

    (void)s;
    amdsev(&im);
    assert_true(cm_ok(cm_hex_decode(&given, cm_view_str(image_digest))));
    for (size_t i = 0; i < CM_COUNT(known); i++) {
        const published *k = &known[i];
        cm_measure_boot boot;
        cm_snp_launch in = {
            .firmware = of(&im),
            .firmware_digest = given.p,
            .vcpus = k->vcpus,
            .signature = cm_measure_cpu_of(CM_LIT("epyc-V4"))->signature,
            .features = k->features,
            .vmm = k->vmm,
        };
        uint8_t digest[DIGEST];

        if (k->cmdline) {
            boot_of(&boot, k->cmdline);
            in.boot = &boot;
        }
        assert_true(cm_ok(cm_measure_snp(digest, crypt, &in)));
        is_hex(digest, k->digest);
    }
}

/* ---- every input counts --------------------------------------------------------------------- */

static void snp_of(uint8_t out[DIGEST], const cm_snp_launch *in)
{
    assert_true(cm_ok(cm_measure_snp(out, crypt, in)));
}

static void inputs_count(void **s)
{
    static image im;
    cm_measure_boot boot;
    cm_snp_launch base = {.firmware = of(&im), .vcpus = 2, .signature = 1, .features = 1}, in;
    uint8_t first[DIGEST], other[DIGEST], fw[DIGEST];

    (void)s;
    amdsev(&im);
    boot_of(&boot, "a");
    base.boot = &boot;
    snp_of(first, &base);
    in = base;
    in.vcpus = 3;
    snp_of(other, &in);
    assert_memory_not_equal(first, other, DIGEST);
    in = base;
    in.signature = 2;
    snp_of(other, &in);
    assert_memory_not_equal(first, other, DIGEST);
    boot.kernel[0] ^= 1;
    snp_of(other, &base);
    assert_memory_not_equal(first, other, DIGEST);
    boot.kernel[0] ^= 1;
    boot.initrd[31] ^= 1;
    snp_of(other, &base);
    assert_memory_not_equal(first, other, DIGEST);
    boot.initrd[31] ^= 1;
    im.b[0] ^= 1;
    snp_of(other, &base);
    assert_memory_not_equal(first, other, DIGEST);
    im.b[0] ^= 1;
    assert_true(cm_ok(cm_measure_snp_firmware(fw, crypt, of(&im))));
    in = base;
    in.firmware_digest = fw;
    snp_of(other, &in);
    assert_memory_equal(first, other, DIGEST);
}

/* ---- images that lie ------------------------------------------------------------------------ */

static void snp_refused(const image *im, size_t n, cm_reason why)
{
    cm_snp_launch in = {.firmware = cm_view_of(im->b + IMAGE - n, n), .vcpus = 1};
    uint8_t digest[DIGEST] = {7};

    assert_true(cm_is(cm_measure_snp(digest, crypt, &in), why));
    assert_int_equal(digest[0], 7);
}

/* AT-140 */
static void images_that_lie(void **s)
{
    static image im;

    (void)s;
    amdsev(&im);
    snp_refused(&im, 0, CM_MEASURE_FIRMWARE);
    snp_refused(&im, PAGE - 1, CM_MEASURE_FIRMWARE);
    snp_refused(&im, PAGE + 1, CM_MEASURE_FIRMWARE);
    put16(im.b + im.table_end, 17); /* a table shorter than its head */
    snp_refused(&im, IMAGE, CM_MEASURE_FIRMWARE);
    put16(im.b + im.table_end, 0xffff); /* longer than the image */
    snp_refused(&im, IMAGE, CM_MEASURE_FIRMWARE);
    amdsev(&im);
    entry32(&im, RESET, 1); /* there twice */
    end_table(&im);
    snp_refused(&im, IMAGE, CM_MEASURE_FIRMWARE);
    amdsev(&im);
    put32(im.b + SEV_AT + 8, 2); /* another version */
    snp_refused(&im, IMAGE, CM_MEASURE_FIRMWARE);
    amdsev(&im);
    put32(im.b + SEV_AT + 12, 1000);
    snp_refused(&im, IMAGE, CM_MEASURE_FIRMWARE);
    amdsev(&im);
    put32(im.b + SEV_AT + 24, 9); /* a section of a type that is not known */
    snp_refused(&im, IMAGE, CM_MEASURE_FIRMWARE);
    amdsev(&im);
    put32(im.b + SEV_AT + 20, 0x9001); /* not whole pages */
    snp_refused(&im, IMAGE, CM_MEASURE_FIRMWARE);
    memset(&im, 0, sizeof im); /* no table */
    snp_refused(&im, IMAGE, CM_MEASURE_NO_SEV);
}

static void no_table_of_hashes(void **s)
{
    static const sev_section v[] = {{0x800000, 0x9000, 1}, {0x80d000, 0x1000, 2}};
    static image im;
    cm_measure_boot boot;
    cm_snp_launch in = {.firmware = of(&im), .vcpus = 1, .boot = &boot};
    uint8_t digest[DIGEST];

    (void)s;
    amdsev(&im);
    sev_metadata(&im, v, CM_COUNT(v));
    boot_of(&boot, "");
    assert_true(cm_is(cm_measure_snp(digest, crypt, &in), CM_MEASURE_NO_BOOT));
    in.boot = NULL;
    assert_true(cm_ok(cm_measure_snp(digest, crypt, &in)));
    in.vcpus = 0;
    assert_true(cm_is(cm_measure_snp(digest, crypt, &in), CM_BAD_ARGUMENT));
    in.vcpus = CM_MEASURE_VCPUS_MAX + 1;
    assert_true(cm_is(cm_measure_snp(digest, crypt, &in), CM_BAD_ARGUMENT));
}

/* ---- MRTD ----------------------------------------------------------------------------------- */

typedef struct {
    uint32_t offset, raw;
    uint64_t address, size;
    uint32_t type, attributes;
} tdx_section;

static void tdx_metadata(image *im, const tdx_section *v, uint32_t n)
{
    uint8_t *p = im->b + TDX_AT;

    memcpy(p, "TDVF", 4);
    put32(p + 4, 16 + n * 32);
    put32(p + 8, 1);
    put32(p + 12, n);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *q = p + 16 + 32 * i;

        put32(q, v[i].offset);
        put32(q + 4, v[i].raw);
        cm_put_le64(q + 8, v[i].address);
        cm_put_le64(q + 16, v[i].size);
        put32(q + 24, v[i].type);
        put32(q + 28, v[i].attributes);
    }
}

static const tdx_section two_pages = {2 * PAGE, 2 * PAGE, 0xffffe000, 2 * PAGE, 0, 1};

static void absorb(cm_hasher *h, const char *name, uint64_t address)
{
    uint8_t record[128] = {0};

    memcpy(record, name, strlen(name));
    cm_put_le64(record + 16, address);
    assert_true(cm_ok(cm_hasher_update(h, CM_VIEW(record))));
}

/* AT-146: one section of two measured pages and one of a page that is only added, written out. */
static void mrtd_by_hand(const image *im, cm_tdx_order order, uint8_t out[DIGEST])
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;

    assert_true(cm_ok(cm_hasher_new(&h, crypt, CM_SHA384)));
    if (order == CM_TDX_BY_SECTION) {
        absorb(h, "MEM.PAGE.ADD", 0xffffe000);
        absorb(h, "MEM.PAGE.ADD", 0xfffff000);
    }
    for (size_t i = 0; i < 2 * PAGE; i += 256) {
        if (order == CM_TDX_BY_PAGE && i % PAGE == 0)
            absorb(h, "MEM.PAGE.ADD", 0xffffe000 + i);
        absorb(h, "MR.EXTEND", 0xffffe000 + i);
        assert_true(cm_ok(cm_hasher_update(h, cm_view_of(im->b + 2 * PAGE + i, 256))));
    }
    absorb(h, "MEM.PAGE.ADD", 0x809000);
    assert_true(cm_ok(cm_hasher_final(h, out)));
}

static void mrtd(void **s)
{
    static const tdx_section v[] = {
        {2 * PAGE, 2 * PAGE, 0xffffe000, 2 * PAGE, 0, 1},
        {0, 0, 0x809000, PAGE, 2, 0},
        {0, 0, 0x900000, 4 * PAGE, 4, 2}, /* given later, and not part of it */
    };
    uint8_t want[DIGEST], digest[DIGEST];
    static image im;

    (void)s;
    amdsev(&im);
    tdx_metadata(&im, v, CM_COUNT(v));
    for (unsigned order = CM_TDX_BY_PAGE; order <= CM_TDX_BY_SECTION; order++) {
        mrtd_by_hand(&im, (cm_tdx_order)order, want);
        assert_true(cm_ok(cm_measure_mrtd(digest, crypt, of(&im), (cm_tdx_order)order)));
        assert_memory_equal(digest, want, DIGEST);
    }
}

static void tdx_refused(tdx_section v, cm_reason why)
{
    static image im;
    uint8_t digest[DIGEST] = {7};

    amdsev(&im);
    tdx_metadata(&im, &v, 1);
    assert_true(cm_is(cm_measure_mrtd(digest, crypt, of(&im), CM_TDX_BY_PAGE), why));
    assert_int_equal(digest[0], 7);
}

/* AT-145 */
static void tdx_that_lies(void **s)
{
    tdx_section v = two_pages;
    uint8_t digest[DIGEST];
    static image im;

    (void)s;
    v.address++;
    tdx_refused(v, CM_MEASURE_FIRMWARE);
    v = two_pages;
    v.offset = 3 * PAGE; /* past the end */
    tdx_refused(v, CM_MEASURE_FIRMWARE);
    v = two_pages;
    v.raw = UINT32_MAX;
    tdx_refused(v, CM_MEASURE_FIRMWARE);
    v = two_pages;
    v.size += PAGE; /* measured, and not in the image */
    tdx_refused(v, CM_MEASURE_FIRMWARE);
    v = two_pages;
    v.attributes = 4;
    tdx_refused(v, CM_MEASURE_FIRMWARE);
    v = two_pages;
    v.address = UINT64_MAX - PAGE + 1;
    tdx_refused(v, CM_MEASURE_FIRMWARE);
    memset(&im, 0, sizeof im);
    assert_true(cm_is(cm_measure_mrtd(digest, crypt, of(&im), CM_TDX_BY_PAGE), CM_MEASURE_NO_TDX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_digests),
        cmocka_unit_test(inputs_count),
        cmocka_unit_test(images_that_lie),
        cmocka_unit_test(no_table_of_hashes),
        cmocka_unit_test(mrtd),
        cmocka_unit_test(tdx_that_lies),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
