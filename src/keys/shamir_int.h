#ifndef CM_KEYS_SHAMIR_INT_H
#define CM_KEYS_SHAMIR_INT_H
/* GF(256) modulo x^8 + x^4 + x^3 + x + 1, without tables. */
#include <stdint.h>

/** Constant time in both. */
uint8_t cm_gf256_mul(uint8_t a, uint8_t b);
/** 1/a; 0 for 0. Constant time. */
uint8_t cm_gf256_inv(uint8_t a);

#endif
